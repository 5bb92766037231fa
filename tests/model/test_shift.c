#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/model/shift.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned days;
        int from, to;
    } good[] = {
        {"mon-fri 08:00-18:00", 0x1F, 480, 1080}, {"sat 09:30-17:00", 0x20, 570, 1020},
        {"mon-sun 00:00-24:00", 0x7F, 0, 1440},   {"fri-mon 20:00-08:00", 0x71, 1200, 480},
        {"sun 23:59-00:00", 0x40, 1439, 0},       {"tue-tue 00:00-00:01", 0x02, 0, 1},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct shift shift;
        assert_int_equal(shift_parse(span_str(good[i].text), &shift), 0);
        assert_int_equal(shift.days, good[i].days);
        assert_int_equal(shift.from, good[i].from);
        assert_int_equal(shift.to, good[i].to);
    }
    static const char *const bad[] = {"",
                                      "mon",
                                      "mon ",
                                      "mon-fri",
                                      "08:00-18:00",
                                      " mon 08:00-18:00",
                                      "mon  08:00-18:00",
                                      "mon 08:00-18:00 ",
                                      "Mon 08:00-18:00",
                                      "mon- 08:00-18:00",
                                      "-fri 08:00-18:00",
                                      "mon-tue-wed 08:00-18:00",
                                      "monday 08:00-18:00",
                                      "mon 8:00-18:00",
                                      "mon 08.00-18.00",
                                      "mon 08:00",
                                      "mon 08:00-",
                                      "mon 08:00-08:00",
                                      "mon 24:00-08:00",
                                      "mon 08:00-24:01",
                                      "mon 08:60-18:00",
                                      "mon 08:00-25:00",
                                      "mon 08:00-18:00-19:00",
                                      "mon -8:00-18:00"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct shift shift = {.days = 99};
        if (shift_parse(span_str(bad[i]), &shift) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(shift.days, 99);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *shift, *at;
        bool on;
    } rows[] = {
        /* 2025-03-03 is a Monday */
        {"mon-fri 08:00-18:00", "2025-03-03 07:59", false},
        {"mon-fri 08:00-18:00", "2025-03-03 08:00", true},
        {"mon-fri 08:00-18:00", "2025-03-03 17:59", true},
        {"mon-fri 08:00-18:00", "2025-03-03 18:00", false},
        {"mon-fri 08:00-18:00", "2025-03-07 12:00", true},
        {"mon-fri 08:00-18:00", "2025-03-08 12:00", false},
        {"mon-sun 00:00-24:00", "2025-03-03 00:00", true},
        {"mon-sun 00:00-24:00", "2025-03-09 23:59", true},
        {"sun 20:00-08:00", "2025-03-09 19:59", false},
        {"sun 20:00-08:00", "2025-03-09 20:00", true},
        {"sun 20:00-08:00", "2025-03-10 07:59", true}, /* the Monday after */
        {"sun 20:00-08:00", "2025-03-10 08:00", false},
        {"sun 20:00-08:00", "2025-03-09 07:00", false}, /* no shift began on Saturday */
        {"mon 20:00-00:00", "2025-03-03 23:59", true},
        {"mon 20:00-00:00", "2025-03-04 00:00", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shift shift;
        assert_int_equal(shift_parse(span_str(rows[i].shift), &shift), 0);
        if (shift_covers(&shift, at(rows[i].at)) != rows[i].on)
            fail_msg("%s at %s", rows[i].shift, rows[i].at);
    }
}

/* A shift as the set of all its minutes of one week, which repeats. */
static void property_equals_the_marked_week(void **state)
{
    (void)state;
    enum { WEEK = 7 * 1440 };
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    struct random random = {11};
    int64_t monday = at("2025-03-03 00:00");
    for (int round = 0; round < 200; round++) {
        unsigned first = (unsigned)random_below(&random, 7);
        unsigned length = 1 + (unsigned)random_below(&random, 7);
        unsigned from = (unsigned)random_below(&random, 1440);
        unsigned to = (unsigned)random_below(&random, 1441);
        if (from == to)
            continue;
        char text[64];
        snprintf(text, sizeof text, "%s-%s %02u:%02u-%02u:%02u", names[first],
                 names[(first + length - 1) % 7], from / 60, from % 60, to / 60, to % 60);
        bool week[WEEK] = {false};
        for (unsigned d = 0; d < length; d++)
            for (unsigned m = from; m < (to > from ? to : to + 1440); m++)
                week[((first + d) % 7 * 1440 + m) % WEEK] = true;
        struct shift shift;
        assert_int_equal(shift_parse(span_str(text), &shift), 0);
        for (int i = 0; i < 500; i++) {
            uint64_t minute = random_below(&random, WEEK);
            int64_t now = monday + (int64_t)(minute * 60000 + random_below(&random, 60000));
            if (shift_covers(&shift, now) != week[minute])
                fail_msg("%s at minute %u of the week", text, (unsigned)minute);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(times),
        cmocka_unit_test(property_equals_the_marked_week),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
