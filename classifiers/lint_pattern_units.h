/*
 * lint_pattern_units: which units a character, an escape or a class of a pattern stands for, as they
 * are read (lint_pattern.h).
 */
#ifndef JIESU_CLASSIFIERS_LINT_PATTERN_UNITS_H
#define JIESU_CLASSIFIERS_LINT_PATTERN_UNITS_H

#include "classifiers/lint_pattern.h"
#include "engine/base/limits.h"

/* Those that a back-reference of one digit can name. */
enum { PATTERN_GROUPS_MAX = 9 };

/* A pattern being read. */
struct pattern_parser {
    const uint16_t *units;
    size_t count, at;
    struct arena *arena;
    int depth;
    bool no_memory;
    size_t group_count;                                    /* groups that capture, opened so far */
    const struct pattern_node *groups[PATTERN_GROUPS_MAX]; /* those that are closed */
};

/* Of one class: an escape may be several. */
enum { PATTERN_RANGES_MAX = LIMIT_REGEX_PATTERN_UNITS * 4 };

/* Ranges being collected for one class or one escape. */
struct pattern_ranges {
    struct pattern_range list[PATTERN_RANGES_MAX];
    size_t count;
};

/* The unit so far ahead of the reading place, or -1 behind the end. */
int pattern_peek(const struct pattern_parser *p, size_t ahead);
/* Whether this ASCII text stands at the reading place. */
bool pattern_ahead_is(const struct pattern_parser *p, const char *text);
/* Goes behind the next such unit, or to the end. */
void pattern_skip_through(struct pattern_parser *p, int last);
/* Reads a number of this base, of at most so many digits; 0 when there is none. */
uint32_t pattern_number(struct pattern_parser *p, unsigned base, size_t digits);
/* Adds the units from..to; a character of two units is any surrogate. */
void pattern_ranges_add(struct pattern_ranges *ranges, uint32_t from, uint32_t to);
/* Behind a backslash: adds what it stands for. False for what matches nothing, such as \b. */
bool pattern_escape(struct pattern_parser *p, struct pattern_ranges *ranges, bool in_class);
/* At a "[": the set of the class. NULL when memory is short. */
struct pattern_node *pattern_class(struct pattern_parser *p);

#endif
