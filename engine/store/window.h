/*
 * window: the records that were sent to Redis and are not all confirmed, a ring in the order of
 * their numbers. Internal to the store; one thread. Slots stay where they are while they are in the
 * ring.
 */
#ifndef JIESU_STORE_WINDOW_H
#define JIESU_STORE_WINDOW_H

#include "engine/base/buf.h"
#include "engine/store/record.h"
#include "engine/store/ticket.h"

struct dispatcher;

enum slot_stage {
    SLOT_CLAIMING, /* waits for Redis: the idempotency key, on one server with the create */
    SLOT_CALLING,  /* waits for Redis: the function call of the record */
    SLOT_LOOKING,  /* waits for Redis: the order that the key stands for, in another community */
    SLOT_ALIASING, /* waits for Redis: the alias of an id that was given out in vain */
    SLOT_ASKING,   /* waits for the submitter: had it answered 202 before the outcome came? */
    SLOT_WRITING,  /* waits for the outbox: a drop or a burial */
    SLOT_LOST,     /* Redis' answer never came or was of no use: send it again */
    SLOT_DONE      /* confirmed */
};

struct slot {
    struct dispatcher *dispatcher;
    enum slot_stage stage;
    uint64_t seq;
    struct id id;          /* of the record's order */
    struct ticket *ticket; /* a hold; NULL when nobody waits */
    bool keyed;
    bool renamed; /* becomes is another order than id */
    bool forced;  /* the key is another body's, but a 202 was given: create it without the key */
    enum record_kind kind;
    struct hash128 claim;
    struct id becomes;
    struct buf bytes; /* the record, when it may be needed after it was sent */
    struct outbox_entry entry;
    struct mailbox_item item; /* brings the entry back */
    struct buf reason;
};

struct window;

struct window *window_new(struct dispatcher *dispatcher, struct err *err);
/* Lets go of the tickets in it. */
void window_free(struct window **window);
bool window_full(const struct window *window);
bool window_empty(const struct window *window);
/* True when a record of the order may be unfinished (seldom also when none is). */
bool window_touches(const struct window *window, const struct id *order);
/* A new slot at the end; its buffers are empty, ticket is NULL. The window must not be full. */
struct slot *window_push(struct window *window, uint64_t seq, const struct record *record);
/* The slot is finished: its order is free for the next step. */
void window_finish(struct window *window, struct slot *slot);
/* Removes the finished slots at the front. Returns the number of the last one, or 0. */
uint64_t window_advance(struct window *window);
/* Empties the window; returns the tickets of its unfinished slots, a list by next, in order. */
struct ticket *window_clear(struct window *window);

#endif
