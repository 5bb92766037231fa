/*
 * 1. Every run of 2 to 5 Han characters of a text that is wrong is counted under the right label,
 *    once per text; the most frequent of each label are candidates. Runs that begin or end with a
 *    particle are no words.
 * 2. One matcher over all candidates finds which rows hold which. One that stands in rows of other
 *    labels more often than in those of its own says nothing for it, whatever it happens to repair.
 * 3. A round adds up, over the rows that hold a candidate, what each weight would repair and break;
 *    the best is taken, its weight is added to the scores of its rows, and the next round begins.
 */
#include "engine/cli/suggest.h"

#include "classifiers/keywords.h"
#include "engine/base/mem.h"
#include "engine/cli/runs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNITS_TOTAL_MAX = 1 << 28,
    ROWS_MIN = 2,    /* a run of one text only would repair that text and no other */
    PER_LABEL = 1500 /* candidates */
};
enum { WEIGHTS = 4 };
static const int usual_weights[WEIGHTS] = {2, 4, 6, 8};

struct sample {
    size_t at, count; /* its units in suggest->units */
    size_t right;
    uint32_t hits_at, hits_end; /* in suggest->hits: the candidates that it holds */
};

struct candidate {
    size_t at;
    uint16_t count, label;
    bool out;                /* taken already, or of no use */
    uint32_t seen;           /* 1 + the sample that was scanned last */
    uint32_t rows, own_rows; /* that hold it; those of its label among them */
    uint32_t repaired[WEIGHTS], broken[WEIGHTS];
};

struct suggest {
    size_t labels;
    uint16_t *units;
    size_t unit_count, unit_capacity;
    struct sample *samples;
    int *scores; /* labels of each sample */
    size_t sample_count, sample_capacity;
    struct runs runs;
    struct candidate *candidates;
    size_t candidate_count;
    uint32_t *hits;
    size_t hit_count, hit_capacity;
    int weights[WEIGHTS]; /* that are tried: weight_count of them */
    size_t weight_count;
    bool no_memory;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while looking for keywords");
}

struct suggest *suggest_new(size_t labels, struct err *err)
{
    struct suggest *s = mem_zalloc(1, sizeof *s);
    if (s == NULL)
        no_memory(err);
    else
        s->labels = labels;
    return s;
}

void suggest_free(struct suggest **suggest)
{
    struct suggest *s = *suggest;
    *suggest = NULL;
    if (s == NULL)
        return;
    mem_free(s->units);
    mem_free(s->samples);
    mem_free(s->scores);
    runs_free(&s->runs);
    mem_free(s->candidates);
    mem_free(s->hits);
    mem_free(s);
}

static bool add_units(struct suggest *s, const uint16_t *units, size_t count)
{
    if (s->unit_capacity - s->unit_count < count) {
        size_t capacity = (s->unit_capacity + count) * 2;
        uint16_t *more = mem_resize(s->units, capacity, sizeof *more);
        if (more == NULL)
            return false;
        s->units = more;
        s->unit_capacity = capacity;
    }
    if (count > 0)
        memcpy(s->units + s->unit_count, units, count * sizeof *units);
    s->unit_count += count;
    return true;
}

static bool add_sample_room(struct suggest *s)
{
    if (s->sample_count < s->sample_capacity)
        return true;
    size_t capacity = s->sample_capacity == 0 ? 1024 : s->sample_capacity * 2;
    struct sample *samples = mem_resize(s->samples, capacity, sizeof *samples);
    if (samples == NULL)
        return false;
    s->samples = samples;
    int *scores = mem_resize(s->scores, capacity, s->labels * sizeof *scores);
    if (scores == NULL)
        return false;
    s->scores = scores;
    s->sample_capacity = capacity;
    return true;
}

int suggest_add(struct suggest *s, const uint16_t *units, size_t count, const int *scores,
                size_t right, struct err *err)
{
    if (count > UNITS_TOTAL_MAX - s->unit_count)
        return err_set(err, ERR_LIMIT, "the data is too large; use fewer rows");
    struct sample sample = {.at = s->unit_count, .count = count, .right = right};
    if (!add_sample_room(s) || !add_units(s, units, count))
        return no_memory(err);
    memcpy(s->scores + s->sample_count * s->labels, scores, s->labels * sizeof *scores);
    s->samples[s->sample_count++] = sample;
    return 0;
}

static size_t winner_of(const struct suggest *s, size_t sample)
{
    const int *scores = s->scores + sample * s->labels;
    size_t best = 0;
    for (size_t i = 1; i < s->labels; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* A text that no label scores for is wrong, whichever stands first. */
static bool is_right(const struct suggest *s, size_t sample)
{
    size_t right = s->samples[sample].right;
    return winner_of(s, sample) == right && s->scores[sample * s->labels + right] > 0;
}

size_t suggest_wrong(const struct suggest *s)
{
    size_t wrong = 0;
    for (size_t i = 0; i < s->sample_count; i++)
        wrong += !is_right(s, i);
    return wrong;
}

/* --- 1. candidates --- */

static bool count_sample(struct suggest *s, size_t i)
{
    const struct sample *sample = &s->samples[i];
    return runs_add_text(&s->runs, s->units, sample->at, sample->at + sample->count,
                         (uint16_t)sample->right);
}

static int choose_candidates(struct suggest *s, struct err *err)
{
    size_t of_label = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < s->sample_count; i++)
        ok = is_right(s, i) || count_sample(s, i);
    const size_t kept = runs_sort(&s->runs, ROWS_MIN);
    if (ok)
        s->candidates = mem_zalloc(s->labels * PER_LABEL, sizeof *s->candidates);
    if (s->candidates == NULL) {
        no_memory(err);
        return -1;
    }
    for (size_t i = 0; i < kept; i++) {
        const struct run *run = &s->runs.table[i];
        of_label = i > 0 && run->label == s->runs.table[i - 1].label ? of_label + 1 : 0;
        if (of_label < PER_LABEL)
            s->candidates[s->candidate_count++] =
                (struct candidate){.at = run->at, .count = run->count, .label = run->label};
    }
    return 0;
}

/* --- 2. which rows hold which --- */

struct scan {
    struct suggest *s;
    uint32_t sample;
};

static int on_hit(void *ctx, const struct keywords_hit *hit)
{
    struct scan *scan = ctx;
    struct suggest *s = scan->s;
    struct candidate *candidate = &s->candidates[hit->value];
    if (candidate->seen == scan->sample + 1)
        return 0;
    candidate->seen = scan->sample + 1;
    candidate->rows++;
    candidate->own_rows += s->samples[scan->sample].right == candidate->label;
    uint32_t *hits = mem_grow(s->hits, &s->hit_capacity, s->hit_count, 1 << 16, sizeof *hits);
    if (hits != NULL)
        s->hits = hits;
    s->no_memory = hits == NULL || s->hit_capacity > UINT32_MAX;
    if (s->no_memory)
        return 1;
    s->hits[s->hit_count++] = hit->value;
    return 0;
}

static struct keywords *build_matcher(const struct suggest *s, struct err *err)
{
    struct keywords_builder *builder = keywords_builder_new();
    struct keywords *keywords = NULL;
    bool ok = builder != NULL;
    if (!ok)
        no_memory(err);
    for (size_t i = 0; ok && i < s->candidate_count; i++)
        ok = keywords_add(builder, s->units + s->candidates[i].at, s->candidates[i].count,
                          (uint32_t)i, err) == 0;
    if (ok)
        keywords = keywords_build(builder, err);
    keywords_builder_free(&builder);
    return keywords;
}

static int find_hits(struct suggest *s, struct err *err)
{
    struct keywords *keywords = build_matcher(s, err);
    if (keywords == NULL)
        return -1;
    for (size_t i = 0; i < s->sample_count && !s->no_memory; i++) {
        struct scan scan = {.s = s, .sample = (uint32_t)i};
        s->samples[i].hits_at = (uint32_t)s->hit_count;
        (void)keywords_scan(keywords, s->units + s->samples[i].at, s->samples[i].count, on_hit,
                            &scan);
        s->samples[i].hits_end = (uint32_t)s->hit_count;
    }
    keywords_free(&keywords);
    for (size_t i = 0; i < s->candidate_count; i++)
        s->candidates[i].out |= s->candidates[i].own_rows * 2 < s->candidates[i].rows;
    return s->no_memory ? no_memory(err) : 0;
}

/* --- 3. rounds --- */

/* Whether label `a` with score x comes before label `b` with score y. */
static bool beats(size_t a, int x, size_t b, int y)
{
    return x > y || (x == y && a < b);
}

/* The best of the labels but one. */
static size_t rival_of(const struct suggest *s, const int *scores, size_t label)
{
    size_t best = label == 0 ? 1 : 0;
    for (size_t i = best + 1; i < s->labels; i++)
        if (i != label && scores[i] > scores[best])
            best = i;
    return best;
}

/* Counts what every candidate of one row would do to it. */
static void weigh_sample(struct suggest *s, size_t sample)
{
    const int *scores = s->scores + sample * s->labels;
    const size_t right = s->samples[sample].right;
    const bool is_good = is_right(s, sample);
    const size_t rival = rival_of(s, scores, right);
    for (uint32_t h = s->samples[sample].hits_at; h < s->samples[sample].hits_end; h++) {
        struct candidate *c = &s->candidates[s->hits[h]];
        if (c->out || (c->label == right) == is_good)
            continue;
        for (size_t w = 0; w < s->weight_count; w++) {
            int score = scores[c->label] + s->weights[w] * SUGGEST_POINT;
            if (is_good)
                c->broken[w] += beats(c->label, score, right, scores[right]);
            else
                c->repaired[w] += beats(right, score, rival, scores[rival]);
        }
    }
}

static int64_t gain_of(const struct candidate *c, size_t w)
{
    return (int64_t)c->repaired[w] - (int64_t)c->broken[w];
}

/* The candidate and the weight of the most gain, of equals the one that breaks least, then the
 * longer one, then the smaller weight; false when none gains. */
static bool best_of(const struct suggest *s, size_t *candidate, size_t *at)
{
    int64_t most = 0;
    for (size_t i = 0; i < s->candidate_count; i++) {
        const struct candidate *c = &s->candidates[i];
        for (size_t w = 0; w < s->weight_count && !c->out; w++) {
            if (c->repaired[w] < ROWS_MIN || gain_of(c, w) < most || gain_of(c, w) <= 0)
                continue;
            const struct candidate *best = &s->candidates[*candidate];
            if (gain_of(c, w) == most &&
                (c->broken[w] > best->broken[*at] ||
                 (c->broken[w] == best->broken[*at] && c->count <= best->count)))
                continue;
            most = gain_of(c, w);
            *candidate = i;
            *at = w;
        }
    }
    return most > 0;
}

static void take(struct suggest *s, size_t candidate, int weight)
{
    struct candidate *taken = &s->candidates[candidate];
    taken->out = true;
    for (size_t i = 0; i < s->sample_count; i++)
        for (uint32_t h = s->samples[i].hits_at; h < s->samples[i].hits_end; h++)
            if (s->hits[h] == candidate)
                s->scores[i * s->labels + taken->label] += weight * SUGGEST_POINT;
}

static int prepare(struct suggest *s, struct err *err)
{
    if (s->labels < 2 || s->candidates != NULL)
        return 0;
    if (choose_candidates(s, err) != 0)
        return -1;
    runs_free(&s->runs);
    return find_hits(s, err);
}

int suggest_find(struct suggest *s, size_t most, int weight, struct suggestion *out, size_t *found,
                 struct err *err)
{
    *found = 0;
    memcpy(s->weights, usual_weights, sizeof usual_weights);
    s->weight_count = WEIGHTS;
    if (weight != 0) {
        s->weights[0] = weight;
        s->weight_count = 1;
    }
    if (prepare(s, err) != 0)
        return -1;
    while (*found < most) {
        size_t candidate = 0, w = 0;
        for (size_t i = 0; i < s->candidate_count; i++) {
            memset(s->candidates[i].repaired, 0, sizeof s->candidates[i].repaired);
            memset(s->candidates[i].broken, 0, sizeof s->candidates[i].broken);
        }
        for (size_t i = 0; i < s->sample_count; i++)
            weigh_sample(s, i);
        if (!best_of(s, &candidate, &w))
            break;
        const struct candidate *c = &s->candidates[candidate];
        out[(*found)++] = (struct suggestion){.units = s->units + c->at,
                                              .count = c->count,
                                              .label = c->label,
                                              .weight = s->weights[w],
                                              .repaired = c->repaired[w],
                                              .broken = c->broken[w]};
        take(s, candidate, s->weights[w]);
    }
    return 0;
}
