#include "classifiers/classify_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"

enum {
    SAMPLED_TEXTS = 16, /* one text in so many is timed */
    CALL_UNITS = 16     /* a search costs about as much as trying so many units */
};

static struct classify_cell *touch(struct rules_scratch *s, uint32_t target)
{
    struct classify_cell *cell = &s->cells[target];
    if (cell->epoch != s->epoch) {
        *cell = (struct classify_cell){.epoch = s->epoch};
        s->touched[s->touched_count++] = target;
    }
    return cell;
}

static void add_score(struct classify_job *job, uint32_t target, int weight)
{
    for (; target != RULES_NONE; target = job->rules->targets[target].parent) {
        struct classify_cell *cell = touch(job->scratch, target);
        cell->score += weight;
        cell->matches++;
    }
}

int classify_add_match(struct classify_job *job, uint32_t use, size_t from, size_t to, bool negated)
{
    struct rules_scratch *s = job->scratch;
    struct evidence_match *matches =
        classify_grow(s->matches, &s->match_capacity, s->match_count, sizeof *matches);
    if (matches == NULL)
        return -1;
    s->matches = matches;
    const struct rules_use *u = &job->rules->uses[use];
    matches[s->match_count++] = (struct evidence_match){
        .use = use, .weight = negated ? 0 : u->weight, .from = from, .to = to, .negated = negated};
    struct classify_cell *cell = touch(s, u->target);
    if (negated)
        return 0;
    if (!cell->hit)
        classify_count(s, u->target)->hits++;
    cell->hit = true;
    add_score(job, u->target, u->weight);
    return 0;
}

static bool is_negated(struct classify_job *job, size_t from, size_t to)
{
    const struct negation_windows windows = {job->rules->negates_before, job->rules->negates_after};
    struct rules_scratch *s = job->scratch;
    return negation_covers(&s->negation, &windows, s->text.units, from, to);
}

/* --- keywords --- */

/* Notes where a literal of a set stands. */
static void note_places(const struct classify_job *job, const struct classify_met *met,
                        struct classify_set *set)
{
    const struct classify_occurrence *all = job->scratch->occurrences;
    uint32_t last =
        met->count > LIMIT_OCCURRENCES ? (uint32_t)job->scratch->text.count : all[met->last].from;
    if (all[met->first].to < set->first_end)
        set->first_end = all[met->first].to;
    if (last > set->last_begin)
        set->last_begin = last;
    if (set->count + met->count <= CLASSIFY_PLACES)
        for (uint32_t i = met->first, n = set->count; i != RULES_NONE; i = all[i].next, n++) {
            set->from[n] = all[i].from;
            set->to[n] = all[i].to;
        }
    set->count += met->count;
}

/* A literal of a regex was met. 0, or -1 when memory is short. */
static int pull(struct classify_job *job, const struct rules_trigger *trigger, uint32_t met)
{
    struct rules_scratch *s = job->scratch;
    struct classify_gate *gate = &s->gates[trigger->gate];
    const struct rules_gate *wanted = &job->rules->gates[trigger->gate];
    struct classify_pull *pulls =
        classify_grow(s->pulls, &s->pull_capacity, s->pull_count, sizeof *pulls);
    if (pulls == NULL)
        return -1;
    s->pulls = pulls;
    if (gate->epoch != s->epoch)
        *gate = (struct classify_gate){.epoch = s->epoch, .pull = RULES_NONE};
    pulls[s->pull_count] = (struct classify_pull){trigger->set, met, gate->pull};
    gate->pull = (uint32_t)s->pull_count++;
    bool opens = gate->met != wanted->sets && (gate->met | trigger->set) == wanted->sets;
    gate->met |= trigger->set;
    if (opens && wanted->regex != RULES_NONE)
        s->ready[s->ready_count++] = wanted->regex;
    return 0;
}

static bool is_open(const struct classify_job *job, uint32_t index)
{
    const struct classify_gate *gate = &job->scratch->gates[index];
    uint32_t wanted = job->rules->gates[index].sets;
    return wanted == 0 || (gate->epoch == job->scratch->epoch && gate->met == wanted);
}

/* Appends an occurrence to a value's chain. Once that is full, only the first of the body is taken,
 * which the scope `text` needs. */
static inline void add_occurrence(struct classify_job *job, struct classify_met *met,
                                  const struct keywords_found *hit)
{
    struct rules_scratch *s = job->scratch;
    bool first_of_text = met->text_first == RULES_NONE && hit->from >= s->text.title_units;
    if (met->count++ >= LIMIT_OCCURRENCES && !first_of_text)
        return;
    struct classify_occurrence *all = s->occurrences; /* there is room for every hit */
    uint32_t index = (uint32_t)s->occurrence_count++;
    all[index] = (struct classify_occurrence){hit->from, hit->from + hit->length, RULES_NONE};
    if (first_of_text)
        met->text_first = index;
    if (met->last == RULES_NONE)
        met->first = index;
    else
        all[met->last].next = index;
    met->last = index;
}

/* A hit of a value that a person wrote. */
static int meet(struct classify_job *job, const struct keywords_found *hit)
{
    struct rules_scratch *s = job->scratch;
    uint32_t slot = s->met_slots[hit->value];
    if (slot == 0) {
        __builtin_prefetch(&job->rules->values[hit->value]); /* for count_keywords */
        slot = (uint32_t)++s->met_count;
        s->met_slots[hit->value] = slot;
        s->met[slot - 1] = (struct classify_met){.value = hit->value,
                                                 .negation = job->rules->negations[hit->value],
                                                 .first = RULES_NONE,
                                                 .last = RULES_NONE,
                                                 .text_first = RULES_NONE};
    }
    uint32_t mask = s->met[slot - 1].negation;
    if (mask != 0 && negation_add(&s->negation, (struct negation_word){
                                                    hit->from, hit->from + hit->length, mask}) != 0)
        return -1;
    add_occurrence(job, &s->met[slot - 1], hit);
    return 0;
}

/* Which hits are n-grams and which are words of a rule (some are both) cannot be foreseen, so the
 * words are sorted out first, without a branch. Returns how many they are. */
static size_t sort_hits(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct keywords_found *hits = s->hits.items;
    const uint16_t *ngrams = job->rules->ngrams;
    const size_t count = s->hits.count, hand_count = job->rules->hand_count;
    uint32_t *const word_hits = s->word_hits;
    struct learned_sums sums = s->sums; /* a copy, which the compiler can keep in registers */
    size_t words = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t value = hits[i].value;
        word_hits[words] = (uint32_t)i;
        words += value < hand_count;
        learned_add(&sums, ngrams[value], hits[i].from, hits[i].from + hits[i].length);
    }
    s->sums = sums;
    return words;
}

static int scan(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    if (keywords_find(job->rules->keywords, s->text.units, s->text.count, &s->hits) != 0 ||
        classify_fit_hits(s, s->hits.count) != 0)
        return -1;
    const size_t words = sort_hits(job);
    for (size_t i = 0; i < words; i++)
        if (meet(job, &s->hits.items[s->word_hits[i]]) != 0)
            return -1;
    return 0;
}

/* A keyword counts where it first stands in its scope and is not negated. When all the occurrences
 * that were kept are negated and there are more, it counts at the first: an emergency is not
 * lowered by what was not read. */
static int count_use(struct classify_job *job, const struct classify_met *met, uint32_t index)
{
    const struct rules_use *use = &job->rules->uses[index];
    const struct classify_occurrence *all = job->scratch->occurrences;
    const struct classify_occurrence *first = classify_first(job, met, use->scope);
    size_t title_units = job->scratch->text.title_units;
    if (first == NULL)
        return 0;
    if (!use->negatable || !is_negated(job, first->from, first->to))
        return classify_add_match(job, index, first->from, first->to, false);
    for (uint32_t i = first->next; i != RULES_NONE; i = all[i].next) {
        if (use->scope == RULES_TITLE && all[i].from >= title_units)
            break;
        if (!is_negated(job, all[i].from, all[i].to))
            return classify_add_match(job, index, all[i].from, all[i].to, false);
    }
    bool unread = met->count > LIMIT_OCCURRENCES;
    return classify_add_match(job, index, first->from, first->to, !unread);
}

static int count_keywords(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    /* How often each loop below turns cannot be foretold, so it should not wait for memory too. */
    for (size_t i = 0; i < s->met_count; i++)
        __builtin_prefetch(&rules->uses[rules->values[s->met[i].value].use]);
    for (size_t i = 0; i < s->met_count; i++) {
        const struct classify_met *met = &s->met[i];
        const struct rules_value *value = &rules->values[met->value];
        for (uint32_t u = value->use; u < value[1].use; u++)
            if (count_use(job, met, u) != 0)
                return -1;
        for (uint32_t t = value->trigger; t < value[1].trigger; t++)
            if (pull(job, &rules->triggers[t], (uint32_t)i) != 0)
                return -1;
        for (uint32_t w = value->wake; w < value[1].wake; w++) {
            struct classify_condition *condition = &s->conditions[rules->wakes[w]];
            if (condition->woken_epoch == s->epoch)
                continue;
            condition->woken_epoch = s->epoch;
            s->woken[s->woken_count++] = rules->wakes[w];
        }
    }
    return 0;
}

/* --- regexes --- */

/* A regex was stopped: after some times it is switched off, for it would cost every such text its
 * time. */
static void strike(const struct rules *rules, const struct rules_regex *regex)
{
    struct rules_tally *tally = &rules->tallies[regex->gate];
    unsigned before = atomic_fetch_add_explicit(&tally->strikes, 1, memory_order_relaxed);
    if (before + 1 != LIMIT_REGEX_STRIKES)
        return;
    atomic_store_explicit(&tally->off, true, memory_order_relaxed);
    if (regex->target != RULES_NONE)
        atomic_fetch_add_explicit(&rules->counters[regex->target].regexes_off, 1,
                                  memory_order_relaxed);
    metric_add(METRIC_REGEX_OFF, 1);
    log_write(LOG_WARN, "rules", "regex_switched_off", LOG_SPAN("place", regex->place),
              LOG_SPAN("rule_set", rules_id(rules)), LOG_INT("stopped", before + 1));
}

/* The units [first, last] at which a match may begin. */
struct window {
    size_t first, last;
};

/* Where the literals of a gate's sets stand. */
static void find_sets(const struct classify_job *job, uint32_t gate,
                      struct classify_set sets[LIMIT_REGEX_SETS])
{
    const struct rules_scratch *s = job->scratch;
    for (int i = 0; i < LIMIT_REGEX_SETS; i++) { /* the places are filled as they come */
        sets[i].first_end = UINT32_MAX;
        sets[i].last_begin = 0;
        sets[i].count = 0;
    }
    for (uint32_t i = s->gates[gate].pull; i != RULES_NONE; i = s->pulls[i].before)
        note_places(job, &s->met[s->pulls[i].met], &sets[__builtin_ctz(s->pulls[i].set)]);
}

/* A match holds a literal of each set, not far behind its beginning: narrows the window, and returns
 * the set that leaves the fewest units when it has few places, and its lead; else NULL. */
static const struct classify_set *narrow(const struct rules_gate *wanted,
                                         const struct classify_set sets[LIMIT_REGEX_SETS],
                                         struct window *window, size_t *lead)
{
    const struct classify_set *rarest = NULL;
    size_t least = SIZE_MAX;
    for (int i = 0; i < LIMIT_REGEX_SETS && (wanted->sets >> i & 1) != 0; i++) {
        const struct classify_set *set = &sets[i];
        if (set->last_begin < window->last)
            window->last = set->last_begin;
        size_t units = wanted->leads[i];
        if (units == 0)
            continue;
        if (set->first_end > window->first + units)
            window->first = set->first_end - units;
        if (set->count <= CLASSIFY_PLACES && set->count * (CALL_UNITS + units) < least) {
            least = set->count * (CALL_UNITS + units);
            *lead = units;
            rarest = set;
        }
    }
    return rarest;
}

/* The part of a window from which a match can reach the literal at a place; empty: first > last. */
static struct window window_of(const struct classify_set *set, size_t place, size_t lead,
                               const struct window *within)
{
    struct window w = *within;
    if (set->to[place] > w.first + lead)
        w.first = set->to[place] - lead;
    if (set->from[place] < w.last)
        w.last = set->from[place];
    return w;
}

/* Puts the windows around a set's places in order; how many. */
static size_t list_windows(const struct classify_set *set, size_t lead, const struct window *within,
                           struct window out[CLASSIFY_PLACES])
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct window w = window_of(set, i, lead, within);
        if (w.first > w.last)
            continue;
        size_t at = count++;
        for (; at > 0 && out[at - 1].first > w.first; at--)
            out[at] = out[at - 1];
        out[at] = w;
    }
    return count;
}

/* Where a search for matches that begin at or before `last` may end: PCRE2 reads on to the end to see
 * whether there is a character that every match needs. */
static size_t reach(const struct classify_job *job, const struct rules_regex *regex, size_t last,
                    size_t end)
{
    const struct text *text = &job->scratch->text;
    size_t longest = job->rules->gates[regex->gate].longest;
    if (longest == 0 || last >= end || end - last <= longest || regex_looks_ahead(regex->regex))
        return end;
    end = last + longest;
    return (text->units[end] & 0xFC00) == 0xDC00 ? end + 1 : end; /* no half of a code point */
}

/* Searches units [base, end) of the text for a match that begins at one of units [first, last]. */
static int search_part(struct classify_job *job, const struct rules_regex *regex, size_t base,
                       size_t end, size_t first, size_t last, size_t *from, size_t *to)
{
    struct rules_scratch *s = job->scratch;
    const uint16_t *units = s->text.units;
    if (first < base)
        first = base;
    if (first < end && first > base && (units[first] & 0xFC00) == 0xDC00)
        first--; /* the second half of a code point */
    if (first >= end || last < first)
        return REGEX_NO_MATCH;
    end = reach(job, regex, last, end);
    int found = regex_search_from(regex->regex, s->regex, units + base, end - base, first - base,
                                  last - base, from, to);
    if (found == REGEX_MATCH) {
        *from += base;
        *to += base;
    }
    return found;
}

/* False when no match can begin in a window, by a look that costs less than a search. */
static bool may_match(const struct classify_job *job, uint32_t gate, const struct window *w)
{
    const struct text *text = &job->scratch->text;
    const struct rules_gate *wanted = &job->rules->gates[gate];
    const struct rules_hints *hints = &job->rules->hints[gate];
    const size_t end = w->last < text->title_units ? text->title_units : text->count;
    if (wanted->at_end && wanted->longest != 0 && w->last + wanted->longest < end)
        return w->first < text->title_units && w->last >= text->title_units; /* part of both */
    for (size_t i = 0; i < hints->count; i++)
        if (!hint_allows(&hints->list[i], text->units, text->count, w->first, w->last))
            return false;
    return true;
}

/* Searches a window in the parts of the text that the scope names: title and body are two texts. */
static int search_window(struct classify_job *job, const struct rules_regex *regex,
                         enum rules_scope scope, const struct window *w, size_t *from, size_t *to)
{
    const struct text *text = &job->scratch->text;
    int found = REGEX_NO_MATCH;
    if (!may_match(job, regex->gate, w))
        return REGEX_NO_MATCH;
    if (scope != RULES_TEXT)
        found = search_part(job, regex, 0, text->title_units, w->first, w->last, from, to);
    if (scope == RULES_TITLE || found == REGEX_MATCH)
        return found;
    int limited = found;
    found =
        search_part(job, regex, text->title_units + 1, text->count, w->first, w->last, from, to);
    return found == REGEX_NO_MATCH ? limited : found;
}

/* Searches from unit `start` on, where a match can be: in the order of the text, so that the first
 * match is found. */
static int search_scope(struct classify_job *job, const struct rules_regex *regex,
                        enum rules_scope scope, size_t start, size_t *from, size_t *to)
{
    struct window windows[CLASSIFY_PLACES], whole = {start, job->scratch->text.count};
    const struct rules_gate *gate = &job->rules->gates[regex->gate];
    struct classify_set sets[LIMIT_REGEX_SETS];
    if (gate->sets != 0)
        find_sets(job, regex->gate, sets);
    size_t lead = 0;
    const struct classify_set *set = narrow(gate, sets, &whole, &lead);
    if (set == NULL)
        return search_window(job, regex, scope, &whole, from, to);
    size_t count = list_windows(set, lead, &whole, windows);
    int limited = REGEX_NO_MATCH;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && windows[i].first <= windows[i - 1].last)
            windows[i].first = windows[i - 1].last + 1;
        int found = search_window(job, regex, scope, &windows[i], from, to);
        if (found == REGEX_MATCH)
            return found;
        if (found != REGEX_NO_MATCH)
            limited = found;
    }
    return limited;
}

/* A search, timed in some texts. */
static int search(struct classify_job *job, const struct rules_regex *regex, enum rules_scope scope,
                  size_t start, size_t *from, size_t *to)
{
    struct rules_scratch *s = job->scratch;
    if (atomic_load_explicit(&job->rules->tallies[regex->gate].off, memory_order_relaxed))
        return REGEX_NO_MATCH;
    bool timed = s->epoch % SAMPLED_TEXTS == 0 && regex->target != RULES_NONE;
    uint64_t before = timed ? clock_steady_ns() : 0;
    int found = search_scope(job, regex, scope, start, from, to);
    if (timed)
        classify_count(s, regex->target)->nanoseconds +=
            (clock_steady_ns() - before + 1) * SAMPLED_TEXTS;
    s->regex_limited |= found == REGEX_LIMITED || found == REGEX_SKIPPED;
    if (found == REGEX_LIMITED)
        strike(job->rules, regex);
    return found;
}

/* The unit at which the next code point begins. */
static size_t next_point(const struct text *text, size_t at)
{
    bool high = (text->units[at] & 0xFC00) == 0xD800;
    return at + (high ? 2 : 1);
}

/* A regex counts where it first matches and is not negated; what was not read to its end, as for
 * keywords. */
static int count_regex(struct classify_job *job, const struct rules_regex *regex)
{
    const struct rules_use *use = &job->rules->uses[regex->use];
    size_t from, to;
    if (search(job, regex, use->scope, 0, &from, &to) != REGEX_MATCH)
        return 0;
    if (!use->negatable || !is_negated(job, from, to))
        return classify_add_match(job, regex->use, from, to, false);
    size_t next_from = from, next_to = to;
    int found = REGEX_MATCH;
    for (int tries = 1; tries < LIMIT_OCCURRENCES; tries++) {
        size_t start = next_point(&job->scratch->text, next_from);
        found = search(job, regex, use->scope, start, &next_from, &next_to);
        if (found != REGEX_MATCH)
            break;
        if (!is_negated(job, next_from, next_to))
            return classify_add_match(job, regex->use, next_from, next_to, false);
    }
    return classify_add_match(job, regex->use, from, to, found == REGEX_NO_MATCH);
}

static int count_regexes(struct classify_job *job)
{
    const struct rules *rules = job->rules;
    struct rules_scratch *s = job->scratch;
    for (size_t i = 0; i < rules->unfiltered_count; i++)
        if (count_regex(job, &rules->regexes[i]) != 0)
            return -1;
    for (size_t i = 0; i < s->ready_count; i++)
        if (count_regex(job, &rules->regexes[s->ready[i]]) != 0)
            return -1;
    return 0;
}

bool classify_asks(struct classify_job *job, uint32_t asked, bool *limited, size_t *from,
                   size_t *to)
{
    const struct rules_regex *regex = &job->rules->asked[asked];
    if (!is_open(job, regex->gate))
        return false;
    int found = search(job, regex, RULES_ANYWHERE, 0, from, to);
    *limited |= found == REGEX_LIMITED || found == REGEX_SKIPPED;
    return found == REGEX_MATCH;
}

/* --- all of it --- */

/* Adds what the n-grams say to the first-level categories. */
static void add_learned(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules *rules = job->rules;
    if (s->sums.count == 0)
        return;
    learned_scores(rules->learned, &s->sums, s->learned);
    for (size_t label = 0; label < learned_label_count(rules->learned); label++)
        add_score(job, rules->learned_targets[label], s->learned[label]);
}

int classify_find(struct classify_job *job)
{
    if (scan(job) != 0 || count_keywords(job) != 0 || count_regexes(job) != 0 ||
        classify_conditions(job) != 0)
        return -1;
    add_learned(job);
    return 0;
}
