/*
 * Urgency: rules that a higher one always outdoes, and words that their own `unless` sets aside.
 */
#include "classifiers/lint_private.h"
#include "classifiers/regex.h"

#include <string.h>

/* Whether a pattern means the same wherever it stands: nothing in it looks at what is around. */
static bool looks_around(const struct lint_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++) {
        uint16_t unit = pattern->units[i];
        uint16_t next = i + 1 < pattern->count ? pattern->units[i + 1] : 0;
        if (unit == '^' || unit == '$')
            return true;
        if (unit == '(' && next == '?')
            return true;
        if (unit == '\\' && next != 0 && next < 0x80 && strchr("bBAzZGK", next) != NULL)
            return true;
    }
    return false;
}

/* The words of the rule that this `unless` matches by themselves. */
static int try_unless(struct lint *lint, const struct lint_pattern *unless, struct regex *regex,
                      struct regex_scratch *scratch)
{
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *word = &lint->patterns.list[i];
        size_t from, to;
        if (word->rule != unless->rule || word->regex || word->unless)
            continue;
        if (regex_search(regex, scratch, word->units, word->count, 0, &from, &to) == REGEX_MATCH &&
            lint_find(lint, LINT_UNLESS_ALWAYS, &word->place,
                      "make the unless narrower, or remove the word",
                      "“%.*s” never counts: wherever it stands, the unless “%.*s” of its own rule "
                      "(line %d) matches too",
                      SPAN_ARG(word->text), SPAN_ARG(unless->text), unless->place.line) != 0)
            return -1;
    }
    return 0;
}

static int find_unless_always(struct lint *lint)
{
    struct regex_scratch *scratch = regex_scratch_new(lint->err);
    int done = scratch == NULL ? -1 : 0;
    for (size_t i = 0; done == 0 && i < lint->patterns.count; i++) {
        const struct lint_pattern *unless = &lint->patterns.list[i];
        if (!unless->unless || looks_around(unless))
            continue;
        struct regex *regex = regex_compile(unless->text, lint->err);
        done = regex == NULL ? -1 : try_unless(lint, unless, regex, scratch);
        regex_free(&regex);
    }
    regex_scratch_free(&scratch);
    return done;
}

/* Whether rule a always decides where rule b could, for words that hold a's. */
static bool outdoes(const struct lint_rule *a, const struct lint_rule *b)
{
    return a->what == EVIDENCE_URGENCY && b->what == EVIDENCE_URGENCY && a->level > b->level &&
           !a->unless && (!a->negatable || b->negatable);
}

static int find_shadowed(struct lint *lint, const struct lint_pattern *pattern)
{
    const struct lint_rule *rule = &lint->rules.list[pattern->rule];
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *other = &lint->patterns.list[i];
        if (other->rule == LINT_NONE || other->regex || other->unless ||
            (other->where != LINT_ANYWHERE && other->where != pattern->where) ||
            !outdoes(&lint->rules.list[other->rule], rule) ||
            !lint_holds(pattern->units, pattern->count, other->units, other->count))
            continue;
        return lint_find(
            lint, LINT_SHADOWED, &pattern->place, "remove it here, or narrow the higher rule",
            "“%.*s” can never make a text %.*s: “%.*s” makes it %.*s already, at %.*s",
            SPAN_ARG(pattern->text), SPAN_ARG(rule->name), SPAN_ARG(other->text),
            SPAN_ARG(lint->rules.list[other->rule].name), SPAN_ARG(lint_at(lint, &other->place)));
    }
    return 0;
}

int lint_urgency(struct lint *lint)
{
    for (size_t i = 0; i < lint->rules.count; i++) {
        const struct lint_rule *rule = &lint->rules.list[i];
        if (rule->what == EVIDENCE_URGENCY && rule->level <= lint->urgency_default &&
            rule->sla.len == 0 &&
            lint_find(lint, LINT_LEVEL_IS_DEFAULT, &rule->place, "remove the rule",
                      "this rule does nothing: without it, a text is at least as urgent") != 0)
            return -1;
    }
    for (size_t i = 0; i < lint->patterns.count; i++) {
        const struct lint_pattern *pattern = &lint->patterns.list[i];
        if (pattern->rule == LINT_NONE || pattern->regex || pattern->unless ||
            lint->rules.list[pattern->rule].what != EVIDENCE_URGENCY)
            continue;
        if (find_shadowed(lint, pattern) != 0)
            return -1;
    }
    return find_unless_always(lint);
}
