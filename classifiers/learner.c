#include "classifiers/learner.h"
#include "classifiers/learner_corpus.h"
#include "classifiers/learner_ngrams.h"
#include "classifiers/learner_train.h"
#include "engine/base/mem.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_MAX = 999 }; /* of a pack's weights: learned.c */

struct learner {
    struct corpus corpus;
    struct ngrams ngrams;
    struct train_model model;
    unsigned head;
    uint32_t *labels; /* by document */
    bool *skip;
    uint32_t *folds;
    double (*values)[LEARNED_LABELS_MAX]; /* by document */
    size_t *met;                          /* by document: n-grams of the model that judged it */
};

struct learner *learner_new(void)
{
    return mem_zalloc(1, sizeof(struct learner));
}

void learner_free(struct learner **learner)
{
    struct learner *l = *learner;
    *learner = NULL;
    if (l == NULL)
        return;
    corpus_free(&l->corpus);
    ngrams_free(&l->ngrams);
    train_model_free(&l->model);
    mem_free(l->labels);
    mem_free(l->skip);
    mem_free(l->folds);
    mem_free(l->values);
    mem_free(l->met);
    mem_free(l);
}

int learner_mask(struct learner *learner, struct span word, struct err *err)
{
    return corpus_mask(&learner->corpus, word, err);
}

int learner_add_text(struct learner *learner, struct span label, struct span title,
                     struct span text, struct err *err)
{
    return corpus_add_text(&learner->corpus, label, title, text, err);
}

int learner_add_words(struct learner *learner, struct span label, struct span words,
                      struct err *err)
{
    return corpus_add_words(&learner->corpus, label, words, err);
}

/* Deals the documents of each label out to the folds in turn: a file that is ordered by label or by
 * date leaves no fold without either. False when a label has fewer documents than there are folds. */
static bool deal_folds(struct learner *l, size_t folds)
{
    size_t dealt[LEARNED_LABELS_MAX] = {0};
    for (size_t d = 0; d < l->corpus.count; d++) {
        const struct corpus_document *document = &l->corpus.documents[d];
        l->labels[d] = document->label;
        if (!document->dropped)
            l->folds[d] = (uint32_t)(dealt[document->label]++ % folds);
    }
    for (size_t k = 0; k < l->corpus.label_count; k++)
        if (dealt[k] < folds)
            return false;
    return true;
}

static struct train_set set_of(const struct learner *l)
{
    return (struct train_set){.ngrams = &l->ngrams,
                              .labels = l->labels,
                              .skip = l->skip,
                              .documents = l->corpus.count,
                              .label_count = l->corpus.label_count};
}

/* Learns without one fold and fills its values. */
static int run_fold(struct learner *l, const struct train_params *params, uint32_t fold)
{
    struct train_set set = set_of(l);
    struct train_model model = {0};
    for (size_t d = 0; d < l->corpus.count; d++)
        l->skip[d] = l->corpus.documents[d].dropped || l->folds[d] == fold;
    int done = train_model(&set, params, &model);
    for (size_t d = 0; d < l->corpus.count && done == 0; d++)
        if (!l->corpus.documents[d].dropped && l->folds[d] == fold)
            l->met[d] = train_predict(&model, &l->ngrams, d, l->values[d]);
    train_model_free(&model);
    return done;
}

static size_t best_label(const double *values, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        if (values[k] > values[best])
            best = k;
    return best;
}

/* How good the values of the folds are. */
static void judge(const struct learner *l, struct learner_result *result)
{
    size_t labels = l->corpus.label_count, right_texts = 0, right = 0;
    size_t support[LEARNED_LABELS_MAX] = {0}, predicted[LEARNED_LABELS_MAX] = {0};
    size_t hits[LEARNED_LABELS_MAX] = {0};
    for (size_t d = 0; d < l->corpus.count; d++) {
        const struct corpus_document *document = &l->corpus.documents[d];
        if (document->dropped)
            continue;
        size_t best = best_label(l->values[d], labels);
        bool hit = best == document->label;
        support[document->label]++;
        predicted[best]++;
        hits[best] += hit;
        right += hit;
        right_texts += hit && !document->words;
        result->words += document->words;
        result->texts += !document->words;
    }
    for (size_t k = 0; k < labels; k++)
        result->macro_f1 +=
            2 * (double)hits[k] / (double)(support[k] + predicted[k]) / (double)labels;
    result->accuracy = (double)right / (double)(result->texts + result->words);
    if (result->texts != 0)
        result->texts_accuracy = (double)right_texts / (double)result->texts;
}

static int prepare(struct learner *l, const struct learner_params *params,
                   struct learner_result *result, struct err *err)
{
    size_t count = l->corpus.count + 1;
    double share;
    if (l->corpus.label_count < 2)
        return err_set(err, ERR_INVALID,
                       "the documents have %zu label; two at least are needed to tell apart",
                       l->corpus.label_count);
    l->labels = mem_zalloc(count, sizeof *l->labels);
    l->skip = mem_zalloc(count, sizeof *l->skip);
    l->folds = mem_zalloc(count, sizeof *l->folds);
    l->values = mem_zalloc(count, sizeof *l->values);
    l->met = mem_zalloc(count, sizeof *l->met);
    if (l->labels == NULL || l->skip == NULL || l->folds == NULL || l->values == NULL ||
        l->met == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    result->twins = corpus_drop_twins(&l->corpus, &share);
    result->head_words = params->head * share;
    l->head = params->head;
    if (!deal_folds(l, params->folds))
        return err_set(err, ERR_INVALID,
                       "a label has fewer documents than the %zu folds of the cross-validation; "
                       "add documents, or leave the label out",
                       params->folds);
    if (ngrams_find(&l->ngrams, &l->corpus, params->min_documents, params->head,
                    result->head_words) != 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (l->ngrams.count == 0)
        return err_set(err, ERR_INVALID, "no n-gram stands in %zu documents; add documents",
                       params->min_documents);
    return 0;
}

int learner_train(struct learner *l, const struct learner_params *params,
                  struct learner_result *result, struct err *err)
{
    const struct train_params inner = {.max_ngrams = params->max_ngrams,
                                       .min_documents = params->min_documents,
                                       .min_weight = params->min_weight,
                                       .cost = params->cost,
                                       .smoothing = params->smoothing};
    *result = (struct learner_result){0};
    if (prepare(l, params, result, err) != 0)
        return -1;
    int done = 0;
    for (uint32_t fold = 0; fold < params->folds && done == 0; fold++)
        done = run_fold(l, &inner, fold);
    for (size_t d = 0; d < l->corpus.count; d++)
        l->skip[d] = l->corpus.documents[d].dropped;
    struct train_set set = set_of(l);
    if (done != 0 || train_model(&set, &inner, &l->model) != 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (l->model.count == 0)
        return err_set(err, ERR_INVALID,
                       "no n-gram is left that tells the labels apart; add documents, or ask for "
                       "less of an n-gram");
    judge(l, result);
    result->ngrams = l->model.count;
    return 0;
}

size_t learner_label_count(const struct learner *learner)
{
    return learner->corpus.label_count;
}

struct span learner_label(const struct learner *learner, size_t label)
{
    return learner->corpus.labels[label];
}

struct learner_view learner_view(const struct learner *learner, size_t document)
{
    const struct corpus_document *d = &learner->corpus.documents[document];
    return (struct learner_view){.label = d->label,
                                 .values = d->dropped ? NULL : learner->values[document],
                                 .ngrams = learner->met[document]};
}

/* --- the pack --- */

static void write_ngrams(const struct learner *l, double step, struct buf *out)
{
    size_t labels = l->corpus.label_count;
    for (size_t f = 0; f < l->model.count; f++) {
        char utf8[NGRAM_BYTES_MAX];
        buf_append(out, utf8, ngrams_utf8(l->ngrams.keys[l->model.ngrams[f]], utf8));
        for (size_t k = 0; k < labels; k++) {
            buf_char(out, '\t');
            buf_i64(out, lrint(l->model.weights[f * labels + k] / step));
        }
        buf_char(out, '\n');
    }
}

void learner_write(const struct learner *l, const struct learner_scale *scale, struct span remarks,
                   struct buf *out)
{
    size_t labels = l->corpus.label_count;
    const double largest = train_largest(l->model.weights, l->model.count * labels);
    double step = largest == 0 ? 1 : largest / WEIGHT_MAX;
    buf_str(out, "jiesu-learned\t1\n");
    buf_span(out, remarks);
    buf_str(out, "labels");
    for (size_t k = 0; k < labels; k++) {
        buf_char(out, '\t');
        buf_span(out, l->corpus.labels[k]);
    }
    buf_printf(out, "\nstep\t%.6g\nbias", step);
    for (size_t k = 0; k < labels; k++)
        buf_printf(out, "\t%.4g", l->model.bias[k]);
    buf_printf(out, "\npoints\t%g\nlift\t%g\t%g\nfew\t%g\nhead\t%u\n", scale->points, scale->lift,
               scale->floor, scale->few, l->head);
    write_ngrams(l, step, out);
}
