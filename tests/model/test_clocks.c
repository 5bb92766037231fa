#include "engine/model/clocks.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct warning_shares shares = {{0, 0.5, 0.8, 1}};

/* A clock of 100 ms from 1000 on, by the instant it is looked at. */
static void by_table(void **state)
{
    (void)state;
    static const struct {
        int64_t met_at, stopped_at, now;
        double share;
        bool runs, breached;
        enum warning warning;
    } rows[] = {
        {0, 0, 900, 0, true, false, WARNING_NONE}, /* another engine's clock is behind */
        {0, 0, 1000, 0, true, false, WARNING_NONE},
        {0, 0, 1049, 0.49, true, false, WARNING_NONE},
        {0, 0, 1050, 0.5, true, false, WARNING_BLUE},
        {0, 0, 1079, 0.79, true, false, WARNING_BLUE},
        {0, 0, 1080, 0.8, true, false, WARNING_YELLOW},
        {0, 0, 1100, 1, true, false, WARNING_RED},
        {0, 0, 1101, 1.01, true, true, WARNING_RED},
        {0, 0, 1300, 3, true, true, WARNING_RED},
        {1040, 0, 9999, 0.4, false, false, WARNING_NONE},
        {1100, 0, 9999, 1, false, false, WARNING_RED},
        {1120, 0, 9999, 1.2, false, true, WARNING_RED},
        {0, 1060, 9999, 0.6, false, false, WARNING_BLUE},
        {0, 1101, 9999, 1.01, false, true, WARNING_RED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct order_clock clock = {
            .start = 1000, .due = 1100, .met_at = rows[i].met_at, .stopped_at = rows[i].stopped_at};
        assert_true(order_clock_share(&clock, rows[i].now) == rows[i].share);
        assert_int_equal(order_clock_runs(&clock), rows[i].runs);
        assert_int_equal(order_clock_breached(&clock, rows[i].now), rows[i].breached);
        assert_int_equal(order_clock_warning(&clock, &shares, rows[i].now), rows[i].warning);
    }
}

static void without_a_deadline(void **state)
{
    (void)state;
    const struct order_clock clock = {.start = 1000};
    assert_false(order_clock_runs(&clock));
    assert_true(order_clock_share(&clock, 5000) == 0);
    assert_false(order_clock_breached(&clock, 5000));
    assert_int_equal(order_clock_warning(&clock, &shares, 5000), WARNING_NONE);
    const struct order_clock at_once = {.start = 1000, .due = 1000};
    assert_true(order_clock_share(&at_once, 1001) == 1);
}

static void levels_have_names(void **state)
{
    (void)state;
    static const char *const names[WARNING_COUNT] = {"none", "blue", "yellow", "red"};
    for (enum warning w = 0; w < WARNING_COUNT; w++)
        assert_string_equal(warning_name(w), names[w]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_table),
        cmocka_unit_test(without_a_deadline),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
