/*
 * condition_near: words of several lists close to each other.
 *
 * Given where the words of some lists stand, it looks for one word of each list such that, put in
 * the order in which they stand, none overlaps the next and at most `within` units are between
 * neighbours. Any order of the lists will do.
 */
#ifndef JIESU_CLASSIFIERS_CONDITION_NEAR_H
#define JIESU_CLASSIFIERS_CONDITION_NEAR_H

#include "engine/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct near_hit {
    uint32_t from, to; /* units [from, to) */
    uint32_t list;     /* from 0 */
    uint32_t chains;   /* used by condition_near */
};

/* hits are put in order; lists <= LIMIT_NEAR_LISTS. No chain goes over unit `boundary`. True, and
 * the units [*from, *to) from the first to the last word of the chain that ends first; or false. */
bool condition_near(struct near_hit *hits, size_t count, uint32_t lists, uint32_t within,
                    size_t boundary, size_t *from, size_t *to);

#endif
