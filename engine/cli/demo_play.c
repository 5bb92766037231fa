/*
 * Stages: the engine starts; the day is played; who has still to accept an order may; everybody
 * stops, and the engine is asked for every order; the engine is stopped; all is closed. A failure
 * on the way goes straight to the stopping.
 */
#include "engine/cli/demo_play.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/demo_check.h"
#include "engine/cli/demo_crew.h"
#include "engine/cli/demo_day.h"
#include "engine/cli/demo_engine.h"
#include "engine/cli/demo_feed.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_report.h"
#include "engine/cli/demo_steps.h"
#include "engine/cli/demo_tally.h"
#include "engine/http/json.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    TICK_MS = 50,
    EVENING_H = 12,   /* from 20:00 on nobody is late any more */
    REST_H = 2,       /* nor in the last hours, in which no complaint comes */
    ENGINE_MS = 1000, /* for the engine to start before the day begins */
    EVENTS_MS = 200,  /* for the events of an hour to be read */
    SETTLE_MS = 10000,
    CHECK_MS = 20000,
    START_MS = 30000,
    STALL_MS = 30000, /* without an answer that counts */
    STOP_MS = 45000   /* longer than the engine takes with a Redis that does not answer */
};

enum { SIGNALS = 3, SIGNALLED = 128 /* and the number, as shells do */ };
static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

enum stage { STAGE_START, STAGE_DAY, STAGE_SETTLE, STAGE_CHECK, STAGE_STOP, STAGE_END };

/* A Monday of a year whose calendar is published. */
static const struct clock_civil morning = {2026, 3, 2, 8, 0, 0, 0};

struct play {
    struct demo_play_options options;
    uv_loop_t loop;
    uv_timer_t tick;
    enum stage stage;
    int64_t stage_since; /* steady ms */
    uv_signal_t interrupts[SIGNALS];
    size_t fed;             /* complaints answered for good at the last look */
    int64_t fed_since;      /* when that number changed */
    int64_t morning, until; /* by the demo's clock: the day begins; what is due by then counts */
    size_t hour;            /* to be told next */
    struct demo_engine *engine;
    struct demo_feed *feed;
    struct demo_steps *steps;
    struct demo_day *day;
    struct demo_crew *crew;
    struct demo_tally *tally;
    struct demo_check *check;
    struct demo_sums sums;
    struct ledger *ledger;
    struct demo_report *report;
    struct json_reader *json;
    uint64_t refused;
    bool all_fed, check_over, engine_ended, killed;
    bool log_told; /* the error names the engine's log, so it is kept */
    int status;
    struct err err;
};

static void enter(struct play *d, enum stage stage)
{
    d->stage = stage;
    d->stage_since = clock_steady_ms();
}

/* Ends the demo early: something it needs is not there. */
static void give_up(struct play *d, int status)
{
    if (d->stage >= STAGE_STOP)
        return;
    d->status = status;
    enter(d, STAGE_STOP);
    if (d->engine != NULL && !d->engine_ended)
        demo_engine_stop(d->engine);
}

/* For an error's text: where the engine's log is, and stays. */
static const char *tell_log(struct play *d)
{
    d->log_told = true;
    return demo_engine_log(d->engine);
}

static void short_of_memory(struct play *d)
{
    (void)err_set(&d->err, ERR_NOMEM, "out of memory");
    give_up(d, COMMAND_UNAVAILABLE);
}

/* ---- what happens ---- */

static void on_error(void *ctx, const struct err *err)
{
    struct play *d = ctx;
    if (d->stage >= STAGE_STOP)
        return;
    d->err = *err;
    give_up(d, err->code == ERR_NOMEM ? COMMAND_UNAVAILABLE : COMMAND_FINDING);
}

static void on_answer(void *ctx, size_t i, int status, struct span body)
{
    struct play *d = ctx;
    struct json root, id;
    if (json_parse(d->json, body, &root, NULL) < 0 || !json_get(root, "id", &id) ||
        json_type(id) != JSON_STRING) {
        (void)err_set(&d->err, ERR_PROTOCOL, "an answer of the engine has no id");
        give_up(d, COMMAND_FINDING);
        return;
    }
    if (ledger_mark(d->ledger, json_string(id), LEDGER_ACKNOWLEDGED) < 0) {
        short_of_memory(d);
        return;
    }
    demo_report_answer(d->report, status, root);
    demo_day_order(d->day, i, json_string(id), status == 201 ? &root : NULL);
}

static void on_refused(void *ctx, size_t i, int status, struct span body)
{
    struct play *d = ctx;
    if (d->refused++ == 0)
        (void)err_set(&d->err, ERR_INVALID, "complaint %zu was refused with %d: %.*s", i + 1,
                      status, SPAN_ARG(span_sub(body, 0, 300)));
}

static void on_queued(void *ctx, struct span id, size_t worker, enum order_queue queue)
{
    struct play *d = ctx;
    demo_report_queued(d->report, worker, queue);
    demo_day_queued(d->day, id, worker);
}

static void on_step(void *ctx, struct span id, bool accepted)
{
    struct play *d = ctx;
    if (ledger_mark(d->ledger, id, LEDGER_STEP_ACKNOWLEDGED) < 0 ||
        (accepted && ledger_mark(d->ledger, id, LEDGER_TAKEN) < 0))
        short_of_memory(d);
}

static void on_fed(void *ctx)
{
    ((struct play *)ctx)->all_fed = true;
}

static int open_day(struct play *d, int port, const struct redis_target *target)
{
    const struct demo_crew_options crew = {.loop = &d->loop,
                                           .target = *target,
                                           .directory = policy_directory(d->options.policy),
                                           .on_queued = on_queued,
                                           .ctx = d};
    const struct demo_tally_options tally = {.loop = &d->loop,
                                             .target = *target,
                                             .directory = policy_directory(d->options.policy),
                                             .json = d->json,
                                             .morning = d->morning};
    const struct demo_feed_options feed = {.loop = &d->loop,
                                           .host = "127.0.0.1",
                                           .port = port,
                                           .texts = d->options.texts,
                                           .residents = d->options.residents,
                                           .morning = d->morning,
                                           .most_ms = (d->options.hours - REST_H) * CLOCK_HOUR_MS,
                                           .on_answer = on_answer,
                                           .on_refused = on_refused,
                                           .on_finished = on_fed,
                                           .ctx = d};
    const int evening_h =
        d->options.hours - REST_H < EVENING_H ? d->options.hours - REST_H : EVENING_H;
    struct demo_day_options day = {.loop = &d->loop,
                                   .json = d->json,
                                   .directory = policy_directory(d->options.policy),
                                   .morning = d->morning,
                                   .evening = d->morning + evening_h * CLOCK_HOUR_MS,
                                   .on_step = on_step,
                                   .on_error = on_error,
                                   .ctx = d};
    day.steps = d->steps = demo_steps_new(&d->loop, "127.0.0.1", port, &d->err);
    return d->steps == NULL || (d->day = demo_day_start(&day, &d->err)) == NULL ||
                   (d->crew = demo_crew_start(&crew, &d->err)) == NULL ||
                   (d->tally = demo_tally_start(&tally, &d->err)) == NULL ||
                   (d->feed = demo_feed_start(&feed, &d->err)) == NULL
               ? -1
               : 0;
}

static void on_serving(void *ctx, int port, const char *redis)
{
    struct play *d = ctx;
    struct redis_target target;
    if (d->stage != STAGE_START)
        return;
    demo_report_serving(d->report, port, d->options.speed);
    if (redis_target_parse(span_str(redis), &target, &d->err) < 0 || open_day(d, port, &target) < 0)
        give_up(d, COMMAND_UNAVAILABLE);
    else
        enter(d, STAGE_DAY);
}

static void on_ended(void *ctx, int64_t status, int signal)
{
    struct play *d = ctx;
    d->engine_ended = true;
    if (d->stage < STAGE_STOP) {
        (void)err_set(&d->err, ERR_UNAVAILABLE,
                      "the engine ended by itself (status %" PRId64 ", signal %d); its log is %s",
                      status, signal, tell_log(d));
        give_up(d, status == COMMAND_CONFIG ? COMMAND_CONFIG : COMMAND_UNAVAILABLE);
    } else if (status != 0 && d->status == COMMAND_OK) {
        (void)err_set(&d->err, ERR_UNAVAILABLE, "the engine did not stop cleanly; its log is %s",
                      tell_log(d));
        d->status = COMMAND_FINDING;
    }
}

static void on_interrupt(uv_signal_t *handle, int signum)
{
    struct play *d = handle->data;
    if (d->stage >= STAGE_STOP)
        return;
    (void)err_set(&d->err, ERR_UNAVAILABLE, "stopped by a signal (%s)", strsignal(signum));
    give_up(d, SIGNALLED + signum);
}

/* ---- the reckoning ---- */

static void on_checked(void *ctx, const struct demo_sums *sums, const struct err *err)
{
    struct play *d = ctx;
    if (d->stage != STAGE_CHECK)
        return;
    if (err != NULL) {
        on_error(d, err);
        return;
    }
    d->sums = *sums;
    d->check_over = true;
}

/* Asks the engine for all orders as they now are. */
static void begin_check(struct play *d)
{
    const struct demo_check_options options = {.steps = d->steps,
                                               .crew = d->crew,
                                               .json = d->json,
                                               .morning = d->morning,
                                               .until = d->until,
                                               .ledger = d->ledger,
                                               .on_done = on_checked,
                                               .ctx = d};
    demo_check_free(&d->check);
    d->check_over = false;
    d->check = demo_check_start(&options, &d->err);
    if (d->check == NULL)
        give_up(d, COMMAND_FINDING);
}

/* Whether it all came out even. */
static bool is_even(const struct play *d)
{
    const struct ledger_count *c = &d->sums.ledger;
    const uint64_t all = demo_texts_count(d->options.texts);
    return c->lost + c->steps_lost == 0 && c->duplicated + c->steps_twice == 0 &&
           d->sums.forgotten == 0 && c->acknowledged == all && c->orders == all && c->taken == all;
}

/* Whether the engine's figures say the same as its histories. */
static bool figures_agree(const struct play *d)
{
    return (uint64_t)d->sums.kpi.created == d->sums.orders &&
           (uint64_t)d->sums.kpi.resolved == d->sums.done;
}

/* A warning may be on its way, and the figures are a moment late: what looks uneven is looked at again
 * for a while. */
static void end_check(struct play *d, int64_t in_stage)
{
    if (!d->check_over)
        return;
    const bool good = is_even(d) && figures_agree(d);
    if (!good && d->refused == 0 && in_stage <= CHECK_MS) {
        begin_check(d);
        return;
    }
    if (is_even(d) && !good)
        (void)err_set(&d->err, ERR_PROTOCOL, "the engine's figures are not what its histories say");
    give_up(d, good ? COMMAND_OK : COMMAND_FINDING);
}

/* ---- the clock of the demo ---- */

static void close_all(struct play *d)
{
    enter(d, STAGE_END);
    demo_report_end(d->report,
                    &(struct demo_result){.feed = d->feed,
                                          .given = ledger_count(d->ledger),
                                          .sums = d->check_over ? &d->sums : NULL,
                                          .complaints = demo_texts_count(d->options.texts),
                                          .err = d->status == COMMAND_OK ? NULL : &d->err});
    demo_feed_close(&d->feed);
    demo_crew_close(&d->crew);
    demo_tally_close(&d->tally);
    demo_steps_close(&d->steps);
    demo_day_close(&d->day);
    demo_check_free(&d->check);
    demo_engine_free(&d->engine, d->log_told);
    uv_close((uv_handle_t *)&d->tick, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&d->interrupts[i], NULL);
}

/* Tells the hours that are over, once their last events have had the time to come. */
static void tell_hours(struct play *d, int64_t until)
{
    while (d->hour < DEMO_TALLY_HOURS &&
           d->morning + (int64_t)(d->hour + 1) * CLOCK_HOUR_MS + clock_stretch_ms(EVENTS_MS) <=
               until) {
        demo_report_hour(d->report, d->morning + (int64_t)d->hour * CLOCK_HOUR_MS,
                         demo_tally_hour(d->tally, d->hour));
        d->hour++;
    }
}

/* An engine that takes nothing more (its disk is full, say) is not waited for without end. */
static void watch_feed(struct play *d)
{
    const int64_t now = clock_steady_ms();
    if (demo_feed_done(d->feed) != d->fed || d->fed_since == 0 || d->all_fed) {
        d->fed = demo_feed_done(d->feed);
        d->fed_since = now;
    } else if (now - d->fed_since > STALL_MS) {
        (void)err_set(&d->err, ERR_TIMEOUT,
                      "no complaint was answered for %d s; the engine's log is %s", STALL_MS / 1000,
                      tell_log(d));
        give_up(d, COMMAND_FINDING);
    }
}

static void play_day(struct play *d)
{
    const int64_t now = clock_now_ms();
    watch_feed(d);
    tell_hours(d, now);
    if (d->all_fed && (d->refused > 0 || demo_day_over(d->day) ||
                       now >= d->morning + d->options.hours * CLOCK_HOUR_MS))
        enter(d, STAGE_SETTLE);
}

/* Who has an order to accept still may; then nobody does anything any more. */
static void settle(struct play *d, int64_t in_stage)
{
    if (demo_day_count(d->day).untaken > 0 && d->refused == 0 && in_stage < SETTLE_MS)
        return;
    demo_day_stop(d->day);
    if (demo_steps_pending(d->steps) > 0 && in_stage < 2 * SETTLE_MS)
        return;
    d->until = clock_now_ms();
    tell_hours(d, d->morning + DEMO_TALLY_HOURS * 2 * CLOCK_HOUR_MS);
    enter(d, STAGE_CHECK);
    begin_check(d);
}

static void finish(struct play *d, int64_t waited_ms)
{
    if (d->engine == NULL || d->engine_ended) {
        close_all(d);
    } else if (waited_ms > STOP_MS && !d->killed) {
        d->killed = true;
        demo_engine_kill(d->engine);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct play *d = timer->data;
    const int64_t in_stage = clock_steady_ms() - d->stage_since;
    switch (d->stage) {
    case STAGE_START:
        if (in_stage > START_MS) {
            (void)err_set(&d->err, ERR_TIMEOUT, "the engine does not serve; its log is %s",
                          tell_log(d));
            give_up(d, COMMAND_UNAVAILABLE);
        }
        break;
    case STAGE_DAY:
        play_day(d);
        break;
    case STAGE_SETTLE:
        settle(d, in_stage);
        break;
    case STAGE_CHECK:
        end_check(d, in_stage);
        break;
    case STAGE_STOP:
        finish(d, in_stage);
        break;
    case STAGE_END:
        break;
    }
}

/* ---- beginning and end ---- */

static int run(struct play *d)
{
    const int64_t began = clock_real_ms() + ENGINE_MS;
    d->morning = clock_from_civil(&morning);
    clock_run_fast(d->options.speed, began, d->morning);
    const struct demo_engine_options engine = {.loop = &d->loop,
                                               .rules = d->options.rules,
                                               .speed = d->options.speed,
                                               .began_ms = began,
                                               .origin_ms = d->morning,
                                               .on_serving = on_serving,
                                               .on_ended = on_ended,
                                               .ctx = d};
    if (uv_loop_init(&d->loop) < 0)
        return COMMAND_UNAVAILABLE;
    enter(d, STAGE_START);
    (void)uv_timer_init(&d->loop, &d->tick);
    d->tick.data = d;
    (void)uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
    (void)signal(SIGPIPE, SIG_IGN); /* with nobody to read what it prints, it ends all the same */
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)uv_signal_init(&d->loop, &d->interrupts[i]);
        d->interrupts[i].data = d;
        (void)uv_signal_start(&d->interrupts[i], on_interrupt, signals[i]);
    }
    demo_report_begin(d->report, demo_texts_count(d->options.texts));
    d->engine = demo_engine_start(&engine, &d->err);
    if (d->engine == NULL)
        give_up(d, COMMAND_UNAVAILABLE);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&d->loop);
    return d->status;
}

int demo_play(const struct demo_play_options *options)
{
    struct play *d = mem_zalloc(1, sizeof(*d));
    int status = COMMAND_UNAVAILABLE;
    if (d != NULL) {
        d->options = *options;
        d->ledger = ledger_new();
        d->json = json_reader_new(LIMIT_JSON_DEPTH);
        d->report = demo_report_new(policy_directory(options->policy));
    }
    if (d == NULL || d->ledger == NULL || d->json == NULL || d->report == NULL)
        (void)fprintf(stderr, "jiesu demo: out of memory\n");
    else
        status = run(d);
    if (d != NULL) {
        demo_report_free(&d->report);
        json_reader_free(&d->json);
        ledger_free(&d->ledger);
    }
    mem_free(d);
    return status;
}
