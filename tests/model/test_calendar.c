#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/model/calendar.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The State Council's lists, as month * 100 + day, written here once more. */
struct span_of_days {
    int year, first, last;
};

static const struct span_of_days holidays[] = {
    {2025, 101, 101}, {2025, 128, 131}, {2025, 201, 204},   {2025, 404, 406}, {2025, 501, 505},
    {2025, 531, 531}, {2025, 601, 602}, {2025, 1001, 1008}, {2026, 101, 103}, {2026, 215, 223},
    {2026, 404, 406}, {2026, 501, 505}, {2026, 619, 621},   {2026, 925, 927}, {2026, 1001, 1007},
};

static const struct span_of_days workdays[] = {
    {2025, 126, 126},   {2025, 208, 208}, {2025, 427, 427},   {2025, 928, 928},
    {2025, 1011, 1011}, {2026, 104, 104}, {2026, 214, 214},   {2026, 228, 228},
    {2026, 509, 509},   {2026, 920, 920}, {2026, 1010, 1010},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool listed(const struct span_of_days *days, size_t count, int year, int month, int day)
{
    for (size_t i = 0; i < count; i++)
        if (days[i].year == year && month * 100 + day >= days[i].first &&
            month * 100 + day <= days[i].last)
            return true;
    return false;
}

static bool expected_workday(int year, int month, int day)
{
    if (listed(holidays, COUNT(holidays), year, month, day))
        return false;
    return listed(workdays, COUNT(workdays), year, month, day) ||
           clock_weekday(year, month, day) <= 5;
}

static struct calendar *load(const struct folder *folder, const char *text, struct err *err)
{
    folder_write(folder, "calendar.yaml", text);
    return calendar_load(folder_path(folder, "calendar.yaml"), err);
}

static struct calendar *load_real(void)
{
    struct err err;
    struct calendar *calendar = calendar_load("rules/calendar.yaml", &err);
    if (calendar == NULL)
        fail_msg("%s", err.text);
    return calendar;
}

static void every_day_of_2025_and_2026(void **state)
{
    (void)state;
    struct calendar *calendar = load_real();
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int days = 0, working[2] = {0};
    for (int year = 2025; year <= 2026; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= month_days[month - 1]; day++) {
                bool provisional = false;
                bool is = calendar_is_workday(calendar, year, month, day, &provisional);
                if (is != expected_workday(year, month, day) || provisional)
                    fail_msg("%d-%02d-%02d", year, month, day);
                days++;
                working[year - 2025] += is;
            }
        }
    }
    assert_int_equal(days, 730);
    assert_int_equal(working[0], 248);
    assert_int_equal(working[1], 248);
    calendar_free(&calendar);
    assert_null(calendar);
}

static void unpublished_years_are_provisional(void **state)
{
    (void)state;
    struct calendar *calendar = load_real();
    bool provisional = false;
    assert_false(calendar_is_workday(calendar, 2025, 1, 1, NULL));
    assert_true(calendar_is_workday(calendar, 2031, 1, 1, NULL)); /* a Wednesday */
    assert_true(calendar_is_workday(calendar, 2031, 1, 1, &provisional));
    assert_true(provisional);
    assert_false(calendar_is_workday(calendar, 2031, 1, 4, &provisional));
    assert_false(calendar_is_workday(calendar, 2025, 1, 1, &provisional));
    assert_true(provisional); /* never back to false */
    calendar_free(&calendar);

    struct folder folder = folder_new();
    struct err err;
    calendar = load(&folder, sample_calendar, &err);
    assert_non_null(calendar);
    provisional = false;
    assert_true(calendar_is_workday(calendar, 2026, 1, 1, &provisional)); /* listed as missing */
    assert_true(provisional);
    calendar_free(&calendar);
    folder_remove(&folder);
}

struct sum {
    const char *from;
    int days;
    const char *until;
    bool provisional;
};

static void workdays_are_added(void **state)
{
    (void)state;
    static const struct sum sums[] = {
        {"2025-03-03 10:00", 1, "2025-03-05 00:00", false}, /* Monday: until the end of Tuesday */
        {"2025-03-03 00:00", 1, "2025-03-05 00:00", false},
        {"2025-03-03 23:59", 1, "2025-03-05 00:00", false},
        {"2025-03-07 10:00", 1, "2025-03-11 00:00", false}, /* over a weekend */
        {"2025-03-08 10:00", 1, "2025-03-11 00:00", false}, /* from inside it */
        {"2025-01-25 12:00", 1, "2025-01-27 00:00", false}, /* the make-up Sunday counts */
        {"2025-01-27 12:00", 1, "2025-02-06 00:00", false}, /* over the Spring Festival */
        {"2025-01-27 12:00", 4, "2025-02-09 00:00", false}, /* with the make-up Saturday */
        {"2025-09-30 12:00", 3, "2025-10-12 00:00", false}, /* 9, 10, 11 October */
        {"2026-02-13 12:00", 5, "2026-02-28 00:00", false}, /* 14, 24, 25, 26, 27 */
        {"2026-02-13 12:00", 6, "2026-03-01 00:00", false}, /* the make-up Saturday 28 */
        {"2026-12-30 12:00", 1, "2027-01-01 00:00", false},
        {"2026-12-30 12:00", 2, "2027-01-02 00:00", true}, /* 2027 is not published */
    };
    struct calendar *calendar = load_real();
    for (size_t i = 0; i < COUNT(sums); i++) {
        bool provisional = false;
        int64_t until =
            calendar_add_workdays(calendar, at(sums[i].from), sums[i].days, &provisional);
        char text[CLOCK_RFC3339_BYTES];
        if (until != at(sums[i].until) || provisional != sums[i].provisional)
            fail_msg("%s + %d is %s%s", sums[i].from, sums[i].days, clock_format(until, text),
                     provisional ? " (provisional)" : "");
    }
    calendar_free(&calendar);
}

/* The first deadline of which `days` working days have passed completely, found by trying every
 * midnight. */
static int64_t naive_add(int64_t from, int days)
{
    struct clock_civil start = clock_to_civil(from);
    int64_t first = clock_days(start.year, start.month, start.day) + 1;
    for (int64_t end = first + 1;; end++) {
        int passed = 0;
        for (int64_t day = first; day < end; day++) {
            struct clock_civil civil = clock_to_civil(day * CLOCK_DAY_MS);
            passed += expected_workday(civil.year, civil.month, civil.day);
        }
        if (passed == days)
            return end * CLOCK_DAY_MS - CLOCK_SHANGHAI_OFFSET_MS;
    }
}

static void property_sums_equal_the_naive_walk(void **state)
{
    (void)state;
    struct calendar *calendar = load_real();
    struct random random = {20250101};
    int64_t begin = at("2025-01-01 00:00"), end = at("2026-11-30 00:00");
    for (int i = 0; i < 3000; i++) {
        int64_t from = begin + (int64_t)random_below(&random, (uint64_t)(end - begin));
        int days = 1 + (int)random_below(&random, 15);
        assert_true(calendar_add_workdays(calendar, from, days, NULL) == naive_add(from, days));
    }
    calendar_free(&calendar);
}

static void property_sums_are_monotone(void **state)
{
    (void)state;
    struct calendar *calendar = load_real();
    struct random random = {99};
    int64_t begin = at("2024-06-01 00:00"), end = at("2028-06-01 00:00");
    for (int i = 0; i < 20000; i++) {
        int64_t from = begin + (int64_t)random_below(&random, (uint64_t)(end - begin));
        int64_t later = from + (int64_t)random_below(&random, 20 * CLOCK_DAY_MS);
        int days = 1 + (int)random_below(&random, 30);
        int64_t until = calendar_add_workdays(calendar, from, days, NULL);
        assert_true(until > from);
        assert_true(calendar_add_workdays(calendar, later, days, NULL) >= until);
        assert_true(calendar_add_workdays(calendar, from, days + 1, NULL) > until);
        /* In two steps: the end of a day is the start of the next, which is not counted again. */
        assert_true(calendar_add_workdays(calendar, until - 1, 1, NULL) ==
                    calendar_add_workdays(calendar, from, days + 1, NULL));
    }
    calendar_free(&calendar);
}

#define YEAR(fields) "years:\n  2025: {published: true, source: s" fields "}\n"

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"a: 1\n", ":1:1: "},
        {"years: []\n", ":1:8: "},
        {"years: {}\n", "at least one year"},
        {"years:\n  2025: 1\n", ":2:9: "},
        {"years:\n  abcd: {published: false}\n", ":2:3: 'abcd' is no year"},
        {"years:\n  1999: {published: false}\n", "is no year"},
        {"years:\n  3000: {published: false}\n", "is no year"},
        {"years:\n  2025: {published: false}\n  02025: {published: false}\n", "listed twice"},
        {"years:\n  2025: {source: s}\n", "published"},
        {"years:\n  2025: {published: maybe, source: s}\n", "published"},
        {"years:\n  2025: {published: true}\n", "source"},
        {"years:\n  2025: {published: false, holidays: [2025-01-01]}\n", "not published"},
        {"years:\n  2025: {published: false, workdays: [2025-01-26]}\n", "not published"},
        {YEAR(", holiday: []"), "holiday"},
        {YEAR(", holidays: 2025-01-01"), ":2:"},
        {YEAR(", holidays: [1 Jan]"), "'1 Jan' is no date"},
        {YEAR(", holidays: [2025-1-1]"), "is no date"},
        {YEAR(", holidays: [2025-13-01]"), "is no date"},
        {YEAR(", holidays: [2025-02-29]"), "no day '2025-02-29'"},
        {YEAR(", holidays: [2025-00-10]"), "no day"},
        {YEAR(", holidays: [2026-01-01]"), "not in 2025"},
        {YEAR(", holidays: [[2025-01-01]]"), "is no date"},
        {YEAR(", holidays: [2025-12-30..2026-01-02]"), "not in 2025"},
        {YEAR(", holidays: [2025-05-05..2025-05-01]"), "does not end after it starts"},
        {YEAR(", holidays: [2025-05-05..2025-05-05]"), "does not end after it starts"},
        {YEAR(", holidays: [2025-05-01..]"), "'' is no date"},
        {YEAR(", holidays: [2025-05-01, 2025-05-01]"), "2025-05-01 is listed twice"},
        {YEAR(", holidays: [2025-05-01..2025-05-05, 2025-05-04]"), "2025-05-04 is listed twice"},
        {YEAR(", holidays: [2025-05-03], workdays: [2025-05-03]"), "2025-05-03 is listed twice"},
        {YEAR(", workdays: [2025-05-06]"), "Saturday or a Sunday"},
    };
    struct folder folder = folder_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {0};
        struct calendar *calendar = load(&folder, rows[i].text, &err);
        if (calendar != NULL)
            fail_msg("was taken: %s", rows[i].text);
        assert_contains(err.text, "calendar.yaml:");
        assert_contains(err.text, rows[i].message);
        assert_int_equal(err.code, ERR_INVALID);
    }
    struct err err = {0};
    assert_null(calendar_load(folder_path(&folder, "absent.yaml"), &err));
    assert_int_equal(err.code, ERR_IO);
    assert_null(calendar_load(folder_path(&folder, "absent.yaml"), NULL));
    folder_remove(&folder);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct calendar *calendar = calendar_load("rules/calendar.yaml", &err);
        uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (calendar == NULL) {
            assert_int_equal(err.code, ERR_NOMEM);
            continue;
        }
        calendar_free(&calendar);
        assert_true(asked < n);
        assert_true(n > 2);
        return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_2025_and_2026),
        cmocka_unit_test(unpublished_years_are_provisional),
        cmocka_unit_test(workdays_are_added),
        cmocka_unit_test(property_sums_equal_the_naive_walk),
        cmocka_unit_test(property_sums_are_monotone),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
