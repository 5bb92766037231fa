/*
 * A round goes once through all communities. PASSES of them are worked on at a time, each by a pass
 * that takes one community after the other:
 *
 *   lease (when it was not taken lately) -> look -> count -> look -> ... -> trim now and then
 *
 * until a look finds nothing, or ROUND_BATCHES batches were counted: then the others come first. A
 * community whose lease another engine has is let alone for OTHERS_MS. The policy is held for the
 * length of a round; communities are named by it.
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
    PASSES = 8,
    ROUND_BATCHES = 64,
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

struct pass {
    struct projector *projector;
    struct arena *arena; /* of one call */
    struct area *area;
    unsigned batches;
};

struct projector {
    struct projector_options options;
    struct redis *redis;
    uv_timer_t timer;
    struct policy *policy;
    struct area *areas;
    size_t area_count, next_area, busy; /* passes that work */
    struct pass passes[PASSES];
    unsigned round;
    int64_t lag_ms, events; /* the most of this round */
    bool closing, timer_closed;
};

static struct span consumer(void)
{
    return SPAN("figures");
}

/* ---- the end ---- */

static void free_when_done(struct projector *p)
{
    if (!p->closing || !p->timer_closed || p->busy > 0)
        return;
    for (size_t i = 0; i < PASSES; i++)
        arena_free(&p->passes[i].arena);
    policy_unref(&p->policy);
    mem_free(p->areas);
    mem_free(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct projector *p = handle->data;
    p->timer_closed = true;
    free_when_done(p);
}

void projector_close(struct projector **projector)
{
    struct projector *p = *projector;
    if (p == NULL)
        return;
    *projector = NULL;
    p->closing = true;
    if (p->redis != NULL)
        redis_close(&p->redis); /* calls back whoever waits */
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

/* ---- one community ---- */

static void pass_next(struct pass *pass);
static void pass_look(struct pass *pass);

static void on_trimmed(void *ctx, int64_t left, int64_t removed, const struct err *err)
{
    struct pass *pass = ctx;
    struct projector *p = pass->projector;
    (void)removed;
    if (err == NULL && left > p->events)
        p->events = left;
    if (err == NULL && left > LIMIT_EVENTS_WARN)
        log_write(LOG_WARN, "events", "unread", LOG_SPAN("community", pass->area->name),
                  LOG_INT("events", left),
                  LOG_STR("error", "a consumer of the events does not read on; they are kept"));
    pass_next(pass);
}

/* Nothing is left to count, or enough for this round. */
static void pass_done(struct pass *pass)
{
    struct projector *p = pass->projector;
    if (p->closing || p->round % TRIM_ROUNDS != 0 ||
        events_trim(p->redis, pass->area->name, LIMIT_EVENTS_KEPT, on_trimmed, pass, NULL) < 0)
        pass_next(pass);
}

static void on_counted(void *ctx, const struct reply *reply, const struct err *err)
{
    struct pass *pass = ctx;
    if (err != NULL) {
        pass_next(pass);
        return;
    }
    if (reply_type(reply) != REPLY_INTEGER) {
        log_write(LOG_ERROR, "figures", "not_counted", LOG_SPAN("community", pass->area->name),
                  LOG_SPAN("error", reply_span(reply)));
        pass_next(pass);
        return;
    }
    if (reply_integer(reply) == 0)
        metric_add(METRIC_FIGURES_LOST_RACES, 1);
    if (++pass->batches < ROUND_BATCHES)
        pass_look(pass);
    else
        pass_done(pass);
}

static void on_found(void *ctx, const struct reply *reply, const struct err *err)
{
    struct pass *pass = ctx;
    struct projector *p = pass->projector;
    struct counting counting;
    struct err why;
    if (err != NULL || p->closing) {
        pass_next(pass);
        return;
    }
    const int found = counting_count(pass->arena, pass->area->name, reply,
                                     policy_targets(p->policy), clock_now_ms(), &counting, &why);
    if (found > 0 && counting.lag_ms > p->lag_ms)
        p->lag_ms = counting.lag_ms;
    if (found == 0) {
        pass_done(pass);
    } else if (found < 0 || redis_command(p->redis, key_span(&counting.key), counting.argc,
                                          counting.argv, on_counted, pass, &why) < 0) {
        log_write(LOG_WARN, "figures", "not_counted", LOG_SPAN("community", pass->area->name),
                  LOG_STR("error", why.text));
        pass_next(pass);
    } else {
        metric_add(METRIC_FIGURES_ORDERS, (int64_t)counting.orders);
    }
}

static void pass_look(struct pass *pass)
{
    struct projector *p = pass->projector;
    struct counting counting;
    arena_reset(pass->arena);
    if (p->closing || counting_look(pass->arena, pass->area->name, clock_now_ms(), &counting) < 0 ||
        redis_command(p->redis, key_span(&counting.key), counting.argc, counting.argv, on_found,
                      pass, NULL) < 0)
        pass_next(pass);
}

static void on_cleared(void *ctx, int64_t dropped, const struct err *err)
{
    struct pass *pass = ctx;
    pass->area->cleared = err == NULL;
    if (dropped > 0)
        log_write(LOG_INFO, "events", "consumers_dropped", LOG_SPAN("community", pass->area->name),
                  LOG_INT("consumers", dropped));
    pass_look(pass);
}

/* The first time, cursors that nobody moves any more go. */
static void pass_clear(struct pass *pass)
{
    struct projector *p = pass->projector;
    if (p->options.consumer_count == 0 || pass->area->cleared ||
        events_keep_consumers(p->redis, pass->area->name, p->options.consumers,
                              p->options.consumer_count, on_cleared, pass, NULL) < 0)
        pass_look(pass);
}

static void on_leased(void *ctx, int64_t ours, const struct err *err)
{
    struct pass *pass = ctx;
    pass->area->leased_at = err == NULL && ours == 1 ? clock_steady_ms() : 0;
    if (err == NULL && ours == 0)
        pass->area->others = clock_steady_ms() + OTHERS_MS;
    if (pass->area->leased_at != 0)
        pass_clear(pass);
    else
        pass_next(pass);
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

static void pass_begin(struct pass *pass)
{
    struct projector *p = pass->projector;
    pass->batches = 0;
    if (clock_steady_ms() - pass->area->leased_at < RENEW_MS && pass->area->leased_at != 0)
        pass_look(pass);
    else if (events_lease(p->redis, pass->area->name, consumer(), span_str(p->options.engine),
                          on_leased, pass, NULL) < 0)
        pass_next(pass);
}

/* Goes on with the next community, or ends. */
static void pass_next(struct pass *pass)
{
    struct projector *p = pass->projector;
    pass->area = p->closing || !redis_ready(p->redis) ? NULL : take_area(p);
    if (pass->area != NULL) {
        pass_begin(pass);
        return;
    }
    p->busy--;
    if (p->closing)
        free_when_done(p);
    else if (p->busy == 0)
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
    if (p->busy > 0 || !redis_ready(p->redis) || (take_policy(p) < 0 && p->policy == NULL))
        return;
    p->round++;
    p->next_area = 0;
    p->lag_ms = p->events = 0;
    p->busy = PASSES;
    for (size_t i = 0; i < PASSES; i++)
        pass_next(&p->passes[i]);
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
    p->timer.data = p;
    bool whole = true;
    for (size_t i = 0; i < PASSES; i++) {
        p->passes[i] = (struct pass){.projector = p, .arena = arena_new(ARENA_BYTES)};
        whole &= p->passes[i].arena != NULL;
    }
    const struct redis_options redis = {.target = options->target, .library = options->library};
    if (whole)
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
