/* Nodes, and the sets of units that some of them are: ordered ranges, apart from each other. */
#include "classifiers/lint_pattern.h"

#include <string.h>

struct pattern_node *pattern_node_new(struct arena *arena, enum pattern_kind kind, size_t parts)
{
    struct pattern_node *node = arena_zalloc(arena, 1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->count = parts;
    if (kind == PATTERN_SET)
        node->ranges = arena_zalloc(arena, parts + 1, sizeof *node->ranges);
    else
        node->parts = arena_zalloc(arena, parts + 1, sizeof(struct pattern_node *));
    return node->ranges == NULL && node->parts == NULL ? NULL : node;
}

/* Orders the ranges and joins those that touch. An insertion sort: they are few. */
static void set_settle(struct pattern_node *set)
{
    struct pattern_range *r = set->ranges;
    for (size_t i = 1; i < set->count; i++) {
        struct pattern_range moved = r[i];
        size_t at = i;
        for (; at > 0 && r[at - 1].from > moved.from; at--)
            r[at] = r[at - 1];
        r[at] = moved;
    }
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (kept > 0 && (uint32_t)r[kept - 1].to + 1 >= r[i].from) {
            if (r[i].to > r[kept - 1].to)
                r[kept - 1].to = r[i].to;
        } else {
            r[kept++] = r[i];
        }
    }
    set->count = kept;
}

struct pattern_node *pattern_set_of(struct arena *arena, const struct pattern_range *ranges,
                                    size_t count)
{
    struct pattern_node *set = pattern_node_new(arena, PATTERN_SET, count);
    if (set == NULL)
        return NULL;
    memcpy(set->ranges, ranges, count * sizeof *ranges);
    set_settle(set);
    return set;
}

struct pattern_node *pattern_set_other(struct arena *arena, const struct pattern_node *set)
{
    struct pattern_node *other = pattern_node_new(arena, PATTERN_SET, set->count + 1);
    if (other == NULL)
        return NULL;
    uint32_t from = 0;
    other->count = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->ranges[i].from > from)
            other->ranges[other->count++] = (struct pattern_range){
                .from = (uint16_t)from, .to = (uint16_t)(set->ranges[i].from - 1)};
        from = (uint32_t)set->ranges[i].to + 1;
    }
    if (from <= UINT16_MAX)
        other->ranges[other->count++] =
            (struct pattern_range){.from = (uint16_t)from, .to = UINT16_MAX};
    return other;
}

bool pattern_sets_meet(const struct pattern_node *a, const struct pattern_node *b)
{
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->ranges[i].to < b->ranges[k].from)
            i++;
        else if (b->ranges[k].to < a->ranges[i].from)
            k++;
        else
            return true;
    }
    return false;
}

bool pattern_set_has(const struct pattern_node *set, uint16_t unit)
{
    for (size_t i = 0; i < set->count; i++)
        if (unit >= set->ranges[i].from && unit <= set->ranges[i].to)
            return true;
    return false;
}

size_t pattern_set_size(const struct pattern_node *set)
{
    size_t size = 0;
    for (size_t i = 0; i < set->count; i++)
        size += (size_t)(set->ranges[i].to - set->ranges[i].from) + 1;
    return size;
}

struct pattern_node *pattern_set_unite(const struct pattern_node *a, const struct pattern_node *b,
                                       struct arena *arena)
{
    struct pattern_node *both = pattern_node_new(arena, PATTERN_SET, a->count + b->count);
    if (both == NULL)
        return NULL;
    memcpy(both->ranges, a->ranges, a->count * sizeof *a->ranges);
    memcpy(both->ranges + a->count, b->ranges, b->count * sizeof *b->ranges);
    set_settle(both);
    return both;
}

struct pattern_node *pattern_set_empty(struct arena *arena)
{
    return pattern_node_new(arena, PATTERN_SET, 0);
}
