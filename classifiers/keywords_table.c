/* Cuckoo hashing (Pagh and Rodler, 2004): two slots for each key; a key that finds both taken
 * pushes one out, which goes to its other slot. Below half full this ends soon, or the keys'
 * hashes are unlucky together and others are tried. */
#include "classifiers/keywords_private.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

enum { MIN_LOG2 = 4, MAX_LOG2 = 30, TRIES_PER_SIZE = 4, MOST_KICKS = 500 };

static bool insert(struct keywords_table *table, uint64_t entry)
{
    uint32_t slot = keywords_slot(table, 0, entry >> KEYWORDS_NODE_BITS);
    for (int kicks = 0; kicks < MOST_KICKS; kicks++) {
        uint64_t other = table->entries[slot];
        table->entries[slot] = entry;
        if (other == KEYWORDS_NO_ENTRY)
            return true;
        entry = other;
        uint32_t first = keywords_slot(table, 0, entry >> KEYWORDS_NODE_BITS);
        slot = slot == first ? keywords_slot(table, 1, entry >> KEYWORDS_NODE_BITS) : first;
    }
    return false;
}

static bool insert_all(struct keywords_table *table, const uint64_t *entries, size_t count)
{
    memset(table->entries, 0xFF, ((size_t)1 << (32 - table->shift)) * sizeof *table->entries);
    for (size_t i = 0; i < count; i++)
        if (!insert(table, entries[i]))
            return false;
    return true;
}

static void choose_hash(struct keywords_table *table, struct random *random, bool pairs)
{
    for (int i = 0; i < 2; i++) {
        table->lo[i] = (uint32_t)random_next(random) | 1;
        table->hi[i] = pairs ? table->lo[i] << 16 : (uint32_t)random_next(random) | 1;
    }
}

int keywords_table_fill(struct keywords_table *table, const uint64_t *entries, size_t count,
                        bool pairs)
{
    uint32_t log2 = MIN_LOG2;
    while (((size_t)1 << log2) * 5 < count * 11)
        log2++;
    struct random random = {2004};
    for (; log2 <= MAX_LOG2; log2++) {
        mem_free(table->entries);
        table->entries = mem_alloc(sizeof *table->entries << log2);
        if (table->entries == NULL)
            return -1;
        table->shift = 32 - log2;
        for (int i = 0; i < TRIES_PER_SIZE; i++) {
            choose_hash(table, &random, pairs);
            if (insert_all(table, entries, count))
                return 0;
        }
    }
    return -1;
}
