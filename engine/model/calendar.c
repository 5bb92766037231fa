/*
 * A published year is a bit per day: working or not. The file's lists are applied to the weekends
 * once, at load, so a question is one look-up. A year without bits is counted by its weekends.
 */
#include "engine/model/calendar.h"

#include "classifiers/yaml.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"

enum { YEAR_MIN = 2000, YEAR_MAX = 2999, YEAR_DAYS = 366 };

enum { SATURDAY = 6 };

struct year {
    int year;
    bool published;
    uint8_t working[(YEAR_DAYS + 7) / 8]; /* a bit per day of the year, from 1 January */
};

struct calendar {
    struct year *years;
    size_t count;
};

/* What reading one year needs: the year, and which of its days the file has already listed. */
struct reader {
    const struct yaml_doc *doc;
    struct year *year;
    uint8_t listed[(YEAR_DAYS + 7) / 8];
    struct err *err;
};

static bool bit_get(const uint8_t *bits, int i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static void bit_put(uint8_t *bits, int i, bool value)
{
    uint8_t mask = (uint8_t)(1u << (i % 8));
    bits[i / 8] = (uint8_t)(value ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

static int day_of_year(int year, int month, int day)
{
    return (int)(clock_days(year, month, day) - clock_days(year, 1, 1));
}

/* Day of the week of the i-th day of the year. */
static int weekday_of(int year, int i)
{
    return (clock_weekday(year, 1, 1) - 1 + i) % 7 + 1;
}

static const struct year *find_year(const struct calendar *calendar, int year)
{
    for (size_t i = 0; i < calendar->count; i++)
        if (calendar->years[i].year == year)
            return &calendar->years[i];
    return NULL;
}

bool calendar_is_workday(const struct calendar *calendar, int year, int month, int day,
                         bool *provisional)
{
    const struct year *known = find_year(calendar, year);
    if (known != NULL && known->published)
        return bit_get(known->working, day_of_year(year, month, day));
    if (provisional != NULL)
        *provisional = true;
    return clock_weekday(year, month, day) < SATURDAY;
}

int64_t calendar_add_workdays(const struct calendar *calendar, int64_t from, int days,
                              bool *provisional)
{
    CHECK(days >= 1);
    struct clock_civil civil = clock_to_civil(from);
    civil.hour = civil.minute = civil.second = civil.millis = 0;
    int64_t midnight = clock_from_civil(&civil);
    while (days > 0) {
        midnight += CLOCK_DAY_MS;
        civil = clock_to_civil(midnight);
        if (calendar_is_workday(calendar, civil.year, civil.month, civil.day, provisional))
            days--;
    }
    return midnight + CLOCK_DAY_MS;
}

/* Reads "YYYY-MM-DD" of the reader's year as its day of the year, or -1. */
static int read_date(const struct reader *reader, const struct yaml_node *node, struct span text)
{
    uint64_t year, month, day;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        span_to_u64(span_sub(text, 0, 4), 9999, &year) != 0 ||
        span_to_u64(span_sub(text, 5, 7), 12, &month) != 0 ||
        span_to_u64(span_sub(text, 8, 10), 31, &day) != 0)
        return yaml_error(reader->doc, node, reader->err,
                          "'%.*s' is no date; write YYYY-MM-DD or YYYY-MM-DD..YYYY-MM-DD",
                          SPAN_ARG(text));
    struct clock_civil civil = {.year = (int)year, .month = (int)month, .day = (int)day};
    if (!clock_civil_valid(&civil))
        return yaml_error(reader->doc, node, reader->err,
                          "there is no day '%.*s'; correct the date", SPAN_ARG(text));
    if (civil.year != reader->year->year)
        return yaml_error(reader->doc, node, reader->err,
                          "'%.*s' is not in %d; list it under its own year", SPAN_ARG(text),
                          reader->year->year);
    return day_of_year(civil.year, civil.month, civil.day);
}

/* Marks one listed day as working or not. */
static int mark_day(struct reader *reader, const struct yaml_node *node, int day, bool working)
{
    struct year *year = reader->year;
    if (bit_get(reader->listed, day)) {
        int64_t days = clock_days(year->year, 1, 1) + day;
        struct clock_civil civil = clock_to_civil(days * CLOCK_DAY_MS);
        return yaml_error(reader->doc, node, reader->err,
                          "%04d-%02d-%02d is listed twice; list each date once", civil.year,
                          civil.month, civil.day);
    }
    if (working && weekday_of(year->year, day) < SATURDAY)
        return yaml_error(reader->doc, node, reader->err,
                          "a make-up working day is a Saturday or a Sunday; correct the date");
    bit_put(reader->listed, day, true);
    bit_put(year->working, day, working);
    return 0;
}

/* One element of a list: a date, or two joined by "..". */
static int read_days(struct reader *reader, const struct yaml_node *node, bool working)
{
    struct span text = yaml_text(node);
    ptrdiff_t dots = span_find(text, SPAN(".."));
    struct span head = dots < 0 ? text : span_sub(text, 0, (size_t)dots);
    int first = read_date(reader, node, head);
    if (first < 0)
        return -1;
    int last = first;
    if (dots >= 0)
        last = read_date(reader, node, span_sub(text, (size_t)dots + 2, text.len));
    if (last < 0)
        return -1;
    if (dots >= 0 && last <= first)
        return yaml_error(reader->doc, node, reader->err,
                          "the range '%.*s' does not end after it starts; correct it",
                          SPAN_ARG(text));
    for (int day = first; day <= last; day++)
        if (mark_day(reader, node, day, working) != 0)
            return -1;
    return 0;
}

static int read_list(struct reader *reader, const struct yaml_node *map, const char *key,
                     bool working)
{
    const struct yaml_node *list = yaml_find(map, key);
    if (list == NULL)
        return 0;
    if (!reader->year->published)
        return yaml_error(reader->doc, list, reader->err,
                          "a year that is not published has no %s; remove them or set published",
                          key);
    if (yaml_expect_list(reader->doc, list, reader->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_days(reader, yaml_at(list, i), working) != 0)
            return -1;
    return 0;
}

static int read_year(const struct yaml_doc *doc, const struct yaml_node *key,
                     const struct yaml_node *map, struct year *year, struct err *err)
{
    static const char *const known[] = {"published", "source", "holidays", "workdays", NULL};
    struct reader reader = {.doc = doc, .year = year, .err = err};
    uint64_t number;
    if (span_to_u64(yaml_text(key), YEAR_MAX, &number) != 0 || number < YEAR_MIN)
        return yaml_error(doc, key, err, "'%.*s' is no year; write %d to %d",
                          SPAN_ARG(yaml_text(key)), YEAR_MIN, YEAR_MAX);
    year->year = (int)number;
    struct span source;
    if (yaml_expect_map(doc, map, known, err) != 0 ||
        yaml_get_bool(doc, map, "published", true, &year->published, err) != 0 ||
        yaml_get_string(doc, map, "source", year->published, &source, err) != 0)
        return -1;
    for (int day = 0; day < YEAR_DAYS; day++)
        bit_put(year->working, day, weekday_of(year->year, day) < SATURDAY);
    if (read_list(&reader, map, "holidays", false) != 0)
        return -1;
    return read_list(&reader, map, "workdays", true);
}

static int read_years(struct calendar *calendar, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"years", NULL};
    const struct yaml_node *root = yaml_root(doc);
    if (yaml_expect_map(doc, root, known, err) != 0)
        return -1;
    const struct yaml_node *years = yaml_find(root, "years");
    if (years == NULL || yaml_kind(years) != YAML_MAP || yaml_size(years) == 0)
        return yaml_error(doc, years == NULL ? root : years, err,
                          "'years' must be a map with at least one year, as '2025: {...}'");
    calendar->years = mem_zalloc(yaml_size(years), sizeof *calendar->years);
    if (calendar->years == NULL)
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc));
    for (size_t i = 0; i < yaml_size(years); i++) {
        if (read_year(doc, yaml_key_at(years, i), yaml_at(years, i), &calendar->years[i], err) != 0)
            return -1;
        if (find_year(calendar, calendar->years[i].year) != NULL)
            return yaml_error(doc, yaml_key_at(years, i), err, "year %d is listed twice; join them",
                              calendar->years[i].year);
        calendar->count = i + 1;
    }
    return 0;
}

struct calendar *calendar_load(const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    if (doc == NULL)
        return NULL;
    struct calendar *calendar = mem_zalloc(1, sizeof *calendar);
    if (calendar == NULL)
        err_set(err, ERR_NOMEM, "%s: not enough memory to read it", path);
    else if (read_years(calendar, doc, err) != 0)
        calendar_free(&calendar);
    yaml_free(&doc);
    return calendar;
}

void calendar_free(struct calendar **calendar)
{
    if (*calendar == NULL)
        return;
    mem_free((*calendar)->years);
    mem_free(*calendar);
    *calendar = NULL;
}
