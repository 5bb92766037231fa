/*
 * regex: one PCRE2 pattern over 16-bit units, JIT-compiled, with bounded work.
 *
 * The one place that knows PCRE2. Patterns are given as their author wrote them: regex_compile
 * folds their literals as text.h folds texts (regex_fold.h), so `ＷＩＦＩ` and `漏氣` match, and \S
 * stays \S. There is no need for case-insensitive matching, because texts are lower case. \d, \w,
 * \s and \b know ASCII only, which is all that is left of digits, letters and spaces after
 * normalisation; Chinese is \p{Han}.
 *
 * Not allowed in a pattern, each with an error that says so: verbs such as (*ACCEPT) or (*UTF),
 * recursion and subroutine calls, call-outs, \C, and a pattern that can match the empty text, for
 * it would match every text.
 *
 * A match never holds TEXT_BOUNDARY: what stands before the boundary and what stands behind it (the
 * title, the body) are searched one after the other, as two texts. ^ and \A are the beginning of
 * either, $ and \z its end, and look-behind sees no further. Line ends have become spaces, so `.`
 * is any character.
 *
 * Match, depth and heap limits come from limits.h. The steps of LIMIT_REGEX_MATCH are shared by the
 * places of a text where a match may begin, so a search costs a few milliseconds at the worst; the
 * longer the text, the less a pattern may do at one place.
 */
#ifndef JIESU_CLASSIFIERS_REGEX_H
#define JIESU_CLASSIFIERS_REGEX_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct regex;         /* frozen: any thread may read it */
struct regex_scratch; /* what changes during a match: one per thread; serves any regex */

/* Compiles a UTF-8 pattern. NULL and *err: ERR_SYNTAX with what is wrong and at which character of
 * the pattern (from 1), ERR_LIMIT over LIMIT_REGEX_PATTERN_UNITS, ERR_NOMEM. */
struct regex *regex_compile(struct span pattern, struct err *err);
void regex_free(struct regex **regex);

/* NULL and *err when memory is short. */
struct regex_scratch *regex_scratch_new(struct err *err);
void regex_scratch_free(struct regex_scratch **scratch);

enum { REGEX_NO_MATCH = 0, REGEX_MATCH = 1, REGEX_LIMITED = -1 };
/* Searches units[start, count), start <= count and at the beginning of a code point; look-behind
 * may see earlier units. The units are valid UTF-16 (text.h makes no other), with at most one
 * TEXT_BOUNDARY. REGEX_MATCH and [*from, *to), never empty; REGEX_NO_MATCH; or REGEX_LIMITED when a
 * limit stopped it (counted in METRIC_REGEX_LIMITED). */
int regex_search(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                 size_t count, size_t start, size_t *from, size_t *to);

#endif
