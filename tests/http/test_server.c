/* The server over real sockets: order, bounds, deadlines, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "tests/http/support.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

/* Reads an answer and checks its status and, when not NULL, its body. */
static void expect(int fd, struct buf *left, int status, const char *body)
{
    struct support_answer answer;
    support_read(fd, left, false, &answer);
    assert_int_equal(answer.status, status);
    if (body != NULL)
        assert_string_equal(answer.body.data, body);
    support_answer_free(&answer);
}

static void expect_end(int fd, struct buf *left)
{
    assert_true(support_at_end(fd, left));
    buf_free(left);
    close(fd);
}

static void test_answers_carry_the_usual_headers(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    support_send_str(fd, HELLO);
    support_read(fd, &left, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, "hello");
    assert_non_null(strstr(answer.head.data, "\r\nDate: "));
    assert_non_null(strstr(answer.head.data, " GMT\r\n"));
    assert_non_null(strstr(answer.head.data, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(answer.head.data, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(answer.head.data, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_null(strstr(answer.head.data, "Connection:"));
    support_answer_free(&answer);
    support_stop(&s);
    expect_end(fd, &left);
}

static void test_a_pipeline_of_a_hundred_is_answered_in_order(void **state)
{
    struct support_server s;
    struct buf all = {0}, left = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    for (int i = 0; i < 100; i++) {
        /* Some are answered later than the ones behind them could be. */
        if (i % 10 == 3)
            buf_str(&all, "GET /wait?ms=1 HTTP/1.1\r\nHost: h\r\n\r\n");
        else
            buf_printf(&all, "GET /orders/%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
    }
    support_send(fd, all.data, all.len);
    for (int i = 0; i < 100; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "path=/orders/%d id=%d q=", i, i);
        expect(fd, &left, 200, i % 10 == 3 ? "waited" : wanted);
    }
    /* The client may shut its side first: what it sent is still answered. */
    support_send(fd, all.data, all.len);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 100; i++)
        expect(fd, &left, 200, NULL);
    expect_end(fd, &left);
    buf_free(&all);
    support_stop(&s);
}

static void test_the_next_is_handed_out_after_the_answer(void **state)
{
    struct support_server s;
    struct buf left = {0}, more = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    support_send_str(fd, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    /* Far more than is read ahead: the server stops reading, and forgets nothing. */
    for (int i = 0; i < 3000; i++)
        buf_str(&more, HELLO);
    support_await(&s.requests, 1);
    support_send(fd, more.data, more.len);
    usleep(20000);
    assert_int_equal(atomic_load(&s.requests), 1);
    support_unpark(&s);
    expect(fd, &left, 200, "unparked");
    for (int i = 0; i < 3000; i++)
        expect(fd, &left, 200, "hello");
    support_stop(&s);
    expect_end(fd, &left);
    buf_free(&more);
}

static void test_head_has_the_length_and_no_body(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    support_send_str(fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n"
                         "HEAD /nothing HTTP/1.1\r\nHost: h\r\n\r\n" HELLO);
    support_read(fd, &left, true, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head.data, "\r\nContent-Length: 5\r\n"));
    support_answer_free(&answer);
    support_read(fd, &left, true, &answer);
    assert_int_equal(answer.status, 404);
    support_answer_free(&answer);
    expect(fd, &left, 200, "hello");
    support_stop(&s);
    expect_end(fd, &left);
}

static void test_continue_is_sent_when_the_head_is_admitted(void **state)
{
    struct support_server s;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    support_send_str(fd, "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                         "Expect: 100-continue\r\n\r\n");
    expect(fd, &left, 100, NULL);
    support_send_str(fd, "hello");
    expect(fd, &left, 200, "hello");
    support_send_str(fd, "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                         "Expect: 100-continue\r\n\r\n");
    expect(fd, &left, 100, NULL);
    support_send_str(fd, "2\r\nhi\r\n0\r\n\r\n");
    expect(fd, &left, 200, "hi");
    /* A refused head: the answer at once, and no 100. */
    support_send_str(fd, "POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                         "Expect: 100-continue\r\n\r\n");
    expect(fd, &left, 404, NULL);
    expect_end(fd, &left);
    support_stop(&s);
}

static void test_large_bodies_go_both_ways(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0}, all = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    enum { SIZE = 3000000 };
    buf_printf(&all, "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", SIZE);
    size_t head = all.len;
    for (int i = 0; i < SIZE; i++)
        buf_char(&all, (char)(i % 253));
    support_send(fd, all.data, all.len);
    support_read(fd, &left, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.len, SIZE);
    assert_memory_equal(answer.body.data, all.data + head, SIZE);
    support_answer_free(&answer);
    support_send_str(fd, HELLO);
    expect(fd, &left, 200, "hello");
    support_stop(&s);
    expect_end(fd, &left);
    buf_free(&all);
}

static void test_a_413_is_seen_while_the_client_still_sends(void **state)
{
    struct support_server s;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    for (int i = 0; i < 20; i++) {
        int fd = support_connect(&s);
        support_send_str(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n"
                             "Content-Type: application/json\r\n\r\n");
        char piece[10000];
        memset(piece, 'x', sizeof(piece));
        for (int k = 0; k < 50; k++)
            support_send(fd, piece, sizeof(piece));
        expect(fd, &left, 413, NULL);
        expect_end(fd, &left);
    }
    support_stop(&s);
}

static void test_a_late_head_gets_408(void **state)
{
    struct support_server s;
    struct buf left = {0};
    struct http_server_options options = {.head_ms = 50, .idle_ms = 5000};
    (void)state;
    support_start(&s, &options);
    int fd = support_connect(&s);
    int64_t start = clock_steady_ms();
    support_send_str(fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HT");
    struct support_answer answer;
    support_read(fd, &left, true, &answer);
    assert_int_equal(answer.status, 200);
    support_answer_free(&answer);
    /* Bytes that trickle in do not prolong the wait. */
    for (int i = 0; i < 4; i++) {
        usleep(20000);
        support_send_str(fd, "T");
    }
    expect(fd, &left, 408, NULL);
    assert_true(clock_steady_ms() - start >= 50);
    expect_end(fd, &left);
    /* A connection that says nothing at all is closed without a word. */
    fd = support_connect(&s);
    expect_end(fd, &left);
    support_stop(&s);
}

static void test_a_late_body_gets_408(void **state)
{
    struct support_server s;
    struct buf left = {0};
    struct http_server_options options = {.body_ms = 30};
    (void)state;
    support_start(&s, &options);
    int64_t before = metric_get(METRIC_HTTP_TIMEOUT);
    int fd = support_connect(&s);
    support_send_str(fd, "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell");
    expect(fd, &left, 408, NULL);
    expect_end(fd, &left);
    fd = support_connect(&s);
    support_send_str(fd,
                     "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    expect(fd, &left, 408, NULL);
    expect_end(fd, &left);
    assert_int_equal(metric_get(METRIC_HTTP_TIMEOUT) - before, 2);
    support_stop(&s);
}

static void test_an_idle_connection_is_closed(void **state)
{
    struct support_server s;
    struct buf left = {0};
    struct http_server_options options = {.idle_ms = 40};
    (void)state;
    support_start(&s, &options);
    int fd = support_connect(&s);
    support_send_str(fd, HELLO);
    expect(fd, &left, 200, "hello");
    int64_t start = clock_steady_ms();
    expect_end(fd, &left);
    assert_in_range(clock_steady_ms() - start, 30, 1000);
    support_stop(&s);
}

static void test_waits_are_accurate(void **state)
{
    struct support_server s;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    int fd = support_connect(&s);
    static const int waits[] = {0, 1, 15, 40, 95};
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        char request[80];
        int64_t best = 1000;
        /* The best of some: the machine may be busy, but a wait is never too short. */
        for (int k = 0; k < 4; k++) {
            snprintf(request, sizeof(request), "GET /wait?ms=%d HTTP/1.1\r\nHost: h\r\n\r\n",
                     waits[i]);
            int64_t start = clock_steady_ms();
            support_send_str(fd, request);
            expect(fd, &left, 200, "waited");
            int64_t took = clock_steady_ms() - start;
            best = took < best ? took : best;
            assert_true(took >= waits[i] - 1);
        }
        assert_true(best <= waits[i] + 20);
    }
    support_stop(&s);
    expect_end(fd, &left);
}

static void test_a_handler_learns_that_the_client_is_gone(void **state)
{
    struct support_server s;
    (void)state;
    support_start(&s, NULL);
    for (int reset = 0; reset < 2; reset++) {
        int fd = support_connect(&s);
        support_send_str(fd, "GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
        support_await(&s.requests, reset + 1);
        struct linger hard = {.l_onoff = reset};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
        support_await(&s.gone, reset + 1);
    }
    support_stop(&s);
}

static void test_an_answer_to_nobody_is_dropped(void **state)
{
    struct support_server s;
    struct buf left = {0};
    (void)state;
    support_start(&s, NULL);
    int64_t before = metric_get(METRIC_HTTP_ABORTED);
    int fd = support_connect(&s);
    support_send_str(fd, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    support_await(&s.requests, 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    for (int i = 0; i < 5000 && metric_get(METRIC_HTTP_ABORTED) == before; i++)
        usleep(1000);
    assert_int_equal(metric_get(METRIC_HTTP_ABORTED), before + 1);
    support_unpark(&s);
    fd = support_connect(&s);
    support_send_str(fd, HELLO);
    expect(fd, &left, 200, "hello");
    support_stop(&s);
    expect_end(fd, &left);
}

/* The client does not read: what waits for it is bounded by unsent_max, and by write_ms. */
static void slow_reader(const struct http_server_options *options, const char *request)
{
    struct support_server s;
    support_start(&s, options);
    int small = 4096, fd = support_connect(&s);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (int i = 0; i < 50; i++)
        support_send_str(fd, request);
    support_await(&s.requests, 1);
    for (int i = 0; i < 5000 && metric_get(METRIC_CONNECTIONS) > 0; i++)
        usleep(1000);
    assert_int_equal(metric_get(METRIC_CONNECTIONS), 0);
    close(fd);
    support_stop(&s);
}

static void test_a_slow_reader_is_cut_off(void **state)
{
    (void)state;
    struct http_server_options bounded = {.unsent_max = 1000000};
    struct http_server_options timed = {.write_ms = 50};
    int64_t before = metric_get(METRIC_HTTP_TIMEOUT);
    slow_reader(&timed, "GET /big?n=8000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(metric_get(METRIC_HTTP_TIMEOUT), before + 1);
    before = metric_get(METRIC_HTTP_ABORTED);
    slow_reader(&bounded, "GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(metric_get(METRIC_HTTP_ABORTED), before + 1);
}

/* A client that pipelines and reads slowly gets every answer, and the server holds few of them. */
static void test_a_slow_reader_gets_everything(void **state)
{
    struct support_server s;
    struct buf left = {0};
    struct http_server_options options = {.head_ms = 40, .idle_ms = 40};
    (void)state;
    support_start(&s, &options);
    int small = 65536, fd = support_connect(&s);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    /* At once: a head of which the rest comes late is another test. */
    struct buf requests = {0};
    for (int i = 0; i < 200; i++)
        buf_str(&requests, "GET /big?n=100000 HTTP/1.1\r\nHost: h\r\n\r\n");
    support_send(fd, requests.data, requests.len);
    buf_free(&requests);
    support_await(&s.requests, 1);
    usleep(50000);
    assert_true(atomic_load(&s.requests) < 150);
    for (int i = 0; i < 200; i++) {
        struct support_answer answer;
        support_read(fd, &left, false, &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.len, 100000);
        support_answer_free(&answer);
    }
    support_stop(&s);
    expect_end(fd, &left);
}

static void test_too_many_connections(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0};
    struct http_server_options options = {.connections_max = 2};
    (void)state;
    support_start(&s, &options);
    int64_t before = metric_get(METRIC_CONNECTIONS_REFUSED);
    int first = support_connect(&s), second = support_connect(&s);
    support_send_str(first, HELLO);
    expect(first, &left, 200, "hello");
    support_send_str(second, HELLO);
    expect(second, &left, 200, "hello");
    for (int i = 0; i < 5; i++) {
        int third = support_connect(&s);
        if (i % 2 == 0)
            support_send_str(third, HELLO);
        support_read(third, &left, false, &answer);
        assert_int_equal(answer.status, 503);
        assert_non_null(strstr(answer.head.data, "\r\nRetry-After: 1\r\n"));
        assert_non_null(strstr(answer.head.data, "\r\nConnection: close\r\n"));
        support_answer_free(&answer);
        expect_end(third, &left);
    }
    assert_int_equal(metric_get(METRIC_CONNECTIONS_REFUSED) - before, 5);
    close(first);
    for (int i = 0; i < 5000 && metric_get(METRIC_CONNECTIONS) > 1; i++)
        usleep(1000);
    first = support_connect(&s);
    support_send_str(first, HELLO);
    expect(first, &left, 200, "hello");
    support_stop(&s);
    close(first);
    close(second);
    buf_free(&left);
}

/* All bodies together are bounded; a share is given back by an answer and by a client that goes. */
static void test_bodies_share_a_bound(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0};
    struct http_server_options options = {.bodies_max = SUPPORT_ANY_MAX + 5};
    static const char five[] = "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    static const char chunked[] =
        "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    (void)state;
    support_start(&s, &options);
    for (int gone = 0; gone < 2; gone++) {
        int first = support_connect(&s), second = support_connect(&s), third = support_connect(&s);
        struct buf first_left = {0}, second_left = {0};
        /* Each 100 says that the body was admitted. */
        support_send_str(first, "POST /any HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                "Expect: 100-continue\r\n\r\n");
        expect(first, &first_left, 100, NULL);
        support_send_str(second, five);
        support_send_str(second, "12345");
        expect(second, &second_left, 200, "12345");
        support_send_str(third, chunked);
        support_read(third, &left, false, &answer);
        assert_int_equal(answer.status, 503);
        assert_non_null(strstr(answer.head.data, "\r\nRetry-After: 1\r\n"));
        support_answer_free(&answer);
        expect_end(third, &left);
        if (gone == 0) {
            support_send_str(first, "1\r\na\r\n0\r\n\r\n");
            expect(first, &first_left, 200, "a");
        } else {
            int64_t open = metric_get(METRIC_CONNECTIONS);
            close(first);
            for (int i = 0; i < 5000 && metric_get(METRIC_CONNECTIONS) == open; i++)
                usleep(1000);
        }
        support_send_str(second, chunked);
        support_send_str(second, "1\r\nb\r\n0\r\n\r\n");
        expect(second, &second_left, 200, "b");
        if (gone == 0)
            close(first);
        close(second);
        buf_free(&first_left);
        buf_free(&second_left);
    }
    support_stop(&s);
}

static void test_stop_lets_requests_finish(void **state)
{
    struct support_server s;
    struct support_answer answer;
    struct buf left = {0}, idle_left = {0};
    (void)state;
    support_start(&s, NULL);
    int idle = support_connect(&s), busy = support_connect(&s);
    support_send_str(idle, HELLO);
    expect(idle, &idle_left, 200, "hello");
    support_send_str(busy, "GET /wait?ms=200 HTTP/1.1\r\nHost: h\r\n\r\n" HELLO);
    support_await(&s.requests, 2);
    support_stop_begin(&s);
    expect_end(idle, &idle_left);
    support_read(busy, &left, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, "waited");
    assert_non_null(strstr(answer.head.data, "\r\nConnection: close\r\n"));
    support_answer_free(&answer);
    expect_end(busy, &left);
    support_stop_end(&s);
}

/* How many bytes the kernel takes for a reader that does not read. */
static size_t kernel_holds(void)
{
    static const char bytes[65536];
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(any);
    size_t held = 0;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&any, &len), 0);
    struct support_server there = {.port = ntohs(any.sin_port)};
    int reader = support_connect(&there), writer = accept(listener, NULL, NULL);
    for (ssize_t n; (n = send(writer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;)
        held += (size_t)n;
    close(reader);
    close(writer);
    close(listener);
    return held;
}

/* Answers whose last bytes have not left yet when the stop begins still arrive whole, and then
 * their connections are not kept for the next request. */
static void test_stop_lets_slow_readers_finish(void **state)
{
    enum { READERS = 6, STEP = 10000 };
    struct support_server s;
    struct support_answer answer;
    struct buf left[READERS] = {{0}};
    struct http_server_options options = {.drain_ms = 4000};
    int fd[READERS];
    char request[80];
    (void)state;
    support_start(&s, &options);
    size_t held = kernel_holds();
    for (int i = 0; i < READERS; i++) {
        fd[i] = support_connect(&s);
        snprintf(request, sizeof(request), "GET /big?n=%zu HTTP/1.1\r\nHost: h\r\n\r\n",
                 held + (size_t)(i + 1) * STEP);
        support_send_str(fd[i], request);
    }
    support_await(&s.requests, READERS);
    support_stop_begin(&s);
    usleep(100000); /* longer than an idle connection is given */
    int64_t start = clock_steady_ms();
    for (int i = 0; i < READERS; i++) {
        support_read(fd[i], &left[i], false, &answer);
        assert_int_equal(answer.body.len, held + (size_t)(i + 1) * STEP);
        support_answer_free(&answer);
    }
    for (int i = 0; i < READERS; i++)
        expect_end(fd[i], &left[i]);
    assert_true(clock_steady_ms() - start < 2000);
    support_stop_end(&s);
}

static void test_stop_does_not_wait_for_ever(void **state)
{
    struct support_server s;
    struct buf left = {0};
    struct http_server_options options = {.drain_ms = 50};
    (void)state;
    support_start(&s, &options);
    int parked = support_connect(&s), waiting = support_connect(&s), polling = support_connect(&s);
    support_send_str(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    support_send_str(waiting, "GET /wait?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n");
    support_send_str(polling, "GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
    support_await(&s.requests, 3);
    int64_t start = clock_steady_ms();
    support_stop(&s);
    assert_true(clock_steady_ms() - start < 2000);
    assert_int_equal(atomic_load(&s.gone), 1);
    expect_end(parked, &left);
    expect_end(waiting, &left);
    expect_end(polling, &left);
}

static void test_an_address_in_use_is_refused(void **state)
{
    struct support_server s;
    struct err err = {.code = ERR_NONE};
    uv_loop_t loop;
    (void)state;
    support_start(&s, NULL);
    assert_int_equal(uv_loop_init(&loop), 0);
    /* A second server of this process shares the port; what is no address is an error. */
    struct http_server_options options = s.options;
    options.port = s.port;
    struct http_server *second = http_server_new(&loop, &options, &err);
    assert_non_null(second);
    http_server_stop(second, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    http_server_free(&second);
    assert_null(second);
    options.host = "localhost";
    assert_null(http_server_new(&loop, &options, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    support_stop(&s);

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    options.host = "127.0.0.1";
    options.port = ntohs(address.sin_port);
    assert_null(http_server_new(&loop, &options, &err));
    assert_int_equal(err.code, ERR_IO);
    close(fd);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Reads one response without allocating anything: its status, or 0 when the connection ended. */
static int read_status(int fd)
{
    static char in[512 * 1024];
    size_t len = 0, need = 0;
    int status = 0;
    while (need == 0 || len < need) {
        ssize_t n = recv(fd, in + len, sizeof(in) - 1 - len, 0);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        in[len] = '\0';
        const char *end = strstr(in, "\r\n\r\n"), *length = strstr(in, "Content-Length: ");
        if (need == 0 && end != NULL && length != NULL && length < end) {
            need = (size_t)(end + 4 - in) + strtoul(length + 16, NULL, 10);
            assert_true(need < sizeof(in));
        }
    }
    assert_int_equal(len, need);
    assert_int_equal(sscanf(in, "HTTP/1.1 %d ", &status), 1);
    return status;
}

/* Requests of several kinds on a new connection: how many were answered as they should be. Whatever
 * fails, an answer is the right one, or 503, or none (closed). */
static int talk(const struct support_server *s)
{
    static const char *const requests[] = {
        HELLO, "POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "GET /orders/%41?q=%42 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /big?n=300000 HTTP/1.1\r\nHost: h\r\n\r\n"};
    static const int wanted[] = {200, 200, 200, 404, 200};
    int good = 0, fd = support_connect(s);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        support_send_str(fd, requests[i]);
        int status = read_status(fd);
        if (status == 0 || status == 503)
            break;
        assert_int_equal(status, wanted[i]);
        good++;
    }
    close(fd);
    return good;
}

static void test_failing_allocations(void **state)
{
    bool all = false;
    (void)state;
    for (uint64_t n = 1; !all; n++) {
        struct support_server s;
        support_start(&s, NULL);
        mem_fail_at(n);
        int good = talk(&s);
        all = mem_asked() < n;
        mem_fail_at(0);
        if (all)
            assert_int_equal(good, 5);
        assert_int_equal(talk(&s), 5); /* the server is as good as new */
        support_stop(&s);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_carry_the_usual_headers),
        cmocka_unit_test(test_a_pipeline_of_a_hundred_is_answered_in_order),
        cmocka_unit_test(test_the_next_is_handed_out_after_the_answer),
        cmocka_unit_test(test_head_has_the_length_and_no_body),
        cmocka_unit_test(test_continue_is_sent_when_the_head_is_admitted),
        cmocka_unit_test(test_large_bodies_go_both_ways),
        cmocka_unit_test(test_a_413_is_seen_while_the_client_still_sends),
        cmocka_unit_test(test_a_late_head_gets_408),
        cmocka_unit_test(test_a_late_body_gets_408),
        cmocka_unit_test(test_an_idle_connection_is_closed),
        cmocka_unit_test(test_waits_are_accurate),
        cmocka_unit_test(test_a_handler_learns_that_the_client_is_gone),
        cmocka_unit_test(test_an_answer_to_nobody_is_dropped),
        cmocka_unit_test(test_a_slow_reader_is_cut_off),
        cmocka_unit_test(test_a_slow_reader_gets_everything),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_bodies_share_a_bound),
        cmocka_unit_test(test_stop_lets_requests_finish),
        cmocka_unit_test(test_stop_lets_slow_readers_finish),
        cmocka_unit_test(test_stop_does_not_wait_for_ever),
        cmocka_unit_test(test_an_address_in_use_is_refused),
        cmocka_unit_test(test_failing_allocations),
    };
    if (metric_init() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
