/* Classification: each promise of rules/FORMAT.md by example. */
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* The evidence that a pattern gave, or NULL. */
static const struct evidence *evidence_by(const struct verdict *v, const char *pattern)
{
    for (size_t i = 0; i < v->evidence_count; i++)
        if (span_eq(v->evidence[i].pattern, span_str(pattern)))
            return &v->evidence[i];
    return NULL;
}

/* --- categories --- */

static void a_path_is_found(void **state)
{
    const struct verdict *v = say(*state, "", "小区垃圾清运不及时");
    assert_span(v->category.path, "城乡建设/市政管理/环卫");
    assert_number(v->category.score, 6);
    assert_number(v->score, 6);
    assert_number(v->margin, 1);
    assert_span(v->department, "城管局");
    assert_span(v->sla, "simple");
    assert_false(v->review);
    assert_span(v->review_reason, "");
    assert_int_equal(v->secondary_count, 0);
    assert_int_equal(v->rule_set.len, 16);
}

static void a_keyword_counts_once(void **state)
{
    const struct verdict *v = say(*state, "垃圾", "垃圾，垃圾，还是垃圾");
    assert_number(v->score, 2);
    assert_int_equal(v->evidence_count, 1);
    assert_true(v->evidence[0].place.in_title);
}

static void no_keyword_reaches_over_the_boundary(void **state)
{
    const struct verdict *v = say(*state, "小区垃", "圾清运");
    assert_span(v->review_reason, "no_match");
    assert_number(v->score, 0);
    assert_number(v->margin, 0);
    assert_span(v->category.path, "");
    assert_span(v->department, "");
    assert_span(v->sla, "ordinary");
}

static void nothing_is_a_verdict(void **state)
{
    const struct verdict *v = say(*state, "", "");
    assert_true(v->review);
    assert_span(v->review_reason, "no_match");
    assert_int_equal(v->urgency, URGENCY_BLUE);
    assert_int_equal(v->kind, KIND_COMPLAINT);
    assert_int_equal(v->evidence_count + v->tag_count, 0);
}

static void the_way_down_stops_where_no_score_is(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\n"
        "rules:\n"
        "  - keywords: {5: [建设]}\n"
        "  - path: 市政\n"
        "    keywords: {2: [市政], -4: [别处]}\n"
        "  - path: 市政/路灯\n"
        "    department: 灯光所\n"
        "    keywords: {3: [路灯]}\n"
        "  - path: 市政/井盖\n"
        "    keywords: {3: [井盖], -3: [路灯]}\n");
    assert_span(say(f, "", "建设")->category.path, "城乡建设");
    assert_span(say(f, "", "市政建设")->category.path, "城乡建设/市政");
    assert_span(say(f, "", "路灯建设")->category.path, "城乡建设");
    assert_span(say(f, "", "市政路灯")->category.path, "城乡建设/市政/路灯");
    assert_number(f->verdict.score, 2);
    assert_span(f->verdict.department, "灯光所");
    assert_span(say(f, "", "市政、井盖")->category.path, "城乡建设/市政/井盖");
    assert_span(say(f, "", "市政建设在别处")->category.path, "城乡建设");
    assert_number(f->verdict.score, 3);
    assert_span(say(f, "", "市政在别处")->category.path, "");
}

static void titles_count_more(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\nrules:\n"
        "  - keywords: {2: [路灯]}\n"
        "    title_keywords: {3: [路灯, 井盖]}\n");
    assert_number(say(f, "路灯不亮", "路灯")->score, 5);
    assert_int_equal(f->verdict.evidence_count, 2);
    assert_number(say(f, "不亮", "路灯")->score, 2);
    assert_number(say(f, "井盖", "")->score, 3);
    assert_number(say(f, "", "井盖")->score, 0);
    assert_number(say(f, "井", "盖")->score, 0);
}

static void regexes_count(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\nrules:\n"
        "  - regexes: {4: ['垃圾.{0,8}没人(清|管)'], 2: ['^路灯', '不亮$']}\n");
    assert_number(say(f, "", "楼下垃圾堆了很久没人管")->score, 4);
    assert_span(f->verdict.evidence[0].place.bytes, "垃圾堆了很久没人管");
    assert_span(f->verdict.evidence[0].pattern, "垃圾.{0,8}没人(清|管)");
    assert_number(say(f, "楼下垃圾", "没人管")->score, 0);
    assert_number(say(f, "楼下", "路灯一直不亮")->score, 4);
    assert_number(say(f, "路灯一直不亮", "楼下")->score, 4);
}

/* Three categories a, b, c with keywords of weights 6, 5 and 1. */
static void put_three(struct fixture *f)
{
    put(f, "categories/a.yaml", "category: 甲\nrules:\n  - keywords: {6: [甲字], -20: [不是甲]}\n");
    put(f, "categories/b.yaml",
        "category: 乙\nrules:\n  - path: 下\n    keywords: {5: [乙字], 1: [一些]}\n");
    put(f, "categories/c.yaml", "category: 丙\nrules:\n  - keywords: {1: [丙字]}\n");
}

static void others_are_secondary(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    const struct verdict *v = say(f, "", "丙字乙字甲字");
    assert_span(v->category.path, "甲");
    assert_int_equal(v->secondary_count, 2);
    assert_span(v->secondary[0].path, "乙/下");
    assert_number(v->secondary[0].score, 5);
    assert_span(v->secondary[1].path, "丙");
    assert_number(v->margin, 1.0 / 6);
    assert_false(v->review);
}

static void doubt_asks_for_review(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    assert_span(say(f, "", "丙字")->review_reason, "low_score");
    assert_true(f->verdict.review);
    assert_span(say(f, "", "甲字，一些乙字")->review_reason, "low_margin");
    assert_span(f->verdict.category.path, "甲"); /* a tie: the first in file order */
    assert_number(f->verdict.margin, 0);
    assert_span(say(f, "", "不是甲字，乙字")->category.path, "乙/下");
    assert_int_equal(f->verdict.secondary_count, 0);
    assert_number(f->verdict.margin, 1);
    put(f, "review.yaml", "min_score: 0\nmin_margin: 0\n");
    compile(f);
    assert_span(say(f, "", "丙字")->review_reason, "");
}

/* --- urgency, kind, tags --- */

static void put_urgency(struct fixture *f)
{
    put(f, "urgency.yaml",
        "default: blue\n"
        "rules:\n"
        "  - level: yellow\n"
        "    keywords: [停水, 着火]\n"
        "    unless: ['恢复']\n"
        "  - level: red\n"
        "    keywords: [着火, 火灾]\n"
        "    regexes: ['(被困|困在).{0,6}(电梯|火场)']\n"
        "    sla: disaster\n"
        "    unless: ['没有.{0,2}着火', '演练']\n"
        "  - level: red\n"
        "    keywords: [昏迷]\n"
        "    sla: emergency\n");
}

static void the_highest_level_wins(void **state)
{
    struct fixture *f = *state;
    put_urgency(f);
    assert_int_equal(say(f, "", "垃圾清运")->urgency, URGENCY_BLUE);
    assert_span(f->verdict.sla, "simple");
    assert_int_equal(say(f, "", "停水了")->urgency, URGENCY_YELLOW);
    assert_span(f->verdict.sla, "ordinary");
    assert_int_equal(say(f, "", "着火了，停水了，垃圾清运")->urgency, URGENCY_RED);
    assert_span(f->verdict.sla, "disaster");
    assert_int_equal(say(f, "困在", "电梯")->urgency, URGENCY_BLUE);
    assert_int_equal(say(f, "困在三号电梯", "")->urgency, URGENCY_RED);
    assert_int_equal(say(f, "", "有人昏迷")->urgency, URGENCY_RED);
    assert_span(f->verdict.sla, "emergency");
    assert_int_equal(say(f, "有人昏迷", "着火")->urgency, URGENCY_RED);
    assert_span(f->verdict.sla, "disaster"); /* of two red rules the first in the file */
}

static void a_negated_emergency_is_reviewed(void **state)
{
    struct fixture *f = *state;
    put_urgency(f);
    const struct verdict *v = say(f, "", "没有着火，是垃圾清运的问题，火灾");
    assert_int_equal(v->urgency, URGENCY_YELLOW);
    assert_span(v->review_reason, "negated_emergency");
    assert_span(v->sla, "simple");
    assert_non_null(evidence_by(v, "火灾"));
    assert_number(evidence_by(v, "火灾")->weight, 0);
    assert_span(say(f, "消防演练", "火灾")->review_reason, "negated_emergency");
    assert_int_equal(f->verdict.urgency, URGENCY_BLUE);
}

static void an_emergency_is_never_lowered(void **state)
{
    struct fixture *f = *state;
    put_urgency(f);
    const struct verdict *v = say(f, "", "没有着火，但有人昏迷，垃圾清运");
    assert_int_equal(v->urgency, URGENCY_RED);
    assert_span(v->sla, "emergency");
    assert_false(v->review);
    assert_int_equal(say(f, "", "已恢复停水，垃圾清运")->urgency, URGENCY_BLUE);
    assert_false(f->verdict.review);
    assert_int_equal(say(f, "演练", "停水")->urgency, URGENCY_YELLOW);
}

static void the_best_kind_wins(void **state)
{
    struct fixture *f = *state;
    put(f, "kinds.yaml",
        "default: help\n"
        "rules:\n"
        "  - kind: 咨询\n"
        "    keywords: {3: [请问], -3: [反映]}\n"
        "  - kind: report\n"
        "    keywords: {2: [举报]}\n"
        "    title_keywords: {2: [举报]}\n"
        "    regexes: {1: ['偷.{0,2}排']}\n");
    assert_int_equal(say(f, "", "垃圾")->kind, KIND_HELP);
    assert_int_equal(say(f, "", "请问")->kind, KIND_ENQUIRY);
    assert_int_equal(say(f, "", "请问，反映")->kind, KIND_HELP);
    assert_int_equal(say(f, "", "请问，举报")->kind, KIND_ENQUIRY);
    assert_int_equal(say(f, "举报", "请问")->kind, KIND_REPORT);
    assert_null(evidence_by(&f->verdict, "请问"));
    assert_int_equal(say(f, "", "举报偷偷排，请问")->kind, KIND_ENQUIRY); /* a tie */
}

static void tags_come_in_file_order(void **state)
{
    struct fixture *f = *state;
    put(f, "tags.yaml",
        "rules:\n"
        "  - tag: group\n    name: 群体\n    keywords: [百余户, 联名]\n"
        "  - tag: special_group\n    name: 特殊\n    regexes: ['独居.{0,3}老人']\n"
        "  - tag: repeat\n    name: 重复\n    keywords: [多次反映]\n");
    const struct verdict *v = say(f, "", "独居的老人联名");
    assert_int_equal(v->tag_count, 2);
    assert_span(v->tags[0], "group");
    assert_span(v->tags[1], "special_group");
    assert_int_equal(say(f, "", "老人")->tag_count, 0);
}

/* --- evidence --- */

static void evidence_is_in_the_residents_words(void **state)
{
    struct fixture *f = *state;
    put(f, "categories/chengxiang.yaml",
        "category: 城乡建设\n"
        "rules:\n"
        "  - path: 通信\n"
        "    keywords: {4: [wifi漏气], 3: [垃圾清運]}\n"
        "    regexes: {2: ['ＡＢＣ.{2}(門|窗)']}\n");
    const char *text = "我家ＷｉＦｉ漏氣了，垃圾清运，abc１２門";
    const struct verdict *v = say(f, "垃圾", text);
    assert_int_equal(v->evidence_count, 3);
    static const char *const words[] = {"ＷｉＦｉ漏氣", "垃圾清运", "abc１２門"};
    static const char *const patterns[] = {"wifi漏气", "垃圾清運", "ＡＢＣ.{2}(門|窗)"};
    for (size_t i = 0; i < 3; i++) {
        const struct evidence *e = &v->evidence[i];
        assert_span(e->place.bytes, words[i]);
        assert_span(e->pattern, patterns[i]);
        assert_false(e->place.in_title);
        assert_ptr_equal(e->place.bytes.ptr, text + e->place.offset);
        assert_ptr_equal(e->place.bytes.ptr, strstr(text, words[i]));
        assert_span(e->target, "城乡建设/通信");
        assert_span(e->rule, "categories/chengxiang.yaml:3");
        assert_int_equal(e->what, EVIDENCE_CATEGORY);
    }
    assert_number(v->evidence[0].weight, 4);
}

static void evidence_is_for_what_was_decided(void **state)
{
    struct fixture *f = *state;
    put_three(f);
    const struct verdict *v = say(f, "请问", "甲字乙字丙字，煤气泄漏，独居老人");
    static const char *const patterns[] = {"甲字", "煤气泄漏", "请问", "独居老人", "乙字"};
    assert_int_equal(v->evidence_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_span(v->evidence[i].pattern, patterns[i]);
    assert_span(v->evidence[1].target, "red");
    assert_span(v->evidence[1].rule, "urgency.yaml:3");
    assert_span(v->evidence[2].target, "enquiry");
    assert_true(v->evidence[2].place.in_title);
    assert_span(v->evidence[3].target, "special_group");
}

static void an_emergency_shows_why_in_any_crowd(void **state)
{
    struct fixture *f = *state;
    struct buf rule = {0}, text = {0};
    buf_str(&rule, "category: 城乡建设\nrules:\n  - keywords: {9: [");
    for (int i = 0; i < 100; i++) {
        buf_printf(&rule, "%s词%03d", i == 0 ? "" : ", ", i);
        buf_printf(&text, "词%03d。", i);
    }
    buf_str(&rule, "]}\n");
    buf_str(&text, "煤气泄漏");
    put(f, "categories/chengxiang.yaml", buf_cstr(&rule));
    const struct verdict *v = say(f, "", buf_cstr(&text));
    assert_number(v->score, 900);
    assert_int_equal(v->evidence_count, LIMIT_EVIDENCE);
    assert_non_null(evidence_by(v, "煤气泄漏"));
    assert_non_null(evidence_by(v, "词000"));
    assert_null(evidence_by(v, "词099"));
    buf_free(&rule);
    buf_free(&text);
}

/* --- learned weights --- */

/* Two categories with a keyword each, and n-grams that speak for them. */
static void put_learned(struct fixture *f)
{
    put_three(f);
    put(f, "learned/model.tsv", RULE_PACK("甲\t乙", "丁\t900\t-300\n乙字\t-500\t450\n"));
}

static void learned_weights_add_up(void **state)
{
    struct fixture *f = *state;
    put_learned(f);
    const struct verdict *v = say(f, "", "丁字，丁字");
    assert_span(v->category.path, "甲");
    assert_number(v->score, 9);
    assert_number(v->margin, 1);
    assert_int_equal(v->evidence_count, 1);
    assert_span(v->evidence[0].pattern, "丁");
    assert_span(v->evidence[0].rule, "learned/model.tsv:9");
    assert_span(v->evidence[0].target, "甲");
    assert_number(v->evidence[0].weight, 9);
    assert_int_equal(v->evidence[0].place.offset, 0);
    v = say(f, "", "乙字");
    assert_span(v->category.path, "乙/下");
    assert_number(v->score, 5 + 4.5);
    assert_int_equal(v->evidence_count, 2);
    assert_span(v->evidence[0].rule, "categories/b.yaml:3");
    assert_int_equal(rules_count(f->rules).ngrams, 2);
    assert_span(say(f, "", "丙")->review_reason, "no_match");
}

static void each_part_can_be_switched_off(void **state)
{
    struct fixture *f = *state;
    put_learned(f);
    static const struct {
        unsigned parts;
        double score;
    } rows[] = {{RULES_ALL, 9.5}, {RULES_HAND, 5}, {RULES_LEARNED, 4.5}, {0, 0}};
    char ids[4][17];
    for (size_t i = 0; i < 4; i++) {
        struct err err = {0};
        struct rules *rules = rules_load_with(f->dir.path, rows[i].parts, &err);
        assert_non_null(rules);
        memcpy(ids[i], rules_id(rules).ptr, sizeof ids[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
        assert_int_equal(
            classify(rules, f->scratch, SPAN("请问"), SPAN("煤气泄漏乙字"), &f->verdict, &err), 0);
        assert_number(f->verdict.score, rows[i].score);
        assert_int_equal(f->verdict.urgency, URGENCY_RED);
        assert_int_equal(f->verdict.kind, KIND_ENQUIRY);
        rules_unref(&rules);
    }
}

/* --- the scratch --- */

static void bad_text_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    compile(f);
    assert_int_equal(classify(f->rules, f->scratch, SPAN(""), SPAN("垃圾\xff"), &f->verdict, &err),
                     -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(strstr(err.text, "垃圾"));
    assert_number(say(f, "", "垃圾")->score, 2);
}

static void a_scratch_serves_any_set(void **state)
{
    struct fixture *f = *state;
    compile(f);
    struct rules *small = rules_ref(f->rules);
    put_three(f);
    compile(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(classify(small, f->scratch, SPAN(""), SPAN("垃圾甲字"), &f->verdict, NULL),
                         0);
        assert_number(f->verdict.score, 2);
        assert_number(say(f, "", "垃圾甲字乙字")->score, 6);
        assert_int_equal(f->verdict.secondary_count, 2);
    }
    rules_unref(&small);
}

static void a_warm_scratch_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    const char *text = "请问垃圾清运，煤气泄漏，独居老人";
    say(f, "垃圾", text);
    mem_fail_at(0);
    uint64_t before = mem_asked();
    for (int i = 0; i < 10; i++)
        say(f, "垃圾", text);
    assert_int_equal(mem_asked(), before);
}

static void short_memory_is_survived(void **state)
{
    struct fixture *f = *state;
    compile(f);
    int done = -1;
    uint64_t n = 1;
    for (; done != 0 && n < 1000; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct rules_scratch *scratch = rules_scratch_new();
        if (scratch != NULL)
            done = classify(f->rules, scratch, SPAN("垃圾"), SPAN("煤气泄漏"), &f->verdict, &err);
        mem_fail_at(0);
        assert_true(done == 0 || scratch == NULL || err.code == ERR_NOMEM);
        rules_scratch_free(&scratch);
    }
    assert_true(n > 4);
    assert_int_equal(done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_found),
        TEST(a_keyword_counts_once),
        TEST(no_keyword_reaches_over_the_boundary),
        TEST(nothing_is_a_verdict),
        TEST(the_way_down_stops_where_no_score_is),
        TEST(titles_count_more),
        TEST(regexes_count),
        TEST(others_are_secondary),
        TEST(doubt_asks_for_review),
        TEST(the_highest_level_wins),
        TEST(a_negated_emergency_is_reviewed),
        TEST(an_emergency_is_never_lowered),
        TEST(the_best_kind_wins),
        TEST(tags_come_in_file_order),
        TEST(evidence_is_in_the_residents_words),
        TEST(evidence_is_for_what_was_decided),
        TEST(an_emergency_shows_why_in_any_crowd),
        TEST(learned_weights_add_up),
        TEST(each_part_can_be_switched_off),
        TEST(bad_text_is_refused),
        TEST(a_scratch_serves_any_set),
        TEST(a_warm_scratch_allocates_nothing),
        TEST(short_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
