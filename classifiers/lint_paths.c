/*
 * Category paths that no text can reach: without a positive weight below them, or with one that a
 * path before them always has too; and categories whose weights never reach the score of review.
 */
#include "classifiers/lint_private.h"

#include "engine/base/mem.h"

#include <string.h>

/* Whether a path is another one or stands below it. */
static bool is_within(struct span path, struct span above)
{
    return span_eq(path, above) ||
           (span_starts(path, above) && path.len > above.len && path.ptr[above.len] == '/');
}

static struct span parent_of(struct span path)
{
    size_t end = path.len;
    while (end > 0 && path.ptr[end - 1] != '/')
        end--;
    return span_sub(path, 0, end == 0 ? 0 : end - 1);
}

/* What speaks for a path and for all below it. */
struct support {
    double positive; /* sum of the positive weights */
    bool negative;   /* some weight is negative */
    bool vague;      /* regexes or conditions, whose hits cannot be compared */
};

static struct support support_of(const struct lint *lint, struct span path)
{
    struct support sum = {.positive = 0};
    for (size_t i = 0; i < lint->rules.count; i++) {
        const struct lint_rule *rule = &lint->rules.list[i];
        sum.vague |=
            rule->what == EVIDENCE_CATEGORY && rule->conditions && is_within(rule->name, path);
    }
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *p = &lint->patterns.list[i];
        if (p->rule == LINT_NONE || p->unless ||
            lint->rules.list[p->rule].what != EVIDENCE_CATEGORY ||
            !is_within(lint->rules.list[p->rule].name, path))
            continue;
        sum.vague |= p->regex;
        sum.negative |= p->weight < 0;
        sum.positive += p->weight > 0 ? p->weight : 0;
    }
    return sum;
}

static bool of_rule(const struct lint_pattern *p, size_t rule)
{
    return p->rule == rule && !p->unless && !p->regex;
}

/* Whether every point that `later` can get, `earlier` gets too: each of its words holds one of the
 * earlier path that has weight left for it. A word that is the same is taken first. spent has room
 * for every pattern. */
static bool is_covered(const struct lint *lint, size_t later, size_t earlier, int *spent)
{
    memset(spent, 0, lint->patterns.count * sizeof *spent);
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *word = &lint->patterns.list[i];
        if (!of_rule(word, later) || word->weight < 0)
            continue;
        size_t best = LINT_NONE;
        for (size_t k = 0; k < lint->patterns.count; k++) {
            const struct lint_pattern *other = &lint->patterns.list[k];
            if (!of_rule(other, earlier) || other->weight - spent[k] < word->weight ||
                (other->where != LINT_ANYWHERE && other->where != word->where) ||
                !lint_holds(word->units, word->count, other->units, other->count))
                continue;
            if (best == LINT_NONE || other->count > lint->patterns.list[best].count)
                best = k;
        }
        if (best == LINT_NONE)
            return false;
        spent[best] += word->weight;
    }
    return true;
}

/* A path that another of the same parent, standing before it, always equals or beats. */
static int find_covered(struct lint *lint, size_t later, int *spent)
{
    const struct lint_rule *rule = &lint->rules.list[later];
    struct support own = support_of(lint, rule->name);
    if (own.vague || own.positive <= 0)
        return 0;
    for (size_t i = 0; i < lint->rules.count; i++) {
        const struct lint_rule *other = &lint->rules.list[i];
        if (i == later || other->what != EVIDENCE_CATEGORY || i > later ||
            span_eq(other->name, rule->name) ||
            !span_eq(parent_of(other->name), parent_of(rule->name)))
            continue;
        if (!support_of(lint, other->name).negative && is_covered(lint, later, i, spent))
            return lint_find(lint, LINT_PATH_NEVER_WINS, &rule->place,
                             "give it words of its own, or remove it",
                             "“%.*s” can never win: every word of it gives “%.*s”, which stands "
                             "before it (%.*s), as many points",
                             SPAN_ARG(rule->name), SPAN_ARG(other->name),
                             SPAN_ARG(lint_at(lint, &other->place)));
    }
    return 0;
}

static bool has_paths_below(const struct lint *lint, size_t rule)
{
    for (size_t i = 0; i < lint->rules.count; i++)
        if (i != rule && lint->rules.list[i].what == EVIDENCE_CATEGORY &&
            is_within(lint->rules.list[i].name, lint->rules.list[rule].name))
            return true;
    return false;
}

static int judge_path(struct lint *lint, size_t at, int *spent)
{
    const struct lint_rule *rule = &lint->rules.list[at];
    struct support support = support_of(lint, rule->name);
    if (support.positive <= 0 && !support.vague)
        return lint_find(lint, LINT_PATH_NEVER_WINS, &rule->place,
                         "add words with positive weights, or remove it",
                         "“%.*s” can never be chosen: nothing has a positive weight for it",
                         SPAN_ARG(rule->name));
    return has_paths_below(lint, at) ? 0 : find_covered(lint, at, spent);
}

/* The first rule of each first level stands for it. */
static int judge_category(struct lint *lint, size_t at)
{
    const struct lint_rule *rule = &lint->rules.list[at];
    for (size_t i = 0; i < at; i++)
        if (lint->rules.list[i].what == EVIDENCE_CATEGORY &&
            span_eq(lint->rules.list[i].first, rule->first))
            return 0;
    struct support support = support_of(lint, rule->first);
    if (support.vague || support.positive >= lint->min_score)
        return 0;
    return lint_find(lint, LINT_SCORE_TOO_SMALL, &rule->place,
                     "add words, or raise weights; or lower min_score",
                     "“%.*s” can reach %g points by its words, and below %g (min_score) every "
                     "verdict is for review",
                     SPAN_ARG(rule->first), support.positive, lint->min_score);
}

int lint_paths(struct lint *lint)
{
    int *spent = mem_zalloc(lint->patterns.count + 1, sizeof *spent);
    int done = spent == NULL ? lint_no_memory(lint) : 0;
    for (size_t i = 0; done == 0 && i < lint->rules.count; i++) {
        const struct lint_rule *rule = &lint->rules.list[i];
        if (rule->what != EVIDENCE_CATEGORY)
            continue;
        done = judge_category(lint, i);
        /* The first level has learned weights too; nothing can be said of it. */
        if (done == 0 && !span_eq(rule->name, rule->first))
            done = judge_path(lint, i, spent);
    }
    mem_free(spent);
    return done;
}
