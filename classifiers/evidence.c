#include "classifiers/evidence.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const size_t shares[EVIDENCE_GROUPS] = {
    [EVIDENCE_GROUP_WINNER] = 2, [EVIDENCE_GROUP_LEARNED] = 1, [EVIDENCE_GROUP_URGENCY] = 2,
    [EVIDENCE_GROUP_KIND] = 1,   [EVIDENCE_GROUP_TAG] = 1,     [EVIDENCE_GROUP_RUNNER_UP] = 1,
};
_Static_assert(2 + 1 + 2 + 1 + 1 + 1 <= LIMIT_EVIDENCE, "the shares fit");

/* Weight and place in one number, so that one comparison nearly always tells. */
static uint64_t rank_of(const struct evidence_match *match)
{
    return (uint64_t)abs(match->weight) << 32 | (UINT32_MAX - match->from);
}

/* Of two with one rank. */
static bool beats(const struct evidence_match *a, const struct evidence_match *b)
{
    return a->to != b->to ? a->to > b->to : a->use < b->use;
}

void evidence_offer(struct evidence_picker *picker, enum evidence_group group,
                    const struct evidence_match *match)
{
    struct evidence_match *best = picker->best[group];
    uint64_t *ranks = picker->ranks[group];
    size_t count = picker->counts[group];
    const size_t most = group == EVIDENCE_GROUP_LEARNED ? EVIDENCE_LEARNED_MAX : LIMIT_EVIDENCE;
    const uint64_t rank = rank_of(match);
    size_t at = count;
    while (at > 0 &&
           (ranks[at - 1] < rank || (ranks[at - 1] == rank && beats(match, &best[at - 1]))))
        at--;
    if (at == most)
        return;
    if (count < most)
        picker->counts[group] = ++count;
    for (size_t i = count - 1; i > at; i--) {
        ranks[i] = ranks[i - 1];
        best[i] = best[i - 1];
    }
    ranks[at] = rank;
    best[at] = *match;
}

void evidence_share(const struct evidence_picker *picker, size_t takes[EVIDENCE_GROUPS])
{
    size_t left = LIMIT_EVIDENCE;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++) {
        takes[g] = picker->counts[g] < shares[g] ? picker->counts[g] : shares[g];
        left -= takes[g];
    }
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++) {
        size_t more = picker->counts[g] - takes[g];
        if (more > left)
            more = left;
        takes[g] += more;
        left -= more;
    }
}
