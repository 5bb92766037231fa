/*
 * `jiesu demo`: the whole road, end to end, and the count that matters.
 *
 * It starts an engine with its embedded Redis, posts complaints over HTTP as residents' backends
 * would, lets grid workers take the orders from the Redis streams with plain Redis commands, and
 * compares what was acknowledged with what was created and what was taken. It exits 1 when anything
 * is lost or doubled.
 */
#include "engine/app/config.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/demo_crew.h"
#include "engine/cli/demo_engine.h"
#include "engine/cli/demo_feed.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_report.h"
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
    "jiesu demo [--rules DIR] [--data FILE.tsv] [--residents N] [--rate N]\n"
    "\n"
    "Starts an engine with a Redis of its own, posts complaints to it over HTTP, lets simulated\n"
    "grid workers take the orders from their Redis queues, and shows what became of each. Ends by\n"
    "itself.\n"
    "\n"
    "  --data FILE    complaints to replay: a TSV file with a header line and the column text or\n"
    "                 body, and optionally title, kind, source, community, grid, lat, lon, "
    "address\n"
    "                 (the demo's own otherwise)\n"
    "  --rules DIR    the folder of the rule set\n"
    "  --residents N  how many post at the same time (1 to 256) [16]\n"
    "  --rate N       complaints a second at the most (0 to 1000000; 0: as fast as they are\n"
    "                 answered) [50 for the demo's own complaints, 0 for a file's]\n"
    "  --help         this text\n"
    "\n"
    "Exit status: 0 when nothing was lost or doubled, 1 when something was, 64 usage, 69 the\n"
    "engine could not be started or ended by itself, 78 the rule set is wrong, 128 and the "
    "signal's\n"
    "number when one stopped it.\n";

enum {
    RESIDENTS = 16,
    RESIDENTS_MAX = 256,
    RATE = 50,
    RATE_MAX = 1000000,
    TICK_MS = 100,
    SETTLE_MS = 20000,
    START_MS = 30000,
    STALL_MS = 30000, /* without an answer that counts */
    STOP_MS = 45000   /* longer than the engine takes with a Redis that does not answer */
};

enum { SIGNALS = 3, SIGNALLED = 128 /* and the number, as shells do */ };
static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

enum stage { STAGE_START, STAGE_FEED, STAGE_TAKE, STAGE_COUNT, STAGE_STOP, STAGE_END };

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
    uint64_t rate;
    struct demo_texts *texts;
    struct policy *policy;
    struct demo_engine *engine;
    struct demo_feed *feed;
    struct demo_crew *crew;
    struct ledger *ledger;
    struct demo_report *report;
    struct json_reader *json;
    uint64_t refused;
    bool engine_ended, killed;
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

static void on_answer(void *ctx, int status, struct span body)
{
    struct demo *d = ctx;
    struct json root, id;
    if (json_parse(d->json, body, &root, NULL) < 0 || !json_get(root, "id", &id) ||
        json_type(id) != JSON_STRING) {
        (void)err_set(&d->err, ERR_PROTOCOL, "an answer of the engine has no id");
        give_up(d, COMMAND_FINDING);
        return;
    }
    if (ledger_mark(d->ledger, json_string(id), LEDGER_ACKNOWLEDGED) < 0)
        short_of_memory(d);
    else
        demo_report_answer(d->report, status, root);
}

static void on_refused(void *ctx, size_t i, int status, struct span body)
{
    struct demo *d = ctx;
    if (d->refused++ == 0)
        (void)err_set(&d->err, ERR_INVALID, "complaint %zu was refused with %d: %.*s", i + 1,
                      status, SPAN_ARG(span_sub(body, 0, 300)));
}

static void on_taken(void *ctx, struct span id, size_t worker, bool urgent)
{
    struct demo *d = ctx;
    if (ledger_mark(d->ledger, id, LEDGER_TAKEN) < 0)
        short_of_memory(d);
    demo_report_taken(d->report, worker, urgent);
}

static void on_fed(void *ctx)
{
    enter(ctx, STAGE_TAKE);
}

static void on_order(void *ctx, struct span id)
{
    struct demo *d = ctx;
    if (ledger_mark(d->ledger, id, LEDGER_ORDER) < 0)
        short_of_memory(d);
}

static void on_counted(void *ctx, const struct err *err)
{
    struct demo *d = ctx;
    if (err != NULL) {
        d->err = *err;
        give_up(d, COMMAND_FINDING);
        return;
    }
    const struct ledger_count c = ledger_count(d->ledger);
    const uint64_t all = demo_texts_count(d->texts);
    give_up(d, c.lost == 0 && c.duplicated == 0 && c.acknowledged == all && c.orders == all &&
                       c.taken == all
                   ? COMMAND_OK
                   : COMMAND_FINDING);
}

static void on_serving(void *ctx, int port, const char *redis)
{
    struct demo *d = ctx;
    struct demo_crew_options crew = {
        .loop = &d->loop, .directory = policy_directory(d->policy), .on_taken = on_taken, .ctx = d};
    const struct demo_feed_options feed = {.loop = &d->loop,
                                           .host = "127.0.0.1",
                                           .port = port,
                                           .texts = d->texts,
                                           .residents = d->residents,
                                           .rate = d->rate,
                                           .on_answer = on_answer,
                                           .on_refused = on_refused,
                                           .on_finished = on_fed,
                                           .ctx = d};
    if (d->stage != STAGE_START)
        return;
    demo_report_serving(d->report, port);
    if (redis_target_parse(span_str(redis), &crew.target, &d->err) < 0 ||
        (d->crew = demo_crew_start(&crew, &d->err)) == NULL ||
        (d->feed = demo_feed_start(&feed, &d->err)) == NULL)
        give_up(d, COMMAND_UNAVAILABLE);
    else
        enter(d, STAGE_FEED);
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

/* ---- the clock of the demo ---- */

static void close_all(struct demo *d)
{
    enter(d, STAGE_END);
    demo_report_end(d->report, d->feed, d->ledger, demo_texts_count(d->texts),
                    d->status == COMMAND_OK ? NULL : &d->err);
    demo_feed_close(&d->feed);
    demo_crew_close(&d->crew);
    demo_engine_free(&d->engine, d->log_told);
    uv_close((uv_handle_t *)&d->tick, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&d->interrupts[i], NULL);
}

/* An engine that takes nothing more (its disk is full, say) is not waited for without end. */
static void watch_feed(struct demo *d)
{
    const int64_t now = clock_steady_ms();
    if (demo_feed_done(d->feed) != d->fed || d->fed_since == 0) {
        d->fed = demo_feed_done(d->feed);
        d->fed_since = now;
    } else if (now - d->fed_since > STALL_MS) {
        (void)err_set(&d->err, ERR_TIMEOUT,
                      "no complaint was answered for %d s; the engine's log is %s", STALL_MS / 1000,
                      tell_log(d));
        give_up(d, COMMAND_FINDING);
    }
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
    const struct ledger_count c = ledger_count(d->ledger);
    demo_report_progress(d->report, d->feed == NULL ? 0 : demo_feed_done(d->feed), c.taken,
                         demo_texts_count(d->texts));
    switch (d->stage) {
    case STAGE_START:
        if (in_stage > START_MS) {
            (void)err_set(&d->err, ERR_TIMEOUT, "the engine does not serve; its log is %s",
                          tell_log(d));
            give_up(d, COMMAND_UNAVAILABLE);
        }
        break;
    case STAGE_TAKE:
        /* All that was acknowledged is taken, or nothing more comes. */
        if (c.taken >= c.acknowledged || in_stage > SETTLE_MS) {
            enter(d, STAGE_COUNT);
            if (demo_crew_count_orders(d->crew, on_order, on_counted, d, &d->err) < 0)
                give_up(d, COMMAND_FINDING);
        }
        break;
    case STAGE_STOP:
        finish(d, in_stage);
        break;
    case STAGE_FEED:
        watch_feed(d);
        break;
    case STAGE_COUNT:
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
                                            {"rate", required_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint64_t n = RESIDENTS, rate = RATE;
    bool paced = false;
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
        case 'a':
            if (span_to_u64(span_str(optarg), RATE_MAX, &rate) < 0)
                return command_usage("demo", "--rate must be a number from 0 to %d", RATE_MAX);
            paced = true;
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
    d->rate = d->data == NULL || paced ? rate : 0;
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
    const struct demo_engine_options engine = {.loop = &d->loop,
                                               .rules = d->rules,
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
    demo_texts_free(&d->texts);
    policy_unref(&d->policy);
    mem_free(d);
    return status < 0 ? COMMAND_OK : status;
}
