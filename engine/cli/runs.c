#include "engine/cli/runs.h"

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/cli/suggest.h"

#include <stdlib.h>

enum { COUNTS_MAX = 1 << 22 }; /* runs counted; those that do not fit are left out */

/* Characters that words neither begin nor end with. */
static const uint16_t particles[] =
    u"的了着过是在和与及就都也而把被给对很我你您他她它这那们个之其将又还等并";

static bool is_han(uint16_t unit)
{
    return unit >= 0x4E00 && unit <= 0x9FFF;
}

static bool is_particle(uint16_t unit)
{
    for (size_t i = 0; particles[i] != 0; i++)
        if (particles[i] == unit)
            return true;
    return false;
}

/* Doubles the table. False when memory is short. */
static bool grow(struct runs *runs)
{
    size_t room = runs->room == 0 ? 1 << 16 : runs->room * 2;
    struct run *table = mem_zalloc(room, sizeof *table);
    if (table == NULL)
        return false;
    for (size_t i = 0; i < runs->room; i++) {
        if (runs->table[i].key == 0)
            continue;
        size_t at = runs->table[i].key & (room - 1);
        while (table[at].key != 0)
            at = (at + 1) & (room - 1);
        table[at] = runs->table[i];
    }
    mem_free(runs->table);
    runs->table = table;
    runs->room = room;
    return true;
}

static void count_run(struct runs *runs, const uint16_t *units, size_t at, size_t count,
                      uint16_t label)
{
    uint64_t key = hash64(span_of((const char *)(units + at), count * sizeof *units), label);
    key += key == 0;
    size_t slot = key & (runs->room - 1);
    while (runs->table[slot].key != 0 && runs->table[slot].key != key)
        slot = (slot + 1) & (runs->room - 1);
    struct run *run = &runs->table[slot];
    if (run->key == 0) {
        *run = (struct run){.key = key, .at = at, .label = label, .count = (uint16_t)count};
        runs->count++;
    }
    run->texts += run->last != runs->text;
    run->last = runs->text;
}

bool runs_add_text(struct runs *runs, const uint16_t *units, size_t from, size_t to, uint16_t label)
{
    runs->text++;
    for (size_t at = from; at < to; at++) {
        if (is_particle(units[at]))
            continue;
        for (size_t n = 0; n < SUGGEST_UNITS_MAX && at + n < to && is_han(units[at + n]); n++) {
            if (runs->count * 2 >= runs->room && runs->room < COUNTS_MAX && !grow(runs))
                return false;
            if (n + 1 >= SUGGEST_UNITS_MIN && !is_particle(units[at + n]) &&
                runs->count * 4 < runs->room * 3)
                count_run(runs, units, at, n + 1, label);
        }
    }
    return true;
}

/* By label; within it the most frequent first, then the longer: it says more. */
static int by_label_and_texts(const void *a, const void *b)
{
    const struct run *left = a, *right = b;
    if (left->label != right->label)
        return left->label < right->label ? -1 : 1;
    if (left->texts != right->texts)
        return left->texts > right->texts ? -1 : 1;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

size_t runs_sort(struct runs *runs, uint32_t least)
{
    size_t kept = 0;
    for (size_t i = 0; i < runs->room; i++)
        if (runs->table[i].texts >= least)
            runs->table[kept++] = runs->table[i];
    if (kept > 1)
        qsort(runs->table, kept, sizeof *runs->table, by_label_and_texts);
    return kept;
}

void runs_free(struct runs *runs)
{
    mem_free(runs->table);
    *runs = (struct runs){.table = NULL};
}
