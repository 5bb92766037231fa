/*
 * ceiling: how many orders a second the same Redis could take, if there were nothing around it.
 *
 * The function calls that the engine would make for the texts are made first: each complaint is
 * decoded, decided and encoded by the engine's own code, and written down in Redis' protocol. Then
 * the clock starts, and they are pushed through one socket into a Redis that is started and
 * configured as the embedded one is: a create with its claim for each complaint, pipelined, with
 * as many in flight as the dispatcher allows itself. What is left is Redis, its append-only file
 * and a socket. The engine's rate end to end, divided by this one, is what the engine costs.
 */

#include "bench/shared/bare.h"
#include "bench/shared/maker.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/cli/demo_texts.h"
#include "engine/http/json_writer.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };

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

static int make_calls(struct maker *maker, const struct options *o, const struct demo_texts *texts,
                      struct calls *calls, struct err *err)
{
    for (uint64_t k = 0; k < o->count; k++) {
        const size_t row = (size_t)(k % demo_texts_count(texts));
        if (maker_create(maker, demo_texts_at(texts, row), o->keys, calls, err) < 0)
            return err_prefix(err, "%s, complaint %zu", o->data, row + 1);
    }
    return 0;
}

static int prepare(const struct options *o, struct calls *calls, struct err *err)
{
    struct maker *maker = maker_open(o->rules, err);
    struct demo_texts *texts = maker == NULL ? NULL : demo_texts_load(o->data, err);
    int result = -1;
    if (texts != NULL)
        result = demo_texts_count(texts) == 0 ? err_set(err, ERR_INVALID, "%s: no rows", o->data)
                                              : make_calls(maker, o, texts, calls, err);
    demo_texts_free(&texts);
    maker_close(&maker);
    return result;
}

/* --- pushing them ---------------------------------------------------------------------------- */

struct run {
    const struct options *options;
    struct calls calls;
    double seconds;
};

static int measure(void *ctx, const struct redis_target *target, pid_t pid, struct err *err)
{
    struct run *run = ctx;
    (void)pid;
    struct calls_pipe *pipe = calls_pipe_open(target, err);
    const int result = pipe == NULL ? -1
                                    : calls_push(pipe, &run->calls, run->options->window,
                                                 maker_answer, NULL, &run->seconds, err);
    calls_pipe_close(&pipe);
    return result;
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
    struct run run = {.options = &o};
    struct err err = {0};
    int status = EXIT_UNAVAILABLE_;
    if (prepare(&o, &run.calls, &err) < 0 || bare_run(o.dir, measure, &run, &err) < 0)
        (void)fprintf(stderr, "ceiling: %s\n", err.text);
    else
        status = report(&o, &run.calls, run.seconds);
    calls_free(&run.calls);
    return status;
}
