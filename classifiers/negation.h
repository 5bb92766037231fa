/*
 * negation: which matches of a text are negated by words beside them.
 *
 * A match is negated by a word of `before` that ends at most a few units in front of it, with no
 * punctuation between, or by one of `after` that begins at most a few units behind it, with no end
 * of a sentence or line between. A negation word inside an exception («没有人管» holds 没有) negates
 * nothing. Where the words stand is told by whoever scans the text.
 *
 * Doubt is on the side of the emergency: a text with more negation words than LIMIT_NEGATIONS has
 * no negated match.
 */
#ifndef JIESU_CLASSIFIERS_NEGATION_H
#define JIESU_CLASSIFIERS_NEGATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many units may stand between a word and what it negates. */
struct negation_windows {
    uint32_t before, after;
};

/* A word of the text, units [from, to), and a mask of what it is. */
enum { NEGATION_BEFORE = 1, NEGATION_AFTER = 2, NEGATION_EXCEPT = 4 };
struct negation_word {
    uint32_t from, to;
    uint32_t mask;
};

/* The negation words of one text; zero it before the first use. It keeps its memory. */
struct negation {
    struct negation_word *words;
    size_t count, capacity;
    uint32_t *before, *after; /* ends and beginnings of the words that negate, in order */
    size_t before_count, after_count;
    bool sorted;
    bool overflowed;
};

/* Forgets the last text. */
void negation_reset(struct negation *negation);
void negation_free(struct negation *negation);
/* A word of the text. All are added before the first question. 0, or -1 when memory is short. */
int negation_add(struct negation *negation, struct negation_word word);
/* True when units [from, to) of the text are negated. */
bool negation_covers(struct negation *negation, const struct negation_windows *windows,
                     const uint16_t *units, size_t from, size_t to);

#endif
