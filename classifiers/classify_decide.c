/*
 * Decide: what the scores of the targets come to. One pass over those that the text touched sorts
 * them out; each sort is then decided from the few that were kept. Which of two scores is higher
 * cannot be foretold, so what is done for every category does without a branch on it.
 */
#include "classifiers/classify_private.h"
#include "engine/base/limits.h"

#include <limits.h>

enum { RANKED = 1 + LIMIT_SECONDARY };

/* The best first-level category by one part of the scores, and the score of the second, if that is
 * above 0. */
struct leader {
    uint32_t target;
    int score, second;
};

/* What the passes over the touched targets find. */
struct standing {
    size_t first_count;      /* scratch->firsts */
    uint32_t ranked[RANKED]; /* the best first-level categories with a score, best first */
    size_t ranked_count;
    uint32_t kind; /* the best, or RULES_NONE */
    size_t others; /* urgencies and tags: so many stand first in scratch->touched */
};

/* The deepest category below a first-level one, following the best at each level. */
static uint32_t descend(const struct classify_job *job, uint32_t target)
{
    while (job->scratch->cells[target].best != 0)
        target = classify_ranked(job->scratch->cells[target].best);
    return target;
}

static void offer_leader(struct leader *leader, uint32_t target, int score)
{
    const bool leads = score > leader->score;
    const int lower = leads ? leader->score : score;
    leader->second = lower > leader->second ? lower : leader->second;
    leader->score = leads ? score : leader->score;
    leader->target = leads ? target : leader->target;
}

/* Sorts the touched targets: the first-level categories; of the others each parent's best; the best
 * kind; urgencies and tags. */
static void survey(struct classify_job *job, struct standing *standing)
{
    struct rules_scratch *s = job->scratch;
    struct classify_cell *cells = s->cells;
    const struct rules_kin *kin = job->rules->kin;
    uint32_t *touched = s->touched, *firsts = s->firsts;
    uint64_t kind = 0;
    size_t first_count = 0, others = 0;
    for (size_t i = 0; i < s->touched_count; i++) {
        const uint32_t t = touched[i], parent = kin[t].parent, what = kin[t].what;
        const uint64_t rank = classify_rank(t, cells[t].score);
        const uint64_t below = classify_if(parent != t, rank), best = cells[parent].best;
        const uint64_t of_kind = classify_if(what == EVIDENCE_KIND, rank);
        cells[parent].best = below > best ? below : best;
        kind = of_kind > kind ? of_kind : kind;
        firsts[first_count] = t;
        first_count += kin[t].top == t;
        touched[i] = touched[others]; /* what was looked at needs no order any more */
        touched[others] = t;
        others += (what == EVIDENCE_URGENCY) | (what == EVIDENCE_TAG);
    }
    standing->first_count = first_count;
    standing->others = others;
    standing->kind = kind == 0 ? RULES_NONE : classify_ranked(kind);
}

/* Puts the first-level categories with a score in order, as far as that is asked for: the rank of
 * each sinks through those of the best so far. */
static void rank_categories(const struct classify_job *job, struct standing *standing)
{
    const struct rules_scratch *s = job->scratch;
    uint64_t best[RANKED] = {0};
    for (size_t i = 0; i < standing->first_count; i++) {
        const uint32_t target = s->firsts[i];
        uint64_t rank = classify_rank(target, s->cells[target].score);
        for (size_t k = 0; k < RANKED; k++) {
            const uint64_t high = rank > best[k] ? rank : best[k];
            rank = rank > best[k] ? best[k] : rank;
            best[k] = high;
        }
    }
    standing->ranked_count = 0;
    for (size_t k = 0; k < RANKED && best[k] != 0; k++)
        standing->ranked[standing->ranked_count++] = classify_ranked(best[k]);
}

/* Who leads by the hand-written rules, and who by the learned weights. */
static void find_leaders(const struct classify_job *job, const struct standing *standing,
                         struct leader *by_hand, struct leader *by_learning)
{
    const struct rules_scratch *s = job->scratch;
    struct leader hand = {RULES_NONE, INT_MIN, 0}, learned = hand;
    for (size_t i = 0; i < standing->first_count; i++) {
        const uint32_t target = s->firsts[i];
        const size_t label = job->rules->kin[target].label;
        const bool is_label = label < LEARNED_LABELS_MAX;
        const int score = is_label ? s->learned[label] : 0;
        offer_leader(&hand, target, s->cells[target].score - score);
        if (is_label)
            offer_leader(&learned, target, score);
    }
    *by_hand = hand;
    *by_learning = learned;
}

static double points(int score)
{
    return (double)score / RULES_SCORE_ONE;
}

static void decide_category(struct classify_job *job, const struct standing *standing)
{
    const uint32_t *ranked = standing->ranked;
    const size_t count = standing->ranked_count;
    struct verdict *v = job->verdict;
    v->sla = job->rules->sla_default;
    if (count == 0)
        return;
    job->winner = ranked[0];
    job->runner_up = count > 1 ? ranked[1] : RULES_NONE;
    const struct rules_target *target = &job->rules->targets[descend(job, job->winner)];
    v->score = points(classify_score(job, job->winner));
    v->category = (struct verdict_category){target->name, v->score};
    v->sla = target->sla;
    v->department = target->department;
    double second = count > 1 ? points(classify_score(job, ranked[1])) : 0;
    v->margin = (v->score - second) / v->score;
    /* Learned weights leave a hundredth here and there: less than a point says nothing. */
    for (size_t i = 1; i < count && classify_score(job, ranked[i]) >= RULES_SCORE_ONE; i++)
        v->secondary[v->secondary_count++] =
            (struct verdict_category){job->rules->targets[descend(job, ranked[i])].name,
                                      points(classify_score(job, ranked[i]))};
}

/* True when an `unless` of the rule matches anywhere, or one of its unless_conditions holds. What a
 * limit stopped does not count: an emergency is not set aside by what could not be read to its end.
 */
static bool is_set_aside(struct classify_job *job, const struct rules_target *target)
{
    size_t from, to;
    bool limited = false;
    for (size_t i = target->unless_at; i < target->unless_end; i++)
        if (classify_asks(job, (uint32_t)i, &limited, &from, &to))
            return true;
    for (size_t i = target->unless_condition_at; i < target->unless_condition_end; i++) {
        const struct classify_condition *condition =
            classify_condition(job, job->rules->unless_conditions[i]);
        if (condition->holds && !condition->limited)
            return true;
    }
    return false;
}

/* The highest level that matches; among its rules the first in the file that names an SLA class
 * gives it. */
static void decide_urgency(struct classify_job *job, const struct standing *standing)
{
    struct rules_scratch *s = job->scratch;
    const struct rules_target *sla = NULL;
    int level = -1;
    for (size_t i = 0; i < standing->others; i++) {
        const struct rules_target *t = &job->rules->targets[s->touched[i]];
        struct classify_cell *cell = &s->cells[s->touched[i]];
        if (t->what != EVIDENCE_URGENCY)
            continue;
        cell->set_aside = cell->matches == 0 || is_set_aside(job, t);
        job->negated_red |= cell->set_aside && t->value == URGENCY_RED;
        if (cell->set_aside || t->value < level)
            continue;
        if (t->value > level)
            sla = NULL;
        level = t->value;
        if (t->sla.len != 0 && (sla == NULL || t < sla))
            sla = t;
    }
    job->verdict->urgency = level < 0 ? job->rules->urgency_default : (enum urgency)level;
    if (sla != NULL)
        job->verdict->sla = sla->sla;
}

static void decide_kind(struct classify_job *job, const struct standing *standing)
{
    job->verdict->kind = standing->kind == RULES_NONE
                             ? job->rules->kind_default
                             : (enum kind)job->rules->targets[standing->kind].value;
}

/* Tags in file order. */
static void decide_tags(struct classify_job *job, const struct standing *standing)
{
    uint32_t found[VERDICT_TAGS];
    size_t count = 0;
    for (size_t i = 0; i < standing->others; i++) {
        uint32_t t = job->scratch->touched[i];
        struct classify_cell *cell = &job->scratch->cells[t];
        if (job->rules->targets[t].what != EVIDENCE_TAG)
            continue;
        cell->set_aside = cell->matches == 0 || is_set_aside(job, &job->rules->targets[t]);
        if (cell->set_aside || count == VERDICT_TAGS)
            continue;
        size_t at = count++;
        for (; at > 0 && t < found[at - 1]; at--)
            found[at] = found[at - 1];
        found[at] = t;
    }
    for (size_t i = 0; i < count; i++)
        job->verdict->tags[i] = job->rules->targets[found[i]].name;
    job->verdict->tag_count = count;
}

/* True when it would need no review by itself. */
static bool is_firm(const struct classify_job *job, const struct leader *leader)
{
    if (leader->target == RULES_NONE || leader->score <= 0)
        return false;
    const struct rules_target *target = &job->rules->targets[leader->target];
    return points(leader->score) >= target->min_score &&
           (double)(leader->score - leader->second) / leader->score >= target->min_margin;
}

/* True when the hand-written rules and the learned weights each name a category firmly, and not the
 * same. */
static bool is_contradictory(const struct classify_job *job, const struct standing *standing)
{
    if (job->scratch->sums.count == 0)
        return false;
    struct leader hand, learned;
    find_leaders(job, standing, &hand, &learned);
    return hand.target != learned.target && is_firm(job, &hand) && is_firm(job, &learned);
}

static void decide_review(struct classify_job *job, const struct standing *standing)
{
    struct verdict *v = job->verdict;
    if (job->negated_red && v->urgency != URGENCY_RED)
        v->review_reason = SPAN("negated_emergency");
    else if (v->category.path.len == 0)
        v->review_reason = SPAN("no_match");
    else if (is_contradictory(job, standing))
        v->review_reason = SPAN("contradictory");
    else if (v->score < job->rules->targets[job->winner].min_score)
        v->review_reason = SPAN("low_score");
    else if (v->margin < job->rules->targets[job->winner].min_margin)
        v->review_reason = SPAN("low_margin");
    else if (job->scratch->regex_limited)
        v->review_reason = SPAN("regex_limited");
    v->review = v->review_reason.len != 0;
}

void classify_decide(struct classify_job *job)
{
    struct standing standing;
    survey(job, &standing);
    rank_categories(job, &standing);
    decide_category(job, &standing);
    decide_urgency(job, &standing);
    decide_kind(job, &standing);
    decide_tags(job, &standing);
    decide_review(job, &standing);
}
