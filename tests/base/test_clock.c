#include "engine/base/clock.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIRST_MS INT64_C(-62135625600000) /* 0001-01-01T00:00:00+08:00 */
#define LAST_MS INT64_C(253402271999999)  /* 9999-12-31T23:59:59.999+08:00 */

static void check_instant(int64_t ms)
{
    int64_t local = ms + CLOCK_SHANGHAI_OFFSET_MS;
    int64_t floor_s = local >= 0 ? local / 1000 : -((999 - local) / 1000);
    time_t seconds = (time_t)floor_s;
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    struct clock_civil c = clock_to_civil(ms);
    if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
        c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec ||
        c.millis != local - floor_s * 1000)
        fail_msg("%lld ms: %d-%d-%d", (long long)ms, c.year, c.month, c.day);
    assert_int_equal(clock_civil_valid(&c), 1);
    assert_true(clock_from_civil(&c) == ms);
    assert_int_equal(clock_weekday(c.year, c.month, c.day), tm.tm_wday == 0 ? 7 : tm.tm_wday);
    assert_true(clock_days(c.year, c.month, c.day) * CLOCK_DAY_MS <= local);
    assert_true((clock_days(c.year, c.month, c.day) + 1) * CLOCK_DAY_MS > local);
    char text[CLOCK_RFC3339_BYTES];
    int64_t back = 0;
    assert_int_equal(clock_parse(span_str(clock_format(ms, text)), &back), 0);
    assert_true(back == ms);
}

static void test_random_instants_against_gmtime(void **state)
{
    (void)state;
    struct random r = {.state = 99};
    for (int i = 0; i < 200000; i++) {
        check_instant(FIRST_MS + (int64_t)random_below(&r, (uint64_t)(LAST_MS - FIRST_MS + 1)));
        check_instant((int64_t)random_below(&r, UINT64_C(4102444800000)));
    }
    check_instant(FIRST_MS);
    check_instant(LAST_MS);
    for (int64_t ms = -2000; ms <= 2000; ms++) {
        check_instant(ms);
        check_instant(ms - CLOCK_SHANGHAI_OFFSET_MS);
    }
}

static void test_every_day_of_four_centuries(void **state)
{
    (void)state;
    int64_t day = clock_days(1900, 1, 1);
    int weekday = 1; /* a Monday */
    for (; day < clock_days(2300, 1, 1); day++) {
        struct clock_civil c = clock_to_civil(day * CLOCK_DAY_MS - CLOCK_SHANGHAI_OFFSET_MS);
        assert_true(clock_days(c.year, c.month, c.day) == day);
        assert_int_equal(c.hour, 0);
        assert_int_equal(clock_weekday(c.year, c.month, c.day), weekday);
        weekday = weekday % 7 + 1;
    }
}

/* The seams of the 400-year eras, also before the year 0, and one day to both sides. */
static void test_seams_of_eras(void **state)
{
    (void)state;
    for (int64_t era = -50; era <= 50; era++) {
        for (int64_t off = -1; off <= 1; off++) {
            int64_t day = era * 146097 - 719468 + off;
            struct clock_civil c = clock_to_civil(day * CLOCK_DAY_MS - CLOCK_SHANGHAI_OFFSET_MS);
            assert_true(clock_days(c.year, c.month, c.day) == day);
            assert_int_equal(c.month, off < 0 ? 2 : 3);
            assert_int_equal(c.day, off < 0 ? 29 : 1 + (int)off);
            assert_int_equal(c.year, (int)era * 400);
        }
    }
}

static void test_extreme_instants_do_not_overflow(void **state)
{
    (void)state;
    static const int64_t instants[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1,
                                       INT64_MAX, LAST_MS + 1,   FIRST_MS - 1};
    for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
        char text[CLOCK_RFC3339_BYTES];
        assert_ptr_equal(clock_format(instants[i], text), text);
        assert_true(strlen(text) < CLOCK_RFC3339_BYTES);
        int64_t ms;
        assert_int_equal(clock_parse(span_str(text), &ms), -1);
    }
}

static void test_formats(void **state)
{
    (void)state;
    char text[CLOCK_RFC3339_BYTES];
    assert_string_equal(clock_format(0, text), "1970-01-01T08:00:00+08:00");
    assert_string_equal(clock_format(1, text), "1970-01-01T08:00:00.001+08:00");
    assert_string_equal(clock_format(-1, text), "1970-01-01T07:59:59.999+08:00");
    assert_string_equal(clock_format(INT64_C(1772325000123), text),
                        "2026-03-01T08:30:00.123+08:00");
}

static void test_good_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T08:00:00+08:00", 0},
        {"1969-12-31T16:00:00-08:00", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.05Z", 50},
        {"1970-01-01T00:00:00.123456789Z", 123},
        {"1970-01-01T00:00:00.9999Z", 999},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1985-04-12T23:20:50.52Z", INT64_C(482196050520)},
        {"1996-12-19T16:39:57-08:00", INT64_C(851042397000)},
        {"1990-12-31T23:59:60Z", INT64_C(662688000000)},
        {"1990-12-31T15:59:60-08:00", INT64_C(662688000000)},
        {"2017-01-01T07:59:60.25+08:00", INT64_C(1483228800250)},
        {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"2026-03-01T08:30:00+08:00", INT64_C(1772325000000)},
        {"9999-12-31T23:59:59+08:00", INT64_C(253402271999000)},
        {"0001-01-01T00:00:00+08:00", FIRST_MS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = -1;
        if (clock_parse(span_str(rows[i].text), &ms) != 0 || ms != rows[i].ms)
            fail_msg("\"%s\": %lld", rows[i].text, (long long)ms);
    }
}

static void test_bad_texts(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T08:30:00", /* no offset */
        "2026-03-01T08:30Z",
        "2026-03-01 08:30:00Z",
        "2026-03-01T08:30:00.Z",
        "2026-03-01T08:30:00,5Z",
        "2026-03-01T08:30:00+8:00",
        "2026-03-01T08:30:00+0800",
        "2026-03-01T08:30:00+08",
        "2026-03-01T08:30:00+24:00",
        "2026-03-01T08:30:00+08:60",
        "2026-03-01T08:30:00ZZ",
        "2026-03-01T08:30:00Z ",
        " 2026-03-01T08:30:00Z",
        "2026-3-01T08:30:00Z",
        "2026-03-1T08:30:00Z",
        "26-03-01T08:30:00Z",
        "+026-03-01T08:30:00Z",
        "-026-03-01T08:30:00Z",
        "12026-03-01T08:30:00Z",
        "2026-00-01T08:30:00Z",
        "2026-13-01T08:30:00Z",
        "2026-03-00T08:30:00Z",
        "2026-03-32T08:30:00Z",
        "2026-04-31T08:30:00Z",
        "2026-02-29T08:30:00Z",
        "1900-02-29T08:30:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T08:60:00Z",
        "2026-03-01T08:30:61Z",
        "2026-03-01T08:30:60Z", /* not where a leap second may be */
        "2026-03-01T23:59:60Z",
        "2016-12-31T23:59:60+08:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00", /* the year 0 in UTC+8 */
        "9999-12-31T23:59:59Z",      /* the year 10000 in UTC+8 */
        "2026/03/01T08:30:00Z",
        "2026-03-01T08-30-00Z",
        "２０２６-03-01T08:30:00Z",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 77;
        if (clock_parse(span_str(rows[i]), &ms) != -1 || ms != 77)
            fail_msg("took \"%s\"", rows[i]);
    }
    int64_t ms;
    assert_int_equal(clock_parse(span_of("2026-03-01T08:30:00Z\0", 21), &ms), -1);
    assert_int_equal(clock_parse(span_of("2026-03-01T08:30:00\0", 20), &ms), -1);
}

/* Every prefix and every changed byte of a good text is read without harm, within its bounds. */
static void test_mutations_stay_in_bounds(void **state)
{
    (void)state;
    struct random r = {.state = 3};
    const char *good = "2026-03-01T08:30:00.123+08:00";
    size_t len = strlen(good);
    int taken = 0;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        memcpy(text, good, len);
        text[random_below(&r, len)] = "0123456789-+:.TZ"[random_below(&r, 16)];
        size_t n = random_below(&r, 4) == 0 ? (size_t)random_below(&r, len) : len;
        int64_t ms;
        if (clock_parse(span_of(text, n), &ms) == 0) {
            taken++;
            char back[CLOCK_RFC3339_BYTES];
            int64_t again;
            assert_int_equal(clock_parse(span_str(clock_format(ms, back)), &again), 0);
            assert_true(again == ms);
        }
    }
    assert_true(taken > 1000);
}

static void test_civil_bounds(void **state)
{
    (void)state;
    const struct clock_civil good = {2024, 2, 29, 23, 59, 59, 999};
    assert_int_equal(clock_civil_valid(&good), 1);
    const struct clock_civil bad[] = {
        {0, 2, 1, 0, 0, 0, 0},     {10000, 2, 1, 0, 0, 0, 0}, {2024, 0, 1, 0, 0, 0, 0},
        {2024, 13, 1, 0, 0, 0, 0}, {2024, 2, 30, 0, 0, 0, 0}, {2023, 2, 29, 0, 0, 0, 0},
        {2024, 2, 0, 0, 0, 0, 0},  {2024, 2, 1, 24, 0, 0, 0}, {2024, 2, 1, -1, 0, 0, 0},
        {2024, 2, 1, 0, 60, 0, 0}, {2024, 2, 1, 0, 0, 60, 0}, {2024, 2, 1, 0, 0, 0, 1000},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(clock_civil_valid(&bad[i]), 0);
}

static void test_clocks_run(void **state)
{
    (void)state;
    int64_t wall = clock_now_ms();
    time_t now = time(NULL);
    assert_in_range((uint64_t)(wall / 1000 + 5 - (int64_t)now), 3, 7);
    uint64_t before = clock_steady_ns();
    int64_t before_ms = clock_steady_ms();
    uint64_t after = clock_steady_ns();
    assert_true(after >= before);
    assert_true(before_ms >= (int64_t)(before / 1000000) &&
                before_ms <= (int64_t)(after / 1000000));
}

/* Last: the clock stays fast. */
static void test_a_fast_clock(void **state)
{
    (void)state;
    assert_int_equal(clock_stretch_ms(250), 250);
    assert_in_range((uint64_t)(clock_real_ms() + 5 - clock_now_ms()), 0, 10);

    const int64_t origin = 1772409600000; /* 2026-03-02T08:00:00+08:00 */
    const int speeds[] = {1, 60, 1440, CLOCK_SPEED_MAX};
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        /* What the two clocks say must agree, whatever the thread was put aside for. */
        const int64_t began = clock_real_ms() - 500;
        clock_run_fast(speeds[i], began, origin);
        const int64_t before = clock_real_ms(), now = clock_now_ms(), after = clock_real_ms();
        assert_true(now >= origin + (before - began - 1) * speeds[i]);
        assert_true(now <= origin + (after - began + 2) * speeds[i]);
        assert_int_equal(clock_stretch_ms(250), 250 * speeds[i]);
    }
    /* Fine steps too, never backwards, and the other clocks stay real. */
    const uint64_t steady = clock_steady_ns();
    const int64_t real = clock_real_ms();
    int64_t last = clock_now_ms(), steps = 0;
    const int64_t until = last + clock_stretch_ms(20);
    while (last < until) {
        const int64_t now = clock_now_ms();
        assert_true(now >= last);
        steps += now != last;
        last = now;
    }
    assert_true(steps > 20);
    assert_true(clock_steady_ns() - steady >= 19000000);
    assert_in_range((uint64_t)(clock_real_ms() - real), 15, 5000);

    /* An instant to come is counted down to. */
    clock_run_fast(10, clock_real_ms() + 10000, origin);
    assert_in_range((uint64_t)(origin - clock_now_ms()), 50000, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_instants_against_gmtime),
        cmocka_unit_test(test_every_day_of_four_centuries),
        cmocka_unit_test(test_seams_of_eras),
        cmocka_unit_test(test_extreme_instants_do_not_overflow),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_good_texts),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_mutations_stay_in_bounds),
        cmocka_unit_test(test_civil_bounds),
        cmocka_unit_test(test_clocks_run),
        cmocka_unit_test(test_a_fast_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
