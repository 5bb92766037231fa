/*
 * letters: what a webhook endpoint did not take: its dead letters, per community, in Redis.
 *
 * A complaint that has dead letters is marked (jiesu:{c}:dead:<hook>:orders); its later events are
 * buried behind them, so that a replay can send all of them in order. A replay is asked for by
 * another mark; whoever delivers then reads the letters, sends them, and removes each one that was
 * taken. With its last letter both marks go.
 *
 * All functions send one command, as those of events.h.
 */
#ifndef JIESU_STORE_LETTERS_H
#define JIESU_STORE_LETTERS_H

#include "engine/store/events.h"

/* One letter. Spans borrow from the reply for the length of the callback. */
struct letter {
    struct span id;    /* in the stream of dead letters; not read by letters_bury */
    struct span event; /* the event's id for the outside, "<community>.<ulid>.<version>.<step>" */
    struct span order; /* ULID */
    int64_t version;
    struct span body;     /* JSON, as it is posted */
    struct span reason;   /* why it was not taken, for people */
    int64_t attempts, at; /* of these; when it was buried, ms */
};

/* The endpoint's cursor in the events (consumer "hook:<hook>"). A new endpoint begins with what came
 * age_ms ago. */
int letters_begin(struct redis *redis, struct span community, struct span hook, int64_t age_ms,
                  events_text *got, void *ctx, struct err *err);

/* The endpoint is gone: its cursor, which would keep events, goes too. */
int letters_end(struct redis *redis, struct span community, struct span hook, events_number *got,
                void *ctx, struct err *err);

/* 1: it is among the dead letters; 0: (not forced) its complaint has none; -1: there are
 * LIMIT_HOOK_DEAD already. */
int letters_bury(struct redis *redis, struct span community, struct span hook,
                 const struct letter *letter, bool force, events_number *got, void *ctx,
                 struct err *err);
/* A letter was delivered: how many its complaint still has. */
int letters_remove(struct redis *redis, struct span community, struct span hook, struct span order,
                   struct span id, events_number *got, void *ctx, struct err *err);

typedef void letters_got(void *ctx, const struct letter *letters, size_t count,
                         const struct err *err);
/* The oldest `most` letters after an id (EVENTS_START: from the first). */
int letters_read(struct redis *redis, struct span community, struct span hook, struct span after,
                 size_t most, letters_got *got, void *ctx, struct err *err);

/* Marks a complaint's letters to be sent again, or (order is empty) all: how many complaints. */
int letters_replay(struct redis *redis, struct span community, struct span hook, struct span order,
                   events_number *got, void *ctx, struct err *err);
typedef void letters_marked(void *ctx, const struct span *orders, size_t count,
                            const struct err *err);
/* Some of those marked, at most `most`. */
int letters_marks(struct redis *redis, struct span community, struct span hook, size_t most,
                  letters_marked *got, void *ctx, struct err *err);
/* Takes the mark of one off: its replay failed. */
int letters_unmark(struct redis *redis, struct span community, struct span hook, struct span order,
                   events_number *got, void *ctx, struct err *err);

/* Writes down for LIMIT_HOOK_STATE_MS what the deliverer has to say of itself. */
int letters_tell(struct redis *redis, struct span community, struct span hook, struct span json,
                 events_text *got, void *ctx, struct err *err);

struct letters_state {
    struct span json; /* empty: nobody delivers */
    int64_t letters, complaints, marked;
    struct span newest, cursor; /* stream ids, or empty */
    struct span engine;         /* who delivers, or empty */
};
typedef void letters_stated(void *ctx, const struct letters_state *state, const struct err *err);
int letters_state(struct redis *redis, struct span community, struct span hook, letters_stated *got,
                  void *ctx, struct err *err);

#endif
