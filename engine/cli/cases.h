/*
 * cases: what a rule set must say of some texts: the files of rules/cases/ (rules/FORMAT.md).
 *
 * They are read as strictly as the rules; errors are "file:line:column: what; what to do".
 */
#ifndef JIESU_CLI_CASES_H
#define JIESU_CLI_CASES_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>

enum { CASE_ANY = -1, CASE_NAMES = 16 };

/* A name that a case gives, and its place; absent when name.ptr is NULL. */
struct case_name {
    struct span name;
    int line, column;
};

/* One case. What is absent is not looked at. */
struct test_case {
    const char *file;
    int line;
    struct span title, text;
    struct case_name path;     /* the verdict's path is it, or stands below it */
    struct case_name not_path; /* the verdict's path is not it, and does not stand below it */
    int urgency, kind, review; /* CASE_ANY when absent; review: 0 or 1 */
    struct span reason;        /* of the review */
    struct case_name tags[CASE_NAMES], no_tags[CASE_NAMES];
    size_t tag_count, no_tag_count;
};

struct cases;

/* NULL and *err when memory is short. */
struct cases *cases_new(struct err *err);
void cases_free(struct cases **cases);
/* Adds the cases of a file. 0, or -1 and *err. */
int cases_add_file(struct cases *cases, const char *path, struct err *err);
/* Adds those of every .yaml file of cases/ below a rule set's folder, in the order of their names; there
 * may be none. 0, or -1 and *err. */
int cases_add_folder(struct cases *cases, const char *rules, struct err *err);
size_t cases_count(const struct cases *cases);
/* Valid as long as cases. */
const struct test_case *cases_at(const struct cases *cases, size_t i);

#endif
