/* The request parser: any cut of the input gives the same, chunked bodies, limits, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/http/parse_log.h"

#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct buf whole(struct span input)
{
    struct parse_log log;
    parse_log_start(&log);
    parse_log_feed(&log, input.ptr, input.len);
    parse_log_end(&log);
    return log.text;
}

static void assert_same(struct span input, struct buf *wanted, struct buf *got, size_t cut)
{
    if (!span_eq(buf_view(wanted), buf_view(got)))
        fail_msg("cut at %zu of\n%.*s\ngave\n%.*s instead of\n%.*s", cut, SPAN_ARG(input),
                 SPAN_ARG(buf_view(got)), SPAN_ARG(buf_view(wanted)));
    buf_free(got);
}

/* In two pieces, at every place, and byte by byte. */
static void assert_cuts_agree(struct span input)
{
    struct parse_log log;
    struct buf wanted = whole(input);
    for (size_t cut = 0; cut <= input.len; cut++) {
        parse_log_start(&log);
        parse_log_feed(&log, input.ptr, cut);
        parse_log_feed(&log, input.ptr + cut, input.len - cut);
        parse_log_end(&log);
        assert_same(input, &wanted, &log.text, cut);
    }
    parse_log_start(&log);
    for (size_t i = 0; i < input.len; i++)
        parse_log_feed(&log, input.ptr + i, 1);
    parse_log_end(&log);
    assert_same(input, &wanted, &log.text, input.len);
    buf_free(&wanted);
}

#define HEAD_OF(first) first " HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED HEAD_OF("POST /c") "Transfer-Encoding: chunked\r\n\r\n"

static const char *const inputs[] = {
    HEAD_OF("GET /a%20b?q=%41") "\r\n" HEAD_OF("GET /next") "\r\n",
    "\r\n" HEAD_OF("GET /") "X: 1\r\nEmpty:\r\nY:  two words \t\r\n\r\n",
    HEAD_OF("POST /b") "Content-Length: 5\r\n\r\nhello" HEAD_OF("GET /after") "\r\n",
    HEAD_OF("POST /b") "Content-Length: 0\r\n\r\n" HEAD_OF("GET /after") "\r\n",
    HEAD_OF("POST /b") "Content-Length: 301\r\n\r\n",
    CHUNKED "5\r\nhello\r\n6;a=\"b c\"\r\n world\r\n0\r\n\r\n" HEAD_OF("GET /after") "\r\n",
    CHUNKED "0\r\nTrailer: x\r\nOther:\r\n\r\n" HEAD_OF("GET /after") "\r\n",
    CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\nA:b\r\n\r\nGET",
    CHUNKED "00000000a\r\n0123456789\r\n00\r\n\r\n",
    CHUNKED "12c\r\n",
    CHUNKED "12d\r\n",
    CHUNKED "5 \r\nhello\r\n0\r\n\r\n",
    CHUNKED "5\nhello\r\n0\r\n\r\n",
    CHUNKED "5\r\nhello\n0\r\n\r\n",
    CHUNKED "5\r\nhelloX\r\n0\r\n\r\n",
    CHUNKED "5;x\ny\r\nhello\r\n0\r\n\r\n",
    CHUNKED "\r\n0\r\n\r\n",
    CHUNKED "0x5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "-5\r\nhello\r\n0\r\n\r\n",
    CHUNKED "0\r\nno colon\r\n\r\n",
    CHUNKED "0\r\n folded: x\r\n\r\n",
    CHUNKED "0\r\nA: b\n\r\n",
    CHUNKED "00000000000000000\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\nHost: h\n\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "BREW / HTTP/1.1\r\nHost: h\r\n\r\n",
    "\x16\x03\x01\x02\x00",
};

static void test_cuts_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        assert_cuts_agree(span_str(inputs[i]));
}

static void test_cuts_agree_over_the_limits(void **state)
{
    struct buf input = {0};
    (void)state;
    for (size_t extra = 0; extra < 3; extra++) {
        /* A head of exactly the limit, then one byte more. */
        buf_str(&input, HEAD_OF("GET /") "X: ");
        while (input.len < PARSE_LOG_HEAD_MAX - 5 + extra)
            buf_char(&input, 'x');
        buf_str(&input, "\r\n\r\n");
        assert_cuts_agree(buf_view(&input));
        struct buf log = whole(buf_view(&input));
        bool refused = span_find(buf_view(&log), SPAN("refused 431")) >= 0;
        assert_int_equal(refused, input.len > PARSE_LOG_HEAD_MAX);
        buf_free(&log);
        buf_clear(&input);
    }
    buf_str(&input, "GET /");
    while (input.len < PARSE_LOG_HEAD_MAX + 10)
        buf_char(&input, 'x');
    struct buf log = whole(buf_view(&input));
    assert_true(span_starts(buf_view(&log), SPAN("refused 414")));
    buf_free(&log);
    assert_cuts_agree(buf_view(&input));
    buf_clear(&input);

    buf_str(&input, CHUNKED "1;");
    while (input.len < 3 * PARSE_LOG_HEAD_MAX)
        buf_char(&input, 'x');
    log = whole(buf_view(&input));
    assert_true(span_find(buf_view(&log), SPAN("refused 431")) >= 0);
    buf_free(&log);
    buf_free(&input);
}

/* Random bytes put into good requests: whatever comes out, the cut must not matter. */
static void test_cuts_agree_on_damaged_input(void **state)
{
    static const char spice[] = "\r\n \t:;,%\x00\x7f\xff/0aZ";
    struct random r = {.state = 99};
    (void)state;
    for (int i = 0; i < 600; i++) {
        char input[512];
        size_t len = 0;
        for (int k = 0; k < 2; k++) {
            const char *from = inputs[random_below(&r, sizeof(inputs) / sizeof(inputs[0]))];
            size_t n = strlen(from);
            memcpy(input + len, from, n);
            len += n;
        }
        for (uint64_t k = random_below(&r, 3); k > 0; k--) {
            char c = spice[random_below(&r, sizeof(spice) - 1)];
            size_t at = random_below(&r, len);
            if (random_below(&r, 2) == 0) {
                memmove(input + at + 1, input + at, len - at);
                len++;
            }
            input[at] = c;
        }
        assert_cuts_agree(span_of(input, len));
    }
}

static int on_oracle_body(llhttp_t *llhttp, const char *at, size_t len)
{
    buf_append(llhttp->data, at, len);
    return 0;
}

/* A chunked body with random pieces, extensions and trailers: we and llhttp read the same body. */
static void test_chunked_bodies_read_as_llhttp_reads_them(void **state)
{
    static const llhttp_settings_t settings = {.on_body = on_oracle_body};
    struct random r = {.state = 5};
    struct buf input = {0}, body = {0}, oracle = {0}, wanted = {0};
    (void)state;
    for (int i = 0; i < 3000; i++) {
        buf_clear(&input);
        buf_clear(&body);
        buf_clear(&oracle);
        buf_clear(&wanted);
        buf_str(&input, CHUNKED);
        for (uint64_t n = random_below(&r, 6); n > 0; n--) {
            size_t len = random_below(&r, 50) + 1;
            buf_printf(&input, random_below(&r, 2) == 0 ? "%zx" : "%03zX", len);
            buf_str(&input, random_below(&r, 3) == 0 ? ";n=v\r\n" : "\r\n");
            for (; len > 0; len--) {
                char c = (char)random_next(&r);
                buf_char(&input, c);
                buf_char(&body, c);
            }
            buf_str(&input, "\r\n");
        }
        buf_str(&input, random_below(&r, 2) == 0 ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\n");

        llhttp_t llhttp;
        llhttp_init(&llhttp, HTTP_REQUEST, &settings);
        llhttp.data = &oracle;
        assert_int_equal(llhttp_execute(&llhttp, input.data, input.len), HPE_OK);
        assert_true(span_eq(buf_view(&oracle), buf_view(&body)));

        struct buf log = whole(buf_view(&input));
        buf_str(&wanted, "body [");
        buf_span(&wanted, buf_view(&body));
        buf_str(&wanted, "]\nwaiting 0\n");
        assert_true(span_ends(buf_view(&log), buf_view(&wanted)));
        buf_free(&log);
    }
    buf_free(&input);
    buf_free(&body);
    buf_free(&oracle);
    buf_free(&wanted);
}

/* The head's spans and the body stand while bytes behind the request come in. */
static void test_a_complete_request_stands_still(void **state)
{
    struct parse_log log;
    (void)state;
    parse_log_start(&log);
    struct http_parser *p = &log.parser;
    static const char text[] = HEAD_OF("POST /b") "Content-Length: 5\r\n\r\nhello";
    assert_int_equal(http_parser_feed(p, text, sizeof(text) - 1), 0);
    assert_int_equal(http_parser_next(p, log.arena, &log.request), HTTP_PARSE_HEAD);
    assert_int_equal(http_parser_admit(p, 5), 0);
    assert_int_equal(http_parser_next(p, log.arena, &log.request), HTTP_PARSE_DONE);
    size_t size, total = 0;
    char *room;
    while ((room = http_parser_room(p, &size)) != NULL) {
        memset(room, 'x', size);
        http_parser_fed(p, size);
        total += size;
    }
    assert_true(total >= 512);
    assert_int_equal(http_parser_waiting(p), total);
    assert_true(span_eq(log.request.body, SPAN("hello")));
    assert_true(span_eq(log.request.path, SPAN("/b")));
    parse_log_end(&log);
    buf_free(&log.text);
}

static void test_large_bodies_come_in_one_piece(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    for (int chunked = 0; chunked < 2; chunked++) {
        struct parse_log log;
        parse_log_start(&log);
        struct buf head = {0}, piece = {0};
        if (chunked)
            buf_str(&head, CHUNKED);
        else
            buf_printf(&head, HEAD_OF("POST /b") "Content-Length: %d\r\n\r\n", SIZE);
        assert_int_equal(http_parser_feed(&log.parser, head.data, head.len), 0);
        assert_int_equal(http_parser_next(&log.parser, log.arena, &log.request), HTTP_PARSE_HEAD);
        assert_int_equal(http_parser_admit(&log.parser, SIZE), 0);
        size_t sent = 0;
        while (sent < SIZE) {
            buf_clear(&piece);
            if (chunked)
                buf_str(&piece, "3e8\r\n");
            for (int i = 0; i < 1000; i++)
                buf_char(&piece, (char)(sent++ % 251));
            if (chunked)
                buf_str(&piece, sent < SIZE ? "\r\n" : "\r\n0\r\n\r\n");
            assert_int_equal(http_parser_feed(&log.parser, piece.data, piece.len), 0);
            assert_int_equal(http_parser_next(&log.parser, log.arena, &log.request),
                             sent < SIZE ? HTTP_PARSE_MORE : HTTP_PARSE_DONE);
        }
        assert_int_equal(log.request.body.len, SIZE);
        for (size_t i = 0; i < SIZE; i++) {
            if (log.request.body.ptr[i] != (char)(i % 251))
                fail_msg("byte %zu differs", i);
        }
        assert_true(log.parser.in.cap < 4 * SIZE);
        buf_free(&head);
        buf_free(&piece);
        parse_log_end(&log);
        buf_free(&log.text);
    }
}

/* Each allocation fails once: the request is refused with 503, or bytes are not taken; nothing
 * breaks. */
static void test_failing_allocations(void **state)
{
    static const char text[] = HEAD_OF("POST /a%20b?q=%41") "Content-Length: 5\r\n\r\nhello";
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct parse_log log = {
            .parser = {.head_max = PARSE_LOG_HEAD_MAX, .headers_max = PARSE_LOG_HEADERS_MAX}};
        log.arena = arena_new(64);
        assert_non_null(log.arena);
        mem_fail_at(n);
        bool fed = http_parser_feed(&log.parser, text, sizeof(text) - 1) == 0;
        enum http_parse got = HTTP_PARSE_MORE;
        if (fed)
            got = http_parser_next(&log.parser, log.arena, &log.request);
        bool all = mem_asked() < n;
        mem_fail_at(0);
        if (all) {
            assert_int_equal(got, HTTP_PARSE_HEAD);
        } else if (fed) {
            assert_int_equal(got, HTTP_PARSE_REFUSED);
            assert_int_equal(http_parser_refusal(&log.parser)->status, 503);
        }
        http_parser_free(&log.parser);
        arena_free(&log.arena);
        if (all)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_agree),
        cmocka_unit_test(test_cuts_agree_over_the_limits),
        cmocka_unit_test(test_cuts_agree_on_damaged_input),
        cmocka_unit_test(test_chunked_bodies_read_as_llhttp_reads_them),
        cmocka_unit_test(test_a_complete_request_stands_still),
        cmocka_unit_test(test_large_bodies_come_in_one_piece),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
