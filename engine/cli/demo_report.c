#include "engine/cli/demo_report.h"

#include "classifiers/verdict.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 64, NAME_BYTES = 64, NAME_COLUMNS = 30, QUEUES_SHOWN = 10 };

struct row {
    char name[NAME_BYTES];
    uint64_t count;
};

struct rows {
    struct row rows[ROWS];
    size_t count;
};

struct queues {
    uint64_t all, by[ORDER_QUEUE_COUNT];
};

struct demo_report {
    const struct directory *directory;
    struct rows categories, urgencies, kinds, routes;
    struct queues *queues; /* by worker */
    uint64_t reviews, pending;
    int64_t started_ms;
    int64_t open;
};

struct demo_report *demo_report_new(const struct directory *directory)
{
    struct demo_report *report = mem_zalloc(1, sizeof(*report));
    if (report == NULL)
        return NULL;
    report->directory = directory;
    report->queues = mem_zalloc(directory_worker_count(directory), sizeof(*report->queues));
    if (report->queues == NULL) {
        mem_free(report);
        return NULL;
    }
    return report;
}

void demo_report_free(struct demo_report **report)
{
    if (*report == NULL)
        return;
    mem_free((*report)->queues);
    mem_free(*report);
    *report = NULL;
}

static void count(struct rows *rows, struct span name)
{
    size_t i = 0;
    while (i < rows->count && !span_eq(span_str(rows->rows[i].name), name))
        i++;
    if (i == ROWS)
        return;
    if (i == rows->count)
        (void)snprintf(rows->rows[rows->count++].name, NAME_BYTES, "%.*s",
                       SPAN_ARG(span_sub(name, 0, NAME_BYTES - 1)));
    rows->rows[i].count++;
}

void demo_report_begin(struct demo_report *report, size_t complaints)
{
    report->started_ms = clock_steady_ms();
    printf("jiesu demo: %zu complaints, %zu grid workers\n", complaints,
           directory_worker_count(report->directory));
    (void)fflush(stdout);
}

void demo_report_serving(struct demo_report *report, int port, int speed)
{
    (void)report;
    printf("the engine serves on 127.0.0.1:%d, with a Redis of its own; its clock runs %d times "
           "as fast\n\n",
           port, speed);
    printf("  hour        new  accepted  arrived  resolved  returned  handed  escalated   blue  "
           "yellow   red   open\n");
    (void)fflush(stdout);
}

/* A string member of an object, or of a member object; empty when there is none. */
static struct span member(struct json object, const char *outer, const char *inner)
{
    struct json value;
    if (!json_get(object, outer, &value))
        return (struct span){NULL, 0};
    if (inner != NULL && !json_get(value, inner, &value))
        return (struct span){NULL, 0};
    return json_type(value) == JSON_STRING ? json_string(value) : (struct span){NULL, 0};
}

void demo_report_answer(struct demo_report *report, int status, struct json answer)
{
    struct json review;
    if (status == 202) {
        report->pending++;
        return;
    }
    struct span category = member(answer, "category", NULL);
    category = span_cut(&category, '/');
    count(&report->categories, category.len == 0 ? SPAN("(待复核)") : category);
    count(&report->urgencies, member(answer, "urgency", NULL));
    count(&report->kinds, member(answer, "kind", NULL));
    count(&report->routes, member(answer, "route", "reason"));
    if (json_get(answer, "review", &review) && json_type(review) == JSON_BOOL && json_bool(review))
        report->reviews++;
}

void demo_report_queued(struct demo_report *report, size_t worker, enum order_queue queue)
{
    report->queues[worker].all++;
    report->queues[worker].by[queue]++;
}

static bool is_quiet(const struct demo_hour *hour)
{
    uint64_t all = hour->created;
    for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++)
        all += hour->steps[s];
    return all == 0;
}

void demo_report_hour(struct demo_report *report, int64_t at, const struct demo_hour *hour)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const struct clock_civil civil = clock_to_civil(at);
    const uint64_t *n = hour->steps;
    if (is_quiet(hour))
        return;
    report->open +=
        (int64_t)(hour->created + n[STEP_REOPEN]) - (int64_t)(n[STEP_RESOLVE] + n[STEP_CANCEL]);
    printf("  %s %02d:00 %5" PRIu64 " %9" PRIu64 " %8" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64
           " %10" PRIu64 " %6" PRIu64 " %7" PRIu64 " %5" PRIu64 " %6" PRId64 "\n",
           days[clock_weekday(civil.year, civil.month, civil.day) - 1], civil.hour, hour->created,
           n[STEP_ACCEPT], n[STEP_ARRIVE], n[STEP_RESOLVE], n[STEP_RETURN], n[STEP_HAND_OVER],
           n[STEP_ESCALATE], hour->warned[WARNING_BLUE], hour->warned[WARNING_YELLOW],
           hour->warned[WARNING_RED], report->open);
    (void)fflush(stdout);
}

/* Columns a terminal gives to s: a Han character or full-width sign takes two. */
static int columns(const char *s)
{
    struct span rest = span_str(s);
    int width = 0;
    while (rest.len > 0) {
        uint32_t cp = 0;
        const size_t len = utf8_decode(rest, &cp);
        if (len == 0)
            break;
        width += cp >= 0x2E80 && cp != 0xFFFD ? 2 : 1;
        rest = span_sub(rest, len, rest.len);
    }
    return width;
}

static void print_row(const char *name, uint64_t n, uint64_t all)
{
    const int pad = NAME_COLUMNS - columns(name);
    printf("    %s%*s%8" PRIu64 "  %5.1f %%\n", name, pad > 0 ? pad : 0, "", n,
           all == 0 ? 0 : 100.0 * (double)n / (double)all);
}

static void print_rows(const char *title, struct rows *rows)
{
    uint64_t all = 0;
    printf("  %s\n", title);
    for (size_t i = 0; i < rows->count; i++)
        all += rows->rows[i].count;
    for (size_t n = 0; n < rows->count; n++) {
        size_t best = n;
        for (size_t i = n + 1; i < rows->count; i++) {
            if (rows->rows[i].count > rows->rows[best].count)
                best = i;
        }
        const struct row row = rows->rows[best];
        rows->rows[best] = rows->rows[n];
        rows->rows[n] = row;
        print_row(row.name, row.count, all);
    }
}

static void print_queues(struct demo_report *report)
{
    const size_t workers = directory_worker_count(report->directory);
    size_t used = 0;
    printf("  queues (the %d fullest)%*snormal special  urgent\n", QUEUES_SHOWN, 9, "");
    for (size_t i = 0; i < workers; i++)
        used += report->queues[i].all > 0;
    for (size_t n = 0; n < QUEUES_SHOWN && n < used; n++) {
        size_t best = 0;
        for (size_t i = 1; i < workers; i++) {
            if (report->queues[i].all > report->queues[best].all)
                best = i;
        }
        struct span id, community;
        directory_worker_at(report->directory, best, &id, &community);
        const struct queues *q = &report->queues[best];
        printf("    %-12.*s %-17.*s%8" PRIu64 "%8" PRIu64 "%8" PRIu64 "\n", SPAN_ARG(id),
               SPAN_ARG(community), q->by[QUEUE_ORDINARY], q->by[QUEUE_SPECIAL],
               q->by[QUEUE_URGENT]);
        report->queues[best] = (struct queues){0};
    }
    printf("    %zu of %zu queues were used\n", used, workers);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_shares(const struct demo_share *shares, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct demo_share *one = &shares[i];
        printf("    %-28s", one->name);
        if (one->of == 0)
            printf("%9s", "-");
        else
            printf("%7.1f %%", 100 * one->share);
        printf("  of %" PRId64, one->of);
        if (one->target > 0)
            printf(", target %.0f %%%s", 100 * one->target,
                   one->of == 0 || one->share >= one->target ? "" : ": missed");
        printf("\n");
    }
}

static void print_kpi(const struct demo_kpi *kpi)
{
    printf("  the three rates\n");
    print_shares(kpi->rates, DEMO_KPI_RATES);
    printf("  the targets\n");
    print_shares(kpi->targets, DEMO_KPI_TARGETS);
    printf("    %-28s%6.1f min, target %.0f min%s\n", "first_response (mean)",
           kpi->mean_response_s / 60, kpi->target_response_s / 60,
           kpi->mean_response_s <= kpi->target_response_s ? "" : ": missed");
}

static void print_sums(const struct demo_sums *sums)
{
    const uint64_t *n = sums->steps;
    printf("  warnings (orders)%20s  yellow     red\n", "blue");
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        printf("    %-26s%7" PRIu64 " %7" PRIu64 " %7" PRIu64 "\n", sla_clock_name(c),
               sums->warned[c][WARNING_BLUE], sums->warned[c][WARNING_YELLOW],
               sums->warned[c][WARNING_RED]);
    printf("  handed over %" PRIu64 ", escalated %" PRIu64 ", returned %" PRIu64
           ", decided by a head %" PRIu64 ", reviewed %" PRIu64 ", reopened %" PRIu64
           ", rated %" PRIu64 ", open at the end %" PRIu64 "\n",
           n[STEP_HAND_OVER], n[STEP_ESCALATE], n[STEP_RETURN], n[STEP_TRANSFER], n[STEP_REVIEW],
           n[STEP_REOPEN], n[STEP_RATE], sums->open);
    print_kpi(&sums->kpi);
}

void demo_report_end(struct demo_report *report, const struct demo_result *result)
{
    const struct ledger_count c = result->sums == NULL ? result->given : result->sums->ledger;
    printf("\n");
    if (result->feed != NULL) {
        const struct hist *h = demo_feed_latency(result->feed);
        const double seconds = (double)(clock_steady_ms() - report->started_ms) / 1e3;
        print_rows("categories", &report->categories);
        print_rows("urgencies", &report->urgencies);
        print_rows("kinds", &report->kinds);
        print_rows("routes", &report->routes);
        print_queues(report);
        printf("  for review %" PRIu64 ", answered 202 %" PRIu64 ", tried again %" PRIu64 "\n",
               report->reviews, report->pending, demo_feed_retries(result->feed));
        if (result->sums != NULL)
            print_sums(result->sums);
        printf("  latency p50 %.2f ms, p99 %.2f ms, max %.2f ms; %.1f s in all\n\n",
               ms(hist_quantile(h, 0.5)), ms(hist_quantile(h, 0.99)), ms(hist_max(h)), seconds);
    }
    printf("complaints=%zu acknowledged=%" PRIu64 " orders=%" PRIu64 " taken=%" PRIu64
           " lost=%" PRIu64 " duplicated=%" PRIu64 " forgotten=%" PRIu64 "\n",
           result->complaints, c.acknowledged, c.orders, c.taken, c.lost + c.steps_lost,
           c.duplicated + c.steps_twice, result->sums == NULL ? 0 : result->sums->forgotten);
    (void)fflush(stdout);
    if (result->err != NULL)
        (void)fprintf(stderr, "jiesu demo: %s\n",
                      result->err->code == ERR_NONE ? "the counts above are not equal"
                                                    : result->err->text);
}
