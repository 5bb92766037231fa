/*
 * evidence: chooses what a verdict shows for itself.
 *
 * A text can match hundreds of patterns; a verdict keeps LIMIT_EVIDENCE of them. Each group has a
 * share that the others cannot take, so an emergency always shows why it is one; what a group
 * leaves over goes to the others in their order.
 */
#ifndef JIESU_CLASSIFIERS_EVIDENCE_H
#define JIESU_CLASSIFIERS_EVIDENCE_H

#include "engine/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are shown. */
enum evidence_group {
    EVIDENCE_GROUP_WINNER,
    EVIDENCE_GROUP_LEARNED, /* n-grams that speak for the winner */
    EVIDENCE_GROUP_URGENCY,
    EVIDENCE_GROUP_KIND,
    EVIDENCE_GROUP_TAG,
    EVIDENCE_GROUP_RUNNER_UP,
    EVIDENCE_GROUPS
};

/* N-grams are small change: more of them tell a reader nothing. */
enum { EVIDENCE_LEARNED_MAX = 3 };

/* A pattern that was found: its use in the rule set (in EVIDENCE_GROUP_LEARNED its n-gram), the
 * target of that, its weight in hundredths, and the units [from, to). */
struct evidence_match {
    uint32_t use, target;
    int weight;
    uint32_t from, to;
    bool negated; /* it did not count: its weight is 0 */
};

/* The strongest of each group so far, strongest first. Zero the counts before each text. */
struct evidence_picker {
    size_t counts[EVIDENCE_GROUPS];
    uint64_t ranks[EVIDENCE_GROUPS][LIMIT_EVIDENCE]; /* of best: the higher, the stronger */
    struct evidence_match best[EVIDENCE_GROUPS][LIMIT_EVIDENCE];
};

/* Offers a match to its group: the stronger (by absolute weight), then the earlier, then the longer
 * stays. */
void evidence_offer(struct evidence_picker *picker, enum evidence_group group,
                    const struct evidence_match *match);
/* Shares LIMIT_EVIDENCE out: takes[g] of best[g] are to be shown. */
void evidence_share(const struct evidence_picker *picker, size_t takes[EVIDENCE_GROUPS]);

#endif
