/* The names of a verdict's values, and the choice of its evidence. */
#include "classifiers/evidence.h"
#include "classifiers/verdict.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void names_are_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < URGENCY_COUNT; i++) {
        enum urgency urgency;
        assert_int_equal(urgency_parse(span_str(urgency_name((enum urgency)i)), &urgency), 0);
        assert_int_equal(urgency, i);
    }
    for (int i = 0; i < KIND_COUNT; i++) {
        enum kind kind;
        assert_int_equal(kind_parse(span_str(kind_name((enum kind)i)), &kind), 0);
        assert_int_equal(kind, i);
    }
}

static void chinese_names_are_read(void **state)
{
    (void)state;
    enum urgency urgency;
    enum kind kind;
    assert_int_equal(urgency_parse(SPAN("红"), &urgency), 0);
    assert_int_equal(urgency, URGENCY_RED);
    assert_int_equal(kind_parse(SPAN("咨询"), &kind), 0);
    assert_int_equal(kind, KIND_ENQUIRY);
}

static void other_names_are_refused(void **state)
{
    (void)state;
    static const char *const others[] = {"", "Red", "red ", "RED", "re", "redd", "赤"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        enum urgency urgency = URGENCY_YELLOW;
        enum kind kind = KIND_REPORT;
        assert_int_equal(urgency_parse(span_str(others[i]), &urgency), -1);
        assert_int_equal(kind_parse(span_str(others[i]), &kind), -1);
        assert_int_equal(urgency, URGENCY_YELLOW);
        assert_int_equal(kind, KIND_REPORT);
    }
}

static void levels_rise(void **state)
{
    (void)state;
    assert_true(URGENCY_BLUE < URGENCY_YELLOW && URGENCY_YELLOW < URGENCY_RED);
}

static void evidence_has_names(void **state)
{
    (void)state;
    assert_string_equal(evidence_for_name(EVIDENCE_CATEGORY), "category");
    assert_string_equal(evidence_for_name(EVIDENCE_URGENCY), "urgency");
    assert_string_equal(evidence_for_name(EVIDENCE_KIND), "kind");
    assert_string_equal(evidence_for_name(EVIDENCE_TAG), "tag");
}

static struct evidence_match match(uint32_t use, int weight, uint32_t from, uint32_t to)
{
    return (struct evidence_match){.use = use, .weight = weight, .from = from, .to = to};
}

static void the_strongest_stands_first(void **state)
{
    (void)state;
    struct evidence_picker picker = {0};
    const struct evidence_match offers[] = {match(1, 2, 9, 11), match(2, -7, 30, 31),
                                            match(3, 2, 4, 6), match(4, 2, 4, 8)};
    for (size_t i = 0; i < 4; i++)
        evidence_offer(&picker, EVIDENCE_GROUP_WINNER, &offers[i]);
    const uint32_t expected[] = {2, 4, 3, 1};
    assert_int_equal(picker.counts[EVIDENCE_GROUP_WINNER], 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(picker.best[EVIDENCE_GROUP_WINNER][i].use, expected[i]);
}

static int stronger_first(const void *a, const void *b)
{
    const struct evidence_match *left = a, *right = b;
    if (abs(left->weight) != abs(right->weight))
        return abs(right->weight) - abs(left->weight);
    return left->from < right->from ? -1 : 1;
}

static void a_full_group_keeps_the_strongest(void **state)
{
    (void)state;
    struct random random = {7};
    for (int round = 0; round < 200; round++) {
        struct evidence_match offers[100];
        struct evidence_picker picker = {0};
        size_t count = random_below(&random, 101);
        for (size_t i = 0; i < count; i++) {
            offers[i] = match((uint32_t)i, (int)random_below(&random, 21) - 10, (uint32_t)i,
                              (uint32_t)i + 1);
            evidence_offer(&picker, EVIDENCE_GROUP_KIND, &offers[i]);
        }
        qsort(offers, count, sizeof *offers, stronger_first);
        size_t kept = count < LIMIT_EVIDENCE ? count : LIMIT_EVIDENCE;
        assert_int_equal(picker.counts[EVIDENCE_GROUP_KIND], kept);
        for (size_t i = 0; i < kept; i++)
            assert_int_equal(picker.best[EVIDENCE_GROUP_KIND][i].use, offers[i].use);
    }
}

static void every_group_has_its_share(void **state)
{
    (void)state;
    struct evidence_picker picker = {0};
    size_t takes[EVIDENCE_GROUPS], sum = 0;
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++)
        picker.counts[g] = LIMIT_EVIDENCE;
    evidence_share(&picker, takes);
    for (size_t g = 0; g < EVIDENCE_GROUPS; g++) {
        assert_true(takes[g] >= 1);
        sum += takes[g];
    }
    assert_int_equal(sum, LIMIT_EVIDENCE);
}

static void what_is_left_goes_in_order(void **state)
{
    (void)state;
    struct evidence_picker picker = {0};
    size_t takes[EVIDENCE_GROUPS];
    picker.counts[EVIDENCE_GROUP_WINNER] = LIMIT_EVIDENCE;
    picker.counts[EVIDENCE_GROUP_URGENCY] = 2;
    picker.counts[EVIDENCE_GROUP_RUNNER_UP] = LIMIT_EVIDENCE;
    evidence_share(&picker, takes);
    assert_int_equal(takes[EVIDENCE_GROUP_URGENCY], 2);
    assert_int_equal(takes[EVIDENCE_GROUP_RUNNER_UP], 1);
    assert_int_equal(takes[EVIDENCE_GROUP_WINNER], LIMIT_EVIDENCE - 3);
    assert_int_equal(takes[EVIDENCE_GROUP_KIND] + takes[EVIDENCE_GROUP_TAG], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(chinese_names_are_read),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(levels_rise),
        cmocka_unit_test(evidence_has_names),
        cmocka_unit_test(the_strongest_stands_first),
        cmocka_unit_test(a_full_group_keeps_the_strongest),
        cmocka_unit_test(every_group_has_its_share),
        cmocka_unit_test(what_is_left_goes_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
