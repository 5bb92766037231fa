/*
 * learned: a pack of learned weights: character n-grams, each with one weight per label.
 *
 * A linear model over n-grams is a set of weighted keywords, so its n-grams go into the rule set's
 * one matcher, and what is met adds up here. The labels are first-level categories. The pack is
 * plain text, one n-gram per line, made by learner.h; its head says where it comes from.
 *
 *     jiesu-learned⇥1
 *     # any line that begins so is a remark; the provenance stands in such lines
 *     labels⇥城乡建设⇥环境保护
 *     step⇥0.0071
 *     bias⇥0.25⇥-0.31
 *     points⇥36
 *     lift⇥30⇥-0.8
 *     few⇥80
 *     head⇥27
 *     噪音⇥-31⇥77
 *
 * An n-gram counts for more the more often a text holds it (1 + ln(times) / 2), and twice that when
 * it begins among the first `head` units, where people say what they want. With v these values and w
 * the weights of a label, the value of the label is step * sum(v w) / sqrt(sum(v v)) + bias: about 1
 * for a sure yes, -1 for a sure no.
 *
 * What a label's value is worth beside hand-written rules: for each unit that it lies below the best
 * label's, it loses `points`; and all labels gain `lift` for each unit that the best one lies above
 * the second number of `lift`, so that categories which nothing was learned for keep their chance
 * when no label is likely. Of a text with n distinct n-grams, fewer than
 * `few`, both count (n / few)^2 only: a short text tells little. The n-grams stand in the order of their bytes.
 */
#ifndef JIESU_CLASSIFIERS_LEARNED_H
#define JIESU_CLASSIFIERS_LEARNED_H

#include "classifiers/keywords.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEARNED_LABELS_MAX = 16,
    LEARNED_TIMES = 8 /* more occurrences of an n-gram count no more */
};
/* No n-gram. */
#define LEARNED_NONE UINT16_MAX
_Static_assert((unsigned)LIMIT_LEARNED_NGRAMS < LEARNED_NONE, "an n-gram needs more bits");

struct learned; /* frozen: any thread may read it */

/* Parses a pack. NULL and *err, "name:line: what; what to do". Copies what it keeps. */
struct learned *learned_parse(struct span text, const char *name, struct err *err);
void learned_free(struct learned **learned);

size_t learned_label_count(const struct learned *learned);
/* Name of a label: a first-level category. */
struct span learned_label(const struct learned *learned, size_t label);
size_t learned_ngram_count(const struct learned *learned);
/* The UTF-8 n-gram, and the line of the file where it stands. */
struct span learned_ngram(const struct learned *learned, size_t ngram);
int learned_line(const struct learned *learned, size_t ngram);

/* What an n-gram counts for, in sixteenths: 16 to 66. */
uint32_t learned_value(uint32_t times, bool in_head);

/* The n-grams of one text. They come as hits of the matcher, and only the number of a hit is kept:
 * the hits themselves must stay as they are until the text is done with. Zero it before its first
 * use; it keeps its memory from text to text. */
struct learned_sums {
    uint32_t *met; /* the first hit of each distinct n-gram, in the order in which they came */
    size_t count;
    /* By value of the matcher: how often it stands there, at most LEARNED_TIMES. That of an n-gram
     * is 0 between texts, that of another value never: so adding such a one adds nothing. */
    uint8_t *times;
    /* Since learned_scores: */
    uint16_t *ngrams; /* of each of met */
    int16_t *worths;  /* what each of met counts for: learned_value */
    bool forgotten;   /* times is as between texts */
    double worth;     /* hundredths of a point for one unit of sum(v w) */
    /* Since learned_strongest: */
    int32_t *products; /* v w of each of met, and room for a vector's worth behind them */
    uint32_t *strongest;
};

/* Makes room for the texts of a rule set whose matcher's value v, below `values_end`, stands for
 * the n-gram ngrams[v] or for none, LEARNED_NONE. 0, or -1 when memory is short. */
int learned_fit(struct learned_sums *sums, const uint16_t *ngrams, size_t values_end);
/* Forgets the last text, whose hits these were. */
void learned_begin(struct learned_sums *sums, const struct keywords_found *hits);
void learned_sums_free(struct learned_sums *sums);

/* Adds a hit by its value and its number: the first place of a value first. Here, and without a
 * branch (whether an n-gram was met before cannot be foretold), because it runs hundreds of times
 * per text; and with one look into one small array, because a second look whose place depends on
 * the first makes every addition wait for the one before. */
static inline void learned_add(struct learned_sums *sums, uint32_t value, uint32_t hit)
{
    const uint8_t before = sums->times[value];
    sums->times[value] = (uint8_t)(before + (before != LEARNED_TIMES));
    sums->met[sums->count] = hit;
    sums->count += before == 0;
}

/* What to add to each label's first-level category, in hundredths of a point; all 0 when no n-gram
 * was met. `hits` are those that were added, `ngrams` what their values stand for. */
void learned_scores(const struct learned *learned, struct learned_sums *sums,
                    const struct keywords_found *hits, const uint16_t *ngrams,
                    int scores[LEARNED_LABELS_MAX]);
/* The share of sums->met[met] in a label's score, in hundredths, rounded, after learned_scores: for
 * evidence. */
int learned_share(const struct learned *learned, const struct learned_sums *sums, size_t met,
                  size_t label);

enum { LEARNED_STRONGEST = 8 };

/* Puts into sums->strongest, in order, the places in met of those n-grams that may be among the
 * `wanted` (1 to LEARNED_STRONGEST) with the largest shares in a label's score: all of these that
 * have a share of a hundredth at least, whichever of two equal shares is preferred, and not many
 * more. How many they are. After learned_scores. */
size_t learned_strongest(const struct learned *learned, struct learned_sums *sums, size_t label,
                         size_t wanted);

#endif
