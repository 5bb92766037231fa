#include "classifiers/literal_set.h"

#include "engine/base/limits.h"

#include <string.h>

enum { WEAK_DIGITS = 3 };

static int compare(const struct literal *a, const struct literal *b)
{
    size_t common = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < common; i++)
        if (a->units[i] != b->units[i])
            return a->units[i] < b->units[i] ? -1 : 1;
    return (int)a->count - (int)b->count;
}

static bool holds(const struct literal *whole, const struct literal *part)
{
    for (size_t i = 0; i + part->count <= whole->count; i++)
        if (memcmp(whole->units + i, part->units, part->count * sizeof part->units[0]) == 0)
            return true;
    return false;
}

bool literal_set_make(struct literal_pool *pool, size_t capacity, struct literal_set *out)
{
    *out = (struct literal_set){.list = NULL};
    if (capacity > LIMIT_REGEX_SET_LITERALS)
        return false;
    out->list = arena_alloc(pool->arena, capacity * sizeof *out->list);
    if (out->list == NULL)
        pool->no_memory = true;
    else
        out->capacity = capacity;
    return out->list != NULL;
}

bool literal_set_add(struct literal_set *set, const struct literal *word)
{
    size_t at = set->count;
    int order = 1;
    while (at > 0 && (order = compare(&set->list[at - 1], word)) > 0)
        at--;
    if (at > 0 && order == 0)
        return true;
    if (set->count == set->capacity)
        return false;
    memmove(&set->list[at + 1], &set->list[at], (set->count - at) * sizeof *word);
    set->list[at] = *word;
    set->count++;
    return true;
}

bool literal_set_unite(struct literal_pool *pool, const struct literal_set *left,
                       const struct literal_set *right, struct literal_set *out)
{
    if (!literal_set_make(pool, left->count + right->count, out))
        return false;
    for (size_t i = 0; i < left->count; i++)
        literal_set_add(out, &left->list[i]);
    for (size_t i = 0; i < right->count; i++)
        literal_set_add(out, &right->list[i]);
    return true;
}

size_t literal_set_shortest(const struct literal_set *set)
{
    size_t units = LIMIT_REGEX_LITERAL_UNITS;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].count < units)
            units = set->list[i].count;
    return units;
}

size_t literal_set_longest(const struct literal_set *set)
{
    size_t units = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].count > units)
            units = set->list[i].count;
    return units;
}

static bool is_digit(uint16_t unit)
{
    return unit >= '0' && unit <= '9';
}

/* How often a word may be met in a text, in some unit. A guess from complaints: one Han character of
 * many rules stands in every other text, a word of two in one of twenty or thirty; there are but ten
 * digits, which come in runs. */
static size_t word_likely(const struct literal *word)
{
    bool digit = is_digit(word->units[0]);
    size_t likely = digit ? 60000 : 25000;
    for (size_t i = 1; i < word->count; i++) {
        digit = digit && is_digit(word->units[i]);
        likely /= digit ? 3 : i == 1 ? 25 : 10;
    }
    return likely;
}

size_t literal_set_likely(const struct literal_set *set)
{
    size_t likely = 0;
    for (size_t i = 0; i < set->count; i++)
        likely += word_likely(&set->list[i]);
    return likely;
}

/* True when there is a word of one unit, or of so few digits that many texts hold it. */
static bool is_weak(const struct literal_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct literal *word = &set->list[i];
        size_t digits = 0;
        while (digits < word->count && is_digit(word->units[digits]))
            digits++;
        if (word->count <= 1 || (digits == word->count && digits <= WEAK_DIGITS))
            return true;
    }
    return false;
}

/* The set of all concatenations. False when its words would be too long or there would be too many;
 * a set grows large only to get rid of weak words. */
bool literal_set_multiply(struct literal_pool *pool, const struct literal_set *left,
                          const struct literal_set *right, struct literal_set *out)
{
    size_t count = left->count * right->count;
    if (count > LIMIT_REGEX_SET_GROWTH && right->count > 1 && !is_weak(left))
        return false;
    if (!literal_set_make(pool, count, out))
        return false;
    for (size_t i = 0; i < left->count; i++) {
        for (size_t j = 0; j < right->count; j++) {
            struct literal word = left->list[i];
            const struct literal *end = &right->list[j];
            if (word.count + end->count > LIMIT_REGEX_LITERAL_UNITS)
                return false;
            memcpy(word.units + word.count, end->units, end->count * sizeof end->units[0]);
            word.count = (uint16_t)(word.count + end->count);
            literal_set_add(out, &word);
        }
    }
    return true;
}

/* Removes the words that hold another one: who meets them meets that too. */
static void reduce(struct literal_set *set)
{
    size_t kept = 0, least = literal_set_shortest(set);
    for (size_t i = 0; i < set->count; i++) {
        bool needed = true;
        for (size_t j = 0; set->list[i].count > least && j < set->count && needed; j++)
            needed =
                set->list[j].count >= set->list[i].count || !holds(&set->list[i], &set->list[j]);
        set->list[kept] = set->list[i];
        kept += needed;
    }
    set->count = kept;
}

/* True when a is the set to look for rather than b. */
static bool better(const struct literal_set *a, const struct literal_set *b)
{
    return literal_set_likely(a) < literal_set_likely(b);
}

/* True when whoever meets a meets b too. */
static bool implies(const struct literal_set *a, const struct literal_set *b)
{
    for (size_t i = 0; i < a->count; i++) {
        bool met = false;
        for (size_t j = 0; j < b->count && !met; j++)
            met = holds(&a->list[i], &b->list[j]);
        if (!met)
            return false;
    }
    return true;
}

void literals_offer(struct literal_pool *pool, struct literals *known,
                    const struct literal_set *words, size_t lead)
{
    struct literal_set set;
    if (words->count == 0 || literal_set_shortest(words) == 0 ||
        !literal_set_make(pool, words->count, &set))
        return;
    memcpy(set.list, words->list, words->count * sizeof *words->list);
    set.count = words->count;
    set.lead = lead; /* a word within another ends no later */
    reduce(&set);
    size_t kept = 0;
    for (size_t i = 0; i < known->count; i++) {
        if (implies(&known->sets[i], &set))
            return;
        if (implies(&set, &known->sets[i]))
            continue;
        if (kept != i)
            known->sets[kept] = known->sets[i];
        kept++;
    }
    size_t at = kept;
    while (at > 0 && better(&set, &known->sets[at - 1]))
        at--;
    known->count = kept < LIMIT_REGEX_SETS ? kept + 1 : kept;
    if (at == known->count)
        return;
    memmove(&known->sets[at + 1], &known->sets[at], (known->count - 1 - at) * sizeof set);
    known->sets[at] = set;
}
