/*
 * hook_feed: the events of one community on their way to one webhook endpoint.
 *
 * A feed holds a lease in Redis, so that only one engine delivers for it at a time, reads events after
 * the endpoint's cursor into lanes (hook_lanes.h), and moves the cursor over what is settled. When
 * Redis goes away, the lease is lost, or another engine moved the cursor, it forgets everything and
 * begins again from the cursor in Redis: what was not settled is sent again. Replays of dead letters
 * run beside it in lanes of their own: as long as a complaint has dead letters, its new events are
 * buried behind them.
 *
 * Everything happens on the deliverer's loop (hooks.h).
 */
#ifndef JIESU_APP_HOOK_FEED_H
#define JIESU_APP_HOOK_FEED_H

#include "engine/api/endpoints.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/http/json.h"
#include "engine/model/hook_gate.h"
#include "engine/model/hook_lanes.h"
#include "engine/model/id.h"
#include "engine/store/redis.h"

struct hook_feed;

/* What all feeds of a deliverer share. */
struct hook_shared {
    struct redis *redis;
    struct json_reader *json;
    struct buf body;    /* scratch */
    struct span engine; /* unique to the process */
    int64_t ask_ms;     /* between two questions of one feed about its state */
    int64_t poll_ms;    /* between two looks for events */
    size_t waiting;     /* events in all windows at the last look */
    struct random random;
};

/* One endpoint, as its feeds see it. */
struct hook_target {
    const struct endpoint *endpoint; /* its name never changes */
    int64_t since_ms;                /* steady: a new one gets the events since then */
    struct hook_gate gate;
};

/* NULL when memory is short. What is given must outlive it. */
struct hook_feed *hook_feed_new(struct hook_shared *shared, struct hook_target *target,
                                struct span community);
/* When no command and no post of it is under way any more (or the loop has ended). */
void hook_feed_free(struct hook_feed **feed);
struct span hook_feed_community(const struct hook_feed *feed);
/* Looks at what time has brought: lease, cursor, new events, replays. now is steady. */
void hook_feed_turn(struct hook_feed *feed, int64_t now);
/* Redis is gone: everything is forgotten. */
void hook_feed_lost(struct hook_feed *feed, int64_t now);
/* Gives the lease back, and does nothing more. */
void hook_feed_stop(struct hook_feed *feed);
/* The endpoint is gone: does nothing more, and drops the cursor, which would keep events for ever.
 * To be called until it is true: then that is done and no question to Redis is under way. Without
 * Redis it waits. */
bool hook_feed_forget(struct hook_feed *feed, int64_t now);
/* Events that are not settled; when the oldest came (0: there is none), by the time of day. */
size_t hook_feed_waiting(const struct hook_feed *feed);
int64_t hook_feed_oldest(const struct hook_feed *feed);
bool hook_feed_leased(const struct hook_feed *feed);
/* The endpoint works again. */
void hook_feed_hurry(struct hook_feed *feed, int64_t now);

/* Something to be posted. */
struct hook_turn {
    struct hook_feed *feed;
    struct hook_item *item; /* valid until it ended, when the feed has not begun again since */
    uint64_t life;          /* of the feed */
    bool replay;
    struct span body; /* as item */
};
/* The next thing of this feed to be posted: true and *turn, which must be ended by hook_feed_ended;
 * with may_send false only what concerns Redis alone is done. */
bool hook_feed_next(struct hook_feed *feed, bool may_send, int64_t now, struct hook_turn *turn);
/* How the post ended. status: the answer's, 0: none; reason: for people, why it was not taken. */
void hook_feed_ended(const struct hook_turn *turn, int status, int64_t wait_ms, const char *reason,
                     int64_t now);

#endif
