/*
 * learner_ngrams: the n-grams of a corpus, and how often and where each document holds them.
 */
#ifndef JIESU_CLASSIFIERS_LEARNER_NGRAMS_H
#define JIESU_CLASSIFIERS_LEARNER_NGRAMS_H

#include "classifiers/learner_corpus.h"

#include <stddef.h>
#include <stdint.h>

enum { NGRAM_UNITS_MAX = 4, NGRAM_BYTES_MAX = 3 * NGRAM_UNITS_MAX };

struct ngram_entry {
    uint32_t ngram; /* in struct ngrams' keys */
    uint32_t value; /* learned_value */
};

struct ngrams {
    /* Ascending. A key holds its units, the first in the highest 16 bits, zeros behind the last: so
     * keys are in the order of their units, which is that of their UTF-8 (no unit is a surrogate). */
    uint64_t *keys;
    size_t count;
    struct ngram_entry *entries; /* of all documents, each one's ordered by n-gram */
    size_t *rows;                /* document d has entries [rows[d], rows[d + 1]) */
};

/* Finds the n-grams of 1 to NGRAM_UNITS_MAX units that min_documents documents hold. Those that begin
 * among the first head units of a document (head_words of one of words) are in its head. 0, or -1
 * when memory is short; either way the caller ends with ngrams_free. */
int ngrams_find(struct ngrams *ngrams, const struct corpus *corpus, size_t min_documents,
                double head, double head_words);
void ngrams_free(struct ngrams *ngrams);
/* Writes a key as UTF-8; returns the number of bytes. */
size_t ngrams_utf8(uint64_t key, char out[NGRAM_BYTES_MAX]);

#endif
