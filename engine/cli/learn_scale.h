/*
 * learn_scale: how many points the learned weights may speak with, beside hand-written rules.
 *
 * The rules classify the training documents; the learned values come from cross-validation, so
 * neither saw the labels it is judged by. Then the best of a list of scales is chosen.
 */
#ifndef JIESU_CLI_LEARN_SCALE_H
#define JIESU_CLI_LEARN_SCALE_H

#include "classifiers/learner.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

struct learn_scale;

/* Loads the hand-written rules of a folder. NULL and *err. */
struct learn_scale *learn_scale_load(const char *dir, struct err *err);
void learn_scale_free(struct learn_scale **scale);
/* The next document, in the learner's order. 0, or -1 and *err. */
int learn_scale_add(struct learn_scale *scale, struct span title, struct span text,
                    struct err *err);
/* The id of the rule set. */
struct span learn_scale_rules(const struct learn_scale *scale);

struct learn_scale_choice {
    double points;
    double accuracy, macro_f1;           /* of both together */
    double hand_accuracy, hand_macro_f1; /* of the rules alone */
};

/* Chooses the points; the rest of the scale stays. The learner has been trained on the same documents. */
void learn_scale_choose(const struct learn_scale *scale, const struct learner *learner,
                        const struct learner_scale *wanted, struct learn_scale_choice *choice);

#endif
