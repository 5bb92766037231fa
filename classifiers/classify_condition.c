#include "classifiers/classify_private.h"

/* What one item says. */
struct answer {
    bool holds, limited;
    size_t from, to; /* where; from == to when it holds by no word */
};

static struct answer ask_word(struct classify_job *job, const struct rules_item *item)
{
    const struct classify_met *met = classify_met_value(job, item->index);
    const struct keywords_found *at = met == NULL ? NULL : classify_first(job, met, item->scope);
    struct answer answer = {.holds = false};
    if (at != NULL)
        answer = (struct answer){.holds = true, .from = at->from, .to = classify_end(at)};
    return answer;
}

static struct answer ask(struct classify_job *job, const struct rules_item *item)
{
    if (item->what == RULES_ITEM_WORD)
        return ask_word(job, item);
    struct answer answer = {.holds = false};
    if (item->what == RULES_ITEM_REGEX) {
        answer.holds = classify_asks(job, item->index, &answer.limited, &answer.from, &answer.to);
        return answer;
    }
    const struct classify_condition *c = classify_condition(job, item->index);
    return (struct answer){c->holds, c->limited, c->from, c->to};
}

/* Notes where the condition holds: the first place that a part gives. */
static void place(struct classify_condition *state, size_t from, size_t to)
{
    if (state->from != state->to || from == to)
        return;
    state->from = (uint32_t)from;
    state->to = (uint32_t)to;
}

/* any: one of the items holds; all: each; none: none of them. */
static bool items_hold(struct classify_job *job, const struct rules_part *part,
                       struct classify_condition *state)
{
    for (uint32_t i = part->item_at; i < part->item_end; i++) {
        struct answer answer = ask(job, &job->rules->items[i]);
        state->limited |= answer.limited;
        if (answer.holds && part->what != RULES_PART_NONE)
            place(state, answer.from, answer.to);
        if (part->what == RULES_PART_ALL ? !answer.holds : answer.holds)
            return part->what == RULES_PART_ANY;
    }
    return part->what != RULES_PART_ANY;
}

/* Collects where the words of a `near` stand, as many as are looked at, and how many of its lists
 * have one. */
static size_t collect(struct classify_job *job, const struct rules_part *part, uint32_t *lists)
{
    struct rules_scratch *s = job->scratch;
    size_t count = 0;
    uint32_t last = RULES_NONE;
    *lists = 0;
    for (uint32_t i = part->item_at; i < part->item_end; i++) {
        const struct rules_item *item = &job->rules->items[i];
        if (item->list > *lists) /* the list before it has none */
            return count;
        const struct classify_met *met = classify_met_value(job, item->index);
        if (met == NULL)
            continue;
        *lists += item->list != last;
        last = item->list;
        /* A list that fills its share leaves room for the others. */
        size_t room = LIMIT_NEAR_HITS / part->lists * (item->list + 1);
        for (uint32_t h = met->first; h != RULES_NONE && count < room; h = s->next[h])
            s->near_hits[count++] = (struct near_hit){.from = s->hits.items[h].from,
                                                      .to = classify_end(&s->hits.items[h]),
                                                      .list = item->list};
    }
    return count;
}

static bool near_holds(struct classify_job *job, const struct rules_part *part,
                       struct classify_condition *state)
{
    struct rules_scratch *s = job->scratch;
    uint32_t lists;
    size_t count = collect(job, part, &lists), from, to;
    if (lists < part->lists || !condition_near(s->near_hits, count, part->lists, part->within,
                                               s->text.title_units, &from, &to))
        return false;
    place(state, from, to);
    return true;
}

const struct classify_condition *classify_condition(struct classify_job *job, uint32_t condition)
{
    struct classify_condition *state = &job->scratch->conditions[condition];
    const struct rules_condition *c = &job->rules->conditions[condition];
    if (state->epoch == job->scratch->epoch)
        return state;
    state->epoch = job->scratch->epoch;
    state->limited = false;
    state->from = state->to = 0;
    state->holds = true;
    for (uint32_t p = c->part_at; p < c->part_end && state->holds; p++) {
        const struct rules_part *part = &job->rules->parts[p];
        state->holds = part->what == RULES_PART_NEAR ? near_holds(job, part, state)
                                                     : items_hold(job, part, state);
    }
    return state;
}

static int count_condition(struct classify_job *job, uint32_t condition)
{
    const struct rules_condition *c = &job->rules->conditions[condition];
    const struct classify_condition *state = classify_condition(job, condition);
    for (uint32_t u = c->use_at; u < c->use_end && state->holds; u++)
        if (classify_add_match(job, u, state->from, state->to, false) != 0)
            return -1;
    return 0;
}

int classify_conditions(struct classify_job *job)
{
    const struct rules *rules = job->rules;
    for (size_t i = 0; i < job->scratch->woken_count; i++)
        if (count_condition(job, job->scratch->woken[i]) != 0)
            return -1;
    for (size_t i = 0; i < rules->always_count; i++)
        if (job->scratch->conditions[rules->always[i]].woken_epoch != job->scratch->epoch &&
            count_condition(job, rules->always[i]) != 0)
            return -1;
    return 0;
}
