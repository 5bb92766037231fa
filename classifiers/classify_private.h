/*
 * classify_private: the inside of a classification, shared by its three steps: find, decide, show.
 */
#ifndef JIESU_CLASSIFIERS_CLASSIFY_PRIVATE_H
#define JIESU_CLASSIFIERS_CLASSIFY_PRIVATE_H

#include "classifiers/condition_near.h"
#include "classifiers/evidence.h"
#include "classifiers/learned.h"
#include "classifiers/negation.h"
#include "classifiers/rules.h"
#include "classifiers/rules_private.h"
#include "classifiers/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a text gave one target. */
struct classify_cell {
    int score;
    uint32_t matches;     /* those that count, of the target itself or below it */
    int own;              /* of the score, what the target's own matches gave */
    uint32_t own_matches; /* that count */
    bool touched;         /* it is in rules_scratch.touched; else all of this is 0 */
    bool set_aside;       /* an `unless` of its rule matched */
    uint64_t best;        /* the rank (classify_rank) of its best category one level below */
};

/* A hand-written value in a text: a chain of its first LIMIT_OCCURRENCES hits, and the first in the
 * body if that comes later. */
struct classify_met {
    uint32_t value;
    uint32_t count;       /* all its hits */
    uint32_t first, last; /* in rules_scratch.hits */
};

/* So many uses or triggers of a value are picked at once: few values have more. */
enum { CLASSIFY_PICKED = 4 };

/* A use or a trigger of a value that was met. */
struct classify_pick {
    uint32_t item; /* in rules->uses or rules->triggers */
    uint32_t met;  /* in rules_scratch.met */
};

/* What is counted of a target until it is handed over to the rule set. */
struct classify_count {
    uint32_t hits;
    uint64_t nanoseconds;
};

/* What is known of a condition. */
struct classify_condition {
    uint32_t woken_epoch; /* it is in the list of the woken */
    uint32_t epoch;       /* the text that the rest is about */
    bool holds;
    bool limited;      /* it might be otherwise: a regex was stopped by a limit */
    uint32_t from, to; /* where, when it holds by a word; else from == to */
};

enum { CLASSIFY_PLACES = 16 };

/* A set of a regex's literals in a text: where its first literal ends and its last one begins, and
 * where all are, when they are few. */
struct classify_set {
    uint32_t first_end, last_begin;
    uint32_t count;
    uint32_t from[CLASSIFY_PLACES], to[CLASSIFY_PLACES];
};

/* Which sets of a regex's literals a text met. */
struct classify_gate {
    uint32_t epoch;
    uint32_t met;
    uint32_t pull; /* the last one, in rules_scratch.pulls */
};

/* One literal of a set was met. Most gates never open, so where the literals stand is looked up
 * here when one does. */
struct classify_pull {
    uint32_t set;    /* its bit */
    uint32_t met;    /* in rules_scratch.met */
    uint32_t before; /* the gate's pull before it, or RULES_NONE */
};

enum { CLASSIFY_PLACE_BYTES = 128, CLASSIFY_LINE_DIGITS = 10 };

struct rules_scratch {
    struct text text;
    struct regex_scratch *regex;
    uint32_t epoch;
    bool regex_limited;
    struct classify_cell *cells; /* by target */
    size_t cell_capacity;
    uint32_t *touched; /* targets with a cell that is not all 0 */
    size_t touched_capacity, touched_count;
    uint32_t *firsts; /* the first-level categories among them */
    size_t firsts_capacity;
    struct keywords_hits hits;
    uint32_t *word_hits; /* indexes of hits that are words of rules */
    size_t word_hit_capacity;
    struct classify_met *met; /* the values that were met, as they come */
    size_t met_capacity, met_count;
    uint32_t *met_slots; /* by value: its place in met, from 1; 0 for the others */
    size_t met_slot_capacity;
    struct classify_pick *picks;
    size_t pick_capacity;
    uint32_t *next; /* by hit of a chain: the next one, or RULES_NONE */
    size_t next_capacity;
    struct negation negation;
    struct classify_condition *conditions;
    size_t condition_capacity;
    uint32_t *woken; /* conditions to look at */
    size_t woken_capacity, woken_count;
    struct near_hit near_hits[LIMIT_NEAR_HITS];
    struct classify_gate *gates;
    size_t gate_capacity;
    struct classify_pull *pulls;
    size_t pull_count, pull_capacity;
    uint32_t *ready; /* regexes whose gates are open */
    size_t ready_capacity, ready_count;
    struct learned_sums sums;        /* the n-grams that were met */
    int learned[LEARNED_LABELS_MAX]; /* what each label got from them, when any was met */
    struct classify_count *counts;   /* by target, of the rule set with this serial */
    size_t count_capacity;
    uint32_t *counted; /* targets with a count */
    size_t counted_capacity, counted_count;
    uint64_t serial;
    uint64_t fits;      /* the serial of the rule set that the arrays have room for, or 0 */
    uint32_t uncounted; /* texts since the last hand-over */
    struct evidence_match *matches;
    size_t match_count, match_capacity;
    struct evidence_picker picker;
    char places[LIMIT_EVIDENCE][CLASSIFY_PLACE_BYTES]; /* "file:line" of n-grams shown */
};

/* One classification. */
struct classify_job {
    const struct rules *rules;
    struct rules_scratch *scratch;
    struct verdict *verdict;
    uint32_t winner, runner_up; /* first-level targets, or RULES_NONE */
    bool negated_red;
};

/* Makes the scratch fit a rule set and forgets the last text. 0, or -1 when memory is short. */
int classify_begin(struct rules_scratch *scratch, const struct rules *rules);
/* Room for sorting so many hits, and one more, and for their chains. 0, or -1 when memory is short. */
int classify_fit_hits(struct rules_scratch *scratch, size_t count);
/* Room for one more item in an array of the scratch: it, moved or not; NULL when memory is short. */
void *classify_grow(void *items, size_t *capacity, size_t count, size_t size);

/* Where to add to a target's count. */
struct classify_count *classify_count(struct rules_scratch *scratch, uint32_t target);
/* Collects the matches and the scores. 0, or -1 when memory is short. */
int classify_find(struct classify_job *job);
/* Adds a match of a use. 0, or -1 when memory is short. */
int classify_add_match(struct classify_job *job, uint32_t use, size_t from, size_t to,
                       bool negated);
/* Runs the regexes whose literals were met, and adds their matches. 0, or -1 when memory is short. */
int classify_regexes(struct classify_job *job);
/* True when a regex that is only asked for matches anywhere. One that its limits stopped does not,
 * and sets *limited. */
bool classify_asks(struct classify_job *job, uint32_t asked, bool *limited, size_t *from,
                   size_t *to);
/* Looks at a condition, once per text. */
const struct classify_condition *classify_condition(struct classify_job *job, uint32_t condition);
/* Looks at all that were woken, and counts their uses. 0, or -1 when memory is short. */
int classify_conditions(struct classify_job *job);
/* Fills the verdict, but for its evidence. */
void classify_decide(struct classify_job *job);
/* Fills the evidence. */
void classify_show(struct classify_job *job);

/* A value's mark when this text holds it, else NULL. */
static inline const struct classify_met *classify_met_value(const struct classify_job *job,
                                                            uint32_t value)
{
    const struct rules_scratch *s = job->scratch;
    uint32_t slot = s->met_slots[value];
    return slot == 0 ? NULL : &s->met[slot - 1];
}

/* Where a hit ends. */
static inline uint32_t classify_end(const struct keywords_found *hit)
{
    return hit->from + hit->length;
}

/* Where a value that was met stands first in a scope, or NULL. */
static inline const struct keywords_found *classify_first(const struct classify_job *job,
                                                          const struct classify_met *met,
                                                          enum rules_scope scope)
{
    const struct rules_scratch *s = job->scratch;
    const struct keywords_found *hits = s->hits.items;
    const size_t title_units = s->text.title_units;
    uint32_t first = met->first;
    if (scope == RULES_ANYWHERE)
        return &hits[first];
    if (scope == RULES_TITLE)
        return classify_end(&hits[first]) <= title_units ? &hits[first] : NULL;
    while (hits[first].from < title_units && s->next[first] != RULES_NONE)
        first = s->next[first];
    return hits[first].from < title_units ? NULL : &hits[first];
}

/* True when negation words set a match aside. */
static inline bool classify_is_negated(struct classify_job *job, size_t from, size_t to)
{
    const struct negation_windows windows = {job->rules->negates_before, job->rules->negates_after};
    struct rules_scratch *s = job->scratch;
    return negation_covers(&s->negation, &windows, s->text.units, from, to);
}

/* The number if the condition holds, else 0: without the branch that compilers make of `?`. */
static inline uint64_t classify_if(bool holds, uint64_t number)
{
    return number & (0 - (uint64_t)holds);
}

/* A number that is the higher, the better a category stands: by its score, then by its place in the
 * files. 0 without a score above 0. */
static inline uint64_t classify_rank(uint32_t target, int score)
{
    return classify_if(score > 0, (uint64_t)(uint32_t)score << 32 | (RULES_NONE - target));
}

/* The target of a rank above 0. */
static inline uint32_t classify_ranked(uint64_t rank)
{
    return RULES_NONE - (uint32_t)rank;
}

/* The score of a target, 0 when this text did not touch it. */
static inline int classify_score(const struct classify_job *job, uint32_t target)
{
    return job->scratch->cells[target].score;
}

#endif
