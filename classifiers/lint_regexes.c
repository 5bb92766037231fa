/*
 * Regexes: what they cost, and whether they can match what is left after normalisation.
 */
#include "classifiers/lint_private.h"
#include "classifiers/lint_regex.h"
#include "classifiers/literals.h"

enum {
    PATTERN_ARENA_BYTES = 262144,
    TICK_NS = 20000,     /* between two looks at the clock of a trial */
    BLOWS_UP_UNITS = 100 /* hitting a limit on a text as short as this is no accident */
};

struct judge {
    struct lint *lint;
    struct regex_scratch *scratch;
    struct arena *arena; /* of one pattern */
    uint64_t now;        /* of the trials' clock */
};

/* A clock that goes on when it is looked at, which a search does between two pieces of its work: so
 * what a trial finds is the same on every machine and at every time. A tick is so short that only
 * what is far too much work is stopped by it. */
static uint64_t tick(void *ctx)
{
    struct judge *j = ctx;
    j->now += TICK_NS;
    return j->now;
}

static int judge_literals(struct judge *j, const struct lint_pattern *p)
{
    struct literals literals;
    if (literals_of(p->units, p->count, j->arena, &literals) != 0)
        return lint_no_memory(j->lint);
    if (literals.count > 0)
        return 0;
    return lint_find(j->lint, p->unless ? LINT_UNLESS_UNFILTERED : LINT_REGEX_UNFILTERED, &p->place,
                     "put a word into it that every match has to hold",
                     "the regex “%.*s” holds no word that a text must have for it to match, so it "
                     "runs on every text%s",
                     SPAN_ARG(p->text), p->unless ? " that its rule hits" : "");
}

static int judge_shape(struct judge *j, const struct lint_pattern *p,
                       const struct pattern_node *tree)
{
    static const struct {
        enum lint_code code;
        const char *what, *todo;
    } shapes[] = {
        [SHAPE_IDLE] = {LINT_REGEX_WIDE, "it begins with a repeat without an end that may be empty",
                        "leave the repeat out: what follows it is found without it"},
        [SHAPE_ECHO] = {LINT_REGEX_WIDE,
                        "a back-reference repeats what was repeated without an end",
                        "bound the repeat in the group, as in (.{1,20})"},
        [SHAPE_WIDE] = {LINT_REGEX_WIDE, "it has several repeats of anything without an end",
                        "bound them, as in .{0,20}"},
        [SHAPE_ALIKE] = {LINT_REGEX_ALIKE,
                         "within a repeat, two of its alternatives can match the same",
                         "make them begin differently, or take the repeat away"},
        [SHAPE_NESTED] = {LINT_REGEX_NESTED,
                          "a repeat stands within a repeat, and both can take the same characters",
                          "keep one of the two, as in (ab)+ for ((ab)+)+"},
    };
    enum regex_shape shape;
    if (regex_shape(tree, j->arena, &shape) != 0)
        return lint_no_memory(j->lint);
    if (shape == SHAPE_SOUND)
        return 0;
    return lint_find(j->lint, shapes[shape].code, &p->place, shapes[shape].todo,
                     "the regex “%.*s” may take very long: %s", SPAN_ARG(p->text),
                     shapes[shape].what);
}

static int judge_trial(struct judge *j, const struct lint_pattern *p,
                       const struct pattern_node *tree, const struct regex *regex)
{
    struct regex_trial trial;
    if (regex_trial(tree, regex, j->scratch, j->arena, &trial) != 0)
        return lint_no_memory(j->lint);
    if (trial.limited_at == 0)
        return 0;
    return lint_find(j->lint,
                     trial.limited_at <= BLOWS_UP_UNITS ? LINT_REGEX_BLOWS_UP : LINT_REGEX_DEAR,
                     &p->place, "use fewer and smaller repeats, and put words between them",
                     "the regex “%.*s” is stopped by its limits on a text of %zu characters that "
                     "repeats “%s”, and then counts as no match",
                     SPAN_ARG(p->text), trial.limited_at, trial.pump);
}

static int judge_reach(struct judge *j, const struct lint_pattern *p,
                       const struct pattern_node *tree, const struct regex *regex)
{
    bool unreachable;
    if (regex_unreachable(tree, regex, j->scratch, j->arena, &unreachable) != 0)
        return lint_no_memory(j->lint);
    if (!unreachable)
        return 0;
    return lint_find(j->lint, LINT_UNREACHABLE, &p->place,
                     "leave blanks and decoration out; write punctuation as rules/FORMAT.md says",
                     "the regex “%.*s” matches no text: it asks for characters that normalisation "
                     "removes or changes",
                     SPAN_ARG(p->text));
}

static int judge_pattern(struct judge *j, const struct lint_pattern *p)
{
    arena_reset(j->arena);
    struct pattern_node *tree = pattern_parse(p->units, p->count, j->arena);
    struct regex *regex = regex_compile(p->text, j->lint->err);
    int done;
    if (regex == NULL)
        done = -1;
    else if (tree == NULL)
        done = lint_no_memory(j->lint);
    else
        done = judge_literals(j, p) != 0 || judge_shape(j, p, tree) != 0 ||
                       judge_trial(j, p, tree, regex) != 0 || judge_reach(j, p, tree, regex) != 0
                   ? -1
                   : 0;
    regex_free(&regex);
    return done;
}

int lint_regexes(struct lint *lint)
{
    struct judge j = {.lint = lint,
                      .scratch = regex_scratch_new(lint->err),
                      .arena = arena_new(PATTERN_ARENA_BYTES)};
    int done = 0;
    if (j.scratch == NULL || j.arena == NULL)
        done = lint_no_memory(lint);
    if (done == 0)
        regex_scratch_set_clock(j.scratch,
                                &(struct regex_clock){.steady = tick, .own = tick, .ctx = &j});
    for (size_t i = 0; done == 0 && i < lint->patterns.count; i++)
        if (lint->patterns.list[i].regex)
            done = judge_pattern(&j, &lint->patterns.list[i]);
    regex_scratch_free(&j.scratch);
    arena_free(&j.arena);
    return done;
}
