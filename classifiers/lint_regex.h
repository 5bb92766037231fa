/*
 * lint_regex: what a regex may cost, and whether it can match a normalised text at all.
 *
 * Twice judged: by its shape (a repeat within a repeat that could share the same characters between
 * them, alternatives that begin alike within a repeat, several repeats of anything), and by trial:
 * texts are made from the pattern that hold all of it but its end, over and over, and it is run on
 * them under the limits of regex.h. With a clock that counts how often it is looked at
 * (regex_scratch_set_clock), the trial says the same on every machine.
 */
#ifndef JIESU_CLASSIFIERS_LINT_REGEX_H
#define JIESU_CLASSIFIERS_LINT_REGEX_H

#include "classifiers/lint_pattern.h"
#include "classifiers/regex.h"
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum regex_shape {
    SHAPE_SOUND,
    SHAPE_IDLE,  /* begins with a repeat without end that may be empty: only costs, at each place */
    SHAPE_ECHO,  /* a back-reference to a repeat without end: compared anew for each length */
    SHAPE_WIDE,  /* several repeats of anything, without end: each is tried against the others */
    SHAPE_ALIKE, /* alternatives that can match the same, within a repeat */
    SHAPE_NESTED, /* a repeat within a repeat: the same text can be shared out in many ways */
};

/* Judges a tree by its shape. -1 when memory is short. */
int regex_shape(const struct pattern_node *tree, struct arena *arena, enum regex_shape *out);

enum {
    REGEX_TRIAL_UNITS = 200, /* the longest trial text: few complaints repeat a word for longer */
    REGEX_PUMP_BYTES = 64
};
struct regex_trial {
    size_t limited_at;           /* units of the shortest text on which a limit was hit; 0: none */
    char pump[REGEX_PUMP_BYTES]; /* what that text repeats, in UTF-8, cut when long */
};

/* Runs the regex on texts made from its tree. 0, or -1 when memory
 * is short. */
int regex_trial(const struct pattern_node *tree, const struct regex *regex,
                struct regex_scratch *scratch, struct arena *arena, struct regex_trial *out);

/* Whether what the pattern can match is changed by normalisation so that no text ever holds it,
 * such as a blank between two Han characters. Judged on examples made from the tree: false unless
 * each that matches stops matching once it is normalised. */
int regex_unreachable(const struct pattern_node *tree, const struct regex *regex,
                      struct regex_scratch *scratch, struct arena *arena, bool *out);

#endif
