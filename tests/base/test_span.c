#include "engine/base/random.h"
#include "engine/base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct span none = {NULL, 0};

static void test_comparisons(void **state)
{
    (void)state;
    assert_true(span_eq(none, SPAN("")));
    assert_true(span_eq(SPAN("ab"), span_str("ab")));
    assert_false(span_eq(SPAN("ab"), SPAN("aB")));
    assert_true(span_eq_nocase(SPAN("Content-Type"), SPAN("content-tYPE")));
    assert_false(span_eq_nocase(SPAN("@"), SPAN("`")));
    assert_false(span_eq_nocase(SPAN("a"), SPAN("ab")));
    assert_true(span_cmp(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_cmp(SPAN("b"), SPAN("ab")) > 0);
    assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    assert_int_equal(span_cmp(none, SPAN("")), 0);
    assert_true(span_starts(SPAN("abc"), SPAN("ab")) && span_starts(SPAN("abc"), none));
    assert_false(span_starts(SPAN("a"), SPAN("ab")));
    assert_true(span_ends(SPAN("abc"), SPAN("bc")) && span_ends(none, none));
    assert_false(span_ends(SPAN("c"), SPAN("bc")));
    assert_int_equal(span_str(NULL).len, 0);
}

static void test_parts(void **state)
{
    (void)state;
    assert_true(span_eq(span_trim(SPAN(" \t\r\n a b \v\f")), SPAN("a b")));
    assert_int_equal(span_trim(SPAN(" \n ")).len, 0);
    assert_int_equal(span_trim(none).len, 0);
    assert_true(span_eq(span_sub(SPAN("abcdef"), 2, 4), SPAN("cd")));
    assert_true(span_eq(span_sub(SPAN("abc"), 1, 99), SPAN("bc")));
    assert_int_equal(span_sub(SPAN("abc"), 5, 9).len, 0);
    assert_int_equal(span_sub(SPAN("abc"), 2, 1).len, 0);
    assert_int_equal(span_sub(none, 1, 2).len, 0);
}

static void test_finding(void **state)
{
    (void)state;
    assert_int_equal(span_find_char(SPAN("abca"), 'a'), 0);
    assert_int_equal(span_find_char(SPAN("abc"), 'x'), -1);
    assert_int_equal(span_find_char(none, 'x'), -1);
    assert_int_equal(span_find(SPAN("网格员"), SPAN("员")), 6);
    assert_int_equal(span_find(SPAN("ab"), SPAN("abc")), -1);
    assert_int_equal(span_find(SPAN("ab"), none), 0);
    assert_int_equal(span_find(none, none), 0);
    assert_int_equal(span_find(none, SPAN("a")), -1);
}

static void test_cutting(void **state)
{
    (void)state;
    struct span rest = SPAN("a,,b,");
    assert_true(span_eq(span_cut(&rest, ','), SPAN("a")));
    assert_true(span_eq(span_cut(&rest, ','), SPAN("")));
    assert_true(span_eq(span_cut(&rest, ','), SPAN("b")));
    assert_non_null(rest.ptr);
    assert_int_equal(span_cut(&rest, ',').len, 0);
    assert_null(rest.ptr);
    assert_int_equal(span_cut(&rest, ',').len, 0);
    assert_null(rest.ptr);
}

static void test_words(void **state)
{
    (void)state;
    const struct {
        struct span list, word;
        bool has;
    } rows[] = {
        {SPAN("a,bc,d"), SPAN("a"), true},
        {SPAN("a,bc,d"), SPAN("bc"), true},
        {SPAN("a,bc,d"), SPAN("d"), true},
        {SPAN("a,bc,d"), SPAN("b"), false},
        {SPAN("a,bc,d"), SPAN("c"), false},
        {SPAN("a,bc,d"), SPAN("bcd"), false},
        {SPAN("a,bc,d"), SPAN("a,bc"), false},
        {SPAN("a,bc,d"), SPAN("A"), false},
        {SPAN("a,bc,d"), none, false},
        {SPAN("a bc"), SPAN("bc"), false},
        {SPAN("城管局,供电局"), SPAN("供电局"), true},
        {SPAN("城管局,供电局"), SPAN("管局"), false},
        {SPAN("a"), SPAN("a"), true},
        {none, SPAN("a"), false},
        {none, none, false},
        {SPAN("a,,b"), none, true},
        {SPAN(",a"), none, true},
        {SPAN("a,"), none, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(span_has_word(rows[i].list, ',', rows[i].word), rows[i].has);
    assert_true(span_has_word(SPAN("a,b c"), ' ', SPAN("a,b")));
}

static void test_whole_numbers(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_int_equal(span_to_u64(SPAN("18446744073709551615"), UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(span_to_u64(SPAN("000100"), 100, &n), 0);
    assert_int_equal(n, 100);
    const char *bad[] = {"",   "101",  "-1",  "+1",
                         " 1", "1 ",   "1a",  "18446744073709551616",
                         "/",  "\xb2", "0x1", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(span_to_u64(span_str(bad[i]), 100, &n), -1);
    assert_int_equal(span_to_u64(SPAN("18446744073709551616"), UINT64_MAX, &n), -1);
    assert_int_equal(n, 100);
}

static void test_decimal_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},           {"-12.5", -12.5},           {"1e-3", 1e-3}, {"2E+2", 200},
                {"0012.500", 12.5}, {"116.397128", 116.397128}, {"-0", 0},      {"1e-999", 0}};
    static const char *const bad[] = {"",    "-",   "+1",  ".5",    "5.",        "1e",  "1e+",
                                      "inf", "nan", "0x1", "1 ",    " 1",        "1,5", "1e999",
                                      "--1", "1-",  "NaN", "1e1.5", "-Infinity", "1\n2"};
    double value = 1;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(span_to_double(span_str(good[i].text), &value), 0);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (span_to_double(span_str(bad[i]), &value) != -1)
            fail_msg("took \"%s\"", bad[i]);
    assert_int_equal(span_to_double(span_of("1\0", 2), &value), -1);
    assert_int_equal(span_to_double(none, &value), -1);
    char long_text[400];
    memset(long_text, '1', sizeof(long_text));
    assert_int_equal(span_to_double(span_of(long_text, sizeof(long_text)), &value), -1);
}

static void test_doubles_come_back(void **state)
{
    (void)state;
    struct random r = {.state = 9};
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_next(&r);
        double want, got;
        memcpy(&want, &bits, sizeof(want));
        char text[64];
        snprintf(text, sizeof(text), "%.17g", want);
        int result = span_to_double(span_str(text), &got);
        assert_int_equal(result, isfinite(want) ? 0 : -1);
        if (result == 0)
            assert_memory_equal(&got, &want, sizeof(want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_finding),         cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_words),           cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_decimal_numbers), cmocka_unit_test(test_doubles_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
