#include "engine/model/figures.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"

#include <string.h>

enum { STEP_BITS = 3, STEPS = 1 << STEP_BITS, TOP_BITS = 36 };

static const char *const figure_names[FIGURE_COUNT] = {
#define X(constant, name, text) [constant] = (name),
    FIGURE_TABLE(X)
#undef X
};

static const char *const clock_figure_names[FIGURE_CLOCK_FIGURES] = {
#define X(constant, name, text) [constant] = (name),
    FIGURE_CLOCK_TABLE(X)
#undef X
};

static const char *const by_names[FIGURES_BY_COUNT] = {
#define X(constant, name) [constant] = (name),
    FIGURES_BY_TABLE(X)
#undef X
};

const char *figure_name(enum figure figure)
{
    CHECK(figure < FIGURE_COUNT);
    return figure_names[figure];
}

const char *figures_by_name(enum figures_by by)
{
    CHECK(by < FIGURES_BY_COUNT);
    return by_names[by];
}

/* ---- metrics and their names ---- */

unsigned figures_clock_metric(enum sla_clock clock, enum figure_clock figure)
{
    CHECK(clock < CLOCK_COUNT && figure < FIGURE_CLOCK_FIGURES);
    return FIGURE_COUNT + (unsigned)clock * FIGURES_PER_CLOCK + (unsigned)figure;
}

/* With shift = exponent - 3 the bucket is shift * 8 + (ms >> shift), where ms >> shift is 8 to 15. */
unsigned figures_bucket_metric(enum sla_clock clock, int64_t ms)
{
    const uint64_t value = ms < 0 ? 0 : (uint64_t)ms;
    unsigned bucket = FIGURES_BUCKETS - 1;
    if (value < 2 * STEPS) {
        bucket = (unsigned)value;
    } else if (value >> TOP_BITS == 0) {
        const unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
        bucket = shift * STEPS + (unsigned)(value >> shift);
    }
    return figures_clock_metric(clock, (enum figure_clock)0) + FIGURE_CLOCK_FIGURES + bucket;
}

void figures_metric_write(unsigned metric, struct buf *out)
{
    CHECK(metric < FIGURES_METRICS);
    if (metric < FIGURE_COUNT) {
        buf_str(out, figure_names[metric]);
        return;
    }
    const unsigned of_clock = (metric - FIGURE_COUNT) % FIGURES_PER_CLOCK;
    buf_str(out, sla_clock_name((enum sla_clock)((metric - FIGURE_COUNT) / FIGURES_PER_CLOCK)));
    if (of_clock < FIGURE_CLOCK_FIGURES)
        buf_printf(out, ".%s", clock_figure_names[of_clock]);
    else
        buf_printf(out, ".b%u", of_clock - FIGURE_CLOCK_FIGURES);
}

static int parse_of_clock(struct span name, unsigned *of_clock)
{
    uint64_t bucket = 0;
    for (unsigned f = 0; f < FIGURE_CLOCK_FIGURES; f++) {
        if (span_eq(name, span_str(clock_figure_names[f]))) {
            *of_clock = f;
            return 0;
        }
    }
    if (!span_starts(name, SPAN("b")) ||
        span_to_u64(span_sub(name, 1, name.len), FIGURES_BUCKETS - 1, &bucket) < 0)
        return -1;
    *of_clock = FIGURE_CLOCK_FIGURES + (unsigned)bucket;
    return 0;
}

int figures_metric_parse(struct span name, unsigned *metric)
{
    enum sla_clock clock;
    for (unsigned f = 0; f < FIGURE_COUNT; f++) {
        if (span_eq(name, span_str(figure_names[f]))) {
            *metric = f;
            return 0;
        }
    }
    if (sla_clock_parse(span_cut(&name, '.'), &clock) < 0 || parse_of_clock(name, metric) < 0)
        return -1;
    *metric += figures_clock_metric(clock, (enum figure_clock)0);
    return 0;
}

/* ---- what an order adds ---- */

int32_t figures_day(int64_t ms)
{
    const struct clock_civil day = clock_to_civil(ms);
    return (int32_t)(day.year * 10000 + day.month * 100 + day.day);
}

static void put(struct figures_part *part, unsigned metric, int64_t count)
{
    if (count == 0)
        return;
    CHECK(part->count < FIGURES_ITEMS);
    CHECK(part->count == 0 || part->items[part->count - 1].metric < metric);
    part->items[part->count++] = (struct figures_item){metric, count};
}

static void put_ratings(struct figures_part *part, const struct figures_order *order)
{
    if (order->stars < 1 || order->stars > 5)
        return;
    put(part, FIGURE_STARS_1 + (unsigned)order->stars - 1, 1);
    put(part, FIGURE_SPECIAL_1 + (unsigned)order->stars - 1, order->special);
}

static bool clock_in_time(const struct order_clock *clock)
{
    return clock->due != 0 && clock->met_at != 0 && clock->met_at <= clock->due;
}

static void put_order(struct figures_part *part, const struct figures_order *order,
                      const struct targets *targets, int64_t now)
{
    const unsigned state = 1u << order->state;
    const bool open = (state & ORDER_OPEN) != 0, done = (state & ORDER_DONE) != 0;
    const struct order_clock *resolve = &order->clocks[CLOCK_RESOLVE];
    put(part, FIGURE_CREATED, 1);
    put(part, FIGURE_OPEN, open);
    put(part, FIGURE_RESPONDED, order->responded_at != 0 && (open || done));
    put(part, FIGURE_RESOLVED, done);
    put(part, FIGURE_CLOSED, order->state == ORDER_CLOSED);
    put(part, FIGURE_REOPENED, order->reopened);
    put(part, FIGURE_CANCELLED, order->state == ORDER_CANCELLED);
    put(part, FIGURE_PROVISIONAL, open && order->provisional);
    put_ratings(part, order);
    if (targets_is_safety(targets, order->category, order->class_name)) {
        put(part, FIGURE_SAFETY_IN_TIME, clock_in_time(resolve));
        put(part, FIGURE_SAFETY_LATE, order_clock_breached(resolve, now));
    }
    if (targets_is_dispute(targets, order->category, order->class_name)) {
        put(part, FIGURE_DISPUTES, open || done);
        put(part, FIGURE_SETTLED, done);
    }
}

static void put_clock(struct figures_part *part, enum sla_clock c, const struct order_clock *clock,
                      int64_t now)
{
    const bool late = order_clock_breached(clock, now);
    if (clock->due == 0)
        return;
    put(part, figures_clock_metric(c, FIGURE_CLOCK_ORDERS), 1);
    put(part, figures_clock_metric(c, FIGURE_CLOCK_IN_TIME), clock_in_time(clock));
    put(part, figures_clock_metric(c, FIGURE_CLOCK_LATE), late);
    put(part, figures_clock_metric(c, FIGURE_CLOCK_OVERDUE), late && order_clock_runs(clock));
    put(part, figures_clock_metric(c, FIGURE_CLOCK_STOPPED),
        !late && clock->met_at == 0 && clock->stopped_at != 0);
    if (clock->met_at == 0)
        return;
    const int64_t ms = clock->met_at > clock->start ? clock->met_at - clock->start : 0;
    put(part, figures_clock_metric(c, FIGURE_CLOCK_MS), ms);
    put(part, figures_bucket_metric(c, ms), 1);
}

void figures_of(const struct figures_order *order, const struct targets *targets, int64_t now,
                struct figures_part *part, int64_t *next)
{
    *next = 0;
    part->version = order->version;
    part->day = figures_day(order->created_at);
    part->by[FIGURES_ALL] = span_of(NULL, 0);
    part->by[FIGURES_BY_GRID] = order->grid;
    part->by[FIGURES_BY_WORKER] = order->worker;
    part->by[FIGURES_BY_CATEGORY] = order->category;
    part->by[FIGURES_BY_KIND] = order->kind;
    part->count = 0;
    put_order(part, order, targets, now);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        const struct order_clock *clock = &order->clocks[c];
        put_clock(part, c, clock, now);
        if (order_clock_runs(clock) && clock->due >= now && (*next == 0 || clock->due < *next))
            *next = clock->due;
    }
}

/* ---- its line in the order's hash ---- */

/* "version day<TAB>grid<TAB>worker<TAB>category<TAB>kind<TAB>metric=count metric=count ..." */
void figures_part_write(const struct figures_part *part, struct buf *out)
{
    buf_printf(out, "%lld %d", (long long)part->version, part->day);
    for (size_t by = FIGURES_ALL + 1; by < FIGURES_BY_COUNT; by++) {
        buf_char(out, '\t');
        buf_span(out, part->by[by]);
    }
    buf_char(out, '\t');
    for (size_t i = 0; i < part->count; i++) {
        if (i > 0)
            buf_char(out, ' ');
        figures_metric_write(part->items[i].metric, out);
        buf_char(out, '=');
        buf_i64(out, part->items[i].count);
    }
}

static int read_item(struct span text, struct figures_part *part)
{
    const struct span name = span_cut(&text, '=');
    struct figures_item item;
    uint64_t count = 0;
    if (part->count == FIGURES_ITEMS || figures_metric_parse(name, &item.metric) < 0 ||
        span_to_u64(text, INT64_MAX, &count) < 0 ||
        (part->count > 0 && part->items[part->count - 1].metric >= item.metric))
        return -1;
    item.count = (int64_t)count;
    part->items[part->count++] = item;
    return 0;
}

int figures_part_read(struct span text, struct figures_part *part)
{
    struct span head = span_cut(&text, '\t');
    uint64_t version = 0, day = 0;
    *part = (struct figures_part){.count = 0};
    if (span_to_u64(span_cut(&head, ' '), INT64_MAX, &version) < 0 ||
        span_to_u64(head, INT32_MAX, &day) < 0)
        return -1;
    part->version = (int64_t)version;
    part->day = (int32_t)day;
    for (size_t by = FIGURES_ALL + 1; by < FIGURES_BY_COUNT; by++) {
        if (text.ptr == NULL)
            return -1;
        part->by[by] = span_cut(&text, '\t');
    }
    while (text.len > 0) {
        if (read_item(span_cut(&text, ' '), part) < 0)
            return -1;
    }
    return 0;
}

/* ---- changes ---- */

static void add_all(const struct figures_part *part, enum figures_by by, int64_t sign,
                    figures_add *add, void *ctx)
{
    for (size_t i = 0; i < part->count; i++)
        add(ctx, part->day, by, part->by[by], part->items[i].metric, sign * part->items[i].count);
}

/* The count of the metric when it is the list's next, which is then passed; else 0. */
static int64_t take(const struct figures_part *part, size_t *at, unsigned metric)
{
    return *at < part->count && part->items[*at].metric == metric ? part->items[(*at)++].count : 0;
}

/* Both lists rise: they are merged. */
static void add_difference(const struct figures_part *before, const struct figures_part *after,
                           enum figures_by by, figures_add *add, void *ctx)
{
    size_t b = 0, a = 0;
    while (b < before->count || a < after->count) {
        unsigned metric = FIGURES_METRICS;
        if (b < before->count)
            metric = before->items[b].metric;
        if (a < after->count && after->items[a].metric < metric)
            metric = after->items[a].metric;
        const int64_t count = take(after, &a, metric) - take(before, &b, metric);
        if (count != 0)
            add(ctx, after->day, by, after->by[by], metric, count);
    }
}

void figures_change(const struct figures_part *before, const struct figures_part *after,
                    figures_add *add, void *ctx)
{
    for (enum figures_by by = 0; by < FIGURES_BY_COUNT; by++) {
        if (before != NULL && before->day == after->day && span_eq(before->by[by], after->by[by])) {
            add_difference(before, after, by, add, ctx);
        } else {
            if (before != NULL)
                add_all(before, by, -1, add, ctx);
            add_all(after, by, 1, add, ctx);
        }
    }
}
