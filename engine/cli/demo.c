/*
 * `jiesu demo`: a day of a street, end to end and in fast time, and the count that matters.
 *
 * It starts an engine with its embedded Redis, whose clock runs some thousand times as fast as the
 * real one, and has the same clock itself. From eight in the morning on it posts complaints over
 * HTTP as residents' backends would; grid workers find the orders in the Redis streams with plain
 * Redis commands, and accept, hand back, arrive and resolve over HTTP, each when it is time, some
 * late. In the afternoon of the next day everybody stops; then what was acknowledged is compared with what
 * the engine's histories say. It exits 1 when anything is lost, doubled or forgotten.
 */
#include "engine/app/config.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
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
#include "engine/model/policy.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "jiesu demo [--rules DIR] [--data FILE.tsv] [--residents N] [--speed N] [--hours N]\n"
    "\n"
    "Plays a day of a street in fast time: starts an engine with a Redis of its own, posts\n"
    "complaints to it over HTTP, lets simulated grid workers find the orders in their Redis "
    "queues\n"
    "and take each step of their lives, and shows what became of them. Ends by itself.\n"
    "\n"
    "  --data FILE    complaints to replay: a TSV file with a header line and the column text or\n"
    "                 body, and optionally title, kind, source, community, grid, lat, lon, "
    "address\n"
    "                 (the demo's own otherwise)\n"
    "  --rules DIR    the folder of the rule set\n"
    "  --residents N  how many can post at the same time (1 to 256) [16]\n"
    "  --speed N      how many times faster than the real one the demo's clock runs (60 to 2000)\n"
    "                 [1800: half an hour in a second]\n"
    "  --hours N      how long a day is played, from 08:00 on (4 to 48) [32]\n"
    "  --help         this text\n"
    "\n"
    "Exit status: 0 when nothing was lost, doubled or forgotten, 1 when it was, 64 usage, 69 the\n"
    "engine could not be started or ended by itself, 78 the rule set is wrong, 128 and the "
    "signal's\n"
    "number when one stopped it.\n";

enum {
    RESIDENTS = 16,
    RESIDENTS_MAX = 256,
    SPEED = 1800,
    SPEED_MIN = 60,
    TICK_MS = 50,
    HOURS = 32, /* to four in the afternoon of the next day */
    HOURS_MIN = 4,
    EVENING_H = 12,   /* from 20:00 on nobody is late any more */
    REST_H = 2,       /* nor in the last hours, in which no complaint comes */
    ENGINE_MS = 1000, /* for the engine to start before the day begins */
    EVENTS_MS = 200,
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

struct demo {
    uv_loop_t loop;
    uv_timer_t tick;
    enum stage stage;
    int64_t stage_since; /* steady ms */
    uv_signal_t interrupts[SIGNALS];
    size_t fed;        /* complaints answered for good at the last look */
    int64_t fed_since; /* when that number changed */
    const char *rules, *data;
    size_t residents;
    int speed, hours;
    int64_t morning, until; /* by the demo's clock: the day begins; what is due by then counts */
    size_t hour;            /* to be told next */
    struct demo_texts *texts;
    struct policy *policy;
    struct demo_engine *engine;
    struct demo_feed *feed;
    struct demo_steps *steps;
    struct demo_day *day;
    struct demo_crew *crew;
    struct demo_tally *tally;
    struct demo_check *check;
    struct demo_sums sums;
    struct ledger *ledger;
    struct ledger *checked; /* the same with what the engine's orders say */
    struct demo_report *report;
    struct json_reader *json;
    uint64_t refused;
    bool all_fed, check_over, engine_ended, killed;
    bool log_told; /* the error names the engine's log, so it is kept */
    int status;
    struct err err;
};

static void enter(struct demo *d, enum stage stage)
{
    d->stage = stage;
    d->stage_since = clock_steady_ms();
}

/* Ends the demo early: something it needs is not there. */
static void give_up(struct demo *d, int status)
{
    if (d->stage >= STAGE_STOP)
        return;
    d->status = status;
    enter(d, STAGE_STOP);
    if (d->engine != NULL && !d->engine_ended)
        demo_engine_stop(d->engine);
}

/* For an error's text: where the engine's log is, and stays. */
static const char *tell_log(struct demo *d)
{
    d->log_told = true;
    return demo_engine_log(d->engine);
}

static void short_of_memory(struct demo *d)
{
    (void)err_set(&d->err, ERR_NOMEM, "out of memory");
    give_up(d, COMMAND_UNAVAILABLE);
}

/* ---- what happens ---- */

static void on_error(void *ctx, const struct err *err)
{
    struct demo *d = ctx;
    if (d->stage >= STAGE_STOP)
        return;
    d->err = *err;
    give_up(d, err->code == ERR_NOMEM ? COMMAND_UNAVAILABLE : COMMAND_FINDING);
}

static void on_answer(void *ctx, size_t i, int status, struct span body)
{
    struct demo *d = ctx;
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
    struct demo *d = ctx;
    if (d->refused++ == 0)
        (void)err_set(&d->err, ERR_INVALID, "complaint %zu was refused with %d: %.*s", i + 1,
                      status, SPAN_ARG(span_sub(body, 0, 300)));
}

static void on_queued(void *ctx, struct span id, size_t worker, bool urgent)
{
    struct demo *d = ctx;
    demo_report_queued(d->report, worker, urgent);
    demo_day_queued(d->day, id, worker);
}

static void on_step(void *ctx, struct span id, bool accepted)
{
    struct demo *d = ctx;
    if (ledger_mark(d->ledger, id, LEDGER_STEP_ACKNOWLEDGED) < 0 ||
        (accepted && ledger_mark(d->ledger, id, LEDGER_TAKEN) < 0))
        short_of_memory(d);
}

static void on_fed(void *ctx)
{
    ((struct demo *)ctx)->all_fed = true;
}

static int open_day(struct demo *d, int port, const struct redis_target *target)
{
    const struct demo_crew_options crew = {.loop = &d->loop,
                                           .target = *target,
                                           .directory = policy_directory(d->policy),
                                           .on_queued = on_queued,
                                           .ctx = d};
    const struct demo_tally_options tally = {.loop = &d->loop,
                                             .target = *target,
                                             .directory = policy_directory(d->policy),
                                             .json = d->json,
                                             .morning = d->morning};
    const struct demo_feed_options feed = {.loop = &d->loop,
                                           .host = "127.0.0.1",
                                           .port = port,
                                           .texts = d->texts,
                                           .residents = d->residents,
                                           .morning = d->morning,
                                           .most_ms = (d->hours - REST_H) * CLOCK_HOUR_MS,
                                           .on_answer = on_answer,
                                           .on_refused = on_refused,
                                           .on_finished = on_fed,
                                           .ctx = d};
    const int evening_h = d->hours - REST_H < EVENING_H ? d->hours - REST_H : EVENING_H;
    struct demo_day_options day = {.loop = &d->loop,
                                   .json = d->json,
                                   .directory = policy_directory(d->policy),
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
    struct demo *d = ctx;
    struct redis_target target;
    if (d->stage != STAGE_START)
        return;
    demo_report_serving(d->report, port, d->speed);
    if (redis_target_parse(span_str(redis), &target, &d->err) < 0 || open_day(d, port, &target) < 0)
        give_up(d, COMMAND_UNAVAILABLE);
    else
        enter(d, STAGE_DAY);
}

static void on_ended(void *ctx, int64_t status, int signal)
{
    struct demo *d = ctx;
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
    struct demo *d = handle->data;
    if (d->stage >= STAGE_STOP)
        return;
    (void)err_set(&d->err, ERR_UNAVAILABLE, "stopped by a signal (%s)", strsignal(signum));
    give_up(d, SIGNALLED + signum);
}

/* ---- the reckoning ---- */

static void on_checked(void *ctx, const struct demo_sums *sums, const struct err *err)
{
    struct demo *d = ctx;
    if (d->stage != STAGE_CHECK)
        return;
    if (err != NULL) {
        on_error(d, err);
        return;
    }
    d->sums = *sums;
    d->check_over = true;
}

static void on_order(void *ctx, struct span id)
{
    struct demo *d = ctx;
    if (d->stage != STAGE_CHECK)
        return;
    if (ledger_mark(d->checked, id, LEDGER_ORDER) < 0)
        short_of_memory(d);
    else if (demo_check_order(d->check, id, &d->err) < 0)
        give_up(d, COMMAND_UNAVAILABLE);
}

static void on_counted(void *ctx, const struct err *err)
{
    struct demo *d = ctx;
    if (err != NULL)
        on_error(d, err);
    else if (d->stage == STAGE_CHECK)
        demo_check_finish(d->check);
}

/* Asks the engine for all orders as they now are. */
static void begin_check(struct demo *d)
{
    ledger_free(&d->checked);
    demo_check_free(&d->check);
    d->check_over = false;
    d->checked = ledger_copy(d->ledger);
    if (d->checked == NULL) {
        short_of_memory(d);
        return;
    }
    const struct demo_check_options options = {.steps = d->steps,
                                               .json = d->json,
                                               .until = d->until,
                                               .ledger = d->checked,
                                               .on_done = on_checked,
                                               .ctx = d};
    d->check = demo_check_new(&options, &d->err);
    if (d->check == NULL || demo_crew_count_orders(d->crew, on_order, on_counted, d, &d->err) < 0)
        give_up(d, COMMAND_FINDING);
}

/* Whether it all came out even. */
static bool is_even(const struct demo *d)
{
    const struct ledger_count c = ledger_count(d->checked);
    const uint64_t all = demo_texts_count(d->texts);
    return c.lost + c.steps_lost == 0 && c.duplicated + c.steps_twice == 0 &&
           d->sums.forgotten == 0 && c.acknowledged == all && c.orders == all && c.taken == all;
}

/* A warning may be on its way: what looks uneven is looked at again for a while. */
static void end_check(struct demo *d, int64_t in_stage)
{
    if (!d->check_over)
        return;
    if (is_even(d) || d->refused > 0 || in_stage > CHECK_MS)
        give_up(d, is_even(d) ? COMMAND_OK : COMMAND_FINDING);
    else
        begin_check(d);
}

/* ---- the clock of the demo ---- */

static void close_all(struct demo *d)
{
    enter(d, STAGE_END);
    demo_report_end(d->report,
                    &(struct demo_result){.feed = d->feed,
                                          .ledger = d->checked == NULL ? d->ledger : d->checked,
                                          .sums = d->check_over ? &d->sums : NULL,
                                          .complaints = demo_texts_count(d->texts),
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
static void tell_hours(struct demo *d, int64_t until)
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
static void watch_feed(struct demo *d)
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

static void play_day(struct demo *d)
{
    const int64_t now = clock_now_ms();
    watch_feed(d);
    tell_hours(d, now);
    if (d->all_fed &&
        (d->refused > 0 || demo_day_over(d->day) || now >= d->morning + d->hours * CLOCK_HOUR_MS))
        enter(d, STAGE_SETTLE);
}

/* Who has an order to accept still may; then nobody does anything any more. */
static void settle(struct demo *d, int64_t in_stage)
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

static void finish(struct demo *d, int64_t waited_ms)
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
    struct demo *d = timer->data;
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

/* ---- the command ---- */

static int parse(struct demo *d, int argc, char **argv)
{
    static const struct option options[] = {{"rules", required_argument, NULL, 'r'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"residents", required_argument, NULL, 'n'},
                                            {"speed", required_argument, NULL, 's'},
                                            {"hours", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint64_t n = RESIDENTS, speed = SPEED, hours = HOURS;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            d->rules = optarg;
            break;
        case 'd':
            d->data = optarg;
            break;
        case 'n':
            if (span_to_u64(span_str(optarg), RESIDENTS_MAX, &n) < 0 || n == 0)
                return command_usage("demo", "--residents must be a number from 1 to %d",
                                     RESIDENTS_MAX);
            break;
        case 's':
            if (span_to_u64(span_str(optarg), CLOCK_SPEED_MAX, &speed) < 0 || speed < SPEED_MIN)
                return command_usage("demo", "--speed must be a number from %d to %d", SPEED_MIN,
                                     CLOCK_SPEED_MAX);
            break;
        case 'o':
            if (span_to_u64(span_str(optarg), DEMO_TALLY_HOURS, &hours) < 0 || hours < HOURS_MIN)
                return command_usage("demo", "--hours must be a number from %d to %d", HOURS_MIN,
                                     DEMO_TALLY_HOURS);
            break;
        case 'h':
            (void)fputs(help, stdout);
            return -1;
        default:
            return command_usage("demo", "an option is not known or lacks its value");
        }
    }
    if (optind < argc)
        return command_usage("demo", "\"%s\" is too much", argv[optind]);
    d->residents = (size_t)n;
    d->speed = (int)speed;
    d->hours = (int)hours;
    d->rules = command_rules_dir(d->rules);
    return 0;
}

static int load(struct demo *d)
{
    char own[CONFIG_VALUE_BYTES];
    (void)snprintf(own, sizeof(own), "%s/cases/demo.tsv", d->rules);
    d->policy = policy_load(d->rules, &d->err);
    if (d->policy == NULL)
        return command_fail("demo", COMMAND_CONFIG, &d->err);
    d->texts = demo_texts_load(d->data == NULL ? own : d->data, &d->err);
    if (d->texts == NULL)
        return command_fail("demo", COMMAND_UNAVAILABLE, &d->err);
    if (demo_texts_count(d->texts) == 0) {
        (void)err_set(&d->err, ERR_INVALID, "%s holds no complaint", d->data);
        return command_fail("demo", COMMAND_UNAVAILABLE, &d->err);
    }
    d->ledger = ledger_new();
    d->json = json_reader_new(LIMIT_JSON_DEPTH);
    d->report = demo_report_new(policy_directory(d->policy));
    if (d->ledger == NULL || d->json == NULL || d->report == NULL) {
        (void)err_set(&d->err, ERR_NOMEM, "out of memory");
        return command_fail("demo", COMMAND_UNAVAILABLE, &d->err);
    }
    return 0;
}

static int play(struct demo *d)
{
    const int64_t began = clock_real_ms() + ENGINE_MS;
    d->morning = clock_from_civil(&morning);
    clock_run_fast(d->speed, began, d->morning);
    const struct demo_engine_options engine = {.loop = &d->loop,
                                               .rules = d->rules,
                                               .speed = d->speed,
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
    demo_report_begin(d->report, demo_texts_count(d->texts));
    d->engine = demo_engine_start(&engine, &d->err);
    if (d->engine == NULL)
        give_up(d, COMMAND_UNAVAILABLE);
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&d->loop);
    return d->status;
}

int command_demo(int argc, char **argv)
{
    struct demo *d = mem_zalloc(1, sizeof(*d));
    if (d == NULL)
        return COMMAND_UNAVAILABLE;
    int status = parse(d, argc, argv);
    /* Its own Redis client sees the engine's Redis come and go; that is no news here. */
    log_set_level(LOG_OFF);
    if (status == 0)
        status = load(d);
    if (status == 0)
        status = play(d);
    demo_report_free(&d->report);
    json_reader_free(&d->json);
    ledger_free(&d->ledger);
    ledger_free(&d->checked);
    demo_texts_free(&d->texts);
    policy_unref(&d->policy);
    mem_free(d);
    return status < 0 ? COMMAND_OK : status;
}
