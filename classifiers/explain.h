/*
 * explain: all that a classification found, for whoever wants to see more than a verdict shows.
 *
 * Asked after classify() with the same rule set and scratch, before the scratch is used again. It
 * does not change the verdict. Spans borrow as the verdict's do.
 */
#ifndef JIESU_CLASSIFIERS_EXPLAIN_H
#define JIESU_CLASSIFIERS_EXPLAIN_H

#include "classifiers/rules.h"
#include "classifiers/verdict.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A first-level category that got a score other than 0 in a part, in points. */
struct explain_score {
    struct span category;
    double score;         /* all of it: what decides */
    double hand, learned; /* its parts */
};

/* What a match did. */
enum explain_state {
    EXPLAIN_COUNTS,
    EXPLAIN_NEGATED,   /* negation words beside it set it aside */
    EXPLAIN_SET_ASIDE, /* an `unless` or an unless_condition of its rule did */
};

struct explain_match {
    enum evidence_for what;
    struct span target;  /* category path, urgency, kind or tag */
    struct span rule;    /* "file:line" of the rule; of an n-gram its file */
    struct span pattern; /* keyword, regex, name of a condition, or n-gram */
    int line, column;    /* of the pattern in that file; column 0 for an n-gram */
    double weight;       /* as written; for an n-gram its share in the winner's score */
    enum explain_state state;
    bool learned;            /* an n-gram */
    struct text_place place; /* where it stands; of a pattern the place that counts */
};

/* Calls on_score for each such category, best first. */
void explain_scores(const struct rules *rules, const struct rules_scratch *scratch,
                    void (*on_score)(void *ctx, const struct explain_score *score), void *ctx);
/* Calls on_match for each match: keywords, then regexes, then conditions, then n-grams (with their
 * share for the category `winner`, a first-level one; empty: none). */
void explain_matches(const struct rules *rules, const struct rules_scratch *scratch,
                     struct span winner,
                     void (*on_match)(void *ctx, const struct explain_match *match), void *ctx);

#endif
