/*
 * figures_table: figures added up by rows, and what is read from a row.
 */
#ifndef JIESU_MODEL_FIGURES_TABLE_H
#define JIESU_MODEL_FIGURES_TABLE_H

#include "engine/base/span.h"
#include "engine/model/figures.h"
#include "engine/model/targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct figures_table;

struct figures_row {
    struct span name;
    int64_t counts[FIGURES_METRICS];
};

/* NULL when memory is short. */
struct figures_table *figures_table_new(void);
void figures_table_free(struct figures_table **table);
/* The row of that name, made when it is not there. It stays where it is. NULL when memory is
 * short. */
struct figures_row *figures_table_row(struct figures_table *table, struct span name);
size_t figures_table_count(const struct figures_table *table);
/* The i-th row, in the order of their names when sorted since the last new one. */
const struct figures_row *figures_table_at(const struct figures_table *table, size_t i);
void figures_table_sort(struct figures_table *table);

/* A part of a whole; the whole is 0 when there is nothing to tell. */
struct figures_share {
    int64_t part, whole;
};

/* False for a whole of 0. */
bool figures_share_reaches(struct figures_share share, double wanted);

/* X(constant, name): of the orders that were not cancelled those that somebody accepted; those that
 * are done; of those that were rated those whose stars reach the policy's threshold. */
#define FIGURES_RATE_TABLE(X)           \
    X(FIGURES_RESPONSE, "response")     \
    X(FIGURES_RESOLUTION, "resolution") \
    X(FIGURES_SATISFACTION, "satisfaction")

enum figures_rate {
#define X(constant, name) constant,
    FIGURES_RATE_TABLE(X)
#undef X
        FIGURES_RATE_COUNT
};
const char *figures_rate_name(enum figures_rate rate);
struct figures_share figures_rate(const struct figures_row *row, const struct targets *targets,
                                  enum figures_rate rate);
/* What is measured against a target: of the clocks or safety hazards that are in time or late those
 * in time; of the disputes those that are done; of the ratings the satisfied. */
struct figures_share figures_target(const struct figures_row *row, const struct targets *targets,
                                    enum target target);

/* A clock's statistics; times in milliseconds, of those that were met. */
struct figures_clock {
    int64_t orders, met, in_time, late, overdue, stopped;
    int64_t mean, p50, p90, p99;
};
void figures_clock(const struct figures_row *row, enum sla_clock clock, struct figures_clock *out);

#endif
