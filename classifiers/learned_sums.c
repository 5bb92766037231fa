#include "classifiers/learned_private.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <math.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum {
    SCORE_MAX = 1000000, /* hundredths of a point */
    VALUE_ONE = 16,      /* values are in sixteenths */
    VALUE_MAX = 66,
    LANES = LEARNED_STRONGEST
};

/* VALUE_ONE * (1 + ln(times) / 2), rounded. */
static const uint8_t times_values[LEARNED_TIMES + 1] = {0, 16, 22, 25, 27, 29, 30, 32, 33};

_Static_assert((int64_t)LIMIT_LEARNED_NGRAMS *LEARNED_WEIGHT_MAX *VALUE_MAX <= INT32_MAX,
               "sums of weighted values are 32 bits wide");
_Static_assert((uint64_t)LIMIT_LEARNED_NGRAMS *VALUE_MAX *VALUE_MAX <= UINT32_MAX,
               "so are sums of squared values");

int learned_fit(struct learned_sums *sums, const uint16_t *ngrams, size_t values_end)
{
    const size_t room = values_end + 1; /* one is written over */
    struct learned_sums fresh = {.met = mem_zalloc(room, sizeof *fresh.met),
                                 .times = mem_zalloc(room, sizeof *fresh.times),
                                 .ngrams = mem_zalloc(room, sizeof *fresh.ngrams),
                                 .worths = mem_zalloc(room, sizeof *fresh.worths),
                                 .products = mem_zalloc(room + LANES, sizeof *fresh.products),
                                 .strongest = mem_zalloc(room, sizeof *fresh.strongest)};
    bool made = fresh.met != NULL && fresh.times != NULL && fresh.ngrams != NULL &&
                fresh.worths != NULL && fresh.products != NULL && fresh.strongest != NULL;
    learned_sums_free(made ? sums : &fresh);
    if (!made)
        return -1;
    for (size_t v = 0; v < values_end; v++)
        fresh.times[v] = ngrams[v] == LEARNED_NONE;
    *sums = fresh;
    return 0;
}

void learned_begin(struct learned_sums *sums, const struct keywords_found *hits)
{
    for (size_t m = 0; m < sums->count && !sums->forgotten; m++)
        sums->times[hits[sums->met[m]].value] = 0;
    sums->count = 0;
    sums->forgotten = false;
}

void learned_sums_free(struct learned_sums *sums)
{
    mem_free(sums->met);
    mem_free(sums->times);
    mem_free(sums->ngrams);
    mem_free(sums->worths);
    mem_free(sums->products);
    mem_free(sums->strongest);
    *sums = (struct learned_sums){0};
}

uint32_t learned_value(uint32_t times, bool in_head)
{
    uint32_t value = times_values[times < LEARNED_TIMES ? times : LEARNED_TIMES];
    return in_head ? 2 * value : value;
}

/* What two rows give, times their values: totals[i] += a[i] * a_value + b[i] * b_value. */
#ifdef __SSE2__
static inline void add_two(__m128i totals[2], const int16_t *a, const int16_t *b, int16_t a_value,
                           int16_t b_value)
{
    const __m128i left = _mm_loadu_si128((const void *)a), right = _mm_loadu_si128((const void *)b);
    const __m128i values =
        _mm_set1_epi32((int)((uint32_t)(uint16_t)b_value << 16 | (uint16_t)a_value));
    totals[0] = _mm_add_epi32(totals[0], _mm_madd_epi16(_mm_unpacklo_epi16(left, right), values));
    totals[1] = _mm_add_epi32(totals[1], _mm_madd_epi16(_mm_unpackhi_epi16(left, right), values));
}
#else
static inline void add_two(int32_t totals[LEARNED_NARROW], const int16_t *a, const int16_t *b,
                           int16_t a_value, int16_t b_value)
{
    for (size_t i = 0; i < LEARNED_NARROW; i++)
        totals[i] += a[i] * a_value + b[i] * b_value;
}
#endif

/* What has been met, as the sums are made of it. */
struct meeting {
    const struct keywords_found *hits;
    const uint16_t *ngrams; /* by value */
    int64_t head;
};

/* The n-gram of one of met, and what it counts for: learned_value, without a branch. Forgets how
 * often it was met. */
static inline uint32_t take_value(struct learned_sums *sums, const struct meeting *meeting,
                                  size_t m)
{
    const struct keywords_found *hit = &meeting->hits[sums->met[m]];
    uint8_t *times = &sums->times[hit->value];
    const uint32_t worth = (uint32_t)times_values[*times] << (hit->from < meeting->head);
    *times = 0;
    sums->ngrams[m] = meeting->ngrams[hit->value];
    sums->worths[m] = (int16_t)worth;
    return worth;
}

/* Adds up the rows' first labels, two rows at a time: a few vector instructions. Returns the sum of
 * the squared values. */
static uint32_t add_rows(const struct learned *learned, struct learned_sums *sums,
                         const struct meeting *meeting, int32_t out[LEARNED_NARROW])
{
#ifdef __SSE2__
    __m128i totals[2] = {_mm_setzero_si128(), _mm_setzero_si128()};
#else
    int32_t totals[LEARNED_NARROW] = {0};
#endif
    uint32_t squares = 0; /* LIMIT_LEARNED_NGRAMS of VALUE_MAX * VALUE_MAX fit */
    const int16_t *weights = learned->weights;
    const size_t count = sums->count, stride = learned->stride;
    const uint16_t *ngrams = sums->ngrams;
    for (size_t m = 0; m + 1 < count; m += 2) {
        const uint32_t a = take_value(sums, meeting, m), b = take_value(sums, meeting, m + 1);
        squares += a * a + b * b;
        add_two(totals, weights + ngrams[m] * stride, weights + ngrams[m + 1] * stride, (int16_t)a,
                (int16_t)b);
    }
    if (count % 2 != 0) {
        const uint32_t value = take_value(sums, meeting, count - 1);
        const int16_t *last = weights + ngrams[count - 1] * stride;
        squares += value * value;
        add_two(totals, last, last, (int16_t)value, 0);
    }
    memcpy(out, totals, LEARNED_NARROW * sizeof *out);
    return squares;
}

/* The same for the labels behind those, with the values that are known now. */
static void add_wide(const struct learned *learned, const struct learned_sums *sums,
                     int32_t out[LEARNED_NARROW])
{
    for (size_t m = 0; m < sums->count; m++)
        for (size_t i = 0; i < LEARNED_NARROW; i++)
            out[i] += sums->worths[m] *
                      learned->weights[sums->ngrams[m] * learned->stride + LEARNED_NARROW + i];
}

static int to_score(double hundredths)
{
    if (hundredths > SCORE_MAX)
        return SCORE_MAX;
    return hundredths < -SCORE_MAX ? -SCORE_MAX : (int)lrint(hundredths);
}

void learned_scores(const struct learned *learned, struct learned_sums *sums,
                    const struct keywords_found *hits, const uint16_t *ngrams,
                    int scores[LEARNED_LABELS_MAX])
{
    const struct meeting meeting = {hits, ngrams, learned->head};
    int32_t totals[LEARNED_LABELS_MAX] = {0};
    double values[LEARNED_LABELS_MAX], best = -INFINITY;
    memset(scores, 0, LEARNED_LABELS_MAX * sizeof *scores);
    sums->worth = 0;
    if (sums->count == 0)
        return;
    const uint32_t squares = add_rows(learned, sums, &meeting, totals);
    if (learned->stride > LEARNED_NARROW)
        add_wide(learned, sums, totals + LEARNED_NARROW);
    sums->forgotten = true;
    double unit = learned->step / sqrt((double)squares);
    for (size_t i = 0; i < learned->label_count; i++) {
        values[i] = unit * totals[i] + learned->bias[i];
        best = values[i] > best ? values[i] : best;
    }
    double part = (double)sums->count < learned->few ? (double)sums->count / learned->few : 1;
    double trust = 100 * part * part;
    double lift = best > learned->floor ? learned->lift * (best - learned->floor) : 0;
    for (size_t i = 0; i < learned->label_count; i++)
        scores[i] = to_score(trust * (learned->points * (values[i] - best) + lift));
    sums->worth = trust * learned->points * unit;
}

int learned_share(const struct learned *learned, const struct learned_sums *sums, size_t met,
                  size_t label)
{
    int32_t weight = learned->weights[sums->ngrams[met] * learned->stride + label];
    return to_score(sums->worth * weight * sums->worths[met]);
}

/* v w of each n-gram that was met, and 0 for those that fill the last vector. Returns a bound that
 * as many of them as are wanted reach: each lane of the vectors has one that is its largest. */
static int32_t multiply(const struct learned *learned, const struct learned_sums *sums,
                        size_t label, size_t wanted)
{
    int32_t *products = sums->products, largest[LANES] = {0};
    const int16_t *weights = learned->weights + label, *values = sums->worths;
    const uint16_t *ngrams = sums->ngrams;
    const size_t count = sums->count, stride = learned->stride;
    for (size_t m = 0; m < count; m++)
        products[m] = weights[ngrams[m] * stride] * values[m];
    memset(products + count, 0, LANES * sizeof *products);
    for (size_t m = 0; m < count; m += LANES)
        for (size_t i = 0; i < LANES; i++)
            largest[i] = products[m + i] > largest[i] ? products[m + i] : largest[i];
    for (size_t n = 1; n < LANES; n++)
        for (size_t i = n; i > 0 && largest[i] > largest[i - 1]; i--) {
            int32_t swapped = largest[i];
            largest[i] = largest[i - 1];
            largest[i - 1] = swapped;
        }
    return largest[wanted - 1];
}

size_t learned_strongest(const struct learned *learned, struct learned_sums *sums, size_t label,
                         size_t wanted)
{
    size_t count = sums->count, found = 0;
    CHECK(wanted > 0 && wanted <= LEARNED_STRONGEST);
    if (sums->worth <= 0)
        return 0;
    double bound = multiply(learned, sums, label, wanted);
    /* Shares are rounded, and bounded: what has the same share as the bound is taken too. */
    if (bound > SCORE_MAX / sums->worth)
        bound = SCORE_MAX / sums->worth;
    bound -= 1 / sums->worth;
    const int32_t least = bound > 1 ? (int32_t)bound : 1, *products = sums->products;
    uint32_t *strongest = sums->strongest;
    for (size_t m = 0; m < count; m++) {
        strongest[found] = (uint32_t)m;
        found += products[m] >= least;
    }
    for (size_t i = 0; i < found; i++) /* most of them will be shown */
        __builtin_prefetch(&learned->lines[sums->ngrams[strongest[i]]]);
    return found;
}
