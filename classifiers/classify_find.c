/*
 * Find: what stands in the text, and what it is worth.
 *
 * Whether a hit was met before, how many uses a value has, which targets a text touches: none of it
 * can be foretold, and a branch that is guessed wrong costs more than all the work for one hit. So
 * the common case of each loop below writes what may be needed and then counts it or not.
 */
#include "classifiers/classify_private.h"
#include "engine/base/limits.h"

/* --- matches --- */

static int fit_matches(struct rules_scratch *s, size_t more)
{
    while (s->match_capacity - s->match_count < more) {
        struct evidence_match *matches =
            classify_grow(s->matches, &s->match_capacity, s->match_capacity, sizeof *matches);
        if (matches == NULL)
            return -1;
        s->matches = matches;
    }
    return 0;
}

static inline struct evidence_match match_of(const struct rules_use *use, uint32_t index,
                                             size_t from, size_t to, bool negated)
{
    return (struct evidence_match){.use = index,
                                   .target = use->target,
                                   .weight = negated ? 0 : use->weight,
                                   .from = (uint32_t)from,
                                   .to = (uint32_t)to,
                                   .negated = negated};
}

int classify_add_match(struct classify_job *job, uint32_t use, size_t from, size_t to, bool negated)
{
    struct rules_scratch *s = job->scratch;
    if (fit_matches(s, 1) != 0)
        return -1;
    s->matches[s->match_count++] = match_of(&job->rules->uses[use], use, from, to, negated);
    return 0;
}

/* --- keywords --- */

/* Whether a hit of a value whose chain is full is taken too: the body's first is, for the scope
 * `text`. */
static bool is_taken(const struct rules_scratch *s, const struct classify_met *met, uint32_t from)
{
    return s->hits.items[met->last].from < s->text.title_units && from >= s->text.title_units;
}

/* Puts the values that were met into s->met, each with the chain of its hits; moves the hits of
 * negation words to the front of s->word_hits. Returns how many these are. */
static size_t meet(struct classify_job *job, size_t words)
{
    struct rules_scratch *s = job->scratch;
    const struct keywords_found *hits = s->hits.items;
    const uint8_t *negations = job->rules->negations;
    const struct rules_value *values = job->rules->values;
    struct classify_met *met = s->met;
    uint32_t *next = s->next; /* there is room for every hit */
    uint32_t *slots = s->met_slots, *word_hits = s->word_hits;
    uint32_t met_count = 0;
    size_t negated = 0;
    for (size_t i = 0; i < words; i++) {
        const uint32_t hit = word_hits[i], value = hits[hit].value;
        const uint32_t slot = slots[value], fresh = slot == 0;
        const uint32_t old = fresh - 1;     /* a mask; compilers make branches of `fresh ? a : b` */
        __builtin_prefetch(&values[value]); /* for count_keywords */
        word_hits[negated] = hit;
        negated += negations[value] != 0;
        met_count += fresh;
        const uint32_t place = (slot & old) | (met_count & ~old);
        struct classify_met *m = &met[place - 1];
        const uint32_t count = m->count & old;
        slots[value] = place;
        m->value = value;
        m->count = count + 1;
        if (count >= LIMIT_OCCURRENCES && !is_taken(s, m, hits[hit].from))
            continue;
        m->first = (m->first & old) | (hit & ~old);
        next[(m->last & old) | (hit & ~old)] = hit; /* when fresh, itself: see the next line */
        next[hit] = RULES_NONE;
        m->last = hit;
    }
    s->met_count = met_count;
    return negated;
}

/* Which hits are n-grams and which are words of a rule (some are both) cannot be foreseen, so the
 * words are sorted out first. Returns how many they are. */
static size_t sort_hits(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct keywords_found *hits = s->hits.items;
    const size_t count = s->hits.count, hand_count = job->rules->hand_count;
    uint32_t *const word_hits = s->word_hits;
    struct learned_sums sums = s->sums; /* a copy, which the compiler can keep in registers */
    size_t words = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t value = hits[i].value;
        word_hits[words] = (uint32_t)i;
        words += value < hand_count;
        learned_add(&sums, value, (uint32_t)i);
    }
    s->sums.count = sums.count;
    return words;
}

static int scan(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    if (keywords_find(job->rules->keywords, s->text.units, s->text.count, &s->hits) != 0 ||
        classify_fit_hits(s, s->hits.count) != 0)
        return -1;
    const size_t words = sort_hits(job), negated = meet(job, words);
    for (size_t i = 0; i < negated; i++) {
        const struct keywords_found *hit = &s->hits.items[s->word_hits[i]];
        const struct negation_word word = {hit->from, classify_end(hit),
                                           job->rules->negations[hit->value]};
        if (negation_add(&s->negation, word) != 0)
            return -1;
    }
    return 0;
}

/* Appends the items [at, end) of a met value to the picks. */
static inline size_t pick(struct classify_pick *picks, size_t count, uint32_t at, uint32_t end,
                          uint32_t met)
{
    const uint32_t items = end - at;
    for (uint32_t i = 0; i < CLASSIFY_PICKED; i++)
        picks[count + i] = (struct classify_pick){at + i, met};
    if (items <= CLASSIFY_PICKED)
        return count + items;
    for (; at < end; at++)
        picks[count++] = (struct classify_pick){at, met};
    return count;
}

/* A keyword counts where it first stands in its scope and is not negated. When all the occurrences
 * that were kept are negated and there are more, it counts at the first: an emergency is not
 * lowered by what was not read. */
static int count_use(struct classify_job *job, const struct classify_met *met, uint32_t index)
{
    const struct rules_use *use = &job->rules->uses[index];
    const struct rules_scratch *s = job->scratch;
    const struct keywords_found *hits = s->hits.items;
    const struct keywords_found *first = classify_first(job, met, use->scope);
    if (first == NULL)
        return 0;
    for (uint32_t h = (uint32_t)(first - hits); h != RULES_NONE; h = s->next[h]) {
        const uint32_t from = hits[h].from, to = classify_end(&hits[h]);
        if (use->scope == RULES_TITLE && from >= s->text.title_units)
            break;
        if (!use->negatable || !classify_is_negated(job, from, to))
            return classify_add_match(job, index, from, to, false);
    }
    bool unread = met->count > LIMIT_OCCURRENCES;
    return classify_add_match(job, index, first->from, classify_end(first), !unread);
}

static int count_uses(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules_value *values = job->rules->values;
    const struct rules_use *uses = job->rules->uses;
    const size_t title_units = s->text.title_units;
    size_t count = 0;
    for (uint32_t i = 0; i < s->met_count; i++) {
        const struct rules_value *value = &values[s->met[i].value];
        __builtin_prefetch(&uses[value->use]);
        count = pick(s->picks, count, value->use, value[1].use, i);
    }
    if (fit_matches(s, count + 1) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct classify_met *met = &s->met[s->picks[i].met];
        const struct keywords_found *first = &s->hits.items[met->first];
        const uint32_t to = classify_end(first);
        const uint32_t index = s->picks[i].item;
        const struct rules_use *use = &uses[index];
        if (use->negatable || use->scope == RULES_TEXT) { /* few are */
            if (count_use(job, met, index) != 0 || fit_matches(s, count - i) != 0)
                return -1;
            continue;
        }
        s->matches[s->match_count] = match_of(use, index, first->from, to, false);
        s->match_count += use->scope == RULES_ANYWHERE || to <= title_units;
    }
    return 0;
}

/* Literals of regexes were met: a gate opens when all sets of its regex are. */
static int pull_gates(struct classify_job *job, size_t count)
{
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    while (s->pull_capacity < count) {
        struct classify_pull *pulls =
            classify_grow(s->pulls, &s->pull_capacity, s->pull_capacity, sizeof *pulls);
        if (pulls == NULL)
            return -1;
        s->pulls = pulls;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct rules_trigger *trigger = &rules->triggers[s->picks[i].item];
        const struct rules_gate *wanted = &rules->gates[trigger->gate];
        struct classify_gate *gate = &s->gates[trigger->gate];
        const bool fresh = gate->epoch != s->epoch;
        const uint32_t before = (uint32_t)classify_if(!fresh, gate->met);
        const uint32_t met = before | trigger->set;
        s->pulls[i] = (struct classify_pull){trigger->set, s->picks[i].met,
                                             gate->pull | (uint32_t)classify_if(fresh, RULES_NONE)};
        *gate = (struct classify_gate){s->epoch, met, i};
        s->ready[s->ready_count] = wanted->regex;
        s->ready_count +=
            (before != wanted->sets) & (met == wanted->sets) & (wanted->regex != RULES_NONE);
    }
    return 0;
}

static void wake(struct classify_job *job, uint32_t condition)
{
    struct rules_scratch *s = job->scratch;
    struct classify_condition *state = &s->conditions[condition];
    if (state->woken_epoch == s->epoch)
        return;
    state->woken_epoch = s->epoch;
    s->woken[s->woken_count++] = condition;
}

static int count_keywords(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    size_t count = 0;
    if (count_uses(job) != 0)
        return -1;
    for (uint32_t i = 0; i < s->met_count; i++) {
        const struct rules_value *value = &rules->values[s->met[i].value];
        count = pick(s->picks, count, value->trigger, value[1].trigger, i);
        for (uint32_t w = value->wake; w < value[1].wake; w++)
            wake(job, rules->wakes[w]);
    }
    return pull_gates(job, count);
}

/* --- scores --- */

static inline struct classify_cell *touch(struct rules_scratch *s, uint32_t target)
{
    struct classify_cell *cell = &s->cells[target];
    s->touched[s->touched_count] = target;
    s->touched_count += !cell->touched;
    cell->touched = true;
    return cell;
}

/* Counts, of the target of each match, the text and what the matches come to; then adds that to the
 * categories above it. A match that is negated only shows the target. */
static void add_up(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules_kin *kin = job->rules->kin;
    for (size_t i = 0; i < s->match_count; i++) {
        struct classify_cell *cell = touch(s, s->matches[i].target);
        cell->own += s->matches[i].weight;
        cell->own_matches += !s->matches[i].negated;
    }
    const size_t count = s->touched_count;
    for (size_t i = 0; i < count; i++) {
        const uint32_t target = s->touched[i];
        const struct classify_cell own = s->cells[target];
        const bool counts = own.own_matches != 0;
        const uint32_t above[] = {target, counts ? kin[target].parent : target,
                                  counts ? kin[target].grandparent : target};
        s->cells[target].score += own.own;
        s->cells[target].matches += own.own_matches;
        for (size_t k = 1; k < 3; k++) { /* what has none above it names itself */
            const uint32_t mask = 0U - (uint32_t)(above[k] != target);
            struct classify_cell *cell = touch(s, above[k]);
            cell->score += (int)((uint32_t)own.own & mask);
            cell->matches += own.own_matches & mask;
        }
        struct classify_count *tally = &s->counts[target]; /* classify_count */
        s->counted[s->counted_count] = target;
        s->counted_count += counts & (tally->hits == 0) & (tally->nanoseconds == 0);
        tally->hits += counts;
    }
}

/* Adds what the n-grams say to the first-level categories. */
static void add_learned(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    if (s->sums.count == 0)
        return;
    learned_scores(rules->learned, &s->sums, s->hits.items, rules->ngrams, s->learned);
    for (size_t label = 0; label < learned_label_count(rules->learned); label++) {
        struct classify_cell *cell = touch(s, rules->learned_targets[label]);
        cell->score += s->learned[label];
        cell->matches++;
    }
}

int classify_find(struct classify_job *job)
{
    if (scan(job) != 0 || count_keywords(job) != 0 || classify_regexes(job) != 0 ||
        classify_conditions(job) != 0)
        return -1;
    add_up(job);
    add_learned(job);
    return 0;
}
