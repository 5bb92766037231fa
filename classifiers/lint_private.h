/*
 * lint_private: a rule set as its linter sees it, every word with its place; shared by the parts of
 * lint.
 */
#ifndef JIESU_CLASSIFIERS_LINT_PRIVATE_H
#define JIESU_CLASSIFIERS_LINT_PRIVATE_H

#include "classifiers/lint.h"
#include "classifiers/verdict.h"
#include "classifiers/yaml.h"
#include "engine/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINT_NONE SIZE_MAX

struct lint_place {
    const struct rules_file *file;
    int line, column;
};

struct lint_rule {
    enum evidence_for what;
    struct lint_place place;
    struct span name;  /* path from the first level on, level, kind or tag */
    struct span first; /* of a category: its first level */
    struct span sla;
    int level;       /* of an urgency rule */
    bool conditions; /* it has some, of either sign */
    bool unless;     /* it can be set aside as a whole */
    bool negatable;  /* its hits can be negated by a word nearby */
};

enum lint_where { LINT_ANYWHERE, LINT_TITLE, LINT_TEXT };

struct lint_pattern {
    struct lint_place place;
    size_t rule; /* LINT_NONE: of a condition */
    bool regex;
    bool unless; /* of the rule's `unless` */
    enum lint_where where;
    int weight; /* 1 where patterns have none */
    struct span text;
    uint16_t *units; /* a keyword, or a regex, folded */
    size_t count;
};

/* One name or word inside a condition. */
struct lint_item {
    size_t condition;
    enum lint_part { PART_ANY, PART_ALL, PART_NONE, PART_NEAR } part;
    bool names_condition;
    size_t pattern; /* of a word or a regex; LINT_NONE otherwise */
    struct span name;
};

struct lint_condition {
    struct lint_place place;
    struct span name;
    bool used;
};

/* A condition named by a rule. */
struct lint_reference {
    struct lint_place place;
    size_t rule;
    bool unless; /* in unless_conditions */
    int weight;  /* as of patterns */
    struct span name;
};

struct lint_negation {
    struct lint_place place;
    bool exception;
    uint16_t *units;
    size_t count;
};

#define LINT_LIST(type)         \
    struct {                    \
        type *list;             \
        size_t count, capacity; \
    }

struct lint {
    struct arena *arena;
    const struct rules_file *file; /* being read */
    LINT_LIST(struct lint_rule) rules;
    LINT_LIST(struct lint_pattern) patterns;
    LINT_LIST(struct lint_condition) conditions;
    LINT_LIST(struct lint_item) items;
    LINT_LIST(struct lint_reference) references;
    LINT_LIST(struct lint_negation) negations;
    LINT_LIST(struct lint_finding) findings;
    int urgency_default;
    double min_score;
    struct err *err;
};

/* Makes room for one more in a LINT_LIST of `lint`; false and lint->err when memory is short. */
#define LINT_ROOM(lint, name)                                                       \
    ((lint)->name.list = lint_grow(lint, (lint)->name.list, &(lint)->name.capacity, \
                                   (lint)->name.count, sizeof *(lint)->name.list),  \
     (lint)->name.count < (lint)->name.capacity)
/* The list, larger when it was full; as it was when memory is short. */
void *lint_grow(struct lint *lint, void *list, size_t *capacity, size_t count, size_t size);
int lint_no_memory(struct lint *lint);

/* Reads the files. */
int lint_read(struct lint *lint, const struct rules_files *files);

/* Adds a finding: fmt is what is wrong. 0, or -1 when memory is short. */
int lint_find(struct lint *lint, enum lint_code code, const struct lint_place *place,
              const char *todo, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* "categories/x.yaml:12", for a finding that points at a second place. */
struct span lint_at(struct lint *lint, const struct lint_place *place);

/* Whether units [0, count) of `whole` hold `part`. */
bool lint_holds(const uint16_t *whole, size_t whole_count, const uint16_t *part, size_t part_count);

/* The parts of the linter. Each returns 0, or -1 with lint->err filled. */
int lint_words(struct lint *lint);
int lint_urgency(struct lint *lint);
int lint_paths(struct lint *lint);
int lint_conditions(struct lint *lint);
int lint_regexes(struct lint *lint);

#endif
