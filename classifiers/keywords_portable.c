/*
 * The loops of a search in plain C. Lists are appended to without a branch: what is not wanted is
 * overwritten by the next. A pair at the text's end has no third unit: the one that is taken for it
 * may pass the filter, and then the next step finds that the text has ended.
 */
#include "classifiers/keywords_private.h"

void keywords_portable_singles(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    const struct keywords *k = walk->keywords;
    size_t n = walk->hit_count;
    for (uint32_t i = from; i < to; i++) {
        uint16_t unit = walk->units[i];
        bool found = (k->single_bits[unit / 32] >> (unit % 32) & 1) != 0;
        walk->hit_at[n] = i;
        walk->hit_node[n] = k->singles[unit * found];
        walk->hit_length[n] = 1;
        n += found;
    }
    walk->hit_count = n;
}

size_t keywords_portable_filter(struct keywords_walk *walk, size_t n, uint32_t from, uint32_t to)
{
    const uint16_t *units = walk->units;
    const uint32_t *pairs = walk->keywords->pair_filter;
    const uint32_t *triples = walk->keywords->triple_filter;
    const uint32_t pair_shift = walk->keywords->pair_shift;
    const uint32_t triple_shift = walk->keywords->triple_shift;
    const uint32_t count = walk->count;
    for (uint32_t i = from; i < to && i + 1 < count; i++) {
        uint32_t hash = keywords_hash_pair(units[i], units[i + 1]);
        uint32_t pair = keywords_turn_right(pairs[hash >> pair_shift], hash);
        hash += units[i + 2 < count ? i + 2 : i] * KEYWORDS_HASH_THIRD;
        uint32_t triple = keywords_turn_right(triples[hash >> triple_shift], hash);
        triple &= KEYWORDS_TRIPLE_IS & pair >> 16;
        walk->at[n] = i | triple << 31;
        n += (pair & KEYWORDS_PAIR_ENDS) | triple;
    }
    return n;
}

/* How long the lists are, and which nodes go where: in registers while a loop runs. */
struct lists {
    size_t hits, tails, stay;
    uint32_t leaf_end, tail_end, both_end;
};

static inline struct lists lists_of(const struct keywords_walk *walk)
{
    const struct keywords *k = walk->keywords;
    return (struct lists){.hits = walk->hit_count,
                          .tails = walk->tail_count,
                          .leaf_end = k->leaf_end,
                          .tail_end = k->tail_end,
                          .both_end = k->both_end};
}

/* Puts a found node where it belongs: the hits, the tails, or back to the candidates. */
static inline void sort_node(struct keywords_walk *walk, struct lists *lists, uint32_t at,
                             uint32_t node, uint32_t length, bool longer)
{
    bool leaf = node - 1 < lists->leaf_end - 1;
    bool inner = node >= lists->tail_end;
    bool both = inner & (node < lists->both_end);
    walk->hit_at[lists->hits] = at;
    walk->hit_node[lists->hits] = node;
    walk->hit_length[lists->hits] = length;
    lists->hits += leaf | both;
    walk->tail_at[lists->tails] = at;
    walk->tail_node[lists->tails] = node;
    lists->tails += longer & (node >= lists->leaf_end) & !inner;
    walk->at[lists->stay] = at;
    walk->node[lists->stay] = node;
    lists->stay += longer & inner;
}

static inline size_t lists_keep(struct keywords_walk *walk, const struct lists *lists)
{
    walk->hit_count = lists->hits;
    walk->tail_count = lists->tails;
    return lists->stay;
}

size_t keywords_portable_pairs(struct keywords_walk *walk, size_t n)
{
    const struct keywords_table table = walk->keywords->pairs;
    struct lists lists = lists_of(walk);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = walk->at[i] & ~KEYWORDS_TRIPLE;
        bool longer = (walk->at[i] & KEYWORDS_TRIPLE) != 0;
        uint32_t pair = (uint32_t)walk->units[at] | (uint32_t)walk->units[at + 1] << 16;
        sort_node(walk, &lists, at, keywords_look_up(&table, pair), 2, longer);
    }
    return lists_keep(walk, &lists);
}

size_t keywords_portable_step(struct keywords_walk *walk, size_t n, uint32_t depth)
{
    const struct keywords_table table = walk->keywords->edges;
    struct lists lists = lists_of(walk);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = walk->at[i];
        if (walk->count - at <= depth)
            continue;
        uint64_t key = (uint64_t)walk->node[i] << 16 | walk->units[at + depth];
        sort_node(walk, &lists, at, keywords_look_up(&table, key), depth + 1, true);
    }
    return lists_keep(walk, &lists);
}

static inline bool same(const uint16_t *a, const uint16_t *b, size_t count)
{
    while (count > 0 && a[count - 1] == b[count - 1])
        count--;
    return count == 0;
}

void keywords_portable_tails(struct keywords_walk *walk, uint32_t depth)
{
    const struct keywords *k = walk->keywords;
    size_t n = walk->hit_count;
    for (size_t i = 0; i < walk->tail_count; i++) {
        const struct keywords_tail *tail = &k->tails[walk->tail_node[i] - k->leaf_end];
        uint32_t at = walk->tail_at[i];
        walk->hit_at[n] = at;
        walk->hit_node[n] = walk->tail_node[i];
        walk->hit_length[n] = tail->length;
        n += walk->count - at >= tail->length &&
             same(walk->units + at + depth, k->tail_units + tail->from, tail->count);
    }
    walk->hit_count = n;
}

void keywords_portable_emit(const struct keywords_walk *walk, struct keywords_found *out)
{
    for (size_t i = 0; i < walk->hit_count; i++)
        out[i] = keywords_found_at(walk->hit_at[i], walk->hit_length[i],
                                   walk->keywords->values[walk->hit_node[i]]);
}

static size_t filter(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    return keywords_portable_filter(walk, 0, from, to);
}

const struct keywords_kernel keywords_portable = {.singles = keywords_portable_singles,
                                                  .filter = filter,
                                                  .pairs = keywords_portable_pairs,
                                                  .step = keywords_portable_step,
                                                  .tails = keywords_portable_tails,
                                                  .emit = keywords_portable_emit};
