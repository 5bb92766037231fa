/*
 * clocks: what has become of one deadline of an order, and how loudly it warns. Pure: the instant
 * is handed in.
 *
 * A clock runs from its start until it is met or stopped (the order was resolved or cancelled
 * without it); its share is the part of the time to its deadline that was consumed until then.
 */
#ifndef JIESU_MODEL_CLOCKS_H
#define JIESU_MODEL_CLOCKS_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* X(constant, name) */
#define WARNING_TABLE(X)        \
    X(WARNING_NONE, "none")     \
    X(WARNING_BLUE, "blue")     \
    X(WARNING_YELLOW, "yellow") \
    X(WARNING_RED, "red")

enum warning {
#define X(constant, name) constant,
    WARNING_TABLE(X)
#undef X
        WARNING_COUNT
};
const char *warning_name(enum warning warning);
/* 0, or -1 when it is none; *out stays then. */
int warning_parse(struct span name, enum warning *out);

/* The share at which each level begins; of WARNING_NONE not used. They rise. */
struct warning_shares {
    double from[WARNING_COUNT];
};

struct order_clock {
    int64_t start, due; /* due 0: the order has no such clock */
    int64_t met_at;     /* 0: not met */
    int64_t stopped_at; /* 0: not stopped */
    int64_t asked;      /* the deadline that was asked for and not decided on, or 0 */
    bool extended;      /* it was moved: that happens once */
};

/* True while it may still be met. */
bool order_clock_runs(const struct order_clock *clock);
/* The share consumed at `now`: 0 at the start, 1 at the deadline, and on; 0 without a clock. */
double order_clock_share(const struct order_clock *clock, int64_t now);
/* True when the deadline passed before it was met or stopped. */
bool order_clock_breached(const struct order_clock *clock, int64_t now);
enum warning order_clock_warning(const struct order_clock *clock,
                                 const struct warning_shares *shares, int64_t now);

/* The first instant from which the clock, were it still running, warns at that level (not
 * WARNING_NONE) or above; 0: never. */
int64_t order_clock_warns_at(const struct order_clock *clock, const struct warning_shares *shares,
                             enum warning level);

#endif
