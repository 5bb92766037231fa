/*
 * keywords: finds every occurrence of every keyword in one pass.
 *
 * A builder collects keywords; keywords_build freezes them into a matcher that any number of
 * threads may read. Matching is over the 16-bit units of text.h. Every occurrence is reported,
 * overlapping ones too, ordered by end and, at one end, longest first. Duplicate keywords are
 * allowed: each has its own value.
 */
#ifndef JIESU_CLASSIFIERS_KEYWORDS_H
#define JIESU_CLASSIFIERS_KEYWORDS_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct keywords_builder;
struct keywords;

/* An occurrence: units [from, to) of the scanned text, and the value given when the keyword was
 * added. */
struct keywords_hit {
    size_t from, to;
    uint32_t value;
};

/* Called for each occurrence. Non-zero stops the scan; keywords_scan then returns that value. */
typedef int keywords_on_hit(void *ctx, const struct keywords_hit *hit);

struct keywords_builder *keywords_builder_new(void);
void keywords_builder_free(struct keywords_builder **builder);
/* Adds units[0, count), 1 <= count <= LIMIT_KEYWORD_UNITS. 0, or -1 and *err (ERR_INVALID for an
 * empty or too long keyword, ERR_LIMIT over LIMIT_KEYWORDS, ERR_NOMEM). */
int keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                 uint32_t value, struct err *err);
/* Freezes what was added (nothing is allowed too). NULL and *err when memory is short. */
struct keywords *keywords_build(const struct keywords_builder *builder, struct err *err);
void keywords_free(struct keywords **keywords);
size_t keywords_count(const struct keywords *keywords);
/* Scans units[0, count). 0, or what on_hit returned to stop it. */
int keywords_scan(const struct keywords *keywords, const uint16_t *units, size_t count,
                  keywords_on_hit *on_hit, void *ctx);

#endif
