/*
 * What the stages mean and why they are right is told at the top of dispatcher.c.
 *
 *   no key:   CALLING -> DONE
 *   key:      CLAIMING -> DONE, or where the claim is a call of its own (send_claim)
 *             CLAIMING -> CALLING -> DONE                      it is ours
 *             CLAIMING -> CALLING or LOOKING -> ASKING -> DONE   another order's, same body
 *             ... ASKING -> ALIASING -> DONE                   the same, and our id was given out
 *             CLAIMING -> ASKING -> WRITING -> DONE            another body: refused, dropped
 *             CLAIMING -> ASKING -> CALLING -> DONE            the same, but a 202 was given
 *   refused:  any -> WRITING -> DONE                           buried
 *   failed:   any -> LOST                                      the window is sent again
 */
#include "engine/store/dispatch_slot.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"
#include "engine/base/names.h"
#include "engine/store/dispatcher_private.h"
#include "engine/store/keys.h"

#include <stddef.h>
#include <string.h>

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 1000, REASON_BYTES = 200 };

/* --- slots ---------------------------------------------------------------------------------- */

/* The record must be sent again, and all after it. */
static void lose(struct slot *slot)
{
    slot->stage = SLOT_LOST;
    slot->dispatcher->rewinding = true;
}

void slot_lose_and_pause(struct slot *slot)
{
    struct dispatcher *d = slot->dispatcher;
    lose(slot);
    d->pause_ms = d->pause_ms == 0 ? PAUSE_MIN_MS : d->pause_ms * 2;
    if (d->pause_ms > PAUSE_MAX_MS)
        d->pause_ms = PAUSE_MAX_MS;
    d->pause_until = clock_steady_ms() + d->pause_ms;
}

static void finish(struct slot *slot)
{
    slot->dispatcher->last_id = slot->id;
    window_finish(slot->dispatcher->window, slot);
}

/* The record of a slot that has a key. It was found whole when it was sent first. */
static void slot_record(const struct slot *slot, struct record *record)
{
    struct span bytes = slot->bytes.len > 0 ? buf_view(&slot->bytes) : slot->ticket->entry.bytes;
    CHECK(record_view(bytes, record, NULL) == 0);
}

static bool maybe_answered(const struct slot *slot)
{
    return slot->ticket == NULL || ticket_released(slot->ticket);
}

/* The answer that the created order got, for whoever did not make it. */
static struct span created_answer(struct slot *slot)
{
    struct record record, renamed;
    if (!slot->keyed)
        return span_of(NULL, 0);
    slot_record(slot, &record);
    if (slot->renamed) {
        /* Short of memory: an outcome without a text is still a true one. */
        if (record_rename(&record, &slot->becomes, &renamed, &slot->dispatcher->scratch) < 0)
            return span_of(NULL, 0);
        return record_answer(&renamed);
    }
    /* Borrows from the slot or its ticket, not from `record`. */
    return record_answer(&record);
}

/* Hands the outcome to all who wait: to those who joined a created order it is a replay. */
static void settle(struct slot *slot, const struct outcome *outcome)
{
    struct ticket *joined = NULL;
    if (slot->keyed)
        joined = claims_take(slot->dispatcher->claims, slot->claim, &slot->id);
    while (joined != NULL) {
        struct ticket *next = joined->next;
        struct outcome theirs = *outcome;
        if (theirs.code == OUTCOME_DONE) {
            theirs.code = OUTCOME_REPLAYED;
            theirs.text = created_answer(slot);
        }
        ticket_settle(joined, &theirs);
        joined = next;
    }
    if (slot->ticket == NULL)
        return;
    metric_time(METRIC_HIST_DISPATCH, clock_steady_ns() - slot->ticket->committed_ns);
    struct outcome ours = *outcome;
    if (ours.code == OUTCOME_DONE)
        ours.text = span_of(NULL, 0);
    ticket_settle(slot->ticket, &ours);
    slot->ticket = NULL;
}

static void conclude(struct slot *slot, const struct outcome *outcome)
{
    settle(slot, outcome);
    finish(slot);
}

/* --- sending and being answered ------------------------------------------------------------- */

static void command(struct slot *slot, enum slot_stage stage, struct span key, size_t argc,
                    const struct span *argv, redis_done *done)
{
    struct dispatcher *d = slot->dispatcher;
    struct err err = {0};
    if (redis_command(d->redis, key, argc, argv, done, slot, &err) < 0) {
        if (err.code == ERR_UNAVAILABLE)
            lose(slot); /* dispatch_ready goes on */
        else
            slot_lose_and_pause(slot);
        return;
    }
    slot->stage = stage;
    d->asked++;
}

/* Hands a drop or a burial to the outbox. These are never refused. */
static void write_entry(struct slot *slot, enum outbox_action action, struct span reason)
{
    slot->entry = (struct outbox_entry){.action = action, .bytes = reason, .seq = slot->seq};
    CHECK(outbox_submit(slot->dispatcher->outbox, &slot->entry, NULL) == 0);
    slot->stage = SLOT_WRITING;
    slot->dispatcher->busy++;
}

void slot_bury(struct slot *slot, struct span reason)
{
    metric_add(METRIC_POISONED, 1);
    buf_clear(&slot->reason);
    buf_span(&slot->reason, span_sub(reason, 0, REASON_BYTES));
    log_write(LOG_ERROR, "dispatcher", "record_refused", LOG_STR("order", slot->id.text),
              LOG_INT("seq", slot->seq), LOG_SPAN("reason", buf_view(&slot->reason)));
    write_entry(slot, OUTBOX_BURY, buf_view(&slot->reason));
}

/* What Redis says of the command itself is for good; what it says of its own condition, or of our
 * rights, may pass. (What is known to pass never comes here: redis.h.) An unknown kind of error is
 * taken as passing: a record that waits is better than one that is given up. */
static bool for_good(struct span error)
{
    static const char *const good[] = {"ERR ", "WRONGTYPE ", "CROSSSLOT "};
    if (span_find(error, SPAN("Function not found")) >= 0 ||
        span_find(error, SPAN("unknown command")) >= 0)
        return false;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (span_starts(error, span_str(good[i])))
            return true;
    }
    return false;
}

/* An error reply. Some of Redis' texts repeat arguments; those are cut off. */
static void refused(struct slot *slot, struct span error)
{
    ptrdiff_t args = span_find(error, SPAN(", with args"));
    if (args >= 0)
        error = span_sub(error, 0, (size_t)args);
    if (for_good(error)) {
        slot_bury(slot, error);
        return;
    }
    log_write(LOG_WARN, "dispatcher", "redis_refuses",
              LOG_SPAN("error", span_sub(error, 0, REASON_BYTES)));
    slot_lose_and_pause(slot);
}

/* A reply that this version of the library does not give. */
static void not_understood(struct slot *slot)
{
    log_write(LOG_ERROR, "dispatcher", "reply_not_understood", LOG_INT("seq", slot->seq));
    slot_lose_and_pause(slot);
}

/* What every answer begins with. True when there is one to look into. */
static bool answered(struct slot *slot, const struct reply *reply)
{
    struct dispatcher *d = slot->dispatcher;
    d->asked--;
    if (reply == NULL) {
        lose(slot);
        return false;
    }
    if (reply_type(reply) == REPLY_ERROR) {
        refused(slot, reply_span(reply));
        return false;
    }
    return true;
}

/* The i-th element of an answer as text; empty when it is nil or not there. */
static struct span word(const struct reply *reply, size_t i)
{
    const struct reply *element = reply_at(reply, i);
    return element == NULL ? span_of(NULL, 0) : reply_span(element);
}

static int64_t number(const struct reply *reply, size_t i)
{
    const struct reply *element = reply_at(reply, i);
    return element == NULL ? 0 : reply_integer(element);
}

/* --- an id that was given out in vain ------------------------------------------------------- */

static void on_alias(void *ctx, const struct reply *reply, const struct err *err)
{
    struct slot *slot = ctx;
    (void)err;
    if (answered(slot, reply))
        finish(slot);
    dispatch_go_on(slot->dispatcher);
}

static void send_alias(struct slot *slot)
{
    struct key key = key_alias(&slot->id);
    const struct span argv[] = {SPAN("SET"), key_span(&key), id_span(&slot->becomes)};
    command(slot, SLOT_ALIASING, key_span(&key), 3, argv, on_alias);
}

/* --- asking the submitter ------------------------------------------------------------------- */

static void send_call(struct slot *slot, const struct record *record);

static void force(struct slot *slot)
{
    log_write(LOG_WARN, "dispatcher", "key_reused_after_202", LOG_STR("order", slot->id.text));
    slot->forced = true;
    struct record record;
    slot_record(slot, &record);
    send_call(slot, &record);
}

/* Back on the dispatcher's loop: the submitter got the outcome, or had let go before. */
static void on_told(struct mailbox_item *item)
{
    struct ticket *ticket = (struct ticket *)(void *)((char *)item - offsetof(struct ticket, item));
    struct slot *slot = ticket->slot;
    struct dispatcher *d = slot->dispatcher;
    bool given = ticket->given;
    d->busy--;
    struct outcome outcome = ticket_outcome(ticket);
    if (outcome.code == OUTCOME_OTHER_BODY && !given) {
        force(slot); /* the slot keeps the ticket, for the record's bytes */
    } else {
        slot->ticket = NULL;
        settle(slot, &outcome); /* for those who joined meanwhile */
        if (outcome.code == OUTCOME_OTHER_BODY)
            write_entry(slot, OUTBOX_DROP, span_of(NULL, 0));
        else if (given)
            finish(slot);
        else
            send_alias(slot);
        ticket_drop(ticket);
    }
    dispatch_go_on(d);
}

/* On the submitter's loop. */
static void on_delivered(struct ticket *ticket, bool given)
{
    ticket->given = given;
    ticket->item.handle = on_told;
    mailbox_post(ticket->dispatcher->mailbox, &ticket->item);
}

/* Tells the submitter an outcome that must not be lost between it and its answer: if it answers 202
 * before it sees this one, we must know. */
static void tell(struct slot *slot, const struct outcome *outcome)
{
    slot->stage = SLOT_ASKING;
    slot->ticket->slot = slot;
    slot->dispatcher->busy++;
    ticket_deliver(slot->ticket, outcome, on_delivered);
}

/* The key stands for another order: that is the outcome. */
static void conclude_renamed(struct slot *slot, const struct outcome *outcome)
{
    metric_add(METRIC_DUPLICATES, 1);
    if (!maybe_answered(slot)) {
        tell(slot, outcome);
        return;
    }
    settle(slot, outcome);
    send_alias(slot);
}

/* --- the function call ---------------------------------------------------------------------- */

static void created(struct slot *slot, const struct reply *reply)
{
    bool fresh = span_eq(word(reply, 0), SPAN("created"));
    struct outcome outcome = {
        .code = slot->renamed || (slot->keyed && !fresh) ? OUTCOME_REPLAYED : OUTCOME_DONE,
        .id = id_span(&slot->becomes),
        .state = fresh ? span_str(order_state_name(ORDER_DISPATCHED)) : word(reply, 2),
        .version = fresh ? 1 : number(reply, 3),
        .text = !fresh          ? word(reply, 1)
                : slot->renamed ? created_answer(slot)
                                : span_of(NULL, 0),
    };
    if (!fresh && !span_eq(word(reply, 0), SPAN("exists")))
        not_understood(slot);
    else if (slot->renamed)
        conclude_renamed(slot, &outcome);
    else
        conclude(slot, &outcome);
}

static void stepped(struct slot *slot, const struct reply *reply)
{
    static const struct {
        const char *word;
        enum outcome_code code;
    } codes[] = {
        {"done", OUTCOME_DONE},         {"replayed", OUTCOME_REPLAYED},
        {"conflict", OUTCOME_CONFLICT}, {"other", OUTCOME_OTHER_BODY},
        {"missing", OUTCOME_NOT_FOUND},
    };
    struct outcome outcome = {.id = id_span(&slot->id),
                              .state = word(reply, 1),
                              .version = number(reply, 2),
                              .text = word(reply, 3)};
    const int at = NAMES_FIND_BY(codes, word, word(reply, 0));
    if (at < 0) {
        not_understood(slot);
        return;
    }
    outcome.code = codes[at].code;
    conclude(slot, &outcome);
}

static void on_call(void *ctx, const struct reply *reply, const struct err *err)
{
    struct slot *slot = ctx;
    (void)err;
    if (answered(slot, reply)) {
        slot->dispatcher->pause_ms = 0;
        if (slot->kind == RECORD_CREATE)
            created(slot, reply);
        else
            stepped(slot, reply);
    }
    dispatch_go_on(slot->dispatcher);
}

static void send_call(struct slot *slot, const struct record *record)
{
    command(slot, SLOT_CALLING, record_key(record), record->argc, record->argv, on_call);
}

/* --- the idempotency key -------------------------------------------------------------------- */

static void on_look(void *ctx, const struct reply *reply, const struct err *err)
{
    struct slot *slot = ctx;
    (void)err;
    if (answered(slot, reply)) {
        struct outcome outcome = {.code = OUTCOME_REPLAYED,
                                  .id = id_span(&slot->becomes),
                                  .text = word(reply, 0),
                                  .state = word(reply, 1),
                                  .version = number(reply, 2)};
        conclude_renamed(slot, &outcome);
    }
    dispatch_go_on(slot->dispatcher);
}

/* The other order is in another community (the rules have changed in between), so this record
 * cannot be made into it. It is in the outbox of the engine that claimed the key: here we can only
 * look. */
static void look(struct slot *slot)
{
    struct key key = key_order(&slot->becomes);
    const struct span argv[] = {SPAN("HMGET"), key_span(&key), SPAN("answer"), SPAN("state"),
                                SPAN("version")};
    command(slot, SLOT_LOOKING, key_span(&key), 5, argv, on_look);
}

/* The key was claimed before, with this body, for another order: make sure that this one exists. */
static void finish_other(struct slot *slot, const struct id *other)
{
    slot->renamed = true;
    slot->becomes = *other;
    if (!span_eq(id_community(other), id_community(&slot->id))) {
        look(slot);
        return;
    }
    struct record record, renamed;
    slot_record(slot, &record);
    if (record_rename(&record, other, &renamed, &slot->dispatcher->scratch) < 0)
        slot_lose_and_pause(slot);
    else
        send_call(slot, &renamed);
}

/* `held` is what the key holds; empty when it was new. */
static void claim_answered(struct slot *slot, struct span held)
{
    struct record record;
    struct id id = slot->id;
    bool same = true; /* so it is when the key was new */
    slot_record(slot, &record);
    if (held.len > 0 && record_claim_read(held, &record.body, &id, &same) < 0) {
        not_understood(slot);
    } else if (same && span_eq(id_span(&id), id_span(&slot->id))) {
        send_call(slot, &record);
    } else if (same) {
        finish_other(slot, &id);
    } else if (maybe_answered(slot)) {
        force(slot);
    } else {
        struct outcome outcome = {.code = OUTCOME_OTHER_BODY, .id = id_span(&id)};
        tell(slot, &outcome);
    }
}

static void on_claim(void *ctx, const struct reply *reply, const struct err *err)
{
    struct slot *slot = ctx;
    (void)err;
    if (answered(slot, reply))
        claim_answered(slot, reply_span(reply));
    dispatch_go_on(slot->dispatcher);
}

/* As on_call, but that the key may be another order's. */
static void on_claim_and_call(void *ctx, const struct reply *reply, const struct err *err)
{
    struct slot *slot = ctx;
    (void)err;
    if (answered(slot, reply)) {
        if (span_eq(word(reply, 0), SPAN("claimed"))) {
            claim_answered(slot, word(reply, 1));
        } else {
            slot->dispatcher->pause_ms = 0;
            created(slot, reply);
        }
    }
    dispatch_go_on(slot->dispatcher);
}

/* On a single server in one call with the create. In a Cluster, where the key has a slot of its own,
 * and for a record in the form of an older engine, the claim comes first. */
static void send_claim(struct slot *slot, const struct record *record)
{
    struct record_claim claim;
    struct span argv[RECORD_CLAIM_CREATE_ARGS];
    record_claim(record, &slot->id, &claim);
    const size_t argc =
        redis_is_cluster(slot->dispatcher->redis) ? 0 : record_claim_create(record, &claim, argv);
    if (argc > 0)
        command(slot, SLOT_CLAIMING, record_key(record), argc, argv, on_claim_and_call);
    else
        command(slot, SLOT_CLAIMING, key_span(&claim.key), RECORD_CLAIM_ARGS, claim.argv, on_claim);
}

void slot_start(struct slot *slot, const struct record *record)
{
    if (record->keyed)
        send_claim(slot, record);
    else
        send_call(slot, record);
}

/* --- drops and burials come back ------------------------------------------------------------ */

static void on_written(struct mailbox_item *item)
{
    struct slot *slot = (struct slot *)(void *)((char *)item - offsetof(struct slot, item));
    struct dispatcher *d = slot->dispatcher;
    d->busy--;
    if (slot->entry.action == OUTBOX_DROP) {
        finish(slot); /* a drop that failed leaves a record that the next replay refuses again */
    } else if (slot->entry.written) {
        struct outcome outcome = {.code = OUTCOME_REJECTED, .id = id_span(&slot->id)};
        conclude(slot, &outcome);
    } else {
        slot_lose_and_pause(slot);
    }
    dispatch_go_on(d);
}

void dispatch_written(struct outbox_entry *entry)
{
    struct slot *slot = (struct slot *)(void *)((char *)entry - offsetof(struct slot, entry));
    slot->item.handle = on_written;
    mailbox_post(slot->dispatcher->mailbox, &slot->item);
}
