/*
 * figures: the three rates and the statistics of the clocks, as numbers that can be added up. Pure.
 *
 * What an order adds to the figures is a list of counts that follows from how the order stands:
 * figures_of. When it changes, what it added before is taken away and what it adds now is added
 * (figures_change), so that the sums are at any time those of the orders as they stand, whichever
 * way they came there, and however often somebody looked. Each order counts for the day (in
 * Shanghai) on which it came in, in total and by its grid, its holder, its category and its kind.
 *
 * The words for each figure, as README shows them, are those of the tables below; an order in a
 * figure means "an order as it stands now". Orders that were cancelled count in no rate, but their
 * clocks keep what they showed until then.
 */
#ifndef JIESU_MODEL_FIGURES_H
#define JIESU_MODEL_FIGURES_H

#include "engine/base/buf.h"
#include "engine/base/span.h"
#include "engine/model/clocks.h"
#include "engine/model/order.h"
#include "engine/model/sla.h"
#include "engine/model/targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, name, what is counted) */
#define FIGURE_TABLE(X)                                                                         \
    X(FIGURE_CREATED, "created", "orders that came in")                                         \
    X(FIGURE_OPEN, "open", "of them neither done nor cancelled")                                \
    X(FIGURE_RESPONDED, "responded", "accepted by somebody once, and not cancelled")            \
    X(FIGURE_RESOLVED, "resolved", "done: resolved and not reopened since, or closed")          \
    X(FIGURE_CLOSED, "closed", "of those that are done, closed: rated, or nobody came back")    \
    X(FIGURE_REOPENED, "reopened", "reopened once or more, whatever became of them")            \
    X(FIGURE_CANCELLED, "cancelled", "cancelled")                                               \
    X(FIGURE_PROVISIONAL, "provisional", "open, with a deadline in a year not published yet")   \
    X(FIGURE_STARS_1, "stars_1", "rated with one star, by the latest rating")                   \
    X(FIGURE_STARS_2, "stars_2", "rated with two")                                              \
    X(FIGURE_STARS_3, "stars_3", "rated with three")                                            \
    X(FIGURE_STARS_4, "stars_4", "rated with four")                                             \
    X(FIGURE_STARS_5, "stars_5", "rated with five")                                             \
    X(FIGURE_SPECIAL_1, "special_1", "those of them of special groups: one star")               \
    X(FIGURE_SPECIAL_2, "special_2", "two")                                                     \
    X(FIGURE_SPECIAL_3, "special_3", "three")                                                   \
    X(FIGURE_SPECIAL_4, "special_4", "four")                                                    \
    X(FIGURE_SPECIAL_5, "special_5", "five")                                                    \
    X(FIGURE_SAFETY_IN_TIME, "safety_in_time", "safety hazards whose resolve clock is in time") \
    X(FIGURE_SAFETY_LATE, "safety_late", "safety hazards whose resolve clock is late")          \
    X(FIGURE_DISPUTES, "disputes", "disputes that were not cancelled")                          \
    X(FIGURE_SETTLED, "settled", "of them those that are done")

enum figure {
#define X(constant, name, text) constant,
    FIGURE_TABLE(X)
#undef X
        FIGURE_COUNT
};

/* Of each clock. X(constant, name, what is counted) */
#define FIGURE_CLOCK_TABLE(X)                                                              \
    X(FIGURE_CLOCK_ORDERS, "orders", "orders that have the clock")                         \
    X(FIGURE_CLOCK_IN_TIME, "in_time", "it was met, at its deadline or before")            \
    X(FIGURE_CLOCK_LATE, "late", "its deadline passed before it was met or stopped")       \
    X(FIGURE_CLOCK_OVERDUE, "overdue", "of the late those that are not met and still run") \
    X(FIGURE_CLOCK_STOPPED, "stopped", "the order ended before the deadline, without it")  \
    X(FIGURE_CLOCK_MS, "ms", "milliseconds from its start until it was met, all together")

enum figure_clock {
#define X(constant, name, text) constant,
    FIGURE_CLOCK_TABLE(X)
#undef X
        FIGURE_CLOCK_FIGURES
};

/* How long it took until a clock was met is counted in buckets: one for each millisecond up to 15,
 * then eight equal ones for every power of two, up to 2^36 ms (two years). A percentile is told as
 * the middle of its bucket and so is off by a sixteenth (6.25 %) at the most. */
enum {
    FIGURES_BUCKETS = (36 - 3) * 8 + 8 + 1,
    FIGURES_PER_CLOCK = FIGURE_CLOCK_FIGURES + FIGURES_BUCKETS,
    FIGURES_METRICS = FIGURE_COUNT + CLOCK_COUNT * FIGURES_PER_CLOCK,
    FIGURES_ITEMS = 16 + 5 * CLOCK_COUNT /* most that one order adds */
};

const char *figure_name(enum figure figure);
/* A number of these is a metric: a figure, a clock's figure, or one of its buckets. */
unsigned figures_clock_metric(enum sla_clock clock, enum figure_clock figure);
unsigned figures_bucket_metric(enum sla_clock clock, int64_t ms);
/* "created", "respond.late", "respond.b17" */
void figures_metric_write(unsigned metric, struct buf *out);
int figures_metric_parse(struct span name, unsigned *metric);

/* By what figures are kept, besides the day. X(constant, name) */
#define FIGURES_BY_TABLE(X)            \
    X(FIGURES_ALL, "all")              \
    X(FIGURES_BY_GRID, "grid")         \
    X(FIGURES_BY_WORKER, "worker")     \
    X(FIGURES_BY_CATEGORY, "category") \
    X(FIGURES_BY_KIND, "kind")

enum figures_by {
#define X(constant, name) constant,
    FIGURES_BY_TABLE(X)
#undef X
        FIGURES_BY_COUNT
};
const char *figures_by_name(enum figures_by by);

/* What is asked of an order. Spans borrow. */
struct figures_order {
    enum order_state state;
    int64_t version, created_at;
    struct span grid, worker, category, kind, class_name;
    struct order_clock clocks[CLOCK_COUNT];
    int64_t responded_at; /* 0: nobody accepted it */
    int64_t stars;        /* 0: not rated */
    bool reopened, special, provisional;
};

struct figures_item {
    unsigned metric;
    int64_t count;
};

/* What an order adds. */
struct figures_part {
    int64_t version;
    int32_t day;                              /* yyyymmdd */
    struct span by[FIGURES_BY_COUNT];         /* that of FIGURES_ALL is empty */
    struct figures_item items[FIGURES_ITEMS]; /* by rising metric */
    size_t count;
};

/* The day of an instant in Shanghai, as yyyymmdd. */
int32_t figures_day(int64_t ms);
/* What the order adds at `now`; spans borrow from it. *next is the deadline at which that will
 * change by itself, because a clock runs that is then late; 0: none. */
void figures_of(const struct figures_order *order, const struct targets *targets, int64_t now,
                struct figures_part *part, int64_t *next);
/* In one line, for the order's hash. */
void figures_part_write(const struct figures_part *part, struct buf *out);
/* Reads it back; spans borrow. 0, or -1 when it is none. */
int figures_part_read(struct span text, struct figures_part *part);

/* One thing to be added: to the day's figures by `by`, in the row `value`. */
typedef void figures_add(void *ctx, int32_t day, enum figures_by by, struct span value,
                         unsigned metric, int64_t count);
/* What is to be added so that an order that added `before` (NULL: nothing) adds `after`. */
void figures_change(const struct figures_part *before, const struct figures_part *after,
                    figures_add *add, void *ctx);

#endif
