#include "engine/base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const days[] = {"mon", "tue", "", "tuesday"};

static const struct {
    int number;
    const char *name, *chinese;
} rows[] = {{7, "red", "红"}, {8, "yellow", "黄"}, {9, "red", "蓝"}};

static void test_a_name_has_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(NAMES_FIND(days, span_str(days[i])), i);
    assert_int_equal(NAMES_FIND_BY(rows, name, SPAN("yellow")), 1);
    assert_int_equal(NAMES_FIND_BY(rows, chinese, SPAN("蓝")), 2);
}

static void test_the_first_of_two_is_found(void **state)
{
    (void)state;
    assert_int_equal(NAMES_FIND_BY(rows, name, SPAN("red")), 0);
}

static void test_what_is_no_name_has_none(void **state)
{
    (void)state;
    assert_int_equal(NAMES_FIND(days, SPAN("tu")), -1);
    assert_int_equal(NAMES_FIND(days, SPAN("Mon")), -1);
    assert_int_equal(NAMES_FIND(days, span_of("mon\0", 4)), -1);
    assert_int_equal(NAMES_FIND_BY(rows, name, SPAN("红")), -1);
    assert_int_equal(names_find(days, 0, sizeof *days, SPAN("mon")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_has_its_place),
        cmocka_unit_test(test_the_first_of_two_is_found),
        cmocka_unit_test(test_what_is_no_name_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
