/* lint: each kind of finding, where it is due and where it is not; and patterns known to blow up. */
#include "classifiers/lint.h"

#include "classifiers/lint_pattern.h"
#include "classifiers/lint_regex.h"
#include "classifiers/regex_fold.h"
#include "classifiers/rules.h"
#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "tests/classifiers/support_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct fixture {
    struct rule_dir dir;
    struct rules_files files;
    struct lint_report report;
};

/* Lints the small rule set with one file replaced; the set must compile. */
static void lint_with(struct fixture *f, const char *name, const char *text)
{
    struct err err = {0};
    rule_dir_make(&f->dir);
    rule_dir_write(&f->dir, name, text);
    struct rules *rules = rules_load(f->dir.path, &err);
    if (rules == NULL)
        fail_msg("%s", err.text);
    rules_unref(&rules);
    assert_int_equal(rules_files_read(&f->files, f->dir.path, &err), 0);
    if (lint_rules(&f->files, &f->report, &err) != 0)
        fail_msg("%s", err.text);
}

static void lint_end(struct fixture *f)
{
    lint_report_free(&f->report);
    rules_files_free(&f->files);
    rule_dir_remove(&f->dir);
}

/* The findings of the file as "line:column code", one a line. */
static void listed(const struct fixture *f, const char *name, struct buf *out)
{
    for (size_t i = 0; i < f->report.count; i++) {
        const struct lint_finding *finding = &f->report.list[i];
        assert_true(finding->what.len > 0 && finding->todo.len > 0);
        if (span_ends(span_str(finding->file), span_str(name)))
            buf_printf(out, "%d:%d %s\n", finding->line, finding->column,
                       lint_code_name(finding->code));
    }
}

struct row {
    const char *file, *text, *findings;
};

static void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture f;
        struct buf got = {0};
        lint_with(&f, rows[i].file, rows[i].text);
        listed(&f, rows[i].file, &got);
        if (!span_eq(buf_view(&got), span_str(rows[i].findings)))
            fail_msg("row %zu:\n%s\nwanted:\n%sgot:\n%s", i, rows[i].text, rows[i].findings,
                     buf_cstr(&got));
        buf_free(&got);
        lint_end(&f);
    }
}
#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_the_small_set_is_clean(void **state)
{
    (void)state;
    struct fixture f;
    lint_with(&f, "review.yaml", "min_score: 3\nmin_margin: 0.15\n");
    assert_int_equal(f.report.count, 0);
    lint_end(&f);
}

static void test_words_in_several_categories(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* the same weight, enough to decide: a tie; a smaller one: a note */
        {"categories/jiaoyu.yaml",
         "category: 教育\nrules:\n  - keywords:\n      4: [垃圾清运, 学校]\n      2: [垃圾]\n",
         "4:11 tie-between-categories\n5:11 in-two-categories\n"},
        /* another weight */
        {"categories/jiaoyu.yaml", "category: 教育\nrules:\n  - keywords:\n      5: [垃圾清运]\n",
         "4:11 in-two-categories\n"},
        /* folded, it is the same word */
        {"categories/jiaoyu.yaml",
         "category: 教育\nrules:\n  - keywords:\n      4: [垃圾清運]\n      2: [垃圾]\n",
         "4:11 tie-between-categories\n5:11 in-two-categories\n"},
        /* the same weight, but a word in it counts for one of the two only */
        {"categories/jiaoyu.yaml", "category: 教育\nrules:\n  - keywords:\n      4: [垃圾清运]\n",
         "4:11 in-two-categories\n"},
        /* against it here */
        {"categories/jiaoyu.yaml",
         "category: 教育\nrules:\n  - keywords:\n      4: [学校]\n      -4: [垃圾清运]\n", ""},
        /* two paths of one category */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    keywords: {4: [学校], 2: [操场]}\n"
         "  - path: 乙\n"
         "    keywords: {4: [学校, 食堂]}\n",
         "6:20 in-two-paths\n"},
    };
    RUN_ROWS(rows);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* nothing speaks for it; its department does not */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    department: 教育局\n"
         "  - path: 乙\n"
         "    keywords: {4: [学校]}\n",
         "3:5 path-never-wins\n"},
        /* what stands below it speaks for it */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    department: 教育局\n"
         "  - path: 甲/丙\n"
         "    keywords: {4: [学校]}\n",
         ""},
        /* every word of the second holds one of the first, which gives as much */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    keywords: {4: [学校, 食堂]}\n"
         "  - path: 乙\n"
         "    keywords: {4: [小学校], 2: [食堂饭菜]}\n",
         "5:5 path-never-wins\n"},
        /* two words share one of the first: together they give more */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    keywords: {4: [学校]}\n"
         "  - path: 乙\n"
         "    keywords: {4: [小学校], 2: [学校食堂]}\n",
         ""},
        /* the first can lose points */
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - path: 甲\n"
         "    keywords: {4: [学校], -3: [驾校]}\n"
         "  - path: 乙\n"
         "    keywords: {4: [小学校]}\n",
         ""},
        {"categories/jiaoyu.yaml", "category: 教育\nrules:\n  - keywords: {2: [学校]}\n",
         "3:5 score-never-enough\n"},
    };
    RUN_ROWS(rows);
}

static void test_urgency(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"urgency.yaml",
         "default: blue\n"
         "rules:\n"
         "  - level: red\n"
         "    keywords: [着火, 着火了]\n"
         "  - level: red\n"
         "    keywords: [着火, 爆炸]\n"
         "  - level: yellow\n"
         "    keywords: [楼道着火, 停水]\n"
         "  - level: blue\n"
         "    keywords: [路灯]\n",
         "4:20 already-found\n6:16 same-in-two-rules\n8:16 shadowed\n9:5 level-is-default\n"},
        /* a rule that can be set aside leaves room for others */
        {"urgency.yaml",
         "default: blue\n"
         "rules:\n"
         "  - level: red\n"
         "    keywords: [着火]\n"
         "    unless: [演练]\n"
         "  - level: red\n"
         "    keywords: [着火]\n"
         "  - level: yellow\n"
         "    keywords: [没有着火]\n",
         "9:16 shadowed\n"},
        {"urgency.yaml",
         "default: blue\n"
         "rules:\n"
         "  - level: red\n"
         "    keywords: [着火演练, 着火]\n"
         "    unless: ['^演练', '(?<=火)演练', '着火.{0,2}演练']\n",
         "4:16 unless-always\n4:16 already-found\n"},
    };
    RUN_ROWS(rows);
}

static void test_regexes(void **state)
{
    (void)state;
#define REGEX(pattern) \
    "category: 教育\nrules:\n  - keywords: {3: [学校]}\n    regexes: {4: ['" pattern "']}\n"
    static const struct row rows[] = {
        {"categories/jiaoyu.yaml", REGEX("垃圾.{0,8}没人(清|管)"), ""},
        {"categories/jiaoyu.yaml", REGEX("(路灯|井盖)+坏"), ""},
        {"categories/jiaoyu.yaml", REGEX("(噪音|噪)+大"), ""},
        {"categories/jiaoyu.yaml", REGEX("[^a-z]{2}"), "4:19 regex-without-literal\n"},
        {"categories/jiaoyu.yaml", REGEX("垃圾.*没人.*管"), "4:19 regex-wide-repeats\n"},
        {"categories/jiaoyu.yaml", REGEX("[0-9]*号楼"), "4:19 regex-wide-repeats\n"},
        {"categories/jiaoyu.yaml", REGEX("^[0-9]*号楼"), ""},
        {"categories/jiaoyu.yaml", REGEX("号(楼+)\\1坏"), "4:19 regex-wide-repeats\n"},
        {"categories/jiaoyu.yaml", REGEX("号(.)\\1{3,}坏"), ""},
        {"categories/jiaoyu.yaml", REGEX("(啊+)+哦"),
         "4:19 regex-blows-up\n4:19 regex-nested-repeats\n"},
        {"categories/jiaoyu.yaml", REGEX("(啊|啊)*哦"),
         "4:19 regex-blows-up\n4:19 regex-alternatives-alike\n"},
    };
    RUN_ROWS(rows);
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"conditions.yaml",
         "conditions:\n"
         "  - name: 夜间\n"
         "    any: [半夜, 凌晨]\n"
         "  - name: 夜间施工\n"
         "    all: [{condition: 夜间}, 施工]\n",
         "2:5 condition-unused\n4:5 condition-unused\n"},
        {"conditions.yaml",
         "conditions:\n"
         "  - name: 甲\n"
         "    any: [夜市摊, 半夜]\n"
         "    none: [夜市]\n"
         "  - name: 乙\n"
         "    all: [停车, 打架]\n"
         "    none: [打架]\n",
         "2:5 condition-unused\n3:11 condition-never-holds\n5:5 condition-unused\n"
         "6:15 condition-never-holds\n"},
    };
    RUN_ROWS(rows);
}

/* A condition that a rule uses, and those that it is made of, are used. */
static void test_used_conditions(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    rule_dir_make(&f.dir);
    rule_dir_write(&f.dir, "conditions.yaml",
                   "conditions:\n"
                   "  - name: 夜间\n"
                   "    any: [半夜, 凌晨]\n"
                   "  - name: 夜间施工\n"
                   "    all: [{condition: 夜间}, 施工]\n"
                   "  - name: 演练\n"
                   "    any: [演练]\n");
    rule_dir_write(&f.dir, "categories/huanbao.yaml",
                   "category: 环保\nrules:\n  - path: 噪声\n    conditions: {4: [夜间施工]}\n");
    rule_dir_write(&f.dir, "urgency.yaml",
                   "default: blue\n"
                   "rules:\n"
                   "  - level: red\n"
                   "    keywords: [着火]\n"
                   "    unless_conditions: [演练]\n");
    rule_dir_write(&f.dir, "negations.yaml",
                   "before: {within: 4, words: [没有, 未]}\n"
                   "after: {within: 8, words: [已扑灭]}\n"
                   "except: [没有人管, 不得了]\n");
    struct rules *rules = rules_load(f.dir.path, &err);
    if (rules == NULL)
        fail_msg("%s", err.text);
    rules_unref(&rules);
    assert_int_equal(rules_files_read(&f.files, f.dir.path, &err), 0);
    assert_int_equal(lint_rules(&f.files, &f.report, &err), 0);
    assert_int_equal(f.report.count, 1);
    assert_int_equal(f.report.list[0].code, LINT_NEGATION_UNUSED);
    assert_int_equal(f.report.list[0].line, 3);
    assert_int_equal(f.report.list[0].column, 16);
    lint_end(&f);
}

/* What normalisation takes away between Chinese characters is never found there. */
static void test_what_normalisation_removes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"categories/jiaoyu.yaml",
         "category: 教育\n"
         "rules:\n"
         "  - keywords: {4: [学校, '操 场', '*教室']}\n"
         "    regexes: {4: ['食堂 {1,3}饭菜', '食堂 ?饭菜', '校.{0,4}长']}\n",
         "3:31 never-in-a-text\n4:19 never-in-a-text\n"},
    };
    RUN_ROWS(rows);
}

/* Whether its shape or a trial speaks against a pattern. */
static bool is_named(const char *pattern, struct regex_scratch *scratch, struct arena *arena,
                     struct regex_trial *trial)
{
    struct err err = {0};
    struct regex_folded folded = {.units = NULL};
    enum regex_shape shape;
    struct regex *regex = regex_compile(span_str(pattern), &err);
    assert_non_null(regex);
    assert_int_equal(regex_fold(span_str(pattern), &folded, &err), 0);
    struct pattern_node *tree = pattern_parse(folded.units, folded.count, arena);
    assert_non_null(tree);
    assert_int_equal(regex_shape(tree, arena, &shape), 0);
    assert_int_equal(regex_trial(tree, regex, scratch, arena, trial), 0);
    regex_folded_free(&folded);
    regex_free(&regex);
    arena_reset(arena);
    return shape != SHAPE_SOUND || trial->limited_at != 0;
}

/* The catastrophic patterns, and look-alikes that are not. */
static void test_known_catastrophes(void **state)
{
    (void)state;
    enum judgement { NAMED, BORNE, GOOD };
    static const struct {
        const char *pattern;
        enum judgement judgement;
    } rows[] = {
#define CATASTROPHIC_PATTERN(pattern, judgement) {pattern, judgement},
#include "tests/classifiers/catastrophic.def"
#undef CATASTROPHIC_PATTERN
        {"a+b", GOOD},           {"(a+b)+c", GOOD},         {"(ab|ac)+d", GOOD},
        {"(?>a+)+b", GOOD},      {"(a++)+b", GOOD},         {"(啊{1,3}哦)+嗯", GOOD},
        {"[0-9]{3,11}号", GOOD}, {"垃圾.{0,20}没人", GOOD}, {"(很|非常|特别)+(吵|闹)", GOOD},
        {"(ab?){2}c", GOOD},
    };
    struct err err = {0};
    struct arena *arena = arena_new(65536);
    struct regex_scratch *scratch = regex_scratch_new(&err);
    assert_non_null(arena);
    assert_non_null(scratch);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex_trial trial;
        const bool named = is_named(rows[i].pattern, scratch, arena, &trial);
        if (rows[i].judgement == NAMED && !named)
            fail_msg("%s is not named", rows[i].pattern);
        if (rows[i].judgement == GOOD && named)
            fail_msg("%s is named: stopped at %zu units of “%s”", rows[i].pattern, trial.limited_at,
                     trial.pump);
    }
    regex_scratch_free(&scratch);
    arena_free(&arena);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    struct err err = {0};
    struct rule_dir dir;
    struct rules_files files;
    rule_dir_make(&dir);
    rule_dir_write(&dir, "categories/jiaoyu.yaml",
                   "category: 教育\n"
                   "rules:\n"
                   "  - path: 甲\n"
                   "    keywords: {4: [学校, 垃圾清运]}\n"
                   "    regexes: {4: ['(啊+)+哦']}\n"
                   "  - path: 乙\n"
                   "    keywords: {4: [学校]}\n");
    assert_int_equal(rules_files_read(&files, dir.path, &err), 0);
    bool passed = false;
    for (uint64_t n = 1; !passed; n++) {
        struct lint_report report;
        mem_fail_at(n);
        passed = lint_rules(&files, &report, &err) == 0;
        mem_fail_at(0);
        if (passed)
            assert_int_equal(report.count, 5);
        else
            assert_int_equal(err.code, ERR_NOMEM);
        lint_report_free(&report);
    }
    rules_files_free(&files);
    rule_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_small_set_is_clean),
        cmocka_unit_test(test_words_in_several_categories),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_urgency),
        cmocka_unit_test(test_regexes),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_used_conditions),
        cmocka_unit_test(test_what_normalisation_removes),
        cmocka_unit_test(test_known_catastrophes),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
