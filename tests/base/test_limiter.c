#include "engine/base/limiter.h"
#include "engine/base/limits.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static int take_many(struct limiter *l, const char *event, int64_t now, int count)
{
    int taken = 0;
    for (int i = 0; i < count; i++)
        taken += limiter_take(l, "redis", event, now);
    return taken;
}

static void test_a_burst_per_second_and_event(void **state)
{
    (void)state;
    struct limiter l = {0};
    struct limiter_row row;
    assert_int_equal(take_many(&l, "a", 5000, 25), LIMIT_LOG_BURST);
    assert_int_equal(take_many(&l, "b", 5000, 3), 3);
    assert_true(limiter_take(&l, "outbox", "a", 5000));
    assert_int_equal(take_many(&l, "a", 5999, 5), 0);
    assert_false(limiter_report(&l, 5999, false, &row));
    assert_int_equal(take_many(&l, "a", 6000, 4), 4);
}

static void test_losses_are_reported_once(void **state)
{
    (void)state;
    struct limiter l = {0};
    struct limiter_row row;
    take_many(&l, "a", 0, LIMIT_LOG_BURST + 7);
    take_many(&l, "b", 500, LIMIT_LOG_BURST + 2);
    assert_true(limiter_report(&l, 1000, false, &row));
    assert_string_equal(row.module, "redis");
    assert_string_equal(row.event, "a");
    assert_int_equal(row.suppressed, 7);
    assert_false(limiter_report(&l, 1000, false, &row));
    assert_true(limiter_report(&l, 1000, true, &row));
    assert_string_equal(row.event, "b");
    assert_int_equal(row.suppressed, 2);
    assert_false(limiter_report(&l, 9000, true, &row));
}

static void test_idle_rows_are_used_again(void **state)
{
    (void)state;
    struct limiter l = {0};
    for (int i = 0; i < 10 * LIMITER_ROWS; i++) {
        char event[32];
        snprintf(event, sizeof(event), "e%d", i);
        assert_int_equal(take_many(&l, event, (int64_t)i * 100, 20), LIMIT_LOG_BURST);
        struct limiter_row row;
        while (limiter_report(&l, (int64_t)i * 100, false, &row))
            assert_int_equal(row.suppressed, 20 - LIMIT_LOG_BURST);
    }
}

/* More loud events than rows: the rest share one row, and every line is written or counted. */
static void test_a_full_table_still_bounds_and_counts(void **state)
{
    (void)state;
    struct limiter l = {0};
    uint64_t asked = 0, taken = 0, told = 0;
    for (int i = 0; i < 500; i++) {
        char event[100];
        snprintf(event, sizeof(event), "%060d", i);
        taken += (uint64_t)take_many(&l, event, 10, 12);
        asked += 12;
    }
    assert_int_equal(taken, LIMITER_ROWS * LIMIT_LOG_BURST);
    struct limiter_row row;
    bool other = false;
    while (limiter_report(&l, 1010, false, &row)) {
        assert_true(strlen(row.event) < LIMITER_NAME_BYTES);
        other = other || strcmp(row.event, "other") == 0;
        told += row.suppressed;
    }
    assert_true(other);
    assert_int_equal(asked, taken + told);
}

/* Whatever happens in whatever order, asked = taken + reported. */
static void test_no_line_is_lost_uncounted(void **state)
{
    (void)state;
    struct random r = {.state = 4};
    struct limiter l = {0};
    struct limiter_row row;
    uint64_t asked = 0, taken = 0, told = 0;
    int64_t now = 0;
    for (int i = 0; i < 200000; i++) {
        char event[16];
        snprintf(event, sizeof(event), "%u", (unsigned)random_below(&r, 100));
        now += (int64_t)random_below(&r, 3);
        asked++;
        taken += limiter_take(&l, "m", event, now);
        while (random_below(&r, 50) == 0 && limiter_report(&l, now, false, &row))
            told += row.suppressed;
    }
    while (limiter_report(&l, now, true, &row))
        told += row.suppressed;
    assert_int_equal(asked, taken + told);
    assert_true(told > 1000 && taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_per_second_and_event),
        cmocka_unit_test(test_losses_are_reported_once),
        cmocka_unit_test(test_idle_rows_are_used_again),
        cmocka_unit_test(test_a_full_table_still_bounds_and_counts),
        cmocka_unit_test(test_no_line_is_lost_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
