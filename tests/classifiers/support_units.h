/*
 * support_units: UTF-16 for the tests of the matchers, and the keywords that a naive matcher keeps.
 */
#ifndef JIESU_TESTS_CLASSIFIERS_SUPPORT_UNITS_H
#define JIESU_TESTS_CLASSIFIERS_SUPPORT_UNITS_H

#include "classifiers/keywords.h"
#include "engine/base/limits.h"

#include <stddef.h>
#include <stdint.h>

/* Writes UTF-8 as UTF-16, without any normalisation; returns the number of units. out must be large
 * enough. */
size_t units_of(const char *utf8, uint16_t *out);
/* Writes units back as NUL-terminated UTF-8 and returns out; TEXT_BOUNDARY becomes '|'. */
const char *units_show(const uint16_t *units, size_t count, char *out);

enum { MOST_KEYWORDS = 200 };

/* Keywords as a naive matcher keeps them; the value of each is its index. */
struct naive {
    uint16_t units[MOST_KEYWORDS][LIMIT_KEYWORD_UNITS];
    size_t length[MOST_KEYWORDS];
    size_t count;
};

/* A builder that was given these keywords. */
struct keywords_builder *naive_builder(const struct naive *naive);
/* Makes the keywords a, aa, .. up to the longest, and a text of count times a, owned by the caller. */
uint16_t *naive_repeat(struct naive *naive, size_t count);
/* How often the keywords of naive_repeat stand in its text. */
size_t naive_repeat_hits(size_t count);

#endif
