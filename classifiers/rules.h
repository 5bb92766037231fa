/*
 * rules: the rule set: files in, one frozen snapshot out; and classification with it.
 *
 * A snapshot is read-only and reference-counted: whoever classifies holds a reference, so a reload
 * can swap the current one at any time. What changes during a classification lives in a scratch,
 * one per thread.
 */
#ifndef JIESU_CLASSIFIERS_RULES_H
#define JIESU_CLASSIFIERS_RULES_H

#include "classifiers/verdict.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct rules;
struct rules_scratch;

/* What speaks for a category: either can be switched off. Urgency, kinds and tags, which nothing
 * learned speaks for, are always there. */
enum {
    RULES_HAND = 1,    /* the patterns and conditions of categories/ */
    RULES_LEARNED = 2, /* the weights of learned/ */
    RULES_ALL = RULES_HAND | RULES_LEARNED
};

/* Compiles the rule set in folder dir (rules/FORMAT.md). NULL and *err, "file:line:column: what;
 * what to do", when any file is wrong: a rule set is whole or absent. */
struct rules *rules_load(const char *dir, struct err *err);
/* The same with only the parts that are named; all files are read and checked in any case. */
struct rules *rules_load_with(const char *dir, unsigned parts, struct err *err);
/* Another reference to the same snapshot. Any thread. */
struct rules *rules_ref(struct rules *rules);
/* Drops a reference, sets *rules to NULL; the last one frees. Any thread. */
void rules_unref(struct rules **rules);

/* 16 hex digits that change when any rule file changes, or the parts. */
struct span rules_id(const struct rules *rules);
struct rules_count {
    size_t categories, keywords, regexes, ngrams;
    size_t regexes_unfiltered; /* of the regexes, those without a literal that a text must hold
                                  (literals.h): they cost time on every text */
};
struct rules_count rules_count(const struct rules *rules);
/* Calls on_category for every category path, in file order; sla is the class of its orders. */
void rules_each_category(const struct rules *rules,
                         void (*on_category)(void *ctx, struct span path, struct span sla),
                         void *ctx);

/* What was counted of a rule since its snapshot was made. */
struct rules_rule {
    struct span rule; /* "file:line" */
    struct span name; /* category path, urgency, kind or tag */
    enum evidence_for what;
    uint64_t hits;        /* texts in which one of its patterns or conditions counted */
    uint64_t nanoseconds; /* of its regexes, estimated from one text in sixteen */
    size_t regexes_off; /* how many were switched off, because they took too long again and again */
};
/* Calls on_rule for each rule, in file order. Scratches hand their counts over now and then: the
 * last few texts of each may be missing. */
void rules_each_rule(const struct rules *rules,
                     void (*on_rule)(void *ctx, const struct rules_rule *rule), void *ctx);

/* A scratch serves any snapshot. NULL when memory is short. */
struct rules_scratch *rules_scratch_new(void);
void rules_scratch_free(struct rules_scratch **scratch);

/* Classifies one text (title may be empty). *verdict borrows from rules, scratch and the spans
 * until the next call with this scratch. 0, or -1 and *err (ERR_INVALID for bad UTF-8, ERR_NOMEM).
 */
int classify(const struct rules *rules, struct rules_scratch *scratch, struct span title,
             struct span text, struct verdict *verdict, struct err *err);
/* Hands over what the scratch has counted for this snapshot (rules_each_rule). */
void rules_scratch_flush(struct rules_scratch *scratch, const struct rules *rules);
/* The normalised text of the last classify with this scratch: for other matchers over the same
 * units. */
const struct text *rules_scratch_text(const struct rules_scratch *scratch);

#endif
