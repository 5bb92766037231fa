/*
 * load: how many open orders each worker holds and when the last one came, so that routing can
 * spare who has too many and choose among equals.
 *
 * Redis keeps the numbers (`jiesu:{c}:open`, `jiesu:{c}:idle`); this is an engine's picture of
 * them, read anew each second (engine/app/duty.h). In between the engine adds what it gives out
 * itself. With several engines, and for a second after an order ended, it is therefore a little
 * old: good enough to share work evenly, and no promise hangs on it.
 */
#ifndef JIESU_MODEL_LOAD_H
#define JIESU_MODEL_LOAD_H

#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct load;

/* What one worker has. */
struct load_of {
    int64_t open;    /* orders held that are not done */
    int64_t last_at; /* when the last one came, in ms since the epoch; 0: none yet */
};

/* Nobody has anything. NULL when memory is short. */
struct load *load_new(void);
void load_free(struct load **load);
/* Zeroes for who is not known, and when load is NULL. Any thread. */
struct load_of load_get(const struct load *load, struct span worker);
/* Adds to what the worker has: more.open orders, the last one not before more.last_at. When memory
 * is short, load is NULL, or the id is no worker's, nothing is added. Any thread. */
void load_add(struct load *load, struct span worker, struct load_of more);
/* What `fresh` holds takes the place of what load held; fresh is freed and set to NULL. Any thread
 * for load; fresh is the caller's alone. */
void load_replace(struct load *load, struct load **fresh);

/* Who of some equals should get the next order: the fewest open, then the longest idle, then the
 * first. count is at least 1. */
size_t load_choose(const struct load_of *equals, size_t count);

#endif
