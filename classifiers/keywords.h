/*
 * keywords: finds every occurrence of every keyword in one pass.
 *
 * A builder collects keywords; keywords_build freezes them into a matcher that any number of
 * threads may read. Matching is over the 16-bit units of text.h. Every occurrence is reported,
 * overlapping ones too. Duplicate keywords are allowed: each has its own value.
 *
 * There are two ways out. keywords_find appends what it finds to an array and is the fast one;
 * keywords_scan calls back, in a stricter order. Both report the occurrences of one keyword in the
 * order of the text, so the first hit with a value is that keyword's first occurrence.
 */
#ifndef JIESU_CLASSIFIERS_KEYWORDS_H
#define JIESU_CLASSIFIERS_KEYWORDS_H

#include "engine/base/cpu.h"
#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct keywords_builder;
struct keywords;

struct keywords_builder *keywords_builder_new(void);
void keywords_builder_free(struct keywords_builder **builder);
/* Adds units[0, count), 1 <= count <= LIMIT_KEYWORD_UNITS. 0, or -1 and *err (ERR_INVALID for an
 * empty or too long keyword, ERR_LIMIT over LIMIT_KEYWORDS, ERR_NOMEM). */
int keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                 uint32_t value, struct err *err);
/* Freezes what was added (nothing is allowed too), for the best instructions this processor has.
 * NULL and *err when memory is short. */
struct keywords *keywords_build(const struct keywords_builder *builder, struct err *err);
/* As keywords_build, with no instructions above `most`: for tests and benchmarks. The results are
 * the same, hit for hit. */
struct keywords *keywords_build_for(const struct keywords_builder *builder, enum cpu_level most,
                                    struct err *err);
void keywords_free(struct keywords **keywords);
size_t keywords_count(const struct keywords *keywords);
/* The instructions it was built for. */
enum cpu_level keywords_level(const struct keywords *keywords);

/* A text to be searched has fewer units. */
enum { KEYWORDS_TEXT_UNITS = 1 << 26 };

/* An occurrence: units [from, from + length) of the text, and the value given when the keyword was
 * added. Eight bytes, because a text has hundreds of them. */
struct keywords_found {
    uint32_t from : 26;
    uint32_t length : 6;
    uint32_t value;
};

/* A growing array of them, owned by the caller and reused from text to text. Zero it before the
 * first use; set count to 0 to empty it. */
struct keywords_hits {
    struct keywords_found *items;
    size_t count, capacity;
};

/* Appends every occurrence in units[0, count), count < KEYWORDS_TEXT_UNITS. The hits of one keyword
 * come in the order of the text; between keywords the order is that of the search (blocks of the
 * text, and in a block shorter keywords tend to come first), the same on every machine, but nothing
 * to build on. 0, or -1 when memory is short: then some may be missing. */
int keywords_find(const struct keywords *keywords, const uint16_t *units, size_t count,
                  struct keywords_hits *hits);
/* Frees the array and zeroes *hits. */
void keywords_hits_free(struct keywords_hits *hits);

/* An occurrence: units [from, to) of the scanned text, and the value given when the keyword was
 * added. */
struct keywords_hit {
    size_t from, to;
    uint32_t value;
};

/* Called for each occurrence. Non-zero stops the scan; keywords_scan then returns that value. */
typedef int keywords_on_hit(void *ctx, const struct keywords_hit *hit);

/* Scans units[0, count), count < KEYWORDS_TEXT_UNITS. Hits are ordered by end and, at one end,
 * longest first; duplicates as they were added. 0, or what on_hit returned to stop it. */
int keywords_scan(const struct keywords *keywords, const uint16_t *units, size_t count,
                  keywords_on_hit *on_hit, void *ctx);

#endif
