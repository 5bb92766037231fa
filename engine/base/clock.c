#include "engine/base/clock.h"

#include "engine/base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NS_PER_MS = 1000000 };

/* Set before there are threads, and only read from then on. */
static struct {
    bool on;
    int speed;
    int64_t began_ns; /* steady */
    int64_t origin_ms;
} fast = {.speed = 1};

static int64_t real_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int64_t clock_real_ms(void)
{
    return real_ns() / NS_PER_MS;
}

int64_t clock_now_ms(void)
{
    if (!fast.on)
        return clock_real_ms();
    const int64_t passed = (int64_t)clock_steady_ns() - fast.began_ns;
    return fast.origin_ms + passed / NS_PER_MS * fast.speed +
           passed % NS_PER_MS * fast.speed / NS_PER_MS;
}

int64_t clock_stretch_ms(int64_t real_ms)
{
    return real_ms * fast.speed;
}

uint64_t clock_steady_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

int64_t clock_steady_ms(void)
{
    return (int64_t)(clock_steady_ns() / 1000000);
}

/* How far the real clock is ahead of the steady one. Between two askings the thread can be put
 * aside; the shortest of some tries is the truest. */
static int64_t real_ahead_ns(void)
{
    enum { TRIES = 16 };
    uint64_t shortest = UINT64_MAX;
    int64_t ahead = 0;
    for (int i = 0; i < TRIES; i++) {
        const uint64_t before = clock_steady_ns();
        const int64_t real = real_ns();
        const uint64_t took = clock_steady_ns() - before;
        if (took < shortest) {
            shortest = took;
            ahead = real - (int64_t)(before + took / 2);
        }
    }
    return ahead;
}

void clock_run_fast(int speed, int64_t began_ms, int64_t origin_ms)
{
    CHECK(speed >= 1 && speed <= CLOCK_SPEED_MAX);
    fast.on = true;
    fast.speed = speed;
    fast.began_ns = began_ms * NS_PER_MS - real_ahead_ns();
    fast.origin_ms = origin_ms;
}

/* In Hinnant's algorithms a year begins in March, so that the leap day is its last, and an era is
 * the 400 years (146097 days) after which the calendar repeats. 719468 days lie between 0000-03-01
 * and 1970-01-01. */
int64_t clock_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, struct clock_civil *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
}

/* As if the offset were 0. */
static struct clock_civil utc_civil(int64_t ms)
{
    int64_t days = ms / CLOCK_DAY_MS;
    int64_t rest = ms % CLOCK_DAY_MS;
    if (rest < 0) {
        days--;
        rest += CLOCK_DAY_MS;
    }
    struct clock_civil out;
    date_of_days(days, &out);
    out.hour = (int)(rest / CLOCK_HOUR_MS);
    out.minute = (int)(rest / CLOCK_MINUTE_MS % 60);
    out.second = (int)(rest / CLOCK_SECOND_MS % 60);
    out.millis = (int)(rest % CLOCK_SECOND_MS);
    return out;
}

static int64_t utc_instant(const struct clock_civil *c)
{
    return clock_days(c->year, c->month, c->day) * CLOCK_DAY_MS + c->hour * CLOCK_HOUR_MS +
           c->minute * CLOCK_MINUTE_MS + c->second * CLOCK_SECOND_MS + c->millis;
}

struct clock_civil clock_to_civil(int64_t ms)
{
    int64_t last = INT64_MAX - CLOCK_SHANGHAI_OFFSET_MS;
    return utc_civil((ms > last ? last : ms) + CLOCK_SHANGHAI_OFFSET_MS);
}

int64_t clock_from_civil(const struct clock_civil *civil)
{
    return utc_instant(civil) - CLOCK_SHANGHAI_OFFSET_MS;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool in(int n, int low, int high)
{
    return n >= low && n <= high;
}

int clock_civil_valid(const struct clock_civil *c)
{
    return in(c->year, 1, 9999) && in(c->month, 1, 12) &&
           in(c->day, 1, days_in_month(c->year, c->month)) && in(c->hour, 0, 23) &&
           in(c->minute, 0, 59) && in(c->second, 0, 59) && in(c->millis, 0, 999);
}

int clock_weekday(int year, int month, int day)
{
    /* 1970-01-01 was a Thursday. */
    int64_t rest = (clock_days(year, month, day) + 3) % 7;
    return (int)(rest < 0 ? rest + 7 : rest) + 1;
}

/* Takes one byte of the set from the front of *text. */
static bool take_one(struct span *text, const char *set, char *which)
{
    if (text->len == 0 || text->ptr[0] == '\0')
        return false;
    for (; *set != '\0'; set++) {
        if (*set == text->ptr[0]) {
            *which = *set;
            *text = span_sub(*text, 1, text->len);
            return true;
        }
    }
    return false;
}

/* Takes exactly count digits. */
static bool take_number(struct span *text, size_t count, int *out)
{
    uint64_t n;
    if (text->len < count || span_to_u64(span_sub(*text, 0, count), 9999, &n) != 0)
        return false;
    *text = span_sub(*text, count, text->len);
    *out = (int)n;
    return true;
}

/* Takes one or more digits of a fraction; what is finer than a millisecond is dropped. */
static bool take_fraction(struct span *text, int *millis)
{
    int scale = 100;
    size_t n = 0;
    *millis = 0;
    for (; n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9'; n++) {
        *millis += (text->ptr[n] - '0') * scale;
        scale /= 10;
    }
    *text = span_sub(*text, n, text->len);
    return n > 0;
}

static bool take_offset(struct span *text, int64_t *offset)
{
    char sign;
    int hours, minutes;
    *offset = 0;
    if (take_one(text, "Zz", &sign))
        return true;
    char colon;
    if (!take_one(text, "+-", &sign) || !take_number(text, 2, &hours) ||
        !take_one(text, ":", &colon) || !take_number(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *offset = (hours * CLOCK_HOUR_MS + minutes * CLOCK_MINUTE_MS) * (sign == '-' ? -1 : 1);
    return true;
}

/* Where a leap second may stand: the instant after it begins a month in UTC. */
static bool after_leap(int64_t ms)
{
    struct clock_civil c = utc_civil(ms);
    return c.day == 1 && c.hour == 0 && c.minute == 0 && c.second == 0;
}

int clock_parse(struct span text, int64_t *ms)
{
    struct clock_civil c = {0};
    char mark;
    if (!take_number(&text, 4, &c.year) || !take_one(&text, "-", &mark) ||
        !take_number(&text, 2, &c.month) || !take_one(&text, "-", &mark) ||
        !take_number(&text, 2, &c.day) || !take_one(&text, "Tt", &mark) ||
        !take_number(&text, 2, &c.hour) || !take_one(&text, ":", &mark) ||
        !take_number(&text, 2, &c.minute) || !take_one(&text, ":", &mark) ||
        !take_number(&text, 2, &c.second))
        return -1;
    if (take_one(&text, ".", &mark) && !take_fraction(&text, &c.millis))
        return -1;
    int64_t offset;
    if (!take_offset(&text, &offset) || text.len != 0)
        return -1;
    bool leap = c.second == 60;
    if (leap)
        c.second = 59;
    if (!clock_civil_valid(&c))
        return -1;
    int64_t instant = utc_instant(&c) - offset + (leap ? CLOCK_SECOND_MS : 0);
    if (leap && !after_leap(instant))
        return -1;
    /* The offset can lead out of the years that clock_civil has. */
    if (!in(clock_to_civil(instant).year, 1, 9999))
        return -1;
    *ms = instant;
    return 0;
}

/* Writes the last `width` decimal digits of n and what follows them; returns where to go on. */
static char *put_digits(char *out, int n, int width, char then)
{
    for (int i = width; i > 0; i--, n /= 10)
        out[i - 1] = (char)('0' + n % 10);
    out[width] = then;
    return out + width + 1;
}

const char *clock_format(int64_t ms, char out[CLOCK_RFC3339_BYTES])
{
    const struct clock_civil c = clock_to_civil(ms);
    /* No year of a parsed time needs more than four digits. */
    char *at = in(c.year, 0, 9999) ? put_digits(out, c.year, 4, '-')
                                   : out + snprintf(out, CLOCK_RFC3339_BYTES, "%d-", c.year);
    at = put_digits(at, c.month, 2, '-');
    at = put_digits(at, c.day, 2, 'T');
    at = put_digits(at, c.hour, 2, ':');
    at = put_digits(at, c.minute, 2, ':');
    at = put_digits(at, c.second, 2, c.millis != 0 ? '.' : '+');
    if (c.millis != 0)
        at = put_digits(at, c.millis, 3, '+');
    memcpy(at, "08:00", sizeof "08:00");
    return out;
}
