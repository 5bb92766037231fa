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
 * either, $ and \z its end, and look-behind sees no further. `.` is any
 * character, line ends too; spaces and decoration between Chinese characters are gone (text.h).
 *
 * Work is bounded: a search takes LIMIT_REGEX_SEARCH_US at the most, all searches in one text
 * together LIMIT_REGEX_TEXT_US; how, says regex_search.c.
 */
#ifndef JIESU_CLASSIFIERS_REGEX_H
#define JIESU_CLASSIFIERS_REGEX_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex;         /* frozen: any thread may read it */
struct regex_scratch; /* what changes during a match: one per thread; serves any regex */

/* Compiles a UTF-8 pattern. NULL and *err: ERR_SYNTAX with what is wrong and at which character of
 * the pattern (from 1), ERR_LIMIT over LIMIT_REGEX_PATTERN_UNITS, ERR_NOMEM. */
struct regex *regex_compile(struct span pattern, struct err *err);
void regex_free(struct regex **regex);
/* True when a match may depend on units behind it. When it does not, units behind the place where
 * the longest match ends can be left out of a search. */
bool regex_looks_ahead(const struct regex *regex);

/* NULL and *err when memory is short. */
struct regex_scratch *regex_scratch_new(struct err *err);
void regex_scratch_free(struct regex_scratch **scratch);

/* Clocks in nanoseconds: a steady one, and the processor time of this thread. */
struct regex_clock {
    uint64_t (*steady)(void *ctx);
    uint64_t (*own)(void *ctx);
    void *ctx;
};
/* Other clocks than the machine's: for tests. */
void regex_scratch_set_clock(struct regex_scratch *scratch, const struct regex_clock *clock);
/* A new text begins: the searches until the next call share its time. Without this call each search
 * has only its own limit. */
void regex_scratch_begin(struct regex_scratch *scratch);

enum { REGEX_NO_MATCH = 0, REGEX_MATCH = 1, REGEX_LIMITED = -1, REGEX_SKIPPED = -2 };
/* Searches units[start, count), start <= count and at the beginning of a code point; look-behind
 * may see earlier units. The units are valid UTF-16 (text.h makes no other), with at most one
 * TEXT_BOUNDARY. REGEX_MATCH and [*from, *to), never empty; REGEX_NO_MATCH; REGEX_LIMITED when the
 * search was stopped because it was too much work (counted in METRIC_REGEX_LIMITED); REGEX_SKIPPED
 * when the text's time was over (counted in METRIC_REGEX_SKIPPED). */
int regex_search(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                 size_t count, size_t start, size_t *from, size_t *to);

/* The same in units that hold no boundary, for a match that begins at one of units [first, last],
 * first < count and the beginning of a code point. */
int regex_search_from(const struct regex *regex, struct regex_scratch *scratch,
                      const uint16_t *units, size_t count, size_t first, size_t last, size_t *from,
                      size_t *to);

#endif
