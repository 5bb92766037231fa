/*
 * Regexes: where a text must be searched, and the searches.
 *
 * A regex whose gate is open is tried only where its literals stand: around the places of the set
 * that leaves the fewest units, and of those only where the hints allow a match.
 */
#include "classifiers/classify_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"

enum {
    SAMPLED_TEXTS = 16, /* one text in so many is timed */
    CALL_UNITS = 16     /* a search costs about as much as trying so many units */
};

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

/* The units [first, last] at which a match may begin, around a literal of this set of the gate;
 * RULES_NONE: of any. */
struct window {
    size_t first, last;
    uint32_t set;
};

/* Notes where a literal of a set stands. */
static void note_places(const struct rules_scratch *s, const struct classify_met *met,
                        struct classify_set *set)
{
    const struct keywords_found *hits = s->hits.items;
    const uint32_t first_end = classify_end(&hits[met->first]);
    const uint32_t last =
        met->count > LIMIT_OCCURRENCES ? (uint32_t)s->text.count : hits[met->last].from;
    if (first_end < set->first_end)
        set->first_end = first_end;
    if (last > set->last_begin)
        set->last_begin = last;
    if (set->count + met->count <= CLASSIFY_PLACES)
        for (uint32_t h = met->first, n = set->count; h != RULES_NONE; h = s->next[h], n++) {
            set->from[n] = hits[h].from;
            set->to[n] = classify_end(&hits[h]);
        }
    set->count += met->count;
}

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
        note_places(s, &s->met[s->pulls[i].met], &sets[__builtin_ctz(s->pulls[i].set)]);
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
        if (i != w->set &&
            !hint_allows(&hints->list[i], text->units, text->count, w->first, w->last))
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
    struct window windows[CLASSIFY_PLACES], whole = {start, job->scratch->text.count, RULES_NONE};
    const struct rules_gate *gate = &job->rules->gates[regex->gate];
    struct classify_set sets[LIMIT_REGEX_SETS];
    if (gate->sets != 0)
        find_sets(job, regex->gate, sets);
    size_t lead = 0;
    const struct classify_set *set = narrow(gate, sets, &whole, &lead);
    if (set == NULL)
        return search_window(job, regex, scope, &whole, from, to);
    whole.set = (uint32_t)(set - sets);
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

/* What a regex that is switched off says: in a rule of urgency and in a condition, that it was not
 * read, as on the texts before; nobody may take that for no emergency. Elsewhere nothing: one bad
 * regex of a category does not send every text to a person. */
static int search_off(struct classify_job *job, const struct rules_regex *regex)
{
    const struct rules_target *targets = job->rules->targets;
    if (regex->target != RULES_NONE && targets[regex->target].what != EVIDENCE_URGENCY)
        return REGEX_NO_MATCH;
    job->scratch->regex_limited = true;
    return REGEX_SKIPPED;
}

/* A search, timed in some texts. */
static int search(struct classify_job *job, const struct rules_regex *regex, enum rules_scope scope,
                  size_t start, size_t *from, size_t *to)
{
    struct rules_scratch *s = job->scratch;
    if (atomic_load_explicit(&job->rules->tallies[regex->gate].off, memory_order_relaxed))
        return search_off(job, regex);
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
    if (!use->negatable || !classify_is_negated(job, from, to))
        return classify_add_match(job, regex->use, from, to, false);
    size_t next_from = from, next_to = to;
    int found = REGEX_MATCH;
    for (int tries = 1; tries < LIMIT_OCCURRENCES; tries++) {
        size_t start = next_point(&job->scratch->text, next_from);
        found = search(job, regex, use->scope, start, &next_from, &next_to);
        if (found != REGEX_MATCH)
            break;
        if (!classify_is_negated(job, next_from, next_to))
            return classify_add_match(job, regex->use, next_from, next_to, false);
    }
    return classify_add_match(job, regex->use, from, to, found == REGEX_NO_MATCH);
}

int classify_regexes(struct classify_job *job)
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

static bool is_open(const struct classify_job *job, uint32_t index)
{
    const struct classify_gate *gate = &job->scratch->gates[index];
    uint32_t wanted = job->rules->gates[index].sets;
    return wanted == 0 || (gate->epoch == job->scratch->epoch && gate->met == wanted);
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
