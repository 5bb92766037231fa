/*
 * A round goes once through all communities, one after the other:
 *
 *   lease (when it was not taken lately) -> look -> count -> rest -> look -> ... -> trim now and then
 *
 * until a look finds nothing, or ROUND_BATCHES batches were counted, or half of the lease is over:
 * then the others come first.
 * Redis does one thing at a time, and orders go first: after each batch we rest some times as long
 * as it took (`rests`), so that whoever dispatches meanwhile waits for one batch at the most. Under
 * full load the figures get a tenth of Redis' time and fall behind; the further they are behind,
 * the less we rest, so that what waits stays bounded. A community whose lease another engine has is
 * let alone for OTHERS_MS. The policy is held for the length of a round; communities are named by
 * it.
 */
#include "engine/store/projector.h"

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/store/counting.h"
#include "engine/store/events.h"

#include <string.h>

enum {
    ROUND_BATCHES = 64,
    REST_MOST_MS = 100,
    OTHERS_MS = 1500,
    RENEW_MS = 1500,
    TRIM_ROUNDS = 20,
    ARENA_BYTES = 65536
};

struct area {
    struct span name;  /* borrows from the policy */
    int64_t leased_at; /* steady ms; 0: not ours */
    int64_t others;    /* steady ms until which it is left to another engine */
    bool cleared;      /* of the cursors of consumers that there are no more */
};

struct projector {
    struct projector_options options;
    struct redis *redis;
    uv_timer_t timer, rest;
    struct policy *policy;
    struct area *areas;
    size_t area_count, next_area;
    struct arena *arena; /* of one call */
    struct area *area;   /* that is worked on */
    unsigned round, batches;
    uint64_t began_ns;      /* the present batch */
    int64_t lag_ms, events; /* the most of this round */
    bool busy, closing;
    int open_timers;
};

static struct span consumer(void)
{
    return SPAN("figures");
}

/* ---- the end ---- */

static void free_when_done(struct projector *p)
{
    if (!p->closing || p->open_timers > 0 || p->busy)
        return;
    arena_free(&p->arena);
    policy_unref(&p->policy);
    mem_free(p->areas);
    mem_free(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct projector *p = handle->data;
    p->open_timers--;
    free_when_done(p);
}

void projector_close(struct projector **projector)
{
    struct projector *p = *projector;
    if (p == NULL)
        return;
    *projector = NULL;
    p->closing = true;
    if (uv_is_active((uv_handle_t *)&p->rest))
        p->busy = false; /* nobody else is to call back */
    if (p->redis != NULL)
        redis_close(&p->redis); /* calls back whoever waits */
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
    uv_close((uv_handle_t *)&p->rest, on_timer_closed);
}

/* ---- one community ---- */

static void pass_next(struct projector *p);
static void pass_look(struct projector *p);

static void on_trimmed(void *ctx, int64_t left, int64_t removed, const struct err *err)
{
    struct projector *p = ctx;
    (void)removed;
    if (err == NULL && left > p->events)
        p->events = left;
    if (err == NULL && left > LIMIT_EVENTS_WARN)
        log_write(LOG_WARN, "events", "unread", LOG_SPAN("community", p->area->name),
                  LOG_INT("events", left),
                  LOG_STR("error", "a consumer of the events does not read on; they are kept"));
    pass_next(p);
}

/* Nothing is left to count, or enough for this round. */
static void pass_done(struct projector *p)
{
    if (p->closing || p->round % TRIM_ROUNDS != 0 ||
        events_trim(p->redis, p->area->name, LIMIT_EVENTS_KEPT, on_trimmed, p, NULL) < 0)
        pass_next(p);
}

static void on_rested(uv_timer_t *timer)
{
    pass_look(timer->data);
}

/* How many times as long as a batch took we rest, by how far the figures are behind. */
static const struct {
    int64_t lag_ms;
    unsigned times;
} rests[] = {{INT64_C(10) * CLOCK_SECOND_MS, 9}, {INT64_C(60) * CLOCK_SECOND_MS, 3}};

static void rest(struct projector *p)
{
    unsigned times = 0;
    for (size_t i = sizeof(rests) / sizeof(rests[0]); i-- > 0 && p->lag_ms < rests[i].lag_ms;)
        times = rests[i].times;
    const uint64_t ms = times * (clock_steady_ns() - p->began_ns) / 1000000;
    (void)uv_timer_start(&p->rest, on_rested, ms < REST_MOST_MS ? ms : REST_MOST_MS, 0);
}

static void on_counted(void *ctx, const struct reply *reply, const struct err *err)
{
    struct projector *p = ctx;
    if (err != NULL) {
        pass_next(p);
        return;
    }
    if (reply_type(reply) != REPLY_INTEGER) {
        log_write(LOG_ERROR, "figures", "not_counted", LOG_SPAN("community", p->area->name),
                  LOG_SPAN("error", reply_span(reply)));
        pass_next(p);
        return;
    }
    if (reply_integer(reply) == 0)
        metric_add(METRIC_FIGURES_LOST_RACES, 1);
    if (++p->batches < ROUND_BATCHES &&
        clock_steady_ms() - p->area->leased_at < LIMIT_EVENTS_LEASE_MS / 2)
        rest(p);
    else
        pass_done(p);
}

static void on_found(void *ctx, const struct reply *reply, const struct err *err)
{
    struct projector *p = ctx;
    struct counting counting;
    struct err why;
    if (err != NULL || p->closing) {
        pass_next(p);
        return;
    }
    const int found = counting_count(p->arena, p->area->name, reply, policy_targets(p->policy),
                                     clock_now_ms(), &counting, &why);
    if (found > 0 && counting.lag_ms > p->lag_ms)
        p->lag_ms = counting.lag_ms;
    if (found == 0) {
        pass_done(p);
    } else if (found < 0 || redis_command(p->redis, key_span(&counting.key), counting.argc,
                                          counting.argv, on_counted, p, &why) < 0) {
        log_write(LOG_WARN, "figures", "not_counted", LOG_SPAN("community", p->area->name),
                  LOG_STR("error", why.text));
        pass_next(p);
    } else {
        metric_add(METRIC_FIGURES_ORDERS, (int64_t)counting.orders);
    }
}

static void pass_look(struct projector *p)
{
    struct counting counting;
    arena_reset(p->arena);
    p->began_ns = clock_steady_ns();
    if (p->closing || counting_look(p->arena, p->area->name, clock_now_ms(), &counting) < 0 ||
        redis_command(p->redis, key_span(&counting.key), counting.argc, counting.argv, on_found, p,
                      NULL) < 0)
        pass_next(p);
}

static void on_cleared(void *ctx, int64_t dropped, const struct err *err)
{
    struct projector *p = ctx;
    p->area->cleared = err == NULL;
    if (dropped > 0)
        log_write(LOG_INFO, "events", "consumers_dropped", LOG_SPAN("community", p->area->name),
                  LOG_INT("consumers", dropped));
    pass_look(p);
}

/* The first time, cursors that nobody moves any more go. */
static void pass_clear(struct projector *p)
{
    if (p->options.consumer_count == 0 || p->area->cleared ||
        events_keep_consumers(p->redis, p->area->name, p->options.consumers,
                              p->options.consumer_count, on_cleared, p, NULL) < 0)
        pass_look(p);
}

static void on_leased(void *ctx, int64_t ours, const struct err *err)
{
    struct projector *p = ctx;
    p->area->leased_at = err == NULL && ours == 1 ? clock_steady_ms() : 0;
    if (err == NULL && ours == 0)
        p->area->others = clock_steady_ms() + OTHERS_MS;
    if (p->area->leased_at != 0)
        pass_clear(p);
    else
        pass_next(p);
}

/* ---- rounds ---- */

static void end_round(struct projector *p)
{
    metric_set(METRIC_FIGURES_LAG, p->lag_ms / 1000);
    if (p->round % TRIM_ROUNDS == 0)
        metric_set(METRIC_EVENTS, p->events);
}

static struct area *take_area(struct projector *p)
{
    const int64_t now = clock_steady_ms();
    while (p->next_area < p->area_count) {
        struct area *area = &p->areas[p->next_area++];
        if (area->others <= now)
            return area;
    }
    return NULL;
}

static void pass_begin(struct projector *p)
{
    p->batches = 0;
    if (clock_steady_ms() - p->area->leased_at < RENEW_MS && p->area->leased_at != 0)
        pass_look(p);
    else if (events_lease(p->redis, p->area->name, consumer(), span_str(p->options.engine),
                          on_leased, p, NULL) < 0)
        pass_next(p);
}

/* Goes on with the next community, or ends. */
static void pass_next(struct projector *p)
{
    p->area = p->closing || !redis_ready(p->redis) ? NULL : take_area(p);
    if (p->area != NULL) {
        pass_begin(p);
        return;
    }
    p->busy = false;
    if (p->closing)
        free_when_done(p);
    else
        end_round(p);
}

/* The communities of the policy in force. -1 when memory is short: those before stay. */
static int take_policy(struct projector *p)
{
    struct policy *policy = p->options.policy(p->options.ctx);
    if (policy == p->policy) {
        policy_unref(&policy);
        return 0;
    }
    const struct directory *directory = policy_directory(policy);
    const size_t count = directory_area_count(directory);
    struct area *areas = mem_zalloc(count, sizeof(*areas));
    if (areas == NULL) {
        policy_unref(&policy);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct span street;
        directory_area_at(directory, i, &areas[i].name, &street);
    }
    mem_free(p->areas);
    policy_unref(&p->policy);
    p->areas = areas;
    p->area_count = count;
    p->policy = policy;
    return 0;
}

static void on_period(uv_timer_t *timer)
{
    struct projector *p = timer->data;
    if (p->busy || !redis_ready(p->redis) || (take_policy(p) < 0 && p->policy == NULL))
        return;
    p->round++;
    p->next_area = 0;
    p->lag_ms = p->events = 0;
    p->busy = true;
    pass_next(p);
}

void projector_keep(struct projector *p, const struct span *consumers, size_t count)
{
    p->options.consumers = consumers;
    p->options.consumer_count = count;
}

struct projector *projector_new(const struct projector_options *options, struct err *err)
{
    struct projector *p = mem_zalloc(1, sizeof(*p));
    if (p == NULL) {
        err_set(err, ERR_NOMEM, "no memory to keep the figures");
        return NULL;
    }
    p->options = *options;
    const uint32_t period = options->period_ms == 0 ? LIMIT_FIGURES_PERIOD_MS : options->period_ms;
    CHECK(uv_timer_init(options->loop, &p->timer) == 0);
    CHECK(uv_timer_init(options->loop, &p->rest) == 0);
    p->timer.data = p->rest.data = p;
    p->open_timers = 2;
    p->arena = arena_new(ARENA_BYTES);
    const struct redis_options redis = {.target = options->target, .library = options->library};
    if (p->arena != NULL)
        p->redis = redis_new(options->loop, &redis, err);
    else
        err_set(err, ERR_NOMEM, "no memory to keep the figures");
    if (p->redis == NULL) {
        projector_close(&p);
        return NULL;
    }
    (void)uv_timer_start(&p->timer, on_period, period, period);
    return p;
}
