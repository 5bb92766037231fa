/*
 * Conditions while the rule set is built, and what wakes them.
 *
 * Looking at every condition for every text would cost what exists, not what matches. So of each
 * condition that rules use, some words are chosen without which it cannot hold, as few as may be:
 * of `any` the words of all items, of `all` those of the best item, of `near` the shortest list; a
 * condition inside stands for its own words, a regex for its best set of literals (literals.h).
 * Those words wake it. `none` needs no words, so a condition made of nothing else may be named by
 * other conditions only.
 */
#include "classifiers/rules_build_private.h"

#include "engine/base/limits.h"
#include "engine/base/mem.h"

static int grow_conditions(struct rules_builder *builder)
{
    struct rules *rules = builder->rules;
    size_t count = rules->condition_count;
    struct rules_condition *conditions = rules_builder_grown(
        rules->conditions, &builder->condition_capacity, count, sizeof *conditions);
    if (conditions != NULL)
        rules->conditions = conditions;
    struct rules_need *needs =
        rules_builder_grown(builder->needs, &builder->need_capacity, count, sizeof *needs);
    if (needs != NULL)
        builder->needs = needs;
    return conditions == NULL || needs == NULL ? -1 : 0;
}

uint32_t rules_builder_condition(struct rules_builder *builder, struct span name, struct span place,
                                 struct err *err)
{
    struct rules *rules = builder->rules;
    if (rules->condition_count == LIMIT_CONDITIONS) {
        err_set(err, ERR_LIMIT, "more than %d conditions; remove some", LIMIT_CONDITIONS);
        return RULES_NONE;
    }
    if (grow_conditions(builder) != 0) {
        rules_builder_no_memory(err);
        return RULES_NONE;
    }
    size_t index = rules->condition_count++;
    rules->conditions[index] = (struct rules_condition){.name = name, .place = place};
    builder->needs[index] = (struct rules_need){.depth = 0};
    return (uint32_t)index;
}

uint32_t rules_builder_find_condition(const struct rules_builder *builder, struct span name)
{
    for (size_t i = 0; i < builder->rules->condition_count; i++)
        if (span_eq(builder->rules->conditions[i].name, name))
            return (uint32_t)i;
    return RULES_NONE;
}

int rules_builder_part(struct rules_builder *builder, uint32_t condition, enum rules_part_for what,
                       uint32_t lists, uint32_t within, struct err *err)
{
    struct rules *rules = builder->rules;
    struct rules_part *parts = rules_builder_grown(rules->parts, &builder->part_capacity,
                                                   rules->part_count, sizeof *parts);
    if (parts == NULL)
        return rules_builder_no_memory(err);
    rules->parts = parts;
    uint32_t item = (uint32_t)rules->item_count;
    parts[rules->part_count] = (struct rules_part){what, item, item, lists, within};
    struct rules_condition *c = &rules->conditions[condition];
    if (c->part_at == c->part_end)
        c->part_at = (uint32_t)rules->part_count;
    c->part_end = (uint32_t)++rules->part_count;
    return 0;
}

/* Adds an item to the newest part; word is its folded form, or empty. */
static int add_item(struct rules_builder *builder, struct rules_item item, struct span word,
                    struct err *err)
{
    struct rules *rules = builder->rules;
    if (rules->item_count == LIMIT_CONDITION_ITEMS)
        return err_set(err, ERR_LIMIT, "more than %d words in all conditions; remove some",
                       LIMIT_CONDITION_ITEMS);
    struct rules_item *items = rules_builder_grown(rules->items, &builder->item_capacity,
                                                   rules->item_count, sizeof *items);
    if (items != NULL)
        rules->items = items;
    struct span *words = rules_builder_grown(builder->item_words, &builder->item_word_capacity,
                                             rules->item_count, sizeof *words);
    if (words != NULL)
        builder->item_words = words;
    word = arena_copy(builder->arena, word);
    struct rules_mark mark = {
        .folded = word, .what = RULES_MARK_ITEM, .index = (uint32_t)rules->item_count};
    if (items == NULL || words == NULL || word.ptr == NULL ||
        (word.len != 0 && rules_builder_mark(builder, mark) != 0))
        return rules_builder_no_memory(err);
    words[rules->item_count] = word;
    items[rules->item_count++] = item;
    rules->parts[rules->part_count - 1].item_end = (uint32_t)rules->item_count;
    return 0;
}

int rules_builder_item_word(struct rules_builder *builder, struct span text, enum rules_scope scope,
                            uint32_t list, struct err *err)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct span folded;
    struct rules_item item = {.what = RULES_ITEM_WORD, .scope = scope, .list = list};
    if (rules_builder_fold(text, units, &folded, err) != 0)
        return -1;
    return add_item(builder, item, folded, err);
}

int rules_builder_item_regex(struct rules_builder *builder, struct span pattern, struct span place,
                             struct err *err)
{
    struct rules_item item = {.what = RULES_ITEM_REGEX};
    item.index = rules_builder_asked(builder, pattern, RULES_NONE, place, err);
    return item.index == RULES_NONE ? -1 : add_item(builder, item, SPAN(""), err);
}

int rules_builder_item_condition(struct rules_builder *builder, uint32_t condition, struct err *err)
{
    struct rules_item item = {.what = RULES_ITEM_CONDITION, .index = condition};
    return add_item(builder, item, SPAN(""), err);
}

/* --- what a condition needs --- */

/* a + b; RULES_NONE when either is. */
static uint32_t add_words(uint32_t a, uint32_t b)
{
    return a == RULES_NONE || b == RULES_NONE || a + b >= LIMIT_KEYWORDS ? RULES_NONE : a + b;
}

/* How many words an item needs one of; a regex without literals more than any other item. */
static uint32_t item_words(const struct rules_builder *builder, const struct rules_item *item)
{
    if (item->what == RULES_ITEM_WORD)
        return 1;
    if (item->what == RULES_ITEM_CONDITION)
        return builder->needs[item->index].words;
    const struct rules_best_set *best =
        &builder->best_sets[builder->rules->asked[item->index].gate];
    return best->at == best->end ? LIMIT_KEYWORDS / 2 : (uint32_t)(best->end - best->at);
}

/* Where the list that begins at an item of `near` ends. */
static uint32_t list_end(const struct rules *rules, const struct rules_part *part, uint32_t at)
{
    uint32_t end = at + 1;
    while (end < part->item_end && rules->items[end].list == rules->items[at].list)
        end++;
    return end;
}

/* The words that a part needs, and for `all` and `near` the item they are of. */
static uint32_t part_words(const struct rules_builder *builder, const struct rules_part *part,
                           uint32_t *best)
{
    const struct rules *rules = builder->rules;
    uint32_t words = part->what == RULES_PART_ANY ? 0 : RULES_NONE;
    if (part->what == RULES_PART_NONE)
        return RULES_NONE;
    for (uint32_t i = part->item_at, next; i < part->item_end; i = next) {
        uint32_t n = item_words(builder, &rules->items[i]);
        next = i + 1;
        if (part->what == RULES_PART_NEAR) {
            next = list_end(rules, part, i);
            n = next - i;
        }
        if (part->what == RULES_PART_ANY)
            words = add_words(words, n);
        else if (n < words) {
            words = n;
            *best = i;
        }
    }
    return words;
}

static void find_need(struct rules_builder *builder, uint32_t condition)
{
    const struct rules_condition *c = &builder->rules->conditions[condition];
    struct rules_need *need = &builder->needs[condition];
    need->words = RULES_NONE;
    for (uint32_t p = c->part_at; p < c->part_end; p++) {
        uint32_t item = RULES_NONE;
        uint32_t words = part_words(builder, &builder->rules->parts[p], &item);
        if (words < need->words) {
            need->words = words;
            need->part = p;
            need->item = item;
        }
    }
}

/* --- cycles --- */

enum { VISITING = UINT32_MAX };

/* Follows what a condition names; need->depth is 0 before, VISITING on the way, and then how many
 * conditions stand one inside the other, itself too. level bounds the recursion. */
static int visit(struct rules_builder *builder, uint32_t condition, uint32_t level, uint32_t *bad,
                 struct err *err)
{
    const struct rules *rules = builder->rules;
    const struct rules_condition *c = &rules->conditions[condition];
    struct rules_need *need = &builder->needs[condition];
    *bad = condition;
    if (need->depth == VISITING)
        return err_set(err, ERR_INVALID,
                       "the condition “%.*s” needs itself; let none of those that it names lead "
                       "back to it",
                       SPAN_ARG(c->name));
    if (level + need->depth > LIMIT_CONDITION_DEPTH)
        return err_set(err, ERR_LIMIT,
                       "more than %d conditions stand one inside the other; nest them less",
                       LIMIT_CONDITION_DEPTH);
    if (need->depth != 0)
        return 0;
    uint32_t depth = 0;
    need->depth = VISITING;
    for (uint32_t p = c->part_at; p < c->part_end; p++)
        for (uint32_t i = rules->parts[p].item_at; i < rules->parts[p].item_end; i++) {
            const struct rules_item *item = &rules->items[i];
            if (item->what != RULES_ITEM_CONDITION)
                continue;
            if (visit(builder, item->index, level + 1, bad, err) != 0)
                return -1;
            if (builder->needs[item->index].depth > depth)
                depth = builder->needs[item->index].depth;
        }
    need->depth = depth + 1;
    find_need(builder, condition);
    return 0;
}

int rules_builder_end_conditions(struct rules_builder *builder, uint32_t *bad, struct err *err)
{
    for (uint32_t i = 0; i < builder->rules->condition_count; i++)
        if (visit(builder, i, 0, bad, err) != 0)
            return -1;
    return 0;
}

int rules_builder_use_condition(struct rules_builder *builder, uint32_t target, uint32_t condition,
                                const struct rules_pattern *pattern, struct err *err)
{
    struct rules_word word = {
        .what = RULES_WORD_CONDITION, .folded = pattern->text, .condition = condition};
    if (builder->needs[condition].words == RULES_NONE)
        return err_set(err, ERR_INVALID,
                       "the condition “%.*s” also holds for a text with none of its words; give it "
                       "an any, all or near with words, or name it in another condition",
                       SPAN_ARG(pattern->text));
    return rules_builder_word(builder, word, target, pattern, err);
}

/* --- what wakes a condition --- */

static int wake_by(struct rules_builder *builder, uint32_t condition, uint32_t root);

/* No word wakes root, so it is looked at in every text. The array has room for every condition. */
static int look_always(struct rules *rules, uint32_t root)
{
    bool listed = rules->always_count != 0 && rules->always[rules->always_count - 1] == root;
    if (!listed)
        rules->always[rules->always_count++] = root;
    return 0;
}

/* The words of one item wake root. */
static int wake_by_item(struct rules_builder *builder, uint32_t index, uint32_t root)
{
    const struct rules_item *item = &builder->rules->items[index];
    struct rules_mark mark = {.what = RULES_MARK_WAKE, .index = root};
    if (item->what == RULES_ITEM_CONDITION)
        return wake_by(builder, item->index, root);
    if (item->what == RULES_ITEM_WORD) {
        mark.folded = builder->item_words[index];
        return rules_builder_mark(builder, mark);
    }
    struct rules_best_set best = builder->best_sets[builder->rules->asked[item->index].gate];
    if (best.at == best.end)
        return look_always(builder->rules, root);
    for (size_t i = best.at; i < best.end; i++) {
        mark.folded = builder->marks[i].folded;
        if (rules_builder_mark(builder, mark) != 0)
            return -1;
    }
    return 0;
}

/* The words that `condition` needs wake root. */
static int wake_by(struct rules_builder *builder, uint32_t condition, uint32_t root)
{
    struct rules_need *need = &builder->needs[condition];
    const struct rules_part *part = &builder->rules->parts[need->part];
    if (need->visit == root + 1)
        return 0;
    need->visit = root + 1;
    uint32_t at = part->item_at, end = part->item_end;
    if (part->what != RULES_PART_ANY) {
        at = need->item;
        end = part->what == RULES_PART_NEAR ? list_end(builder->rules, part, at) : at + 1;
    }
    for (uint32_t i = at; i < end; i++)
        if (wake_by_item(builder, i, root) != 0)
            return -1;
    return 0;
}

int rules_builder_wake(struct rules_builder *builder)
{
    struct rules *rules = builder->rules;
    rules->always = mem_alloc((rules->condition_count + 1) * sizeof *rules->always);
    if (rules->always == NULL)
        return -1;
    for (size_t i = 0; i < builder->word_count; i++) {
        const struct rules_word *word = &builder->words[i];
        if (word->what != RULES_WORD_CONDITION || builder->needs[word->condition].has_wakes)
            continue;
        builder->needs[word->condition].has_wakes = true;
        if (wake_by(builder, word->condition, word->condition) != 0)
            return -1;
    }
    return 0;
}
