/*
 * learner_corpus: the labelled documents that a learner reads.
 *
 * A document is a text as residents write it, or only its words (stop words and punctuation gone).
 * Both become runs of units that n-grams may be taken from: Han characters, and Latin letters that
 * do not stand alone (a lone one is a masked place, as in A市). Everything else is CORPUS_BREAK.
 */
#ifndef JIESU_CLASSIFIERS_LEARNER_CORPUS_H
#define JIESU_CLASSIFIERS_LEARNER_CORPUS_H

#include "classifiers/learned.h"
#include "classifiers/text.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CORPUS_BREAK = 0, CORPUS_MASKS_MAX = 16, CORPUS_MASK_UNITS = 32 };

struct corpus_document {
    uint32_t label;
    bool words;       /* only its words */
    bool dropped;     /* not to be learned from; it has no units then */
    size_t at, count; /* its run in units */
};

struct corpus_mask {
    uint16_t units[CORPUS_MASK_UNITS];
    size_t count;
};

/* Zero it before the first use. */
struct corpus {
    struct span labels[LEARNED_LABELS_MAX]; /* owned; in the order in which they came */
    size_t label_count;
    struct corpus_document *documents;
    size_t count, capacity;
    uint16_t *units;
    size_t unit_count, unit_capacity;
    struct corpus_mask masks[CORPUS_MASKS_MAX];
    size_t mask_count;
    struct text text;
};

void corpus_free(struct corpus *corpus);
/* A word that no n-gram may touch; before the documents. 0, or -1 and *err. */
int corpus_mask(struct corpus *corpus, struct span word, struct err *err);
/* Adds a document; words are separated by spaces. 0, or -1 and *err (ERR_INVALID for bad UTF-8 or an
 * empty label, ERR_LIMIT for too many labels, ERR_NOMEM). */
int corpus_add_text(struct corpus *corpus, struct span label, struct span title, struct span text,
                    struct err *err);
int corpus_add_words(struct corpus *corpus, struct span label, struct span words, struct err *err);
/* Drops the words of documents that are there as texts too: words whose every unit stands in the
 * text, in that order, and that are a third of it at least. *share becomes the part of those texts'
 * units that are in their words, 1 when there are none. Returns how many were dropped. */
size_t corpus_drop_twins(struct corpus *corpus, double *share);

#endif
