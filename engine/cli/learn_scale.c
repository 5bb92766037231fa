#include "engine/cli/learn_scale.h"
#include "classifiers/rules.h"
#include "engine/base/mem.h"

#include <string.h>

/* The points that are tried. Each is about a quarter more than the one before. */
static const double points_tried[] = {6, 7.5, 9, 12, 15, 19, 24, 30, 36, 45, 56, 70};
enum { TRIES = sizeof points_tried / sizeof points_tried[0] };

/* A first-level category with its hand-written score. */
struct hand {
    char *name; /* owned */
    double score;
};

struct document {
    struct hand hands[1 + LIMIT_SECONDARY]; /* best first */
    size_t count;
};

struct learn_scale {
    struct rules *rules;
    struct rules_scratch *scratch;
    struct document *documents;
    size_t count, capacity;
};

/* Right answers of one setting, by label. */
struct tally {
    size_t rows, right;
    size_t support[LEARNED_LABELS_MAX], predicted[LEARNED_LABELS_MAX], hits[LEARNED_LABELS_MAX];
};

struct learn_scale *learn_scale_load(const char *dir, struct err *err)
{
    struct learn_scale *scale = mem_zalloc(1, sizeof *scale);
    if (scale == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    scale->rules = rules_load_with(dir, RULES_HAND, err);
    if (scale->rules != NULL && (scale->scratch = rules_scratch_new()) == NULL)
        err_set(err, ERR_NOMEM, "out of memory");
    if (scale->scratch == NULL)
        learn_scale_free(&scale);
    return scale;
}

void learn_scale_free(struct learn_scale **scale)
{
    struct learn_scale *s = *scale;
    *scale = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        for (size_t h = 0; h < s->documents[i].count; h++)
            mem_free(s->documents[i].hands[h].name);
    mem_free(s->documents);
    rules_scratch_free(&s->scratch);
    if (s->rules != NULL)
        rules_unref(&s->rules);
    mem_free(s);
}

struct span learn_scale_rules(const struct learn_scale *scale)
{
    return rules_id(scale->rules);
}

static int add_hand(struct document *document, const struct verdict_category *category)
{
    struct span path = category->path;
    struct span name = span_cut(&path, '/');
    char *copy = mem_strndup(name.ptr, name.len);
    if (copy == NULL)
        return -1;
    document->hands[document->count++] = (struct hand){copy, category->score};
    return 0;
}

int learn_scale_add(struct learn_scale *scale, struct span title, struct span text, struct err *err)
{
    struct verdict verdict;
    struct document *documents =
        mem_grow(scale->documents, &scale->capacity, scale->count, 1024, sizeof *documents);
    if (documents == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    scale->documents = documents;
    if (classify(scale->rules, scale->scratch, title, text, &verdict, err) != 0)
        return -1;
    struct document *document = &scale->documents[scale->count++];
    *document = (struct document){.count = 0};
    int done = verdict.category.path.len == 0 ? 0 : add_hand(document, &verdict.category);
    for (size_t i = 0; i < verdict.secondary_count && done == 0; i++)
        done = add_hand(document, &verdict.secondary[i]);
    return done == 0 ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* What the learned values alone are worth: learned_scores, in points. */
static void score_values(const struct learner_view *view, size_t labels,
                         const struct learner_scale *scale, double scores[LEARNED_LABELS_MAX])
{
    double best = view->values[0];
    for (size_t k = 1; k < labels; k++)
        best = view->values[k] > best ? view->values[k] : best;
    double part = (double)view->ngrams < scale->few ? (double)view->ngrams / scale->few : 1;
    double trust = part * part;
    double lift = best > scale->floor ? scale->lift * (best - scale->floor) : 0;
    for (size_t k = 0; k < labels && view->ngrams != 0; k++)
        scores[k] = trust * (scale->points * (view->values[k] - best) + lift);
}

static size_t find_label(const struct learner *learner, const char *name)
{
    size_t k = 0;
    while (k < learner_label_count(learner) && !span_eq(learner_label(learner, k), span_str(name)))
        k++;
    return k;
}

/* The label that wins, or LEARNED_LABELS_MAX when it is none of the learned ones. With no scale: by
 * the hand-written rules alone. */
static size_t winner(const struct document *document, const struct learner *learner,
                     const struct learner_view *view, const struct learner_scale *scale)
{
    double scores[LEARNED_LABELS_MAX] = {0}, best = 0;
    size_t labels = learner_label_count(learner), at = LEARNED_LABELS_MAX;
    if (scale != NULL)
        score_values(view, labels, scale, scores);
    for (size_t h = 0; h < document->count; h++) {
        size_t k = find_label(learner, document->hands[h].name);
        if (k < labels)
            scores[k] += document->hands[h].score;
        else if (document->hands[h].score > best)
            best = document->hands[h].score;
    }
    for (size_t k = 0; k < labels; k++)
        if (scores[k] > best) {
            best = scores[k];
            at = k;
        }
    return at;
}

static void count_row(struct tally *tally, size_t label, size_t won)
{
    tally->rows++;
    tally->support[label]++;
    if (won == LEARNED_LABELS_MAX)
        return;
    tally->predicted[won]++;
    tally->right += won == label;
    tally->hits[won] += won == label;
}

static double accuracy_of(const struct tally *tally)
{
    return tally->rows == 0 ? 0 : (double)tally->right / (double)tally->rows;
}

static double macro_f1_of(const struct tally *tally, size_t labels)
{
    double sum = 0;
    for (size_t k = 0; k < labels; k++)
        if (tally->support[k] != 0)
            sum += 2 * (double)tally->hits[k] / (double)(tally->support[k] + tally->predicted[k]);
    return sum / (double)labels;
}

static void judge(const struct learn_scale *scale, const struct learner *learner,
                  const struct learner_scale *with, struct tally *tally)
{
    *tally = (struct tally){0};
    for (size_t d = 0; d < scale->count; d++) {
        struct learner_view view = learner_view(learner, d);
        if (view.values != NULL)
            count_row(tally, view.label, winner(&scale->documents[d], learner, &view, with));
    }
}

void learn_scale_choose(const struct learn_scale *scale, const struct learner *learner,
                        const struct learner_scale *wanted, struct learn_scale_choice *choice)
{
    size_t labels = learner_label_count(learner);
    struct tally tally;
    judge(scale, learner, NULL, &tally);
    *choice = (struct learn_scale_choice){.hand_accuracy = accuracy_of(&tally),
                                          .hand_macro_f1 = macro_f1_of(&tally, labels)};
    for (size_t i = 0; i < TRIES; i++) {
        struct learner_scale with = *wanted;
        with.points = points_tried[i];
        judge(scale, learner, &with, &tally);
        double macro_f1 = macro_f1_of(&tally, labels);
        if (choice->points != 0 && macro_f1 <= choice->macro_f1)
            continue;
        choice->points = points_tried[i];
        choice->macro_f1 = macro_f1;
        choice->accuracy = accuracy_of(&tally);
    }
}
