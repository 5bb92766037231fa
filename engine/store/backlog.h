/*
 * backlog: what is committed and not yet sent to Redis, in order, from memory while it lasts and
 * from the outbox for the rest. Internal to the store; one thread.
 */
#ifndef JIESU_STORE_BACKLOG_H
#define JIESU_STORE_BACKLOG_H

#include "engine/store/claims.h"
#include "engine/store/outbox.h"
#include "engine/store/ticket.h"

/* The next record. bytes is valid until the next call of the backlog; ticket is NULL when nobody
 * waits. */
struct backlog_item {
    uint64_t seq;
    struct span bytes;
    bool read; /* bytes come from the outbox's file, not from the ticket */
    struct ticket *ticket;
};

struct backlog;

/* Everything the outbox holds is to be sent. NULL and *err. */
struct backlog *backlog_new(struct outbox *outbox, struct claims *claims, struct err *err);
/* Lets go of the tickets it has. */
void backlog_free(struct backlog **backlog);

/* A record was committed; in the order of their numbers. */
void backlog_add(struct backlog *backlog, struct ticket *ticket);
/* 1 and *item, 0 when all was taken, -1 and *err. Says the same until backlog_take. */
int backlog_peek(struct backlog *backlog, struct backlog_item *item, struct err *err);
/* Takes what peek said; the hold on the ticket passes to the caller. */
void backlog_take(struct backlog *backlog);
/* Everything after `after` is to be sent again. tickets (a list by next, in order) are those among
 * what was taken since that somebody still waits for; their holds pass to the backlog. */
void backlog_rewind(struct backlog *backlog, uint64_t after, struct ticket *tickets);
/* The number taken last. */
uint64_t backlog_taken(const struct backlog *backlog);
/* The highest number added, or found in the outbox at the start. */
uint64_t backlog_last(const struct backlog *backlog);
/* True when the next record comes from memory. */
bool backlog_live(const struct backlog *backlog);

#endif
