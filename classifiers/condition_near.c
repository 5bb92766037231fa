/*
 * A chain is a row of words, each of another list, with neighbours near enough. For each hit, a set
 * of bits says which sets of lists a chain that ends there may hold: bit s stands for the set whose
 * members are the bits of s. A hit of list i that follows one with bit s, i not in s, has bit
 * s | 1 << i. So a hit asks only those in its reach in front of it, and the work is hits times hits
 * in reach, whatever the number of chains.
 */
#include "classifiers/condition_near.h"

_Static_assert(1 << LIMIT_NEAR_LISTS <= 32, "a set of sets of lists is 32 bits");

/* Shell's sort with Ciura's gaps: in place, and the hits come nearly in order. */
static void sort(struct near_hit *hits, size_t count)
{
    static const size_t gaps[] = {132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t i = gaps[g]; i < count; i++) {
            struct near_hit hit = hits[i];
            size_t at = i;
            for (; at >= gaps[g] && hits[at - gaps[g]].from > hit.from; at -= gaps[g])
                hits[at] = hits[at - gaps[g]];
            hits[at] = hit;
        }
}

static bool follows(const struct near_hit *hit, const struct near_hit *before, uint32_t within,
                    size_t boundary)
{
    return before->to <= hit->from && hit->from - before->to <= within &&
           (before->from < boundary) == (hit->from < boundary);
}

/* The sets of chains that end in a hit of this list, from those that end in front of it. */
static uint32_t extend(uint32_t chains, uint32_t list, uint32_t lists)
{
    uint32_t member = UINT32_C(1) << list;
    uint32_t longer = UINT32_C(1) << member; /* the hit alone */
    for (uint32_t set = 1; set < UINT32_C(1) << lists; set++)
        if ((chains >> set & 1) != 0 && (set & member) == 0)
            longer |= UINT32_C(1) << (set | member);
    return longer;
}

/* Where a chain with these lists that ends in hits[at] begins: back from hit to hit. */
static uint32_t begin_of(const struct near_hit *hits, size_t at, uint32_t set, uint32_t within,
                         size_t boundary)
{
    uint32_t rest = set & ~(UINT32_C(1) << hits[at].list);
    for (size_t i = at; rest != 0 && i-- > 0;) {
        if ((hits[i].chains >> rest & 1) == 0 || !follows(&hits[at], &hits[i], within, boundary))
            continue;
        at = i;
        rest &= ~(UINT32_C(1) << hits[i].list);
    }
    return hits[at].from;
}

bool condition_near(struct near_hit *hits, size_t count, uint32_t lists, uint32_t within,
                    size_t boundary, size_t *from, size_t *to)
{
    uint32_t all = (UINT32_C(1) << lists) - 1;
    size_t best = count;
    sort(hits, count);
    for (size_t i = 0; i < count; i++) {
        struct near_hit *hit = &hits[i];
        uint32_t before = 0;
        for (size_t k = i; k-- > 0 && hits[k].from + LIMIT_KEYWORD_UNITS + within >= hit->from;)
            if (follows(hit, &hits[k], within, boundary))
                before |= hits[k].chains;
        hit->chains = extend(before, hit->list, lists);
        if ((hit->chains >> all & 1) != 0 && (best == count || hit->to < hits[best].to))
            best = i;
    }
    if (best == count)
        return false;
    *from = begin_of(hits, best, all, within, boundary);
    *to = hits[best].to;
    return true;
}
