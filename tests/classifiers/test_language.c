/* The rule language: where words count, conditions, negations, limits of a category; each by
 * example, and what is refused. */
#include "classifiers/explain.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const struct evidence *evidence_by(const struct verdict *v, const char *pattern)
{
    for (size_t i = 0; i < v->evidence_count; i++)
        if (span_eq(v->evidence[i].pattern, span_str(pattern)))
            return &v->evidence[i];
    return NULL;
}

#define CATEGORY "categories/chengxiang.yaml"
#define RULES "category: 城乡建设\nrules:\n"

static void words_count_where_they_are_to(void **state)
{
    struct fixture *f = *state;
    put(f, CATEGORY,
        RULES "  - text_keywords: {4: [路灯]}\n"
              "    title_keywords: {3: [路灯]}\n"
              "    keywords: {1: [路灯]}\n"
              "    title_regexes: {6: ['井盖.{1,3}坏']}\n"
              "    text_regexes: {9: ['^井盖.{1,3}坏', '坏$']}\n");
    assert_number(say(f, "路灯", "")->score, 4);
    assert_number(say(f, "", "路灯")->score, 5);
    assert_number(say(f, "路灯路灯", "路灯")->score, 8);
    assert_int_equal(evidence_by(&f->verdict, "路灯")->place.offset, 0);
    assert_number(say(f, "井盖又坏", "")->score, 6);
    assert_number(say(f, "", "井盖又坏")->score, 18);
    assert_int_equal(f->verdict.evidence[0].place.offset, 0);
    assert_false(f->verdict.evidence[0].place.in_title);
    assert_number(say(f, "井盖又坏", "井盖又坏")->score, 24);
    assert_number(say(f, "井盖又", "坏")->score, 9);
}

/* The first occurrence in the body is found however many the title has. */
static void a_full_title_hides_no_body(void **state)
{
    struct fixture *f = *state;
    char title[3 * 2 * LIMIT_OCCURRENCES + 1] = "";
    put(f, CATEGORY, RULES "  - text_keywords: {4: [灯]}\n");
    for (int i = 0; i < 2 * LIMIT_OCCURRENCES; i++)
        strcat(title, "灯");
    assert_number(say(f, title, "没有")->score, 0);
    assert_number(say(f, title, "没有灯")->score, 4);
    assert_int_equal(f->verdict.evidence[0].place.offset, strlen("没有"));
}

/* --- conditions --- */

static void put_conditions(struct fixture *f)
{
    put(f, "conditions.yaml",
        "conditions:\n"
        "  - name: 夜间施工\n"
        "    all: [{condition: 夜间}, {condition: 施工}]\n"
        "    none: [夜市, {title: 咨询}]\n"
        "  - name: 夜间\n"
        "    any: [夜里, 半夜, {regex: '晚上.{0,3}[十9]点'}]\n"
        "  - name: 施工\n"
        "    any: [施工, 打桩, {text: 工地}]\n"
        "  - name: 停车打架\n"
        "    near: {within: 4, of: [[停车, 车位], [打架, 争执]]}\n"
        "  - name: 不是咨询\n"
        "    none: [咨询, 请问]\n"
        "  - name: 数字\n"
        "    any: [{regex: '[0-9]+'}]\n");
    put(f, CATEGORY,
        RULES "  - conditions: {5: [夜间施工], 3: [停车打架], 1: [数字]}\n"
              "    keywords: {2: [施工]}\n");
    put(f, "urgency.yaml",
        "default: blue\nrules:\n"
        "  - level: yellow\n    conditions: [停车打架]\n    keywords: [着火]\n"
        "    unless_conditions: [夜间, 施工]\n"
        "  - level: red\n    keywords: [漏气]\n    unless_conditions: [不是咨询]\n");
    put(f, "tags.yaml",
        "rules:\n  - tag: night\n    name: 夜间\n    conditions: [夜间]\n"
        "    unless: ['昨天.?半夜']\n    unless_conditions: [停车打架]\n");
}

static void conditions_hold(void **state)
{
    struct fixture *f = *state;
    put_conditions(f);
    assert_number(say(f, "", "半夜施工")->score, 7);
    assert_span(evidence_by(&f->verdict, "夜间施工")->place.bytes, "半夜");
    assert_number(say(f, "", "夜里打桩")->score, 5);
    assert_number(say(f, "", "半夜，晚上十点，工地打桩")->score, 5);
    assert_number(say(f, "工地", "夜里")->score, 0);
    assert_number(say(f, "", "夜里工地")->score, 5);
    assert_number(say(f, "", "晚上快十点了还施工")->score, 7);
    assert_number(say(f, "", "施工")->score, 2);
    assert_number(say(f, "", "半夜施工，夜市")->score, 2);
    assert_number(say(f, "咨询", "半夜施工")->score, 2);
    assert_number(say(f, "", "咨询半夜施工")->score, 7);
    assert_number(say(f, "", "12")->score, 1);
    assert_span(f->verdict.evidence[0].rule, "categories/chengxiang.yaml:3");
}

static void near_is_near(void **state)
{
    struct fixture *f = *state;
    put_conditions(f);
    assert_number(say(f, "", "为停车一二三四打架")->score, 3);
    assert_span(evidence_by(&f->verdict, "停车打架")->place.bytes, "停车一二三四打架");
    assert_number(say(f, "", "停车一二三四五打架")->score, 0);
    assert_number(say(f, "", "打架，停车")->score, 3);
    assert_number(say(f, "", "停车停车停车停车争执")->score, 3);
    assert_number(say(f, "停车", "打架")->score, 0);
    assert_int_equal(say(f, "", "车位争执")->urgency, URGENCY_YELLOW);
}

static void conditions_set_aside(void **state)
{
    struct fixture *f = *state;
    put_conditions(f);
    assert_int_equal(say(f, "", "着火")->urgency, URGENCY_YELLOW);
    assert_int_equal(say(f, "", "着火，夜里")->urgency, URGENCY_BLUE);
    assert_int_equal(say(f, "", "漏气")->urgency, URGENCY_BLUE);
    assert_span(f->verdict.review_reason, "negated_emergency");
    assert_int_equal(say(f, "", "请问漏气")->urgency, URGENCY_RED);
    assert_int_equal(say(f, "", "半夜")->tag_count, 1);
    assert_int_equal(say(f, "", "昨天半夜")->tag_count, 0);
    assert_int_equal(say(f, "", "半夜停车打架")->tag_count, 0);
    assert_null(evidence_by(&f->verdict, "夜间"));
}

/* --- negations --- */

static void put_negations(struct fixture *f)
{
    put(f, "negations.yaml",
        "before: {within: 4, words: [没有, 不是, 未]}\n"
        "after: {within: 6, words: [已经解决, 是误报]}\n"
        "except: [没有人管, 是不是]\n");
    put(f, "urgency.yaml",
        "default: blue\nrules:\n"
        "  - level: red\n    keywords: [着火, 漏气]\n    regexes: ['冒.{0,2}烟']\n"
        "  - level: red\n    negatable: no\n    keywords: [爆炸]\n"
        "  - level: yellow\n    title_keywords: [停水]\n");
    put(f, CATEGORY,
        RULES "  - negatable: yes\n    keywords: {3: [垃圾]}\n    text_keywords: {5: [垃圾]}\n");
}

#define RED(text)                                                   \
    do {                                                            \
        assert_int_equal(say(f, "", (text))->urgency, URGENCY_RED); \
    } while (0)
#define NEGATED(text)                                                \
    do {                                                             \
        assert_int_equal(say(f, "", (text))->urgency, URGENCY_BLUE); \
        assert_span(f->verdict.review_reason, "negated_emergency");  \
    } while (0)

static void negation_words_negate(void **state)
{
    struct fixture *f = *state;
    put_negations(f);
    RED("着火");
    NEGATED("没有着火");
    assert_number(evidence_by(&f->verdict, "着火")->weight, 0);
    assert_span(evidence_by(&f->verdict, "着火")->place.bytes, "着火");
    NEGATED("没有一二三四着火");
    RED("没有一二三四五着火");
    RED("没有，着火");
    RED("没有人管，着火");
    RED("没有人管着火");
    RED("是不是着火");
    NEGATED("着火，已经解决");
    NEGATED("着火一二三四五是误报");
    RED("着火一二三四五六七是误报");
    RED("着火。是误报");
    RED("着火！是误报");
    NEGATED("冒了烟，是误报");
    NEGATED("没有冒烟");
    RED("没有冒烟。又冒浓烟了");
    RED("没有着火。隔壁着火");
    RED("没有着火，漏气");
    NEGATED("没有着火，未漏气");
    RED("没有爆炸");
    RED("着火了没有");
    NEGATED("没有着火没有着火");
}

static void the_first_that_counts_is_shown(void **state)
{
    struct fixture *f = *state;
    put_negations(f);
    RED("没有着火。隔壁着火");
    assert_int_equal(evidence_by(&f->verdict, "着火")->place.offset, strlen("没有着火。隔壁"));
    assert_number(say(f, "没有垃圾", "垃圾")->score, 8);
    assert_int_equal(f->verdict.evidence[0].place.offset, 0);
    assert_number(say(f, "垃圾", "没有垃圾")->score, 3);
    assert_number(say(f, "没有垃圾", "没有垃圾")->score, 0);
    assert_span(f->verdict.review_reason, "no_match");
    assert_int_equal(say(f, "没有停水", "停水")->urgency, URGENCY_BLUE);
    assert_int_equal(say(f, "没有停水，停水", "")->urgency, URGENCY_YELLOW);
}

/* What was not read lowers no emergency. */
static void many_negations_lower_nothing(void **state)
{
    struct fixture *f = *state;
    static char text[40000];
    put_negations(f);
    text[0] = '\0';
    for (int i = 0; i < LIMIT_OCCURRENCES; i++)
        strcat(text, "没有着火。");
    NEGATED(text);
    strcat(text, "没有着火。");
    RED(text);
    text[0] = '\0';
    for (int i = 0; i < LIMIT_NEGATIONS; i++)
        strcat(text, "没有");
    strcat(text, "漏气");
    NEGATED(text);
    strcat(text, "没有");
    RED(text);
}

/* --- limits of a category, contradiction --- */

static void a_category_has_limits_of_its_own(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/a.yaml",
        "category: 甲\nreview: {min_score: 8}\nrules:\n  - keywords: {6: [甲字]}\n");
    put(f, "categories/b.yaml",
        "category: 乙\nreview: {min_score: 1, min_margin: 0}\nrules:\n"
        "  - keywords: {2: [乙字], 6: [乙乙]}\n");
    assert_span(say(f, "", "甲字")->review_reason, "low_score");
    assert_span(say(f, "", "乙字")->review_reason, "");
    assert_span(say(f, "", "乙字垃圾")->review_reason, "");
    assert_span(say(f, "", "乙乙甲字")->review_reason, "low_score");
    assert_span(say(f, "", "垃圾清运，乙乙")->review_reason, "");
    assert_span(f->verdict.category.path, "乙"); /* a tie, and it has no margin to keep */
}

static void sure_and_not_the_same_is_a_contradiction(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/a.yaml", "category: 甲\nrules:\n  - keywords: {6: [甲字], 2: [小甲]}\n");
    put(f, "categories/b.yaml", "category: 乙\nrules:\n  - keywords: {1: [乙字]}\n");
    put(f, "learned/m.tsv", RULE_PACK("甲\t乙", "学\t0\t900\n弱\t0\t200\n"));
    assert_span(say(f, "", "甲字")->review_reason, "");
    assert_span(say(f, "", "学")->review_reason, "");
    assert_span(say(f, "", "甲字学")->review_reason, "contradictory");
    assert_span(f->verdict.category.path, "乙");
    assert_span(say(f, "", "甲字弱")->review_reason, "");
    assert_span(say(f, "", "小甲学")->review_reason, "");
    assert_span(say(f, "", "乙字学")->review_reason, "");
}

/* --- explanations --- */

static void write_score(void *ctx, const struct explain_score *score)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s %g=%g+%g;", SPAN_ARG(score->category), score->score,
            score->hand, score->learned);
}

static void write_match(void *ctx, const struct explain_match *match)
{
    static const char *const states[] = {"counts", "negated", "set aside"};
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s:%d:%d %.*s %g “%.*s” %s%s;", SPAN_ARG(match->rule),
            match->line, match->column, SPAN_ARG(match->target), match->weight,
            SPAN_ARG(match->place.bytes), states[match->state], match->learned ? " learned" : "");
}

static void all_that_was_found_can_be_asked_for(void **state)
{
    struct fixture *f = *state;
    char out[1024] = "";
    put_negations(f);
    put(f, "categories/b.yaml", "category: 乙\nrules:\n  - keywords: {1: [乙字]}\n");
    put(f, "learned/m.tsv", RULE_PACK("城乡建设\t乙", "学\t0\t900\n"));
    say(f, "", "垃圾，没有着火，学");
    explain_scores(f->rules, f->scratch, write_score, out);
    assert_string_equal(out, "乙 9=0+9;城乡建设 8=8+0;");
    out[0] = '\0';
    explain_matches(f->rules, f->scratch, f->verdict.category.path, write_match, out);
    assert_non_null(strstr(out, "categories/chengxiang.yaml:3:4:20 城乡建设 3 “垃圾” counts;"));
    assert_non_null(strstr(out, "urgency.yaml:3:4:16 red 1 “着火” negated;"));
    assert_non_null(strstr(out, "learned/m.tsv:9:0 乙 9 “学” counts learned;"));
}

/* --- what is refused --- */

#define C "conditions.yaml"
#define N "negations.yaml"
#define A CATEGORY

static const struct bad_file bad_files[] = {
    {C, "[]\n", C ":1:1", ""},
    {C, "condition: []\n", C ":1:1", "conditions"},
    {C, "conditions:\n  - any: [灯]\n", C ":2:5", "name"},
    {C, "conditions:\n  - name: 灯\n", C ":2:5", "says nothing"},
    {C, "conditions:\n  - name: 灯\n    any: []\n", C ":3:10", "empty"},
    {C, "conditions:\n  - name: 灯\n    any: 灯\n", C ":3:10", "list"},
    {C, "conditions:\n  - name: 灯\n    any: ['']\n", C ":3:11", "empty"},
    {C, "conditions:\n  - name: 灯\n    any: [[灯]]\n", C ":3:11", "must be a word"},
    {C, "conditions:\n  - name: 灯\n    any: [{word: 灯}]\n", C ":3:12", "regex"},
    {C, "conditions:\n  - name: 灯\n    any: [{title: 灯, text: 灯}]\n", C ":3:11", "one thing"},
    {C, "conditions:\n  - name: 灯\n    any: [{regex: '('}]\n", C ":3:19", "regex"},
    {C, "conditions:\n  - name: 灯\n    any: [{condition: 火}]\n", C ":3:23",
     "“火” is not a condition"},
    {C, "conditions:\n  - name: 灯\n    any: [火]\n  - name: 灯\n    any: [火]\n", C ":4:11",
     "conditions.yaml:2"},
    {C, "conditions:\n  - name: 灯\n    any: [{condition: 灯}]\n", C ":2:11", "needs itself"},
    {C,
     "conditions:\n  - name: a\n    any: [{condition: b}]\n  - name: b\n"
     "    none: [{condition: c}]\n  - name: c\n    all: [{condition: a}]\n",
     C ":2:11", "needs itself"},
    {C, "conditions:\n  - name: 灯\n    near: {within: 5, of: [[灯]]}\n", C ":3:27", "2 to 4"},
    {C, "conditions:\n  - name: 灯\n    near: {within: 500, of: [[灯], [火]]}\n", C ":3:20", "100"},
    {C, "conditions:\n  - name: 灯\n    near: {of: [[灯], [火]]}\n", C ":3:11", "within"},
    {C, "conditions:\n  - name: 灯\n    near: {within: 5}\n", C ":3:11", "of"},
    {C, "conditions:\n  - name: 灯\n    near: {within: 5, of: [[灯], []]}\n", C ":3:33", "empty"},
    {C, "conditions:\n  - name: 灯\n    near: {within: 5, of: [[灯], [{regex: a}]]}\n", C ":3:34",
     "must be a word"},
    {N, "before: [没有]\n", N ":1:9", "key: value"},
    {N, "before: {within: 4}\n", N ":1:9", "words"},
    {N, "before: {within: 99, words: [没有]}\n", N ":1:18", "32"},
    {N, "after: {within: 4, words: []}\n", N ":1:27", "empty"},
    {N, "except: 没有\n", N ":1:9", "list"},
    {N, "between: 没有\n", N ":1:1", "before"},
    {A, RULES "  - conditions: {3: [没有这个]}\n", A ":3:22", "not a condition"},
    {A, RULES "  - conditions: [灯]\n", A ":3:17", "weight"},
    {A, RULES "  - keywords: {3: [灯]}\n    negatable: maybe\n", A ":4:16", "yes"},
    {A, "category: 城乡建设\nreview: {min_score: x}\nrules: []\n", A ":2:21", "number"},
    {A, "category: 城乡建设\nreview: {score: 3}\nrules: []\n", A ":2:10", "min_score"},
    {"urgency.yaml",
     "default: blue\nrules:\n  - level: red\n    keywords: [火]\n"
     "    unless_conditions: [灯]\n",
     "urgency.yaml:5:25", "not a condition"},
};

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    assert_refused_well(bad_files, sizeof bad_files / sizeof *bad_files);
}

static const char *refusal(struct fixture *f, struct err *err)
{
    struct rules *rules = rules_load(f->dir.path, err);
    assert_null(rules);
    return err->text;
}

static void a_condition_without_words_serves_no_rule(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    put_conditions(f);
    put(f, CATEGORY, RULES "  - conditions: {5: [不是咨询]}\n");
    assert_non_null(strstr(refusal(f, &err), "chengxiang.yaml:3:22"));
    assert_non_null(strstr(err.text, "none of its words"));
    put(f, CATEGORY, RULES "  - conditions: {5: [夜间, 夜间]}\n");
    assert_non_null(strstr(refusal(f, &err), "twice"));
}

static void deep_conditions_are_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char text[4096] = "conditions:\n";
    for (int i = 0; i <= LIMIT_CONDITION_DEPTH; i++)
        sprintf(text + strlen(text), "  - name: c%d\n    any: [{condition: c%d}]\n", i, i + 1);
    sprintf(text + strlen(text), "  - name: c%d\n    any: [灯]\n", LIMIT_CONDITION_DEPTH + 1);
    put(f, "conditions.yaml", text);
    assert_non_null(strstr(refusal(f, &err), "one inside the other"));
}

static void short_memory_is_survived(void **state)
{
    struct fixture *f = *state;
    put_conditions(f);
    put(f, "negations.yaml", "before: {within: 4, words: [没有]}\nexcept: [没有人]\n");
    int done = -1;
    uint64_t n = 1;
    for (; done != 0 && n < 10000; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct rules *rules = rules_load(f->dir.path, &err);
        struct rules_scratch *scratch = rules == NULL ? NULL : rules_scratch_new();
        if (scratch != NULL)
            done = classify(rules, scratch, SPAN("半夜"), SPAN("没有停车打架，施工"), &f->verdict,
                            &err);
        mem_fail_at(0);
        assert_true(done == 0 || (rules != NULL && scratch == NULL) || err.code == ERR_NOMEM);
        rules_scratch_free(&scratch);
        rules_unref(&rules);
    }
    assert_true(n > 100);
    assert_int_equal(done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_count_where_they_are_to),
        TEST(a_full_title_hides_no_body),
        TEST(conditions_hold),
        TEST(near_is_near),
        TEST(conditions_set_aside),
        TEST(negation_words_negate),
        TEST(the_first_that_counts_is_shown),
        TEST(many_negations_lower_nothing),
        TEST(all_that_was_found_can_be_asked_for),
        TEST(a_category_has_limits_of_its_own),
        TEST(sure_and_not_the_same_is_a_contradiction),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        TEST(a_condition_without_words_serves_no_rule),
        TEST(deep_conditions_are_refused),
        TEST(short_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
