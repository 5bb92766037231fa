/*
 * warned: the open orders that were warned of, the most urgent first: red before yellow before
 * blue, and of one level those first that reached it first.
 *
 * jiesu_step keeps a sorted set of them for each community and level (keys.h). A page is made of
 * the first of each set, merged, and of the hashes of those; what its own hash does not confirm is
 * left out.
 *
 * A place in the list stays where it is until the order's level rises or it is done. So whoever
 * goes through one level page by page finds every order that is there all the time, once. Over
 * several levels an order that rises meanwhile goes to a part of the list that may be passed by
 * then.
 */
#ifndef JIESU_STORE_WARNED_H
#define JIESU_STORE_WARNED_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/clocks.h"
#include "engine/model/id.h"
#include "engine/model/order.h"
#include "engine/store/redis.h"

#include <stddef.h>
#include <stdint.h>

enum { WARNED_PLACE_BYTES = ID_BYTES + 32 };

/* A place in the list. */
struct warned_place {
    enum warning level;
    int64_t rose_at; /* when the order reached the level, ms */
    struct id id;
};
/* <0, 0, >0: whether a stands before b. */
int warned_place_cmp(const struct warned_place *a, const struct warned_place *b);
/* "red.1772424000000.<id>", NUL-terminated. Returns out. */
const char *warned_place_text(const struct warned_place *place, char out[WARNED_PLACE_BYTES]);
/* 0, or -1 when text is no such place. */
int warned_place_parse(struct span text, struct warned_place *out);

/* What is asked for. */
struct warned_query {
    const struct span *communities; /* at least one; a street's id for its triage */
    size_t community_count;
    unsigned levels;                  /* a bit set, 1u << WARNING_RED and so on; not empty */
    struct span worker;               /* those that this worker holds; empty: whoever does */
    const struct warned_place *after; /* those behind this place; NULL: from the first */
    size_t most;
};

struct warned_order {
    struct warned_place place;
    enum order_state state;
    int64_t version, created_at;
    struct span worker, grid, urgency, category;
    int64_t due[CLOCK_COUNT]; /* of the clocks that run; else 0 */
    int64_t next_due;         /* as life_next_due says */
};

/* At most `most` orders; there may be fewer and still more behind them. next is the place to go on
 * after, or NULL when there is nothing behind it. err is not NULL when Redis could not be asked. */
typedef void warned_listed(void *ctx, const struct warned_order *orders, size_t count,
                           const struct warned_place *next, const struct err *err);
/* Calls got once, perhaps before it returns. What query points to, and the arena, must live until
 * then; what got is given lives as long as the arena. */
void warned_list(struct redis *redis, const struct warned_query *query, struct arena *arena,
                 warned_listed *got, void *ctx);

#endif
