/*
 * A trie of hash tables behind a filter, searched many places at a time.
 *
 * Most places of a text begin no keyword, and a filter says so: two bits per hashed pair of units
 * (it may be a keyword; it may begin a longer one), and a bit per hashed triple that begins a
 * longer one. Both are small enough for the first or second level cache. Keywords of one unit go by
 * a table of units.
 *
 * The places that pass are candidates. A table of pairs leads each to the node of its two units,
 * and a table of edges, (node, unit) -> node, further down the trie, one unit at a time. Both are
 * cuckoo tables: a look-up reads two slots and decides nothing, so sixteen can be made at a time
 * with gathers, and a branch is never mispredicted. All candidates of a block of text take a step
 * together; those that found no child drop out, and the rest move together. A node with one
 * keyword below it has no edges: what is left of the keyword is compared at once.
 *
 * The numbers of the nodes tell what they are (see struct keywords), so nodes need no memory but
 * the edges, and a look-up's answer is sorted by comparisons.
 *
 * The work for one place is bounded whatever the text: one filter, one pair, a step for each
 * further unit of a keyword, at most one tail; LIMIT_KEYWORD_UNITS + 2 in all, and the hits. The
 * kernels (keywords_portable.c, keywords_avx2.c, keywords_avx512.c) are forms of the same loops.
 */
#include "classifiers/keywords_private.h"
#include "engine/base/check.h"
#include "engine/base/mem.h"

static int flush(struct keywords_walk *walk)
{
    if (walk->hit_count == 0)
        return 0;
    int stop = walk->sink(walk, walk->ctx);
    walk->hit_count = 0;
    return stop;
}

/* After a step: `depth` units were read. */
static int finish_level(struct keywords_walk *walk, uint32_t depth)
{
    if (walk->tail_count > 0) {
        walk->steps += walk->tail_count;
        walk->keywords->kernel->tails(walk, depth);
        walk->tail_count = 0;
    }
    return flush(walk);
}

int keywords_walk_block(struct keywords_walk *walk, uint32_t from, uint32_t to)
{
    const struct keywords_kernel *kernel = walk->keywords->kernel;
    int stop = 0;
    walk->tail_count = walk->hit_count = 0;
    walk->steps += to - from;
    if (walk->keywords->singles != NULL) {
        kernel->singles(walk, from, to);
        stop = flush(walk);
    }
    if (stop != 0 || walk->count < 2)
        return stop;
    size_t n = kernel->filter(walk, from, to);
    if (n == 0)
        return 0;
    walk->steps += n;
    n = kernel->pairs(walk, n);
    stop = finish_level(walk, 2);
    for (uint32_t depth = 2; n > 0 && stop == 0; depth++) {
        walk->steps += n;
        n = kernel->step(walk, n, depth);
        stop = finish_level(walk, depth + 1);
    }
    return stop;
}

static void walk_init(struct keywords_walk *walk, const struct keywords *keywords,
                      const uint16_t *units, size_t count, keywords_sink *sink, void *ctx)
{
    CHECK(count < KEYWORDS_TEXT_UNITS);
    walk->keywords = keywords;
    walk->units = units;
    walk->count = (uint32_t)count;
    walk->steps = 0;
    walk->sink = sink;
    walk->ctx = ctx;
}

/* --- to an array --- */

static int hits_reserve(struct keywords_hits *hits, size_t more)
{
    if (hits->capacity - hits->count >= more)
        return 0;
    size_t capacity = hits->capacity * 2 + more;
    struct keywords_found *items = mem_resize(hits->items, capacity, sizeof *items);
    if (items == NULL)
        return -1;
    hits->items = items;
    hits->capacity = capacity;
    return 0;
}

static int append(struct keywords_walk *walk, void *ctx)
{
    struct keywords_hits *hits = ctx;
    if (hits_reserve(hits, walk->hit_count + KEYWORDS_SLACK) != 0)
        return -1;
    walk->keywords->kernel->emit(walk, hits->items + hits->count);
    hits->count += walk->hit_count;
    return 0;
}

static int append_duplicates(struct keywords_walk *walk, void *ctx)
{
    struct keywords_hits *hits = ctx;
    const struct keywords *k = walk->keywords;
    for (size_t i = 0; i < walk->hit_count; i++) {
        uint32_t from = k->first[walk->hit_node[i]];
        uint32_t to = k->first[walk->hit_node[i] + 1];
        if (hits_reserve(hits, to - from) != 0)
            return -1;
        for (uint32_t v = from; v < to; v++)
            hits->items[hits->count++] =
                keywords_found_at(walk->hit_at[i], walk->hit_length[i], k->values[v]);
    }
    return 0;
}

int keywords_find_counted(const struct keywords *keywords, const uint16_t *units, size_t count,
                          struct keywords_hits *hits, uint64_t *steps)
{
    struct keywords_walk walk;
    walk_init(&walk, keywords, units, count, keywords->first == NULL ? append : append_duplicates,
              hits);
    int bad = 0;
    for (uint32_t from = 0; from < walk.count && bad == 0; from += KEYWORDS_BLOCK) {
        uint32_t left = walk.count - from;
        bad = keywords_walk_block(&walk, from,
                                  from + (left < KEYWORDS_BLOCK ? left : KEYWORDS_BLOCK));
    }
    *steps += walk.steps;
    return bad;
}

int keywords_find(const struct keywords *keywords, const uint16_t *units, size_t count,
                  struct keywords_hits *hits)
{
    uint64_t steps = 0;
    return keywords_find_counted(keywords, units, count, hits, &steps);
}

void keywords_hits_free(struct keywords_hits *hits)
{
    mem_free(hits->items);
    *hits = (struct keywords_hits){.items = NULL};
}

/* --- to a function, by end --- */

/* Hits are found by beginning and reported by end: those of a few blocks wait in a ring, by end and
 * length. A hit ends at most LIMIT_KEYWORD_UNITS behind its beginning, and an end is due when
 * everything before it has begun. */
enum { SCAN_BLOCK = 64, RING = 128 };
_Static_assert(SCAN_BLOCK + LIMIT_KEYWORD_UNITS <= RING, "ends in sight need a place each");
_Static_assert(LIMIT_KEYWORD_UNITS <= 32, "a length needs a bit");

struct ring {
    uint32_t lengths[RING]; /* by end: bit length - 1 */
    uint32_t nodes[RING][LIMIT_KEYWORD_UNITS];
};

static int keep(struct keywords_walk *walk, void *ctx)
{
    struct ring *ring = ctx;
    for (size_t i = 0; i < walk->hit_count; i++) {
        uint32_t length = walk->hit_length[i];
        uint32_t end = (walk->hit_at[i] + length) % RING;
        ring->lengths[end] |= 1u << (length - 1);
        ring->nodes[end][length - 1] = walk->hit_node[i];
    }
    return 0;
}

static int report_node(const struct keywords *k, uint32_t node, size_t end, uint32_t length,
                       keywords_on_hit *on_hit, void *ctx)
{
    uint32_t from = k->first == NULL ? node : k->first[node];
    uint32_t to = k->first == NULL ? node + 1 : k->first[node + 1];
    int stop = 0;
    for (uint32_t v = from; v < to && stop == 0; v++) {
        struct keywords_hit hit = {.from = end - length, .to = end, .value = k->values[v]};
        stop = on_hit(ctx, &hit);
    }
    return stop;
}

/* Reports what ends at `end`, and takes it out. */
static int report_end(const struct keywords *keywords, struct ring *ring, size_t end,
                      keywords_on_hit *on_hit, void *ctx)
{
    uint32_t lengths = ring->lengths[end % RING];
    ring->lengths[end % RING] = 0;
    int stop = 0;
    while (lengths != 0 && stop == 0) {
        uint32_t longest = 31 - (uint32_t)__builtin_clz(lengths);
        lengths &= ~(1u << longest);
        stop =
            report_node(keywords, ring->nodes[end % RING][longest], end, longest + 1, on_hit, ctx);
    }
    return stop;
}

int keywords_scan(const struct keywords *keywords, const uint16_t *units, size_t count,
                  keywords_on_hit *on_hit, void *ctx)
{
    struct keywords_walk walk;
    struct ring ring;
    walk_init(&walk, keywords, units, count, keep, &ring);
    memset(ring.lengths, 0, sizeof ring.lengths);
    int stop = 0;
    for (uint32_t from = 0; from < walk.count && stop == 0; from += SCAN_BLOCK) {
        uint32_t left = walk.count - from;
        uint32_t to = from + (left < SCAN_BLOCK ? left : SCAN_BLOCK);
        keywords_walk_block(&walk, from, to);
        for (uint32_t end = from + 1; end <= to && stop == 0; end++)
            if (ring.lengths[end % RING] != 0)
                stop = report_end(keywords, &ring, end, on_hit, ctx);
    }
    return stop;
}

size_t keywords_count(const struct keywords *keywords)
{
    return keywords->count;
}

enum cpu_level keywords_level(const struct keywords *keywords)
{
    return keywords->level;
}
