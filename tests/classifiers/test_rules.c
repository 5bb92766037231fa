/* Rule sets: what compiles, what is refused and where, the id, references, short memory. */
#include "classifiers/rules.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "tests/classifiers/support_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make(void **state)
{
    static struct rule_dir dir;
    rule_dir_make(&dir);
    *state = &dir;
    return 0;
}

static int drop(void **state)
{
    rule_dir_remove(*state);
    return 0;
}

static struct rules *load(const struct rule_dir *dir)
{
    struct err err = {0};
    struct rules *rules = rules_load(dir->path, &err);
    if (rules == NULL)
        fail_msg("%s", err.text);
    return rules;
}

static void a_set_is_counted(void **state)
{
    struct rules *rules = load(*state);
    struct rules_count count = rules_count(rules);
    assert_int_equal(count.categories, 3);
    assert_int_equal(count.keywords, 5);
    assert_int_equal(count.regexes, 0);
    rules_unref(&rules);
    assert_null(rules);
    rules_unref(&rules);
}

static void collect(void *ctx, struct span path, struct span sla)
{
    char *list = ctx;
    size_t len = strlen(list);
    snprintf(list + len, 512 - len, "%.*s=%.*s;", SPAN_ARG(path), SPAN_ARG(sla));
}

static void categories_come_in_file_order(void **state)
{
    const struct rule_dir *dir = *state;
    rule_dir_write(dir, "categories/baozhang.yaml",
                   "category: 劳动保障\nsla: simple\nrules:\n"
                   "  - path: 工资\n    keywords: {3: [欠薪]}\n"
                   "  - path: 工伤/认定\n    sla: disaster\n    keywords: {3: [工伤]}\n"
                   "  - keywords: {2: [劳动]}\n");
    char list[512] = "";
    struct rules *rules = load(dir);
    rules_each_category(rules, collect, list);
    assert_string_equal(list, "劳动保障=simple;劳动保障/工资=simple;劳动保障/工伤=simple;"
                              "劳动保障/工伤/认定=disaster;城乡建设=ordinary;"
                              "城乡建设/市政管理=ordinary;城乡建设/市政管理/环卫=simple;");
    rules_unref(&rules);
}

/* The id of the set as it is now. */
static void get_id(const struct rule_dir *dir, char id[17])
{
    struct rules *rules = load(dir);
    assert_int_equal(rules_id(rules).len, 16);
    assert_int_equal(strspn(rules_id(rules).ptr, "0123456789abcdef"), 16);
    memcpy(id, rules_id(rules).ptr, 17);
    rules_unref(&rules);
}

static void the_id_follows_every_file(void **state)
{
    const struct rule_dir *dir = *state;
    char first[17], before[17], now[17];
    get_id(dir, first);
    get_id(dir, before);
    assert_string_equal(first, before);
    static const char *const changes[][2] = {
        {"calendar.yaml", "years: {}\n"},
        {"calendar.yaml", "years: {} \n"},
        {"directory/street.yaml", "street: 望月\n"},
        {"directory/street2.yaml", "street: 望月\n"},
        {"review.yaml", "min_score: 4\nmin_margin: 0.15\n"},
        {"categories/chengxiang.yaml", "category: 城乡建设\nrules: []\n"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        rule_dir_write(dir, changes[i][0], changes[i][1]);
        get_id(dir, now);
        assert_string_not_equal(before, now);
        memcpy(before, now, sizeof now);
    }
    rule_dir_write(dir, "cases/chengxiang.yaml", "- text\n");
    rule_dir_write(dir, "FORMAT.md", "text\n");
    rule_dir_write(dir, "categories/.chengxiang.yaml", "an editor's file\n");
    get_id(dir, now);
    assert_string_equal(before, now);
}

#define CATEGORY(rules) "category: 劳动保障\nrules:\n" rules
#define URGENCY(rules) "default: blue\nrules:\n" rules
#define KIND(rules) "default: complaint\nrules:\n" rules
#define TAG(rules) "rules:\n" rules
#define A "categories/a.yaml"
#define U "urgency.yaml"
#define K "kinds.yaml"
#define T "tags.yaml"
#define THIRTY_THREE "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三"

static const struct bad_file bad_files[] = {
    {A, "category 劳动保障\n", A ":1:1", "key: value"},
    {A, "category: 劳动保障\n", A ":1:1", "“rules” is missing"},
    {A, "rules: []\n", A ":1:1", "category"},
    {A, "category: 劳动/保障\nrules: []\n", A ":1:11", "2 levels"},
    {A, "category: 城乡建设\nrules: []\n", "categories/chengxiang.yaml:1:11", "a.yaml:1"},
    {A, "category: 劳动保障\nrule: []\n", A ":2:1", "rule"},
    {A, "category: 劳动保障\nsla: fast\nrules: []\n", A ":2:6", "“fast” is not a class"},
    {A, CATEGORY("  - keyword: {3: [欠薪]}\n"), A ":3:5", "keyword"},
    {A, CATEGORY("  - path: 工资\n"), A ":3:5", "no keywords"},
    {A, CATEGORY("  - path: 工资/欠薪/包工头\n    keywords: {3: [欠薪]}\n"), A ":3:11", "3 levels"},
    {A, CATEGORY("  - path: 工资//欠薪\n    keywords: {3: [欠薪]}\n"), A ":3:11", "empty name"},
    {A, CATEGORY("  - path: /工资\n    keywords: {3: [欠薪]}\n"), A ":3:11", "empty name"},
    {A, CATEGORY("  - path: 工资/\n    keywords: {3: [欠薪]}\n"), A ":3:11", "empty name"},
    {A, CATEGORY("  - path: 工资 / 欠薪\n    keywords: {3: [欠薪]}\n"), A ":3:11", "blank"},
    {A,
     CATEGORY("  - path: 工资\n    keywords: {3: [欠薪]}\n  - path: 工资\n"
              "    keywords: {3: [讨薪]}\n"),
     A ":5:11", "categories/a.yaml:3"},
    {A, CATEGORY("  - keywords: {3: [欠薪]}\n  - keywords: {3: [讨薪]}\n"), A ":4:5",
     "categories/a.yaml:3"},
    {A, CATEGORY("  - keywords: {0: [欠薪]}\n"), A ":3:16", "“0” is not a weight"},
    {A, CATEGORY("  - keywords: {21: [欠薪]}\n"), A ":3:16", "from -20 to 20"},
    {A, CATEGORY("  - keywords: {-21: [欠薪]}\n"), A ":3:16", "not a weight"},
    {A, CATEGORY("  - keywords: {--2: [欠薪]}\n"), A ":3:16", "not a weight"},
    {A, CATEGORY("  - keywords: {2.5: [欠薪]}\n"), A ":3:16", "not a weight"},
    {A, CATEGORY("  - keywords: {重: [欠薪]}\n"), A ":3:16", "“重” is not a weight"},
    {A, CATEGORY("  - keywords: [欠薪]\n"), A ":3:15", "weight to each list"},
    {A, CATEGORY("  - keywords: {3: 欠薪}\n"), A ":3:19", "list"},
    {A, CATEGORY("  - keywords: {3: []}\n"), A ":3:19", "empty"},
    {A, CATEGORY("  - keywords: {3: [欠薪, [讨薪]]}\n"), A ":3:24", "must be a word"},
    {A, CATEGORY("  - keywords: {3: [欠薪, '']}\n"), A ":3:24", "must be a word"},
    {A, CATEGORY("  - keywords: {3: [欠薪, 讨薪, 欠薪]}\n"), A ":3:28", "twice"},
    {A, CATEGORY("  - keywords:\n      3: [WIFI]\n      2: [ｗｉｆｉ]\n"), A ":5:11",
     "4:11 as “WIFI”"},
    {A, CATEGORY("  - keywords:\n      3: [漏气]\n      2: [漏氣]\n"), A ":5:11", "“漏气”"},
    {A, CATEGORY("  - keywords: {3: [" THIRTY_THREE "]}\n"), A ":3:20", "longer than 32"},
    {A, CATEGORY("  - keywords: {3: [欠薪], 3: [讨薪]}\n"), A ":3:", "3"},
    {A, CATEGORY("  - regexes: {3: ['欠(薪']}\n"), A ":3:19", "regex"},
    {A, CATEGORY("  - regexes:\n      3:\n        - 欠薪\n        - '薪{2,1}'\n"), A ":6:11",
     "regex"},
    {A, CATEGORY("  - regexes: {3: ['(欠薪)?']}\n"), A ":3:19", "empty"},
    {A, CATEGORY("  - regexes: {3: ['欠.薪', 讨薪, '欠.薪']}\n"), A ":3:", "twice"},
    {A, CATEGORY("  - keywords: {3: [欠薪]}\n    department: [住建局]\n"), A ":4:17", "department"},
    {A, CATEGORY("  - keywords: {3: [欠薪]\n"), A ":", ""},
    {A, CATEGORY("  - keywords: {3: [&a 欠薪]}\n"), A ":3:", ""},
    {U, "rules: []\n", U ":1:1", "default"},
    {U, "default: green\nrules: []\n", U ":1:10", "“green” is not a level"},
    {U, URGENCY("  - level: orange\n    keywords: [着火]\n"), U ":3:12", "red, yellow or blue"},
    {U, URGENCY("  - keywords: [着火]\n"), U ":3:5", "level"},
    {U, URGENCY("  - level: red\n"), U ":3:5", "no keywords"},
    {U, URGENCY("  - level: red\n    sla: now\n    keywords: [着火]\n"), U ":4:10", "“now”"},
    {U, URGENCY("  - level: red\n    keywords: {3: [着火]}\n"), U ":4:15", "list"},
    {U, URGENCY("  - level: red\n    keywords: [着火]\n    unless: ['演(']\n"), U ":5:14", "regex"},
    {U, URGENCY("  - level: red\n    keywords: [着火]\n    unless: []\n"), U ":5:13", "empty"},
    {U, URGENCY("  - level: red\n    keywords: [着火]\n    title_keyword: [火]\n"), U ":5:5",
     "title_keyword"},
    {K, KIND("  - kind: rant\n    keywords: {3: [骂]}\n"), K ":3:11", "“rant” is not a kind"},
    {K,
     KIND("  - kind: help\n    keywords: {3: [求助]}\n  - kind: 求助\n"
          "    keywords: {3: [救救]}\n"),
     K ":5:11", "kinds.yaml:3"},
    {K, KIND("  - kind: help\n    keywords: {3: [求助]}\n    sla: simple\n"), K ":5:5", "sla"},
    {T, TAG("  - tag: Special\n    name: 特殊\n    keywords: [老人]\n"), T ":2:10", "not a tag"},
    {T, TAG("  - tag: old\n    keywords: [老人]\n"), T ":2:5", "name"},
    {T,
     TAG("  - tag: old\n    name: 老\n    keywords: [老人]\n  - tag: old\n    name: 老\n"
         "    keywords: [老年]\n"),
     T ":5:10", "tags.yaml:2"},
    {"review.yaml", "min_score: 3\n", "review.yaml:1:1", "min_margin"},
    {"review.yaml", "min_score: three\nmin_margin: 0.1\n", "review.yaml:1:12", "number"},
    {"review.yaml", "min_score: 3\nmin_margin: 1.5\n", "review.yaml:2:13", "1"},
    {"sla.yaml", "default: ordinary\n", "sla.yaml:1:1", "“classes” is missing"},
    {"sla.yaml", "default: ordinary\nclasses: [ordinary]\n", "sla.yaml:2:11", "name"},
    {"sla.yaml", "default: ordinary\nclasses:\n  - name: simple\n", "sla.yaml:1:10", "“ordinary”"},
    {"sla.yaml", "default: simple\nclasses:\n  - name: simple\n  - nam: x\n", "sla.yaml:4:5",
     "name"},
    {"tag.yaml", "rules: []\n", "tag.yaml", "correct its name"},
    {"learned/m.tsv", "jiesu-learned\t2\n", "learned/m.tsv:1", "version 1"},
    {"learned/m.tsv", RULE_PACK("城乡建设\t无此类", "甲\t1\t1\n"), "learned/m.tsv:1: ", "“无此类”"},
    {"categories/b.yml", "rules: []\n", "categories/b.yml", "end in .yaml"},
};

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    assert_refused_well(bad_files, sizeof bad_files / sizeof *bad_files);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    static const char *const files[] = {"sla.yaml",   "urgency.yaml",
                                        "kinds.yaml", "review.yaml",
                                        "tags.yaml",  "categories/chengxiang.yaml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct rule_dir dir;
        struct err err = {0};
        rule_dir_make(&dir);
        rule_dir_drop(&dir, files[i]);
        assert_null(rules_load(dir.path, &err));
        rule_dir_remove(&dir);
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_non_null(strstr(err.text, strchr(files[i], '/') ? "categories/" : files[i]));
    }
}

static void a_missing_folder_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(rules_load("/tmp/jiesu-no-such-folder", &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "/tmp/jiesu-no-such-folder"));
    assert_null(rules_load("/tmp/jiesu-no-such-folder", NULL));
}

static void one_keyword_may_serve_many_rules(void **state)
{
    const struct rule_dir *dir = *state;
    rule_dir_write(dir, "categories/a.yaml",
                   CATEGORY("  - path: 工资\n"
                            "    keywords: {3: [垃圾, 请问]}\n"
                            "    title_keywords: {2: [垃圾]}\n"
                            "  - path: 工伤\n"
                            "    keywords: {3: [垃圾]}\n"));
    struct rules *rules = load(dir);
    assert_int_equal(rules_count(rules).keywords, 5);
    rules_unref(&rules);
}

static void too_many_tags_are_refused(void **state)
{
    const struct rule_dir *dir = *state;
    char text[4096] = "rules:\n";
    for (int i = 0; i <= VERDICT_TAGS; i++)
        sprintf(text + strlen(text), "  - tag: t%d\n    name: t\n    keywords: [老人]\n", i);
    rule_dir_write(dir, "tags.yaml", text);
    struct err err = {0};
    assert_null(rules_load(dir->path, &err));
    assert_non_null(strstr(err.text, "tags.yaml:50:5"));
    assert_non_null(strstr(err.text, "more than 16 tags"));
}

/* Each allocation fails once; every time the answer is a clean error, until none fails. */
static void short_memory_is_survived(void **state)
{
    const struct rule_dir *dir = *state;
    rule_dir_write(dir, "categories/a.yaml",
                   CATEGORY("  - path: 工资/欠薪\n"
                            "    sla: simple\n"
                            "    keywords: {3: [欠薪, 讨薪], -2: [垃圾]}\n"
                            "    title_keywords: {2: [欠薪]}\n"
                            "    regexes: {4: ['欠.{0,4}工资']}\n"));
    rule_dir_write(dir, "urgency.yaml",
                   URGENCY("  - level: red\n    keywords: [着火]\n    unless: ['演练']\n"));
    rule_dir_write(dir, "learned/m.tsv", RULE_PACK("城乡建设\t劳动保障", "欠薪\t1\t1\n"));
    struct rules *rules = NULL;
    uint64_t n = 1;
    for (; rules == NULL && n < 10000; n++) {
        struct err err = {0};
        mem_fail_at(n);
        rules = rules_load(dir->path, &err);
        mem_fail_at(0);
        if (rules == NULL && err.code != ERR_NOMEM)
            fail_msg("allocation %llu: %s", (unsigned long long)n, err.text);
    }
    assert_true(n > 10);
    assert_non_null(rules);
    rules_unref(&rules);
}

enum { THREADS = 4, ROUNDS = 2000 };

/* Takes and drops references while others do; classifies with each. */
static void *share(void *arg)
{
    struct rules *rules = arg;
    struct rules_scratch *scratch = rules_scratch_new();
    size_t good = 0;
    for (int i = 0; i < ROUNDS && scratch != NULL; i++) {
        struct rules *mine = rules_ref(rules);
        struct verdict verdict;
        if (classify(mine, scratch, SPAN(""), SPAN("垃圾清运"), &verdict, NULL) == 0)
            good += verdict.score == 6;
        rules_unref(&mine);
    }
    rules_scratch_free(&scratch);
    rules_unref(&rules);
    return (void *)(uintptr_t)good;
}

static void threads_share_a_snapshot(void **state)
{
    struct rules *rules = load(*state);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, rules_ref(rules)), 0);
    rules_unref(&rules); /* the last thread frees */
    for (int i = 0; i < THREADS; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_int_equal((uintptr_t)good, ROUNDS);
    }
}

static void the_shipped_set_compiles(void **state)
{
    (void)state;
    struct err err = {0};
    struct rules *rules = rules_load("rules", &err);
    if (rules == NULL)
        fail_msg("%s", err.text);
    assert_true(rules_count(rules).categories >= 7);
    rules_unref(&rules);
}

/* Writes the fenced examples of FORMAT.md, each under the name in its first line; returns how many.
 */
static size_t write_examples(const struct rule_dir *dir)
{
    FILE *file = fopen("rules/FORMAT.md", "r");
    assert_non_null(file);
    static char text[32768];
    char line[1024], name[128] = "";
    size_t count = 0;
    bool inside = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "```", 3) != 0) {
            if (inside && name[0] == '\0' && sscanf(line, "# %127s", name) != 1)
                fail_msg("an example without a file name: %s", line);
            if (inside)
                strcat(text, line);
            continue;
        }
        if (inside) {
            rule_dir_write(dir, name, text);
            count++;
        }
        inside = !inside;
        text[0] = name[0] = '\0';
    }
    fclose(file);
    return count;
}

static void the_examples_of_the_format_compile(void **state)
{
    const struct rule_dir *dir = *state;
    rule_dir_drop(dir, "categories/chengxiang.yaml");
    assert_int_equal(write_examples(dir), 12);
    struct rules *rules = load(dir);
    assert_int_equal(rules_count(rules).categories, 3);
    struct rules_scratch *scratch = rules_scratch_new();
    struct verdict verdict;
    assert_int_equal(classify(rules, scratch, SPAN(""), SPAN("小区垃圾没人清"), &verdict, NULL), 0);
    assert_true(span_eq(verdict.category.path, SPAN("城乡建设/城市建设和市政管理/园林绿化环卫")));
    assert_true(span_eq(verdict.department, SPAN("城管局")));
    assert_int_equal((int)verdict.score, 7);
    static const struct {
        const char *text;
        int score;
        enum urgency urgency;
    } rows[] = {
        {"垃圾把门口堵住了", 7, URGENCY_BLUE},    {"没有垃圾", 0, URGENCY_BLUE},
        {"半夜工地打桩", 0, URGENCY_YELLOW},      {"着火了，已经扑灭", 0, URGENCY_BLUE},
        {"没有人管着火了", 0, URGENCY_RED},       {"是不是着火了", 0, URGENCY_RED},
        {"没有水。着火了", 0, URGENCY_RED},       {"担心着火了", 0, URGENCY_BLUE},
        {"担心什么，已经着火了", 0, URGENCY_RED}, {"不是没有呼吸", 0, URGENCY_RED},
        {"消防演练火灾", 0, URGENCY_BLUE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(classify(rules, scratch, SPAN(""), span_str(rows[i].text), &verdict, NULL),
                         0);
        if ((int)verdict.score != rows[i].score || verdict.urgency != rows[i].urgency)
            fail_msg("%s: %g, %s", rows[i].text, verdict.score, urgency_name(verdict.urgency));
    }
    rules_scratch_free(&scratch);
    rules_unref(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_set_is_counted, make, drop),
        cmocka_unit_test_setup_teardown(categories_come_in_file_order, make, drop),
        cmocka_unit_test_setup_teardown(the_id_follows_every_file, make, drop),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_missing_folder_is_named),
        cmocka_unit_test_setup_teardown(one_keyword_may_serve_many_rules, make, drop),
        cmocka_unit_test_setup_teardown(too_many_tags_are_refused, make, drop),
        cmocka_unit_test_setup_teardown(short_memory_is_survived, make, drop),
        cmocka_unit_test_setup_teardown(threads_share_a_snapshot, make, drop),
        cmocka_unit_test(the_shipped_set_compiles),
        cmocka_unit_test_setup_teardown(the_examples_of_the_format_compile, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
