#include "classifiers/negation.h"

#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

void negation_reset(struct negation *negation)
{
    negation->count = negation->before_count = negation->after_count = 0;
    negation->sorted = negation->overflowed = false;
}

void negation_free(struct negation *negation)
{
    mem_free(negation->words);
    mem_free(negation->before);
    mem_free(negation->after);
    *negation = (struct negation){.count = 0};
}

/* Twice the room in all three arrays, which have one capacity. */
static int grow(struct negation *negation)
{
    size_t capacity = negation->capacity == 0 ? 32 : negation->capacity * 2;
    struct negation_word *words = mem_resize(negation->words, capacity, sizeof *words);
    if (words == NULL)
        return -1;
    negation->words = words;
    uint32_t *before = mem_resize(negation->before, capacity, sizeof *before);
    if (before == NULL)
        return -1;
    negation->before = before;
    uint32_t *after = mem_resize(negation->after, capacity, sizeof *after);
    if (after == NULL)
        return -1;
    negation->after = after;
    negation->capacity = capacity;
    return 0;
}

int negation_add(struct negation *negation, struct negation_word word)
{
    if (negation->count == LIMIT_NEGATIONS) {
        negation->overflowed = true;
        return 0;
    }
    if (negation->count == negation->capacity && grow(negation) != 0)
        return -1;
    negation->words[negation->count++] = word;
    return 0;
}

/* True when the word stands inside an exception. */
static bool is_excepted(const struct negation *negation, const struct negation_word *word)
{
    for (size_t i = 0; i < negation->count; i++) {
        const struct negation_word *other = &negation->words[i];
        if ((other->mask & NEGATION_EXCEPT) != 0 && other->from <= word->from &&
            word->to <= other->to)
            return true;
    }
    return false;
}

/* Inserts a place into an ordered list; the words come nearly in order. */
static void insert(uint32_t *list, size_t *count, uint32_t place)
{
    size_t at = (*count)++;
    for (; at > 0 && list[at - 1] > place; at--)
        list[at] = list[at - 1];
    list[at] = place;
}

static void sort(struct negation *negation)
{
    for (size_t i = 0; i < negation->count; i++) {
        const struct negation_word *word = &negation->words[i];
        if ((word->mask & (NEGATION_BEFORE | NEGATION_AFTER)) == 0 || is_excepted(negation, word))
            continue;
        if ((word->mask & NEGATION_BEFORE) != 0)
            insert(negation->before, &negation->before_count, word->to);
        if ((word->mask & NEGATION_AFTER) != 0)
            insert(negation->after, &negation->after_count, word->from);
    }
    negation->sorted = true;
}

/* How many places of an ordered list are below a limit. */
static size_t count_below(const uint32_t *list, size_t count, size_t limit)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (list[middle] < limit)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static bool ends_sentence(uint16_t unit)
{
    return unit == 0x3002 || unit == '!' || unit == '?' || unit == ';' || unit == '\n' ||
           unit == TEXT_BOUNDARY;
}

/* Punctuation of any kind, as text.h leaves it: ASCII, general (U+2010..U+205E) or CJK. */
static bool is_punctuation(uint16_t unit)
{
    return ends_sentence(unit) || (unit > ' ' && unit < '0') || (unit > '9' && unit < 'A') ||
           (unit > 'Z' && unit < 'a') || (unit > 'z' && unit < 0x7F) ||
           (unit >= 0x2010 && unit <= 0x205E) || (unit >= 0x3001 && unit <= 0x303F);
}

static bool has(const uint16_t *units, size_t from, size_t to, bool (*is)(uint16_t))
{
    for (size_t i = from; i < to; i++)
        if (is(units[i]))
            return true;
    return false;
}

/* Of the words on one side the nearest is asked: what stands between it and the match stands
 * between the others and the match too. */
bool negation_covers(struct negation *negation, const struct negation_windows *windows,
                     const uint16_t *units, size_t from, size_t to)
{
    if (negation->count == 0 || negation->overflowed)
        return false;
    if (!negation->sorted)
        sort(negation);
    size_t n = count_below(negation->before, negation->before_count, from + 1);
    if (n > 0 && from - negation->before[n - 1] <= windows->before &&
        !has(units, negation->before[n - 1], from, is_punctuation))
        return true;
    n = count_below(negation->after, negation->after_count, to);
    return n < negation->after_count && negation->after[n] - to <= windows->after &&
           !has(units, to, negation->after[n], ends_sentence);
}
