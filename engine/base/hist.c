/*
 * Buckets 0..63 hold one value each. From there on every power of two [2^e, 2^(e+1)) is cut in 32
 * equal parts: with shift = e - 5 the bucket is shift * 32 + (value >> shift), where value >> shift
 * lies in 32..63. The last bucket takes all from 2^40 on. The count is the sum of the buckets, so
 * that a reader never sees a count that its buckets do not add up to.
 */
#include "engine/base/hist.h"

#include "engine/base/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>

#define STEPS 32
#define STEP_BITS 5
#define TOP_BITS 40
#define OVER ((TOP_BITS - STEP_BITS - 1) * STEPS + 2 * STEPS)
#define BUCKETS (OVER + 1)

struct hist {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
};

static uint64_t get(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void add(_Atomic uint64_t *at, uint64_t n)
{
    atomic_fetch_add_explicit(at, n, memory_order_relaxed);
}

static size_t bucket_of(uint64_t value)
{
    if (value < (uint64_t)2 * STEPS)
        return (size_t)value;
    if (value >> TOP_BITS != 0)
        return OVER;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
    return (size_t)shift * STEPS + (size_t)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t upper_edge(size_t bucket)
{
    if (bucket < (size_t)2 * STEPS)
        return bucket;
    if (bucket == OVER)
        return UINT64_MAX;
    size_t shift = bucket / STEPS - 1;
    return (((uint64_t)(bucket - shift * STEPS) + 1) << shift) - 1;
}

struct hist *hist_new(void)
{
    return mem_zalloc(1, sizeof(struct hist));
}

void hist_free(struct hist **hist)
{
    mem_free(*hist);
    *hist = NULL;
}

static void raise_max(struct hist *hist, uint64_t value)
{
    uint64_t max = get(&hist->max);
    while (value > max && !atomic_compare_exchange_weak_explicit(
                              &hist->max, &max, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

void hist_record(struct hist *hist, uint64_t value)
{
    raise_max(hist, value);
    add(&hist->sum, value);
    add(&hist->buckets[bucket_of(value)], 1);
}

void hist_merge(struct hist *into, const struct hist *from)
{
    raise_max(into, get(&from->max));
    add(&into->sum, get(&from->sum));
    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = get(&from->buckets[i]);
        if (n != 0)
            add(&into->buckets[i], n);
    }
}

void hist_reset(struct hist *hist)
{
    for (size_t i = 0; i < BUCKETS; i++)
        atomic_store_explicit(&hist->buckets[i], 0, memory_order_relaxed);
    atomic_store_explicit(&hist->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&hist->max, 0, memory_order_relaxed);
}

uint64_t hist_count(const struct hist *hist)
{
    return hist_count_le(hist, UINT64_MAX);
}

uint64_t hist_sum(const struct hist *hist)
{
    return get(&hist->sum);
}

uint64_t hist_max(const struct hist *hist)
{
    return get(&hist->max);
}

uint64_t hist_quantile(const struct hist *hist, double q)
{
    uint64_t count = hist_count(hist);
    if (count == 0)
        return 0;
    double wanted = ceil(q * (double)count);
    uint64_t rank = wanted <= 1 ? 1 : wanted >= (double)count ? count : (uint64_t)wanted;
    uint64_t max = hist_max(hist);
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += get(&hist->buckets[i]);
        if (seen >= rank)
            return upper_edge(i) < max ? upper_edge(i) : max;
    }
    return max;
}

uint64_t hist_count_le(const struct hist *hist, uint64_t bound)
{
    uint64_t n = 0;
    size_t last = bucket_of(bound);
    for (size_t i = 0; i <= last; i++)
        n += get(&hist->buckets[i]);
    return n;
}
