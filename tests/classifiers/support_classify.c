#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

void same_text(struct span found, const char *text, int line)
{
    if (!span_eq(found, span_str(text)))
        fail_msg("line %d: “%.*s” is not “%s”", line, SPAN_ARG(found), text);
}

void same_number(double found, double expected, int line)
{
    if (fabs(found - expected) > 1e-9)
        fail_msg("line %d: %g is not %g", line, found, expected);
}

int begin(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    rule_dir_make(&fixture.dir);
    fixture.scratch = rules_scratch_new();
    *state = &fixture;
    return fixture.scratch == NULL ? -1 : 0;
}

int end(void **state)
{
    struct fixture *f = *state;
    rules_unref(&f->rules);
    rules_scratch_free(&f->scratch);
    rule_dir_remove(&f->dir);
    return 0;
}

void put(struct fixture *f, const char *name, const char *text)
{
    rule_dir_write(&f->dir, name, text);
}

void compile(struct fixture *f)
{
    struct err err = {0};
    rules_unref(&f->rules);
    f->rules = rules_load(f->dir.path, &err);
    if (f->rules == NULL)
        fail_msg("%s", err.text);
}

const struct verdict *say(struct fixture *f, const char *title, const char *text)
{
    struct err err = {0};
    if (f->rules == NULL)
        compile(f);
    if (classify(f->rules, f->scratch, span_str(title), span_str(text), &f->verdict, &err) != 0)
        fail_msg("%s", err.text);
    return &f->verdict;
}
