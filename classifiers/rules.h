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

struct rules;
struct rules_scratch;

/* Compiles the rule set in folder dir (rules/FORMAT.md). NULL and *err, "file:line:column: what;
 * what to do", when any file is wrong: a rule set is whole or absent. */
struct rules *rules_load(const char *dir, struct err *err);
/* Another reference to the same snapshot. Any thread. */
struct rules *rules_ref(struct rules *rules);
/* Drops a reference, sets *rules to NULL; the last one frees. Any thread. */
void rules_unref(struct rules **rules);

/* 16 hex digits that change when any rule file changes. */
struct span rules_id(const struct rules *rules);
struct rules_count {
    size_t categories, keywords, regexes;
    size_t regexes_unfiltered; /* of the regexes, those without a literal that a text must hold
                                  (literals.h): they cost time on every text */
};
struct rules_count rules_count(const struct rules *rules);
/* Calls on_category for every category path, in file order; sla is the class of its orders. */
void rules_each_category(const struct rules *rules,
                         void (*on_category)(void *ctx, struct span path, struct span sla),
                         void *ctx);

/* A scratch serves any snapshot. NULL when memory is short. */
struct rules_scratch *rules_scratch_new(void);
void rules_scratch_free(struct rules_scratch **scratch);

/* Classifies one text (title may be empty). *verdict borrows from rules, scratch and the spans
 * until the next call with this scratch. 0, or -1 and *err (ERR_INVALID for bad UTF-8, ERR_NOMEM).
 */
int classify(const struct rules *rules, struct rules_scratch *scratch, struct span title,
             struct span text, struct verdict *verdict, struct err *err);
/* The normalised text of the last classify with this scratch: for other matchers over the same
 * units. */
const struct text *rules_scratch_text(const struct rules_scratch *scratch);

#endif
