/*
 * literals: what a text must hold for a regex to match it.
 *
 * From a folded pattern (regex_fold.h) it derives sets of literals. Every match of the pattern
 * holds at least one literal of each set, so a text that holds none of some set need not be
 * searched. The answer is never wrong, but may be nothing: for a pattern such as `\d+|.{3}`, or
 * with syntax that is not looked through (options such as (?i), conditions, \K).
 *
 * Sets that texts seldom meet are preferred, by a guess from the length and number of their words.
 * To look for some sets in every text would cost more than it saves: those that are met much more
 * often than the best one, and those with words of one unit when the best has none. They are told
 * apart: who has met the others may still look for them where a match would be.
 */
#ifndef JIESU_CLASSIFIERS_LITERALS_H
#define JIESU_CLASSIFIERS_LITERALS_H

#include "engine/base/arena.h"
#include "engine/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct literal {
    uint16_t count;
    uint16_t units[LIMIT_REGEX_LITERAL_UNITS];
};

/* Ordered by units; no literal holds another. */
struct literal_set {
    struct literal *list;
    size_t count, capacity;
    size_t lead; /* units from the beginning of a match to the end of such a literal in it, at the
                    most; 0: not known, or not bounded */
};

/* The best set first. */
struct literals {
    struct literal_set sets[LIMIT_REGEX_SETS];
    size_t count;   /* 0: nothing is known, the regex must run on every text */
    size_t others;  /* so many behind those are not worth a look at every text */
    size_t longest; /* units of the longest match; 0: not known, or not bounded */
    bool at_end;    /* a match ends where the text does */
};

/* Derives the sets of a pattern that PCRE2 has compiled with the options of regex.h; the lists are
 * in the arena, which also holds what is needed on the way (some 100 KiB for a long pattern). 0, or
 * -1 when memory is short. */
int literals_of(const uint16_t *pattern, size_t count, struct arena *arena, struct literals *out);

#endif
