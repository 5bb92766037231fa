#include "classifiers/learned.h"
#include "classifiers/text.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <math.h>
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    NARROW_STRIDE = 8,
    NGRAM_UNITS = 4,
    SCORE_MAX = 1000000, /* hundredths of a point */
    HEAD_MAX = 10000,
    NUMBER_MAX = 1000,
    WEIGHT_MAX = 999,
    VALUE_ONE = 16, /* values are in sixteenths */
    VALUE_MAX = 66,
    LINE_CELLS = 1 + LEARNED_LABELS_MAX,
    LANES = LEARNED_STRONGEST
};

/* VALUE_ONE * (1 + ln(times) / 2), rounded. */
static const uint8_t times_values[LEARNED_TIMES + 1] = {0, 16, 22, 25, 27, 29, 30, 32, 33};

_Static_assert((int64_t)LIMIT_LEARNED_NGRAMS *WEIGHT_MAX *VALUE_MAX <= INT32_MAX,
               "sums of weighted values are 32 bits wide");
_Static_assert((uint64_t)LIMIT_LEARNED_NGRAMS *VALUE_MAX *VALUE_MAX <= UINT32_MAX,
               "so are sums of squared values");

/* A line of the pack that holds an n-gram. */
struct line {
    struct span ngram; /* in struct learned's text */
    int number;
};

struct learned {
    char *text;       /* a copy of the pack: names and n-grams point into it */
    int16_t *weights; /* `stride` of them per n-gram */
    size_t stride;    /* NARROW_STRIDE or LEARNED_LABELS_MAX: whole vectors */
    struct line *lines;
    size_t count, capacity;
    struct span labels[LEARNED_LABELS_MAX];
    size_t label_count;
    double step;
    double bias[LEARNED_LABELS_MAX];
    double points, lift, floor, few;
    int64_t head;
};

/* The parser's place in the file. */
struct parser {
    struct learned *learned;
    const char *name;
    struct span rest;
    int number;
    struct err *err;
};

#define FAIL(p, code, ...) fail_at((p), err_set((p)->err, (code), __VA_ARGS__))

static int fail_at(const struct parser *p, int status)
{
    (void)err_prefix(p->err, "%s:%d", p->name, p->number);
    return status;
}

/* The next line that is no remark. False at the end. */
static bool next_line(struct parser *p, struct span *line)
{
    while (p->rest.len != 0) {
        *line = span_cut(&p->rest, '\n');
        p->number++;
        if (line->len == 0 || line->ptr[0] != '#')
            return true;
    }
    return false;
}

/* Cuts a line at its tabs; the number of cells, more than LINE_CELLS when it has too many. */
static size_t cut_cells(struct span line, struct span cells[LINE_CELLS])
{
    size_t count = 0;
    while (line.ptr != NULL && count <= LINE_CELLS) {
        struct span cell = span_cut(&line, '\t');
        if (count < LINE_CELLS)
            cells[count] = cell;
        count++;
    }
    return count;
}

/* The next line of the head: `key` and at least one value. The number of values, or -1. */
static int head_line(struct parser *p, const char *key, struct span cells[LINE_CELLS])
{
    struct span line;
    p->err->code = ERR_NONE;
    if (!next_line(p, &line))
        return FAIL(p, ERR_SYNTAX, "the pack ends where the line “%s” should stand", key);
    size_t count = cut_cells(line, cells);
    if (count == 0 || !span_eq(cells[0], span_str(key)))
        return FAIL(p, ERR_SYNTAX,
                    "the line “%s” should stand here; the order of the head is "
                    "jiesu-learned, labels, step, bias, points, lift, few, head",
                    key);
    if (count < 2 || count > LINE_CELLS)
        return FAIL(p, ERR_SYNTAX, "“%s” takes 1 to %d values, separated by tabs", key,
                    LEARNED_LABELS_MAX);
    return (int)count - 1;
}

/* A whole number from -max to max. */
static int to_int(struct span s, int64_t max, int64_t *out)
{
    uint64_t magnitude;
    bool negative = span_starts(s, SPAN("-"));
    if (span_to_u64(negative ? span_sub(s, 1, s.len) : s, (uint64_t)max, &magnitude) != 0)
        return -1;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return 0;
}

static int read_labels(struct parser *p)
{
    struct span cells[LINE_CELLS];
    int count = head_line(p, "labels", cells);
    if (count < 0)
        return -1;
    struct learned *l = p->learned;
    if (count < 2)
        return FAIL(p, ERR_INVALID, "a pack needs two labels at least");
    for (int i = 0; i < count; i++) {
        struct span label = cells[i + 1];
        if (label.len == 0)
            return FAIL(p, ERR_INVALID, "label %d is empty", i + 1);
        for (size_t k = 0; k < l->label_count; k++)
            if (span_eq(l->labels[k], label))
                return FAIL(p, ERR_INVALID, "the label “%.*s” stands there twice", SPAN_ARG(label));
        l->labels[l->label_count++] = label;
    }
    l->stride = count <= NARROW_STRIDE ? NARROW_STRIDE : LEARNED_LABELS_MAX;
    return 0;
}

/* A line of the head with count numbers, each from least to most. */
static int read_numbers(struct parser *p, const char *key, size_t count, double least, double most,
                        double *out)
{
    struct span cells[LINE_CELLS];
    int found = head_line(p, key, cells);
    if (found < 0)
        return -1;
    if ((size_t)found != count)
        return FAIL(p, ERR_INVALID, "“%s” has %d values; it takes %zu", key, found, count);
    for (size_t i = 0; i < count; i++)
        if (span_to_double(cells[i + 1], &out[i]) != 0 || out[i] < least || out[i] > most)
            return FAIL(p, ERR_INVALID, "“%s” takes numbers from %g to %g", key, least, most);
    return 0;
}

static int read_combination(struct parser *p)
{
    struct learned *l = p->learned;
    double head = 0, lift[2] = {0, 0};
    if (read_numbers(p, "step", 1, 0, NUMBER_MAX, &l->step) != 0 ||
        read_numbers(p, "bias", l->label_count, -NUMBER_MAX, NUMBER_MAX, l->bias) != 0 ||
        read_numbers(p, "points", 1, 0, NUMBER_MAX, &l->points) != 0 ||
        read_numbers(p, "lift", 2, -NUMBER_MAX, NUMBER_MAX, lift) != 0 ||
        read_numbers(p, "few", 1, 0, NUMBER_MAX, &l->few) != 0 ||
        read_numbers(p, "head", 1, 0, HEAD_MAX, &head) != 0)
        return -1;
    l->lift = lift[0];
    l->floor = lift[1];
    l->head = (int64_t)head;
    return 0;
}

static int read_head(struct parser *p)
{
    struct span cells[LINE_CELLS];
    int count = head_line(p, "jiesu-learned", cells);
    if (count < 0)
        return -1;
    if (count != 1 || !span_eq(cells[1], SPAN("1")))
        return FAIL(p, ERR_INVALID,
                    "this is not version 1 of the format; make the pack again with "
                    "this version's jiesu learn");
    return read_labels(p) == 0 && read_combination(p) == 0 ? 0 : -1;
}

/* Makes room for one more n-gram. */
static int grow(struct learned *l)
{
    if (l->count < l->capacity)
        return 0;
    size_t capacity = l->capacity == 0 ? 1024 : l->capacity * 2;
    struct line *lines = mem_resize(l->lines, capacity, sizeof *lines);
    if (lines == NULL)
        return -1;
    l->lines = lines;
    int16_t *weights = mem_resize(l->weights, capacity, l->stride * sizeof *weights);
    if (weights == NULL)
        return -1;
    l->weights = weights;
    l->capacity = capacity;
    return 0;
}

static int check_ngram(const struct parser *p, struct span ngram)
{
    uint16_t units[NGRAM_UNITS];
    struct err why = {0};
    ptrdiff_t count = text_fold(ngram, units, NGRAM_UNITS, &why);
    if (count < 0 && why.code == ERR_INVALID)
        return FAIL(p, ERR_INVALID, "the n-gram is no UTF-8: %s", why.text);
    if (count < 1)
        return FAIL(p, ERR_INVALID, "an n-gram has 1 to %d characters", NGRAM_UNITS);
    const struct learned *l = p->learned;
    if (l->count > 0 && span_cmp(l->lines[l->count - 1].ngram, ngram) >= 0)
        return FAIL(p, ERR_INVALID,
                    "“%.*s” does not stand behind the n-gram before it; n-grams "
                    "are ordered by their bytes, each once",
                    SPAN_ARG(ngram));
    return 0;
}

static int read_ngram(struct parser *p, struct span text)
{
    struct learned *l = p->learned;
    struct span cells[LINE_CELLS];
    size_t count = cut_cells(text, cells);
    if (count != l->label_count + 1)
        return FAIL(p, ERR_SYNTAX,
                    "an n-gram and one weight for each of the %zu labels should "
                    "stand here, separated by tabs",
                    l->label_count);
    if (check_ngram(p, cells[0]) != 0)
        return -1;
    if (l->count == LIMIT_LEARNED_NGRAMS)
        return FAIL(p, ERR_LIMIT, "more than %d n-grams; make a smaller pack",
                    LIMIT_LEARNED_NGRAMS);
    if (grow(l) != 0)
        return FAIL(p, ERR_NOMEM, "out of memory");
    int16_t *row = l->weights + l->count * l->stride;
    for (size_t i = 0; i < l->stride; i++) {
        int64_t weight = 0;
        if (i < l->label_count && to_int(cells[i + 1], WEIGHT_MAX, &weight) != 0)
            return FAIL(p, ERR_INVALID, "weight %zu must be a whole number from -%d to %d", i + 1,
                        WEIGHT_MAX, WEIGHT_MAX);
        row[i] = (int16_t)weight;
    }
    l->lines[l->count++] = (struct line){cells[0], p->number};
    return 0;
}

static int read_pack(struct parser *p)
{
    struct span line;
    if (read_head(p) != 0)
        return -1;
    while (next_line(p, &line))
        if (read_ngram(p, line) != 0)
            return -1;
    if (p->learned->count == 0)
        return FAIL(p, ERR_INVALID, "the pack holds no n-gram");
    return 0;
}

struct learned *learned_parse(struct span text, const char *name, struct err *err)
{
    struct err unseen = {0};
    struct parser p = {.learned = mem_zalloc(1, sizeof *p.learned),
                       .name = name,
                       .err = err == NULL ? &unseen : err};
    if (p.learned == NULL || (p.learned->text = mem_strndup(text.ptr, text.len)) == NULL) {
        (void)err_set(p.err, ERR_NOMEM, "%s: out of memory", name);
        learned_free(&p.learned);
        return NULL;
    }
    p.rest = span_of(p.learned->text, text.len);
    if (read_pack(&p) != 0)
        learned_free(&p.learned);
    return p.learned;
}

void learned_free(struct learned **learned)
{
    struct learned *l = *learned;
    *learned = NULL;
    if (l == NULL)
        return;
    mem_free(l->text);
    mem_free(l->weights);
    mem_free(l->lines);
    mem_free(l);
}

size_t learned_label_count(const struct learned *learned)
{
    return learned->label_count;
}

struct span learned_label(const struct learned *learned, size_t label)
{
    return learned->labels[label];
}

size_t learned_ngram_count(const struct learned *learned)
{
    return learned->count;
}

struct span learned_ngram(const struct learned *learned, size_t ngram)
{
    return learned->lines[ngram].ngram;
}

int learned_line(const struct learned *learned, size_t ngram)
{
    return learned->lines[ngram].number;
}

int learned_begin(const struct learned *learned, struct learned_sums *sums)
{
    const size_t wanted = learned == NULL ? 1 : learned->count + 1; /* one is written over */
    for (size_t m = 0; m < sums->count; m++)
        sums->times[sums->met[m].ngram] = 0;
    sums->count = 0;
    if (sums->capacity >= wanted)
        return 0;
    struct learned_sums fresh = {.met = mem_zalloc(wanted, sizeof *fresh.met),
                                 .times = mem_zalloc(LEARNED_NONE + 1, sizeof *fresh.times),
                                 .capacity = wanted,
                                 .values = mem_zalloc(wanted, sizeof *fresh.values),
                                 .rows =
                                     mem_zalloc(wanted, LEARNED_LABELS_MAX * sizeof *fresh.rows),
                                 .products = mem_zalloc(wanted + LANES, sizeof *fresh.products),
                                 .strongest = mem_zalloc(wanted, sizeof *fresh.strongest)};
    bool made = fresh.met != NULL && fresh.times != NULL && fresh.values != NULL &&
                fresh.rows != NULL && fresh.products != NULL && fresh.strongest != NULL;
    learned_sums_free(made ? sums : &fresh);
    if (!made)
        return -1;
    fresh.times[LEARNED_NONE] = 1;
    *sums = fresh;
    return 0;
}

void learned_sums_free(struct learned_sums *sums)
{
    mem_free(sums->met);
    mem_free(sums->times);
    mem_free(sums->values);
    mem_free(sums->rows);
    mem_free(sums->products);
    mem_free(sums->strongest);
    *sums = (struct learned_sums){0};
}

uint32_t learned_value(uint32_t times, bool in_head)
{
    uint32_t value = times_values[times < LEARNED_TIMES ? times : LEARNED_TIMES];
    return in_head ? 2 * value : value;
}

/* What each n-gram counts for. The sum of the squares. The rows are fetched meanwhile: they are
 * anywhere in the pack. */
static uint32_t set_values(const struct learned *learned, const struct learned_sums *sums)
{
    uint32_t squares = 0; /* LIMIT_LEARNED_NGRAMS of VALUE_MAX * VALUE_MAX fit */
    const struct learned_met *met = sums->met;
    const uint8_t *times = sums->times;
    const int16_t *weights = learned->weights;
    const size_t count = sums->count, stride = learned->stride;
    const int64_t head = learned->head;
    int16_t *values = sums->values;
    for (size_t m = 0; m < count; m++) {
        __builtin_prefetch(weights + (size_t)met[m].ngram * stride);
        uint32_t value = times_values[times[met[m].ngram]];
        value += met[m].from < head ? value : 0; /* learned_value */
        values[m] = (int16_t)value;
        squares += value * value;
    }
    return squares;
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
static inline void add_two(int32_t totals[NARROW_STRIDE], const int16_t *a, const int16_t *b,
                           int16_t a_value, int16_t b_value)
{
    for (size_t i = 0; i < NARROW_STRIDE; i++)
        totals[i] += a[i] * a_value + b[i] * b_value;
}
#endif

/* Adds up the rows, eight labels and two rows at a time: a few vector instructions. The rows, which
 * are anywhere in the pack, are put together for whoever wants shares. */
static void add_rows(const struct learned *learned, const struct learned_sums *sums, size_t first,
                     int32_t out[NARROW_STRIDE])
{
#ifdef __SSE2__
    __m128i totals[2] = {_mm_setzero_si128(), _mm_setzero_si128()};
#else
    int32_t totals[NARROW_STRIDE] = {0};
#endif
    const struct learned_met *met = sums->met;
    const int16_t *weights = learned->weights + first, *values = sums->values;
    const size_t count = sums->count, stride = learned->stride;
    int16_t *rows = sums->rows + first;
    for (size_t m = 0; m + 1 < count; m += 2) {
        const int16_t *a = weights + (size_t)met[m].ngram * stride;
        const int16_t *b = weights + (size_t)met[m + 1].ngram * stride;
        memcpy(rows + m * stride, a, NARROW_STRIDE * sizeof *a);
        memcpy(rows + (m + 1) * stride, b, NARROW_STRIDE * sizeof *b);
        add_two(totals, a, b, values[m], values[m + 1]);
    }
    if (count % 2 != 0) {
        const int16_t *last = weights + (size_t)met[count - 1].ngram * stride;
        memcpy(rows + (count - 1) * stride, last, NARROW_STRIDE * sizeof *last);
        add_two(totals, last, last, values[count - 1], 0);
    }
    memcpy(out, totals, NARROW_STRIDE * sizeof *out);
}

static int to_score(double hundredths)
{
    if (hundredths > SCORE_MAX)
        return SCORE_MAX;
    return hundredths < -SCORE_MAX ? -SCORE_MAX : (int)lrint(hundredths);
}

void learned_scores(const struct learned *learned, struct learned_sums *sums,
                    int scores[LEARNED_LABELS_MAX])
{
    int32_t totals[LEARNED_LABELS_MAX] = {0};
    double values[LEARNED_LABELS_MAX], best = -INFINITY;
    memset(scores, 0, LEARNED_LABELS_MAX * sizeof *scores);
    sums->worth = 0;
    if (sums->count == 0)
        return;
    const uint32_t squares = set_values(learned, sums);
    for (size_t first = 0; first < learned->stride; first += NARROW_STRIDE)
        add_rows(learned, sums, first, totals + first);
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
    int32_t weight = sums->rows[met * learned->stride + label];
    return to_score(sums->worth * weight * sums->values[met]);
}

/* v w of each n-gram that was met, and 0 for those that fill the last vector. Returns a bound that
 * as many of them as are wanted reach: each lane of the vectors has one that is its largest. */
static int32_t multiply(const struct learned *learned, const struct learned_sums *sums,
                        size_t label, size_t wanted)
{
    int32_t *products = sums->products, largest[LANES] = {0};
    const int16_t *weights = sums->rows + label, *values = sums->values;
    const size_t count = sums->count, stride = learned->stride;
    for (size_t m = 0; m < count; m++)
        products[m] = weights[m * stride] * values[m];
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
        __builtin_prefetch(&learned->lines[sums->met[strongest[i]].ngram]);
    return found;
}
