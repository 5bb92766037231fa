/*
 * lint: what is suspicious in a rule set that compiles.
 *
 * A rule set can be right in form and still hold what does nothing, what contradicts itself, or
 * what costs too much. Each finding has a place, says what is wrong and what to do about it, for
 * people who do not program.
 *
 *   error    must be put right: the rule cannot do what it says
 *   warning  is most likely a mistake
 *   note     is worth knowing, and often meant so
 */
#ifndef JIESU_CLASSIFIERS_LINT_H
#define JIESU_CLASSIFIERS_LINT_H

#include "classifiers/rules_files.h"
#include "classifiers/verdict.h"
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>

enum lint_severity { LINT_NOTE, LINT_WARNING, LINT_ERROR, LINT_SEVERITIES };
const char *lint_severity_name(enum lint_severity severity);

/* X(constant, name, severity) */
#define LINT_TABLE(X)                                                  \
    X(LINT_REGEX_BLOWS_UP, "regex-blows-up", LINT_ERROR)               \
    X(LINT_REGEX_DEAR, "regex-dear", LINT_WARNING)                     \
    X(LINT_REGEX_NESTED, "regex-nested-repeats", LINT_WARNING)         \
    X(LINT_REGEX_ALIKE, "regex-alternatives-alike", LINT_WARNING)      \
    X(LINT_REGEX_WIDE, "regex-wide-repeats", LINT_WARNING)             \
    X(LINT_REGEX_UNFILTERED, "regex-without-literal", LINT_WARNING)    \
    X(LINT_UNLESS_UNFILTERED, "unless-without-literal", LINT_NOTE)     \
    X(LINT_UNREACHABLE, "never-in-a-text", LINT_WARNING)               \
    X(LINT_UNLESS_ALWAYS, "unless-always", LINT_WARNING)               \
    X(LINT_SAME_EVERYWHERE, "same-in-two-rules", LINT_WARNING)         \
    X(LINT_TWO_CATEGORIES_TIE, "tie-between-categories", LINT_WARNING) \
    X(LINT_TWO_CATEGORIES, "in-two-categories", LINT_NOTE)             \
    X(LINT_IN_TWO_PATHS, "in-two-paths", LINT_NOTE)                    \
    X(LINT_CONTAINED, "already-found", LINT_NOTE)                      \
    X(LINT_SHADOWED, "shadowed", LINT_WARNING)                         \
    X(LINT_LEVEL_IS_DEFAULT, "level-is-default", LINT_WARNING)         \
    X(LINT_PATH_NEVER_WINS, "path-never-wins", LINT_WARNING)           \
    X(LINT_SCORE_TOO_SMALL, "score-never-enough", LINT_WARNING)        \
    X(LINT_CONDITION_UNUSED, "condition-unused", LINT_WARNING)         \
    X(LINT_CONDITION_NEVER, "condition-never-holds", LINT_WARNING)     \
    X(LINT_NEGATION_UNUSED, "negation-exception-unused", LINT_WARNING)

enum lint_code {
#define X(constant, name, severity) constant,
    LINT_TABLE(X)
#undef X
        LINT_CODES
};
const char *lint_code_name(enum lint_code code);

struct lint_finding {
    enum lint_code code;
    enum lint_severity severity;
    const char *file; /* as it is opened */
    int line, column; /* from 1, in characters */
    struct span what; /* what is wrong */
    struct span todo; /* what to do */
};

struct lint_report {
    struct arena *arena;       /* owns all of it */
    struct lint_finding *list; /* ordered by file, line and column */
    size_t count;
};

/* Looks through the files of a rule set, which must compile. 0, or -1 and *err (ERR_NOMEM, or what
 * is wrong with a file). Either way the caller ends with lint_report_free. */
int lint_rules(const struct rules_files *files, struct lint_report *report, struct err *err);
void lint_report_free(struct lint_report *report);

/* A word, a regex or the name of a condition that a rule counts, and where it stands. */
struct lint_word {
    struct span rule; /* "file:line", as evidence names it */
    enum evidence_for what;
    struct span name; /* the category path, level, kind or tag */
    struct span pattern;
    int weight;       /* in points; 1 where rules have none */
    const char *file; /* below the folder */
    int line, column;
};
/* Calls on_word for each, in file order, with spans that are valid as long as arena. A rule without
 * any is given once, with an empty pattern. 0, or -1 and *err (as lint_rules; or what on_word
 * returned, when not 0, which stops it). */
int lint_each_word(const struct rules_files *files, struct arena *arena,
                   int (*on_word)(void *ctx, const struct lint_word *word), void *ctx,
                   struct err *err);

#endif
