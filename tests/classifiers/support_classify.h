/*
 * support_classify: a rule set, a scratch and a verdict for tests of classification.
 */
#ifndef JIESU_TESTS_CLASSIFIERS_SUPPORT_CLASSIFY_H
#define JIESU_TESTS_CLASSIFIERS_SUPPORT_CLASSIFY_H

#include "classifiers/rules.h"
#include "tests/classifiers/support_rules.h"

#define assert_span(found, text) same_text((found), (text), __LINE__)
#define assert_number(found, expected) same_number((found), (expected), __LINE__)

void same_text(struct span found, const char *text, int line);
void same_number(double found, double expected, int line);

struct fixture {
    struct rule_dir dir;
    struct rules *rules;
    struct rules_scratch *scratch;
    struct verdict verdict;
};

/* Set-up and tear-down of cmocka: *state is a fixture. */
int begin(void **state);
int end(void **state);
/* Writes a file of the rule set. */
void put(struct fixture *f, const char *name, const char *text);
/* Compiles the folder as it is now. */
void compile(struct fixture *f);
/* Classifies, compiling first when nothing is compiled yet. */
const struct verdict *say(struct fixture *f, const char *title, const char *text);

#endif
