/*
 * lint_pattern: the shape of a regex, for the linter.
 *
 * A tree that says which units each part may match, how often, and in which order. It is a sketch
 * for judging cost, not a matcher: assertions are nothing, a back-reference or a property that is
 * not known is anything, options such as (?i) are not followed.
 */
#ifndef JIESU_CLASSIFIERS_LINT_PATTERN_H
#define JIESU_CLASSIFIERS_LINT_PATTERN_H

#include "engine/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_UNLIMITED UINT32_MAX

enum pattern_kind {
    PATTERN_NOTHING, /* the empty text: assertions too */
    PATTERN_SET,     /* one unit of a set */
    PATTERN_ROW,     /* its parts, one after the other */
    PATTERN_CHOICE,  /* one of its parts */
    PATTERN_REPEAT,  /* its one part, min to max times */
    PATTERN_LOOK     /* an assertion with its one part: matches nothing, but costs */
};

struct pattern_range {
    uint16_t from, to;
};

struct pattern_node {
    enum pattern_kind kind;
    struct pattern_range *ranges; /* of a set: count of them, ordered, apart from each other */
    struct pattern_node **parts;  /* of the others: count of them */
    size_t count;
    uint32_t min, max; /* of a repeat; PATTERN_UNLIMITED: without end */
    bool atomic;       /* what it matched once is never tried another way */
    bool echo;         /* of a set: it stands for a back-reference to a repeat without an end */
};

/* The tree of a pattern that was folded (regex_fold.h) and compiled. NULL when memory is short;
 * what is not understood becomes "any unit". Everything lives in the arena. */
struct pattern_node *pattern_parse(const uint16_t *units, size_t count, struct arena *arena);

/* A node with room for so many parts or, of a set, ranges; NULL when memory is short. */
struct pattern_node *pattern_node_new(struct arena *arena, enum pattern_kind kind, size_t parts);
/* The set of count ranges, in any order; NULL when memory is short. */
struct pattern_node *pattern_set_of(struct arena *arena, const struct pattern_range *ranges,
                                    size_t count);
/* Everything that a set does not hold; NULL when memory is short. */
struct pattern_node *pattern_set_other(struct arena *arena, const struct pattern_node *set);
/* Whether two sets have a unit in common. */
bool pattern_sets_meet(const struct pattern_node *a, const struct pattern_node *b);
/* Whether the set holds the unit. */
bool pattern_set_has(const struct pattern_node *set, uint16_t unit);
/* How many units a set holds. */
size_t pattern_set_size(const struct pattern_node *set);
/* The set of both; NULL when memory is short. */
struct pattern_node *pattern_set_unite(const struct pattern_node *a, const struct pattern_node *b,
                                       struct arena *arena);
/* A set without a unit; NULL when memory is short. */
struct pattern_node *pattern_set_empty(struct arena *arena);

#endif
