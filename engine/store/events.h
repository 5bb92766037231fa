/*
 * events: the stream in which every step of every order of a community stands, and its readers.
 *
 * jiesu_create and jiesu_step put one entry into `jiesu:{<community>}:events` in the call that
 * changes the order, so an order and its events never disagree. Each consumer has a cursor there:
 * the id of the last event that it has dealt with. A consumer reads after its cursor, does its
 * work, and moves the cursor. It must be prepared to see an event again: after a crash between the
 * work and the move, and because a step that was sent again to a Redis that had lost its last
 * second is in the stream under another stream id. The order and its version name what happened.
 *
 * Of several engines one reads for a consumer: the one that holds the lease. It takes it anew well
 * before EVENTS_LEASE_MS are over; when it falls silent another one gets it. A lease saves work, it
 * is no lock: two engines may for a moment both believe to have it. What must not be done twice is
 * guarded by the cursor (events_move) or by the order's version.
 *
 * All functions send one command: 0 and later the callback, once, on the client's loop; or -1 and
 * *err at once. In a callback err is NULL when it went well. Communities are the directory's
 * (directory_area_at); consumer names are 1 to 64 of [a-z0-9_:-].
 */
#ifndef JIESU_STORE_EVENTS_H
#define JIESU_STORE_EVENTS_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before the first event. */
#define EVENTS_START "0-0"
/* Room for any stream id, with a NUL. */
enum { EVENTS_ID_BYTES = 44 };

/* One event. Spans borrow from the reply for the length of the callback; those that the entry does
 * not have are empty. */
struct event {
    struct span id;       /* in the stream */
    struct span order;    /* ULID */
    int64_t version;      /* of the order, after the step */
    struct span step;     /* its name, "create" for a new order */
    int64_t at;           /* when it happened, ms */
    struct span by;       /* the actor's name */
    struct span from, to; /* states */
    struct span worker;   /* the holder after it */
    struct span entry;    /* JSON, as in the order's history */
    struct span urgency, category, kind, grid, class_name;
    bool special; /* of a special group */
};

/* When an entry came into the stream, ms since 1970, by its id; 0 when it is none. */
int64_t events_time(struct span id);

/* Reads an event from an entry of the stream, which it borrows from. */
void event_read(const struct reply *entry, struct event *event);

typedef void events_got(void *ctx, const struct event *events, size_t count, const struct err *err);
/* At most `most` (up to LIMIT_EVENTS_PAGE) events after that id, oldest first; fewer than asked for
 * only when there are no more. */
int events_read(struct redis *redis, struct span community, struct span after, size_t most,
                events_got *got, void *ctx, struct err *err);

typedef void events_text(void *ctx, struct span text, const struct err *err);
/* Where the consumer stands. A new one begins behind the newest event, or (from_start) before the
 * first one that is still there. */
int events_cursor(struct redis *redis, struct span community, struct span consumer, bool from_start,
                  events_text *got, void *ctx, struct err *err);

typedef void events_number(void *ctx, int64_t number, const struct err *err);
/* Moves the cursor from where the caller saw it: 1, or 0 when it stands elsewhere by now. */
int events_move(struct redis *redis, struct span community, struct span consumer, struct span from,
                struct span to, events_number *got, void *ctx, struct err *err);
/* Drops the cursors of all consumers but these, which would keep events forever: how many.
 * At most 64. */
int events_keep_consumers(struct redis *redis, struct span community, const struct span *consumers,
                          size_t count, events_number *got, void *ctx, struct err *err);
/* Takes the lease, or takes it anew, for LIMIT_EVENTS_LEASE_MS: 1, or 0 when another engine has it.
 * engine is unique to the process. */
int events_lease(struct redis *redis, struct span community, struct span consumer,
                 struct span engine, events_number *got, void *ctx, struct err *err);
/* Gives it back when it is this engine's. */
int events_release(struct redis *redis, struct span community, struct span consumer,
                   struct span engine, events_number *got, void *ctx, struct err *err);

typedef void events_trimmed(void *ctx, int64_t left, int64_t removed, const struct err *err);
/* Removes the oldest events beyond the newest `kept`, some hundreds at a time, but none that a
 * consumer has still to read. */
int events_trim(struct redis *redis, struct span community, size_t kept, events_trimmed *got,
                void *ctx, struct err *err);

#endif
