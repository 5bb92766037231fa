/*
 * Conditions that nothing uses or that cannot hold, and exceptions to negations that except nothing.
 */
#include "classifiers/lint_private.h"

#include <string.h>

static struct lint_condition *condition_named(struct lint *lint, struct span name)
{
    for (size_t i = 0; i < lint->conditions.count; i++)
        if (span_eq(lint->conditions.list[i].name, name))
            return &lint->conditions.list[i];
    return NULL;
}

/* Marks a condition and those that it is made of. Names do not run in circles: the rule set has
 * compiled. */
static void mark_used(struct lint *lint, struct lint_condition *condition)
{
    if (condition == NULL || condition->used)
        return;
    condition->used = true;
    size_t index = (size_t)(condition - lint->conditions.list);
    for (size_t i = 0; i < lint->items.count; i++)
        if (lint->items.list[i].condition == index && lint->items.list[i].names_condition)
            mark_used(lint, condition_named(lint, lint->items.list[i].name));
}

/* Whether a text that holds what `wanted` asks for always holds what `refused` refuses. */
static bool contradicts(const struct lint *lint, const struct lint_item *wanted,
                        const struct lint_item *refused)
{
    if (wanted->names_condition || refused->names_condition)
        return wanted->names_condition && refused->names_condition &&
               span_eq(wanted->name, refused->name);
    const struct lint_pattern *a = &lint->patterns.list[wanted->pattern];
    const struct lint_pattern *b = &lint->patterns.list[refused->pattern];
    if (b->where != LINT_ANYWHERE && b->where != a->where)
        return false;
    if (a->regex || b->regex)
        return a->regex && b->regex && a->count == b->count &&
               memcmp(a->units, b->units, a->count * sizeof *a->units) == 0;
    return lint_holds(a->units, a->count, b->units, b->count);
}

/* The item of `none` that this one always brings with it, or NULL. */
static const struct lint_item *refusal_of(const struct lint *lint, const struct lint_item *wanted)
{
    for (size_t i = 0; i < lint->items.count; i++) {
        const struct lint_item *other = &lint->items.list[i];
        if (other->condition == wanted->condition && other->part == PART_NONE &&
            contradicts(lint, wanted, other))
            return other;
    }
    return NULL;
}

static int judge_item(struct lint *lint, const struct lint_item *item)
{
    const struct lint_condition *condition = &lint->conditions.list[item->condition];
    const struct lint_item *refused = item->part == PART_NONE ? NULL : refusal_of(lint, item);
    if (refused == NULL)
        return 0;
    const struct lint_place *place =
        item->pattern == LINT_NONE ? &condition->place : &lint->patterns.list[item->pattern].place;
    return lint_find(lint, LINT_CONDITION_NEVER, place, "remove one of the two",
                     item->part == PART_ALL
                         ? "the condition “%.*s” can never hold: it asks for “%.*s”, and its none "
                           "refuses “%.*s”"
                         : "in the condition “%.*s”, “%.*s” never helps: its none refuses “%.*s”",
                     SPAN_ARG(condition->name), SPAN_ARG(item->name), SPAN_ARG(refused->name));
}

static int judge_negations(struct lint *lint)
{
    for (size_t i = 0; i < lint->negations.count; i++) {
        const struct lint_negation *exception = &lint->negations.list[i];
        bool excepts = !exception->exception;
        for (size_t k = 0; !excepts && k < lint->negations.count; k++) {
            const struct lint_negation *word = &lint->negations.list[k];
            excepts = !word->exception &&
                      lint_holds(exception->units, exception->count, word->units, word->count);
        }
        if (!excepts && lint_find(lint, LINT_NEGATION_UNUSED, &exception->place, "remove it",
                                  "this exception does nothing: no word of before or after stands "
                                  "in it") != 0)
            return -1;
    }
    return 0;
}

int lint_conditions(struct lint *lint)
{
    for (size_t i = 0; i < lint->references.count; i++)
        mark_used(lint, condition_named(lint, lint->references.list[i].name));
    for (size_t i = 0; i < lint->conditions.count; i++) {
        const struct lint_condition *condition = &lint->conditions.list[i];
        if (!condition->used &&
            lint_find(lint, LINT_CONDITION_UNUSED, &condition->place,
                      "name it in a rule's conditions, or remove it",
                      "no rule uses the condition “%.*s”", SPAN_ARG(condition->name)) != 0)
            return -1;
    }
    for (size_t i = 0; i < lint->items.count; i++)
        if (judge_item(lint, &lint->items.list[i]) != 0)
            return -1;
    return judge_negations(lint);
}
