/*
 * The files are read once more, for their words and places (lint_read.c); each part then looks at
 * the whole list. What a part cannot decide for certain it leaves alone: a linter that cries wolf
 * is not read.
 */
#include "classifiers/lint.h"

#include "classifiers/lint_private.h"
#include "engine/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINT_ARENA_BYTES = 65536, WHAT_BYTES = 1024 };

static const struct {
    const char *name;
    enum lint_severity severity;
} codes[] = {
#define X(constant, name, severity) [constant] = {name, severity},
    LINT_TABLE(X)
#undef X
};

const char *lint_severity_name(enum lint_severity severity)
{
    static const char *const names[] = {
        [LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};
    return names[severity];
}

const char *lint_code_name(enum lint_code code)
{
    return codes[code].name;
}

int lint_find(struct lint *lint, enum lint_code code, const struct lint_place *place,
              const char *todo, const char *fmt, ...)
{
    char what[WHAT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    struct lint_finding finding = {.code = code,
                                   .severity = codes[code].severity,
                                   .line = place->line,
                                   .column = place->column,
                                   .what = arena_copy(lint->arena, span_str(what)),
                                   .todo = arena_copy(lint->arena, span_str(todo))};
    finding.file = arena_copy(lint->arena, span_str(place->file->path)).ptr;
    if (finding.file == NULL || finding.what.ptr == NULL || finding.todo.ptr == NULL)
        return lint_no_memory(lint);
    if (!LINT_ROOM(lint, findings))
        return -1;
    lint->findings.list[lint->findings.count++] = finding;
    return 0;
}

struct span lint_at(struct lint *lint, const struct lint_place *place)
{
    struct span at = arena_printf(lint->arena, "%.*s:%d", SPAN_ARG(place->file->name), place->line);
    return at.ptr == NULL ? SPAN("another place") : at;
}

bool lint_holds(const uint16_t *whole, size_t whole_count, const uint16_t *part, size_t part_count)
{
    for (size_t at = 0; at + part_count <= whole_count; at++)
        if (memcmp(whole + at, part, part_count * sizeof *part) == 0)
            return true;
    return false;
}

static int by_place(const void *a, const void *b)
{
    const struct lint_finding *left = a, *right = b;
    int files = strcmp(left->file, right->file);
    if (files != 0)
        return files;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    return (int)left->code - (int)right->code;
}

static int run_all(struct lint *lint, const struct rules_files *files)
{
    if (lint_read(lint, files) != 0 || lint_words(lint) != 0 || lint_urgency(lint) != 0 ||
        lint_paths(lint) != 0 || lint_conditions(lint) != 0 || lint_regexes(lint) != 0)
        return -1;
    return 0;
}

/* Puts the findings into the report, in order. */
static int report_findings(struct lint *lint, struct lint_report *report)
{
    report->list = arena_zalloc(lint->arena, lint->findings.count + 1, sizeof *report->list);
    if (report->list == NULL)
        return lint_no_memory(lint);
    report->count = lint->findings.count;
    if (report->count > 0)
        memcpy(report->list, lint->findings.list, report->count * sizeof *report->list);
    if (report->count > 1)
        qsort(report->list, report->count, sizeof *report->list, by_place);
    return 0;
}

/* Frees all but the arena. */
static void lint_drop(struct lint *lint)
{
    mem_free(lint->rules.list);
    mem_free(lint->patterns.list);
    mem_free(lint->conditions.list);
    mem_free(lint->items.list);
    mem_free(lint->references.list);
    mem_free(lint->negations.list);
    mem_free(lint->findings.list);
}

int lint_rules(const struct rules_files *files, struct lint_report *report, struct err *err)
{
    struct err own = {0};
    struct lint lint = {.arena = arena_new(LINT_ARENA_BYTES), .err = err == NULL ? &own : err};
    *report = (struct lint_report){.arena = lint.arena};
    if (lint.arena == NULL)
        return lint_no_memory(&lint);
    int done = run_all(&lint, files);
    if (done == 0)
        done = report_findings(&lint, report);
    lint_drop(&lint);
    return done;
}

void lint_report_free(struct lint_report *report)
{
    arena_free(&report->arena);
    *report = (struct lint_report){0};
}

/* --- words --- */

struct each {
    struct lint *lint;
    int (*on_word)(void *ctx, const struct lint_word *word);
    void *ctx;
};

/* Gives one word; what the words of a rule share is in it already. */
static int give(const struct each *each, struct lint_word *word, struct span pattern, int weight,
                const struct lint_place *place)
{
    word->pattern = pattern;
    word->weight = weight;
    word->line = place->line;
    word->column = place->column;
    return each->on_word(each->ctx, word);
}

/* The words of one rule, which stand together from *at on. */
static int each_of_rule(const struct each *each, size_t rule, size_t *at)
{
    struct lint *lint = each->lint;
    const struct lint_rule *r = &lint->rules.list[rule];
    struct lint_word word = {.rule = lint_at(lint, &r->place),
                             .what = r->what,
                             .name = r->name,
                             .file = arena_copy(lint->arena, r->place.file->name).ptr,
                             .line = r->place.line,
                             .column = r->place.column};
    bool any = false;
    if (word.file == NULL)
        return lint_no_memory(lint);
    for (; *at < lint->patterns.count && lint->patterns.list[*at].rule == rule; (*at)++) {
        const struct lint_pattern *p = &lint->patterns.list[*at];
        if (p->unless)
            continue;
        any = true;
        int done = give(each, &word, p->text, p->weight, &p->place);
        if (done != 0)
            return done;
    }
    for (size_t i = 0; i < lint->references.count; i++) {
        const struct lint_reference *reference = &lint->references.list[i];
        if (reference->rule != rule || reference->unless)
            continue;
        any = true;
        int done = give(each, &word, reference->name, reference->weight, &reference->place);
        if (done != 0)
            return done;
    }
    return any ? 0 : each->on_word(each->ctx, &word);
}

int lint_each_word(const struct rules_files *files, struct arena *arena,
                   int (*on_word)(void *ctx, const struct lint_word *word), void *ctx,
                   struct err *err)
{
    struct err own = {0};
    struct lint lint = {.arena = arena, .err = err == NULL ? &own : err};
    struct each each = {.lint = &lint, .on_word = on_word, .ctx = ctx};
    int done = lint_read(&lint, files);
    size_t at = 0;
    for (size_t rule = 0; done == 0 && rule < lint.rules.count; rule++) {
        while (at < lint.patterns.count && lint.patterns.list[at].rule == LINT_NONE)
            at++;
        done = each_of_rule(&each, rule, &at);
    }
    lint_drop(&lint);
    return done;
}
