/*
 * load: posts complaints over HTTP as fast as the server answers (closed loop), or at a constant
 * rate (open loop), and says how long the answers took.
 *
 * Closed loop: a fixed number of requests is always under way, connections times pipeline; each
 * answer starts the next request, and a request's time runs from when it was sent.
 *
 * Open loop: request k is meant to start at k / rate, whether or not earlier ones were answered. It
 * is sent then if a connection is free, else as soon as one is, and its time runs from when it was
 * meant to start. So a server that stalls is charged with everyone who would have come meanwhile
 * (no "coordinated omission").
 *
 * Both are one loop over a stack of free slots; the open loop holds back what is not due yet. All
 * bodies are made before the clock starts. The generator shares the machine with what it measures,
 * so it tells what it used itself (cpu_us_per_request).
 */

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hist.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/cli/demo_texts.h"
#include "engine/http/client.h"
#include "engine/http/json_writer.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

enum { EXIT_FINDING = 1, EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };
enum { STATUSES = 600, TIMEOUT_MS = 30000, KEY_LINE_BYTES = 128 };
/* The open loop looks for due requests at most this often: 5,000 times a second. */
static const double tick_min_s = 0.0002;

static const char help[] =
    "load --port N [options]: posts complaints to http://HOST:N/v1/complaints\n"
    "\n"
    "  --host IP          127.0.0.1\n"
    "  --path PATH        /v1/complaints\n"
    "  --data FILE.tsv    the complaints, used in turn (rules/cases/demo.tsv)\n"
    "  --count N          stop after N requests\n"
    "  --seconds S        stop after S seconds (10, when there is no --count)\n"
    "  --warmup N         the first N requests are not measured (0)\n"
    "  --connections C    open connections (64)\n"
    "  --pipeline P       closed loop: requests under way on each connection (1)\n"
    "  --rate R           open loop: R requests a second, whatever the answers do\n"
    "  --keys yes|no      send an Idempotency-Key with each request (yes)\n"
    "  --json             print one JSON object\n"
    "  --help             this text\n"
    "\n"
    "Exit status: 0 good, 1 some requests failed, 64 usage, 69 none was answered.\n";

struct options {
    const char *host, *path, *data;
    int port;
    uint64_t count, warmup; /* count 0: no bound */
    double seconds, rate;   /* 0: no bound, closed loop */
    uint32_t connections, pipeline;
    bool keys, json;
};

struct load;

/* One place on a connection: at most one request at a time. */
struct slot {
    struct load *load;
    struct http_client *client;
    uint64_t start_ns; /* sent, or meant to be sent */
    bool measured;
};

struct load {
    struct options options;
    struct demo_texts *texts;
    size_t text_count;
    uv_loop_t loop;
    uv_poll_t tick;   /* open loop: the timer of due requests */
    uv_timer_t end;   /* closed loop: --seconds are over */
    uv_timer_t panic; /* open loop: what is still not sent never will be */
    int tick_fd;
    struct http_client **clients;
    struct slot *slots, **free;
    size_t slot_count, free_count;
    uint64_t run; /* tells the keys of one run from another's */

    uint64_t total;                      /* requests to send; UINT64_MAX: until stopped */
    uint64_t sent, answered, unanswered; /* all, also the warm-up's; unanswered: status 0 */
    bool stopping;
    uint64_t begin_ns;           /* of the first request: the open loop's zero */
    uint64_t first_ns, last_ns;  /* measured: first start, last answer */
    uint64_t statuses[STATUSES]; /* measured */
    uint64_t measured;
    struct hist *hist; /* microseconds */
    struct rusage before, after;
};

static uint64_t due_ns(const struct load *load, uint64_t k)
{
    return load->begin_ns + (uint64_t)((double)k * 1e9 / load->options.rate);
}

static void stop_when_done(struct load *load)
{
    if (load->sent == load->total)
        load->stopping = true;
    if (!load->stopping || load->free_count < load->slot_count)
        return;
    uv_close((uv_handle_t *)&load->end, NULL);
    uv_close((uv_handle_t *)&load->panic, NULL);
    if (load->options.rate > 0)
        uv_close((uv_handle_t *)&load->tick, NULL);
    for (uint32_t i = 0; i < load->options.connections; i++)
        http_client_close(&load->clients[i]);
}

static void pump(struct load *load);

static void on_done(void *ctx, const struct http_response *response)
{
    struct slot *slot = ctx;
    struct load *load = slot->load;
    const uint64_t now = clock_steady_ns();
    load->answered++;
    if (response->status == 0)
        load->unanswered++;
    if (slot->measured) {
        const int status = response->status;
        load->measured++;
        load->statuses[status >= 0 && status < STATUSES ? status : 0]++;
        load->last_ns = now;
        hist_record(load->hist, (now - slot->start_ns) / 1000);
    }
    load->free[load->free_count++] = slot;
    /* A server that is not there is not asked a million times. */
    if (load->answered == load->slot_count && load->unanswered == load->answered)
        load->stopping = true;
    pump(load);
}

static void send_one(struct load *load, uint64_t start_ns)
{
    struct slot *slot = load->free[--load->free_count];
    const uint64_t k = load->sent++;
    char line[KEY_LINE_BYTES];
    int len = snprintf(line, sizeof(line), "Content-Type: application/json\r\n");
    if (load->options.keys)
        len = snprintf(line, sizeof(line),
                       "Content-Type: application/json\r\nIdempotency-Key: %016" PRIx64 "-%" PRIu64
                       "\r\n",
                       load->run, k);
    CHECK(len > 0 && (size_t)len < sizeof(line));
    slot->start_ns = start_ns;
    slot->measured = k >= load->options.warmup;
    if (k == load->options.warmup) {
        load->first_ns = start_ns;
        getrusage(RUSAGE_SELF, &load->before);
    }
    const struct span body = demo_texts_at(load->texts, (size_t)(k % load->text_count));
    if (http_client_send(slot->client, "POST", load->options.path, span_of(line, (size_t)len), body,
                         on_done, slot) < 0) {
        (void)fprintf(stderr, "load: out of memory\n");
        exit(EXIT_UNAVAILABLE_);
    }
}

/* Sends all that may be sent now. */
static void pump(struct load *load)
{
    const uint64_t now = clock_steady_ns();
    while (!load->stopping && load->free_count > 0 && load->sent < load->total) {
        uint64_t start_ns = now;
        if (load->options.rate > 0) {
            start_ns = due_ns(load, load->sent);
            if (start_ns > now)
                break;
        }
        send_one(load, start_ns);
    }
    stop_when_done(load);
}

static void on_tick(uv_poll_t *poll, int status, int events)
{
    struct load *load = poll->data;
    uint64_t expired;
    (void)status;
    (void)events;
    if (read(load->tick_fd, &expired, sizeof(expired)) > 0 && !load->stopping)
        pump(load);
}

static void on_end(uv_timer_t *timer)
{
    struct load *load = timer->data;
    load->stopping = true;
    stop_when_done(load);
}

static int start_ticking(struct load *load)
{
    const double interval =
        1 / load->options.rate > tick_min_s ? 1 / load->options.rate : tick_min_s;
    const long ns = (long)(interval * 1e9) % 1000000000L;
    const time_t s = (time_t)interval;
    const struct itimerspec spec = {.it_interval = {s, ns}, .it_value = {s, ns}};
    load->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load->tick_fd < 0 || timerfd_settime(load->tick_fd, 0, &spec, NULL) < 0 ||
        uv_poll_init(&load->loop, &load->tick, load->tick_fd) != 0)
        return -1;
    load->tick.data = load;
    return uv_poll_start(&load->tick, UV_READABLE, on_tick);
}

static int open_connections(struct load *load)
{
    const struct options *o = &load->options;
    load->slot_count = (size_t)o->connections * o->pipeline;
    load->clients = mem_zalloc(o->connections, sizeof(*load->clients));
    load->slots = mem_zalloc(load->slot_count, sizeof(*load->slots));
    load->free = mem_zalloc(load->slot_count, sizeof(struct slot *));
    load->hist = hist_new();
    if (load->clients == NULL || load->slots == NULL || load->free == NULL || load->hist == NULL)
        return -1;
    for (uint32_t i = 0; i < o->connections; i++) {
        load->clients[i] = http_client_new(&load->loop, o->host, o->port, TIMEOUT_MS);
        if (load->clients[i] == NULL)
            return -1;
    }
    for (size_t i = 0; i < load->slot_count; i++) {
        load->slots[i] = (struct slot){.load = load, .client = load->clients[i % o->connections]};
        load->free[load->free_count++] = &load->slots[i];
    }
    return 0;
}

/* How many to send, and when to stop. */
static void set_bounds(struct load *load)
{
    const struct options *o = &load->options;
    load->total = o->count > 0 ? o->count + o->warmup : UINT64_MAX;
    uv_timer_init(&load->loop, &load->end);
    uv_timer_init(&load->loop, &load->panic);
    load->end.data = load->panic.data = load;
    if (o->rate > 0) {
        const double seconds = o->seconds > 0 ? o->seconds : (double)o->count / o->rate;
        const uint64_t due = (uint64_t)(seconds * o->rate) + o->warmup;
        if (due < load->total)
            load->total = due;
        const double longest = seconds + (double)o->warmup / o->rate;
        uv_timer_start(&load->panic, on_end, (uint64_t)(longest * 2000) + TIMEOUT_MS, 0);
    } else if (o->seconds > 0) {
        uv_timer_start(&load->end, on_end, (uint64_t)(o->seconds * 1000), 0);
    }
}

static int run(struct load *load)
{
    random_bytes(&load->run, sizeof(load->run));
    load->text_count = demo_texts_count(load->texts);
    if (uv_loop_init(&load->loop) != 0 || open_connections(load) < 0)
        return -1;
    set_bounds(load);
    if (load->options.rate > 0 && start_ticking(load) != 0)
        return -1;
    load->begin_ns = clock_steady_ns();
    uv_update_time(&load->loop);
    pump(load);
    uv_run(&load->loop, UV_RUN_DEFAULT);
    getrusage(RUSAGE_SELF, &load->after);
    if (load->options.rate > 0)
        (void)close(load->tick_fd);
    return uv_loop_close(&load->loop) == 0 ? 0 : -1;
}

/* --- the report ------------------------------------------------------------------------------ */

struct report {
    uint64_t good, errors, unsent;
    double seconds, cpu_us;
};

static double cpu_s(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static struct report make_report(const struct load *load)
{
    struct report r = {.good = 0};
    for (int status = 200; status < 300; status++)
        r.good += load->statuses[status];
    r.errors = load->measured - r.good;
    if (load->total != UINT64_MAX)
        r.unsent = load->total - load->sent;
    if (load->last_ns > load->first_ns)
        r.seconds = (double)(load->last_ns - load->first_ns) / 1e9;
    if (load->measured > 0)
        r.cpu_us = (cpu_s(&load->after) - cpu_s(&load->before)) * 1e6 / (double)load->measured;
    return r;
}

static double per_s(uint64_t n, const struct report *r)
{
    return r->seconds > 0 ? (double)n / r->seconds : 0;
}

static double quantile_ms(const struct load *load, double q)
{
    return (double)hist_quantile(load->hist, q) / 1000;
}

static int print_json(const struct load *load, const struct report *r)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_i64(&w, "requests", (int64_t)load->measured);
    json_member_i64(&w, "errors", (int64_t)(r->errors + r->unsent));
    json_member_i64(&w, "unsent", (int64_t)r->unsent);
    json_key(&w, "statuses");
    json_open_object(&w);
    for (int status = 0; status < STATUSES; status++) {
        char name[12];
        if (load->statuses[status] == 0)
            continue;
        (void)snprintf(name, sizeof(name), "%d", status);
        json_member_i64(&w, name, (int64_t)load->statuses[status]);
    }
    json_close_object(&w);
    json_member_i64(&w, "connections", load->options.connections);
    json_member_i64(&w, "pipeline", load->options.pipeline);
    json_member_double(&w, "rate", load->options.rate);
    json_member_double(&w, "seconds", r->seconds);
    json_member_double(&w, "per_s", per_s(r->good, r));
    json_member_double(&w, "created_per_s", per_s(load->statuses[201], r));
    json_member_double(&w, "p50_ms", quantile_ms(load, 0.5));
    json_member_double(&w, "p90_ms", quantile_ms(load, 0.9));
    json_member_double(&w, "p99_ms", quantile_ms(load, 0.99));
    json_member_double(&w, "p999_ms", quantile_ms(load, 0.999));
    json_member_double(&w, "max_ms", (double)hist_max(load->hist) / 1000);
    json_member_double(&w, "cpu_us_per_request", r->cpu_us);
    json_close_object(&w);
    buf_char(&out, '\n');
    const bool good = buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    buf_free(&out);
    return good ? 0 : -1;
}

static void print_text(const struct load *load, const struct report *r)
{
    printf("%" PRIu64 " requests in %.2f s, %.0f good ones per second (201: %.0f)\n",
           load->measured, r->seconds, per_s(r->good, r), per_s(load->statuses[201], r));
    printf("answered in: p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f\n",
           quantile_ms(load, 0.5), quantile_ms(load, 0.9), quantile_ms(load, 0.99),
           quantile_ms(load, 0.999), (double)hist_max(load->hist) / 1000);
    for (int status = 0; status < STATUSES; status++) {
        if (load->statuses[status] > 0)
            printf("  %d: %" PRIu64 "%s\n", status, load->statuses[status],
                   status == 0 ? " (no answer)" : "");
    }
    if (r->unsent > 0)
        printf("  not sent, for no connection became free: %" PRIu64 "\n", r->unsent);
    printf("the generator itself took %.1f us of processor per request\n", r->cpu_us);
}

/* --- the command line ------------------------------------------------------------------------ */

static int bad_usage(const char *what)
{
    (void)fprintf(stderr, "load: %s; try load --help\n", what);
    return -1;
}

static int take_number(const char *name, const char *text, uint64_t max, uint64_t *out)
{
    if (span_to_u64(span_str(text), max, out) == 0)
        return 0;
    (void)fprintf(stderr, "load: --%s must be a number up to %" PRIu64 "\n", name, max);
    return -1;
}

static int take_positive(const char *name, const char *text, double *out)
{
    if (span_to_double(span_str(text), out) == 0 && *out > 0)
        return 0;
    (void)fprintf(stderr, "load: --%s must be a number above 0\n", name);
    return -1;
}

static const struct option known[] = {
    {"host", required_argument, NULL, 'h'},     {"port", required_argument, NULL, 'p'},
    {"path", required_argument, NULL, 'a'},     {"data", required_argument, NULL, 'd'},
    {"count", required_argument, NULL, 'n'},    {"seconds", required_argument, NULL, 's'},
    {"warmup", required_argument, NULL, 'w'},   {"connections", required_argument, NULL, 'c'},
    {"pipeline", required_argument, NULL, 'P'}, {"rate", required_argument, NULL, 'r'},
    {"keys", required_argument, NULL, 'k'},     {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, '?' + 128},     {NULL, 0, NULL, 0}};

static int take_option(struct options *o, int c, const char *name)
{
    uint64_t n = 0;
    int result = 0;
    switch (c) {
    case 'h':
        o->host = optarg;
        break;
    case 'a':
        o->path = optarg;
        break;
    case 'd':
        o->data = optarg;
        break;
    case 'p':
        result = take_number(name, optarg, 65535, &n);
        o->port = (int)n;
        break;
    case 'n':
        result = take_number(name, optarg, 1000000000, &o->count);
        break;
    case 'w':
        result = take_number(name, optarg, 1000000000, &o->warmup);
        break;
    case 'c':
        result = take_number(name, optarg, 10000, &n);
        o->connections = (uint32_t)n;
        break;
    case 'P':
        result = take_number(name, optarg, 1000, &n);
        o->pipeline = (uint32_t)n;
        break;
    case 's':
        result = take_positive(name, optarg, &o->seconds);
        break;
    case 'r':
        result = take_positive(name, optarg, &o->rate);
        break;
    case 'k':
        o->keys = strcmp(optarg, "yes") == 0;
        if (!o->keys && strcmp(optarg, "no") != 0)
            result = bad_usage("--keys must be yes or no");
        break;
    case 'j':
        o->json = true;
        break;
    default:
        result = -1;
        break;
    }
    return result;
}

/* 0, 1 when help was asked for, or -1. */
static int parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.host = "127.0.0.1",
                          .path = "/v1/complaints",
                          .data = "rules/cases/demo.tsv",
                          .connections = 64,
                          .pipeline = 1,
                          .keys = true};
    int index = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, &index)) != -1;) {
        if (c == '?' + 128)
            return 1;
        if (take_option(o, c, c == '?' ? "" : known[index].name) < 0)
            return -1;
    }
    if (optind < argc || o->port == 0 || o->connections == 0 || o->pipeline == 0)
        return bad_usage("--port, and at least one connection, are required");
    if (o->rate > 0)
        o->pipeline = 1;
    if (o->count == 0 && o->seconds <= 0)
        o->seconds = 10;
    return 0;
}

int main(int argc, char **argv)
{
    struct load load = {.tick_fd = -1};
    struct err err = {0};
    const int parsed = parse(&load.options, argc, argv);
    if (parsed > 0)
        return fputs(help, stdout) < 0 ? EXIT_UNAVAILABLE_ : 0;
    if (parsed < 0)
        return EXIT_BAD_USAGE;
    load.texts = demo_texts_load(load.options.data, &err);
    if (load.texts != NULL && demo_texts_count(load.texts) == 0)
        err_set(&err, ERR_INVALID, "%s: no rows", load.options.data);
    else if (load.texts != NULL && run(&load) < 0)
        err_set(&err, ERR_IO, "it could not start: out of memory or of file descriptors");
    if (err.code != ERR_NONE) {
        (void)fprintf(stderr, "load: %s\n", err.text);
        return EXIT_UNAVAILABLE_;
    }
    const struct report report = make_report(&load);
    if (load.options.json)
        (void)print_json(&load, &report);
    else
        print_text(&load, &report);
    hist_free(&load.hist);
    mem_free(load.clients);
    mem_free(load.slots);
    mem_free(load.free);
    demo_texts_free(&load.texts);
    if (report.good == 0)
        return EXIT_UNAVAILABLE_;
    return report.errors + report.unsent == 0 ? 0 : EXIT_FINDING;
}
