/*
 * The client against real servers that are killed, frozen and slow, and against false ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/redis.h"
#include "tests/store/support_seen.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY(version, value)                                                   \
    "#!lua name=jiesu\n-- version " version "\n"                                  \
    "redis.register_function{function_name='jiesu_version', flags={'no-writes'}," \
    " callback=function() return " version " end}\n"                              \
    "redis.register_function{function_name='probe', flags={'no-writes'},"         \
    " callback=function() return '" value "' end}\n"

enum { PATIENCE_MS = 10000, QUICK_MS = 150 };

static struct redis_options options_for(struct seen *seen, const struct redis_target *target)
{
    return (struct redis_options){
        .target = *target,
        .on_ready = seen_ready,
        .on_lost = seen_lost,
        .ctx = seen,
        .connect_ms = QUICK_MS,
        .command_ms = QUICK_MS,
    };
}

static void seen_connect_patient(struct seen *seen, const struct redis_target *target,
                                 uint32_t command_ms)
{
    struct err err = {0};
    seen_begin(seen);
    struct redis_options options = options_for(seen, target);
    options.command_ms = command_ms;
    seen->redis = redis_new(&seen->loop, &options, &err);
    assert_non_null(seen->redis);
    assert_false(redis_ready(seen->redis));
    assert_true(test_run_until(&seen->loop, &seen->ready, PATIENCE_MS));
    assert_true(redis_ready(seen->redis));
}

static void seen_connect(struct seen *seen, const struct redis_target *target)
{
    seen_connect_patient(seen, target, QUICK_MS);
}

static int send_words(struct seen *seen, size_t argc, const char *const *words, struct err *err)
{
    struct span argv[8];
    assert_true(argc <= 8);
    for (size_t i = 0; i < argc; i++)
        argv[i] = span_str(words[i]);
    return redis_command(seen->redis, argc > 1 ? argv[1] : argv[0], argc, argv, seen_done, seen,
                         err);
}

#define SEND(seen, err, ...)                                                        \
    send_words((seen), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
               (const char *const[]){__VA_ARGS__}, (err))

static void await_all(struct seen *seen, size_t expected)
{
    seen->expected = expected;
    seen->all = seen->answered + seen->failed == expected;
    assert_true(test_run_until(&seen->loop, &seen->all, PATIENCE_MS));
}

/* ---- a single server ---- */

static void test_answers_in_order(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(SEND(&seen, NULL, "INCR", "n"), 0);
    assert_int_equal(redis_pending(seen.redis), 1000);
    assert_int_equal(seen.answered, 0); /* never from inside redis_command */
    await_all(&seen, 1000);
    assert_int_equal(seen.answered, 1000);
    assert_false(seen.out_of_order);
    assert_int_equal(redis_pending(seen.redis), 0);
    assert_string_equal(test_redis_ask(&server, "GET n"), "1000");
    assert_non_null(strstr(test_redis_ask(&server, "INFO server"), seen.fingerprint));
    seen_end(&seen);
    test_redis_stop(&server);
}

/* Larger than any socket buffer, in both directions, and binary. */
static void test_large_values(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect_patient(&seen, &target, PATIENCE_MS);
    size_t len = 4 << 20;
    char *value = mem_alloc(len);
    assert_non_null(value);
    for (size_t i = 0; i < len; i++)
        value[i] = (char)(i * 7);
    struct span argv[] = {SPAN("SET"), SPAN("k"), span_of(value, len)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(redis_command(seen.redis, argv[1], 3, argv, seen_done, &seen, NULL), 0);
    assert_int_equal(SEND(&seen, NULL, "GET", "k"), 0);
    assert_int_equal(SEND(&seen, NULL, "ECHO", "after"), 0);
    await_all(&seen, 5);
    assert_int_equal(seen.answered, 5);
    assert_string_equal(seen.text, "after");
    assert_string_equal(test_redis_ask(&server, "STRLEN k"), "4194304");
    mem_free(value);
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_error_reply_is_a_reply(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    assert_int_equal(SEND(&seen, NULL, "NOSUCH"), 0);
    await_all(&seen, 1);
    assert_int_equal(seen.answered, 1);
    assert_non_null(strstr(seen.text, "ERR unknown command"));
    assert_int_equal(seen.losses, 0);
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_kill_in_flight_and_return(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    char before[128];
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    snprintf(before, sizeof(before), "%s", seen.fingerprint);
    for (int i = 0; i < 100; i++)
        assert_int_equal(SEND(&seen, NULL, "INCR", "n"), 0);
    test_redis_kill(&server);
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    assert_int_equal(seen.failed, 100);
    assert_int_equal(seen.code, ERR_UNAVAILABLE);
    assert_int_equal(seen.failed_when_lost, 100);
    assert_int_equal(seen.losses, 1);
    struct err err;
    assert_int_equal(SEND(&seen, &err, "INCR", "n"), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    test_run_for(&seen.loop, 100); /* some refused connections */
    test_redis_restart(&server);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_string_not_equal(before, seen.fingerprint);
    assert_int_equal(SEND(&seen, NULL, "PING"), 0);
    await_all(&seen, 101);
    assert_string_equal(seen.text, "PONG");
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_same_server_same_fingerprint(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    char before[128];
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    snprintf(before, sizeof(before), "%s", seen.fingerprint);
    seen.ready = false;
    test_redis_ask(&server, "CLIENT KILL TYPE normal");
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_int_equal(seen.losses, 1);
    assert_string_equal(before, seen.fingerprint);
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_freeze_passes_the_deadline(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    test_redis_freeze(&server);
    for (int i = 0; i < 10; i++)
        assert_int_equal(SEND(&seen, NULL, "INCR", "n"), 0);
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    assert_int_equal(seen.failed, 10);
    assert_int_equal(seen.code, ERR_TIMEOUT);
    test_run_for(&seen.loop, 2 * QUICK_MS); /* connects, and is not answered */
    assert_false(seen.ready);
    test_redis_thaw(&server);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    seen_end(&seen);
    test_redis_stop(&server);
}

/* Without a command on its way, the PING of an idle connection finds out. */
static void test_freeze_while_idle(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    test_run_for(&seen.loop, 3 * QUICK_MS);
    assert_int_equal(seen.losses, 0); /* PINGs are answered */
    test_redis_freeze(&server);
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    test_redis_thaw(&server);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_queue_is_bounded(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    struct err err;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_connect_patient(&seen, &target, PATIENCE_MS);
    for (int i = 0; i < LIMIT_REDIS_QUEUE; i++)
        assert_int_equal(SEND(&seen, &err, "INCR", "n"), 0);
    assert_int_equal(SEND(&seen, &err, "INCR", "n"), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    await_all(&seen, LIMIT_REDIS_QUEUE);
    assert_int_equal(seen.failed, 0);
    /* By bytes as well. */
    size_t len = 8 << 20, accepted = 0;
    char *value = mem_zalloc(1, len);
    assert_non_null(value);
    struct span argv[] = {SPAN("SET"), SPAN("k"), span_of(value, len)};
    while (redis_command(seen.redis, argv[1], 3, argv, seen_done, &seen, &err) == 0)
        accepted++;
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(accepted, LIMIT_REDIS_UNSENT_BYTES / (8 << 20) - 1);
    assert_int_equal(SEND(&seen, NULL, "PING"), 0); /* what did not fit left nothing behind */
    await_all(&seen, LIMIT_REDIS_QUEUE + accepted + 1);
    assert_int_equal(seen.failed, 0);
    assert_string_equal(seen.text, "PONG");
    mem_free(value);
    seen_end(&seen);
    test_redis_stop(&server);
}

/* ---- the handshake ---- */

static void test_password_and_db(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, "--requirepass hush");
    struct redis_target target = test_redis_target(&server);
    target.db = 3;
    seen_begin(&seen);
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, NULL);
    test_run_for(&seen.loop, QUICK_MS);
    assert_int_equal(seen.readies, 0);
    seen_end(&seen);

    strcpy(target.password, "hush");
    seen_connect(&seen, &target);
    assert_int_equal(SEND(&seen, NULL, "CLIENT", "INFO"), 0);
    await_all(&seen, 1);
    assert_non_null(strstr(seen.text, " db=3 "));
    seen_end(&seen);

    strcpy(target.user, "default");
    seen_connect(&seen, &target);
    seen_end(&seen);
    test_redis_stop(&server);
}

static void expect_probe(const struct test_redis *server, const char *library, const char *value)
{
    struct seen seen;
    struct redis_target target = test_redis_target(server);
    seen_begin(&seen);
    struct redis_options options = options_for(&seen, &target);
    options.library = library;
    seen.redis = redis_new(&seen.loop, &options, NULL);
    if (value == NULL) {
        test_run_for(&seen.loop, QUICK_MS);
        assert_int_equal(seen.readies, 0);
    } else {
        assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
        assert_string_equal(test_redis_ask(server, "FCALL_RO probe 0"), value);
    }
    seen_end(&seen);
}

static void test_library_is_loaded(void **state)
{
    (void)state;
    struct test_redis server;
    test_redis_start(&server, NULL);
    expect_probe(&server, LIBRARY("2", "two"), "two");
    expect_probe(&server, LIBRARY("2", "two again"), "two"); /* the same version is left alone */
    expect_probe(&server, LIBRARY("3", "three"), "three");   /* an older one is replaced */
    expect_probe(&server, LIBRARY("2", "two"), NULL);        /* a newer one is not */
    assert_string_equal(test_redis_ask(&server, "FCALL_RO probe 0"), "three");
    test_redis_stop(&server);
    struct seen seen;
    struct err err;
    seen_begin(&seen);
    struct redis_target target = test_redis_target(&server);
    struct redis_options options = options_for(&seen, &target);
    options.library = "#!lua name=jiesu\n";
    assert_null(redis_new(&seen.loop, &options, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    test_loop_close(&seen.loop);
}

/* Redis says "not done, later": a loss, not an answer. */
static void test_out_of_memory_is_a_loss(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, "--maxmemory-policy noeviction");
    struct redis_target target = test_redis_target(&server);
    seen_connect(&seen, &target);
    test_redis_ask(&server, "CONFIG SET maxmemory 1");
    assert_int_equal(SEND(&seen, NULL, "SET", "a", "1"), 0);
    assert_int_equal(SEND(&seen, NULL, "SET", "b", "1"), 0);
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    assert_int_equal(seen.answered, 0);
    assert_int_equal(seen.failed_when_lost, 2);
    assert_int_equal(seen.code, ERR_UNAVAILABLE);
    test_redis_ask(&server, "CONFIG SET maxmemory 0");
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_int_equal(SEND(&seen, NULL, "SET", "a", "1"), 0);
    await_all(&seen, 3);
    assert_int_equal(seen.answered, 1);
    seen_end(&seen);
    test_redis_stop(&server);
}

static void test_replica_is_refused(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, "--replicaof 127.0.0.1 1 --replica-serve-stale-data yes");
    struct redis_target target = test_redis_target(&server);
    seen_begin(&seen);
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, NULL);
    test_run_for(&seen.loop, QUICK_MS);
    assert_int_equal(seen.readies, 0);
    test_redis_ask(&server, "REPLICAOF NO ONE");
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    seen_end(&seen);
    test_redis_stop(&server);
}

/* ---- closing from every callback ---- */

struct closer {
    struct seen seen;
    bool closed;
};

static void close_on_done(void *ctx, const struct reply *reply, const struct err *err)
{
    struct closer *closer = ctx;
    (void)reply;
    (void)err;
    closer->seen.answered++;
    redis_close(&closer->seen.redis);
    closer->closed = true;
}

static void close_on_ready(void *ctx, struct span fingerprint)
{
    struct closer *closer = ctx;
    (void)fingerprint;
    redis_close(&closer->seen.redis);
    closer->closed = true;
}

static void close_on_lost(void *ctx)
{
    close_on_ready(ctx, SPAN(""));
}

static void test_close_inside_callbacks(void **state)
{
    (void)state;
    struct test_redis server;
    struct closer closer;
    struct span ping[] = {SPAN("PING")};
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);

    memset(&closer, 0, sizeof(closer));
    seen_connect(&closer.seen, &target);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            redis_command(closer.seen.redis, ping[0], 1, ping, close_on_done, &closer, NULL), 0);
    assert_true(test_run_until(&closer.seen.loop, &closer.closed, PATIENCE_MS));
    assert_int_equal(closer.seen.answered, 3); /* the first answered, the rest failed, each once */
    test_loop_close(&closer.seen.loop);

    memset(&closer, 0, sizeof(closer));
    seen_begin(&closer.seen);
    struct redis_options options = options_for(&closer.seen, &target);
    options.on_ready = close_on_ready;
    options.ctx = &closer;
    closer.seen.redis = redis_new(&closer.seen.loop, &options, NULL);
    assert_true(test_run_until(&closer.seen.loop, &closer.closed, PATIENCE_MS));
    test_loop_close(&closer.seen.loop);

    memset(&closer, 0, sizeof(closer));
    seen_begin(&closer.seen);
    options = options_for(&closer.seen, &target);
    options.on_lost = close_on_lost;
    options.ctx = &closer; /* begins with its struct seen */
    closer.seen.redis = redis_new(&closer.seen.loop, &options, NULL);
    assert_true(test_run_until(&closer.seen.loop, &closer.seen.ready, PATIENCE_MS));
    test_redis_kill(&server);
    assert_true(test_run_until(&closer.seen.loop, &closer.closed, PATIENCE_MS));
    test_loop_close(&closer.seen.loop);
    test_redis_stop(&server);
}

static void test_close_at_once_and_with_work(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    seen_begin(&seen);
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, NULL);
    seen_end(&seen);
    seen_connect(&seen, &target);
    for (int i = 0; i < 5; i++)
        assert_int_equal(SEND(&seen, NULL, "PING"), 0);
    redis_close(&seen.redis);
    assert_int_equal(seen.failed, 5);
    assert_int_equal(seen.losses, 0);
    test_loop_close(&seen.loop);
    test_redis_stop(&server);
}

/* ---- a false server ---- */

struct false_server {
    uv_pipe_t listening, peer;
    struct span says; /* as soon as somebody connects, after the handshake */
    char path[64];
    int connections;
    uv_write_t write;
    bool busy;
};

static void false_closed(uv_handle_t *handle)
{
    struct false_server *f = handle->data;
    f->busy = false;
}

static void false_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[65536];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void false_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0)
        uv_close((uv_handle_t *)stream, false_closed);
}

static void false_connection(uv_stream_t *stream, int status)
{
    struct false_server *f = stream->data;
    assert_int_equal(status, 0);
    assert_false(f->busy);
    f->busy = true;
    f->connections++;
    assert_int_equal(uv_pipe_init(stream->loop, &f->peer, 0), 0);
    f->peer.data = f;
    assert_int_equal(uv_accept(stream, (uv_stream_t *)&f->peer), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&f->peer, false_alloc, false_read), 0);
    uv_buf_t text = uv_buf_init((char *)(uintptr_t)f->says.ptr, (unsigned)f->says.len);
    assert_int_equal(uv_write(&f->write, (uv_stream_t *)&f->peer, &text, 1, NULL), 0);
}

static void false_start(struct false_server *f, uv_loop_t *loop, struct span says)
{
    memset(f, 0, sizeof(*f));
    f->says = says;
    snprintf(f->path, sizeof(f->path), "/tmp/jiesu-false-%d", (int)getpid());
    unlink(f->path);
    assert_int_equal(uv_pipe_init(loop, &f->listening, 0), 0);
    f->listening.data = f;
    assert_int_equal(uv_pipe_bind(&f->listening, f->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->listening, 16, false_connection), 0);
}

/* A server that says this: the client never becomes ready, never breaks, and keeps trying. */
static void expect_refused(struct span says)
{
    struct seen seen;
    struct false_server f;
    seen_begin(&seen);
    false_start(&f, &seen.loop, says);
    struct redis_target target = {.unix_socket = true, .count = 1};
    strcpy(target.host[0], f.path);
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, NULL);
    assert_non_null(seen.redis);
    for (int i = 0; i < 400 && f.connections < 3; i++)
        test_run_for(&seen.loop, 10);
    assert_true(f.connections >= 3);
    assert_int_equal(seen.readies, 0);
    redis_close(&seen.redis);
    uv_close((uv_handle_t *)&f.listening, NULL);
    if (f.busy && !uv_is_closing((uv_handle_t *)&f.peer))
        uv_close((uv_handle_t *)&f.peer, false_closed);
    test_loop_close(&seen.loop);
    unlink(f.path);
}

static void test_false_servers(void **state)
{
    (void)state;
    expect_refused(SPAN("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect_refused(SPAN("\0\1\2\3\4\5"));
    expect_refused(SPAN("*1000000000\r\n"));
    expect_refused(SPAN("$-5\r\n"));
    expect_refused(SPAN(":1\r\n"));
    expect_refused(SPAN("-LOADING Redis is loading the dataset in memory\r\n"));
    expect_refused(SPAN("$74\r\n# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n"
                        "run_id:0123456789\r\n\r\n"));
    expect_refused(SPAN("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"));
}

/* Good until it is ready, then not: lost each time, and tried again. */
static void expect_lost(struct span then)
{
    struct seen seen;
    struct false_server f;
    struct buf says = {0};
    buf_str(&says, "$71\r\n# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:"
                   "0123456\r\n");
    buf_str(&says, "\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n+PONG\r\n");
    buf_span(&says, then);
    seen_begin(&seen);
    false_start(&f, &seen.loop, buf_view(&says));
    struct redis_target target = {.unix_socket = true, .count = 1};
    strcpy(target.host[0], f.path);
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, NULL);
    for (int i = 0; i < 400 && seen.losses < 3; i++)
        test_run_for(&seen.loop, 10);
    assert_true(seen.losses >= 3);
    assert_string_equal(seen.fingerprint, "0123456");
    redis_close(&seen.redis);
    uv_close((uv_handle_t *)&f.listening, NULL);
    if (f.busy && !uv_is_closing((uv_handle_t *)&f.peer))
        uv_close((uv_handle_t *)&f.peer, false_closed);
    test_loop_close(&seen.loop);
    unlink(f.path);
    buf_free(&says);
}

static void test_false_after_it_was_ready(void **state)
{
    (void)state;
    expect_lost(SPAN("rubbish\r\n"));
    expect_lost(SPAN("+OK\r\n")); /* nobody asked */
    expect_lost(SPAN(""));        /* silent for ever: PING is not answered */
}

static void test_oversize_reply(void **state)
{
    (void)state;
    size_t len = LIMIT_REDIS_REPLY_BYTES + 200000;
    char *says = mem_alloc(len);
    assert_non_null(says);
    memset(says, 'x', len);
    memcpy(says, "$99999999\r\n", 11);
    expect_refused(span_of(says, len));
    mem_free(says);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct seen seen;
    struct err err;
    seen_begin(&seen);
    struct redis_target target = {.count = 1, .host = {"127.0.0.1"}, .port = {test_free_port()}};
    struct redis_options options = options_for(&seen, &target);
    seen.redis = redis_new(&seen.loop, &options, &err);
    test_run_for(&seen.loop, 200);
    assert_int_equal(seen.readies, 0);
    assert_int_equal(SEND(&seen, &err, "PING"), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    seen_end(&seen);
}

static void test_over_tcp_by_name(void **state)
{
    (void)state;
    struct test_redis server;
    struct seen seen;
    test_redis_start_tcp(&server, NULL);
    struct redis_target target = {.count = 1, .host = {"localhost"}, .port = {server.port}};
    seen_connect(&seen, &target);
    assert_int_equal(SEND(&seen, NULL, "PING"), 0);
    await_all(&seen, 1);
    assert_string_equal(seen.text, "PONG");
    seen_end(&seen);
    test_redis_stop(&server);
}

/* ---- memory that runs short, at every step ---- */

static void test_memory_short(void **state)
{
    (void)state;
    struct test_redis server;
    test_redis_start(&server, NULL);
    struct redis_target target = test_redis_target(&server);
    log_set_level(LOG_OFF);
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        struct seen seen;
        seen_begin(&seen);
        struct redis_options options = options_for(&seen, &target);
        options.library = LIBRARY("1", "one");
        assert_true(n < 200);
        mem_fail_at(n);
        seen.redis = redis_new(&seen.loop, &options, NULL);
        if (seen.redis != NULL) {
            assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
            size_t sent = 0;
            for (int i = 0; i < 100; i++)
                sent += SEND(&seen, NULL, "INCR", "n") == 0 ? 1 : 0;
            assert_true(sent >= 99);
            await_all(&seen, sent);
            whole = mem_asked() < n;
        }
        mem_fail_at(0);
        redis_close(&seen.redis);
        test_loop_close(&seen.loop);
    }
    log_set_level(LOG_INFO);
    test_redis_stop(&server);
}

/* ---- the listener ---- */

struct heard {
    int resets, messages;
    bool reset, message;
    char channel[64], payload[64];
};

static void on_message(void *ctx, struct span channel, struct span payload)
{
    struct heard *heard = ctx;
    heard->messages++;
    heard->message = true;
    snprintf(heard->channel, sizeof(heard->channel), "%.*s", SPAN_ARG(channel));
    snprintf(heard->payload, sizeof(heard->payload), "%.*s", SPAN_ARG(payload));
}

static void on_reset(void *ctx)
{
    struct heard *heard = ctx;
    heard->resets++;
    heard->reset = true;
}

/* Publishes until somebody has heard it: a SUBSCRIBE takes its time. */
static void publish(uv_loop_t *loop, const struct test_redis *server, struct heard *heard,
                    const char *words)
{
    heard->message = false;
    for (int i = 0; i < 100 && !heard->message; i++) {
        test_redis_ask(server, words);
        test_run_until(loop, &heard->message, 20);
    }
    assert_true(heard->message);
}

static void test_listener(void **state)
{
    (void)state;
    struct test_redis server;
    uv_loop_t loop;
    struct heard heard = {0};
    test_redis_start(&server, NULL);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct redis_target target = test_redis_target(&server);
    struct redis_listener *listener =
        redis_listener_new(&loop, &target, on_message, on_reset, &heard, NULL);
    assert_non_null(listener);
    assert_int_equal(redis_listener_subscribe(listener, SPAN("one")), 0);
    assert_true(test_run_until(&loop, &heard.reset, PATIENCE_MS));
    publish(&loop, &server, &heard, "PUBLISH one 1");
    assert_string_equal(heard.channel, "one");
    assert_string_equal(heard.payload, "1");

    assert_int_equal(redis_listener_subscribe(listener, SPAN("two")), 0);
    assert_int_equal(redis_listener_subscribe(listener, SPAN("two")), 0);
    publish(&loop, &server, &heard, "PUBLISH two 2");
    redis_listener_unsubscribe(listener, SPAN("two"));
    publish(&loop, &server, &heard, "PUBLISH two 3");
    assert_string_equal(heard.payload, "3");
    redis_listener_unsubscribe(listener, SPAN("two"));
    for (int i = 0; i < 100; i++) {
        test_run_for(&loop, 5);
        if (strcmp(test_redis_ask(&server, "PUBSUB CHANNELS two"), "") == 0)
            break;
    }
    assert_string_equal(test_redis_ask(&server, "PUBSUB CHANNELS two"), "");

    char words[64];
    for (int i = 0; i < 300; i++) {
        snprintf(words, sizeof(words), "c%d", i);
        assert_int_equal(redis_listener_subscribe(listener, span_str(words)), 0);
    }
    test_redis_kill(&server);
    heard.reset = false;
    test_run_for(&loop, 50);
    test_redis_restart(&server);
    assert_true(test_run_until(&loop, &heard.reset, PATIENCE_MS));
    assert_int_equal(heard.resets, 2);
    publish(&loop, &server, &heard, "PUBLISH one 4");
    publish(&loop, &server, &heard, "PUBLISH c0 5");
    publish(&loop, &server, &heard, "PUBLISH c299 6");
    assert_string_equal(heard.payload, "6");
    redis_listener_close(&listener);
    test_loop_close(&loop);
    test_redis_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_order),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_error_reply_is_a_reply),
        cmocka_unit_test(test_kill_in_flight_and_return),
        cmocka_unit_test(test_same_server_same_fingerprint),
        cmocka_unit_test(test_freeze_passes_the_deadline),
        cmocka_unit_test(test_freeze_while_idle),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_password_and_db),
        cmocka_unit_test(test_library_is_loaded),
        cmocka_unit_test(test_out_of_memory_is_a_loss),
        cmocka_unit_test(test_replica_is_refused),
        cmocka_unit_test(test_close_inside_callbacks),
        cmocka_unit_test(test_close_at_once_and_with_work),
        cmocka_unit_test(test_false_servers),
        cmocka_unit_test(test_false_after_it_was_ready),
        cmocka_unit_test(test_oversize_reply),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_over_tcp_by_name),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
