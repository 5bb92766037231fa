#include "engine/base/hist.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define COUNT 20000

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Values of many magnitudes: the number of bits is drawn first. */
static uint64_t draw(struct random *r, unsigned bits)
{
    return random_next(r) >> (64 - 1 - random_below(r, bits));
}

static uint64_t count_le(const uint64_t *sorted, uint64_t bound)
{
    uint64_t n = 0;
    while (n < COUNT && sorted[n] <= bound)
        n++;
    return n;
}

static void test_quantiles_against_sorted_values(void **state)
{
    (void)state;
    static uint64_t values[COUNT];
    static const double quantiles[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    struct random r = {.state = 42};
    for (unsigned bits = 1; bits <= 40; bits += 3) {
        struct hist *hist = hist_new();
        uint64_t sum = 0;
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = draw(&r, bits);
            sum += values[i];
            hist_record(hist, values[i]);
        }
        qsort(values, COUNT, sizeof(values[0]), by_value);
        assert_true(hist_count(hist) == COUNT);
        assert_true(hist_sum(hist) == sum);
        assert_true(hist_max(hist) == values[COUNT - 1]);
        for (size_t q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++) {
            double rank = ceil(quantiles[q] * COUNT);
            uint64_t exact = values[rank < 1 ? 0 : (size_t)rank - 1];
            uint64_t got = hist_quantile(hist, quantiles[q]);
            if (got < exact || got > exact + exact / 32 || got > values[COUNT - 1])
                fail_msg("bits %u q %g: %llu, not %llu", bits, quantiles[q],
                         (unsigned long long)got, (unsigned long long)exact);
        }
        for (int i = 0; i < 20; i++) {
            uint64_t bound = draw(&r, bits);
            uint64_t got = hist_count_le(hist, bound);
            assert_true(got >= count_le(values, bound));
            assert_true(got <= count_le(values, bound + bound / 32));
        }
        hist_free(&hist);
        assert_null(hist);
    }
}

/* All small values and a walk through the large ones, each in a histogram with one that is larger.
 */
static void test_every_bucket_is_narrow(void **state)
{
    (void)state;
    struct hist *hist = hist_new();
    for (uint64_t v = 0; v < (UINT64_C(1) << 40); v = v < (1u << 13) ? v + 1 : v + v / 97) {
        hist_record(hist, v);
        hist_record(hist, UINT64_C(1) << 40);
        uint64_t edge = hist_quantile(hist, 0.5);
        if (edge < v || edge - v > v / 32)
            fail_msg("%llu: %llu", (unsigned long long)v, (unsigned long long)edge);
        assert_int_equal(hist_count_le(hist, v), 1);
        hist_reset(hist);
    }
    hist_free(&hist);
}

static void test_edges(void **state)
{
    (void)state;
    struct hist *hist = hist_new();
    assert_int_equal(hist_quantile(hist, 0.5), 0);
    assert_int_equal(hist_count(hist), 0);
    assert_int_equal(hist_max(hist), 0);
    hist_record(hist, 0);
    assert_int_equal(hist_quantile(hist, 1), 0);
    assert_int_equal(hist_count(hist), 1);
    hist_record(hist, UINT64_MAX);
    assert_true(hist_quantile(hist, 1) == UINT64_MAX);
    assert_int_equal(hist_quantile(hist, 0.5), 0);
    assert_int_equal(hist_count_le(hist, (UINT64_C(1) << 40) - 1), 1);
    assert_int_equal(hist_quantile(hist, -1), 0);
    assert_true(hist_quantile(hist, 7) == UINT64_MAX);
    hist_reset(hist);
    assert_int_equal(hist_count(hist), 0);
    assert_int_equal(hist_sum(hist), 0);
    hist_free(&hist);
    hist_free(&hist);
    mem_fail_at(1);
    assert_null(hist_new());
    mem_fail_at(0);
}

static void test_merge_equals_recording_in_one(void **state)
{
    (void)state;
    struct random r = {.state = 8};
    struct hist *one = hist_new(), *a = hist_new(), *b = hist_new();
    for (int i = 0; i < 10000; i++) {
        uint64_t v = draw(&r, 41);
        hist_record(one, v);
        hist_record(random_below(&r, 2) == 0 ? a : b, v);
    }
    hist_record(one, UINT64_C(1) << 45);
    hist_record(b, UINT64_C(1) << 45); /* the maximum comes from the merged one */
    hist_merge(a, b);
    assert_true(hist_count(a) == hist_count(one) && hist_sum(a) == hist_sum(one));
    assert_true(hist_max(a) == hist_max(one));
    for (int i = 0; i <= 1000; i++)
        assert_true(hist_quantile(a, i / 1000.0) == hist_quantile(one, i / 1000.0));
    hist_free(&one);
    hist_free(&a);
    hist_free(&b);
}

static void *record_many(void *arg)
{
    for (uint64_t i = 1; i <= 50000; i++)
        hist_record(arg, i);
    return NULL;
}

static void test_threads_record_while_one_reads(void **state)
{
    (void)state;
    struct hist *hist = hist_new();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, hist), 0);
    uint64_t last = 0;
    while (last < 100000) {
        uint64_t count = hist_count(hist);
        assert_true(count >= last);
        last = count;
        assert_true(hist_quantile(hist, 0.99) <= 50000);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(hist_count(hist), 200000);
    assert_true(hist_sum(hist) == UINT64_C(4) * 50000 * 50001 / 2);
    assert_int_equal(hist_max(hist), 50000);
    hist_free(&hist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_against_sorted_values),
        cmocka_unit_test(test_every_bucket_is_narrow),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_merge_equals_recording_in_one),
        cmocka_unit_test(test_threads_record_while_one_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
