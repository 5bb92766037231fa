/*
 * The protocol behind the promise
 * ===============================
 *
 * "A 2xx means: this complaint survives kill -9 of jiesu and of Redis, at any moment, and
 * becomes exactly one work order per idempotency key."
 *
 * 1. Nothing is answered before it is durable. A record is in the outbox, on the disk
 *    (outbox.c), before its ticket says `committed`; and a 201 is given only after that, because
 *    only committed records are sent to Redis. From then on losing the record takes the loss of
 *    the disk, or its release.
 *
 * 2. A record is released only when Redis cannot forget it: the same Redis (by fingerprint) that
 *    confirmed it has shown since that it wrote and synced it (hold.c). A Redis that comes back
 *    with another fingerprint was restarted, or is another one, and may have lost any suffix of
 *    what it had: then everything held is sent again from the start. After a mere loss of the
 *    connection it is enough to go on after the last confirmed one. A fresh process knows no
 *    fingerprint, so it begins with everything held, too.
 *
 * 3. Sending again is harmless, because Redis knows a repeated call by its id and changes
 *    nothing: orders are never deleted, a step's id stays in its order, a refused step stays
 *    refused. What matters is order. What Redis has after a crash is a prefix of what it did;
 *    sending all held records in the order of their numbers makes every one that is in the
 *    prefix a repetition, and carries out every other one on the same state as the first time.
 *    Therefore:
 *    - There is one connection for writing, and records are sent in the order of their numbers.
 *    - When one of them fails in a way that may pass, nothing later is sent. When all that is on
 *      its way has come back, everything after the last confirmed number is sent again
 *      (`rewinding`). Commands that a lost connection left behind in Redis' socket may still be
 *      carried out then, between ours: each of the two sequences is in order, so the first
 *      occurrence of every record still is.
 *    - A record is confirmed when it and all before it are. A create may overtake a create (they
 *      are about different orders), but a step waits until nothing of its order is under way.
 *    - The prefix must be a clean one. Redis 7.0 can leave a torn MULTI open in its append-only
 *      file, and carry out its commands at a later start; functions.lua has a fence against
 *      that. (`redis-check-aof --fix` is no cure: it cuts off everything that was written after
 *      the tear.)
 *
 * 4. A record is never given up because Redis is away, slow, full or confused. Only an error
 *    that is about the command itself takes it out of the order; then it is moved to the table
 *    `dead` of the outbox in one transaction, logged and counted. outbox_db.c says how to look
 *    at it.
 *
 * Idempotency keys
 * ----------------
 *
 * The key is claimed in Redis with the hash of the body and the id of the order to be. The claim
 * decides which record becomes the order; it is set once, and lives LIMIT_IDEMPOTENCY_TTL_S. On a
 * single server claim and create are one call (jiesu_claim): that spares a round trip, and there is
 * no in between. In a Cluster the claim has a slot of its own, so it is a call of its own before
 * the create.
 *
 * - The claim is ours: create the order. A crash in between is finished by the replay.
 * - The same body, another id: an earlier request, here or in another engine, has it. That one
 *   committed its record before it claimed, so its order will exist; but its engine may be down,
 *   so we make the order under its id ourselves (record_rename: the two records mean the same),
 *   and whoever comes second changes nothing. When the rules have changed and our record is
 *   routed to another community, we cannot, and only look whether it is there yet; the outcome
 *   then may have no text. The outcome is a replay, with the answer stored first.
 * - Another body: 422, and the record is dropped from the outbox, so that no replay makes an
 *   order of it.
 *
 * The last two change what the submitter was to be told, and it may have run out of patience and
 * answered 202 in the very moment. So the outcome is sent to its loop, where answering happens
 * too, and word comes back whether it was in time (ticket_deliver). If a 202 was given: with the
 * same body the given id becomes an alias of the order's; with another body the record becomes
 * an order of its own without the key, since a promise weighs more than a misused key. After a
 * restart nobody knows what was answered: then a 202 is assumed. (A crash between a 422 and the
 * commit of the drop may thus leave an order that was refused: an order too many of a client
 * that reused a key, never one too few.)
 *
 * Claims and creates of different records travel interleaved, but not the ones of one key: while
 * a record with a key is on its way in this engine, another request with the key gets 409 or
 * 422, or, once the first was answered 202, joins it (claims.c). So two records of one key are
 * in the window only in a replay; there the first one's claim and create are sent before the
 * second one's create, if they are two calls.
 *
 * Limits, said openly. Several engines on one Redis that loses its last second: an engine's
 * claim may be lost until that engine replays; a retry that reaches another engine in those
 * milliseconds takes the key. One order is made, under the second id, and the first becomes its
 * alias. In a Cluster, claim and order live on different masters: if just the claim's is lost
 * the same way, two orders are possible; and only one master is probed before a release, that of
 * the order confirmed last. One engine with one Redis has none of these gaps.
 *
 * Threads
 * -------
 *
 * Submitters (HTTP loops) encode a record into a ticket and hand it to the outbox. The writer
 * thread marks it committed and posts it to the dispatcher's loop; there it enters the backlog,
 * then the window, and its outcome is posted to the submitter's loop. Everything but
 * dispatcher_submit and the atomics happens on one loop. A transaction's records are posted
 * together, and the loop's thread is a patient one (thread_class.h), as the writer is: on busy
 * processors it finds more commands to write, and more replies to read, in one turn, and so does
 * Redis.
 */
#include "engine/store/dispatcher.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/dispatcher_private.h"
#include "engine/store/thread_class.h"

#include <stddef.h>

enum {
    TICK_MS = 100,
    STOP_TICK_MS = 10,
    MOST_TICKETS = LIMIT_OUTBOX_WAITING + LIMIT_DISPATCH_QUEUE
};

/* --- submitting ----------------------------------------------------------------------------- */

/* Enters the key and hands the record to the outbox. 0 also when it joined another record. */
static int enter(struct dispatcher *d, struct ticket *ticket, struct err *err)
{
    if (ticket->keyed) {
        int first = claims_enter(d->claims, ticket, err);
        if (first <= 0)
            return first;
    }
    if (outbox_submit(d->outbox, &ticket->entry, err) == 0)
        return 0;
    if (ticket->keyed)
        CHECK(claims_take(d->claims, ticket->claim, &ticket->id) == NULL);
    return -1;
}

int dispatcher_submit(struct dispatcher *d, struct mailbox *home, const struct record *record,
                      ticket_done *done, void *ctx, struct ticket **out, struct err *err)
{
    if (atomic_load_explicit(&d->stopping, memory_order_acquire))
        return err_set(err, ERR_UNAVAILABLE, "the engine is stopping");
    if (atomic_load_explicit(&d->tickets, memory_order_relaxed) >= MOST_TICKETS)
        return err_set(err, ERR_LIMIT, "%d requests wait for their outcome", MOST_TICKETS);
    struct ticket *ticket = ticket_new(record, &d->tickets);
    if (ticket == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a record");
    ticket->dispatcher = d;
    ticket->home = home;
    ticket->done = done;
    ticket->ctx = ctx;
    /* Set before it is submitted: it may be settled before enter returns. */
    *out = ticket;
    if (enter(d, ticket, err) == 0)
        return 0;
    *out = NULL;
    ticket_drop(ticket);
    ticket_release(&ticket);
    return -1;
}

/* On the dispatcher's loop: the outbox has written the record, or not. */
static void on_committed(struct mailbox_item *item)
{
    struct ticket *ticket = (struct ticket *)(void *)((char *)item - offsetof(struct ticket, item));
    struct dispatcher *d = ticket->dispatcher;
    if (d->closed) {
        ticket_drop(ticket);
        return;
    }
    if (ticket->entry.written) {
        backlog_add(d->backlog, ticket);
        dispatch_pump(d);
        return;
    }
    if (ticket->keyed) /* nobody joins what is not committed */
        CHECK(claims_take(d->claims, ticket->claim, &ticket->id) == NULL);
    struct outcome outcome = {.code = OUTCOME_NOT_WRITTEN, .id = id_span(&ticket->id)};
    ticket_settle(ticket, &outcome);
}

/* On the writer thread. */
static void on_written(void *ctx, struct outbox_entry *entries, const struct err *err)
{
    struct dispatcher *d = ctx;
    (void)err; /* the outbox has logged it */
    uint64_t now = clock_steady_ns();
    struct mailbox_item *newest = NULL, *oldest = NULL;
    struct outbox_entry *next;
    for (struct outbox_entry *entry = entries; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->action != OUTBOX_APPEND) {
            dispatch_written(entry);
            continue;
        }
        struct ticket *ticket =
            (struct ticket *)(void *)((char *)entry - offsetof(struct ticket, entry));
        ticket->committed_ns = now;
        atomic_store_explicit(&ticket->committed, entry->written, memory_order_release);
        ticket->item.handle = on_committed;
        ticket->item.next = newest;
        newest = &ticket->item;
        if (oldest == NULL)
            oldest = newest;
    }
    if (newest != NULL) /* at once, so that the loop finds them all in one turn */
        mailbox_post_all(d->mailbox, newest, oldest);
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_ready(void *ctx, struct span fingerprint)
{
    struct dispatcher *d = ctx;
    if (!d->known) /* not before the loop runs: the submitters' threads must not inherit it */
        thread_be_patient();
    dispatch_ready(d, fingerprint);
}

static void on_lost(void *ctx)
{
    dispatch_lost(ctx);
}

static void on_stopped(uv_handle_t *handle)
{
    struct dispatcher *d = handle->data;
    d->on_stopped(d->stop_ctx);
}

/* Everything was confirmed, or time is up. Slots that wait for a submitter or the outbox come back
 * soon and refer to us, so they are waited for in any case. */
static void stop_when_done(struct dispatcher *d)
{
    bool done = atomic_load(&d->tickets) == 0 && d->confirmed >= backlog_last(d->backlog) &&
                d->confirmed >= outbox_last(d->outbox);
    bool empty = outbox_held(d->outbox) == 0 && atomic_load(&d->tickets) == 0;
    if (d->busy > 0 || (!done && !empty && clock_steady_ms() < d->stop_at))
        return;
    log_write(LOG_INFO, "dispatcher", "stopped", LOG_INT("held", outbox_held(d->outbox)),
              LOG_INT("confirmed", done || empty));
    d->closed = true;
    atomic_store(&d->live, false);
    redis_close(&d->redis); /* calls back what is under way */
    uv_timer_stop(&d->tick);
    backlog_free(&d->backlog);
    window_free(&d->window);
    outbox_close(&d->outbox); /* commits what waits, posts it */
    mailbox_close(&d->mailbox);
    uv_close((uv_handle_t *)&d->tick, on_stopped);
}

static void on_tick(uv_timer_t *timer)
{
    struct dispatcher *d = timer->data;
    dispatch_pump(d);
    dispatch_probe(d);
    if (atomic_load(&d->stopping))
        stop_when_done(d);
}

/* Enters the keys of what the outbox holds, so that their retries find them. */
static int load_claims(struct dispatcher *d, struct err *err)
{
    struct outbox_reader *reader = outbox_reader_new(d->outbox, err);
    if (reader == NULL)
        return -1;
    uint64_t seq = 0;
    struct span bytes;
    struct record record;
    int found;
    while ((found = outbox_reader_next(reader, seq, &seq, &bytes, err)) > 0) {
        if (record_decode(bytes, &record, NULL) == 0 && record.keyed &&
            claims_load(d->claims, &record) < 0) {
            found = err_set(err, ERR_NOMEM, "no memory for the outbox's idempotency keys");
            break;
        }
    }
    outbox_reader_free(&reader);
    return found;
}

static int open_parts(struct dispatcher *d, const struct dispatcher_options *options,
                      struct err *err)
{
    struct outbox_options outbox = {
        .path = options->outbox_path, .on_written = on_written, .ctx = d};
    struct redis_options redis = {.target = options->target,
                                  .library = options->library,
                                  .on_ready = on_ready,
                                  .on_lost = on_lost,
                                  .ctx = d};
    if ((d->claims = claims_new(err)) == NULL || (d->mailbox = mailbox_new(d->loop, err)) == NULL ||
        (d->window = window_new(d, err)) == NULL ||
        (d->outbox = outbox_open(&outbox, err)) == NULL ||
        (d->backlog = backlog_new(d->outbox, d->claims, err)) == NULL || load_claims(d, err) < 0)
        return -1;
    d->redis = redis_new(d->loop, &redis, err);
    return d->redis == NULL ? -1 : 0;
}

struct dispatcher *dispatcher_new(uv_loop_t *loop, const struct dispatcher_options *options,
                                  struct err *err)
{
    struct dispatcher *d = mem_zalloc(1, sizeof(*d));
    if (d == NULL) {
        err_set(err, ERR_NOMEM, "no memory for the dispatcher");
        return NULL;
    }
    d->loop = loop;
    if (open_parts(d, options, err) < 0) {
        backlog_free(&d->backlog);
        window_free(&d->window);
        outbox_close(&d->outbox);
        mailbox_close(&d->mailbox);
        dispatcher_free(&d);
        return NULL;
    }
    CHECK(uv_timer_init(loop, &d->tick) == 0);
    d->tick.data = d;
    CHECK(uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS) == 0);
    if (outbox_held(d->outbox) > 0)
        log_write(LOG_INFO, "dispatcher", "taken_up", LOG_INT("held", outbox_held(d->outbox)),
                  LOG_INT("keys", claims_count(d->claims)));
    return d;
}

bool dispatcher_live(const struct dispatcher *d)
{
    return atomic_load_explicit(&d->live, memory_order_relaxed);
}

void dispatcher_stop(struct dispatcher *d, uint32_t timeout_ms, void (*stopped)(void *), void *ctx)
{
    d->on_stopped = stopped;
    d->stop_ctx = ctx;
    d->stop_at = clock_steady_ms() + timeout_ms;
    atomic_store(&d->stopping, true);
    CHECK(uv_timer_start(&d->tick, on_tick, 0, STOP_TICK_MS) == 0);
}

void dispatcher_free(struct dispatcher **d_p)
{
    struct dispatcher *d = *d_p;
    if (d == NULL)
        return;
    claims_free(&d->claims);
    buf_free(&d->scratch);
    mem_free(d);
    *d_p = NULL;
}
