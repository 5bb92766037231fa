/*
 * learner_train: a linear model over the n-grams of some documents.
 */
#ifndef JIESU_CLASSIFIERS_LEARNER_TRAIN_H
#define JIESU_CLASSIFIERS_LEARNER_TRAIN_H

#include "classifiers/learner_ngrams.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The documents to learn from. */
struct train_set {
    const struct ngrams *ngrams;
    const uint32_t *labels; /* of each document */
    const bool *skip;       /* documents to leave out; NULL: none */
    size_t documents, label_count;
};

struct train_params {
    size_t max_ngrams, min_documents;
    double min_weight; /* as struct learner_params */
    double cost;       /* C of the support vector machine */
    double smoothing;  /* added to every count of the naive-Bayes ratios */
};

/* Zero it before the first use. */
struct train_model {
    uint32_t *ngrams; /* in struct ngrams, ascending */
    size_t count;
    double *weights; /* label_count for each of them */
    double bias[LEARNED_LABELS_MAX];
    size_t label_count;
};

/* 0, or -1 when memory is short; train_model_free in both cases. A model without n-grams is the
 * answer when no n-gram stands in min_documents documents of the set. The same input gives the same model:
 * liblinear's shuffling starts from one seed (it calls srand and rand, so no two threads may train). */
int train_model(const struct train_set *set, const struct train_params *params,
                struct train_model *model);
void train_model_free(struct train_model *model);
/* The largest absolute value among weights; 0 when there is none. */
double train_largest(const double *weights, size_t count);
/* What the model says of a document: one value per label, above 0 for yes. Returns how many of its
 * n-grams the document holds. */
size_t train_predict(const struct train_model *model, const struct ngrams *ngrams, size_t document,
                     double values[LEARNED_LABELS_MAX]);

#endif
