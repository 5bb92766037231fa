/* Collecting keywords, and sorting them: a radix sort by the first four units, then the rest by
 * comparison among those that are still equal. */
#include "classifiers/keywords_private.h"
#include "engine/base/mem.h"

#include <stdlib.h>

enum { DIGIT_BITS = 11, DIGITS = 6, RADIX = 1 << DIGIT_BITS, KEY_UNITS = 4 };

struct keywords_builder *keywords_builder_new(void)
{
    return mem_zalloc(1, sizeof(struct keywords_builder));
}

void keywords_builder_free(struct keywords_builder **builder)
{
    if (*builder == NULL)
        return;
    mem_free((*builder)->entries);
    mem_free((*builder)->units);
    mem_free(*builder);
    *builder = NULL;
}

static int builder_reserve(struct keywords_builder *builder, size_t units)
{
    struct keywords_entry *entries =
        mem_grow(builder->entries, &builder->capacity, builder->count, 64, sizeof *entries);
    if (entries == NULL)
        return -1;
    builder->entries = entries;
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
    builder->entries[builder->count++] = (struct keywords_entry){
        .from = (uint32_t)builder->unit_count, .value = value, .count = (uint16_t)count};
    builder->unit_count += count;
    return 0;
}

static int compare(const void *left, const void *right, void *ctx)
{
    const struct keywords_builder *in = ctx;
    uint32_t i = *(const uint32_t *)left;
    uint32_t j = *(const uint32_t *)right;
    const struct keywords_entry *a = &in->entries[i];
    const struct keywords_entry *b = &in->entries[j];
    size_t n = keywords_common(in, a, b);
    if (n < a->count && n < b->count)
        return in->units[a->from + n] < in->units[b->from + n] ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (i > j) - (i < j);
}

struct item {
    uint64_t key; /* the first units, the first one highest; zeros behind a shorter keyword */
    uint32_t index;
};

/* The memory of a sort: two arrays of items and the counts of the digits. */
struct sort {
    struct item *items, *other;
    uint32_t (*counts)[RADIX];
};

static void count_digits(struct sort *sort, const struct keywords_builder *in)
{
    for (size_t i = 0; i < in->count; i++) {
        const struct keywords_entry *entry = &in->entries[i];
        uint64_t key = 0;
        for (size_t u = 0; u < KEY_UNITS; u++)
            key = key << 16 | (u < entry->count ? in->units[entry->from + u] : 0);
        sort->items[i] = (struct item){.key = key, .index = (uint32_t)i};
        for (int d = 0; d < DIGITS; d++)
            sort->counts[d][key >> (d * DIGIT_BITS) & (RADIX - 1)]++;
    }
}

/* By each digit, the lowest first. */
static void sort_by_digits(struct sort *sort, size_t count)
{
    for (int d = 0; d < DIGITS; d++) {
        uint32_t *to = sort->counts[d];
        uint32_t next = 0;
        for (size_t i = 0; i < RADIX; i++) {
            uint32_t n = to[i];
            to[i] = next;
            next += n;
        }
        for (size_t i = 0; i < count; i++)
            sort->other[to[sort->items[i].key >> (d * DIGIT_BITS) & (RADIX - 1)]++] =
                sort->items[i];
        struct item *items = sort->items;
        sort->items = sort->other;
        sort->other = items;
    }
}

static void sort_the_equal(const struct sort *sort, const struct keywords_builder *in,
                           uint32_t *order)
{
    for (size_t from = 0, to; from < in->count; from = to) {
        for (to = from; to < in->count && sort->items[to].key == sort->items[from].key; to++)
            order[to] = sort->items[to].index;
        if (to - from > 1)
            qsort_r(order + from, to - from, sizeof *order, compare, (void *)(uintptr_t)in);
    }
}

uint32_t *keywords_sort(const struct keywords_builder *builder)
{
    uint32_t *order = mem_alloc((builder->count + 1) * sizeof *order);
    struct sort sort = {.items = mem_alloc((builder->count + 1) * sizeof *sort.items),
                        .other = mem_alloc((builder->count + 1) * sizeof *sort.other),
                        .counts = mem_zalloc(DIGITS, sizeof *sort.counts)};
    bool enough = order != NULL && sort.items != NULL && sort.other != NULL && sort.counts != NULL;
    if (enough) {
        count_digits(&sort, builder);
        sort_by_digits(&sort, builder->count);
        sort_the_equal(&sort, builder, order);
    } else {
        mem_free(order);
    }
    mem_free(sort.items);
    mem_free(sort.other);
    mem_free(sort.counts);
    return enough ? order : NULL;
}
