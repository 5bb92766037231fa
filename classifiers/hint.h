/*
 * hint: a quick look whether a regex can match at a place.
 *
 * Every match of a regex holds a literal of each of its sets (literals.h), not far behind its
 * beginning. So where a match may begin, some units must stand: those that a literal of the set
 * begins with. To look for these few takes some nanoseconds; a search that finds nothing takes
 * hundreds.
 */
#ifndef JIESU_CLASSIFIERS_HINT_H
#define JIESU_CLASSIFIERS_HINT_H

#include "classifiers/literals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where there are more units to look for, or more to look through, the look would cost too much: a
 * search has its budget, a look has none. */
enum { HINT_UNITS = 16, HINT_STEP = 8, HINT_REACH = 1024 };

struct hint {
    uint32_t lead;              /* of the set */
    uint32_t count;             /* a multiple of HINT_STEP; 0: the hint says nothing */
    uint16_t units[HINT_UNITS]; /* some may stand there twice */
};

void hint_make(struct hint *hint, const struct literal_set *set);
/* False when no match can begin at one of units [first, last]; true when one may. */
bool hint_allows(const struct hint *hint, const uint16_t *units, size_t count, size_t first,
                 size_t last);

#endif
