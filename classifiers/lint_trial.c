/*
 * Trial texts. A search is dear when much of the pattern fits at many places, but never all of it.
 * So a text begins with what leads up to a repeat and then repeats what the repeat takes, or it
 * repeats the beginning of the pattern up to some part. Where a part leaves a choice of units, one
 * that the pattern names elsewhere is taken when it fits ("hot"): `[^。]{0,30}人.{0,30}人没` is dear
 * on 人人人…, not on 啊啊啊…. Each text is tried as it is, with an end that fits nothing, and with the
 * pattern's own end behind that: PCRE2 gives up early on a text without the last unit needed.
 */
#include "classifiers/lint_example.h"
#include "classifiers/lint_regex.h"
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <string.h>

enum {
    ENDING = 0x00A4,   /* a character that rules do not write */
    HOT_MAX = 4,       /* units that are tried for "any" */
    HOT_SET_UNITS = 8, /* only those of so small a set */
    TRIALS_MAX = 40,   /* texts for one pattern */
    TAIL_UNITS = 16,
    EXAMPLES = 24
};

/* From the longest down: a text that is not dear is not dear when it is shorter. */
static const size_t lengths[] = {REGEX_TRIAL_UNITS, 60};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

struct trial {
    const struct regex *regex;
    struct regex_scratch *scratch;
    struct regex_trial *out;
    uint16_t text[REGEX_TRIAL_UNITS];
    uint16_t hot[HOT_MAX];
    size_t hot_count;
    struct example_taste taste;
    struct example lead; /* what a match holds before the part looked at */
    struct example tail; /* a whole match, whose end ends the text */
    size_t trials;
};

static bool is_limited(const struct trial *t, size_t count)
{
    size_t from, to;
    return regex_search(t->regex, t->scratch, t->text, count, 0, &from, &to) == REGEX_LIMITED;
}

static void put_end(struct trial *t, size_t count, size_t tail)
{
    if (tail > t->tail.count)
        tail = t->tail.count;
    memcpy(t->text + count - tail, t->tail.units + t->tail.count - tail, tail * sizeof *t->text);
    t->text[count - tail - 1] = ENDING;
}

/* Runs the regex on lead pump pump ..., at each length while it stays too dear. */
static void try_pump(struct trial *t, const uint16_t *lead, size_t lead_count, const uint16_t *pump,
                     size_t pump_count)
{
    if (pump_count == 0 || t->trials == TRIALS_MAX)
        return;
    t->trials++;
    for (size_t i = 0; i < LENGTHS; i++) {
        if (t->out->limited_at != 0 && lengths[i] >= t->out->limited_at)
            continue; /* as bad a one is known */
        size_t head = lead_count < lengths[i] ? lead_count : lengths[i];
        if (head != 0) /* lead may be NULL then */
            memcpy(t->text, lead, head * sizeof *lead);
        for (size_t at = head; at < lengths[i]; at++)
            t->text[at] = pump[(at - head) % pump_count];
        bool limited = is_limited(t, lengths[i]);
        for (size_t tail = 0; !limited && tail <= TAIL_UNITS; tail += TAIL_UNITS) {
            put_end(t, lengths[i], tail);
            limited = is_limited(t, lengths[i]);
        }
        if (!limited)
            return;
        t->out->limited_at = lengths[i];
        t->out->pump[example_utf8(pump, pump_count, t->out->pump, REGEX_PUMP_BYTES - 1)] = '\0';
    }
}

/* Tries what a repeat takes, behind what leads up to it. */
static void try_repeat(struct trial *t, const struct pattern_node *repeat)
{
    struct example round = {.count = 0};
    example_write(&round, repeat->parts[0], &t->taste);
    try_pump(t, t->lead.units, t->lead.count, round.units, round.count);
}

static void try_parts(struct trial *t, const struct pattern_node *node, bool whole)
{
    if (node->kind == PATTERN_SET || node->kind == PATTERN_NOTHING)
        return;
    if (node->kind == PATTERN_REPEAT && node->max > 1)
        try_repeat(t, node);
    size_t before = t->lead.count;
    for (size_t i = 0; i < node->count; i++) {
        try_parts(t, node->parts[i], whole && node->kind == PATTERN_ROW && node->count == 1);
        if (node->kind != PATTERN_ROW)
            continue;
        example_write(&t->lead, node->parts[i], &t->taste);
        if (whole && i + 1 < node->count)
            try_pump(t, NULL, 0, t->lead.units, t->lead.count);
    }
    t->lead.count = before;
}

static void find_hot(struct trial *t, const struct pattern_node *node)
{
    if (node->kind != PATTERN_SET) {
        for (size_t i = 0; i < node->count; i++)
            find_hot(t, node->parts[i]);
        return;
    }
    if (t->hot_count == HOT_MAX || node->count == 0 || pattern_set_size(node) > HOT_SET_UNITS)
        return;
    for (size_t i = 0; i < t->hot_count; i++)
        if (t->hot[i] == node->ranges[0].from)
            return;
    t->hot[t->hot_count++] = node->ranges[0].from;
}

int regex_trial(const struct pattern_node *tree, const struct regex *regex,
                struct regex_scratch *scratch, struct arena *arena, struct regex_trial *out)
{
    *out = (struct regex_trial){.limited_at = 0};
    struct trial *t = arena_zalloc(arena, 1, sizeof *t);
    if (t == NULL)
        return -1;
    t->regex = regex;
    t->scratch = scratch;
    t->out = out;
    find_hot(t, tree);
    for (size_t i = 0; i <= t->hot_count; i++) {
        t->taste.prefer = i == 0 ? 0 : t->hot[i - 1];
        t->lead.count = t->tail.count = 0;
        example_write(&t->tail, tree, &t->taste);
        try_parts(t, tree, true);
    }
    return 0;
}

/* --- what normalisation leaves of it --- */

static bool matches(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                    size_t count)
{
    size_t from, to;
    return regex_search(regex, scratch, units, count, 0, &from, &to) == REGEX_MATCH;
}

/* Between two Han characters, where most is dropped. */
static void make_example(const struct pattern_node *tree, const struct example_taste *taste,
                         bool between, struct example *out)
{
    enum { NEIGHBOUR = 0x4E2D }; /* 中 */
    out->count = 0;
    if (between)
        example_put(out, NEIGHBOUR);
    example_write(out, tree, taste);
    if (between)
        example_put(out, NEIGHBOUR);
}

int regex_unreachable(const struct pattern_node *tree, const struct regex *regex,
                      struct regex_scratch *scratch, struct arena *arena, bool *out)
{
    struct random random = {.state = 1};
    struct example_taste taste = {.random = &random};
    struct example *example = arena_zalloc(arena, 1, sizeof *example);
    char *bytes = arena_alloc(arena, EXAMPLE_BYTES);
    uint16_t *folded = arena_zalloc(arena, EXAMPLE_BYTES, sizeof *folded);
    size_t matched = 0, lost = 0;
    if (example == NULL || bytes == NULL || folded == NULL)
        return -1;
    for (size_t i = 0; i < EXAMPLES && lost == matched; i++) {
        make_example(tree, &taste, i % 2 == 0, example);
        if (!matches(regex, scratch, example->units, example->count))
            continue;
        size_t length = example_utf8(example->units, example->count, bytes, EXAMPLE_BYTES);
        ptrdiff_t count = text_fold(span_of(bytes, length), folded, EXAMPLE_BYTES, NULL);
        matched++;
        lost += count >= 0 && !matches(regex, scratch, folded, (size_t)count);
    }
    *out = matched > 0 && lost == matched;
    return 0;
}
