#include "classifiers/evidence.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const size_t shares[EVIDENCE_GROUPS] = {
    [EVIDENCE_GROUP_WINNER] = 4, [EVIDENCE_GROUP_LEARNED] = 2, [EVIDENCE_GROUP_URGENCY] = 4,
    [EVIDENCE_GROUP_KIND] = 2,   [EVIDENCE_GROUP_TAG] = 2,     [EVIDENCE_GROUP_RUNNER_UP] = 2,
};
_Static_assert(4 + 2 + 4 + 2 + 2 + 2 <= LIMIT_EVIDENCE, "the shares fit");

static bool beats(const struct evidence_match *a, const struct evidence_match *b)
{
    if (abs(a->weight) != abs(b->weight))
        return abs(a->weight) > abs(b->weight);
    if (a->from != b->from)
        return a->from < b->from;
    if (a->to != b->to)
        return a->to > b->to;
    return a->use < b->use;
}

void evidence_offer(struct evidence_picker *picker, enum evidence_group group,
                    const struct evidence_match *match)
{
    struct evidence_match *best = picker->best[group];
    size_t count = picker->counts[group];
    size_t most = group == EVIDENCE_GROUP_LEARNED ? EVIDENCE_LEARNED_MAX : LIMIT_EVIDENCE;
    if (count == most && !beats(match, &best[count - 1]))
        return;
    size_t at = count == most ? count - 1 : count;
    for (; at > 0 && beats(match, &best[at - 1]); at--)
        best[at] = best[at - 1];
    best[at] = *match;
    if (count < most)
        picker->counts[group]++;
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
