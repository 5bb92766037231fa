/* The client: pipelining, broken connections, time-outs, large answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/http/client.h"
#include "tests/http/support.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct log {
    uv_loop_t loop;
    struct http_client *client;
    int done, failed;
    int statuses[400];
    size_t last_len;
    char last[64]; /* the beginning of the last body */
    char retry_after[16];
    bool inside_send;
    bool close_in_done;
    bool send_in_done;
};

static void on_done(void *ctx, const struct http_response *response)
{
    struct log *log = ctx;
    assert_false(log->inside_send);
    assert_true(log->done < 400);
    log->statuses[log->done++] = response->status;
    log->failed += response->status == 0;
    log->last_len = response->body.len;
    snprintf(log->last, sizeof(log->last), "%.*s",
             (int)(response->body.len < 60 ? response->body.len : 60),
             response->body.ptr == NULL ? "" : response->body.ptr);
    snprintf(log->retry_after, sizeof(log->retry_after), "%.*s", SPAN_ARG(response->retry_after));
    if (log->close_in_done) {
        log->close_in_done = false;
        http_client_close(&log->client);
    }
    if (log->send_in_done) {
        log->send_in_done = false;
        assert_int_equal(
            http_client_send(log->client, "GET", "/hello", SPAN(""), SPAN(""), on_done, log), 0);
    }
}

static void request(struct log *log, const char *method, const char *path, struct span headers,
                    struct span body)
{
    log->inside_send = true;
    assert_int_equal(http_client_send(log->client, method, path, headers, body, on_done, log), 0);
    log->inside_send = false;
}

static void get(struct log *log, const char *path)
{
    request(log, "GET", path, SPAN(""), SPAN(""));
}

static void begin(struct log *log, int port, uint32_t timeout_ms)
{
    memset(log, 0, sizeof(*log));
    assert_int_equal(uv_loop_init(&log->loop), 0);
    log->client = http_client_new(&log->loop, "127.0.0.1", port, timeout_ms);
    assert_non_null(log->client);
}

/* Runs the loop until that many requests are done. */
static void run_until(struct log *log, int done)
{
    while (log->done < done)
        uv_run(&log->loop, UV_RUN_ONCE);
}

static void end(struct log *log)
{
    http_client_close(&log->client);
    uv_run(&log->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&log->loop), 0);
}

static void test_sends_and_receives(void **state)
{
    struct support_server s;
    struct log log;
    (void)state;
    support_start(&s, NULL);
    begin(&log, s.port, 5000);
    get(&log, "/hello");
    run_until(&log, 1);
    assert_int_equal(log.statuses[0], 200);
    assert_string_equal(log.last, "hello");
    request(&log, "POST", "/echo", SPAN("Content-Type: application/json\r\n"), SPAN("{\"a\":1}"));
    request(&log, "POST", "/orders/9/accept", SPAN(""), SPAN(""));
    request(&log, "HEAD", "/hello", SPAN(""), SPAN(""));
    assert_int_equal(http_client_pending(log.client), 3);
    run_until(&log, 2);
    run_until(&log, 4);
    assert_int_equal(http_client_pending(log.client), 0);
    assert_int_equal(log.statuses[3], 200);
    assert_int_equal(log.last_len, 0);
    get(&log, "/nothing");
    run_until(&log, 5);
    assert_int_equal(log.statuses[4], 404);
    request(&log, "POST", "/any", SPAN("Expect: 100-continue\r\n"), SPAN("with a body"));
    run_until(&log, 6);
    assert_int_equal(log.statuses[5], 200);
    assert_string_equal(log.last, "with a body");
    end(&log);
    support_stop(&s);
}

static void test_pipelines_in_order(void **state)
{
    struct support_server s;
    struct log log;
    char path[64];
    (void)state;
    support_start(&s, NULL);
    begin(&log, s.port, 5000);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "/big?n=%d", i * 100);
        get(&log, path);
    }
    for (int i = 0; i < 300; i++) {
        run_until(&log, i + 1);
        if (log.done == i + 1)
            assert_int_equal(log.last_len, i * 100);
    }
    assert_int_equal(log.failed, 0);
    end(&log);
    support_stop(&s);
}

static void test_large_bodies(void **state)
{
    struct support_server s;
    struct log log;
    (void)state;
    support_start(&s, NULL);
    begin(&log, s.port, 5000);
    struct buf body = {0};
    for (int i = 0; i < 3000000; i++)
        buf_char(&body, 'x');
    request(&log, "POST", "/any", SPAN(""), buf_view(&body));
    get(&log, "/hello");
    run_until(&log, 1);
    assert_int_equal(log.statuses[0], 200);
    run_until(&log, 2);
    assert_string_equal(log.last, "hello");
    buf_free(&body);
    end(&log);
    support_stop(&s);
}

static void test_no_server(void **state)
{
    struct support_server s;
    struct log log;
    (void)state;
    support_start(&s, NULL);
    int port = s.port;
    support_stop(&s);
    begin(&log, port, 5000);
    log.send_in_done = true; /* a retry from inside the callback fails too, and ends */
    get(&log, "/hello");
    get(&log, "/hello");
    run_until(&log, 3);
    assert_int_equal(log.failed, 3);
    end(&log);
}

static void test_comes_back_after_the_server_closed(void **state)
{
    struct support_server s;
    struct log log;
    struct http_server_options options = {.idle_ms = 20};
    (void)state;
    support_start(&s, &options);
    begin(&log, s.port, 5000);
    get(&log, "/hello");
    run_until(&log, 1);
    /* The server closes the idle connection; the next request finds that out or connects anew. */
    usleep(60000);
    get(&log, "/hello");
    run_until(&log, 2);
    get(&log, "/hello");
    run_until(&log, 3);
    assert_int_equal(log.statuses[2], 200);
    /* An answer that closes: what was sent behind it fails, what comes later connects. */
    request(&log, "GET", "/hello", SPAN("Connection: close\r\n"), SPAN(""));
    get(&log, "/hello");
    run_until(&log, 5);
    assert_int_equal(log.statuses[3], 200);
    assert_int_equal(log.statuses[4], 0);
    get(&log, "/hello");
    run_until(&log, 6);
    assert_int_equal(log.statuses[5], 200);
    end(&log);
    support_stop(&s);
}

static void test_times_out(void **state)
{
    struct support_server s;
    struct log log;
    (void)state;
    support_start(&s, NULL);
    begin(&log, s.port, 50);
    get(&log, "/wait?ms=1000");
    get(&log, "/hello");
    run_until(&log, 2);
    assert_int_equal(log.failed, 2);
    get(&log, "/hello");
    run_until(&log, 3);
    assert_int_equal(log.statuses[2], 200);
    end(&log);
    support_stop(&s);
}

static void test_close_fails_what_is_pending(void **state)
{
    struct support_server s;
    struct log log;
    (void)state;
    support_start(&s, NULL);
    begin(&log, s.port, 5000);
    get(&log, "/wait?ms=500");
    get(&log, "/hello");
    uv_run(&log.loop, UV_RUN_NOWAIT);
    end(&log);
    assert_int_equal(log.failed, 2);
    begin(&log, s.port, 5000);
    log.close_in_done = true; /* from inside the first of three answers */
    for (int i = 0; i < 3; i++)
        get(&log, "/hello");
    run_until(&log, 3);
    assert_null(log.client);
    assert_int_equal(log.statuses[0], 200);
    assert_int_equal(log.failed, 2);
    end(&log);
    support_stop(&s);
}

static void test_reads_retry_after(void **state)
{
    struct support_server s;
    struct log log;
    struct http_server_options options = {.connections_max = 1};
    (void)state;
    support_start(&s, &options);
    int fd = support_connect(&s);
    struct buf left = {0};
    struct support_answer answer;
    support_send_str(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    support_read(fd, &left, false, &answer);
    assert_int_equal(answer.status, 200);
    support_answer_free(&answer);
    begin(&log, s.port, 5000);
    get(&log, "/hello");
    run_until(&log, 1);
    assert_int_equal(log.statuses[0], 503);
    assert_string_equal(log.retry_after, "1");
    end(&log);
    close(fd);
    buf_free(&left);
    support_stop(&s);
}

/* A peer that sends something else than HTTP, or an answer that nobody asked for. */
static void test_bad_peers(void **state)
{
    static const char *const answers[] = {
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    };
    static const int wanted[] = {0, 200, 0, 200};
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct log log;
        struct sockaddr_in address = {.sin_family = AF_INET};
        socklen_t len = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
        begin(&log, ntohs(address.sin_port), 5000);
        get(&log, "/");
        for (int k = 0; k < 3; k++)
            uv_run(&log.loop, UV_RUN_NOWAIT);
        int fd = accept(listener, NULL, NULL);
        char in[1000];
        while (http_client_pending(log.client) == 1 && recv(fd, in, sizeof(in), MSG_DONTWAIT) <= 0)
            uv_run(&log.loop, UV_RUN_NOWAIT);
        support_send_str(fd, answers[i]);
        close(fd);
        run_until(&log, 1);
        assert_int_equal(log.statuses[0], wanted[i]);
        end(&log);
        assert_int_equal(log.done, 1);
        close(listener);
    }
}

static void test_failing_allocations(void **state)
{
    struct support_server s;
    bool all = false;
    (void)state;
    support_start(&s, NULL);
    for (uint64_t n = 1; !all; n++) {
        struct log log;
        memset(&log, 0, sizeof(log));
        assert_int_equal(uv_loop_init(&log.loop), 0);
        mem_fail_at(n);
        log.client = http_client_new(&log.loop, "127.0.0.1", s.port, 5000);
        int sent = 0;
        for (int i = 0; i < 3 && log.client != NULL; i++)
            sent += http_client_send(log.client, "GET", "/hello", SPAN("X: y\r\n"), SPAN(""),
                                     on_done, &log) == 0;
        run_until(&log, sent);
        all = mem_asked() < n;
        mem_fail_at(0);
        if (all)
            assert_int_equal(log.failed, 0);
        assert_int_equal(log.done, sent);
        end(&log);
        assert_true(n < 1000);
    }
    support_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sends_and_receives),
        cmocka_unit_test(test_pipelines_in_order),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_comes_back_after_the_server_closed),
        cmocka_unit_test(test_times_out),
        cmocka_unit_test(test_close_fails_what_is_pending),
        cmocka_unit_test(test_reads_retry_after),
        cmocka_unit_test(test_bad_peers),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
