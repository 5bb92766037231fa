/*
 * NBSVM (S. Wang, C. D. Manning, "Baselines and Bigrams", ACL 2012): a support vector machine, one
 * label against the rest, whose features are multiplied by their naive-Bayes log-count ratios. The
 * ratio is large for an n-gram that stands in documents of the label far more often than in others,
 * so the machine starts from what naive Bayes knows and corrects it where n-grams overlap.
 *
 * Features are the values of learned.h over their root of squares. Every common n-gram is learned
 * first; those whose weights differ most between labels, times the root of their documents, are kept
 * and learned again alone. That favours the commonest characters, which stand in nearly every text
 * and say nothing of it, so an n-gram needs a weight worth the name as well.
 */
#include "classifiers/learner_train.h"
#include "engine/base/mem.h"

#include <linear.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

enum { SEED = 1 };
/* liblinear's stopping tolerance: a tenth of its default, past which no decision moved. */
static const double tolerance = 0.01;

/* Room for one training: everything that is sized by n-grams or entries. */
struct work {
    const struct train_set *set;
    const struct train_params *params;
    uint32_t *documents; /* by n-gram: the documents of the set that hold it */
    uint32_t *by_label;  /* by n-gram and label */
    uint32_t *columns;   /* by n-gram: its feature, from 1; 0: not one */
    double *ratios;      /* by label and feature, from 1 */
    struct feature_node *nodes;
    struct feature_node **rows;
    double *targets;
    size_t *row_documents;
    size_t row_count;
    double *scores; /* by n-gram */
};

static bool is_used(const struct train_set *set, size_t document)
{
    return set->skip == NULL || !set->skip[document];
}

static void free_work(struct work *w)
{
    mem_free(w->documents);
    mem_free(w->by_label);
    mem_free(w->columns);
    mem_free(w->ratios);
    mem_free(w->nodes);
    mem_free(w->rows);
    mem_free(w->targets);
    mem_free(w->row_documents);
    mem_free(w->scores);
}

static int make_work(struct work *w)
{
    const struct train_set *set = w->set;
    size_t ngrams = set->ngrams->count, rows = set->documents + 1;
    /* Each row ends with the bias and liblinear's end mark. */
    size_t nodes = set->ngrams->rows[set->documents] + 2 * rows;
    w->documents = mem_zalloc(ngrams + 1, sizeof *w->documents);
    w->by_label = mem_zalloc((ngrams + 1) * set->label_count, sizeof *w->by_label);
    w->columns = mem_zalloc(ngrams + 1, sizeof *w->columns);
    w->ratios = mem_zalloc((ngrams + 1) * set->label_count, sizeof *w->ratios);
    w->nodes = mem_zalloc(nodes, sizeof *w->nodes);
    w->rows = mem_zalloc(rows, sizeof(struct feature_node *));
    w->targets = mem_zalloc(rows, sizeof *w->targets);
    w->row_documents = mem_zalloc(rows, sizeof *w->row_documents);
    w->scores = mem_zalloc(ngrams + 1, sizeof *w->scores);
    bool whole = w->documents != NULL && w->by_label != NULL && w->columns != NULL &&
                 w->ratios != NULL && w->nodes != NULL && w->rows != NULL && w->targets != NULL &&
                 w->row_documents != NULL && w->scores != NULL;
    return whole ? 0 : -1;
}

static void count_documents(struct work *w)
{
    const struct ngrams *ngrams = w->set->ngrams;
    for (size_t d = 0; d < w->set->documents; d++) {
        if (!is_used(w->set, d))
            continue;
        w->row_documents[w->row_count++] = d;
        for (size_t e = ngrams->rows[d]; e < ngrams->rows[d + 1]; e++) {
            size_t ngram = ngrams->entries[e].ngram;
            w->documents[ngram]++;
            w->by_label[ngram * w->set->label_count + w->set->labels[d]]++;
        }
    }
}

/* The ratio of each feature for each label, over the n-grams that have a column. */
static void find_ratios(struct work *w)
{
    size_t labels = w->set->label_count, ngrams = w->set->ngrams->count;
    double inside[LEARNED_LABELS_MAX] = {0}, outside[LEARNED_LABELS_MAX] = {0};
    for (size_t n = 0; n < ngrams; n++)
        for (size_t k = 0; k < labels && w->columns[n] != 0; k++) {
            double count = w->by_label[n * labels + k];
            inside[k] += count + w->params->smoothing;
            outside[k] += w->documents[n] - count + w->params->smoothing;
        }
    for (size_t n = 0; n < ngrams; n++)
        for (size_t k = 0; k < labels && w->columns[n] != 0; k++) {
            double count = w->by_label[n * labels + k];
            w->ratios[w->columns[n] * labels + k] =
                log((count + w->params->smoothing) / inside[k]) -
                log((w->documents[n] - count + w->params->smoothing) / outside[k]);
        }
}

/* Fills liblinear's rows for one label; the same places each time. */
static void fill_rows(struct work *w, size_t label, size_t features)
{
    const struct ngrams *ngrams = w->set->ngrams;
    size_t labels = w->set->label_count;
    struct feature_node *node = w->nodes;
    for (size_t r = 0; r < w->row_count; r++) {
        size_t d = w->row_documents[r];
        double squares = 0;
        for (size_t e = ngrams->rows[d]; e < ngrams->rows[d + 1]; e++)
            if (w->columns[ngrams->entries[e].ngram] != 0)
                squares += (double)ngrams->entries[e].value * ngrams->entries[e].value;
        double norm = squares == 0 ? 1 : sqrt(squares);
        w->rows[r] = node;
        w->targets[r] = w->set->labels[d] == label ? 1 : -1;
        for (size_t e = ngrams->rows[d]; e < ngrams->rows[d + 1]; e++) {
            uint32_t column = w->columns[ngrams->entries[e].ngram];
            if (column != 0)
                *node++ =
                    (struct feature_node){(int)column, ngrams->entries[e].value / norm *
                                                           w->ratios[column * labels + label]};
        }
        *node++ = (struct feature_node){(int)features + 1, 1};
        *node++ = (struct feature_node){-1, 0};
    }
}

static void stay_quiet(const char *text)
{
    (void)text;
}

/* Trains one label: weights by column, ratios multiplied in, and the bias at features + 1. The caller
 * frees it with liblinear's function; NULL when memory is short. */
static struct model *train_label(struct work *w, size_t label, size_t features)
{
    fill_rows(w, label, features);
    struct problem problem = {
        .l = (int)w->row_count, .n = (int)features + 1, .y = w->targets, .x = w->rows, .bias = 1};
    struct parameter parameter = {
        .solver_type = L2R_L2LOSS_SVC_DUAL, .eps = tolerance, .C = w->params->cost};
    set_print_string_function(stay_quiet);
    srand(SEED);
    return train(&problem, &parameter);
}

/* Trains all labels over the n-grams with a column. weights: by feature (from 0) and label. */
static int train_all(struct work *w, size_t features, double *weights,
                     double bias[LEARNED_LABELS_MAX])
{
    size_t labels = w->set->label_count;
    find_ratios(w);
    for (size_t k = 0; k < labels; k++) {
        struct model *model = train_label(w, k, features);
        if (model == NULL)
            return -1;
        /* liblinear's weights speak for the class of its first row. */
        double sign = model->label[0] == 1 ? 1 : -1;
        for (size_t f = 0; f < features; f++)
            weights[f * labels + k] = sign * model->w[f] * w->ratios[(f + 1) * labels + k];
        bias[k] = sign * model->w[features];
        free_and_destroy_model(&model);
    }
    return 0;
}

/* Gives the n-grams that have a score, of at least `least`, their columns; at most max, the earlier
 * first. Returns how many. */
static size_t give_columns(struct work *w, double least, size_t max)
{
    size_t features = 0;
    for (size_t n = 0; n < w->set->ngrams->count; n++)
        w->columns[n] =
            w->scores[n] > 0 && w->scores[n] >= least && features < max ? (uint32_t)++features : 0;
    return features;
}

double train_largest(const double *weights, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        if (fabs(weights[i]) > largest)
            largest = fabs(weights[i]);
    return largest;
}

/* How much an n-gram tells labels apart; 0 when all its weights are small. */
static void score_ngrams(struct work *w, const double *weights, size_t features)
{
    size_t labels = w->set->label_count;
    const double least = w->params->min_weight * train_largest(weights, features * labels);
    for (size_t n = 0; n < w->set->ngrams->count; n++) {
        w->scores[n] = 0;
        if (w->columns[n] == 0)
            continue;
        const double *row = weights + (w->columns[n] - 1) * labels;
        double mean = 0, squares = 0;
        if (train_largest(row, labels) < least)
            continue;
        for (size_t k = 0; k < labels; k++)
            mean += row[k] / (double)labels;
        for (size_t k = 0; k < labels; k++)
            squares += (row[k] - mean) * (row[k] - mean);
        w->scores[n] = sqrt(squares * w->documents[n]);
    }
}

static int descending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left > right ? -1 : left < right;
}

/* The score that the max-th best n-gram has. */
static int least_score(const struct work *w, size_t max, double *least)
{
    size_t count = w->set->ngrams->count;
    double *sorted = mem_alloc((count + 1) * sizeof *sorted);
    if (sorted == NULL)
        return -1;
    for (size_t n = 0; n < count; n++)
        sorted[n] = w->scores[n];
    qsort(sorted, count, sizeof *sorted, descending);
    *least = sorted[(max < count ? max : count) - 1];
    mem_free(sorted);
    return 0;
}

/* Columns for the n-grams to keep. The number of them, or -1 when memory is short. */
static ptrdiff_t prune(struct work *w)
{
    size_t max = w->params->max_ngrams;
    for (size_t n = 0; n < w->set->ngrams->count; n++)
        w->scores[n] = w->documents[n] >= w->params->min_documents ? 1 : 0;
    size_t features = give_columns(w, 1, w->set->ngrams->count);
    if (features == 0 || (features <= max && w->params->min_weight <= 0))
        return (ptrdiff_t)features;
    double least = 0;
    double bias[LEARNED_LABELS_MAX];
    double *weights = mem_zalloc(features * w->set->label_count, sizeof *weights);
    if (weights == NULL)
        return -1;
    int done = train_all(w, features, weights, bias);
    if (done == 0) {
        score_ngrams(w, weights, features);
        done = least_score(w, max, &least);
    }
    mem_free(weights);
    return done == 0 ? (ptrdiff_t)give_columns(w, least, max) : -1;
}

static int learn(struct work *w, struct train_model *model)
{
    if (make_work(w) != 0)
        return -1;
    count_documents(w);
    ptrdiff_t kept = prune(w);
    if (kept <= 0)
        return kept < 0 ? -1 : 0;
    size_t features = (size_t)kept;
    model->ngrams = mem_alloc(features * sizeof *model->ngrams);
    model->weights = mem_zalloc(features * w->set->label_count, sizeof *model->weights);
    if (model->ngrams == NULL || model->weights == NULL)
        return -1;
    model->count = features;
    model->label_count = w->set->label_count;
    for (size_t n = 0; n < w->set->ngrams->count; n++)
        if (w->columns[n] != 0)
            model->ngrams[w->columns[n] - 1] = (uint32_t)n;
    return train_all(w, features, model->weights, model->bias);
}

int train_model(const struct train_set *set, const struct train_params *params,
                struct train_model *model)
{
    struct work w = {.set = set, .params = params};
    int done = learn(&w, model);
    free_work(&w);
    return done;
}

void train_model_free(struct train_model *model)
{
    mem_free(model->ngrams);
    mem_free(model->weights);
    *model = (struct train_model){0};
}

size_t train_predict(const struct train_model *model, const struct ngrams *ngrams, size_t document,
                     double values[LEARNED_LABELS_MAX])
{
    double squares = 0;
    for (size_t k = 0; k < model->label_count; k++)
        values[k] = 0;
    size_t f = 0, met = 0;
    for (size_t e = ngrams->rows[document]; e < ngrams->rows[document + 1]; e++) {
        const struct ngram_entry *entry = &ngrams->entries[e];
        while (f < model->count && model->ngrams[f] < entry->ngram)
            f++;
        if (f == model->count || model->ngrams[f] != entry->ngram)
            continue;
        met++;
        squares += (double)entry->value * entry->value;
        for (size_t k = 0; k < model->label_count; k++)
            values[k] += entry->value * model->weights[f * model->label_count + k];
    }
    for (size_t k = 0; k < model->label_count; k++)
        values[k] = (squares == 0 ? 0 : values[k] / sqrt(squares)) + model->bias[k];
    return met;
}
