/*
 * regex_fold: a pattern as its author wrote it becomes UTF-16 whose literals are folded as text.h
 * folds texts.
 *
 * Syntax is left alone: escapes, group openings and names, properties, code point numbers, POSIX
 * classes, comments. A character outside ASCII never becomes syntax: a full-width bracket is a
 * literal. A character that becomes several (㎡) is a group of them; in [...], where that cannot be
 * said, it is an error. The ends of a range in [...] are folded when that keeps the range what it
 * is ([Ａ-Ｚ]); [一-龥] stays as written.
 *
 * What no rule may use is refused here, with its place: verbs, recursion, call-outs, \C.
 */
#ifndef JIESU_CLASSIFIERS_REGEX_FOLD_H
#define JIESU_CLASSIFIERS_REGEX_FOLD_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct regex_folded {
    uint16_t *units;  /* count units */
    uint16_t *origin; /* for unit i, and for i == count: the character of the pattern it came from,
                         from 0 */
    size_t count;
};

/* Folds pattern into *folded, which the caller has zeroed and frees, also after a failure. 0, or -1
 * and *err: ERR_SYNTAX with the character (from 1), ERR_LIMIT over LIMIT_REGEX_PATTERN_UNITS,
 * ERR_NOMEM. */
int regex_fold(struct span pattern, struct regex_folded *folded, struct err *err);
void regex_folded_free(struct regex_folded *folded);

#endif
