#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define assert_content(b, text)                             \
    do {                                                    \
        assert_int_equal((b)->len, strlen(text));           \
        assert_memory_equal((b)->data, text, strlen(text)); \
    } while (0)

static void test_appends(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_string_equal(buf_cstr(&b), "");
    buf_str(&b, "a=");
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_span(&b, SPAN(" 网格"));
    buf_span(&b, span_of(NULL, 0));
    buf_i64(&b, 0);
    buf_printf(&b, "[%d]", 42);
    assert_true(buf_ok(&b));
    assert_string_equal(buf_cstr(&b), "a=18446744073709551615 -9223372036854775808 网格0[42]");
    assert_int_equal(buf_view(&b).len, b.len);
    buf_free(&b);
    assert_null(b.data);
}

static void test_numbers_as_printf_writes_them(void **state)
{
    (void)state;
    struct random r = {.state = 5};
    struct buf b = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t n = random_next(&r) >> random_below(&r, 64);
        char want[64];
        snprintf(want, sizeof(want), "%" PRIu64 "%" PRId64, n, (int64_t)(0 - n));
        buf_clear(&b);
        buf_u64(&b, n);
        buf_i64(&b, (int64_t)(0 - n));
        assert_content(&b, want);
    }
    buf_free(&b);
}

/* Every length, among them those that fill the buffer to its last byte. */
static void test_formatted_lengths(void **state)
{
    (void)state;
    for (size_t first = 0; first <= 70; first++) {
        for (size_t len = 0; len <= 140; len++) {
            char want[256];
            struct buf b = {0};
            snprintf(want, sizeof(want), "%.*s%0*d", (int)first,
                     "0123456789012345678901234567890123"
                     "456789012345678901234567890123456789",
                     (int)len + 1, 7);
            buf_append(&b, want, first);
            buf_printf(&b, "%s", want + first);
            assert_content(&b, want);
            buf_free(&b);
        }
    }
}

/* A queue of random appends and consumes against a plain array. */
static void test_random_edits_against_an_array(void **state)
{
    (void)state;
    struct random r = {.state = 6};
    static char model[200000];
    size_t len = 0;
    struct buf b = {0};
    for (int i = 0; i < 5000; i++) {
        size_t n = (size_t)random_below(&r, 60);
        if (random_below(&r, 3) == 0) {
            n = n * 3 > len ? len : n * 3;
            memmove(model, model + n, len - n);
            len -= n;
            buf_consume(&b, n);
        } else if (random_below(&r, 2) == 0) {
            char *at = buf_reserve(&b, n);
            assert_non_null(at);
            memset(at, 'a' + i % 26, n);
            b.len += n;
            memset(model + len, 'a' + i % 26, n);
            len += n;
        } else {
            buf_printf(&b, "%0*d", (int)n + 1, 3);
            snprintf(model + len, 70, "%0*d", (int)n + 1, 3);
            len += n + 1;
        }
        assert_int_equal(b.len, len);
        if (len > 0)
            assert_memory_equal(b.data, model, len);
    }
    buf_free(&b);
}

static void test_limit_is_sticky_and_exact(void **state)
{
    (void)state;
    struct buf b = {.limit = 8};
    buf_str(&b, "1234567");
    buf_char(&b, '8');
    assert_true(buf_ok(&b));
    assert_string_equal(buf_cstr(&b), "12345678");
    buf_char(&b, '9');
    assert_false(buf_ok(&b));
    buf_clear(&b);
    buf_printf(&b, "%s", "12345678");
    assert_true(buf_ok(&b));
    buf_clear(&b);
    buf_printf(&b, "%s", "123456789");
    assert_false(buf_ok(&b));
    assert_null(buf_cstr(&b));
    buf_str(&b, "x");
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    assert_non_null(buf_reserve(&b, 8));
    assert_null(buf_reserve(&b, 9));
    buf_free(&b);
    assert_int_equal(b.limit, 8);
    buf_str(&b, "1234");
    buf_i64(&b, -99999);
    assert_false(buf_ok(&b));
    assert_content(&b, "1234");
    buf_free(&b);
    struct buf huge = {0};
    buf_char(&huge, 'x');
    assert_null(buf_reserve(&huge, SIZE_MAX));
    buf_free(&huge);
    assert_null(buf_reserve(&huge, SIZE_MAX / 2 + 2));
    assert_false(buf_ok(&huge));
    buf_free(&huge);
    assert_true(buf_ok(&huge));
}

static const char *write_all(struct buf *b)
{
    for (int i = 0; i < 100; i++) {
        buf_str(b, "0123456789");
        buf_printf(b, "%d", i);
        buf_u64(b, (uint64_t)i);
    }
    return buf_cstr(b);
}

static void test_every_failing_allocation_is_sticky(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (;; n++) {
        struct buf b = {0};
        mem_fail_at(n);
        const char *text = write_all(&b);
        int passed = mem_asked() < n;
        mem_fail_at(0);
        assert_int_equal(buf_ok(&b), passed);
        assert_int_equal(text != NULL, passed);
        buf_free(&b);
        if (passed)
            break;
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_numbers_as_printf_writes_them),
        cmocka_unit_test(test_formatted_lengths),
        cmocka_unit_test(test_random_edits_against_an_array),
        cmocka_unit_test(test_limit_is_sticky_and_exact),
        cmocka_unit_test(test_every_failing_allocation_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
