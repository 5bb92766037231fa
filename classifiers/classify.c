/*
 * Classification in three steps: find, decide, show.
 *
 * Find: one scan of the keyword matcher finds the words of all rules, the literals that regexes need
 * and the learned n-grams. Then come the keywords that were met, one search per regex whose
 * literals were met, and the conditions whose words were met; each pattern counts once, at the
 * first place that no negation sets aside, and adds its weight to its target and to the categories
 * above it. Decide: among the targets that were touched, the best of each sort. Show: evidence for
 * what was decided.
 *
 * Nothing large is cleared between two texts, only what the last one touched; and what has an epoch
 * counts only when that is the scratch's, for every classification begins a new one. So the work is that of the text, its hits
 * and the targets they touch, however large the rule set is (but for the regexes that nothing
 * filters). A scratch keeps its memory and grows only when a larger rule set or a longer text
 * comes.
 */
#include "classifiers/classify_private.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <string.h>

enum { FIRST_ITEMS = 256, TEXTS_PER_FLUSH = 32 };

/* Of all code points U+FDFA becomes the most: 18 units of 3 bytes. */
_Static_assert(LIMIT_CLASSIFY_BYTES / 3 * 18 + 1 < KEYWORDS_TEXT_UNITS, "any text can be searched");

struct rules_scratch *rules_scratch_new(void)
{
    struct rules_scratch *scratch = mem_zalloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    scratch->regex = regex_scratch_new(NULL);
    if (scratch->regex == NULL)
        rules_scratch_free(&scratch);
    return scratch;
}

void rules_scratch_free(struct rules_scratch **scratch)
{
    struct rules_scratch *s = *scratch;
    *scratch = NULL;
    if (s == NULL)
        return;
    text_free(&s->text);
    regex_scratch_free(&s->regex);
    mem_free(s->cells);
    mem_free(s->touched);
    mem_free(s->firsts);
    keywords_hits_free(&s->hits);
    mem_free(s->word_hits);
    mem_free(s->met);
    mem_free(s->met_slots);
    mem_free(s->picks);
    mem_free(s->next);
    negation_free(&s->negation);
    mem_free(s->conditions);
    mem_free(s->woken);
    mem_free(s->gates);
    mem_free(s->pulls);
    mem_free(s->ready);
    learned_sums_free(&s->sums);
    mem_free(s->counts);
    mem_free(s->counted);
    mem_free(s->matches);
    mem_free(s);
}

const struct text *rules_scratch_text(const struct rules_scratch *scratch)
{
    return &scratch->text;
}

void *classify_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? FIRST_ITEMS : *capacity * 2;
    void *moved = mem_resize(items, wanted, size);
    if (moved != NULL)
        *capacity = wanted;
    return moved;
}

/* An array of at least count items: the old one, or zeroed new ones (marks that move are all
 * forgotten). NULL when memory is short; the old one is then as it was. */
static void *fitted(void *items, size_t *capacity, size_t count, size_t size)
{
    if (*capacity >= count && items != NULL)
        return items;
    void *fresh = mem_zalloc(count + 1, size);
    if (fresh == NULL)
        return NULL;
    mem_free(items);
    *capacity = count;
    return fresh;
}

#define FIT(array, capacity, count)                                          \
    do {                                                                     \
        void *fit_ = fitted((array), &(capacity), (count), sizeof *(array)); \
        if (fit_ == NULL)                                                    \
            return -1;                                                       \
        (array) = fit_;                                                      \
    } while (0)

/* Counts of another rule set are forgotten: it may be gone. */
static void begin_counts(struct rules_scratch *s, const struct rules *rules)
{
    if (s->serial == rules->serial)
        return;
    for (size_t i = 0; i < s->counted_count; i++)
        s->counts[s->counted[i]] = (struct classify_count){.hits = 0};
    s->counted_count = 0;
    s->uncounted = 0;
    s->serial = rules->serial;
}

struct classify_count *classify_count(struct rules_scratch *s, uint32_t target)
{
    struct classify_count *count = &s->counts[target];
    if (count->hits == 0 && count->nanoseconds == 0)
        s->counted[s->counted_count++] = target;
    return count;
}

void rules_scratch_flush(struct rules_scratch *s, const struct rules *rules)
{
    begin_counts(s, rules);
    for (size_t i = 0; i < s->counted_count; i++) {
        struct classify_count *count = &s->counts[s->counted[i]];
        struct rules_counter *counter = &rules->counters[s->counted[i]];
        atomic_fetch_add_explicit(&counter->hits, count->hits, memory_order_relaxed);
        atomic_fetch_add_explicit(&counter->nanoseconds, count->nanoseconds, memory_order_relaxed);
        *count = (struct classify_count){.hits = 0};
    }
    s->counted_count = 0;
    s->uncounted = 0;
}

int classify_fit_hits(struct rules_scratch *s, size_t count)
{
    size_t wanted = s->word_hit_capacity;
    if (count >= wanted)
        wanted = 2 * count + FIRST_ITEMS;
    FIT(s->word_hits, s->word_hit_capacity, wanted);
    FIT(s->next, s->next_capacity, wanted);
    return 0;
}

/* What is looked at most has no epochs, to be small: what the last text marked is cleared. */
static void forget_marks(struct rules_scratch *s)
{
    for (size_t i = 0; i < s->touched_count; i++)
        s->cells[s->touched[i]] = (struct classify_cell){.score = 0};
    s->touched_count = 0;
    for (size_t i = 0; i < s->met_count; i++)
        s->met_slots[s->met[i].value] = 0;
    s->met_count = 0;
    learned_begin(&s->sums, s->hits.items);
}

static int fit_rules(struct rules_scratch *s, const struct rules *rules)
{
    const size_t triggers = rules->values[rules->hand_count].trigger;
    s->fits = 0;
    FIT(s->cells, s->cell_capacity, rules->target_count);
    FIT(s->touched, s->touched_capacity, rules->target_count);
    FIT(s->firsts, s->firsts_capacity, rules->target_count);
    FIT(s->counts, s->count_capacity, rules->target_count);
    FIT(s->counted, s->counted_capacity, rules->target_count);
    FIT(s->met, s->met_capacity, rules->hand_count);
    FIT(s->met_slots, s->met_slot_capacity, rules->hand_count);
    FIT(s->picks, s->pick_capacity,
        (triggers > rules->use_count ? triggers : rules->use_count) + CLASSIFY_PICKED);
    FIT(s->conditions, s->condition_capacity, rules->condition_count);
    FIT(s->woken, s->woken_capacity, rules->condition_count);
    FIT(s->gates, s->gate_capacity, rules->gate_count);
    FIT(s->ready, s->ready_capacity, rules->regex_count);
    if (learned_fit(&s->sums, rules->ngrams, rules->value_count) != 0)
        return -1;
    s->fits = rules->serial;
    return 0;
}

int classify_begin(struct rules_scratch *s, const struct rules *rules)
{
    forget_marks(s);
    begin_counts(s, rules);
    if (s->fits != rules->serial && fit_rules(s, rules) != 0)
        return -1;
    if (++s->epoch == 0) { /* they ran out: all marks are forgotten */
        memset(s->gates, 0, s->gate_capacity * sizeof *s->gates);
        memset(s->conditions, 0, s->condition_capacity * sizeof *s->conditions);
        s->epoch = 1;
    }
    s->hits.count = 0;
    s->woken_count = 0;
    negation_reset(&s->negation);
    regex_scratch_begin(s->regex);
    s->ready_count = 0;
    s->pull_count = 0;
    s->match_count = 0;
    s->regex_limited = false;
    return 0;
}

int classify(const struct rules *rules, struct rules_scratch *scratch, struct span title,
             struct span text, struct verdict *verdict, struct err *err)
{
    if (text_set(&scratch->text, title, text, err) != 0)
        return -1;
    *verdict = (struct verdict){.rule_set = rules_id(rules)};
    struct classify_job job = {.rules = rules,
                               .scratch = scratch,
                               .verdict = verdict,
                               .winner = RULES_NONE,
                               .runner_up = RULES_NONE};
    if (classify_begin(scratch, rules) != 0 || classify_find(&job) != 0)
        return err_set(err, ERR_NOMEM, "out of memory while classifying");
    classify_decide(&job);
    classify_show(&job);
    if (++scratch->uncounted >= TEXTS_PER_FLUSH)
        rules_scratch_flush(scratch, rules);
    return 0;
}
