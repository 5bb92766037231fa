#include "engine/base/metric.h"

#include "engine/base/hist.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/proc.h"

#include <stdatomic.h>
#include <string.h>

struct row {
    const char *type, *name, *label, *help;
};

static const struct row rows[METRIC_COUNT] = {
#define X(constant, type, name, label, help) [constant] = {#type, name, label, help},
    METRIC_TABLE(X)
#undef X
};

static const struct {
    const char *name, *help;
} hist_rows[METRIC_HIST_COUNT] = {
#define X(constant, name, help) [constant] = {name, help},
    METRIC_HIST_TABLE(X)
#undef X
};

static const struct {
    const char *text; /* in seconds */
    uint64_t ns;
} bounds[] = {
    {"0.0005", 500000},  {"0.001", 1000000},  {"0.0025", 2500000}, {"0.005", 5000000},
    {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},  {"0.1", 100000000},
    {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},   {"2.5", 2500000000},
    {"5", 5000000000},   {"10", 10000000000},
};

static _Atomic int64_t values[METRIC_COUNT];
static struct hist *hists[METRIC_HIST_COUNT];

int metric_init(void)
{
    for (size_t i = 0; i < METRIC_HIST_COUNT; i++) {
        if (hists[i] == NULL)
            hists[i] = hist_new();
        if (hists[i] == NULL) {
            metric_free();
            return -1;
        }
    }
    return 0;
}

void metric_free(void)
{
    for (size_t i = 0; i < METRIC_HIST_COUNT; i++)
        hist_free(&hists[i]);
}

void metric_add(enum metric metric, int64_t n)
{
    atomic_fetch_add_explicit(&values[metric], n, memory_order_relaxed);
}

void metric_set(enum metric metric, int64_t value)
{
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

int64_t metric_get(enum metric metric)
{
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

void metric_time(enum metric_hist hist, uint64_t ns)
{
    if (hists[hist] != NULL)
        hist_record(hists[hist], ns);
}

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_values(struct buf *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *row = &rows[i];
        if (i == 0 || strcmp(row->name, rows[i - 1].name) != 0)
            write_head(out, row->name, row->type, row->help);
        buf_str(out, row->name);
        if (row->label[0] != '\0')
            buf_printf(out, "{%s}", row->label);
        buf_char(out, ' ');
        buf_i64(out, metric_get((enum metric)i));
        buf_char(out, '\n');
    }
}

/* Nanoseconds as seconds, exactly and in any locale. */
static void write_seconds(struct buf *out, uint64_t ns)
{
    buf_printf(out, "%llu.%09llu\n", (unsigned long long)(ns / 1000000000),
               (unsigned long long)(ns % 1000000000));
}

/* Buckets are read from the narrowest to the widest, so that recording meanwhile cannot make a
 * wider one look smaller. */
static void write_hist(struct buf *out, const struct hist *hist, const char *name, const char *help)
{
    write_head(out, name, "histogram", help);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].text,
                   (unsigned long long)hist_count_le(hist, bounds[i].ns));
    }
    unsigned long long count = hist_count(hist);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name, count, name);
    write_seconds(out, hist_sum(hist));
    buf_printf(out, "%s_count %llu\n", name, count);
}

static void write_limit(struct buf *out, const char *name, long long value, const char *unit)
{
    buf_str(out, "jiesu_limit{name=\"");
    for (; *name != '\0'; name++)
        buf_char(out, *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name);
    buf_printf(out, "\",unit=\"%s\"} %lld\n", unit, value);
}

static void write_limits(struct buf *out)
{
    write_head(out, "jiesu_limit", "gauge", "bounds of the engine");
#define X(name, value, unit, text) write_limit(out, #name, (value), unit);
    LIMIT_TABLE(X)
#undef X
}

static void write_process(struct buf *out)
{
    write_head(out, "jiesu_build_info", "gauge", "version and allocator of this build");
    buf_printf(out, "jiesu_build_info{version=\"%s\",malloc=\"%s\"} 1\n", JIESU_VERSION,
               mem_allocator());
    write_head(out, "process_resident_memory_bytes", "gauge", "resident memory");
    buf_printf(out, "process_resident_memory_bytes %llu\n", (unsigned long long)mem_resident());
    write_head(out, "process_start_time_seconds", "gauge", "start, since the epoch");
    buf_str(out, "process_start_time_seconds ");
    write_seconds(out, (uint64_t)proc_start_ms() * 1000000);
    write_head(out, "process_cpu_seconds_total", "counter", "processor time, user and system");
    buf_str(out, "process_cpu_seconds_total ");
    write_seconds(out, proc_cpu_ns());
    write_head(out, "process_open_fds", "gauge", "open file descriptors");
    buf_printf(out, "process_open_fds %lld\n", (long long)proc_open_fds());
}

void metric_write(struct buf *out)
{
    write_values(out);
    for (size_t i = 0; i < METRIC_HIST_COUNT; i++)
        if (hists[i] != NULL)
            write_hist(out, hists[i], hist_rows[i].name, hist_rows[i].help);
    write_limits(out);
    write_process(out);
}

void metric_reset(void)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        metric_set((enum metric)i, 0);
    for (size_t i = 0; i < METRIC_HIST_COUNT; i++)
        if (hists[i] != NULL)
            hist_reset(hists[i]);
}
