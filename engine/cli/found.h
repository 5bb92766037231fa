/*
 * found: all that a classification found, beyond what its verdict shows: every match, and what every
 * category scored.
 */
#ifndef JIESU_CLI_FOUND_H
#define JIESU_CLI_FOUND_H

#include "classifiers/explain.h"
#include "classifiers/rules.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A category path that something spoke for or against, in points. */
struct found_category {
    struct span path;
    double score;         /* of it and all below it */
    double hand, learned; /* its parts; learned weights know first levels only */
};

/* Zero it before the first use; it keeps its memory from text to text. */
struct found {
    struct explain_match *matches; /* as written; learned ones for one category only */
    size_t match_count, match_capacity;
    struct found_category *categories; /* first levels best first, each followed by its paths */
    size_t category_count, category_capacity;
    bool no_memory;
};

/* Takes what the last classify with this scratch found; learned matches are those for the first level
 * of `path` (empty: none). The spans are good as long as those of the verdict. 0, or -1 and *err when
 * memory is short. */
int found_collect(struct found *found, const struct rules *rules,
                  const struct rules_scratch *scratch, struct span path, struct err *err);
void found_free(struct found *found);

#endif
