/*
 * Rows are found through an open hash table of pointers that is at most half full, and listed in an
 * array. They are some 11 KB each, since most of their numbers are buckets.
 */
#include "engine/model/figures_table.h"

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 64, ARENA_BYTES = 65536, STEP_BITS = 3, STEPS = 1 << STEP_BITS };

struct figures_table {
    struct arena *arena;
    struct figures_row **slots, **rows; /* both of `size`; rows hold count */
    size_t size, count;
};

static const char *const rate_names[FIGURES_RATE_COUNT] = {
#define X(constant, name) [constant] = (name),
    FIGURES_RATE_TABLE(X)
#undef X
};

const char *figures_rate_name(enum figures_rate rate)
{
    CHECK(rate < FIGURES_RATE_COUNT);
    return rate_names[rate];
}

/* ---- rows ---- */

static struct figures_row **find(struct figures_row **slots, size_t size, struct span name)
{
    size_t i = (size_t)hash64(name, hash_seed()) & (size - 1);
    while (slots[i] != NULL && !span_eq(slots[i]->name, name))
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static int grow(struct figures_table *table)
{
    const size_t size = table->size == 0 ? SLOTS_FIRST : 2 * table->size;
    struct figures_row **slots = mem_zalloc(size, sizeof(*slots));
    struct figures_row **rows = slots == NULL ? NULL : mem_resize(table->rows, size, sizeof(*rows));
    if (rows == NULL) {
        mem_free(slots);
        return -1;
    }
    for (size_t i = 0; i < table->count; i++)
        *find(slots, size, rows[i]->name) = rows[i];
    mem_free(table->slots);
    table->slots = slots;
    table->rows = rows;
    table->size = size;
    return 0;
}

struct figures_table *figures_table_new(void)
{
    struct figures_table *table = mem_zalloc(1, sizeof(*table));
    if (table == NULL)
        return NULL;
    table->arena = arena_new(ARENA_BYTES);
    if (table->arena == NULL || grow(table) < 0)
        figures_table_free(&table);
    return table;
}

void figures_table_free(struct figures_table **table)
{
    if (*table == NULL)
        return;
    arena_free(&(*table)->arena);
    mem_free((*table)->slots);
    mem_free((*table)->rows);
    mem_free(*table);
    *table = NULL;
}

struct figures_row *figures_table_row(struct figures_table *table, struct span name)
{
    struct figures_row **slot = find(table->slots, table->size, name);
    if (*slot != NULL)
        return *slot;
    if (table->count >= table->size / 2) {
        if (grow(table) < 0)
            return NULL;
        slot = find(table->slots, table->size, name);
    }
    struct figures_row *row = arena_zalloc(table->arena, 1, sizeof(*row));
    if (row == NULL)
        return NULL;
    row->name = arena_copy(table->arena, name);
    if (row->name.ptr == NULL)
        return NULL;
    *slot = row;
    table->rows[table->count++] = row;
    return row;
}

size_t figures_table_count(const struct figures_table *table)
{
    return table->count;
}

const struct figures_row *figures_table_at(const struct figures_table *table, size_t i)
{
    CHECK(i < table->count);
    return table->rows[i];
}

static int by_name(const void *a, const void *b)
{
    return span_cmp((*(struct figures_row *const *)a)->name,
                    (*(struct figures_row *const *)b)->name);
}

void figures_table_sort(struct figures_table *table)
{
    qsort(table->rows, table->count, sizeof(*table->rows), by_name);
}

/* ---- rates ---- */

/* 98 of 100 reach 0.98, though neither number is one that a double can hold. */
bool figures_share_reaches(struct figures_share share, double wanted)
{
    return share.whole > 0 && (double)share.part >= (double)share.whole * wanted * (1 - 1e-12);
}

/* Of five counts by stars: those from `from` on, and all. */
static struct figures_share stars(const int64_t *counts, int64_t from)
{
    struct figures_share share = {0, 0};
    for (int64_t n = 1; n <= 5; n++) {
        share.part += n >= from ? counts[n - 1] : 0;
        share.whole += counts[n - 1];
    }
    return share;
}

struct figures_share figures_rate(const struct figures_row *row, const struct targets *targets,
                                  enum figures_rate rate)
{
    const int64_t *c = row->counts;
    const int64_t valid = c[FIGURE_CREATED] - c[FIGURE_CANCELLED];
    switch (rate) {
    case FIGURES_RESPONSE:
        return (struct figures_share){c[FIGURE_RESPONDED], valid};
    case FIGURES_RESOLUTION:
        return (struct figures_share){c[FIGURE_RESOLVED], valid};
    default:
        return stars(&c[FIGURE_STARS_1], targets_satisfied_from(targets));
    }
}

struct figures_share figures_target(const struct figures_row *row, const struct targets *targets,
                                    enum target target)
{
    const int64_t *c = row->counts;
    const int64_t in_time = c[figures_clock_metric(CLOCK_RESOLVE, FIGURE_CLOCK_IN_TIME)];
    const int64_t late = c[figures_clock_metric(CLOCK_RESOLVE, FIGURE_CLOCK_LATE)];
    switch (target) {
    case TARGET_ORDERS:
        return (struct figures_share){in_time, in_time + late};
    case TARGET_SAFETY:
        return (struct figures_share){c[FIGURE_SAFETY_IN_TIME],
                                      c[FIGURE_SAFETY_IN_TIME] + c[FIGURE_SAFETY_LATE]};
    case TARGET_DISPUTES:
        return (struct figures_share){c[FIGURE_SETTLED], c[FIGURE_DISPUTES]};
    case TARGET_SPECIAL:
        return stars(&c[FIGURE_SPECIAL_1], targets_satisfied_from(targets));
    default:
        return stars(&c[FIGURE_STARS_1], targets_satisfied_from(targets));
    }
}

/* ---- clocks ---- */

/* The middle of a bucket (see figures_bucket_metric). */
static int64_t bucket_middle(size_t bucket)
{
    if (bucket < 2 * STEPS)
        return (int64_t)bucket;
    const size_t shift = bucket / STEPS - 1;
    const int64_t low = (int64_t)(bucket - shift * STEPS) << shift;
    return bucket == FIGURES_BUCKETS - 1 ? low : low + ((INT64_C(1) << shift) - 1) / 2;
}

/* The value of the smallest rank that covers the share q of n (nearest rank). */
static int64_t quantile(const int64_t *buckets, int64_t n, int64_t percent)
{
    const int64_t rank = (n * percent + 99) / 100;
    int64_t seen = 0;
    for (size_t b = 0; b < FIGURES_BUCKETS; b++) {
        seen += buckets[b];
        if (buckets[b] > 0 && seen >= rank)
            return bucket_middle(b);
    }
    return 0;
}

void figures_clock(const struct figures_row *row, enum sla_clock clock, struct figures_clock *out)
{
    const int64_t *counts = row->counts + figures_clock_metric(clock, (enum figure_clock)0);
    const int64_t *buckets = counts + FIGURE_CLOCK_FIGURES;
    *out = (struct figures_clock){.orders = counts[FIGURE_CLOCK_ORDERS],
                                  .in_time = counts[FIGURE_CLOCK_IN_TIME],
                                  .late = counts[FIGURE_CLOCK_LATE],
                                  .overdue = counts[FIGURE_CLOCK_OVERDUE],
                                  .stopped = counts[FIGURE_CLOCK_STOPPED]};
    for (size_t b = 0; b < FIGURES_BUCKETS; b++)
        out->met += buckets[b];
    if (out->met == 0)
        return;
    out->mean = counts[FIGURE_CLOCK_MS] / out->met;
    out->p50 = quantile(buckets, out->met, 50);
    out->p90 = quantile(buckets, out->met, 90);
    out->p99 = quantile(buckets, out->met, 99);
}
