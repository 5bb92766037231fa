/*
 * hook_lanes: which event of a community is to be told to an endpoint next.
 *
 * Events come in the order of the stream. Each complaint has a lane in which its events stand one
 * behind the other: only the first one of a lane is ever under way, the next one follows when it was
 * delivered. Lanes do not wait for each other. An event that failed waits (hook_backoff) and is tried
 * again, until it is buried: after LIMIT_HOOK_ATTEMPTS attempts while the endpoint takes others,
 * after LIMIT_HOOK_AGE_S, when the endpoint says that it will never take it, or after
 * LIMIT_HOOK_BLOCKING_ATTEMPTS when it is the one for which a full window cannot move. To bury is
 * to put it among the dead letters; what comes later in its lane follows it there, until the dead
 * letters of that complaint have been replayed.
 *
 * The window is what was added and lies behind the cursor. The cursor moves over events that are
 * settled (delivered, buried, or of no interest), and only when all before them are settled too; so
 * whoever starts from the cursor again sends everything that was not settled, each complaint's
 * events in order, and some a second time.
 *
 * Pure: times are handed in (ms of a steady clock; ages by the time of day), nothing is sent here.
 * Whoever drives it asks for the next thing to do, does it, and says how it ended.
 */
#ifndef JIESU_MODEL_HOOK_LANES_H
#define JIESU_MODEL_HOOK_LANES_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOOK_REASON_BYTES = 96 };

struct hook_lanes;
struct hook_lane;

/* One event. The first part is the caller's to read; all of it belongs to the lanes. */
struct hook_item {
    struct span id;    /* in the stream; ends in NUL */
    struct span order; /* ULID */
    struct span data;  /* what the caller gave */
    int64_t version;
    int64_t at;                     /* time of day when it came into the stream */
    uint32_t attempts;              /* that count */
    char reason[HOOK_REASON_BYTES]; /* why it was not taken: the caller's to write */
    bool bury;                      /* it must go among the dead letters */
    bool follow;                    /* it must go there if its complaint is still there */

    struct hook_lane *lane;  /* NULL: settled */
    struct hook_item *next;  /* in the lane */
    struct hook_item *later; /* in the window */
};

/* What is to be added. Everything is copied. */
struct hook_added {
    struct span id, order, data;
    int64_t version, at;
    bool wanted; /* false: of no interest, it only lets the cursor move */
    bool dead;   /* its complaint may have dead letters: to be asked before it is sent */
};

enum hook_do {
    HOOK_DO_NOTHING,
    HOOK_DO_SEND,
    HOOK_DO_BURY /* forced (item->bury), or if the complaint still has dead letters (item->follow) */
};

/* NULL when memory is short. */
struct hook_lanes *hook_lanes_new(uint64_t seed);
void hook_lanes_free(struct hook_lanes **lanes);
/* How many more may be added. */
size_t hook_lanes_room(const struct hook_lanes *lanes);
/* Events that are not settled. */
size_t hook_lanes_waiting(const struct hook_lanes *lanes);
/* When the oldest event that is not settled came into the stream; 0: there is none. */
int64_t hook_lanes_oldest(const struct hook_lanes *lanes);
/* 0, or -1 when memory is short. There must be room. */
int hook_lanes_add(struct hook_lanes *lanes, const struct hook_added *added);

/* The next thing to do; *item is under way until one of the calls below says how it ended. may_send:
 * false gives only what is to be buried. probe: the endpoint is down; whoever waits longest is sent,
 * without regard to its wait. */
enum hook_do hook_lanes_next(struct hook_lanes *lanes, bool may_send, bool probe, int64_t now,
                             struct hook_item **item);
/* What was sent was taken. item is no longer valid, here and below but for what is said. */
void hook_lanes_delivered(struct hook_lanes *lanes, struct hook_item *item);

struct hook_failure {
    bool final;         /* it will never be taken */
    bool counts;        /* the endpoint takes others, so it is the event's own failure */
    int64_t wait_ms;    /* asked for by the endpoint; 0: none */
    int64_t now, today; /* steady, and time of day */
};
/* It was not taken: it stays in front of its lane. */
void hook_lanes_failed(struct hook_lanes *lanes, struct hook_item *item,
                       const struct hook_failure *failure);
/* It is among the dead letters now (or was before). */
void hook_lanes_buried(struct hook_lanes *lanes, struct hook_item *item);
/* Its complaint has no dead letters any more: it, and what follows it, are to be sent. item stays. */
void hook_lanes_revived(struct hook_lanes *lanes, struct hook_item *item);
/* It could not be buried; to be tried again after wait_ms. item stays. */
void hook_lanes_postpone(struct hook_lanes *lanes, struct hook_item *item, int64_t now,
                         int64_t wait_ms);
/* Nobody waits any longer: the endpoint works again. */
void hook_lanes_hurry(struct hook_lanes *lanes, int64_t now);
/* True and *id (valid until the next call of any function) when the cursor moved since the last
 * time it was asked for. */
bool hook_lanes_cursor(struct hook_lanes *lanes, struct span *id);

#endif
