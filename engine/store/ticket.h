/*
 * ticket: a record on its way, as its submitter sees it; and the way its outcome takes back.
 * Internal to the store.
 *
 * A ticket has two owners, the submitter and the dispatcher, and is freed when both let go. The
 * bytes of the record stand behind it, in the same allocation.
 */
#ifndef JIESU_STORE_TICKET_H
#define JIESU_STORE_TICKET_H

#include "engine/store/dispatcher.h"
#include "engine/store/outbox.h"

#include <stdatomic.h>

struct slot;

enum { TICKET_STATE_BYTES = 32 };

/* Called on the submitter's loop after an outcome that was sent with ticket_deliver: was it given
 * to the submitter, or had that let go before (and may have answered 202)? */
typedef void ticket_delivered(struct ticket *ticket, bool given);

struct ticket {
    struct outbox_entry entry; /* the outbox's until it is written */
    /* To the dispatcher when written; later to the submitter with the outcome. */
    struct mailbox_item item;
    struct ticket *next; /* in the dispatcher's backlog, or among those that joined a claim */
    struct slot *slot;   /* the dispatcher's, while it asks (ticket_deliver) */
    struct dispatcher *dispatcher;
    atomic_size_t *count; /* of the tickets that the dispatcher holds */
    struct mailbox *home;
    ticket_done *done;
    void *ctx;
    ticket_delivered *delivered;
    atomic_int refs;
    atomic_bool committed, released;
    bool given; /* ticket_deliver: kept on the way back */
    bool keyed;
    struct hash128 claim, body;
    struct id id;
    uint64_t committed_ns;
    /* the outcome */
    enum outcome_code code;
    struct id order;
    char state[TICKET_STATE_BYTES];
    size_t state_len;
    int64_t version;
    char *text; /* owned; NULL when there is none */
    size_t text_len;

    size_t len;
    char bytes[];
};

/* A ticket with the record's durable form. One hold for the submitter and one for the dispatcher;
 * the second is counted in *count while it lasts. The caller sets dispatcher, home, done and ctx.
 * NULL when memory is short. */
struct ticket *ticket_new(const struct record *record, atomic_size_t *count);
/* Gives up the dispatcher's hold. Any thread. */
void ticket_drop(struct ticket *ticket);
/* True when the submitter let go: then it may have answered 202. */
bool ticket_released(const struct ticket *ticket);
/* The outcome that was sent; borrows from the ticket. */
struct outcome ticket_outcome(const struct ticket *ticket);
/* Sends the outcome to the submitter and gives up the dispatcher's hold. */
void ticket_settle(struct ticket *ticket, const struct outcome *outcome);
/* Sends the outcome and keeps the hold: delivered is called on the submitter's loop, exactly once.
 */
void ticket_deliver(struct ticket *ticket, const struct outcome *outcome,
                    ticket_delivered *delivered);

#endif
