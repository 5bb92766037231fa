/*
 * Words: the same one in several rules, and those that no text holds once it is normalised.
 */
#include "classifiers/lint_private.h"
#include "classifiers/text.h"
#include "engine/base/buf.h"

#include <stdlib.h>
#include <string.h>

/* The same patterns side by side, in the order in which they were read. */
static int by_units(const void *a, const void *b)
{
    const struct lint_pattern *left = *(const struct lint_pattern *const *)a;
    const struct lint_pattern *right = *(const struct lint_pattern *const *)b;
    if (left->regex != right->regex)
        return left->regex ? 1 : -1;
    if (left->count != right->count)
        return left->count < right->count ? -1 : 1;
    int units = memcmp(left->units, right->units, left->count * sizeof *left->units);
    if (units != 0)
        return units;
    return left < right ? -1 : 1;
}

static bool same_units(const struct lint_pattern *a, const struct lint_pattern *b)
{
    return a->regex == b->regex && a->count == b->count &&
           memcmp(a->units, b->units, a->count * sizeof *a->units) == 0;
}

/* What a text that is just this word scores for a first level, by keywords. */
static int alone(const struct lint *lint, const struct lint_pattern *word, struct span first)
{
    int sum = 0;
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *p = &lint->patterns.list[i];
        if (p->rule == LINT_NONE || p->regex || p->unless ||
            (p->where != LINT_ANYWHERE && p->where != word->where) ||
            lint->rules.list[p->rule].what != EVIDENCE_CATEGORY ||
            !span_eq(lint->rules.list[p->rule].first, first) ||
            !lint_holds(word->units, word->count, p->units, p->count))
            continue;
        sum += p->weight;
    }
    return sum;
}

static int compare_categories(struct lint *lint, const struct lint_pattern *first,
                              const struct lint_pattern *second)
{
    const struct lint_rule *a = &lint->rules.list[first->rule];
    const struct lint_rule *b = &lint->rules.list[second->rule];
    struct span at = lint_at(lint, &first->place);
    if (first->weight < 0 || second->weight < 0)
        return 0;
    if (span_eq(a->first, b->first))
        return lint_find(lint, LINT_IN_TWO_PATHS, &second->place,
                         "fine if both are meant; its weight counts twice for the first level",
                         "“%.*s” has a weight for “%.*s” here (%d) and for “%.*s” at %.*s (%d)",
                         SPAN_ARG(second->text), SPAN_ARG(b->name), second->weight,
                         SPAN_ARG(a->name), SPAN_ARG(at), first->weight);
    bool tie = first->weight == second->weight && first->where == second->where &&
               second->weight >= lint->min_score &&
               alone(lint, second, a->first) == alone(lint, second, b->first);
    return lint_find(lint, tie ? LINT_TWO_CATEGORIES_TIE : LINT_TWO_CATEGORIES, &second->place,
                     tie ? "give the one that it speaks for more a higher weight, or use longer "
                           "words in both"
                         : "fine if it speaks for both",
                     "“%.*s” has a weight for “%.*s” here (%d) and for “%.*s” at %.*s (%d)%s",
                     SPAN_ARG(second->text), SPAN_ARG(b->first), second->weight, SPAN_ARG(a->first),
                     SPAN_ARG(at), first->weight, tie ? ": alone, it says two things at once" : "");
}

static int compare(struct lint *lint, const struct lint_pattern *first,
                   const struct lint_pattern *second)
{
    const struct lint_rule *a = &lint->rules.list[first->rule];
    const struct lint_rule *b = &lint->rules.list[second->rule];
    if (a->what != b->what)
        return 0;
    if (a->what == EVIDENCE_CATEGORY)
        return compare_categories(lint, first, second);
    bool same_rule_of_list = a->what == EVIDENCE_URGENCY && a->level == b->level && !a->unless &&
                             (a->negatable == b->negatable || !a->negatable) &&
                             first->where == second->where;
    if (same_rule_of_list)
        return lint_find(lint, LINT_SAME_EVERYWHERE, &second->place, "remove it here",
                         "“%.*s” stands in a rule of the same level already, at %.*s, so it does "
                         "nothing here",
                         SPAN_ARG(second->text), SPAN_ARG(lint_at(lint, &first->place)));
    return 0;
}

static int find_twins(struct lint *lint)
{
    const struct lint_pattern **sorted =
        arena_zalloc(lint->arena, lint->patterns.count + 1, sizeof(struct lint_pattern *));
    size_t count = 0;
    if (sorted == NULL)
        return lint_no_memory(lint);
    for (size_t i = 0; i < lint->patterns.count; i++)
        if (lint->patterns.list[i].rule != LINT_NONE && !lint->patterns.list[i].unless)
            sorted[count++] = &lint->patterns.list[i];
    qsort(sorted, count, sizeof(struct lint_pattern *), by_units);
    for (size_t i = 1; i < count; i++) {
        /* Against the first earlier one of another rule about the same matter: one finding each. */
        for (size_t k = i; k-- > 0 && same_units(sorted[k], sorted[i]);) {
            if (sorted[k]->rule == sorted[i]->rule)
                continue;
            size_t before = lint->findings.count;
            if (compare(lint, sorted[k], sorted[i]) != 0)
                return -1;
            if (lint->findings.count > before)
                break;
        }
    }
    return 0;
}

/* A keyword that normalisation takes apart when it stands among Han characters. */
static int find_unreachable(struct lint *lint, const struct lint_pattern *pattern)
{
    uint16_t folded[LIMIT_KEYWORD_UNITS + 8];
    struct buf among = {0};
    buf_str(&among, "中");
    buf_span(&among, pattern->text);
    buf_str(&among, "中");
    bool ok = buf_ok(&among);
    ptrdiff_t count = text_fold(buf_view(&among), folded, LIMIT_KEYWORD_UNITS + 8, NULL);
    buf_free(&among);
    if (!ok)
        return lint_no_memory(lint);
    if (count < 0 || lint_holds(folded, (size_t)count, pattern->units, pattern->count))
        return 0;
    return lint_find(lint, LINT_UNREACHABLE, &pattern->place,
                     "write it without blanks and decoration at its ends",
                     "“%.*s” is not found between Chinese characters, because normalisation "
                     "removes a part of it there",
                     SPAN_ARG(pattern->text));
}

/* In a rule without weights, a word that holds another one of the rule adds nothing. */
static int find_contained(struct lint *lint, const struct lint_pattern *pattern)
{
    const struct lint_rule *rule = &lint->rules.list[pattern->rule];
    if (rule->what != EVIDENCE_URGENCY && rule->what != EVIDENCE_TAG)
        return 0;
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *other = &lint->patterns.list[i];
        if (other == pattern || other->rule != pattern->rule || other->regex || other->unless ||
            other->count >= pattern->count ||
            (other->where != LINT_ANYWHERE && other->where != pattern->where))
            continue;
        if (lint_holds(pattern->units, pattern->count, other->units, other->count))
            return lint_find(lint, LINT_CONTAINED, &pattern->place,
                             "it can be removed, or the shorter one is too short",
                             "“%.*s” is found by “%.*s” of the same rule already",
                             SPAN_ARG(pattern->text), SPAN_ARG(other->text));
    }
    return 0;
}

int lint_words(struct lint *lint)
{
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *pattern = &lint->patterns.list[i];
        if (pattern->regex)
            continue;
        if (find_unreachable(lint, pattern) != 0 ||
            (pattern->rule != LINT_NONE && find_contained(lint, pattern) != 0))
            return -1;
    }
    return find_twins(lint);
}
