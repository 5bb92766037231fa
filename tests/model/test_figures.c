/*
 * What an order adds to the figures, by table; what becomes of it when it changes; and what is read
 * from the sums.
 */
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/model/figures_table.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T INT64_C(1700000000000) /* 2023-11-15 06:13:20 in Shanghai */

static struct targets *targets;

static int group_setup(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_write(&folder, "targets.yaml", sample_targets);
    targets = targets_load(folder_path(&folder, "targets.yaml"), NULL);
    folder_remove(&folder);
    return targets == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    targets_free(&targets);
    return 0;
}

/* An order that came in at T, to be accepted by T+100 and done by T+900. */
static struct figures_order order_in(enum order_state state)
{
    return (struct figures_order){
        .state = state,
        .version = 1,
        .created_at = T,
        .grid = SPAN("g1"),
        .worker = SPAN("w1"),
        .category = SPAN("a/b"),
        .kind = SPAN("complaint"),
        .class_name = SPAN("ordinary"),
        .clocks = {[CLOCK_RESPOND] = {.start = T, .due = T + 100},
                   [CLOCK_RESOLVE] = {.start = T, .due = T + 900}},
    };
}

static const char *added(const struct figures_order *order, int64_t now, int64_t *next)
{
    static char text[1024];
    struct figures_part part;
    struct buf out = {0};
    figures_of(order, targets, now, &part, next);
    for (size_t i = 0; i < part.count; i++) {
        figures_metric_write(part.items[i].metric, &out);
        buf_printf(&out, "=%lld ", (long long)part.items[i].count);
    }
    snprintf(text, sizeof text, "%s", buf_cstr(&out));
    buf_free(&out);
    return text;
}

struct row {
    const char *what;
    struct figures_order order;
    int64_t now, next;
    const char *adds;
};

static void check(const struct row *row)
{
    int64_t next = -1;
    const char *adds = added(&row->order, row->now, &next);
    if (strcmp(adds, row->adds) != 0)
        fail_msg("%s:\n  %s\nnot\n  %s", row->what, adds, row->adds);
    if (next != row->next)
        fail_msg("%s: next %lld, not %lld", row->what, (long long)next, (long long)row->next);
}

static void open_orders(void **state)
{
    (void)state;
    struct row rows[] = {
        {"a new one", order_in(ORDER_DISPATCHED), T + 5, T + 100,
         "created=1 open=1 respond.orders=1 resolve.orders=1 "},
        {"at its deadline it is not late yet", order_in(ORDER_DISPATCHED), T + 100, T + 100,
         "created=1 open=1 respond.orders=1 resolve.orders=1 "},
        {"nobody accepted in time", order_in(ORDER_DISPATCHED), T + 101, T + 900,
         "created=1 open=1 respond.orders=1 respond.late=1 respond.overdue=1 resolve.orders=1 "},
        {"nor did anything", order_in(ORDER_DISPATCHED), T + 901, 0,
         "created=1 open=1 respond.orders=1 respond.late=1 respond.overdue=1 resolve.orders=1 "
         "resolve.late=1 resolve.overdue=1 "},
        {"accepted in time", order_in(ORDER_ACCEPTED), T + 500, T + 900,
         "created=1 open=1 responded=1 respond.orders=1 respond.in_time=1 respond.ms=10 "
         "respond.b10=1 resolve.orders=1 "},
        {"accepted late: late for good, not overdue", order_in(ORDER_ARRIVED), T + 500, T + 900,
         "created=1 open=1 responded=1 respond.orders=1 respond.late=1 respond.ms=101 "
         "respond.b36=1 resolve.orders=1 "},
        {"with provisional deadlines", order_in(ORDER_AWAITING), T + 5, T + 100,
         "created=1 open=1 provisional=1 respond.orders=1 resolve.orders=1 "},
    };
    rows[4].order.clocks[CLOCK_RESPOND].met_at = rows[4].order.responded_at = T + 10;
    rows[5].order.clocks[CLOCK_RESPOND].met_at = rows[5].order.responded_at = T + 101;
    rows[6].order.provisional = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

/* Accepted after 10 ms and done after 500. */
static struct figures_order done_in(enum order_state state)
{
    struct figures_order order = order_in(state);
    order.clocks[CLOCK_RESPOND].met_at = order.responded_at = T + 10;
    order.clocks[CLOCK_RESOLVE].met_at = T + 500;
    return order;
}

#define RESPONDED "respond.orders=1 respond.in_time=1 respond.ms=10 respond.b10=1 "
#define RESOLVED "resolve.orders=1 resolve.in_time=1 resolve.ms=500 resolve.b55=1 "

static void orders_that_ended(void **state)
{
    (void)state;
    struct row rows[] = {
        {"done", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 " RESPONDED RESOLVED},
        {"done and closed", done_in(ORDER_CLOSED), T + 5000, 0,
         "created=1 responded=1 resolved=1 closed=1 " RESPONDED RESOLVED},
        {"done at its deadline is in time", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 " RESPONDED
         "resolve.orders=1 resolve.in_time=1 resolve.ms=900 resolve.b62=1 "},
        {"done late", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 " RESPONDED
         "resolve.orders=1 resolve.late=1 resolve.ms=901 resolve.b62=1 "},
        {"rated, by somebody of a special group", done_in(ORDER_CLOSED), T + 5000, 0,
         "created=1 responded=1 resolved=1 closed=1 stars_4=1 special_4=1 " RESPONDED RESOLVED},
        {"reopened: open again, its resolve clock anew, its rating gone", done_in(ORDER_DISPATCHED),
         T + 650, T + 1300,
         "created=1 open=1 responded=1 reopened=1 " RESPONDED "resolve.orders=1 "},
        {"reopened and done again: the time of the second attempt", done_in(ORDER_RESOLVED),
         T + 5000, 0,
         "created=1 responded=1 resolved=1 reopened=1 " RESPONDED
         "resolve.orders=1 resolve.in_time=1 resolve.ms=100 resolve.b36=1 "},
        {"done without arriving in time", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 " RESPONDED "arrive.orders=1 arrive.late=1 " RESOLVED},
        {"done before one had to arrive", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 " RESPONDED
         "arrive.orders=1 arrive.stopped=1 " RESOLVED},
        {"cancelled in time: in no rate", order_in(ORDER_CANCELLED), T + 5000, 0,
         "created=1 cancelled=1 respond.orders=1 respond.stopped=1 resolve.orders=1 "
         "resolve.stopped=1 "},
        {"cancelled too late: its clocks tell", order_in(ORDER_CANCELLED), T + 5000, 0,
         "created=1 cancelled=1 respond.orders=1 respond.late=1 resolve.orders=1 "
         "resolve.stopped=1 "},
    };
    rows[2].order.clocks[CLOCK_RESOLVE].met_at = T + 900;
    rows[3].order.clocks[CLOCK_RESOLVE].met_at = T + 901;
    rows[4].order.stars = 4;
    rows[4].order.special = true;
    rows[5].order.reopened = rows[6].order.reopened = true;
    rows[5].order.clocks[CLOCK_RESOLVE] = (struct order_clock){.start = T + 600, .due = T + 1300};
    rows[6].order.clocks[CLOCK_RESOLVE] =
        (struct order_clock){.start = T + 600, .due = T + 1300, .met_at = T + 700};
    rows[7].order.clocks[CLOCK_ARRIVE] =
        (struct order_clock){.start = T, .due = T + 50, .stopped_at = T + 500};
    rows[8].order.clocks[CLOCK_ARRIVE] =
        (struct order_clock){.start = T, .due = T + 600, .stopped_at = T + 500};
    for (size_t i = 9; i <= 10; i++) {
        rows[i].order.clocks[CLOCK_RESPOND].stopped_at = T + 50 * (i == 9) + 200 * (i == 10);
        rows[i].order.clocks[CLOCK_RESOLVE].stopped_at = T + 50 * (i == 9) + 200 * (i == 10);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

static void hazards_and_disputes(void **state)
{
    (void)state;
    struct row rows[] = {
        {"a hazard in time", done_in(ORDER_CLOSED), T + 5000, 0,
         "created=1 responded=1 resolved=1 closed=1 safety_in_time=1 " RESPONDED RESOLVED},
        {"a hazard that still runs", order_in(ORDER_ARRIVED), T + 901, 0,
         "created=1 open=1 safety_late=1 respond.orders=1 respond.late=1 respond.overdue=1 "
         "resolve.orders=1 resolve.late=1 resolve.overdue=1 "},
        {"a dispute that was settled", done_in(ORDER_RESOLVED), T + 5000, 0,
         "created=1 responded=1 resolved=1 disputes=1 settled=1 " RESPONDED RESOLVED},
        {"one that was not", order_in(ORDER_DISPATCHED), T, T + 100,
         "created=1 open=1 disputes=1 respond.orders=1 resolve.orders=1 "},
        {"one that was cancelled is none", order_in(ORDER_CANCELLED), T + 5000, 0,
         "created=1 cancelled=1 respond.orders=1 respond.stopped=1 resolve.orders=1 "
         "resolve.stopped=1 "},
    };
    rows[0].order.class_name = rows[1].order.class_name = SPAN("emergency");
    for (size_t i = 2; i <= 4; i++)
        rows[i].order.category = SPAN("城乡建设/供水");
    rows[4].order.clocks[CLOCK_RESPOND].stopped_at = T + 1;
    rows[4].order.clocks[CLOCK_RESOLVE].stopped_at = T + 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

/* An order counts for the day in Shanghai, whatever the day in Greenwich. */
static void days(void **state)
{
    (void)state;
    assert_int_equal(figures_day(at("2026-03-01 00:00")), 20260301);
    assert_int_equal(figures_day(at("2026-03-01 00:00") - 1), 20260228);
    assert_int_equal(figures_day(at("2026-03-01 07:59")), 20260301);
}

static void metric_names(void **state)
{
    (void)state;
    struct buf name = {0};
    unsigned back = 0;
    for (unsigned m = 0; m < FIGURES_METRICS; m++) {
        buf_clear(&name);
        figures_metric_write(m, &name);
        assert_int_equal(figures_metric_parse(buf_view(&name), &back), 0);
        assert_int_equal(back, m);
    }
    buf_free(&name);
    static const char *const wrong[] = {"",          "creatd",     "respond",
                                        "respond.",  "respond.b",  "respond.b273",
                                        "respond.x", "lunch.late", "respond.b-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(figures_metric_parse(span_str(wrong[i]), &back), -1);
}

/* The line in the order's hash says all, and nothing else is taken for one. */
static void part_in_text(void **state)
{
    (void)state;
    struct figures_order order = done_in(ORDER_CLOSED);
    struct figures_part part, back;
    struct buf text = {0}, again = {0};
    int64_t next;
    order.version = 7;
    order.category = SPAN("城乡建设/供 水");
    order.grid = SPAN("");
    figures_of(&order, targets, T, &part, &next);
    figures_part_write(&part, &text);
    assert_span(buf_view(&text),
                "7 20231115\t\tw1\t城乡建设/供 水\tcomplaint\tcreated=1 responded=1 resolved=1 "
                "closed=1 respond.orders=1 respond.in_time=1 respond.ms=10 respond.b10=1 "
                "resolve.orders=1 resolve.in_time=1 resolve.ms=500 resolve.b55=1");
    assert_int_equal(figures_part_read(buf_view(&text), &back), 0);
    figures_part_write(&back, &again);
    assert_true(span_eq(buf_view(&text), buf_view(&again)));
    buf_free(&text);
    buf_free(&again);
    static const char *const wrong[] = {
        "",
        "7",
        "7 20231115",
        "x 20231115\t\t\t\t\t",
        "7 20231115\tg\tw\tc",
        "7 20231115\tg\tw\tc\tk\tcreated",
        "7 20231115\tg\tw\tc\tk\tcreated=x",
        "7 20231115\tg\tw\tc\tk\tcreated=-1",
        "7 20231115\tg\tw\tc\tk\tsomething=1",
        "7 20231115\tg\tw\tc\tk\topen=1 created=1",
        "7 20231115\tg\tw\tc\tk\tcreated=1 created=1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(figures_part_read(span_str(wrong[i]), &back), -1);
}

/* ---- changes ---- */

struct tables {
    struct figures_table *by[FIGURES_BY_COUNT];
};

static void add(void *ctx, int32_t day, enum figures_by by, struct span value, unsigned metric,
                int64_t count)
{
    struct tables *tables = ctx;
    char name[128];
    snprintf(name, sizeof name, "%d %.*s", day, SPAN_ARG(value));
    struct figures_row *row = figures_table_row(tables->by[by], span_str(name));
    assert_non_null(row);
    row->counts[metric] += count;
}

static struct tables tables_new(void)
{
    struct tables tables;
    for (size_t by = 0; by < FIGURES_BY_COUNT; by++)
        assert_non_null(tables.by[by] = figures_table_new());
    return tables;
}

static void tables_free(struct tables *tables)
{
    for (size_t by = 0; by < FIGURES_BY_COUNT; by++)
        figures_table_free(&tables->by[by]);
}

static void same_tables(struct tables *a, struct tables *b)
{
    for (size_t by = 0; by < FIGURES_BY_COUNT; by++) {
        for (size_t i = 0; i < figures_table_count(a->by[by]); i++) {
            const struct figures_row *row = figures_table_at(a->by[by], i);
            const struct figures_row *other = figures_table_row(b->by[by], row->name);
            assert_memory_equal(row->counts, other->counts, sizeof row->counts);
        }
    }
}

static void shuffle(struct figures_order *order, struct random *random)
{
    static const char *const names[] = {"", "x", "y z", "z"};
    const struct span name = span_str(names[random_below(random, 4)]);
    switch (random_below(random, 8)) {
    case 0:
        order->worker = name;
        break;
    case 1:
        order->category = name;
        break;
    case 2:
        order->state = (enum order_state)random_below(random, ORDER_STATE_COUNT);
        break;
    case 3:
        order->stars = (int64_t)random_below(random, 6);
        break;
    case 4:
        order->created_at = T + (int64_t)random_below(random, 3) * CLOCK_DAY_MS;
        break;
    default: {
        struct order_clock *clock = &order->clocks[random_below(random, CLOCK_COUNT)];
        clock->due = random_below(random, 3) == 0 ? 0 : T + (int64_t)random_below(random, 999);
        clock->met_at = random_below(random, 2) == 0 ? 0 : T + (int64_t)random_below(random, 999);
        break;
    }
    }
}

/* However an order came to where it is, the sums are those of where it is. */
static void changes_add_up(void **state)
{
    (void)state;
    struct random random = {.state = 44};
    for (int round = 0; round < 20; round++) {
        struct tables stepwise = tables_new(), at_once = tables_new();
        for (int o = 0; o < 20; o++) {
            struct figures_order order = order_in(ORDER_DISPATCHED);
            struct figures_part before, after;
            int64_t next, now = T;
            figures_of(&order, targets, now, &before, &next);
            figures_change(NULL, &before, add, &stepwise);
            for (uint64_t n = random_below(&random, 10); n > 0; n--) {
                shuffle(&order, &random);
                now += (int64_t)random_below(&random, 300);
                figures_of(&order, targets, now, &after, &next);
                figures_change(&before, &after, add, &stepwise);
                before = after;
            }
            figures_change(NULL, &before, add, &at_once);
        }
        same_tables(&stepwise, &at_once);
        same_tables(&at_once, &stepwise);
        tables_free(&stepwise);
        tables_free(&at_once);
    }
}

static void ignore(void *ctx, int32_t day, enum figures_by by, struct span value, unsigned metric,
                   int64_t count)
{
    (void)day, (void)by, (void)value, (void)metric, (void)count;
    ++*(size_t *)ctx;
}

/* What stays the same is not written. */
static void no_change_adds_nothing(void **state)
{
    (void)state;
    const struct figures_order order = done_in(ORDER_CLOSED);
    struct figures_part part;
    int64_t next;
    size_t calls = 0;
    figures_of(&order, targets, T, &part, &next);
    figures_change(&part, &part, ignore, &calls);
    assert_int_equal(calls, 0);
    figures_change(NULL, &part, ignore, &calls);
    assert_int_equal(calls, part.count * FIGURES_BY_COUNT);
}

/* ---- what is read from the sums ---- */

static void rates_and_targets(void **state)
{
    (void)state;
    struct figures_table *table = figures_table_new();
    struct figures_row *row = figures_table_row(table, SPAN(""));
    struct figures_share share = figures_rate(row, targets, FIGURES_RESPONSE);
    assert_int_equal(share.whole, 0);
    assert_false(figures_share_reaches(share, 0));
    row->counts[FIGURE_CREATED] = 12;
    row->counts[FIGURE_CANCELLED] = 2;
    row->counts[FIGURE_RESPONDED] = 9;
    row->counts[FIGURE_RESOLVED] = 7;
    row->counts[FIGURE_STARS_1] = 1;
    row->counts[FIGURE_STARS_3] = 2;
    row->counts[FIGURE_STARS_4] = 3;
    row->counts[FIGURE_STARS_5] = 4;
    row->counts[FIGURE_SPECIAL_3] = 1;
    row->counts[FIGURE_SPECIAL_5] = 1;
    row->counts[FIGURE_SAFETY_IN_TIME] = 19;
    row->counts[FIGURE_SAFETY_LATE] = 1;
    row->counts[FIGURE_DISPUTES] = 10;
    row->counts[FIGURE_SETTLED] = 9;
    row->counts[figures_clock_metric(CLOCK_RESOLVE, FIGURE_CLOCK_IN_TIME)] = 98;
    row->counts[figures_clock_metric(CLOCK_RESOLVE, FIGURE_CLOCK_LATE)] = 2;
    static const struct figures_share rates[FIGURES_RATE_COUNT] = {{9, 10}, {7, 10}, {7, 10}};
    for (enum figures_rate r = 0; r < FIGURES_RATE_COUNT; r++) {
        share = figures_rate(row, targets, r);
        assert_int_equal(share.part, rates[r].part);
        assert_int_equal(share.whole, rates[r].whole);
    }
    static const struct {
        struct figures_share share;
        bool met;
    } want[TARGET_COUNT] = {[TARGET_ORDERS] = {{98, 100}, true},
                            [TARGET_SAFETY] = {{19, 20}, true},
                            [TARGET_DISPUTES] = {{9, 10}, true},
                            [TARGET_SPECIAL] = {{1, 2}, false},
                            [TARGET_ALL] = {{7, 10}, false}};
    for (enum target t = 0; t < TARGET_COUNT; t++) {
        share = figures_target(row, targets, t);
        assert_int_equal(share.part, want[t].share.part);
        assert_int_equal(share.whole, want[t].share.whole);
        assert_int_equal(figures_share_reaches(share, targets_share(targets, t)), want[t].met);
    }
    /* One order less, and it is missed. */
    share = (struct figures_share){97, 100};
    assert_false(figures_share_reaches(share, targets_share(targets, TARGET_ORDERS)));
    figures_table_free(&table);
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void close_to(int64_t got, int64_t want)
{
    if (llabs((long long)(got - want)) * 16 > want + 16)
        fail_msg("%lld is more than a sixteenth off %lld", (long long)got, (long long)want);
}

/* Against the sorted durations themselves: the documented error holds. */
static void percentiles(void **state)
{
    (void)state;
    enum { N = 1000 };
    static int64_t all[N];
    struct random random = {.state = 45};
    for (unsigned bits = 1; bits <= 36; bits++) {
        struct figures_table *table = figures_table_new();
        struct figures_row *row = figures_table_row(table, SPAN(""));
        struct figures_clock clock;
        int64_t sum = 0;
        for (size_t i = 0; i < N; i++) {
            all[i] = (int64_t)random_below(&random, UINT64_C(1) << bits);
            sum += all[i];
            row->counts[figures_bucket_metric(CLOCK_REPORT, all[i])]++;
            row->counts[figures_clock_metric(CLOCK_REPORT, FIGURE_CLOCK_MS)] += all[i];
        }
        qsort(all, N, sizeof *all, by_size);
        figures_clock(row, CLOCK_REPORT, &clock);
        assert_int_equal(clock.met, N);
        assert_int_equal(clock.mean, sum / N);
        close_to(clock.p50, all[499]);
        close_to(clock.p90, all[899]);
        close_to(clock.p99, all[989]);
        figures_table_free(&table);
    }
    /* Before the start (a backend's clock that was wrong) and beyond the last bucket. */
    assert_int_equal(figures_bucket_metric(CLOCK_RESPOND, -5),
                     figures_bucket_metric(CLOCK_RESPOND, 0));
    assert_int_equal(figures_bucket_metric(CLOCK_RESOLVE, INT64_MAX), FIGURES_METRICS - 1);
}

static void rows(void **state)
{
    (void)state;
    struct figures_table *table = figures_table_new();
    char name[16];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "r%03u", (i * 7) % 300);
        figures_table_row(table, span_str(name))->counts[0] = (i * 7) % 300;
    }
    assert_int_equal(figures_table_count(table), 300);
    assert_ptr_equal(figures_table_row(table, SPAN("r007")),
                     figures_table_row(table, SPAN("r007")));
    figures_table_sort(table);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(figures_table_at(table, i)->counts[0], i);
    figures_table_free(&table);
    figures_table_free(&table);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        bool good = true;
        mem_fail_at(n);
        struct figures_table *table = figures_table_new();
        for (unsigned i = 0; table != NULL && i < 100; i++) {
            char name[16];
            snprintf(name, sizeof name, "%u", i);
            good &= figures_table_row(table, span_str(name)) != NULL;
        }
        whole = mem_asked() < n;
        mem_fail_at(0);
        assert_int_equal(whole, table != NULL && good);
        figures_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_orders),
        cmocka_unit_test(orders_that_ended),
        cmocka_unit_test(hazards_and_disputes),
        cmocka_unit_test(days),
        cmocka_unit_test(metric_names),
        cmocka_unit_test(part_in_text),
        cmocka_unit_test(changes_add_up),
        cmocka_unit_test(no_change_adds_nothing),
        cmocka_unit_test(rates_and_targets),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(rows),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
