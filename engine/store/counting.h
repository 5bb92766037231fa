/*
 * counting: one batch of orders on its way into the figures: from what jiesu_uncounted found to the
 * call of jiesu_count. Internal to the store.
 */
#ifndef JIESU_STORE_COUNTING_H
#define JIESU_STORE_COUNTING_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/targets.h"
#include "engine/store/keys.h"
#include "engine/store/reply.h"

#include <stddef.h>
#include <stdint.h>

/* A call with its arguments, in the arena's memory. */
struct counting {
    struct key key; /* says which slot it goes to */
    size_t argc;
    struct span *argv;
    size_t orders;  /* in the batch */
    int64_t lag_ms; /* for how long its first event has waited */
};

/* The call that looks for what is not counted by now. 0, or -1 when memory is short. */
int counting_look(struct arena *arena, struct span community, int64_t now, struct counting *out);
/* From the reply, which is borrowed, the call that counts it. 1; 0 when there is nothing to count;
 * -1 and *err: ERR_PROTOCOL for a reply that is none, ERR_NOMEM. */
int counting_count(struct arena *arena, struct span community, const struct reply *found,
                   const struct targets *targets, int64_t now, struct counting *out,
                   struct err *err);

#endif
