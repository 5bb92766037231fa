/*
 * GET /v1/stats/kpi?from=&to=&by=&street=&community=: the three rates, the targets and the
 * statistics of the clocks, added up from the figures that the projector keeps.
 *
 * Every day of every community asked for is one hash (projector.h), in total or by grid, worker,
 * category or kind. READS of them are asked for at a time; each reply is added to the rows at once
 * and let go.
 */
#include "engine/api/api_private.h"
#include "engine/api/areas.h"
#include "engine/api/stats_json.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/store/keys.h"

#include <stdio.h>

enum { READS = 32, DAY_TEXT_BYTES = 16 };

/* X(constant, name, the figures read): what the rows are */
#define GROUP_TABLE(X)                                 \
    X(GROUP_NONE, "", FIGURES_ALL)                     \
    X(GROUP_GRID, "grid", FIGURES_BY_GRID)             \
    X(GROUP_COMMUNITY, "community", FIGURES_ALL)       \
    X(GROUP_STREET, "street", FIGURES_ALL)             \
    X(GROUP_WORKER, "worker", FIGURES_BY_WORKER)       \
    X(GROUP_CATEGORY, "category", FIGURES_BY_CATEGORY) \
    X(GROUP_KIND, "kind", FIGURES_BY_KIND)             \
    X(GROUP_DAY, "day", FIGURES_ALL)

enum group {
#define X(constant, name, figures) constant,
    GROUP_TABLE(X)
#undef X
        GROUP_COUNT
};

static const struct {
    const char *name;
    enum figures_by figures;
} groups[GROUP_COUNT] = {
#define X(constant, group_name, group_figures) [constant] = {(group_name), (group_figures)},
    GROUP_TABLE(X)
#undef X
};

/* One query; it lives in the request's arena. */
struct kpi {
    struct api *api;
    struct http_exchange *x;
    struct policy *policy; /* names the communities */
    enum group group;
    int64_t from, to; /* noon of the first and last day, ms */
    struct areas areas;
    size_t days;
    size_t next, reading; /* hashes asked for, and not yet answered */
    struct figures_table *table;
    struct err err;
};

/* What a read is for. */
struct read {
    struct kpi *kpi;
    struct span row; /* of the table; where the hash has rows of its own, empty */
};

/* ---- what is asked ---- */

/* Noon of "2026-03-01", so that adding days never meets a boundary. -1 when it is no day. */
static int64_t parse_day(struct span text)
{
    struct clock_civil civil = {.hour = 12};
    uint64_t year = 0, month = 0, day = 0;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        span_to_u64(span_sub(text, 0, 4), 9999, &year) < 0 ||
        span_to_u64(span_sub(text, 5, 7), 12, &month) < 0 ||
        span_to_u64(span_sub(text, 8, 10), 31, &day) < 0)
        return -1;
    civil.year = (int)year;
    civil.month = (int)month;
    civil.day = (int)day;
    return clock_civil_valid(&civil) ? clock_from_civil(&civil) : -1;
}

static int read_days(struct kpi *kpi)
{
    const struct http_request *r = http_request(kpi->x);
    const struct span from = http_query(r, "from"), to = http_query(r, "to");
    struct clock_civil today = clock_to_civil(clock_now_ms());
    today.hour = 12;
    today.minute = today.second = today.millis = 0;
    kpi->to = to.ptr == NULL ? clock_from_civil(&today) : parse_day(to);
    kpi->from = from.ptr == NULL ? kpi->to : parse_day(from);
    if (kpi->from < 0 || kpi->to < 0)
        return api_bad_query(kpi->x,
                             "from and to are days from 1970 on, such as 2026-03-01; both count");
    if (kpi->from > kpi->to)
        return api_bad_query(kpi->x,
                             "from must not be later than to, which is today unless it is given");
    kpi->days = (size_t)((kpi->to - kpi->from) / CLOCK_DAY_MS) + 1;
    _Static_assert(LIMIT_KPI_DAYS == 366, "the message says so");
    if (kpi->days > LIMIT_KPI_DAYS)
        return api_bad_query(kpi->x, "from and to are too far apart; ask for at most 366 days");
    return 0;
}

static int read_group(struct kpi *kpi)
{
    const struct span by = http_query(http_request(kpi->x), "by");
    if (by.ptr == NULL)
        return 0;
    for (enum group g = GROUP_NONE + 1; g < GROUP_COUNT; g++) {
        if (span_eq(by, span_str(groups[g].name))) {
            kpi->group = g;
            return 0;
        }
    }
    return api_bad_query(kpi->x, "by is grid, community, street, worker, category, kind or day");
}

/* The communities that are asked for. */
static int read_areas(struct kpi *kpi)
{
    if (areas_find(kpi->x, policy_directory(kpi->policy), &kpi->areas) < 0)
        return -1;
    if (kpi->areas.count * kpi->days > LIMIT_KPI_HASHES)
        return api_bad_query(kpi->x,
                             "these are too many days of too many communities; ask for fewer "
                             "days, or for one street or community");
    return 0;
}

/* ---- the answer ---- */

static const char *day_text(int64_t ms, char out[DAY_TEXT_BYTES])
{
    const int32_t day = figures_day(ms);
    (void)snprintf(out, DAY_TEXT_BYTES, "%04d-%02d-%02d", day / 10000, day / 100 % 100, day % 100);
    return out;
}

/* Each order is in one row, so the rows add up to the total. */
static struct figures_row *add_total(struct kpi *kpi)
{
    struct figures_row *total = arena_zalloc(http_request(kpi->x)->arena, 1, sizeof(*total));
    for (size_t i = 0; total != NULL && i < figures_table_count(kpi->table); i++) {
        const struct figures_row *row = figures_table_at(kpi->table, i);
        for (size_t m = 0; m < FIGURES_METRICS; m++)
            total->counts[m] += row->counts[m];
    }
    return total;
}

static void write_rows(struct kpi *kpi, struct json_writer *w, const struct targets *targets)
{
    figures_table_sort(kpi->table);
    json_key(w, "rows");
    json_open_array(w);
    for (size_t i = 0; i < figures_table_count(kpi->table); i++) {
        const struct figures_row *row = figures_table_at(kpi->table, i);
        json_open_object(w);
        json_member_string(w, groups[kpi->group].name, row->name);
        stats_write(w, row, targets);
        json_close_object(w);
    }
    json_close_array(w);
}

static void write_answer(struct kpi *kpi, const struct figures_row *total, struct buf *out)
{
    const struct targets *targets = policy_targets(kpi->policy);
    char text[DAY_TEXT_BYTES];
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_str(&w, "from", day_text(kpi->from, text));
    json_member_str(&w, "to", day_text(kpi->to, text));
    areas_write(&w, &kpi->areas);
    json_key(&w, "total");
    json_open_object(&w);
    stats_write(&w, total, targets);
    json_close_object(&w);
    if (kpi->group != GROUP_NONE) {
        json_member_str(&w, "by", groups[kpi->group].name);
        write_rows(kpi, &w, targets);
    }
    json_close_object(&w);
}

static void finish(struct kpi *kpi)
{
    struct figures_table *table = kpi->table;
    struct policy *policy = kpi->policy;
    if (kpi->err.code != ERR_NONE) {
        api_problem(kpi->x, &kpi->err);
    } else {
        const struct figures_row *total = add_total(kpi);
        struct buf out = {0};
        if (total != NULL)
            write_answer(kpi, total, &out);
        else
            out.failed = true;
        api_respond_json(kpi->x, 200, &out);
    }
    figures_table_free(&table); /* the query itself is gone: it lived in the request's arena */
    policy_unref(&policy);
}

/* ---- reading ---- */

/* A field is a metric, or "row metric" where the hash has rows; one that a newer engine wrote is
 * passed over. */
static int add_field(const struct read *read, struct span field, int64_t count)
{
    struct kpi *kpi = read->kpi;
    struct span name = read->row;
    unsigned metric;
    if (groups[kpi->group].figures != FIGURES_ALL) {
        size_t end = field.len;
        while (end > 0 && field.ptr[end - 1] != ' ')
            end--;
        name = span_sub(field, 0, end == 0 ? 0 : end - 1);
        field = span_sub(field, end, field.len);
    }
    if (figures_metric_parse(field, &metric) < 0)
        return 0;
    struct figures_row *row = figures_table_row(kpi->table, name);
    if (row == NULL)
        return err_set(&kpi->err, ERR_NOMEM, "no memory to add the figures up");
    if (figures_table_count(kpi->table) > LIMIT_KPI_ROWS)
        return err_set(&kpi->err, ERR_INVALID,
                       "the answer would have more than %d rows; ask for one street or community",
                       LIMIT_KPI_ROWS);
    row->counts[metric] += count;
    return 0;
}

static void read_on(struct kpi *kpi);

static void on_hash(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct read *read = ctx;
    struct kpi *kpi = read->kpi;
    kpi->reading--;
    if (err != NULL && kpi->err.code == ERR_NONE)
        kpi->err = *err;
    else if (err == NULL && reply_type(reply) != REPLY_ARRAY && kpi->err.code == ERR_NONE)
        err_set(&kpi->err, ERR_PROTOCOL, "Redis: figures: %.*s", SPAN_ARG(reply_span(reply)));
    for (size_t i = 0; kpi->err.code == ERR_NONE && i + 1 < reply_size(reply); i += 2) {
        if (add_field(read, reply_span(reply_at(reply, i)), reply_integer(reply_at(reply, i + 1))) <
            0)
            break;
    }
    read_on(kpi);
}

/* Asks for the next hash. */
static int read_next(struct kpi *kpi)
{
    struct arena *arena = http_request(kpi->x)->arena;
    const size_t area = kpi->next % kpi->areas.count;
    const struct span community = kpi->areas.ids[area];
    const int64_t day = kpi->from + (int64_t)(kpi->next / kpi->areas.count) * CLOCK_DAY_MS;
    const enum figures_by by = groups[kpi->group].figures;
    const struct key key = key_stat(community, figures_day(day),
                                    by == FIGURES_ALL ? SPAN("") : span_str(figures_by_name(by)));
    const struct span argv[] = {SPAN("HGETALL"), key_span(&key)};
    char text[DAY_TEXT_BYTES];
    struct read *read = arena_zalloc(arena, 1, sizeof(*read));
    if (read == NULL)
        return err_set(&kpi->err, ERR_NOMEM, "no memory to read the figures");
    *read = (struct read){.kpi = kpi};
    if (kpi->group == GROUP_COMMUNITY)
        read->row = community;
    else if (kpi->group == GROUP_STREET)
        read->row = kpi->areas.streets[area];
    else if (kpi->group == GROUP_DAY)
        read->row = arena_copy(arena, span_str(day_text(day, text)));
    if (kpi->group == GROUP_DAY && read->row.ptr == NULL)
        return err_set(&kpi->err, ERR_NOMEM, "no memory to read the figures");
    return redis_command(kpi->api->redis, key_span(&key), 2, argv, on_hash, read, &kpi->err);
}

static void read_on(struct kpi *kpi)
{
    const size_t hashes = kpi->areas.count * kpi->days;
    while (kpi->err.code == ERR_NONE && kpi->reading < READS && kpi->next < hashes) {
        if (read_next(kpi) < 0)
            break;
        kpi->next++;
        kpi->reading++;
    }
    if (kpi->reading == 0)
        finish(kpi);
}

void stats_kpi(struct http_exchange *x, void *ctx)
{
    static const char *const known[] = {"from", "to", "by", "street", "community"};
    struct api *api = ctx;
    struct kpi *kpi = arena_zalloc(http_request(x)->arena, 1, sizeof(*kpi));
    if (kpi == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    kpi->api = api;
    kpi->x = x;
    if (api_query_names(x, known, sizeof(known) / sizeof(known[0])) < 0 || read_days(kpi) < 0 ||
        read_group(kpi) < 0)
        return;
    struct policy *policy = api->options.policy(api->options.ctx);
    kpi->policy = policy;
    if (read_areas(kpi) < 0) {
        policy_unref(&policy);
        return;
    }
    kpi->table = figures_table_new();
    if (kpi->table == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        policy_unref(&policy);
        return;
    }
    read_on(kpi);
}
