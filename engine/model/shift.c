#include "engine/model/shift.h"

#include "engine/base/clock.h"
#include "engine/base/names.h"

enum { WEEK = 7, DAY_MINUTES = 24 * 60 };

/* 0 for "mon" .. 6 for "sun", or -1. */
static int parse_day(struct span text)
{
    static const char *const days[WEEK] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    return NAMES_FIND(days, text);
}

/* "mon" or "fri-mon" as a bit set; 0 when it is neither. */
static uint8_t parse_days(struct span text)
{
    struct span rest = text;
    int first = parse_day(span_cut(&rest, '-'));
    int last = rest.ptr == NULL ? first : parse_day(rest);
    if (first < 0 || last < 0)
        return 0;
    unsigned days = 0;
    for (int day = first;; day = (day + 1) % WEEK) {
        days |= 1u << day;
        if (day == last)
            return (uint8_t)days;
    }
}

/* "HH:MM" in minutes, up to 24:00; or -1. */
static int parse_time(struct span text)
{
    uint64_t hour, minute;
    if (text.len != 5 || text.ptr[2] != ':' || span_to_u64(span_sub(text, 0, 2), 24, &hour) != 0 ||
        span_to_u64(span_sub(text, 3, 5), 59, &minute) != 0)
        return -1;
    int minutes = (int)(hour * 60 + minute);
    return minutes <= DAY_MINUTES ? minutes : -1;
}

int shift_parse(struct span text, struct shift *out)
{
    struct span rest = text;
    uint8_t days = parse_days(span_cut(&rest, ' '));
    int from = parse_time(span_cut(&rest, '-'));
    int to = parse_time(rest);
    if (days == 0 || from < 0 || from == DAY_MINUTES || to < 0 || from == to)
        return -1;
    *out = (struct shift){.days = days, .from = (int16_t)from, .to = (int16_t)to};
    return 0;
}

bool shift_covers(const struct shift *shift, int64_t now)
{
    struct clock_civil civil = clock_to_civil(now);
    int today = clock_weekday(civil.year, civil.month, civil.day) - 1;
    int yesterday = (today + WEEK - 1) % WEEK;
    int minute = civil.hour * 60 + civil.minute;
    bool starts_today = (shift->days >> today & 1) != 0;
    if (shift->to > shift->from)
        return starts_today && minute >= shift->from && minute < shift->to;
    bool started_yesterday = (shift->days >> yesterday & 1) != 0;
    return (starts_today && minute >= shift->from) || (started_yesterday && minute < shift->to);
}
