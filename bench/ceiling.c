/*
 * ceiling: how many orders a second the same Redis could take, if there were nothing around it.
 *
 * The function calls that the engine would make for the texts are made first: each complaint is
 * decoded, decided and encoded by the engine's own code, and written down in Redis' protocol. Then
 * the clock starts, and they are pushed through one socket into a Redis that is started and
 * configured as the embedded one is: a claim and a create for each complaint, pipelined, with as
 * many in flight as the dispatcher allows itself. What is left is Redis, its append-only file and a
 * socket. The engine's rate end to end, divided by this one, is what the engine costs.
 */

#include "engine/api/complaint_json.h"
#include "engine/api/order_record.h"
#include "engine/app/redis_child.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/cli/demo_texts.h"
#include "engine/http/json_writer.h"
#include "engine/model/pipeline.h"
#include "engine/store/keys.h"
#include "engine/store/record.h"
#include "engine/store/redis_link.h"
#include "engine/store/reply_reader.h"
#include "functions_lua.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };
enum { READ_BYTES = 65536, STALL_MS = 10000 };

static const char help[] =
    "ceiling --data-dir DIR [options]: pushes the engine's function calls into a bare Redis\n"
    "\n"
    "  --data-dir DIR   a folder to make, for the Redis that is started\n"
    "  --data FILE.tsv  the complaints, used in turn (rules/cases/demo.tsv)\n"
    "  --rules DIR      the rule set (rules)\n"
    "  --count N        complaints to make and push (20000)\n"
    "  --window N       calls in flight (the dispatcher's)\n"
    "  --keys yes|no    claim an idempotency key for each, as the engine does (yes)\n"
    "  --json           print one JSON object\n"
    "  --help           this text\n";

struct options {
    const char *dir, *data, *rules;
    uint64_t count, window;
    bool keys, json;
};

/* The calls in Redis' protocol, one behind the other. */
struct calls {
    struct buf bytes;
    size_t *ends;
    size_t count, capacity;
};

static int add_call(struct calls *calls, size_t argc, const struct span *argv)
{
    if (calls->count == calls->capacity) {
        const size_t capacity = calls->capacity == 0 ? 4096 : calls->capacity * 2;
        size_t *ends = mem_resize(calls->ends, capacity, sizeof(*ends));
        if (ends == NULL)
            return -1;
        calls->ends = ends;
        calls->capacity = capacity;
    }
    redis_format(&calls->bytes, argc, argv);
    calls->ends[calls->count++] = calls->bytes.len;
    return buf_ok(&calls->bytes) ? 0 : -1;
}

/* --- making the calls ------------------------------------------------------------------------ */

/* What the engine has for each of its loops. */
struct maker {
    struct policy *policy;
    struct rules_scratch *scratch;
    struct json_reader *json;
    struct order order; /* the record borrows from it */
    struct order_texts texts;
    struct buf errors;
    uint64_t run;
};

static int claim_call(const struct maker *maker, uint64_t k, struct record *record,
                      struct calls *calls)
{
    char name[48];
    const int len = snprintf(name, sizeof(name), "%016" PRIx64 "-%" PRIu64, maker->run, k);
    record->claim = hash128(span_of(name, (size_t)len));
    struct record_claim claim;
    record_claim(record, &record->id, &claim);
    return add_call(calls, RECORD_CLAIM_ARGS, claim.argv);
}

/* The record that ingest would hand to the dispatcher. */
static int make_record(struct maker *maker, struct span body, struct record *record,
                       struct err *err)
{
    struct json root;
    struct complaint complaint;
    if (json_parse(maker->json, body, &root, err) < 0)
        return -1;
    if (complaint_decode(root, &complaint, &maker->errors) < 0)
        return err_set(err, ERR_INVALID, "the engine would answer 400");
    if (pipeline_run(maker->policy, maker->scratch, NULL, &complaint, clock_now_ms(), &maker->order,
                     err) < 0)
        return -1;
    if (order_record(&maker->order, maker->policy, &maker->texts, record) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    record->body = hash128(body);
    return 0;
}

static int make_calls(struct maker *maker, const struct options *o, const struct demo_texts *texts,
                      struct calls *calls, struct err *err)
{
    for (uint64_t k = 0; k < o->count; k++) {
        const size_t row = (size_t)(k % demo_texts_count(texts));
        struct record record = {0};
        if (make_record(maker, demo_texts_at(texts, row), &record, err) < 0)
            return err_prefix(err, "%s, complaint %zu", o->data, row + 1);
        if ((o->keys && claim_call(maker, k, &record, calls) < 0) ||
            add_call(calls, record.argc, record.argv) < 0)
            return err_set(err, ERR_NOMEM, "out of memory for the calls; use a lower --count");
    }
    return 0;
}

static int prepare(const struct options *o, struct calls *calls, struct err *err)
{
    struct maker maker = {.policy = policy_load(o->rules, err),
                          .scratch = rules_scratch_new(),
                          .json = json_reader_new(LIMIT_JSON_DEPTH)};
    struct demo_texts *texts = NULL;
    int result = -1;
    random_bytes(&maker.run, sizeof(maker.run));
    if (maker.scratch == NULL || maker.json == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else if (maker.policy != NULL && (texts = demo_texts_load(o->data, err)) != NULL)
        result = demo_texts_count(texts) == 0 ? err_set(err, ERR_INVALID, "%s: no rows", o->data)
                                              : make_calls(&maker, o, texts, calls, err);
    demo_texts_free(&texts);
    order_texts_free(&maker.texts);
    buf_free(&maker.errors);
    json_reader_free(&maker.json);
    rules_scratch_free(&maker.scratch);
    policy_unref(&maker.policy);
    return result;
}

/* --- pushing them ---------------------------------------------------------------------------- */

static int dial(const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_IO, "the socket's path is too long: %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Counts the answers that are there; each must say that something new was stored. */
static int take_answers(struct reply_reader *reader, const struct options *o, size_t *answered,
                        struct err *err)
{
    const struct reply *reply;
    int got;
    while ((got = reply_reader_next(reader, &reply, err)) == 1) {
        const bool claim = o->keys && *answered % 2 == 0;
        const struct span said =
            reply_size(reply) > 0 ? reply_span(reply_at(reply, 0)) : (struct span){NULL, 0};
        if (!span_eq(said, claim ? SPAN("claimed") : SPAN("created")))
            return err_set(err, ERR_PROTOCOL, "Redis answered call %zu with: %.*s", *answered,
                           SPAN_ARG(said.len > 0 ? said : reply_span(reply)));
        ++*answered;
    }
    return got;
}

/* Keeps the window full until all is answered. 0 and *seconds, or -1. */
static int push(int fd, struct reply_reader *reader, const struct calls *calls,
                const struct options *o, double *seconds, struct err *err)
{
    size_t sent = 0, answered = 0;
    char in[READ_BYTES];
    const uint64_t begin = clock_steady_ns();
    while (answered < calls->count) {
        const size_t last =
            answered + o->window < calls->count ? answered + o->window : calls->count;
        const size_t may = calls->ends[last - 1];
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (sent < may)
            poller.events |= POLLOUT;
        if (poll(&poller, 1, STALL_MS) <= 0)
            return err_set(err, ERR_TIMEOUT, "Redis did not answer");
        if ((poller.revents & POLLOUT) != 0) {
            const ssize_t n =
                send(fd, calls->bytes.data + sent, may - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                return err_set(err, ERR_IO, "Redis: %s", strerror(errno));
            sent += n > 0 ? (size_t)n : 0;
        }
        if ((poller.revents & ~POLLOUT) != 0) {
            const ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
            if (n <= 0)
                return err_set(err, ERR_IO, "Redis closed the connection");
            if (reply_reader_feed(reader, in, (size_t)n, err) < 0 ||
                take_answers(reader, o, &answered, err) < 0)
                return -1;
        }
    }
    *seconds = (double)(clock_steady_ns() - begin) / 1e9;
    return 0;
}

static int measure(const struct redis_target *target, const struct calls *calls,
                   const struct options *o, double *seconds, struct err *err)
{
    struct reply_reader *reader = reply_reader_new(LIMIT_REDIS_REPLY_BYTES);
    if (reader == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int fd = dial(target->host[0], err);
    const int result = fd < 0 ? -1 : push(fd, reader, calls, o, seconds, err);
    if (fd >= 0)
        (void)close(fd);
    reply_reader_free(&reader);
    return result;
}

/* --- the Redis to push them into ------------------------------------------------------------- */

struct run {
    const struct options *options;
    const struct calls *calls;
    struct redis_target target;
    struct redis_child *child;
    struct redis *redis;
    double seconds;
    int result;
    struct err err;
};

static void on_stopped(void *ctx)
{
    redis_child_free(&((struct run *)ctx)->child);
}

/* The functions are loaded: nothing else has to happen on the loop while it is measured. */
static void on_ready(void *ctx, struct span fingerprint)
{
    struct run *run = ctx;
    (void)fingerprint;
    run->result = measure(&run->target, run->calls, run->options, &run->seconds, &run->err);
    redis_close(&run->redis);
    redis_child_stop(run->child, on_stopped, run);
}

static int run_all(struct run *run)
{
    const char *dir = run->options->dir;
    uv_loop_t loop;
    if (mkdir(dir, 0700) < 0)
        return err_set(&run->err, ERR_IO, "%s: %s; name a folder that is not there yet", dir,
                       strerror(errno));
    if (uv_loop_init(&loop) != 0)
        return err_set(&run->err, ERR_NOMEM, "out of memory");
    run->child = redis_child_start(&loop, dir, NULL, &run->err);
    if (run->child == NULL)
        return -1;
    redis_child_target(run->child, &run->target);
    const struct redis_options options = {
        .target = run->target, .library = functions_lua, .on_ready = on_ready, .ctx = run};
    run->result = -1;
    run->redis = redis_new(&loop, &options, &run->err);
    if (run->redis == NULL)
        redis_child_stop(run->child, on_stopped, run);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return run->result;
}

static int report(const struct options *o, const struct calls *calls, double seconds)
{
    const double rate = seconds > 0 ? (double)o->count / seconds : 0;
    const double each = (double)calls->bytes.len / (double)o->count;
    if (!o->json)
        return printf("%" PRIu64 " orders in %.2f s: %.0f per second, %.0f bytes each\n", o->count,
                      seconds, rate, each) < 0;
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_i64(&w, "orders", (int64_t)o->count);
    json_member_i64(&w, "calls", (int64_t)calls->count);
    json_member_double(&w, "bytes_each", each);
    json_member_double(&w, "seconds", seconds);
    json_member_double(&w, "per_s", rate);
    json_close_object(&w);
    buf_char(&out, '\n');
    const bool good = buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    buf_free(&out);
    return good ? 0 : EXIT_UNAVAILABLE_;
}

/* --- the command line ------------------------------------------------------------------------ */

static const struct option known[] = {{"data-dir", required_argument, NULL, 'D'},
                                      {"data", required_argument, NULL, 'd'},
                                      {"rules", required_argument, NULL, 'R'},
                                      {"count", required_argument, NULL, 'n'},
                                      {"window", required_argument, NULL, 'w'},
                                      {"keys", required_argument, NULL, 'k'},
                                      {"json", no_argument, NULL, 'j'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static int take_option(struct options *o, int c)
{
    switch (c) {
    case 'D':
        o->dir = optarg;
        return 0;
    case 'd':
        o->data = optarg;
        return 0;
    case 'R':
        o->rules = optarg;
        return 0;
    case 'n':
        return span_to_u64(span_str(optarg), 10000000, &o->count);
    case 'w':
        return span_to_u64(span_str(optarg), 1000000, &o->window);
    case 'k':
        o->keys = strcmp(optarg, "yes") == 0;
        return o->keys || strcmp(optarg, "no") == 0 ? 0 : -1;
    case 'j':
        o->json = true;
        return 0;
    default:
        return -1;
    }
}

int main(int argc, char **argv)
{
    struct options o = {.data = "rules/cases/demo.tsv",
                        .rules = "rules",
                        .count = 20000,
                        .window = LIMIT_DISPATCH_WINDOW,
                        .keys = true};
    int bad = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? EXIT_UNAVAILABLE_ : 0;
        bad |= take_option(&o, c);
    }
    if (bad != 0 || optind < argc || o.dir == NULL || o.count == 0 || o.window == 0) {
        (void)fprintf(stderr, "ceiling: options not understood; try ceiling --help\n");
        return EXIT_BAD_USAGE;
    }
    log_set_level(LOG_ERROR); /* the first attempts come before the socket is there */
    struct calls calls = {.count = 0};
    struct run run = {.options = &o, .calls = &calls};
    int status = EXIT_UNAVAILABLE_;
    if (prepare(&o, &calls, &run.err) < 0 || run_all(&run) < 0)
        (void)fprintf(stderr, "ceiling: %s\n", run.err.text);
    else
        status = report(&o, &calls, run.seconds);
    buf_free(&calls.bytes);
    mem_free(calls.ends);
    return status;
}
