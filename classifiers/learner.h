/*
 * learner: makes a pack of learned weights (learned.h) from labelled documents.
 *
 * Add the documents, train, write. Training first estimates what to expect, by cross-validation, and
 * then learns from all of them. The same documents in the same order give the same pack, byte for
 * byte. One thread of a process may train at a time (learner_train.h says why).
 */
#ifndef JIESU_CLASSIFIERS_LEARNER_H
#define JIESU_CLASSIFIERS_LEARNER_H

#include "classifiers/learned.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct learner;

struct learner_params {
    size_t max_ngrams;    /* 1 to LIMIT_LEARNED_NGRAMS */
    size_t min_documents; /* an n-gram must stand in so many */
    double min_weight;    /* an n-gram must have a weight of this share of the largest, 0 to 1 */
    size_t folds;         /* of the cross-validation, 2 at least */
    unsigned head;        /* units of a text; see learned.h */
    double cost;          /* C of the support vector machine */
    double smoothing;     /* of the naive-Bayes ratios */
};

/* How the values become points: see learned.h. */
struct learner_scale {
    double points, lift, floor, few;
};

struct learner_result {
    size_t texts, words;       /* documents learned from */
    size_t twins;              /* words left out because their text is there */
    double head_words;         /* the head of a document of words, in its units */
    size_t ngrams;             /* in the pack */
    double accuracy, macro_f1; /* of the cross-validation */
    double texts_accuracy;     /* the part of texts among them; 0 without texts */
};

/* NULL when memory is short. */
struct learner *learner_new(void);
void learner_free(struct learner **learner);
/* A word that no n-gram may touch; before the documents. 0, or -1 and *err. */
int learner_mask(struct learner *learner, struct span word, struct err *err);
/* Adds a document: a text as residents write it, or the words of one, separated by spaces and without
 * those that say nothing. Documents are numbered from 0 in the order in which they come. 0, or -1 and
 * *err (ERR_INVALID, ERR_LIMIT, ERR_NOMEM). */
int learner_add_text(struct learner *learner, struct span label, struct span title,
                     struct span text, struct err *err);
int learner_add_words(struct learner *learner, struct span label, struct span words,
                      struct err *err);
/* Estimates and learns, once. 0, or -1 and *err: ERR_INVALID when there are too few documents or
 * labels, or no n-gram is left, ERR_NOMEM. */
int learner_train(struct learner *learner, const struct learner_params *params,
                  struct learner_result *result, struct err *err);

size_t learner_label_count(const struct learner *learner);
struct span learner_label(const struct learner *learner, size_t label);
/* What a model that did not see a document says of it. */
struct learner_view {
    size_t label;         /* its own */
    const double *values; /* of all labels; NULL for a twin that was left out */
    size_t ngrams;        /* distinct ones of the model in it */
};

/* After training. */
struct learner_view learner_view(const struct learner *learner, size_t document);
/* After training: appends the pack. Remarks are whole lines that begin with #. */
void learner_write(const struct learner *learner, const struct learner_scale *scale,
                   struct span remarks, struct buf *out);

#endif
