/*
 * The words, sorted by their form, become the uses, keywords before regexes; keywords become marks. Sorted too, the marks of
 * one string stand together, which gives each distinct string its value and its runs. A string that
 * is only an n-gram has no runs; such values come last, so that the others' stay dense. Shorter
 * strings come first: they are the ones that texts hold most, and what is often looked at together
 * then stands together in memory.
 */
#include "classifiers/rules_build_private.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Without the hand-written part, categories have no patterns. */
static void drop_hand(struct rules_builder *builder)
{
    size_t kept = 0;
    if ((builder->parts & RULES_HAND) != 0)
        return;
    for (size_t i = 0; i < builder->word_count; i++) {
        struct rules_word *word = &builder->words[i];
        if (builder->rules->targets[word->use.target].what == EVIDENCE_CATEGORY) {
            builder->keyword_count -= word->what == RULES_WORD_KEYWORD;
            regex_free(&word->regex);
        } else {
            builder->words[kept++] = *word;
        }
    }
    builder->word_count = kept;
}

/* The matcher holds LIMIT_KEYWORDS; keywords and n-grams come first, and regexes whose literals
 * find no room run on every text. */
static void drop_excess(struct rules_builder *builder)
{
    size_t triggers = 0, room = LIMIT_KEYWORDS - builder->keyword_count;
    for (size_t i = 0; i < builder->mark_count; i++)
        triggers += builder->marks[i].what == RULES_MARK_TRIGGER;
    size_t others = builder->mark_count - triggers;
    room -= others < room ? others : room;
    if (triggers <= room)
        return;
    uint32_t first = RULES_NONE; /* the first gate without room */
    triggers = 0;
    for (size_t i = 0; i < builder->mark_count && first == RULES_NONE; i++)
        if (builder->marks[i].what == RULES_MARK_TRIGGER && ++triggers > room)
            first = builder->marks[i].index;
    size_t kept = 0;
    for (size_t i = 0; i < builder->mark_count; i++) {
        const struct rules_mark *mark = &builder->marks[i];
        if (mark->what == RULES_MARK_TRIGGER && mark->index >= first)
            builder->rules->gates[mark->index].sets = 0;
        else
            builder->marks[kept++] = *mark;
    }
    builder->mark_count = kept;
}

static int compare_mark(const void *left, const void *right)
{
    const struct rules_mark *a = left, *b = right;
    int form = rules_form_compare(a->folded, b->folded);
    if (form != 0)
        return form;
    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->set > b->set) - (a->set < b->set);
}

/* Takes over the regexes with a filter, or those without. */
static void freeze_regexes(struct rules_builder *builder, bool filtered)
{
    struct rules *rules = builder->rules;
    for (size_t i = 0; i < builder->word_count; i++) {
        struct rules_word *word = &builder->words[i];
        if (word->regex == NULL || (rules->gates[word->gate].sets != 0) != filtered)
            continue;
        rules->gates[word->gate].regex = (uint32_t)rules->regex_count;
        rules->regexes[rules->regex_count++] = (struct rules_regex){
            word->regex, (uint32_t)i, word->gate, word->use.target, word->place};
        word->regex = NULL;
    }
}

/* The uses of one condition stand together. */
static void extend_condition(struct rules_condition *condition, uint32_t use)
{
    if (condition->use_at == condition->use_end)
        condition->use_at = use;
    condition->use_end = use + 1;
}

static int freeze_words(struct rules_builder *builder)
{
    struct rules *rules = builder->rules;
    size_t count = builder->word_count;
    if (count > 1)
        qsort(builder->words, count, sizeof *builder->words, rules_word_compare);
    rules->uses = mem_alloc((count + 1) * sizeof *rules->uses);
    rules->regexes = mem_alloc((count + 1) * sizeof *rules->regexes);
    rules->sources = mem_alloc((count + 1) * sizeof *rules->sources);
    if (rules->uses == NULL || rules->regexes == NULL || rules->sources == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct rules_word *word = &builder->words[i];
        struct rules_mark mark = {
            .folded = word->folded, .what = RULES_MARK_USE, .index = (uint32_t)i};
        if (word->what == RULES_WORD_KEYWORD && rules_builder_mark(builder, mark) != 0)
            return -1;
        if (word->what == RULES_WORD_CONDITION)
            extend_condition(&rules->conditions[word->condition], (uint32_t)i);
        rules->uses[rules->use_count] = word->use;
        rules->sources[rules->use_count++] = word->source;
    }
    freeze_regexes(builder, false);
    rules->unfiltered_count = rules->regex_count;
    freeze_regexes(builder, true);
    return 0;
}

/* The end of the run of marks that are one string. */
static size_t end_of(const struct rules_builder *builder, size_t i)
{
    size_t end = i + 1;
    while (end < builder->mark_count &&
           span_eq(builder->marks[i].folded, builder->marks[end].folded))
        end++;
    return end;
}

/* Where the runs of the next value begin. */
struct runs {
    uint32_t use, trigger, wake;
};

/* Makes the value of marks [i, end). */
static int add_value(struct rules_builder *builder, size_t i, size_t end, struct runs *runs,
                     struct keywords_builder *matcher, struct err *err)
{
    struct rules *rules = builder->rules;
    uint32_t value = (uint32_t)rules->value_count++;
    struct span folded = builder->marks[i].folded;
    rules->keyword_count += builder->marks[i].what == RULES_MARK_USE;
    rules->ngrams[value] = LEARNED_NONE;
    for (size_t m = i; m < end; m++) {
        const struct rules_mark *mark = &builder->marks[m];
        if (mark->what == RULES_MARK_USE)
            runs->use++; /* words and marks sort alike */
        else if (mark->what == RULES_MARK_TRIGGER)
            rules->triggers[runs->trigger++] = (struct rules_trigger){mark->index, mark->set};
        else if (mark->what == RULES_MARK_WAKE)
            rules->wakes[runs->wake++] = mark->index;
        else if (mark->what == RULES_MARK_ITEM)
            rules->items[mark->index].index = value;
        else if (mark->what == RULES_MARK_NEGATION)
            rules->negations[value] |= (uint8_t)mark->index;
        else if (rules->ngrams[value] == LEARNED_NONE)
            rules->ngrams[value] = (uint16_t)mark->index;
    }
    return keywords_add(matcher, (const uint16_t *)(const void *)folded.ptr,
                        folded.len / sizeof(uint16_t), value, err);
}

/* Makes the values of strings that a person wrote, or those of the others. */
static int add_values(struct rules_builder *builder, bool by_hand, struct keywords_builder *matcher,
                      struct err *err)
{
    struct rules *rules = builder->rules;
    struct runs runs = {0, 0, 0};
    for (size_t i = 0, end; i < builder->mark_count; i = end) {
        end = end_of(builder, i);
        if ((builder->marks[i].what != RULES_MARK_NGRAM) != by_hand)
            continue;
        if (by_hand)
            rules->values[rules->value_count] =
                (struct rules_value){runs.use, runs.trigger, runs.wake};
        if (add_value(builder, i, end, &runs, matcher, err) != 0)
            return -1;
    }
    if (by_hand) {
        rules->hand_count = rules->value_count;
        rules->values[rules->hand_count] = (struct rules_value){runs.use, runs.trigger, runs.wake};
    }
    return 0;
}

static int freeze_keywords(struct rules_builder *builder, struct err *err)
{
    struct rules *rules = builder->rules;
    size_t count = builder->mark_count;
    if (count > 1)
        qsort(builder->marks, count, sizeof *builder->marks, compare_mark);
    rules->triggers = mem_alloc((count + 1) * sizeof *rules->triggers);
    rules->wakes = mem_alloc((count + 1) * sizeof *rules->wakes);
    rules->values = mem_alloc((count + 1) * sizeof *rules->values);
    rules->ngrams = mem_alloc((count + 1) * sizeof *rules->ngrams);
    rules->negations = mem_zalloc(count + 1, sizeof *rules->negations);
    struct keywords_builder *matcher = keywords_builder_new();
    if (rules->triggers == NULL || rules->wakes == NULL || rules->values == NULL ||
        rules->ngrams == NULL || rules->negations == NULL || matcher == NULL)
        rules_builder_no_memory(err);
    else if (add_values(builder, true, matcher, err) == 0 &&
             add_values(builder, false, matcher, err) == 0)
        rules->keywords = keywords_build(matcher, err);
    keywords_builder_free(&matcher);
    return rules->keywords == NULL ? -1 : 0;
}

static int make_kin(struct rules *rules)
{
    rules->kin = mem_alloc((rules->target_count + 1) * sizeof *rules->kin);
    if (rules->kin == NULL)
        return -1;
    for (uint32_t t = 0; t < rules->target_count; t++) {
        const struct rules_target *target = &rules->targets[t];
        const bool has_parent = target->parent != RULES_NONE;
        const uint32_t parent = has_parent ? target->parent : t;
        const struct rules_kin *above = &rules->kin[parent]; /* made before */
        rules->kin[t] = (struct rules_kin){
            .parent = (uint16_t)parent,
            .grandparent = (uint16_t)(has_parent && above->parent != parent ? above->parent : t),
            .top = (uint16_t)(has_parent                          ? above->top
                              : target->what == EVIDENCE_CATEGORY ? t
                                                                  : RULES_KIN_NONE),
            .what = (uint8_t)target->what,
            .label = (uint8_t)(target->label < 0 ? LEARNED_LABELS_MAX : target->label)};
    }
    return 0;
}

/* What counts while the rule set is in use. */
static int make_counters(struct rules *rules)
{
    static atomic_uint_least64_t serial;
    rules->serial = atomic_fetch_add_explicit(&serial, 1, memory_order_relaxed) + 1;
    rules->tallies = mem_zalloc(rules->gate_count + 1, sizeof *rules->tallies);
    rules->counters = mem_zalloc(rules->target_count + 1, sizeof *rules->counters);
    return rules->tallies == NULL || rules->counters == NULL ? -1 : 0;
}

struct rules *rules_builder_freeze(struct rules_builder *builder, struct err *err)
{
    drop_hand(builder);
    if (rules_builder_wake(builder) != 0) {
        rules_builder_no_memory(err);
        return NULL;
    }
    drop_excess(builder);
    if (freeze_words(builder) != 0 || make_kin(builder->rules) != 0 ||
        make_counters(builder->rules) != 0) {
        rules_builder_no_memory(err);
        return NULL;
    }
    if (freeze_keywords(builder, err) != 0)
        return NULL;
    struct rules *rules = builder->rules;
    builder->rules = NULL;
    return rules;
}
