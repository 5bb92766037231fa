/*
 * lifecycle: whole lives of orders a second (create, accept, arrive, resolve, rate), end to end and
 * against the bare Redis ceiling of the same calls.
 *
 * End to end: an engine of its own with its embedded Redis, over HTTP. Each of --connections
 * connections leads one life at a time, step after step, each when the one before was answered, as
 * a resident and a worker would; every request has an Idempotency-Key.
 *
 * Ceiling: the calls of the same lives (the creation with its claim and four steps each), made
 * beforehand by the engine's own code and pipelined through one socket into a Redis that is started
 * and configured as the embedded one. All lives take a step before the first takes its next, in
 * groups of --connections, as they do end to end.
 *
 * The rounds of the two take turns, first one, then the other in front, so that what else happens
 * on the machine falls on both; the ratio is that of the medians. Where the time goes is told by the
 * processor time that engine, Redis and this tool take for a life.
 */

#include "bench/shared/bare.h"
#include "bench/shared/engine.h"
#include "bench/shared/maker.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hist.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/cli/demo_texts.h"
#include "engine/cli/file.h"
#include "engine/http/client.h"
#include "engine/http/json.h"
#include "engine/http/json_writer.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { EXIT_FINDING = 1, EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };
enum { ROUNDS_MAX = 99, TIMEOUT_MS = 30000, BODY_BYTES = 256, PATH_BYTES = 160, LINE_BYTES = 128 };
static const double ratio_wanted = 0.6;

static const char help[] =
    "lifecycle [options]: whole lives of orders a second, against bare Redis\n"
    "\n"
    "  --data FILE.tsv  the complaints, used in turn (rules/cases/demo.tsv)\n"
    "  --rules DIR      the rule set (rules)\n"
    "  --lives N        in each round (8000)\n"
    "  --warmup N       lives before, that are not measured (500)\n"
    "  --rounds N       of each of the two (5)\n"
    "  --connections N  lives at a time (256)\n"
    "  --jiesu FILE     the engine (../jiesu beside this tool)\n"
    "  --out FILE       write the figures there as JSON\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 good, 1 below 0.60 of the ceiling, 64 usage, 69 it could not be measured.\n";

struct options {
    const char *data, *rules, *jiesu, *out;
    uint64_t lives, warmup, rounds, connections;
};

/* What a life asks for, in order. */
enum stage { CREATE, ACCEPT, ARRIVE, RESOLVE, RATE, STAGES };

static const struct {
    const char *name, *path; /* of a step; %s: the order */
    enum order_step step;
    const char *body; /* %.*s: the worker */
} stages[STAGES] = {
    [CREATE] = {"create", "/v1/complaints", ORDER_STEP_COUNT, NULL},
    [ACCEPT] = {"accept", "/v1/orders/%s/accept", STEP_ACCEPT, "{\"worker\":\"%.*s\"}"},
    [ARRIVE] = {"arrive", "/v1/orders/%s/arrive", STEP_ARRIVE, "{\"worker\":\"%.*s\"}"},
    [RESOLVE] = {"resolve", "/v1/orders/%s/resolve", STEP_RESOLVE,
                 "{\"worker\":\"%.*s\",\"result\":\"已到现场处理完毕，居民确认。\"}"},
    [RATE] = {"rate", "/v1/complaints/%s/rate", STEP_RATE, "{\"stars\":5}"},
};

static struct span step_body(enum stage stage, struct span worker, char out[BODY_BYTES])
{
    const int n = stage == RATE ? snprintf(out, BODY_BYTES, "%s", stages[stage].body)
                                : snprintf(out, BODY_BYTES, stages[stage].body, SPAN_ARG(worker));
    CHECK(n > 0 && n < BODY_BYTES);
    return span_of(out, (size_t)n);
}

/* One round of either. */
struct round {
    double seconds, per_s;
    double engine_us, redis_us, load_us; /* processor time for a life */
    double p50_ms[STAGES], p99_ms[STAGES];
    uint64_t pending; /* requests answered 202 */
};

/* --- end to end ------------------------------------------------------------------------------ */

struct load;

/* One connection, and the life that it leads. */
struct walker {
    struct load *load;
    struct http_client *client;
    uint64_t life;
    enum stage stage;
    uint64_t sent_ns;
    char order[ID_BYTES + 1], worker[ID_COMMUNITY_BYTES + 1];
};

struct load {
    const struct options *options;
    const struct demo_texts *texts;
    uv_loop_t loop;
    struct json_reader *json;
    struct walker *walkers;
    size_t walking;
    uint64_t run, begun, done, total, pending;
    struct hist *took[STAGES]; /* microseconds */
    struct err err;            /* the first thing that went wrong */
};

static void send_stage(struct walker *w);

static void stop(struct load *load)
{
    for (uint64_t i = 0; i < load->options->connections; i++) {
        if (load->walkers[i].client != NULL)
            http_client_close(&load->walkers[i].client);
    }
}

/* The walker's next life, or its end. */
static void begin_life(struct walker *w)
{
    struct load *load = w->load;
    w->stage = CREATE;
    if (load->begun < load->total && load->err.code == ERR_NONE) {
        w->life = load->begun++;
        send_stage(w);
    } else if (--load->walking == 0) {
        stop(load);
    }
}

/* The order's id and who holds it, from the answer to its creation. */
static int take_order(struct walker *w, struct span answer)
{
    struct json root, id, assignee, worker;
    if (json_parse(w->load->json, answer, &root, &w->load->err) < 0)
        return -1;
    if (!json_get(root, "id", &id) || !json_get(root, "assignee", &assignee) ||
        !json_get(assignee, "id", &worker))
        return err_set(&w->load->err, ERR_PROTOCOL, "the answer names no order and assignee");
    (void)snprintf(w->order, sizeof(w->order), "%.*s", SPAN_ARG(json_string(id)));
    (void)snprintf(w->worker, sizeof(w->worker), "%.*s", SPAN_ARG(json_string(worker)));
    return 0;
}

static void on_answer(void *ctx, const struct http_response *response)
{
    struct walker *w = ctx;
    struct load *load = w->load;
    if (response->status < 200 || response->status > 299) {
        if (load->err.code == ERR_NONE)
            (void)err_set(&load->err, ERR_UNAVAILABLE, "%s was answered %d: %.*s",
                          stages[w->stage].name, response->status,
                          SPAN_ARG(span_sub(response->body, 0, 200)));
        begin_life(w);
        return;
    }
    hist_record(load->took[w->stage], (clock_steady_ns() - w->sent_ns) / 1000);
    load->pending += response->status == 202;
    if (w->stage == CREATE && response->status == 202) {
        send_stage(w); /* durable, but who holds it is not known yet: asked again */
        return;
    }
    if (w->stage == CREATE && take_order(w, response->body) < 0) {
        begin_life(w);
        return;
    }
    if (++w->stage < STAGES) {
        send_stage(w);
        return;
    }
    load->done++;
    begin_life(w);
}

static void send_stage(struct walker *w)
{
    struct load *load = w->load;
    char line[LINE_BYTES], path[PATH_BYTES], bytes[BODY_BYTES];
    const int n = snprintf(line, sizeof(line),
                           "Content-Type: application/json\r\nIdempotency-Key: %016" PRIx64
                           "-%" PRIu64 "-%d\r\n",
                           load->run, w->life, (int)w->stage);
    struct span body =
        demo_texts_at(load->texts, (size_t)(w->life % demo_texts_count(load->texts)));
    CHECK(n > 0 && (size_t)n < sizeof(line));
    (void)snprintf(path, sizeof(path), stages[w->stage].path, w->order);
    if (w->stage != CREATE)
        body = step_body(w->stage, span_str(w->worker), bytes);
    w->sent_ns = clock_steady_ns();
    if (http_client_send(w->client, "POST", path, span_of(line, (size_t)n), body, on_answer, w) <
        0) {
        (void)fprintf(stderr, "lifecycle: out of memory\n");
        exit(EXIT_UNAVAILABLE_);
    }
}

static int open_load(struct load *load, int port)
{
    const uint64_t connections = load->options->connections;
    random_bytes(&load->run, sizeof(load->run));
    load->json = json_reader_new(LIMIT_JSON_DEPTH);
    load->walkers = mem_zalloc(connections, sizeof(*load->walkers));
    bool good = load->json != NULL && load->walkers != NULL && uv_loop_init(&load->loop) == 0;
    for (int s = 0; s < STAGES; s++)
        good = (load->took[s] = hist_new()) != NULL && good;
    for (uint64_t i = 0; good && i < connections; i++) {
        struct walker *w = &load->walkers[i];
        w->load = load;
        w->client = http_client_new(&load->loop, "127.0.0.1", port, TIMEOUT_MS);
        good = w->client != NULL;
    }
    return good ? 0 : err_set(&load->err, ERR_NOMEM, "out of memory");
}

static void free_load(struct load *load)
{
    for (int s = 0; s < STAGES; s++)
        hist_free(&load->took[s]);
    json_reader_free(&load->json);
    mem_free(load->walkers);
}

/* Leads so many lives to their ends over HTTP. 0 and *seconds, or -1 and *err. */
static int lead_lives(const struct options *o, const struct demo_texts *texts, int port,
                      uint64_t lives, struct round *round, struct err *err)
{
    struct load load = {.options = o, .texts = texts, .total = lives, .walking = o->connections};
    if (open_load(&load, port) == 0) {
        const uint64_t begin = clock_steady_ns();
        for (uint64_t i = 0; i < o->connections; i++)
            begin_life(&load.walkers[i]);
        uv_run(&load.loop, UV_RUN_DEFAULT);
        round->seconds = (double)(clock_steady_ns() - begin) / 1e9;
        round->pending = load.pending;
        (void)uv_loop_close(&load.loop);
    }
    for (int s = 0; s < STAGES && load.err.code == ERR_NONE; s++) {
        round->p50_ms[s] = (double)hist_quantile(load.took[s], 0.5) / 1000;
        round->p99_ms[s] = (double)hist_quantile(load.took[s], 0.99) / 1000;
    }
    if (load.err.code == ERR_NONE && load.done != lives)
        (void)err_set(&load.err, ERR_UNAVAILABLE, "%" PRIu64 " of %" PRIu64 " lives were led",
                      load.done, lives);
    free_load(&load);
    *err = load.err;
    return err->code == ERR_NONE ? 0 : -1;
}

static double each_us(double before, double after, uint64_t lives)
{
    return (after - before) * 1e6 / (double)lives;
}

static int run_engine(const struct options *o, const struct demo_texts *texts, const char *dir,
                      struct round *round, struct err *err)
{
    const struct engine_options options = {.program = o->jiesu, .dir = dir, .rules = o->rules};
    struct engine_process engine;
    struct round ignored;
    if (engine_start(&engine, &options, err) < 0)
        return -1;
    int result = o->warmup == 0 ? 0 : lead_lives(o, texts, engine.port, o->warmup, &ignored, err);
    const pid_t redis = engine_redis_pid(dir);
    const double engine_s = process_cpu_s(engine.pid), redis_s = process_cpu_s(redis),
                 own_s = process_cpu_s(getpid());
    if (result == 0)
        result = lead_lives(o, texts, engine.port, o->lives, round, err);
    round->engine_us = each_us(engine_s, process_cpu_s(engine.pid), o->lives);
    round->redis_us = each_us(redis_s, process_cpu_s(redis), o->lives);
    round->load_us = each_us(own_s, process_cpu_s(getpid()), o->lives);
    engine_stop(&engine);
    return result;
}

/* --- the ceiling ----------------------------------------------------------------------------- */

struct life {
    struct id id;
    char worker[ID_COMMUNITY_BYTES + 1];
};

/* The calls of a group of lives, stage by stage. */
static int make_group(struct maker *maker, const struct demo_texts *texts, uint64_t from,
                      struct life *lives, uint64_t count, struct calls *calls, struct err *err)
{
    char bytes[BODY_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        const size_t row = (size_t)((from + i) % demo_texts_count(texts));
        if (maker_create(maker, demo_texts_at(texts, row), true, calls, err) < 0)
            return -1;
        lives[i].id = *maker_id(maker);
        (void)snprintf(lives[i].worker, sizeof(lives[i].worker), "%.*s",
                       SPAN_ARG(maker_worker(maker)));
    }
    for (enum stage s = ACCEPT; s < STAGES; s++)
        for (uint64_t i = 0; i < count; i++) {
            const struct span body = step_body(s, span_str(lives[i].worker), bytes);
            if (maker_step(maker, &lives[i].id, stages[s].step, body, calls, err) < 0)
                return -1;
        }
    return 0;
}

static int make_groups(const struct options *o, struct maker *maker, const struct demo_texts *texts,
                       struct calls *calls, struct err *err)
{
    struct life *lives = mem_zalloc(o->connections, sizeof(*lives));
    if (lives == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = 0;
    for (uint64_t from = 0; result == 0 && from < o->lives; from += o->connections) {
        const uint64_t left = o->lives - from;
        result = make_group(maker, texts, from, lives,
                            left < o->connections ? left : o->connections, calls, err);
    }
    mem_free(lives);
    return result;
}

static int make_calls(const struct options *o, const struct demo_texts *texts, struct calls *calls,
                      struct err *err)
{
    struct maker *maker = maker_open(o->rules, err);
    const int result = maker == NULL ? -1 : make_groups(o, maker, texts, calls, err);
    maker_close(&maker);
    return result;
}

struct ceiling {
    const struct options *options;
    const struct calls *calls;
    struct round *round;
};

static int push_all(void *ctx, const struct redis_target *target, pid_t pid, struct err *err)
{
    const struct ceiling *c = ctx;
    struct calls_pipe *pipe = calls_pipe_open(target, err);
    const double redis_s = process_cpu_s(pid);
    const int result = pipe == NULL ? -1
                                    : calls_push(pipe, c->calls, LIMIT_DISPATCH_WINDOW,
                                                 maker_answer, NULL, &c->round->seconds, err);
    c->round->redis_us = each_us(redis_s, process_cpu_s(pid), c->options->lives);
    calls_pipe_close(&pipe);
    return result;
}

/* --- rounds ---------------------------------------------------------------------------------- */

struct bench {
    const struct options *options;
    struct demo_texts *texts;
    struct calls calls;
    char work[64];
    struct round engine[ROUNDS_MAX], ceiling[ROUNDS_MAX];
};

static int run_one(struct bench *b, bool engine, uint64_t round, struct err *err)
{
    const struct options *o = b->options;
    char dir[PATH_MAX];
    (void)snprintf(dir, sizeof(dir), "%s/round", b->work);
    struct round *out = engine ? &b->engine[round] : &b->ceiling[round];
    struct ceiling ceiling = {.options = o, .calls = &b->calls, .round = out};
    const int result =
        engine ? run_engine(o, b->texts, dir, out, err) : bare_run(dir, push_all, &ceiling, err);
    if (result < 0)
        return -1;
    out->per_s = (double)o->lives / out->seconds;
    folder_remove(dir);
    return 0;
}

static int run_rounds(struct bench *b, struct err *err)
{
    for (uint64_t i = 0; i < b->options->rounds; i++) {
        const bool first = i % 2 == 0;
        if (run_one(b, first, i, err) < 0 || run_one(b, !first, i, err) < 0)
            return -1;
        (void)fprintf(stderr, "lifecycle: round %" PRIu64 ": %.0f lives/s, ceiling %.0f/s, %.2f\n",
                      i + 1, b->engine[i].per_s, b->ceiling[i].per_s,
                      b->engine[i].per_s / b->ceiling[i].per_s);
    }
    return 0;
}

/* --- the report ------------------------------------------------------------------------------ */

static int compare_double(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The median of one number of all rounds; offset says which. */
static double median(const struct round *rounds, uint64_t count, size_t offset)
{
    double values[ROUNDS_MAX] = {0};
    for (uint64_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof(values[i]));
    qsort(values, count, sizeof(*values), compare_double);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

#define MEDIAN(b, what, member) \
    median((b)->what, (b)->options->rounds, offsetof(struct round, member))

static double ratio_of(const struct bench *b)
{
    return MEDIAN(b, engine, per_s) / MEDIAN(b, ceiling, per_s);
}

static void write_rounds(struct json_writer *w, const char *name, const struct round *rounds,
                         uint64_t count)
{
    json_key(w, name);
    json_open_array(w);
    for (uint64_t i = 0; i < count; i++)
        json_write_double(w, rounds[i].per_s);
    json_close_array(w);
}

static int write_json(const struct bench *b, struct err *err)
{
    const struct options *o = b->options;
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    if (o->out == NULL)
        return 0;
    json_open_object(&w);
    json_member_double(&w, "lives_per_s", MEDIAN(b, engine, per_s));
    json_member_double(&w, "ceiling_per_s", MEDIAN(b, ceiling, per_s));
    json_member_double(&w, "ratio", ratio_of(b));
    json_member_double(&w, "requests_per_s", MEDIAN(b, engine, per_s) * STAGES);
    json_member_double(&w, "engine_cpu_us", MEDIAN(b, engine, engine_us));
    json_member_double(&w, "redis_cpu_us", MEDIAN(b, engine, redis_us));
    json_member_double(&w, "load_cpu_us", MEDIAN(b, engine, load_us));
    json_member_double(&w, "ceiling_redis_cpu_us", MEDIAN(b, ceiling, redis_us));
    json_key(&w, "p50_ms");
    json_open_object(&w);
    for (int s = 0; s < STAGES; s++)
        json_member_double(&w, stages[s].name, MEDIAN(b, engine, p50_ms[s]));
    json_close_object(&w);
    json_key(&w, "p99_ms");
    json_open_object(&w);
    for (int s = 0; s < STAGES; s++)
        json_member_double(&w, stages[s].name, MEDIAN(b, engine, p99_ms[s]));
    json_close_object(&w);
    json_member_i64(&w, "lives", (int64_t)o->lives);
    json_member_i64(&w, "connections", (int64_t)o->connections);
    write_rounds(&w, "engine_rounds", b->engine, o->rounds);
    write_rounds(&w, "ceiling_rounds", b->ceiling, o->rounds);
    json_close_object(&w);
    buf_char(&out, '\n');
    const int result = buf_ok(&out) ? file_replace(o->out, buf_view(&out), err)
                                    : err_set(err, ERR_NOMEM, "out of memory");
    buf_free(&out);
    return result;
}

static void print_report(const struct bench *b)
{
    const struct options *o = b->options;
    uint64_t pending = 0;
    for (uint64_t i = 0; i < o->rounds; i++)
        pending += b->engine[i].pending;
    printf("whole lives (create, accept, arrive, resolve, rate), medians of %" PRIu64
           " rounds of %" PRIu64 ", %" PRIu64 " at a time\n\n",
           o->rounds, o->lives, o->connections);
    printf("  jiesu, end to end            %8.0f lives/s   %8.0f requests/s\n",
           MEDIAN(b, engine, per_s), MEDIAN(b, engine, per_s) * STAGES);
    printf("  ceiling: the calls alone     %8.0f lives/s   %8.0f calls/s\n",
           MEDIAN(b, ceiling, per_s), MEDIAN(b, ceiling, per_s) * STAGES);
    printf("  ratio                            %.2f           (>= %.2f)\n", ratio_of(b),
           ratio_wanted);
    printf(
        "  processor time for a life: engine %.0f us, its Redis %.0f us (bare %.0f us), this tool "
        "%.0f us\n",
        MEDIAN(b, engine, engine_us), MEDIAN(b, engine, redis_us), MEDIAN(b, ceiling, redis_us),
        MEDIAN(b, engine, load_us));
    printf("  answered in, p50 / p99 ms:");
    for (int s = 0; s < STAGES; s++)
        printf(" %s %.1f / %.1f%s", stages[s].name, MEDIAN(b, engine, p50_ms[s]),
               MEDIAN(b, engine, p99_ms[s]), s + 1 < STAGES ? "," : "\n");
    printf("  answered 202 (durable, not yet in Redis): %" PRIu64 "\n", pending);
}

static int run(struct bench *b, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(b->work, sizeof(b->work), "%.30s/jiesu-lifecycle-XXXXXX",
                   tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(b->work) == NULL)
        return err_set(err, ERR_IO, "%s: %s", b->work, strerror(errno));
    b->texts = demo_texts_load(b->options->data, err);
    int result = -1;
    if (b->texts != NULL && demo_texts_count(b->texts) == 0)
        (void)err_set(err, ERR_INVALID, "%s: no rows", b->options->data);
    else if (b->texts != NULL && make_calls(b->options, b->texts, &b->calls, err) == 0)
        result = run_rounds(b, err);
    if (result == 0) {
        print_report(b);
        result = write_json(b, err);
    }
    calls_free(&b->calls);
    demo_texts_free(&b->texts);
    folder_remove(b->work);
    return result;
}

/* --- the command line ------------------------------------------------------------------------ */

static const struct option known[] = {
    {"data", required_argument, NULL, 'd'},   {"rules", required_argument, NULL, 'R'},
    {"lives", required_argument, NULL, 'n'},  {"warmup", required_argument, NULL, 'w'},
    {"rounds", required_argument, NULL, 'r'}, {"connections", required_argument, NULL, 'c'},
    {"jiesu", required_argument, NULL, 'j'},  {"out", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};

static int take_option(struct options *o, int c)
{
    switch (c) {
    case 'd':
        o->data = optarg;
        return 0;
    case 'R':
        o->rules = optarg;
        return 0;
    case 'j':
        o->jiesu = optarg;
        return 0;
    case 'o':
        o->out = optarg;
        return 0;
    case 'n':
        return span_to_u64(span_str(optarg), 1000000, &o->lives);
    case 'w':
        return span_to_u64(span_str(optarg), 1000000, &o->warmup);
    case 'r':
        return span_to_u64(span_str(optarg), ROUNDS_MAX, &o->rounds);
    case 'c':
        return span_to_u64(span_str(optarg), 4096, &o->connections);
    default:
        return -1;
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    char program[PATH_MAX];
    struct options o = {.data = "rules/cases/demo.tsv",
                        .rules = "rules",
                        .jiesu = engine_program(program, sizeof(program)),
                        .lives = 8000,
                        .warmup = 500,
                        .rounds = 5,
                        .connections = 256};
    int bad = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? EXIT_UNAVAILABLE_ : 0;
        bad |= take_option(&o, c);
    }
    if (bad != 0 || optind < argc || o.lives == 0 || o.rounds == 0 || o.connections == 0) {
        (void)fprintf(stderr, "lifecycle: options not understood; try lifecycle --help\n");
        return EXIT_BAD_USAGE;
    }
    log_set_level(LOG_ERROR); /* the first attempts come before the socket is there */
    struct err err = {0};
    bench.options = &o;
    if (run(&bench, &err) < 0) {
        (void)fprintf(stderr, "lifecycle: %s\n", err.text);
        return EXIT_UNAVAILABLE_;
    }
    return ratio_of(&bench) >= ratio_wanted ? 0 : EXIT_FINDING;
}
