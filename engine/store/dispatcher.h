/*
 * dispatcher: takes records from a request to the outbox and from the outbox to Redis, in order.
 *
 * It runs on one loop (the main one) with the one Redis connection that writes; HTTP loops submit
 * from their own threads. Stages of a record: waiting → committed (durable: a 202 may be given) →
 * settled (Redis answered: a 201, a 409, ...). Records go to Redis in the order of their sequence
 * numbers. For a record whose request carried an idempotency key the key is claimed: by the call
 * that creates the order, or in a Cluster, where the key has a slot of its own, by one before it.
 *
 * While Redis is ready and all is well, committed records come straight from memory (live). When it
 * is not, they stay in the outbox; when Redis is ready again with the same fingerprint, dispatch
 * goes on after the last confirmed record, and with another fingerprint from the first held one
 * (replay). A record is released from the outbox when it was confirmed LIMIT_OUTBOX_HOLD_MS ago on
 * the same fingerprint.
 */
#ifndef JIESU_STORE_DISPATCHER_H
#define JIESU_STORE_DISPATCHER_H

#include "engine/base/err.h"
#include "engine/store/mailbox.h"
#include "engine/store/record.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct dispatcher;

#define OUTCOME_TABLE(X)                                                                          \
    X(OUTCOME_DONE, "done")               /* the order was created, the step was taken */         \
    X(OUTCOME_REPLAYED, "replayed")       /* it had been before: text is the answer given then */ \
    X(OUTCOME_CONFLICT, "conflict")       /* the state does not allow the step: state, version */ \
    X(OUTCOME_OTHER_BODY, "other_body")   /* the idempotency key was used with another body */    \
    X(OUTCOME_NOT_FOUND, "not_found")     /* no such order */                                     \
    X(OUTCOME_REJECTED, "rejected")       /* Redis refused it for good: a defect, logged */       \
    X(OUTCOME_NOT_WRITTEN, "not_written") /* the outbox could not commit it: nothing happened */

enum outcome_code {
#define X(code, name) code,
    OUTCOME_TABLE(X)
#undef X
        OUTCOME_COUNT
};

/* Borrowed for the length of the callback. */
struct outcome {
    enum outcome_code code;
    struct span id;    /* of the order; for a replay the id it got then */
    struct span state; /* of the order after it */
    int64_t version;
    /* OUTCOME_REPLAYED of a create: the stored answer. Empty for others, when memory was short, and
     * when the order is in another community and was not made yet: then id is all there is to tell.
     * OUTCOME_CONFLICT: why, a name of life.h's table.
     */
    struct span text;
};

/* One record on its way. Two owners: the submitter and the dispatcher. */
struct ticket;

/* Called once, on the submitter's loop, when the record is settled (or not written), unless the
 * ticket was released before. */
typedef void ticket_done(void *ctx, const struct outcome *outcome);

struct dispatcher_options {
    const char *outbox_path;
    struct redis_target target;
    const char *library; /* functions.lua */
};

/* Opens the outbox, connects to Redis, and takes up whatever the outbox holds. NULL and *err. */
struct dispatcher *dispatcher_new(uv_loop_t *loop, const struct dispatcher_options *options,
                                  struct err *err);

/* Any thread that has a mailbox. The record is copied. *out is the submitter's hold on it. 0, or -1
 * and *err at once: ERR_LIMIT (answer 503), ERR_NOMEM, and for a keyed record ERR_CONFLICT (the
 * same key is in progress in this engine: 409) or ERR_INVALID (the key is held with another body:
 * 422). When the key is held with the same body and its first request was answered 202, *out is a
 * ticket onto that record. */
int dispatcher_submit(struct dispatcher *dispatcher, struct mailbox *home,
                      const struct record *record, ticket_done *done, void *ctx,
                      struct ticket **out, struct err *err);
/* True once the record is durable. Any thread. */
bool ticket_committed(const struct ticket *ticket);
/* The id of the order this ticket will become: for a retry of a held key, the first request's id.
 */
struct id ticket_id(const struct ticket *ticket);
/* Gives up the submitter's hold: done is not called any more. On the submitter's loop, after done
 * or when a 202 was answered (a submitter that lets go is taken to have answered 202). Sets *t to
 * NULL. */
void ticket_release(struct ticket **ticket);

/* True when Redis is ready and dispatch is live. Any thread. */
bool dispatcher_live(const struct dispatcher *dispatcher);
/* Stops taking records (submit gives ERR_UNAVAILABLE), commits and dispatches what it has until
 * Redis confirmed all or timeout_ms passed, then calls on_stopped on the loop. The mailboxes of
 * submitters must work until then. Tickets that are not settled by then are not called back; what
 * is committed stays in the outbox. */
void dispatcher_stop(struct dispatcher *dispatcher, uint32_t timeout_ms, void (*on_stopped)(void *),
                     void *ctx);
/* Frees a stopped dispatcher. */
void dispatcher_free(struct dispatcher **dispatcher);

#endif
