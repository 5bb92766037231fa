/*
 * keywords_private: the tables of a matcher, and one search through them. See keywords.c for how
 * they work together; only keywords*.c and their tests include this.
 */
#ifndef JIESU_CLASSIFIERS_KEYWORDS_PRIVATE_H
#define JIESU_CLASSIFIERS_KEYWORDS_PRIVATE_H

#include "classifiers/keywords.h"
#include "engine/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- building --- */

struct keywords_entry {
    uint32_t from; /* in the builder's units */
    uint32_t value;
    uint16_t count;
};

struct keywords_builder {
    struct keywords_entry *entries;
    size_t count, capacity;
    uint16_t *units;
    size_t unit_count, unit_capacity;
};

/* Makes an array of the builder's entries, sorted by their units, a prefix before what it begins,
 * equal ones as they were added. NULL when memory is short; mem_free it. */
uint32_t *keywords_sort(const struct keywords_builder *builder);

/* How many units a and b have in common at their beginning. */
static inline size_t keywords_common(const struct keywords_builder *in,
                                     const struct keywords_entry *a, const struct keywords_entry *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count;
    size_t n = 0;
    while (n < shorter && in->units[a->from + n] == in->units[b->from + n])
        n++;
    return n;
}

/* --- tables --- */

/* A cuckoo table: 40 bits of key and 24 bits of node (never 0) in 8 bytes. A key stands in one of
 * two slots, so a look-up reads both and has nothing to decide. */
enum { KEYWORDS_NODE_BITS = 24 };
#define KEYWORDS_NO_ENTRY UINT64_MAX

struct keywords_table {
    uint64_t *entries;
    uint32_t shift;        /* 32 - log2 of the slots */
    uint32_t hi[2], lo[2]; /* multipliers of bits 16.. and 0..15 of the key, per slot */
};

/* Every node has an id; id 0 is none. Nodes of at most this many ids can come from LIMIT_KEYWORDS:
 * one per keyword, and per level one for each two keywords that share a prefix. */
_Static_assert((LIMIT_KEYWORD_UNITS - 2) * (uint64_t)LIMIT_KEYWORDS / 2 + LIMIT_KEYWORDS + 1 <
                   (1 << KEYWORDS_NODE_BITS) - 1,
               "a node's id needs more bits");

/* Fills table with count entries (key << KEYWORDS_NODE_BITS | node, keys distinct). `pairs`: the
 * hash is to be one product of the whole key, which then has 32 bits. 0, or -1 when memory is
 * short. */
int keywords_table_fill(struct keywords_table *table, const uint64_t *entries, size_t count,
                        bool pairs);

static inline uint32_t keywords_slot(const struct keywords_table *table, int which, uint64_t key)
{
    return (table->hi[which] * (uint32_t)(key >> 16) +
            table->lo[which] * (uint32_t)(key & 0xFFFF)) >>
           table->shift;
}

/* The node of a key, or 0. */
static inline uint32_t keywords_look_up(const struct keywords_table *table, uint64_t key)
{
    uint64_t wanted = key << KEYWORDS_NODE_BITS;
    uint64_t first = table->entries[keywords_slot(table, 0, key)] ^ wanted;
    uint64_t second = table->entries[keywords_slot(table, 1, key)] ^ wanted;
    uint32_t is_first = -(uint32_t)(first >> KEYWORDS_NODE_BITS == 0);
    uint32_t is_second = -(uint32_t)(second >> KEYWORDS_NODE_BITS == 0);
    return ((uint32_t)first & is_first) | ((uint32_t)second & is_second);
}

/* What is left of a keyword that shares its first units with no other. */
struct keywords_tail {
    uint32_t from;   /* in tail_units */
    uint16_t count;  /* units that are left, 1.. */
    uint16_t length; /* of the whole keyword */
};

struct keywords_walk;

/* One form of the loops. Candidates are at[0, n) and node[0, n) of the walk. */
struct keywords_kernel {
    /* Appends the hits of one unit that begin in [from, to). */
    void (*singles)(struct keywords_walk *walk, uint32_t from, uint32_t to);
    /* Makes candidates (at only) of the places in [from, to) where the filters say maybe. Sets
     * KEYWORDS_TRIPLE where three units may begin a keyword. Returns their number. */
    size_t (*filter)(struct keywords_walk *walk, uint32_t from, uint32_t to);
    /* Looks up the pair at each of n candidates. Appends hits and tails; what has children stays.
     * Returns the number that stays. */
    size_t (*pairs)(struct keywords_walk *walk, size_t n);
    /* Goes from nodes of `depth` units to their children; the rest as in pairs. */
    size_t (*step)(struct keywords_walk *walk, size_t n, uint32_t depth);
    /* Compares the tails that begin `depth` units behind their places; appends hits. */
    void (*tails)(struct keywords_walk *walk, uint32_t depth);
    /* Appends the hits of the walk to an array with room for them and KEYWORDS_SLACK more. Only for
     * matchers without duplicates. */
    void (*emit)(const struct keywords_walk *walk, struct keywords_found *out);
};

extern const struct keywords_kernel keywords_portable;
/* Its parts, for kernels that better only some of them. This one appends to n candidates. */
size_t keywords_portable_filter(struct keywords_walk *walk, size_t n, uint32_t from, uint32_t to);
void keywords_portable_singles(struct keywords_walk *walk, uint32_t from, uint32_t to);
size_t keywords_portable_pairs(struct keywords_walk *walk, size_t n);
size_t keywords_portable_step(struct keywords_walk *walk, size_t n, uint32_t depth);
void keywords_portable_tails(struct keywords_walk *walk, uint32_t depth);
void keywords_portable_emit(const struct keywords_walk *walk, struct keywords_found *out);

#if defined(__x86_64__)
extern const struct keywords_kernel keywords_avx2;
extern const struct keywords_kernel keywords_avx512;
#endif

/* The filters are words of bits. The upper bits of a hash choose the word, the lowest five turn it
 * to the right; then bit 0 is asked for, and of a pair bit 16 too. */
#define KEYWORDS_HASH_PAIR UINT32_C(0x9E3779B1)
#define KEYWORDS_HASH_THIRD UINT32_C(0xEBCB0000) /* of the third unit only the lower half counts */
enum { KEYWORDS_PAIR_ENDS = 1, KEYWORDS_PAIR_GOES_ON = 1 << 16, KEYWORDS_TRIPLE_IS = 1 };

static inline uint32_t keywords_hash_pair(uint32_t first, uint32_t second)
{
    return (first | second << 16) * KEYWORDS_HASH_PAIR;
}

static inline uint32_t keywords_turn_right(uint32_t word, uint32_t hash)
{
    return word >> (hash % 32) | word << (-hash % 32);
}

struct keywords {
    const struct keywords_kernel *kernel;
    enum cpu_level level;
    size_t count;

    /* Keywords of one unit; both NULL when there is none. */
    uint32_t *single_bits; /* a bit per unit */
    uint32_t *singles;     /* by unit: the node, or 0 */

    uint32_t *pair_filter;   /* may two units be a keyword, and may they begin a longer one? */
    uint32_t pair_shift;     /* 32 - log2 of the words */
    uint32_t *triple_filter; /* may three units begin a keyword? */
    uint32_t triple_shift;

    struct keywords_table pairs; /* key: second unit << 16 | first unit */
    struct keywords_table edges; /* key: parent << 16 | unit */

    /* The kinds of nodes are ranges of ids: [1, leaf_end) end a keyword; [leaf_end, tail_end) have
     * one keyword below, whose tail is to be compared; [tail_end, both_end) end a keyword and have
     * children; those from both_end on have children only. */
    uint32_t leaf_end, tail_end, both_end;
    struct keywords_tail *tails; /* by id - leaf_end */
    uint16_t *tail_units;
    /* By id: the value of the keyword, or, when there are duplicates, where its values begin in
     * values; the next one's beginning ends them. */
    uint32_t *values;
    uint32_t *first; /* NULL without duplicates: then values is by id */
};

/* --- searching --- */

enum { KEYWORDS_BLOCK = 512, KEYWORDS_SLACK = 16 };
#define KEYWORDS_TRIPLE UINT32_C(0x80000000)

/* Places are compared as signed numbers, with a keyword's length added; and a hit has 26 bits for
 * its place, and 6 for its length. */
_Static_assert(KEYWORDS_TEXT_UNITS <= 1 << 26 && LIMIT_KEYWORD_UNITS < 1 << 6,
               "a hit needs more bits");

static inline struct keywords_found keywords_found_at(uint32_t from, uint32_t length,
                                                      uint32_t value)
{
    return (struct keywords_found){.from = from & (KEYWORDS_TEXT_UNITS - 1),
                                   .length = length & ((1 << 6) - 1),
                                   .value = value};
}

/* Takes walk->hit_count hits, all of them at once. Non-zero ends the search. */
typedef int keywords_sink(struct keywords_walk *walk, void *ctx);

struct keywords_walk {
    const struct keywords *keywords;
    const uint16_t *units;
    uint32_t count;
    uint64_t steps; /* places filtered, look-ups made, tails compared */
    keywords_sink *sink;
    void *ctx;
    size_t tail_count, hit_count;
    uint32_t at[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t node[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    /* The units at a candidate's place, for kernels that keep them: two, and the next one. */
    uint32_t pair[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t third[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t tail_at[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t tail_node[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t hit_at[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t hit_node[KEYWORDS_BLOCK + KEYWORDS_SLACK];
    uint32_t hit_length[KEYWORDS_BLOCK + KEYWORDS_SLACK];
};

/* Reports all that begins in [from, to), at most KEYWORDS_BLOCK places. 0, or what the sink
 * returned. */
int keywords_walk_block(struct keywords_walk *walk, uint32_t from, uint32_t to);
/* keywords_find, and adds to *steps what it did: for tests of its bound. */
int keywords_find_counted(const struct keywords *keywords, const uint16_t *units, size_t count,
                          struct keywords_hits *hits, uint64_t *steps);

#endif
