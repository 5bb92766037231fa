/*
 * One timer turns all feeds; posts are begun there and whenever one has ended. The feeds of an endpoint take
 * turns, so that a community with much to tell does not hold up the others.
 */
#include "engine/app/hooks.h"

#include "engine/app/hook_feed.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hmac.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/http/sender.h"

#include <stdatomic.h>
#include <stdio.h>
#include <uv.h>

enum {
    TICK_MS = 50,
    LOOK_MS = 1000,   /* between two looks at the policy, for communities, and at the gauges */
    FEEDS_PER_MS = 2, /* with thousands of feeds each asks Redis less often */
    ENGINE_BYTES = 17,
    SIGNATURE_BYTES = 128
};

/* An endpoint at work. What its target points to is in `from`. */
struct outlet {
    struct hook_target target;
    struct endpoints *from;
    bool waits;   /* for the end of its posts, to go another way */
    bool leaving; /* it is not in the file any more */
    struct sender *sender;
    struct hook_feed **feeds;
    size_t count, capacity;
    size_t turn; /* whose turn is next */
};

struct hooks {
    struct hooks_options options;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t control;
    uv_timer_t tick;
    uv_sem_t started;
    atomic_bool stop;
    struct err err; /* why it did not start */
    struct hook_shared shared;
    char engine[ENGINE_BYTES];
    struct endpoints *endpoints; /* that the outlets are to be by */
    bool settled;                /* and are */
    struct outlet *outlets[2 * LIMIT_HOOKS];
    size_t outlet_count;
    struct buf signed_text;
    int64_t look_at, stop_at;
    int64_t policy_seen; /* when the policy whose communities we know was loaded */
    bool stopping, released, ended;
};

/* ---- posting ---- */

/* One post under way. */
struct delivery {
    struct hooks *hooks;
    struct outlet *outlet;
    struct hook_turn turn;
};

static void begin_posts(struct hooks *h, struct outlet *outlet, int64_t now);

/* "HTTP 503" or what the sender has to say. */
static void say_why(char out[HOOK_REASON_BYTES], const struct sender_answer *answer)
{
    if (answer->status != 0)
        (void)snprintf(out, HOOK_REASON_BYTES, "HTTP %d", answer->status);
    else
        (void)snprintf(out, HOOK_REASON_BYTES, "%s", answer->problem);
}

static void count(const struct sender_answer *answer, bool taken)
{
    metric_add(taken                 ? METRIC_HOOK_DELIVERED
               : answer->status != 0 ? METRIC_HOOK_REFUSED
                                     : METRIC_HOOK_UNANSWERED,
               1);
    if (answer->status != 0)
        metric_time(METRIC_HIST_HOOK, answer->took_ns);
}

static void tell_gate(struct outlet *outlet, bool was_down, const char *reason)
{
    const bool down = outlet->target.gate.down;
    if (down == was_down)
        return;
    metric_add(METRIC_HOOK_DOWN, down ? 1 : -1);
    log_write(down ? LOG_WARN : LOG_INFO, "hooks", down ? "endpoint_down" : "endpoint_up",
              LOG_SPAN("endpoint", outlet->target.endpoint->name), LOG_STR("error", reason));
}

static void on_answer(void *ctx, const struct sender_answer *answer)
{
    struct delivery delivery = *(struct delivery *)ctx;
    struct outlet *outlet = delivery.outlet;
    struct hook_gate *gate = &outlet->target.gate;
    char reason[HOOK_REASON_BYTES] = "";
    const int64_t now = clock_steady_ms();
    const bool taken = answer->status >= 200 && answer->status <= 299, was_down = gate->down;
    const int64_t wait = answer->retry_after_ms > 0 ? answer->retry_after_ms : 0;
    mem_free(ctx);
    if (!taken)
        say_why(reason, answer);
    count(answer, taken);
    const bool up = hook_gate_ended(gate, taken, wait, now);
    tell_gate(outlet, was_down, reason);
    hook_feed_ended(&delivery.turn, answer->status, wait, reason, now);
    for (size_t i = 0; up && i < outlet->count; i++)
        hook_feed_hurry(outlet->feeds[i], now);
    begin_posts(delivery.hooks, outlet, now);
}

/* "Jiesu-Signature: t=...,v1=..." */
static int sign(struct hooks *h, const struct outlet *outlet, struct span body,
                char out[SIGNATURE_BYTES])
{
    char hex[HMAC_HEX_BYTES];
    const int64_t now = clock_real_ms() / 1000; /* as the receiver's clock has it */
    buf_clear(&h->signed_text);
    buf_i64(&h->signed_text, now);
    buf_char(&h->signed_text, '.');
    buf_span(&h->signed_text, body);
    if (!buf_ok(&h->signed_text) ||
        hmac_sha256(outlet->target.endpoint->secret, buf_view(&h->signed_text), hex) < 0)
        return -1;
    (void)snprintf(out, SIGNATURE_BYTES, "Jiesu-Signature: t=%lld,v1=%s", (long long)now, hex);
    return 0;
}

static void post(struct hooks *h, struct outlet *outlet, const struct hook_turn *turn, int64_t now)
{
    char signature[SIGNATURE_BYTES];
    struct err err = {0};
    struct delivery *delivery = mem_alloc(sizeof *delivery);
    if (delivery != NULL && sign(h, outlet, turn->body, signature) == 0) {
        *delivery = (struct delivery){.hooks = h, .outlet = outlet, .turn = *turn};
        const struct span headers[] = {SPAN("Content-Type: application/json"), span_str(signature)};
        if (sender_post(outlet->sender, headers, 2, turn->body, on_answer, delivery, &err) == 0) {
            hook_gate_began(&outlet->target.gate);
            return;
        }
    }
    mem_free(delivery);
    hook_feed_ended(turn, 0, 0, "out of memory", now);
}

static void begin_posts(struct hooks *h, struct outlet *outlet, int64_t now)
{
    struct hook_turn turn;
    for (size_t idle = 0; idle < outlet->count && !h->stopping && !outlet->leaving;) {
        const bool open = !outlet->waits && hook_gate_open(&outlet->target.gate, now);
        outlet->turn = (outlet->turn + 1) % outlet->count;
        if (hook_feed_next(outlet->feeds[outlet->turn], open, now, &turn)) {
            post(h, outlet, &turn, now);
            idle = 0;
        } else {
            idle++;
        }
    }
}

/* ---- feeds ---- */

static bool has_feed(const struct outlet *outlet, struct span community)
{
    for (size_t i = 0; i < outlet->count; i++) {
        if (span_eq(hook_feed_community(outlet->feeds[i]), community))
            return true;
    }
    return false;
}

static int add_feed(struct hooks *h, struct outlet *outlet, struct span community)
{
    if (outlet->leaving || has_feed(outlet, community))
        return 0;
    if (outlet->count == outlet->capacity) {
        const size_t capacity = outlet->capacity == 0 ? 16 : outlet->capacity * 2;
        struct hook_feed **grown = mem_resize(outlet->feeds, capacity, sizeof(*grown));
        if (grown == NULL)
            return -1;
        outlet->feeds = grown;
        outlet->capacity = capacity;
    }
    struct hook_feed *feed = hook_feed_new(&h->shared, &outlet->target, community);
    if (feed == NULL)
        return -1;
    outlet->feeds[outlet->count++] = feed;
    return 0;
}

/* Communities that a reload of the policy brought; those that went keep their feed, which is quiet. */
static void look_at_policy(struct hooks *h)
{
    struct policy *policy = h->options.policy(h->options.ctx);
    const struct directory *directory = policy_directory(policy);
    int result = 0;
    size_t feeds = 0;
    if (policy_loaded_at(policy) != h->policy_seen) {
        for (size_t i = 0; i < directory_area_count(directory); i++) {
            struct span area, street;
            directory_area_at(directory, i, &area, &street);
            for (size_t o = 0; o < h->outlet_count && result == 0; o++)
                result = add_feed(h, h->outlets[o], area);
        }
        if (result == 0)
            h->policy_seen = policy_loaded_at(policy);
    }
    policy_unref(&policy);
    for (size_t o = 0; o < h->outlet_count; o++)
        feeds += h->outlets[o]->count;
    const int64_t slow = (int64_t)(feeds / FEEDS_PER_MS);
    h->shared.poll_ms = slow > LIMIT_HOOK_POLL_MS ? slow : LIMIT_HOOK_POLL_MS;
    h->shared.ask_ms = slow > LOOK_MS ? slow : LOOK_MS;
}

/* The gauges; and whether there is room for more. */
static void look_at_feeds(struct hooks *h)
{
    size_t waiting = 0;
    int64_t oldest = 0;
    for (size_t o = 0; o < h->outlet_count; o++) {
        for (size_t i = 0; i < h->outlets[o]->count; i++) {
            const int64_t at = hook_feed_oldest(h->outlets[o]->feeds[i]);
            waiting += hook_feed_waiting(h->outlets[o]->feeds[i]);
            if (at != 0 && (oldest == 0 || at < oldest))
                oldest = at;
        }
    }
    h->shared.waiting = waiting;
    metric_set(METRIC_HOOK_WAITING, (int64_t)waiting);
    metric_set(METRIC_HOOK_LAG, oldest == 0 ? 0 : (clock_real_ms() - oldest) / 1000);
}

/* ---- the endpoints of the file, as it is now ---- */

static struct outlet *find_outlet(const struct hooks *h, struct span name)
{
    for (size_t o = 0; o < h->outlet_count; o++) {
        if (span_eq(h->outlets[o]->target.endpoint->name, name))
            return h->outlets[o];
    }
    return NULL;
}

static struct sender *open_sender(struct hooks *h, const struct endpoint *e, struct err *err)
{
    const struct sender_options options = {.url = e->url.ptr,
                                           .ca_file = e->ca_file.len > 0 ? e->ca_file.ptr : NULL,
                                           .allow_private = e->allow_private,
                                           .total_ms = e->timeout_ms};
    return sender_new(&h->loop, &options, err);
}

static void start_gate(struct hooks *h, struct outlet *outlet)
{
    if (outlet->target.gate.down)
        metric_add(METRIC_HOOK_DOWN, -1);
    outlet->target.gate = (struct hook_gate){.down = false};
    hook_gate_init(&outlet->target.gate, random_next(&h->shared.random));
}

static void free_outlet(struct outlet *outlet)
{
    if (outlet->target.gate.down)
        metric_add(METRIC_HOOK_DOWN, -1);
    for (size_t i = 0; i < outlet->count; i++)
        hook_feed_free(&outlet->feeds[i]);
    mem_free(outlet->feeds);
    endpoints_free(&outlet->from);
    mem_free(outlet);
}

static int add_outlet(struct hooks *h, const struct endpoint *e, struct err *err)
{
    struct outlet *outlet = mem_zalloc(1, sizeof *outlet);
    if (outlet == NULL)
        return err_set(err, ERR_NOMEM, "out of memory for a webhook endpoint");
    outlet->sender = open_sender(h, e, err);
    if (outlet->sender == NULL) {
        mem_free(outlet);
        return -1;
    }
    outlet->from = endpoints_ref(h->endpoints);
    outlet->target.endpoint = e;
    outlet->target.since_ms = endpoints_read_ms(h->endpoints);
    start_gate(h, outlet);
    h->outlets[h->outlet_count++] = outlet;
    h->policy_seen = -1; /* it has no feeds yet */
    return 0;
}

/* True when it is gone: when Redis has forgotten it, and no post of it is under way any more. */
static bool leave(struct outlet *outlet, int64_t now)
{
    bool gone = sender_pending(outlet->sender) == 0;
    outlet->leaving = true;
    for (size_t i = 0; i < outlet->count; i++)
        gone = hook_feed_forget(outlet->feeds[i], now) && gone;
    if (!gone)
        return false;
    sender_close(&outlet->sender);
    free_outlet(outlet);
    return true;
}

/* True when the outlet is by what the file says now. Posts that are to go another way wait for the
 * end of those that go the old one, so that an old one cannot overtake them. */
static bool renew(struct hooks *h, struct outlet *outlet, const struct endpoint *e, int64_t now)
{
    if (!endpoint_same_way(outlet->target.endpoint, e)) {
        outlet->waits = true;
        struct sender *sender =
            sender_pending(outlet->sender) == 0 ? open_sender(h, e, NULL) : NULL;
        if (sender == NULL)
            return false;
        sender_close(&outlet->sender);
        outlet->sender = sender;
        start_gate(h, outlet);
        for (size_t i = 0; i < outlet->count; i++)
            hook_feed_hurry(outlet->feeds[i], now);
    }
    outlet->waits = false;
    outlet->target.endpoint = e;
    endpoints_free(&outlet->from);
    outlet->from = endpoints_ref(h->endpoints);
    return true;
}

/* Goes on with what was begun. An endpoint of the name of one that is leaving comes after it is
 * gone. */
static int settle(struct hooks *h, int64_t now, struct err *err)
{
    h->settled = true;
    for (size_t o = 0; o < h->outlet_count;) {
        struct outlet *outlet = h->outlets[o];
        const struct endpoint *e = endpoints_find(h->endpoints, outlet->target.endpoint->name);
        if (outlet->leaving || e == NULL) {
            if (leave(outlet, now)) {
                h->outlets[o] = h->outlets[--h->outlet_count];
                continue;
            }
            h->settled = false;
        } else if (!renew(h, outlet, e, now)) {
            h->settled = false;
        }
        o++;
    }
    for (size_t i = 0; i < endpoints_count(h->endpoints); i++) {
        const struct endpoint *e = endpoints_at(h->endpoints, i);
        if (find_outlet(h, e->name) != NULL)
            continue;
        if (h->outlet_count == sizeof h->outlets / sizeof *h->outlets ||
            add_outlet(h, e, err) < 0) {
            h->settled = false;
            return -1;
        }
    }
    return 0;
}

static void look_at_endpoints(struct hooks *h, int64_t now)
{
    struct endpoints *endpoints = h->options.endpoints(h->options.ctx);
    if (endpoints != h->endpoints) {
        endpoints_free(&h->endpoints);
        h->endpoints = endpoints;
        h->settled = false;
    } else {
        endpoints_free(&endpoints);
    }
    if (!h->settled)
        (void)settle(h, now, NULL); /* what could not be done is tried at the next turn */
}

static void on_lost(void *ctx)
{
    struct hooks *h = ctx;
    const int64_t now = clock_steady_ms();
    for (size_t o = 0; o < h->outlet_count; o++) {
        for (size_t i = 0; i < h->outlets[o]->count; i++)
            hook_feed_lost(h->outlets[o]->feeds[i], now);
    }
}

/* ---- the loop ---- */

static bool is_idle(const struct hooks *h)
{
    if (redis_pending(h->shared.redis) > 0)
        return false;
    for (size_t o = 0; o < h->outlet_count; o++) {
        if (sender_pending(h->outlets[o]->sender) > 0)
            return false;
    }
    return true;
}

static void close_all(struct hooks *h)
{
    h->ended = true;
    for (size_t o = 0; o < h->outlet_count; o++)
        sender_close(&h->outlets[o]->sender);
    if (h->shared.redis != NULL)
        redis_close(&h->shared.redis);
    uv_close((uv_handle_t *)&h->tick, NULL);
    uv_close((uv_handle_t *)&h->control, NULL);
}

static void turn_all(struct hooks *h, int64_t now)
{
    for (size_t o = 0; o < h->outlet_count; o++) {
        struct outlet *outlet = h->outlets[o];
        for (size_t i = 0; i < outlet->count; i++)
            hook_feed_turn(outlet->feeds[i], now); /* of one that leaves they have stopped */
        begin_posts(h, outlet, now);
    }
}

/* Stopping: first what is under way is answered, then the cursors are moved and the leases given back. */
static void stop_turn(struct hooks *h, int64_t now)
{
    if (h->ended || (!is_idle(h) && now < h->stop_at))
        return;
    if (h->released || now >= h->stop_at) {
        close_all(h);
        return;
    }
    h->released = true;
    for (size_t o = 0; o < h->outlet_count; o++) {
        for (size_t i = 0; i < h->outlets[o]->count; i++)
            hook_feed_stop(h->outlets[o]->feeds[i]);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct hooks *h = timer->data;
    const int64_t now = clock_steady_ms();
    if (h->stopping) {
        stop_turn(h, now);
        return;
    }
    look_at_endpoints(h, now);
    if (now >= h->look_at || h->policy_seen < 0) {
        look_at_policy(h);
        look_at_feeds(h);
        h->look_at = now + LOOK_MS;
    }
    turn_all(h, now);
}

static void on_control(uv_async_t *handle)
{
    struct hooks *h = handle->data;
    if (!atomic_load(&h->stop) || h->stopping)
        return;
    h->stopping = true;
    h->stop_at = clock_steady_ms() + LIMIT_HOOK_STOP_MS;
}

static int open_parts(struct hooks *h)
{
    const struct redis_options redis = {
        .target = h->options.target, .library = h->options.library, .on_lost = on_lost, .ctx = h};
    CHECK(uv_timer_init(&h->loop, &h->tick) == 0);
    h->tick.data = h;
    h->shared.json = json_reader_new(LIMIT_JSON_DEPTH);
    if (h->shared.json == NULL)
        return err_set(&h->err, ERR_NOMEM, "out of memory at the start of the webhooks");
    h->shared.redis = redis_new(&h->loop, &redis, &h->err);
    h->endpoints = h->options.endpoints(h->options.ctx);
    if (h->shared.redis == NULL || settle(h, clock_steady_ms(), &h->err) < 0)
        return -1;
    (void)uv_timer_start(&h->tick, on_tick, TICK_MS, TICK_MS);
    return 0;
}

static void run(void *arg)
{
    struct hooks *h = arg;
    if (open_parts(h) < 0)
        close_all(h);
    uv_sem_post(&h->started);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
}

/* ---- beginning and end ---- */

static void free_all(struct hooks *h)
{
    for (size_t o = 0; o < h->outlet_count; o++)
        free_outlet(h->outlets[o]);
    endpoints_free(&h->endpoints);
    json_reader_free(&h->shared.json);
    buf_free(&h->shared.body);
    buf_free(&h->signed_text);
    CHECK(uv_loop_close(&h->loop) == 0);
    uv_sem_destroy(&h->started);
    mem_free(h);
}

static void init(struct hooks *h, const struct hooks_options *options)
{
    h->options = *options;
    h->policy_seen = -1;
    random_bytes(&h->shared.random.state, sizeof h->shared.random.state);
    (void)snprintf(h->engine, sizeof h->engine, "%016llx",
                   (unsigned long long)random_next(&h->shared.random));
    h->shared.engine = span_str(h->engine);
    h->shared.poll_ms = LIMIT_HOOK_POLL_MS;
    h->shared.ask_ms = LOOK_MS;
    CHECK(uv_sem_init(&h->started, 0) == 0);
    CHECK(uv_async_init(&h->loop, &h->control, on_control) == 0);
    h->control.data = h;
}

struct hooks *hooks_start(const struct hooks_options *options, struct err *err)
{
    struct hooks *h = mem_zalloc(1, sizeof *h);
    if (h == NULL || uv_loop_init(&h->loop) < 0) {
        (void)err_set(err, ERR_NOMEM, "out of memory at the start of the webhooks");
        mem_free(h);
        return NULL;
    }
    init(h, options);
    if (uv_thread_create(&h->thread, run, h) < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "the system gives no more threads");
        uv_close((uv_handle_t *)&h->control, NULL);
        (void)uv_run(&h->loop, UV_RUN_DEFAULT);
        free_all(h);
        return NULL;
    }
    uv_sem_wait(&h->started);
    if (h->err.code == ERR_NONE)
        return h;
    if (err != NULL)
        *err = h->err;
    (void)uv_thread_join(&h->thread);
    free_all(h);
    return NULL;
}

void hooks_stop(struct hooks **hooksp)
{
    struct hooks *h = *hooksp;
    *hooksp = NULL;
    if (h == NULL)
        return;
    atomic_store(&h->stop, true);
    (void)uv_async_send(&h->control);
    (void)uv_thread_join(&h->thread);
    free_all(h);
}
