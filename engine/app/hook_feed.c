/*
 * A feed's life goes from lease to lease. Each has a number: what comes back from Redis or from the
 * endpoint carries the number under which it was asked, and is dropped when the feed has begun anew since.
 */
#include "engine/app/hook_feed_private.h"

#include "engine/api/hook_payload.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/http/json_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 1000, /* after something of Redis' did not go well */
    LEASE_MARGIN_MS = 1000,
    STATUS_GONE = 410
};

/* ---- questions ---- */

struct feed_question *feed_ask(struct hook_feed *feed, struct hook_item *item, int64_t now)
{
    struct feed_question *q = mem_alloc(sizeof *q);
    if (q == NULL)
        return NULL;
    *q = (struct feed_question){.feed = feed, .life = feed->life, .item = item, .asked_at = now};
    feed->asked++;
    return q;
}

void feed_unask(struct feed_question *q)
{
    if (q != NULL)
        q->feed->asked--;
    mem_free(q);
}

/* Takes the question back: true when the feed still wants the answer. */
bool feed_answered(void *ctx, struct feed_question *q)
{
    *q = *(struct feed_question *)ctx;
    mem_free(ctx);
    q->feed->asked--;
    return q->life == q->feed->life;
}

struct span feed_community(const struct hook_feed *feed)
{
    return span_str(feed->community);
}

struct span feed_hook(const struct hook_feed *feed)
{
    return feed->target->endpoint->name;
}

/* A stream id into its place. False when it is none. */
bool feed_keep_id(char out[EVENTS_ID_BYTES], struct span id)
{
    if (id.len == 0 || id.len >= EVENTS_ID_BYTES)
        return false;
    memcpy(out, id.ptr, id.len);
    out[id.len] = '\0';
    return true;
}

/* ---- beginning again ---- */

void feed_begin_again(struct hook_feed *feed, int64_t now)
{
    if (feed->phase == FEED_ON)
        metric_add(METRIC_HOOK_LEASES, -1);
    if (feed->phase != FEED_STOPPED)
        feed->phase = FEED_IDLE;
    feed->life++;
    hook_lanes_free(&feed->lanes);
    hook_lanes_free(&feed->replays);
    feed->renewing = feed->reading = feed->moving = feed->asking = false;
    feed->replay = (struct feed_replay){.wanted = false};
    feed->retry_at = now + RETRY_MS / 2 + (int64_t)random_below(&feed->shared->random, RETRY_MS);
}

void hook_feed_lost(struct hook_feed *feed, int64_t now)
{
    feed_begin_again(feed, now);
}

/* What Redis said cannot be worked with. Loss of the connection tells itself by hook_feed_lost. */
void feed_trouble(struct hook_feed *feed, const struct err *err, int64_t now)
{
    if (err != NULL && err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT)
        log_write(LOG_WARN, "hooks", "redis", LOG_STR("community", feed->community),
                  LOG_SPAN("endpoint", feed_hook(feed)), LOG_STR("error", err->text));
    feed_begin_again(feed, now);
}

/* ---- lease and cursor ---- */

static void on_state(void *ctx, const struct letters_state *state, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct hook_feed *feed = q.feed;
    if (err != NULL) {
        feed_trouble(feed, err, clock_steady_ms());
        return;
    }
    feed->asking = false;
    feed->any_dead = state->complaints > 0;
    feed->replay.wanted = state->marked > 0;
    if (feed->phase != FEED_ASKING)
        return;
    /* The last of the three answers that a feed begins with. */
    feed->lanes = hook_lanes_new(random_next(&feed->shared->random));
    feed->replays = hook_lanes_new(random_next(&feed->shared->random));
    if (feed->lanes == NULL || feed->replays == NULL) {
        feed_begin_again(feed, clock_steady_ms());
        return;
    }
    feed->phase = FEED_ON;
    feed->read_at = 0;
    metric_add(METRIC_HOOK_LEASES, 1);
}

static void ask_state(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    struct feed_question *q = feed_ask(feed, NULL, now);
    feed->ask_at = now + feed->shared->ask_ms;
    if (q != NULL && letters_state(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                   on_state, q, &err) == 0) {
        feed->asking = true;
        return;
    }
    feed_unask(q);
    feed_begin_again(feed, now);
}

static void on_cursor(void *ctx, struct span text, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    const int64_t now = clock_steady_ms();
    if (err != NULL || !feed_keep_id(q.feed->cursor, text)) {
        feed_trouble(q.feed, err, now);
        return;
    }
    memcpy(q.feed->read, q.feed->cursor, sizeof q.feed->read);
    ask_state(q.feed, now);
}

static void ask_cursor(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    struct feed_question *q = feed_ask(feed, NULL, now);
    if (q != NULL && letters_begin(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                   now - feed->target->since_ms, on_cursor, q, &err) == 0)
        return;
    feed_unask(q);
    feed_begin_again(feed, now);
}

static void on_lease(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct hook_feed *feed = q.feed;
    const int64_t now = clock_steady_ms();
    feed->renewing = false;
    feed->foreign = err == NULL && number != 1;
    if (err != NULL || number != 1) {
        feed_trouble(feed, err, now);
        return;
    }
    feed->lease_until = q.asked_at + LIMIT_EVENTS_LEASE_MS - LEASE_MARGIN_MS;
    feed->renew_at = q.asked_at + LIMIT_EVENTS_LEASE_MS / 3;
    if (feed->phase == FEED_ASKING)
        ask_cursor(feed, now);
}

static void ask_lease(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    struct feed_question *q = feed_ask(feed, NULL, now);
    feed->renewing = true;
    if (feed->phase == FEED_IDLE)
        feed->phase = FEED_ASKING;
    if (q != NULL &&
        events_lease(feed->shared->redis, feed_community(feed), span_str(feed->consumer),
                     feed->shared->engine, on_lease, q, &err) == 0)
        return;
    feed_unask(q);
    feed_begin_again(feed, now);
}

static void on_moved(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    if (err != NULL || number != 1) {
        feed_trouble(q.feed, err, clock_steady_ms());
        return;
    }
    q.feed->moving = false;
    memcpy(q.feed->cursor, q.feed->to, sizeof q.feed->cursor);
}

static void move_cursor(struct hook_feed *feed, int64_t now)
{
    struct span to;
    struct err err = {0};
    if (feed->moving || !hook_lanes_cursor(feed->lanes, &to))
        return;
    struct feed_question *q = feed_ask(feed, NULL, now);
    if (q != NULL && feed_keep_id(feed->to, to) &&
        events_move(feed->shared->redis, feed_community(feed), span_str(feed->consumer),
                    span_str(feed->cursor), span_str(feed->to), on_moved, q, &err) == 0) {
        feed->moving = true;
        return;
    }
    feed_unask(q);
    feed_begin_again(feed, now);
}

/* ---- new events ---- */

static int take_event(struct hook_feed *feed, const struct event *event)
{
    enum hook_type type = HOOK_DISPATCHED;
    struct buf *body = &feed->shared->body;
    buf_clear(body);
    const int told = hook_payload(feed->shared->json, feed_community(feed), event, &type, body);
    if (told < 0)
        return -1;
    const struct hook_added added = {.id = event->id,
                                     .order = event->order,
                                     .data = buf_view(body),
                                     .version = event->version,
                                     .at = events_time(event->id),
                                     .wanted = told == 1 &&
                                               (feed->target->endpoint->events & 1u << type) != 0,
                                     .dead = feed->any_dead};
    return feed_keep_id(feed->read, event->id) ? hook_lanes_add(feed->lanes, &added) : -1;
}

static void on_events(void *ctx, const struct event *events, size_t count, const struct err *err)
{
    struct feed_question q;
    if (!feed_answered(ctx, &q))
        return;
    struct hook_feed *feed = q.feed;
    const int64_t now = clock_steady_ms();
    feed->reading = false;
    if (err != NULL) {
        feed_trouble(feed, err, now);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (take_event(feed, &events[i]) < 0) {
            feed_begin_again(feed, now);
            return;
        }
    }
    feed->read_at = count == 0 ? now + feed->shared->poll_ms : now;
}

static void read_events(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    const size_t room = hook_lanes_room(feed->lanes);
    if (feed->reading || now < feed->read_at || room == 0 ||
        feed->shared->waiting >= LIMIT_HOOK_WAITING)
        return;
    struct feed_question *q = feed_ask(feed, NULL, now);
    if (q != NULL &&
        events_read(feed->shared->redis, feed_community(feed), span_str(feed->read),
                    room < LIMIT_HOOK_PAGE ? room : LIMIT_HOOK_PAGE, on_events, q, &err) == 0) {
        feed->reading = true;
        return;
    }
    feed_unask(q);
    feed_begin_again(feed, now);
}

/* ---- what is to be sent ---- */

bool hook_feed_next(struct hook_feed *feed, bool may_send, int64_t now, struct hook_turn *turn)
{
    struct hook_item *item;
    enum hook_do what;
    const bool probe = feed->target->gate.down;
    while (feed->phase == FEED_ON && now < feed->lease_until) {
        bool replay = false;
        what = hook_lanes_next(feed->lanes, may_send, probe, now, &item);
        if (what == HOOK_DO_NOTHING) {
            what = hook_lanes_next(feed->replays, may_send, probe, now, &item);
            replay = true;
        }
        if (what == HOOK_DO_NOTHING)
            return false;
        if (what == HOOK_DO_SEND) {
            *turn = (struct hook_turn){.feed = feed,
                                       .item = item,
                                       .life = feed->life,
                                       .replay = replay,
                                       .body = item->data};
            return true;
        }
        if (!replay)
            feed_bury(feed, item, now);
        else if (item->bury)
            feed_give_up(feed, item, now);
        else /* what comes after it stays where it is, among the dead letters */
            hook_lanes_buried(feed->replays, item);
    }
    return false;
}

void hook_feed_ended(const struct hook_turn *turn, int status, int64_t wait_ms, const char *reason,
                     int64_t now)
{
    struct hook_feed *feed = turn->feed;
    struct hook_item *item = turn->item;
    if (turn->life != feed->life)
        return;
    struct hook_lanes *lanes = turn->replay ? feed->replays : feed->lanes;
    if (status >= 200 && status <= 299) {
        if (turn->replay)
            feed_remove(feed, item, now);
        else
            hook_lanes_delivered(lanes, item);
        return;
    }
    (void)snprintf(item->reason, sizeof item->reason, "%s", reason);
    const struct hook_failure failure = {.final = status == STATUS_GONE,
                                         .counts = !feed->target->gate.down,
                                         .wait_ms = wait_ms,
                                         .now = now,
                                         .today = clock_real_ms()};
    hook_lanes_failed(lanes, item, &failure);
}

void hook_feed_hurry(struct hook_feed *feed, int64_t now)
{
    if (feed->phase == FEED_ON) {
        hook_lanes_hurry(feed->lanes, now);
        hook_lanes_hurry(feed->replays, now);
    }
}

/* ---- turns ---- */

static void on_told(void *ctx, struct span text, const struct err *err)
{
    struct feed_question q;
    (void)text;
    if (feed_answered(ctx, &q) && err != NULL)
        feed_trouble(q.feed, err, clock_steady_ms());
}

/* For GET /v1/webhooks, whichever engine is asked. */
static void tell_state(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    struct buf *out = &feed->shared->body;
    const struct hook_gate *gate = &feed->target->gate;
    struct feed_question *q = feed_ask(feed, NULL, now);
    buf_clear(out);
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_bool(&w, "down", gate->down);
    json_member_i64(&w, "waiting", (int64_t)hook_lanes_waiting(feed->lanes));
    json_member_i64(&w, "oldest", hook_lanes_oldest(feed->lanes));
    json_close_object(&w);
    if (q != NULL && buf_ok(out) &&
        letters_tell(feed->shared->redis, feed_community(feed), feed_hook(feed), buf_view(out),
                     on_told, q, &err) == 0)
        return;
    feed_unask(q);
    feed_begin_again(feed, now);
}

void hook_feed_turn(struct hook_feed *feed, int64_t now)
{
    if (feed->phase == FEED_STOPPED || !redis_ready(feed->shared->redis))
        return;
    if (feed->phase == FEED_IDLE && now >= feed->retry_at)
        ask_lease(feed, now);
    if (feed->phase != FEED_ON)
        return;
    if (now >= feed->lease_until) {
        feed_begin_again(feed, now);
        return;
    }
    if (now >= feed->renew_at && !feed->renewing)
        ask_lease(feed, now);
    if (feed->phase == FEED_ON && now >= feed->ask_at && !feed->asking) {
        tell_state(feed, now);
        if (feed->phase == FEED_ON)
            ask_state(feed, now);
    }
    if (feed->phase == FEED_ON)
        move_cursor(feed, now);
    if (feed->phase == FEED_ON)
        read_events(feed, now);
    if (feed->phase == FEED_ON)
        feed_replay(feed, now);
}

/* ---- beginning and end ---- */

struct hook_feed *hook_feed_new(struct hook_shared *shared, struct hook_target *target,
                                struct span community)
{
    struct hook_feed *feed = mem_zalloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    feed->shared = shared;
    feed->target = target;
    CHECK(community.len <= ID_COMMUNITY_BYTES);
    (void)snprintf(feed->community, sizeof feed->community, "%.*s", SPAN_ARG(community));
    (void)snprintf(feed->consumer, sizeof feed->consumer, "hook:%.*s",
                   SPAN_ARG(target->endpoint->name));
    return feed;
}

void hook_feed_free(struct hook_feed **feedp)
{
    struct hook_feed *feed = *feedp;
    *feedp = NULL;
    if (feed == NULL)
        return;
    hook_lanes_free(&feed->lanes);
    hook_lanes_free(&feed->replays);
    mem_free(feed);
}

static void on_let_go(void *ctx, int64_t number, const struct err *err)
{
    (void)ctx;
    (void)number;
    (void)err;
}

static void let_go(struct hook_feed *feed)
{
    struct err err = {0};
    (void)events_release(feed->shared->redis, feed_community(feed), span_str(feed->consumer),
                         feed->shared->engine, on_let_go, NULL, &err);
}

static void end_life(struct hook_feed *feed)
{
    feed_begin_again(feed, 0);
    feed->phase = FEED_STOPPED;
}

void hook_feed_stop(struct hook_feed *feed)
{
    const bool on = feed->phase == FEED_ON;
    if ((on || feed->phase == FEED_ASKING) && redis_ready(feed->shared->redis)) {
        if (on)
            move_cursor(feed, clock_steady_ms());
        let_go(feed);
    }
    end_life(feed);
}

static void on_forgotten(void *ctx, int64_t number, const struct err *err)
{
    struct feed_question q;
    (void)number;
    if (!feed_answered(ctx, &q))
        return;
    if (err != NULL)
        feed_trouble(q.feed, err, clock_steady_ms());
    else
        q.feed->forgotten = true;
}

static void ask_to_forget(struct hook_feed *feed, int64_t now)
{
    struct err err = {0};
    struct feed_question *q = feed_ask(feed, NULL, now);
    if (q != NULL && letters_end(feed->shared->redis, feed_community(feed), feed_hook(feed),
                                 on_forgotten, q, &err) == 0) {
        let_go(feed);
        return;
    }
    feed_unask(q);
    feed_begin_again(feed, now);
}

/* What was asked before is answered first: a letters_begin among it makes the cursor. One that
 * another engine delivers by is dropped by that engine. */
bool hook_feed_forget(struct hook_feed *feed, int64_t now)
{
    if (feed->phase != FEED_STOPPED)
        end_life(feed);
    if (feed->asked > 0)
        return false;
    if (feed->forgotten || feed->foreign)
        return true;
    if (redis_ready(feed->shared->redis) && now >= feed->retry_at)
        ask_to_forget(feed, now);
    return false;
}

struct span hook_feed_community(const struct hook_feed *feed)
{
    return feed_community(feed);
}

size_t hook_feed_waiting(const struct hook_feed *feed)
{
    return feed->phase == FEED_ON ? hook_lanes_waiting(feed->lanes) : 0;
}

int64_t hook_feed_oldest(const struct hook_feed *feed)
{
    return feed->phase == FEED_ON ? hook_lanes_oldest(feed->lanes) : 0;
}

bool hook_feed_leased(const struct hook_feed *feed)
{
    return feed->phase == FEED_ON;
}
