/*
 * hook_feed_private: a feed's inside, shared by its two halves: lease, cursor and events
 * (hook_feed.c), dead letters and their replay (hook_feed_dead.c).
 */
#ifndef JIESU_APP_HOOK_FEED_PRIVATE_H
#define JIESU_APP_HOOK_FEED_PRIVATE_H

#include "engine/app/hook_feed.h"
#include "engine/base/limits.h"
#include "engine/store/letters.h"

enum { HOOK_CONSUMER_BYTES = 48 };

enum feed_phase { FEED_IDLE, FEED_ASKING, FEED_ON, FEED_STOPPED };

/* Which complaints are being replayed, and how far the dead letters have been looked through. */
struct feed_replay {
    bool wanted, running, reading, at_end;
    char marks[LIMIT_HOOK_PAGE][ID_ULID_BYTES + 1];
    size_t count;
    char after[EVENTS_ID_BYTES];
};

struct hook_feed {
    struct hook_shared *shared;
    struct hook_target *target;
    char community[ID_COMMUNITY_BYTES + 1], consumer[HOOK_CONSUMER_BYTES];
    enum feed_phase phase;
    uint64_t life;
    size_t asked; /* questions under way */
    struct hook_lanes *lanes, *replays;
    int64_t lease_until, renew_at, retry_at, read_at, ask_at;
    bool renewing, reading, moving, asking;
    bool foreign;                 /* another engine had the lease when last asked */
    bool forgotten;               /* the cursor is gone, with the endpoint */
    bool any_dead;                /* some complaint may have dead letters */
    char cursor[EVENTS_ID_BYTES]; /* in Redis */
    char to[EVENTS_ID_BYTES];     /* where it is being moved */
    char read[EVENTS_ID_BYTES];   /* the last event in the window */
    struct feed_replay replay;
};

/* A question under way, and for what. */
struct feed_question {
    struct hook_feed *feed;
    uint64_t life;
    struct hook_item *item; /* or NULL */
    int64_t asked_at;
};

/* A question about the feed as it is now, to be given to Redis as ctx; NULL when memory is short. */
struct feed_question *feed_ask(struct hook_feed *feed, struct hook_item *item, int64_t now);
/* One that was not asked after all; NULL is allowed. */
void feed_unask(struct feed_question *q);
/* Takes the question back: true when the feed still wants the answer. */
bool feed_answered(void *ctx, struct feed_question *q);
struct span feed_community(const struct hook_feed *feed);
struct span feed_hook(const struct hook_feed *feed);
/* Keeps a stream id. False when it is none. */
bool feed_keep_id(char out[EVENTS_ID_BYTES], struct span id);
/* Forgets everything; the next turns begin with the lease. */
void feed_begin_again(struct hook_feed *feed, int64_t now);
/* The same, because of what Redis said (err may be NULL). */
void feed_trouble(struct hook_feed *feed, const struct err *err, int64_t now);

/* Puts an item of the feed's lanes among the dead letters. */
void feed_bury(struct hook_feed *feed, struct hook_item *item, int64_t now);
/* Goes on with what is to be replayed, if anything is. */
void feed_replay(struct hook_feed *feed, int64_t now);
/* A letter was delivered: removes it. */
void feed_remove(struct hook_feed *feed, struct hook_item *item, int64_t now);
/* A letter was not delivered: the replay of its complaint ends. */
void feed_give_up(struct hook_feed *feed, struct hook_item *item, int64_t now);

#endif
