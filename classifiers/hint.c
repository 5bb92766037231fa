#include "classifiers/hint.h"

/* Units that are compared at a time; compilers make vector instructions of it. */
enum { BLOCK = 16 };

void hint_make(struct hint *hint, const struct literal_set *set)
{
    *hint = (struct hint){.lead = (uint32_t)set->lead};
    for (size_t i = 0; i < set->count; i++) {
        const uint16_t unit = set->list[i].units[0];
        size_t at = 0;
        while (at < hint->count && hint->units[at] != unit)
            at++;
        if (at == HINT_UNITS) {
            hint->count = 0;
            return;
        }
        hint->units[at] = unit;
        hint->count += at == hint->count;
    }
    for (; hint->count % HINT_STEP != 0; hint->count++)
        hint->units[hint->count] = hint->units[0];
}

static bool block_has(const struct hint *hint, const uint16_t *units)
{
    uint16_t found[BLOCK] = {0}, any = 0;
    for (size_t step = 0; step < hint->count; step += HINT_STEP) /* unrolled: no branch to guess */
#pragma GCC unroll 8
        for (size_t k = step; k < step + HINT_STEP; k++)
            for (size_t i = 0; i < BLOCK; i++)
                found[i] |= units[i] == hint->units[k] ? UINT16_MAX : 0;
    for (size_t i = 0; i < BLOCK; i++)
        any |= found[i];
    return any != 0;
}

bool hint_allows(const struct hint *hint, const uint16_t *units, size_t count, size_t first,
                 size_t last)
{
    if (hint->count == 0 || count < BLOCK)
        return true;
    size_t end = hint->lead == 0 || last + hint->lead > count ? count : last + hint->lead;
    if (end > first + HINT_REACH)
        return true;
    for (size_t at = first; at < end; at += BLOCK) /* the last block may begin before `first` */
        if (block_has(hint, units + (at + BLOCK <= count ? at : count - BLOCK)))
            return true;
    return false;
}
