/*
 * rules_build: puts a rule set together, target by target, and freezes it.
 *
 * The builder knows nothing of YAML: whoever reads the files gives it targets and patterns and
 * turns its errors into places. Errors are texts without a place, "what; what to do".
 */
#ifndef JIESU_CLASSIFIERS_RULES_BUILD_H
#define JIESU_CLASSIFIERS_RULES_BUILD_H

#include "classifiers/rules_private.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct rules_builder;

/* parts: RULES_HAND, RULES_LEARNED; what belongs to a part that is not named is checked and then
 * left out. */
struct rules_builder *rules_builder_new(unsigned parts, struct err *err);
void rules_builder_free(struct rules_builder **builder);
/* The rule set being built: its targets and settings may be read and changed until it is frozen. */
struct rules *rules_builder_rules(struct rules_builder *builder);
/* A copy of the string that lives as long as the rule set; .ptr is NULL and *err set when memory is
 * short. */
struct span rules_builder_string(struct rules_builder *builder, struct span s, struct err *err);

/* Adds a target (its spans must come from rules_builder_string) and returns its index; RULES_NONE
 * and *err (ERR_LIMIT, ERR_NOMEM). Patterns belong to the target added last or one before it. */
uint32_t rules_builder_target(struct rules_builder *builder, const struct rules_target *target,
                              struct err *err);
/* A pattern and where its author wrote it. */
struct rules_pattern {
    struct span text;
    int line, column;
    int weight;             /* in hundredths */
    enum rules_scope scope; /* of keywords and regexes */
    bool negatable;
    struct span place; /* "file:line", of regexes; from rules_builder_string */
};
/* Adds a pattern to the target added last or one before it. 0, or -1 and *err (ERR_INVALID or
 * ERR_SYNTAX for an empty or unusable pattern, ERR_LIMIT, ERR_NOMEM). */
int rules_builder_keyword(struct rules_builder *builder, uint32_t target,
                          const struct rules_pattern *pattern, struct err *err);
int rules_builder_regex(struct rules_builder *builder, uint32_t target,
                        const struct rules_pattern *pattern, struct err *err);
/* A condition speaks for a target; pattern->text is its name. 0, or -1 and *err (ERR_INVALID when it
 * holds for texts with none of its words, ERR_NOMEM). */
int rules_builder_use_condition(struct rules_builder *builder, uint32_t target, uint32_t condition,
                                const struct rules_pattern *pattern, struct err *err);
/* Ends a rule: among the patterns added since the last end, none may stand twice. 0, or -1 with
 * *err and the place of the second one. */
int rules_builder_end_rule(struct rules_builder *builder, int *line, int *column, struct err *err);
/* Adds a regex that sets the newest target's hits aside. */
int rules_builder_unless(struct rules_builder *builder, struct span pattern, struct span place,
                         struct err *err);

/* Adds a condition that sets the newest target's hits aside. */
int rules_builder_unless_condition(struct rules_builder *builder, uint32_t condition,
                                   struct err *err);

/* Conditions. First all are named: the index, or RULES_NONE and *err. Both spans come from
 * rules_builder_string. */
uint32_t rules_builder_condition(struct rules_builder *builder, struct span name, struct span place,
                                 struct err *err);
/* The condition with that name, or RULES_NONE. */
uint32_t rules_builder_find_condition(const struct rules_builder *builder, struct span name);
/* Then each gets its parts, in the order of the conditions, and each part its items. lists and
 * within are of `near`. 0, or -1 and *err. */
int rules_builder_part(struct rules_builder *builder, uint32_t condition, enum rules_part_for what,
                       uint32_t lists, uint32_t within, struct err *err);
int rules_builder_item_word(struct rules_builder *builder, struct span text, enum rules_scope scope,
                            uint32_t list, struct err *err);
int rules_builder_item_regex(struct rules_builder *builder, struct span pattern, struct span place,
                             struct err *err);
int rules_builder_item_condition(struct rules_builder *builder, uint32_t condition,
                                 struct err *err);
/* Ends them: none may name itself, however far around. 0, or -1, *err, and in *bad the condition.
 */
int rules_builder_end_conditions(struct rules_builder *builder, uint32_t *bad, struct err *err);

/* Adds a negation word; mask is one of RULES_NEGATES_.... 0, or -1 and *err. */
int rules_builder_negation(struct rules_builder *builder, struct span text, uint32_t mask,
                           struct err *err);

/* Takes a learned pack over, in any case, and adds its n-grams; file is its name, from
 * rules_builder_string. All categories must be there already. 0, or -1 and *err (ERR_INVALID,
 * ERR_LIMIT, ERR_NOMEM) with the line it is about. */
int rules_builder_learned(struct rules_builder *builder, struct learned *learned, struct span file,
                          int *line, struct err *err);

/* Freezes and hands over the rule set with one reference; the builder is empty afterwards and can
 * only be freed. NULL and *err when memory is short or a limit is passed. */
struct rules *rules_builder_freeze(struct rules_builder *builder, struct err *err);
/* Frees a rule set, whole or half built. */
void rules_destroy(struct rules *rules);

#endif
