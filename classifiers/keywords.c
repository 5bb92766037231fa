/*
 * An Aho-Corasick automaton over 16-bit units (Aho and Corasick, "Efficient string matching",
 * 1975).
 *
 * The keywords, sorted, form a trie whose nodes are numbered breadth first. The children of a node
 * are then neighbours, in the order of their labels, and end where the children of the next node
 * begin, so an edge costs no pointer: a node is 12 bytes and its label 2. A child is found by
 * binary search among the labels.
 *
 * A node's fail link is the longest proper suffix that is a node too; following it never costs more
 * steps than units were read, so a scan is linear whatever the text (times the log of a node's
 * children). Where keywords end, a node names a terminal: their values, and the next shorter
 * terminal that ends in the same place. A node that is no end of its own inherits the terminal of
 * its fail link.
 *
 * Most places of a text begin no keyword, and a filter says so without touching the trie: a bit per
 * hashed pair of units that begins a keyword, and a bit per unit that is a keyword alone. The scan
 * leaves the root only where the filter says maybe, and then by a hash table of pairs to a node of
 * two units at once; a unit that is a keyword alone, and the last unit, go by a table of units.
 *
 * The build takes memory for the nodes themselves, counted beforehand, and 20 bytes per keyword.
 */
#include "classifiers/keywords.h"

#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT = 0, UNITS = 65536, NO_TERMINAL = 0 };

/* The filter has 16 bits per pair, so one pair in 16 passes by chance, but stays in the second
 * level cache. */
enum { FILTER_BITS_PER_PAIR = 16, FILTER_MIN_LOG2 = 12, FILTER_MAX_LOG2 = 21 };

struct pair {
    uint32_t units; /* first << 16 | second */
    uint32_t node;  /* ROOT: an empty slot */
};

struct filter {
    uint64_t *pairs; /* 1 << log2 bits by hash */
    int log2;
    uint64_t alone[UNITS / 64]; /* by unit */
};

struct keyword {
    uint32_t from; /* in the builder's units */
    uint32_t value;
    uint16_t count;
};

struct keywords_builder {
    struct keyword *keywords;
    size_t count, capacity;
    uint16_t *units;
    size_t unit_count, unit_capacity;
};

struct node {
    uint32_t first_child; /* the next node's first_child ends them */
    uint32_t fail;
    uint32_t terminal; /* the longest keyword that ends here, or NO_TERMINAL */
};

struct terminal {
    uint32_t first_value; /* the next terminal's first_value ends them */
    uint32_t next;        /* the next shorter keyword that ends here too, or NO_TERMINAL */
    uint32_t length;
};

struct keywords {
    struct node *nodes; /* node_count, and one that ends the last one's children */
    uint16_t *labels;   /* of the edge that leads to a node */
    size_t node_count;
    struct terminal *terminals; /* [0] is not used; one more ends the last one's values */
    size_t terminal_count;
    uint32_t *values; /* of the keywords, in the order of the terminals */
    size_t count;
    uint32_t *root;      /* by unit: the root's child, or ROOT */
    uint32_t pair_begin; /* nodes from here on have two units or more */
    struct filter filter;
    struct pair *pairs; /* open addressing, 1 << pairs_log2 slots, at most half of them in use */
    int pairs_log2;
};

struct keywords_builder *keywords_builder_new(void)
{
    return mem_zalloc(1, sizeof(struct keywords_builder));
}

void keywords_builder_free(struct keywords_builder **builder)
{
    if (*builder == NULL)
        return;
    mem_free((*builder)->keywords);
    mem_free((*builder)->units);
    mem_free(*builder);
    *builder = NULL;
}

static int builder_reserve(struct keywords_builder *builder, size_t units)
{
    if (builder->count == builder->capacity) {
        size_t capacity = builder->capacity == 0 ? 64 : builder->capacity * 2;
        struct keyword *keywords = mem_resize(builder->keywords, capacity, sizeof *keywords);
        if (keywords == NULL)
            return -1;
        builder->keywords = keywords;
        builder->capacity = capacity;
    }
    if (builder->unit_capacity - builder->unit_count < units) {
        size_t capacity = builder->unit_capacity * 2 + LIMIT_KEYWORD_UNITS;
        uint16_t *grown = mem_resize(builder->units, capacity, sizeof *grown);
        if (grown == NULL)
            return -1;
        builder->units = grown;
        builder->unit_capacity = capacity;
    }
    return 0;
}

int keywords_add(struct keywords_builder *builder, const uint16_t *units, size_t count,
                 uint32_t value, struct err *err)
{
    if (count == 0)
        return err_set(err, ERR_INVALID, "a keyword is empty; write at least one character");
    if (count > LIMIT_KEYWORD_UNITS)
        return err_set(err, ERR_INVALID, "a keyword has %zu characters; at most %d are allowed",
                       count, LIMIT_KEYWORD_UNITS);
    if (builder->count >= LIMIT_KEYWORDS)
        return err_set(err, ERR_LIMIT, "more than %d keywords", LIMIT_KEYWORDS);
    if (builder_reserve(builder, count) != 0)
        return err_set(err, ERR_NOMEM, "out of memory while collecting keywords");
    memcpy(builder->units + builder->unit_count, units, count * sizeof *units);
    builder->keywords[builder->count++] = (struct keyword){
        .from = (uint32_t)builder->unit_count, .value = value, .count = (uint16_t)count};
    builder->unit_count += count;
    return 0;
}

/* What a build needs and the result does not. */
struct build {
    const struct keywords_builder *in;
    uint32_t *order; /* the keywords, sorted by their units; equal ones as they were added */
    uint32_t *from, *next_from; /* per node of a level: its first keyword in order */
    uint32_t *to, *next_to;     /* and where they end */
    struct keywords *out;
};

static size_t common_prefix(const struct keywords_builder *in, const struct keyword *a,
                            const struct keyword *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count;
    size_t n = 0;
    while (n < shorter && in->units[a->from + n] == in->units[b->from + n])
        n++;
    return n;
}

static int compare_keywords(const void *left, const void *right, void *ctx)
{
    const struct keywords_builder *in = ctx;
    uint32_t i = *(const uint32_t *)left;
    uint32_t j = *(const uint32_t *)right;
    const struct keyword *a = &in->keywords[i];
    const struct keyword *b = &in->keywords[j];
    size_t n = common_prefix(in, a, b);
    if (n < a->count && n < b->count)
        return in->units[a->from + n] < in->units[b->from + n] ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (i > j) - (i < j);
}

/* Sorts, and counts the nodes and terminals: every unit that a keyword does not share with the one
 * before is a node, every keyword that differs from the one before a terminal. */
static void sort_and_count(struct build *build)
{
    const struct keywords_builder *in = build->in;
    struct keywords *out = build->out;
    for (uint32_t i = 0; i < in->count; i++)
        build->order[i] = i;
    qsort_r(build->order, in->count, sizeof *build->order, compare_keywords, (void *)(uintptr_t)in);
    out->node_count = 1;
    out->terminal_count = 1;
    out->count = in->count;
    for (size_t i = 0; i < in->count; i++) {
        const struct keyword *this = &in->keywords[build->order[i]];
        const struct keyword *before = i == 0 ? NULL : &in->keywords[build->order[i - 1]];
        size_t shared = before == NULL ? 0 : common_prefix(in, before, this);
        out->node_count += this->count - shared;
        out->terminal_count += before == NULL || shared < this->count || shared < before->count;
    }
}

/* Gives node, whose keywords are order[from, to) and share `depth` units, its terminal. Returns
 * where the longer keywords begin. */
static uint32_t add_terminal(struct build *build, uint32_t node, uint32_t from, uint32_t to,
                             size_t depth)
{
    const struct keywords_builder *in = build->in;
    struct keywords *out = build->out;
    uint32_t end = from;
    while (end < to && in->keywords[build->order[end]].count == depth)
        end++;
    if (end == from)
        return from;
    struct terminal *terminal = &out->terminals[out->terminal_count++];
    terminal->first_value = (uint32_t)out->count;
    terminal->length = (uint32_t)depth;
    out->nodes[node].terminal = (uint32_t)(terminal - out->terminals);
    for (uint32_t i = from; i < end; i++)
        out->values[out->count++] = in->keywords[build->order[i]].value;
    return end;
}

/* Makes the children of node from order[from, to), which all have a unit at depth. Their own ranges
 * go to the next level, from its place `width` on. Returns the next level's new width. */
static size_t add_children(struct build *build, uint32_t from, uint32_t to, size_t depth,
                           size_t width)
{
    const struct keywords_builder *in = build->in;
    struct keywords *out = build->out;
    while (from < to) {
        uint16_t unit = in->units[in->keywords[build->order[from]].from + depth];
        uint32_t end = from + 1;
        while (end < to && in->units[in->keywords[build->order[end]].from + depth] == unit)
            end++;
        out->labels[out->node_count++] = unit;
        build->next_from[width] = from;
        build->next_to[width] = end;
        width++;
        from = end;
    }
    return width;
}

/* Makes the nodes, level by level, and their terminals. The counts grow again to what they were. */
static void make_nodes(struct build *build)
{
    struct keywords *out = build->out;
    out->node_count = 1;
    out->terminal_count = 1;
    out->count = 0;
    uint32_t node = ROOT;
    size_t width = 1;
    build->from[0] = 0;
    build->to[0] = (uint32_t)build->in->count;
    for (size_t depth = 0; width > 0; depth++) {
        size_t next_width = 0;
        for (size_t i = 0; i < width; i++, node++) {
            uint32_t longer = add_terminal(build, node, build->from[i], build->to[i], depth);
            out->nodes[node].first_child = (uint32_t)out->node_count;
            next_width = add_children(build, longer, build->to[i], depth, next_width);
        }
        uint32_t *from = build->from;
        uint32_t *to = build->to;
        build->from = build->next_from;
        build->to = build->next_to;
        build->next_from = from;
        build->next_to = to;
        width = next_width;
    }
    out->nodes[node].first_child = (uint32_t)out->node_count;
    out->pair_begin = out->nodes[ROOT + 1].first_child;
    out->terminals[out->terminal_count].first_value = (uint32_t)out->count;
}

/* The child of node by unit, or ROOT. */
static inline uint32_t find_child(const struct keywords *keywords, uint32_t node, uint16_t unit)
{
    uint32_t base = keywords->nodes[node].first_child;
    uint32_t count = keywords->nodes[node + 1].first_child - base;
    const uint16_t *labels = keywords->labels;
    if (count == 0)
        return ROOT;
    while (count > 1) {
        uint32_t half = count / 2;
        base += half * (uint32_t)(labels[base + half] <= unit);
        count -= half;
    }
    return labels[base] == unit ? base : ROOT;
}

static inline uint32_t pair_hash(uint16_t first, uint16_t second)
{
    return ((uint32_t)first << 16 | second) * UINT32_C(0x9E3779B1);
}

static inline bool get_bit(const uint64_t *bits, size_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

static void set_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* False when no keyword begins with first and second. */
static inline bool may_pair(const struct filter *filter, uint16_t first, uint16_t second)
{
    return get_bit(filter->pairs, pair_hash(first, second) >> (32 - filter->log2));
}

/* The slot of a pair, or the empty one where it would be. */
static inline struct pair *find_pair(const struct keywords *keywords, uint16_t first,
                                     uint16_t second)
{
    uint32_t units = (uint32_t)first << 16 | second;
    uint32_t mask = ((uint32_t)1 << keywords->pairs_log2) - 1;
    uint32_t i = pair_hash(first, second) >> (32 - keywords->pairs_log2);
    while (keywords->pairs[i].node != ROOT && keywords->pairs[i].units != units)
        i = (i + 1) & mask;
    return &keywords->pairs[i];
}

static int log2_at_least(size_t n, int min, int max)
{
    int log2 = min;
    while (log2 < max && ((size_t)1 << log2) < n)
        log2++;
    return log2;
}

static int make_pairs(struct keywords *out)
{
    struct filter *filter = &out->filter;
    size_t pairs = out->pair_begin == out->node_count
                       ? 0
                       : out->nodes[out->pair_begin].first_child - out->pair_begin;
    filter->log2 = log2_at_least(pairs * FILTER_BITS_PER_PAIR, FILTER_MIN_LOG2, FILTER_MAX_LOG2);
    out->pairs_log2 = log2_at_least(2 * pairs, 1, 31);
    filter->pairs = mem_zalloc((size_t)1 << filter->log2 >> 6, sizeof *filter->pairs);
    out->pairs = mem_zalloc((size_t)1 << out->pairs_log2, sizeof *out->pairs);
    if (filter->pairs == NULL || out->pairs == NULL)
        return -1;
    for (uint32_t node = 1; node < out->pair_begin; node++) {
        uint16_t first = out->labels[node];
        if (out->nodes[node].terminal != NO_TERMINAL)
            set_bit(filter->alone, first);
        for (uint32_t child = out->nodes[node].first_child;
             child < out->nodes[node + 1].first_child; child++) {
            uint16_t second = out->labels[child];
            set_bit(filter->pairs, pair_hash(first, second) >> (32 - filter->log2));
            *find_pair(out, first, second) =
                (struct pair){.units = (uint32_t)first << 16 | second, .node = child};
        }
    }
    return 0;
}

/* The node for what was read and unit, the longest suffix of it that is a node; ROOT when that has
 * no more than the unit itself. */
static inline uint32_t step(const struct keywords *keywords, uint32_t node, uint16_t unit)
{
    while (node >= keywords->pair_begin) {
        uint32_t child = find_child(keywords, node, unit);
        if (child != ROOT)
            return child;
        node = keywords->nodes[node].fail;
    }
    if (node == ROOT || !may_pair(&keywords->filter, keywords->labels[node], unit))
        return ROOT;
    return find_pair(keywords, keywords->labels[node], unit)->node;
}

/* Breadth first, so that every shorter node has its links already. */
static void link_nodes(struct keywords *out)
{
    for (uint32_t child = out->nodes[ROOT].first_child; child < out->nodes[1].first_child; child++)
        out->root[out->labels[child]] = child; /* its fail link is the root: zero */
    for (uint32_t node = 1; node < out->node_count; node++) {
        struct node *here = &out->nodes[node];
        uint32_t inherited = out->nodes[here->fail].terminal;
        if (here->terminal == NO_TERMINAL)
            here->terminal = inherited;
        else
            out->terminals[here->terminal].next = inherited;
        for (uint32_t child = here->first_child; child < here[1].first_child; child++) {
            uint32_t fail = step(out, here->fail, out->labels[child]);
            out->nodes[child].fail = fail != ROOT ? fail : out->root[out->labels[child]];
        }
    }
}

static int allocate_result(struct keywords *out)
{
    out->nodes = mem_zalloc(out->node_count + 1, sizeof *out->nodes);
    out->labels = mem_zalloc(out->node_count, sizeof *out->labels);
    out->terminals = mem_zalloc(out->terminal_count + 1, sizeof *out->terminals);
    out->values = mem_zalloc(out->count + 1, sizeof *out->values);
    out->root = mem_zalloc(UNITS, sizeof *out->root);
    return out->nodes == NULL || out->labels == NULL || out->terminals == NULL ||
                   out->values == NULL || out->root == NULL
               ? -1
               : 0;
}

static int build_all(struct build *build)
{
    size_t room = build->in->count + 1;
    build->order = mem_zalloc(room, sizeof(uint32_t));
    build->from = mem_zalloc(room, sizeof(uint32_t));
    build->to = mem_zalloc(room, sizeof(uint32_t));
    build->next_from = mem_zalloc(room, sizeof(uint32_t));
    build->next_to = mem_zalloc(room, sizeof(uint32_t));
    if (build->order == NULL || build->from == NULL || build->to == NULL ||
        build->next_from == NULL || build->next_to == NULL)
        return -1;
    sort_and_count(build);
    if (allocate_result(build->out) != 0)
        return -1;
    make_nodes(build);
    if (make_pairs(build->out) != 0)
        return -1;
    link_nodes(build->out);
    return 0;
}

struct keywords *keywords_build(const struct keywords_builder *builder, struct err *err)
{
    struct build build = {.in = builder, .out = mem_zalloc(1, sizeof(struct keywords))};
    if (build.out == NULL || build_all(&build) != 0) {
        err_set(err, ERR_NOMEM, "out of memory while building a matcher of %zu keywords",
                builder->count);
        keywords_free(&build.out);
    }
    mem_free(build.order);
    mem_free(build.from);
    mem_free(build.to);
    mem_free(build.next_from);
    mem_free(build.next_to);
    return build.out;
}

void keywords_free(struct keywords **keywords)
{
    if (*keywords == NULL)
        return;
    mem_free((*keywords)->nodes);
    mem_free((*keywords)->labels);
    mem_free((*keywords)->terminals);
    mem_free((*keywords)->values);
    mem_free((*keywords)->root);
    mem_free((*keywords)->pairs);
    mem_free((*keywords)->filter.pairs);
    mem_free(*keywords);
    *keywords = NULL;
}

size_t keywords_count(const struct keywords *keywords)
{
    return keywords->count;
}

/* Reports all that ends at `end`. */
static int report(const struct keywords *keywords, uint32_t terminal, size_t end,
                  keywords_on_hit *on_hit, void *ctx)
{
    for (; terminal != NO_TERMINAL; terminal = keywords->terminals[terminal].next) {
        const struct terminal *t = &keywords->terminals[terminal];
        for (uint32_t i = t->first_value; i < t[1].first_value; i++) {
            struct keywords_hit hit = {
                .from = end - t->length, .to = end, .value = keywords->values[i]};
            int stop = on_hit(ctx, &hit);
            if (stop != 0)
                return stop;
        }
    }
    return 0;
}

/* From the root, with *i < count: goes to the next place where a keyword may begin and takes its
 * first unit, or two at once. Returns the node; *i stands behind what was taken. */
static inline uint32_t leave_root(const struct keywords *keywords, const uint16_t *units,
                                  size_t count, size_t *i)
{
    const struct filter *filter = &keywords->filter;
    size_t at = *i;
    for (; at + 1 < count && !get_bit(filter->alone, units[at]); at++) {
        if (!may_pair(filter, units[at], units[at + 1]))
            continue;
        uint32_t node = find_pair(keywords, units[at], units[at + 1])->node;
        if (node != ROOT) {
            *i = at + 2;
            return node;
        }
    }
    *i = at + 1;
    return keywords->root[units[at]];
}

int keywords_scan(const struct keywords *keywords, const uint16_t *units, size_t count,
                  keywords_on_hit *on_hit, void *ctx)
{
    uint32_t node = ROOT;
    size_t i = 0;
    while (i < count) {
        node = step(keywords, node, units[i]);
        if (node == ROOT)
            node = leave_root(keywords, units, count, &i);
        else
            i++;
        uint32_t terminal = keywords->nodes[node].terminal;
        if (terminal == NO_TERMINAL)
            continue;
        int stop = report(keywords, terminal, i, on_hit, ctx);
        if (stop != 0)
            return stop;
    }
    return 0;
}
