/*
 * The reader against an encoder of its own: random replies, cut at random places, must come back
 * the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/store/reply_reader.h"

#include <string.h>

enum { LIMIT = 1 << 20 };

static const struct reply *read_one(struct reply_reader *reader, const char *text)
{
    const struct reply *reply = NULL;
    struct err err;
    assert_int_equal(reply_reader_feed(reader, text, strlen(text), &err), 0);
    assert_int_equal(reply_reader_next(reader, &reply, &err), 1);
    return reply;
}

static void test_each_type(void **state)
{
    (void)state;
    struct reply_reader *reader = reply_reader_new(LIMIT);
    const struct reply *reply = read_one(reader, "$5\r\nhe\r\no\r\n");
    assert_int_equal(reply_type(reply), REPLY_STRING);
    assert_true(span_eq(reply_span(reply), SPAN("he\r\no")));
    assert_int_equal(reply_integer(reply), 0);
    assert_int_equal(reply_size(reply), 0);
    assert_null(reply_at(reply, 0));

    reply = read_one(reader, "+OK\r\n");
    assert_int_equal(reply_type(reply), REPLY_STATUS);
    assert_true(span_eq(reply_span(reply), SPAN("OK")));

    reply = read_one(reader, "-ERR bad\r\n");
    assert_int_equal(reply_type(reply), REPLY_ERROR);
    assert_true(span_eq(reply_span(reply), SPAN("ERR bad")));
    assert_false(reply_not_done(reply));

    reply = read_one(reader, ":-42\r\n");
    assert_int_equal(reply_type(reply), REPLY_INTEGER);
    assert_int_equal(reply_integer(reply), -42);
    assert_int_equal(reply_span(reply).len, 0);

    reply = read_one(reader, "$-1\r\n");
    assert_int_equal(reply_type(reply), REPLY_NIL);
    reply = read_one(reader, "*-1\r\n");
    assert_int_equal(reply_type(reply), REPLY_NIL);
    reply = read_one(reader, "$0\r\n\r\n");
    assert_int_equal(reply_type(reply), REPLY_STRING);
    assert_int_equal(reply_span(reply).len, 0);
    reply = read_one(reader, "*0\r\n");
    assert_int_equal(reply_type(reply), REPLY_ARRAY);
    assert_int_equal(reply_size(reply), 0);

    reply = read_one(reader, "*3\r\n:1\r\n*2\r\n+a\r\n$-1\r\n$2\r\n17\r\n");
    assert_int_equal(reply_size(reply), 3);
    assert_int_equal(reply_integer(reply_at(reply, 0)), 1);
    assert_true(span_eq(reply_span(reply_at(reply_at(reply, 1), 0)), SPAN("a")));
    assert_int_equal(reply_type(reply_at(reply_at(reply, 1), 1)), REPLY_NIL);
    assert_int_equal(reply_integer(reply_at(reply, 2)), 17);
    assert_null(reply_at(reply, 3));
    reply_reader_free(&reader);
    assert_null(reader);
}

static void test_integer_of_strings(void **state)
{
    (void)state;
    struct reply_reader *reader = reply_reader_new(LIMIT);
    assert_int_equal(reply_integer(read_one(reader, "$2\r\n-7\r\n")), -7);
    assert_int_equal(reply_integer(read_one(reader, "$1\r\n-\r\n")), 0);
    assert_int_equal(reply_integer(read_one(reader, "$2\r\n7x\r\n")), 0);
    assert_int_equal(reply_integer(read_one(reader, "$0\r\n\r\n")), 0);
    assert_true(reply_integer(read_one(reader, "$19\r\n9223372036854775807\r\n")) == INT64_MAX);
    assert_int_equal(reply_integer(read_one(reader, "$19\r\n9223372036854775808\r\n")), 0);
    reply_reader_free(&reader);
}

static void test_not_done(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool not_done;
    } cases[] = {
        {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", true},
        {"-LOADING Redis is loading the dataset in memory\r\n", true},
        {"-MISCONF Errors writing to the AOF file\r\n", true},
        {"-READONLY You can't write against a read only replica.\r\n", true},
        {"-CLUSTERDOWN The cluster is down\r\n", true},
        {"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", true},
        {"-BUSY Redis is busy running a script\r\n", true},
        {"-BUSYGROUP Consumer Group name already exists\r\n", false},
        {"-WRONGTYPE Operation against a key\r\n", false},
        {"-ERR OOM \r\n", false},
        {"$13\r\nOOM is a word\r\n", false},
    };
    struct reply_reader *reader = reply_reader_new(LIMIT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(reply_not_done(read_one(reader, cases[i].text)), cases[i].not_done);
    reply_reader_free(&reader);
}

/* ---- random replies ---- */

static void encode(struct random *r, struct buf *out, int depth)
{
    size_t n = random_below(r, 12);
    switch (random_below(r, depth > 0 ? 7 : 5)) {
    case 0:
        buf_printf(out, ":%lld\r\n", (long long)(int32_t)random_next(r));
        break;
    case 1:
        buf_str(out, "$-1\r\n");
        break;
    case 2:
        buf_printf(out, "+%08llx\r\n", (unsigned long long)random_below(r, 1u << 31));
        break;
    case 3:
        buf_printf(out, "-ERR %zu\r\n", n);
        break;
    case 4:
        n = random_below(r, 20) == 0 ? random_below(r, 70000) : n;
        buf_printf(out, "$%zu\r\n", n);
        for (size_t i = 0; i < n; i++)
            buf_char(out, (char)random_next(r));
        buf_str(out, "\r\n");
        break;
    default:
        buf_printf(out, "*%zu\r\n", n);
        for (size_t i = 0; i < n; i++)
            encode(r, out, depth - 1);
    }
}

static void decode(const struct reply *reply, struct buf *out)
{
    struct span text = reply_span(reply);
    switch (reply_type(reply)) {
    case REPLY_INTEGER:
        buf_printf(out, ":%lld\r\n", (long long)reply_integer(reply));
        break;
    case REPLY_NIL:
        buf_str(out, "$-1\r\n");
        break;
    case REPLY_STATUS:
    case REPLY_ERROR:
        buf_printf(out, "%c%.*s\r\n", reply_type(reply) == REPLY_ERROR ? '-' : '+', SPAN_ARG(text));
        break;
    case REPLY_STRING:
        buf_printf(out, "$%zu\r\n", text.len);
        buf_span(out, text);
        buf_str(out, "\r\n");
        break;
    case REPLY_ARRAY:
        buf_printf(out, "*%zu\r\n", reply_size(reply));
        for (size_t i = 0; i < reply_size(reply); i++)
            decode(reply_at(reply, i), out);
    }
}

static void test_random_replies_in_pieces(void **state)
{
    (void)state;
    struct random r = {.state = 20261121};
    struct reply_reader *reader = reply_reader_new(64 << 20);
    for (int round = 0; round < 300; round++) {
        struct buf in = {0}, out = {0};
        struct err err;
        size_t count = 1 + random_below(&r, 5), found = 0;
        for (size_t i = 0; i < count; i++)
            encode(&r, &in, 3);
        for (size_t at = 0; at < in.len;) {
            size_t n = 1 + random_below(&r, random_below(&r, 2) == 0 ? 5 : 5000);
            n = n > in.len - at ? in.len - at : n;
            assert_int_equal(reply_reader_feed(reader, in.data + at, n, &err), 0);
            at += n;
            const struct reply *reply;
            int rc;
            while ((rc = reply_reader_next(reader, &reply, &err)) == 1) {
                decode(reply, &out);
                found++;
            }
            assert_int_equal(rc, 0);
        }
        assert_int_equal(found, count);
        assert_true(span_eq(buf_view(&in), buf_view(&out)));
        buf_free(&in);
        buf_free(&out);
    }
    reply_reader_free(&reader);
}

/* ---- what is refused ---- */

static enum err_code refusal(size_t limit, struct span text)
{
    struct reply_reader *reader = reply_reader_new(limit);
    const struct reply *reply;
    struct err err = {.code = ERR_NONE};
    int rc = 1;
    for (size_t at = 0; at < text.len && rc >= 0; at += 1000) {
        struct span piece = span_sub(text, at, at + 1000);
        rc = reply_reader_feed(reader, piece.ptr, piece.len, &err);
        while (rc >= 0 && (rc = reply_reader_next(reader, &reply, &err)) == 1)
            continue;
    }
    reply_reader_free(&reader);
    return rc < 0 ? err.code : ERR_NONE;
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(refusal(LIMIT, SPAN("HTTP/1.1 400\r\n")), ERR_PROTOCOL);
    assert_int_equal(refusal(LIMIT, SPAN("$-2\r\n")), ERR_PROTOCOL);
    assert_int_equal(refusal(LIMIT, SPAN("*-2\r\n")), ERR_PROTOCOL);
    assert_int_equal(refusal(LIMIT, SPAN(":12x\r\n")), ERR_PROTOCOL);
    assert_int_equal(refusal(LIMIT, SPAN("*2147483647\r\n")), ERR_LIMIT);
    assert_int_equal(refusal(LIMIT, SPAN("*40000\r\n*40000\r\n*40000\r\n")), ERR_LIMIT);
    assert_int_equal(refusal(LIMIT, SPAN("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
                                         "*1\r\n:1\r\n")),
                     ERR_PROTOCOL); /* nested too deep */
    struct buf large = {0};
    buf_str(&large, "$300000\r\n");
    for (int i = 0; i < 300000; i++)
        buf_char(&large, 'x');
    buf_str(&large, "\r\n");
    assert_int_equal(refusal(LIMIT, buf_view(&large)), ERR_NONE);
    assert_int_equal(refusal(200000, buf_view(&large)), ERR_LIMIT);
    buf_free(&large);
}

static void test_memory_short(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_str(&text, "*200\r\n");
    for (int i = 0; i < 200; i++)
        buf_str(&text, "$200\r\n" /* 200 bytes follow */
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789012345678901234567890123456789"
                       "012345678901234567890123456789012345678901234567890123456789\r\n");
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        assert_true(n < 100);
        mem_fail_at(n);
        struct reply_reader *reader = reply_reader_new(LIMIT);
        if (reader != NULL) {
            const struct reply *reply;
            struct err err;
            assert_int_equal(reply_reader_feed(reader, text.data, text.len, &err), 0);
            int rc = reply_reader_next(reader, &reply, &err);
            assert_true(rc == 1 || (rc == -1 && err.code == ERR_NOMEM));
            whole = mem_asked() < n;
            assert_true(!whole || rc == 1);
        }
        mem_fail_at(0);
        reply_reader_free(&reader);
    }
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type), cmocka_unit_test(test_integer_of_strings),
        cmocka_unit_test(test_not_done),  cmocka_unit_test(test_random_replies_in_pieces),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
