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

struct rules_builder *rules_builder_new(struct err *err);
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
    int weight;
    bool title_only; /* of keywords */
};
/* Adds a pattern to the target added last or one before it. 0, or -1 and *err (ERR_INVALID or
 * ERR_SYNTAX for an empty or unusable pattern, ERR_LIMIT, ERR_NOMEM). */
int rules_builder_keyword(struct rules_builder *builder, uint32_t target,
                          const struct rules_pattern *pattern, struct err *err);
int rules_builder_regex(struct rules_builder *builder, uint32_t target,
                        const struct rules_pattern *pattern, struct err *err);
/* Ends a rule: among the patterns added since the last end, none may stand twice. 0, or -1 with
 * *err and the place of the second one. */
int rules_builder_end_rule(struct rules_builder *builder, int *line, int *column, struct err *err);
/* Adds a regex that sets the newest target's hits aside. */
int rules_builder_unless(struct rules_builder *builder, struct span pattern, struct err *err);

/* Freezes and hands over the rule set with one reference; the builder is empty afterwards and can
 * only be freed. NULL and *err when memory is short or a limit is passed. */
struct rules *rules_builder_freeze(struct rules_builder *builder, struct err *err);
/* Frees a rule set, whole or half built. */
void rules_destroy(struct rules *rules);

#endif
