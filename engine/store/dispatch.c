/*
 * The pump: takes records from the backlog into the window as long as Redis takes them, goes back to the last
 * confirmed one when something failed, and releases what is safe. dispatcher.c tells why.
 */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"
#include "engine/store/dispatch_slot.h"
#include "engine/store/dispatcher_private.h"
#include "engine/store/keys.h"

enum { READ_PAUSE_MS = 1000 };

/* --- the pump ------------------------------------------------------------------------------- */

static void rewind_window(struct dispatcher *d)
{
    d->rewinding = false;
    backlog_rewind(d->backlog, d->confirmed, window_clear(d->window));
}

/* A record of the outbox that cannot be read: its place in the order must be kept, so it gets a
 * slot. */
static void bury_unreadable(struct dispatcher *d, const struct backlog_item *item,
                            const struct err *why)
{
    struct record nothing = {.kind = RECORD_STEP};
    id_parse(SPAN("unreadable.00000000000000000000000000"), &nothing.id);
    struct slot *slot = window_push(d->window, item->seq, &nothing);
    slot->ticket = item->ticket;
    slot_bury(slot, span_str(why->text));
}

/* Takes the record that was peeked and sends its first command. */
static void start(struct dispatcher *d, const struct backlog_item *item,
                  const struct record *record)
{
    struct slot *slot = window_push(d->window, item->seq, record);
    if (record->keyed && item->ticket == NULL)
        buf_span(&slot->bytes, item->bytes);
    slot->ticket = item->ticket;
    if (item->seq <= d->replay_until)
        metric_add(METRIC_REPLAYED_RECORDS, 1);
    if (!buf_ok(&slot->bytes))
        slot_lose_and_pause(slot);
    else
        slot_start(slot, record);
}

/* Sends the next record. False when there is none, or when it must wait. */
static bool send_next(struct dispatcher *d)
{
    struct backlog_item item;
    struct record record;
    struct err err = {0};
    int found = backlog_peek(d->backlog, &item, &err);
    if (found < 0) {
        log_write(LOG_ERROR, "dispatcher", "outbox_unreadable", LOG_STR("error", err.text));
        d->pause_until = clock_steady_ms() + READ_PAUSE_MS;
    }
    if (found <= 0)
        return false;
    const int rc = item.read ? record_decode(item.bytes, &record, &err)
                             : record_view(item.bytes, &record, &err);
    if (rc < 0) {
        bury_unreadable(d, &item, &err);
    } else {
        /* A step follows what was done to its order before. */
        if (record.kind == RECORD_STEP && window_touches(d->window, &record.id))
            return false;
        start(d, &item, &record);
    }
    backlog_take(d->backlog);
    return !d->rewinding;
}

static void show(struct dispatcher *d)
{
    uint64_t last = backlog_last(d->backlog), held = outbox_held(d->outbox);
    uint64_t open = last - (d->confirmed < last ? d->confirmed : last);
    metric_set(METRIC_OUTBOX_UNCONFIRMED, (int64_t)(open < held ? open : held));
    atomic_store_explicit(&d->live,
                          redis_ready(d->redis) && !d->rewinding && backlog_live(d->backlog),
                          memory_order_relaxed);
}

/* With nothing left to send or to wait for, all there is has been confirmed, also where the last
 * numbers were dropped and no record is there to show it. */
static void settle_watermark(struct dispatcher *d)
{
    struct backlog_item item;
    if (!d->rewinding && window_empty(d->window) && backlog_peek(d->backlog, &item, NULL) == 0)
        d->confirmed = backlog_taken(d->backlog);
}

void dispatch_pump(struct dispatcher *d)
{
    if (d->closed)
        return;
    if (d->rewinding && d->asked + d->busy == 0)
        rewind_window(d);
    if (!d->rewinding && redis_ready(d->redis) && clock_steady_ms() >= d->pause_until) {
        while (!window_full(d->window) && send_next(d))
            ;
        settle_watermark(d);
    }
    show(d);
}

void dispatch_go_on(struct dispatcher *d)
{
    if (d->closed)
        return;
    uint64_t seq = window_advance(d->window);
    if (seq != 0)
        d->confirmed = seq;
    dispatch_pump(d);
}

void dispatch_ready(struct dispatcher *d, struct span text)
{
    struct hash128 fingerprint = hash128(text);
    bool same =
        d->known && fingerprint.hi == d->fingerprint.hi && fingerprint.lo == d->fingerprint.lo;
    if (!same) {
        if (d->known) {
            metric_add(METRIC_REPLAYS, 1);
            d->replay_until = backlog_taken(d->backlog);
            log_write(LOG_INFO, "dispatcher", "replay", LOG_INT("held", outbox_held(d->outbox)));
        }
        d->known = true;
        d->fingerprint = fingerprint;
        d->confirmed = 0;
        d->hold = (struct hold){0};
        d->warned_aof = false;
        d->rewinding = true;
    }
    dispatch_pump(d);
}

void dispatch_lost(struct dispatcher *d)
{
    show(d);
}

/* --- releasing ------------------------------------------------------------------------------ */

static void on_probe(void *ctx, const struct reply *reply, const struct err *err)
{
    struct dispatcher *d = ctx;
    (void)err;
    if (reply == NULL || reply_type(reply) != REPLY_STRING || d->closed) {
        hold_failed(&d->hold);
        return;
    }
    bool aof;
    uint64_t seq = hold_answered(&d->hold, reply_span(reply), &aof);
    if (seq != 0)
        outbox_release(d->outbox, seq);
    if (!aof && !d->warned_aof) {
        d->warned_aof = true;
        log_write(LOG_WARN, "dispatcher", "redis_without_aof",
                  LOG_STR("hint",
                          "Redis keeps no append-only file: a crash of it loses orders. Set "
                          "appendonly yes"));
    }
}

void dispatch_probe(struct dispatcher *d)
{
    int64_t now = clock_steady_ms();
    if (d->closed || !redis_ready(d->redis) || outbox_held(d->outbox) == 0 ||
        !hold_due(&d->hold, now))
        return;
    struct key key = {.len = 0};
    if (d->last_id.text[0] != '\0')
        key = key_due(id_community(&d->last_id));
    const struct span argv[] = {SPAN("INFO"), SPAN("persistence")};
    if (redis_command(d->redis, key_span(&key), 2, argv, on_probe, d, NULL) == 0)
        hold_asked(&d->hold, now, d->confirmed);
}
