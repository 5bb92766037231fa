/*
 * hist: a log-linear histogram of durations.
 *
 * Values are recorded in buckets whose width is at most 1/32 of their value (32 linear steps per
 * power of two, as in HdrHistogram with two significant digits), from 1 to 2^40, so a quantile is
 * right to about 3 %. Recording is a few relaxed atomic operations: any thread may record while
 * another reads.
 */
#ifndef JIESU_BASE_HIST_H
#define JIESU_BASE_HIST_H

#include <stdint.h>

struct hist;

/* NULL when memory is short. */
struct hist *hist_new(void);
void hist_free(struct hist **hist);
void hist_record(struct hist *hist, uint64_t value);
/* Adds all of from to into. */
void hist_merge(struct hist *into, const struct hist *from);
void hist_reset(struct hist *hist);
uint64_t hist_count(const struct hist *hist);
uint64_t hist_sum(const struct hist *hist);
uint64_t hist_max(const struct hist *hist);
/* The upper edge of the bucket that holds quantile q (0..1), never above the maximum; 0 when empty.
 */
uint64_t hist_quantile(const struct hist *hist, double q);
/* How many recorded values were <= bound (to bucket precision): for Prometheus' cumulative buckets.
 */
uint64_t hist_count_le(const struct hist *hist, uint64_t bound);

#endif
