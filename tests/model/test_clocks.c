#include "engine/base/random.h"
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
    for (enum warning w = 0; w < WARNING_COUNT; w++) {
        enum warning parsed = WARNING_COUNT;
        assert_string_equal(warning_name(w), names[w]);
        assert_int_equal(warning_parse(span_str(names[w]), &parsed), 0);
        assert_int_equal(parsed, w);
    }
    enum warning untouched = WARNING_BLUE;
    assert_int_equal(warning_parse(SPAN("green"), &untouched), -1);
    assert_int_equal(untouched, WARNING_BLUE);
}

/* The instant is the first one of its level, to the millisecond, whatever the share. */
static void when_a_level_begins(void **state)
{
    (void)state;
    struct random random = {.state = 3};
    for (int n = 0; n < 20000; n++) {
        const int64_t start = 1700000000000 + (int64_t)random_below(&random, 1000000000);
        const struct order_clock clock = {
            .start = start,
            .due = start - 5 + (int64_t)random_below(&random, n % 2 ? 20 : 90000000)};
        struct warning_shares some = {{0}};
        for (enum warning w = WARNING_BLUE; w < WARNING_COUNT; w++)
            some.from[w] = some.from[w - 1] + 0.01 + (double)random_below(&random, 70) / 137;
        for (enum warning w = WARNING_BLUE; w < WARNING_COUNT; w++) {
            const int64_t at = order_clock_warns_at(&clock, &some, w);
            if (at == 0) {
                assert_true(clock.due <= start && some.from[w] > 1);
                assert_true(order_clock_warning(&clock, &some, start + 1000000000) < w);
                continue;
            }
            assert_true(order_clock_warning(&clock, &some, at) >= w);
            assert_true(order_clock_warning(&clock, &some, at - 1) < w);
        }
    }
    const struct order_clock clock = {.start = 1000, .due = 901000};
    assert_true(order_clock_warns_at(&clock, &shares, WARNING_BLUE) == 451000);
    assert_true(order_clock_warns_at(&clock, &shares, WARNING_YELLOW) == 721000);
    assert_true(order_clock_warns_at(&clock, &shares, WARNING_RED) == 901000);
    const struct order_clock none = {.start = 1000};
    assert_true(order_clock_warns_at(&none, &shares, WARNING_BLUE) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_table),
        cmocka_unit_test(without_a_deadline),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(when_a_level_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
