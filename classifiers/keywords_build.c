/*
 * Freezing: the sorted keywords become a trie, level by level, and the trie becomes tables.
 *
 * The trie's edges stand in one array that is its own queue: an edge leads to the node of a range
 * of the sorted keywords, and taking it up appends the edges to that node's children. What kind of
 * node it is says whether keywords end there and go on there; nodes are numbered kind by kind
 * once the kinds' sizes are known. A range of one keyword that goes on is a tail and has no edges.
 */
#include "classifiers/keywords_private.h"
#include "engine/base/mem.h"

enum kind { LEAF, TAIL, BOTH, INNER, KINDS };

/* A node before it has its number: kind and place within the kind. */
enum { KIND_SHIFT = 28 };

struct edge {
    uint32_t parent, child; /* nodes; parent 0: the root */
    uint32_t from, to;      /* the keywords below it; when it ends one, from is that */
    uint16_t unit;          /* the last unit of the child */
    uint16_t depth;         /* units of the child */
};

struct build {
    const struct keywords_builder *in;
    uint32_t *order;  /* the entries, sorted */
    uint32_t *unique; /* where the different ones begin in order, and an end */
    size_t unique_count;
    struct edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t kind_count[KINDS];
    uint32_t kind_first[KINDS]; /* ids */
    struct keywords *out;
};

static const struct keywords_entry *entry_of(const struct build *build, uint32_t unique)
{
    return &build->in->entries[build->order[build->unique[unique]]];
}

static const uint16_t *units_of_entry(const struct build *build, uint32_t unique)
{
    return build->in->units + entry_of(build, unique)->from;
}

static int sort_and_unite(struct build *build)
{
    const struct keywords_builder *in = build->in;
    build->order = keywords_sort(in);
    build->unique = mem_alloc((in->count + 1) * sizeof *build->unique);
    if (build->order == NULL || build->unique == NULL)
        return -1;
    for (size_t i = 0; i < in->count; i++) {
        const struct keywords_entry *here = &in->entries[build->order[i]];
        const struct keywords_entry *before = i == 0 ? NULL : &in->entries[build->order[i - 1]];
        if (before == NULL || here->count != before->count ||
            keywords_common(in, here, before) < here->count)
            build->unique[build->unique_count++] = (uint32_t)i;
    }
    build->unique[build->unique_count] = (uint32_t)in->count;
    return 0;
}

static int add_edge(struct build *build, const struct edge *edge)
{
    if (build->edge_count == build->edge_capacity) {
        size_t capacity = build->edge_capacity * 2 + build->unique_count * 2 + 16;
        struct edge *edges = mem_resize(build->edges, capacity, sizeof *edges);
        if (edges == NULL)
            return -1;
        build->edges = edges;
        build->edge_capacity = capacity;
    }
    build->edges[build->edge_count++] = *edge;
    return 0;
}

/* Edges from parent, of depth - 1 units, to its children: keywords [from, to) are longer. */
static int add_edges(struct build *build, uint32_t parent, uint32_t from, uint32_t to,
                     uint32_t depth)
{
    while (from < to) {
        struct edge edge = {.parent = parent, .from = from, .depth = (uint16_t)depth};
        edge.unit = units_of_entry(build, from)[depth - 1];
        while (from < to && units_of_entry(build, from)[depth - 1] == edge.unit)
            from++;
        edge.to = from;
        if (add_edge(build, &edge) != 0)
            return -1;
    }
    return 0;
}

/* Gives an edge its child, and the child its edges. */
static int open_edge(struct build *build, size_t index)
{
    struct edge edge = build->edges[index];
    bool ends = entry_of(build, edge.from)->count == edge.depth;
    uint32_t longer = edge.from + ends;
    enum kind kind = longer == edge.to                            ? LEAF
                     : ends                                       ? BOTH
                     : edge.depth > 1 && edge.to - edge.from == 1 ? TAIL
                                                                  : INNER;
    /* The node of one unit is none: pairs are found without it. */
    if (edge.depth == 1)
        kind = ends ? LEAF : INNER;
    if (edge.depth > 1 || ends)
        build->edges[index].child = (uint32_t)(kind + 1) << KIND_SHIFT | build->kind_count[kind]++;
    if (kind == TAIL)
        return 0;
    return add_edges(build, edge.depth == 1 ? edge.unit : build->edges[index].child, longer,
                     edge.to, edge.depth + 1u);
}

static int make_edges(struct build *build)
{
    if (add_edges(build, 0, 0, (uint32_t)build->unique_count, 1) != 0)
        return -1;
    for (size_t i = 0; i < build->edge_count; i++)
        if (open_edge(build, i) != 0)
            return -1;
    return 0;
}

static uint32_t id_of(const struct build *build, uint32_t node)
{
    return build->kind_first[(node >> KIND_SHIFT) - 1] + (node & ((1u << KIND_SHIFT) - 1));
}

static void number_nodes(struct build *build)
{
    uint32_t next = 1;
    for (int kind = 0; kind < KINDS; kind++) {
        build->kind_first[kind] = next;
        next += build->kind_count[kind];
    }
    build->out->leaf_end = build->kind_first[TAIL];
    build->out->tail_end = build->kind_first[BOTH];
    build->out->both_end = build->kind_first[INNER];
    for (size_t i = 0; i < build->edge_count; i++) {
        struct edge *edge = &build->edges[i];
        if (edge->child != 0)
            edge->child = id_of(build, edge->child);
        if (edge->depth > 2)
            edge->parent = id_of(build, edge->parent);
    }
}

/* --- tables from the edges --- */

static int make_singles(struct build *build)
{
    struct keywords *out = build->out;
    for (size_t i = 0; i < build->edge_count && build->edges[i].depth == 1; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->child == 0)
            continue;
        if (out->singles == NULL) {
            out->single_bits = mem_zalloc((UINT16_MAX + 1) / 32, sizeof *out->single_bits);
            out->singles = mem_zalloc(UINT16_MAX + 1, sizeof *out->singles);
            if (out->single_bits == NULL || out->singles == NULL)
                return -1;
        }
        out->single_bits[edge->unit / 32] |= 1u << (edge->unit % 32);
        out->singles[edge->unit] = edge->child;
    }
    return 0;
}

static uint32_t pair_of(const struct edge *edge)
{
    return edge->parent | (uint32_t)edge->unit << 16;
}

/* The tables of pairs (depth 2) and of edges further down. */
static int make_tables(struct build *build)
{
    struct keywords *out = build->out;
    uint64_t *entries = mem_alloc((build->edge_count + 1) * sizeof *entries);
    if (entries == NULL)
        return -1;
    size_t pairs = 0;
    size_t all = 0;
    for (size_t i = 0; i < build->edge_count; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->depth == 1)
            continue;
        uint64_t key = edge->depth == 2 ? pair_of(edge) : (uint64_t)edge->parent << 16 | edge->unit;
        entries[all++] = key << KEYWORDS_NODE_BITS | edge->child;
        pairs += edge->depth == 2;
    }
    int bad = keywords_table_fill(&out->pairs, entries, pairs, true);
    if (bad == 0)
        bad = keywords_table_fill(&out->edges, entries + pairs, all - pairs, false);
    mem_free(entries);
    return bad;
}

/* Bits in a filter for each thing it holds. A pair sets one or two of them. Small sets have more:
 * they stay in the first level cache, and fewer places pass by chance. Over its greatest size a
 * filter lets more pass, but stays in the second level cache, and the tables say no. */
enum {
    FILTER_BITS = 16,
    FILTER_BITS_SMALL = 32,
    FILTER_SMALL = 4096,
    FILTER_WORDS_MIN_LOG2 = 4,
    FILTER_WORDS_MAX_LOG2 = 18,
};

static uint32_t filter_log2(size_t n)
{
    size_t bits = n * (n <= FILTER_SMALL ? FILTER_BITS_SMALL : FILTER_BITS);
    uint32_t log2 = FILTER_WORDS_MIN_LOG2;
    while (log2 < FILTER_WORDS_MAX_LOG2 && ((size_t)32 << log2) < bits)
        log2++;
    return log2;
}

/* Sets bits that are read after the word is turned to the right. */
static void filter_set(uint32_t *filter, uint32_t shift, uint32_t hash, uint32_t bits)
{
    filter[hash >> shift] |= keywords_turn_right(bits, -hash);
}

static void set_filters(struct build *build)
{
    struct keywords *out = build->out;
    for (size_t i = 0; i < build->edge_count && build->edges[i].depth <= 3; i++) {
        const struct edge *edge = &build->edges[i];
        const uint16_t *units = units_of_entry(build, edge->from);
        if (edge->depth == 1)
            continue;
        bool leaf = edge->child < out->leaf_end;
        bool tail = !leaf && edge->child < out->tail_end;
        bool both = !leaf && !tail && edge->child < out->both_end;
        uint32_t hash = keywords_hash_pair(units[0], units[1]);
        if (edge->depth == 2)
            filter_set(out->pair_filter, out->pair_shift, hash,
                       (leaf || both ? (uint32_t)KEYWORDS_PAIR_ENDS : 0) |
                           (leaf ? 0 : (uint32_t)KEYWORDS_PAIR_GOES_ON));
        if (edge->depth == 3 || tail)
            filter_set(out->triple_filter, out->triple_shift, hash + units[2] * KEYWORDS_HASH_THIRD,
                       KEYWORDS_TRIPLE_IS);
    }
}

static int make_filters(struct build *build)
{
    struct keywords *out = build->out;
    size_t pairs = 0;
    size_t triples = 0;
    for (size_t i = 0; i < build->edge_count && build->edges[i].depth <= 3; i++) {
        uint32_t child = build->edges[i].child;
        pairs += build->edges[i].depth == 2;
        triples += build->edges[i].depth == 3 || (child >= out->leaf_end && child < out->tail_end);
    }
    uint32_t pair_log2 = filter_log2(pairs);
    uint32_t triple_log2 = filter_log2(triples);
    out->pair_shift = 32 - pair_log2;
    out->triple_shift = 32 - triple_log2;
    out->pair_filter = mem_zalloc((size_t)1 << pair_log2, sizeof *out->pair_filter);
    out->triple_filter = mem_zalloc((size_t)1 << triple_log2, sizeof *out->triple_filter);
    if (out->pair_filter == NULL || out->triple_filter == NULL)
        return -1;
    set_filters(build);
    return 0;
}

/* --- what the nodes stand for --- */

static void add_tail(struct build *build, const struct edge *edge, uint32_t *next)
{
    struct keywords *out = build->out;
    const struct keywords_entry *entry = entry_of(build, edge->from);
    struct keywords_tail tail = {
        .from = *next, .count = (uint16_t)(entry->count - edge->depth), .length = entry->count};
    memcpy(out->tail_units + tail.from, build->in->units + entry->from + edge->depth,
           tail.count * sizeof *out->tail_units);
    *next += tail.count;
    out->tails[edge->child - out->leaf_end] = tail;
}

static int make_tails(struct build *build)
{
    struct keywords *out = build->out;
    size_t units = 0;
    for (size_t i = 0; i < build->edge_count; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->child >= out->leaf_end && edge->child < out->tail_end)
            units += (size_t)(entry_of(build, edge->from)->count - edge->depth);
    }
    out->tails = mem_alloc((build->kind_count[TAIL] + 1) * sizeof *out->tails);
    out->tail_units = mem_alloc((units + 1) * sizeof *out->tail_units);
    if (out->tails == NULL || out->tail_units == NULL)
        return -1;
    uint32_t next = 0;
    for (size_t i = 0; i < build->edge_count; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->child >= out->leaf_end && edge->child < out->tail_end)
            add_tail(build, edge, &next);
    }
    return 0;
}

/* Values by id, each node's own list when there are duplicates. */
static int make_values(struct build *build)
{
    struct keywords *out = build->out;
    size_t ends = out->both_end;
    bool duplicates = build->unique_count < build->in->count;
    out->values = mem_zalloc((duplicates ? build->in->count : ends) + 1, sizeof *out->values);
    if (duplicates)
        out->first = mem_zalloc(ends + 1, sizeof *out->first);
    if (out->values == NULL || (duplicates && out->first == NULL))
        return -1;
    for (size_t i = 0; i < build->edge_count && duplicates; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->child != 0 && edge->child < ends)
            out->first[edge->child + 1] = build->unique[edge->from + 1] - build->unique[edge->from];
    }
    for (size_t id = 0; id < ends && duplicates; id++)
        out->first[id + 1] += out->first[id];
    for (size_t i = 0; i < build->edge_count; i++) {
        const struct edge *edge = &build->edges[i];
        if (edge->child == 0 || edge->child >= ends)
            continue;
        uint32_t from = build->unique[edge->from];
        uint32_t count = build->unique[edge->from + 1] - from;
        uint32_t to = duplicates ? out->first[edge->child] : edge->child;
        for (uint32_t v = 0; v < count; v++)
            out->values[to + v] = build->in->entries[build->order[from + v]].value;
    }
    return 0;
}

static int build_all(struct build *build)
{
    if (sort_and_unite(build) != 0 || make_edges(build) != 0)
        return -1;
    number_nodes(build);
    if (make_singles(build) != 0 || make_tables(build) != 0 || make_filters(build) != 0 ||
        make_tails(build) != 0 || make_values(build) != 0)
        return -1;
    return 0;
}

static void choose_kernel(struct keywords *keywords, enum cpu_level most)
{
    keywords->level = most < cpu_level() ? most : cpu_level();
    keywords->kernel = &keywords_portable;
#if defined(__x86_64__)
    if (keywords->level == CPU_AVX2)
        keywords->kernel = &keywords_avx2;
    if (keywords->level == CPU_AVX512)
        keywords->kernel = &keywords_avx512;
#endif
}

struct keywords *keywords_build_for(const struct keywords_builder *builder, enum cpu_level most,
                                    struct err *err)
{
    struct build build = {.in = builder, .out = mem_zalloc(1, sizeof(struct keywords))};
    if (build.out == NULL || build_all(&build) != 0) {
        err_set(err, ERR_NOMEM, "out of memory while building a matcher of %zu keywords",
                builder->count);
        keywords_free(&build.out);
    } else {
        build.out->count = builder->count;
        choose_kernel(build.out, most);
    }
    mem_free(build.order);
    mem_free(build.unique);
    mem_free(build.edges);
    return build.out;
}

struct keywords *keywords_build(const struct keywords_builder *builder, struct err *err)
{
    return keywords_build_for(builder, CPU_AVX512, err);
}

void keywords_free(struct keywords **keywords)
{
    struct keywords *k = *keywords;
    if (k == NULL)
        return;
    mem_free(k->single_bits);
    mem_free(k->singles);
    mem_free(k->pair_filter);
    mem_free(k->triple_filter);
    mem_free(k->pairs.entries);
    mem_free(k->edges.entries);
    mem_free(k->tails);
    mem_free(k->tail_units);
    mem_free(k->values);
    mem_free(k->first);
    mem_free(k);
    *keywords = NULL;
}
