#include "engine/base/err.h"
#include "engine/base/utf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_set_fills_and_returns_minus_one(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_LIMIT, "%s:%d: too many", "a.yaml", 7), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "a.yaml:7: too many");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), -1);
    assert_int_equal(err_prefix(NULL, "nobody"), -1);
}

static void test_set_may_quote_itself(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_IO, "disk full");
    err_set(&err, ERR_UNAVAILABLE, "outbox: %s", err.text);
    assert_string_equal(err.text, "outbox: disk full");
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void test_prefix_goes_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_SYNTAX, "bad indent");
    assert_int_equal(err_prefix(&err, "%s:%d", "rules.yaml", 3), -1);
    assert_string_equal(err.text, "rules.yaml:3: bad indent");
    assert_int_equal(err.code, ERR_SYNTAX);
}

/* Texts of Han around the limit must never end in half a character. */
static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        char text[2048];
        memset(text, 'a', pad);
        text[pad] = '\0';
        for (int i = 0; i < 200; i++)
            strcat(text, i % 3 == 0 ? "网" : i % 3 == 1 ? "é" : "😀");
        struct err err;
        err_set(&err, ERR_INVALID, "%s", text);
        size_t len = strlen(err.text);
        assert_true(len >= sizeof(err.text) - 4 && len < sizeof(err.text));
        assert_true(utf8_valid(span_str(err.text)));
        assert_memory_equal(err.text, text, len);

        err_prefix(&err, "x%s", "件");
        assert_true(utf8_valid(span_str(err.text)));
        assert_memory_equal(err.text, "x件: ", 6);
        assert_true(strlen(err.text) >= sizeof(err.text) - 4);

        err_prefix(&err, "%s", text);
        assert_true(utf8_valid(span_str(err.text)));
        assert_memory_equal(err.text, text, len);
    }
}

static void test_every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    const char *names[64];
    size_t count = 0;
#define X(code, name, text) names[count++] = err_name(code);
    ERR_TABLE(X)
#undef X
    assert_string_equal(err_name(ERR_NOMEM), "out-of-memory");
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    assert_non_null(err_name((enum err_code)9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_and_returns_minus_one),
        cmocka_unit_test(test_set_may_quote_itself),
        cmocka_unit_test(test_prefix_goes_in_front_and_keeps_the_code),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_every_code_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
