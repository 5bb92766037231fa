#include "classifiers/classify_private.h"
#include "engine/base/limits.h"

/* True when target a stands before b: the higher score, then the earlier in the files. */
static bool ranks_before(const struct classify_job *job, uint32_t a, uint32_t b)
{
    int left = classify_score(job, a), right = classify_score(job, b);
    return left != right ? left > right : a < b;
}

/* The best target of a sort with this parent and a score above 0, or RULES_NONE. */
static uint32_t best_of(const struct classify_job *job, enum evidence_for what, uint32_t parent)
{
    uint32_t best = RULES_NONE;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
        uint32_t t = job->scratch->touched[i];
        if (job->rules->targets[t].what == what && job->rules->targets[t].parent == parent &&
            classify_score(job, t) > 0 && (best == RULES_NONE || ranks_before(job, t, best)))
            best = t;
    }
    return best;
}

/* The deepest category below a first-level one, following the best at each level. */
static uint32_t descend(const struct classify_job *job, uint32_t target)
{
    for (uint32_t next = target; next != RULES_NONE; next = best_of(job, EVIDENCE_CATEGORY, target))
        target = next;
    return target;
}

/* The best first-level categories, at most `max`, best first. */
static size_t rank_categories(const struct classify_job *job, uint32_t *ranked, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
        uint32_t t = job->scratch->touched[i];
        if (job->rules->targets[t].what != EVIDENCE_CATEGORY ||
            job->rules->targets[t].parent != RULES_NONE || classify_score(job, t) <= 0)
            continue;
        if (count == max && !ranks_before(job, t, ranked[max - 1]))
            continue;
        size_t at = count < max ? count++ : max - 1;
        for (; at > 0 && ranks_before(job, t, ranked[at - 1]); at--)
            ranked[at] = ranked[at - 1];
        ranked[at] = t;
    }
    return count;
}

static double points(int score)
{
    return (double)score / RULES_SCORE_ONE;
}

static void decide_category(struct classify_job *job)
{
    uint32_t ranked[1 + LIMIT_SECONDARY];
    size_t count = rank_categories(job, ranked, 1 + LIMIT_SECONDARY);
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
    for (size_t i = 1; i < count; i++)
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
static void decide_urgency(struct classify_job *job)
{
    struct rules_scratch *s = job->scratch;
    const struct rules_target *sla = NULL;
    int level = -1;
    for (size_t i = 0; i < s->touched_count; i++) {
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

static void decide_kind(struct classify_job *job)
{
    uint32_t best = best_of(job, EVIDENCE_KIND, RULES_NONE);
    job->verdict->kind =
        best == RULES_NONE ? job->rules->kind_default : (enum kind)job->rules->targets[best].value;
}

/* Tags in file order. */
static void decide_tags(struct classify_job *job)
{
    uint32_t found[VERDICT_TAGS];
    size_t count = 0;
    for (size_t i = 0; i < job->scratch->touched_count; i++) {
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

/* The best first-level category by one part of the scores, and the score of the second. */
struct leader {
    uint32_t target;
    int score, second;
};

static void offer_leader(struct leader *leader, uint32_t target, int score)
{
    if (leader->target == RULES_NONE || score > leader->score) {
        leader->second = leader->target == RULES_NONE ? 0 : leader->score;
        leader->score = score;
        leader->target = target;
    } else if (score > leader->second) {
        leader->second = score;
    }
}

/* True when it would need no review by itself. */
static bool is_firm(const struct classify_job *job, const struct leader *leader)
{
    if (leader->target == RULES_NONE || leader->score <= 0)
        return false;
    const struct rules_target *target = &job->rules->targets[leader->target];
    int second = leader->second > 0 ? leader->second : 0;
    return points(leader->score) >= target->min_score &&
           (double)(leader->score - second) / leader->score >= target->min_margin;
}

/* True when the hand-written rules and the learned weights each name a category firmly, and not the
 * same. */
static bool is_contradictory(const struct classify_job *job)
{
    const struct rules_scratch *s = job->scratch;
    struct leader hand = {RULES_NONE, 0, 0}, learned = {RULES_NONE, 0, 0};
    if (s->sums.count == 0)
        return false;
    for (size_t i = 0; i < s->touched_count; i++) {
        const struct rules_target *t = &job->rules->targets[s->touched[i]];
        if (t->what != EVIDENCE_CATEGORY || t->parent != RULES_NONE)
            continue;
        int score = t->label < 0 ? 0 : s->learned[t->label];
        offer_leader(&hand, s->touched[i], classify_score(job, s->touched[i]) - score);
        if (t->label >= 0)
            offer_leader(&learned, s->touched[i], score);
    }
    return hand.target != learned.target && is_firm(job, &hand) && is_firm(job, &learned);
}

static void decide_review(struct classify_job *job)
{
    struct verdict *v = job->verdict;
    if (job->negated_red && v->urgency != URGENCY_RED)
        v->review_reason = SPAN("negated_emergency");
    else if (v->category.path.len == 0)
        v->review_reason = SPAN("no_match");
    else if (is_contradictory(job))
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
    decide_category(job);
    decide_urgency(job);
    decide_kind(job);
    decide_tags(job);
    decide_review(job);
}
