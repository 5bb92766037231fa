#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/model/pipeline.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct folder folder;
static struct policy *policy;
static struct rules_scratch *scratch;

static int group_setup(void **state)
{
    (void)state;
    struct err err;
    folder = folder_new();
    folder_write_rules(&folder);
    policy = policy_load(folder.path, &err);
    if (policy == NULL)
        print_error("%s\n", err.text);
    scratch = rules_scratch_new();
    return policy == NULL || scratch == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    policy_unref(&policy);
    rules_scratch_free(&scratch);
    folder_remove(&folder);
    return 0;
}

/* A Monday, 10:00. */
static int64_t monday(void)
{
    return at("2025-03-03 10:00");
}

static struct order run(const struct complaint *complaint)
{
    struct order order;
    struct err err;
    if (pipeline_run(policy, scratch, NULL, complaint, monday(), &order, &err) != 0)
        fail_msg("%s", err.text);
    return order;
}

static void a_complaint_becomes_an_order(void **state)
{
    (void)state;
    struct complaint complaint = {
        .title = SPAN("碧湖花园停水"),
        .text = SPAN("小区自来水停了，请尽快处理。"),
        .source = SOURCE_MINIPROGRAM,
        .occurred_at = at("2025-03-01 08:00"),
    };
    struct order order = run(&complaint);
    assert_ptr_equal(order.complaint, &complaint);
    assert_true(order.created_at == monday());
    assert_span(order.verdict.category.path, "城乡建设/供水");
    assert_span(order.verdict.department, "水务局");
    assert_span(order.verdict.sla, "service");
    assert_int_equal(order.verdict.kind, KIND_COMPLAINT);
    assert_int_equal(order.verdict.urgency, URGENCY_BLUE);
    assert_true(order.verdict.evidence_count > 0);
    assert_int_equal(order.route.reason, ROUTE_PLACE_NAME);
    assert_span(order.route.worker, "w-b1");
    assert_false(order.urgent);
    /* The clocks run from when it came in, not from when it happened. */
    assert_true(order.deadlines.by[CLOCK_RESPOND] == monday() + 15 * CLOCK_MINUTE_MS);
    assert_true(order.deadlines.by[CLOCK_ARRIVE] == 0);
    assert_true(order.deadlines.by[CLOCK_RESOLVE] == at("2025-03-11 00:00"));
    assert_false(order.deadlines.provisional);
    /* The id names the community and the time. */
    assert_span(id_community(&order.id), "bihu");
    assert_true(id_time(&order.id) == monday());
    struct order other = run(&complaint);
    assert_string_not_equal(order.id.text, other.id.text);
}

static void unknown_matters_are_orders_too(void **state)
{
    (void)state;
    struct complaint complaint = {.text = SPAN("你好")};
    struct order order = run(&complaint);
    assert_span(order.verdict.category.path, "");
    assert_true(order.verdict.review);
    assert_span(order.verdict.sla, "ordinary");
    assert_true(order.deadlines.by[CLOCK_RESOLVE] == monday() + CLOCK_DAY_MS);
    assert_int_equal(order.route.reason, ROUTE_STREET_TRIAGE);
    assert_span(id_community(&order.id), "wy");
}

/* What asks for a review goes to the head, unless it is red or there is no grid to keep it from. */
static void reviews_go_to_the_head(void **state)
{
    (void)state;
    struct complaint complaint = {.text = SPAN("碧湖花园，你好")};
    struct order order = run(&complaint);
    assert_true(order.verdict.review && order.triage);
    assert_span(order.route.worker, "w-bh");
    assert_span(order.route.post, "station");
    assert_span(order.route.grid, "bihu-01");
    assert_span(order.route.posts[0], "w-b1");
    assert_true(order.route.post_count > 1);
    assert_span(id_community(&order.id), "bihu");
    complaint.text = SPAN("碧湖花园着火了");
    order = run(&complaint);
    assert_true(order.verdict.review); /* no category */
    assert_false(order.triage);
    assert_span(order.route.worker, "w-b1");
    complaint.text = SPAN("碧湖花园停水，自来水没有了");
    order = run(&complaint);
    assert_false(order.verdict.review || order.triage);
    complaint.text = SPAN("你好");
    order = run(&complaint);
    assert_true(order.verdict.review);
    assert_false(order.triage); /* the triage has it anyhow */
}

static void place_fields_are_used(void **state)
{
    (void)state;
    struct complaint complaint = {.text = SPAN("碧湖花园停水"), .grid = SPAN("qf-02")};
    assert_span(run(&complaint).route.grid, "qf-02");
    complaint = (struct complaint){.text = SPAN("碧湖花园停水"), .community = SPAN("qf")};
    assert_span(run(&complaint).route.worker, "w-qf");
    complaint =
        (struct complaint){.text = SPAN("停水"), .has_point = true, .lat = 28.21, .lon = 112.93};
    assert_span(run(&complaint).route.grid, "bihu-02");
    complaint = (struct complaint){.text = SPAN("停水"), .address = SPAN("枫叶路9号")};
    assert_span(run(&complaint).route.grid, "qf-02");
}

static void the_residents_kind_beats_the_classifiers(void **state)
{
    (void)state;
    struct complaint complaint = {.text = SPAN("请问为什么停水")};
    assert_int_equal(run(&complaint).verdict.kind, KIND_ENQUIRY);
    complaint.has_kind = true;
    complaint.kind = KIND_REPORT;
    assert_int_equal(run(&complaint).verdict.kind, KIND_REPORT);
}

static void who_goes_first(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum urgency urgency;
        bool special;
        enum order_queue queue;
    } rows[] = {
        {"垃圾没人清", URGENCY_BLUE, false, QUEUE_ORDINARY},
        {"独居老人家门口的垃圾", URGENCY_BLUE, true, QUEUE_SPECIAL},
        {"停水三天", URGENCY_YELLOW, false, QUEUE_ORDINARY},
        {"独居老人家停水三天", URGENCY_YELLOW, true, QUEUE_URGENT},
        {"着火了", URGENCY_RED, false, QUEUE_URGENT},
        {"独居老人家着火了", URGENCY_RED, true, QUEUE_URGENT},
        {"凌晨停水三天，独居老人", URGENCY_YELLOW, true, QUEUE_URGENT}, /* a second tag */
        {"凌晨停水三天", URGENCY_YELLOW, false, QUEUE_ORDINARY},        /* another tag alone */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct complaint complaint = {.text = span_str(rows[i].text)};
        struct order order = run(&complaint);
        if (order.verdict.urgency != rows[i].urgency || order.special != rows[i].special ||
            order_queue(order.urgent, order.special) != rows[i].queue)
            fail_msg("%s", rows[i].text);
    }
}

static void emergencies_get_their_clocks(void **state)
{
    (void)state;
    struct complaint complaint = {.text = SPAN("碧湖花园着火了，自来水也停了")};
    struct order order = run(&complaint);
    assert_span(order.verdict.sla, "emergency");
    assert_true(order.deadlines.by[CLOCK_ARRIVE] == monday() + 30 * CLOCK_MINUTE_MS);
    assert_true(order.deadlines.by[CLOCK_RESOLVE] == monday() + CLOCK_DAY_MS);
}

static void wrong_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        struct complaint complaint;
        const char *message;
    } rows[] = {
        {{.text = {"停水", 6}, .grid = {"secret-9", 8}}, "grid: "},
        {{.text = {"停水", 6}, .grid = {"bihu", 4}}, "grid: "},
        {{.text = {"停水", 6}, .community = {"secret-9", 8}}, "community: "},
        {{.text = {"停水", 6}, .address = {"secret-9\xFF", 9}}, "location.address: "},
        {{.text = {"secret-9\xFF", 9}}, "the text "},
        {{.text = {"停水", 6}, .title = {"secret-9\xC0\x80", 10}}, "the title "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct order order;
        struct err err = {0};
        assert_int_equal(
            pipeline_run(policy, scratch, NULL, &rows[i].complaint, monday(), &order, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(span_starts(span_str(err.text), span_str(rows[i].message)));
        assert_null(strstr(err.text, "secret")); /* what the resident sent is not repeated */
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct complaint complaint = {.title = SPAN("碧湖花园停水"), .text = SPAN("着火了")};
    for (uint64_t n = 1;; n++) {
        struct rules_scratch *fresh = rules_scratch_new();
        assert_non_null(fresh);
        struct order order;
        struct err err = {0};
        mem_fail_at(n);
        int result = pipeline_run(policy, fresh, NULL, &complaint, monday(), &order, &err);
        uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (result != 0)
            assert_int_equal(err.code, ERR_NOMEM);
        else
            assert_span(order.route.worker, "w-b1");
        rules_scratch_free(&fresh);
        if (result == 0) {
            assert_true(asked < n);
            assert_true(n > 1);
            return;
        }
    }
}

static void with_the_rules_of_the_repository(void **state)
{
    (void)state;
    struct err err;
    struct policy *real = policy_load("rules", &err);
    if (real == NULL)
        fail_msg("%s", err.text);
    struct complaint complaint = {.text = SPAN("碧湖花园3栋楼道着火了，有老人被困！")};
    struct order order;
    assert_int_equal(pipeline_run(real, scratch, NULL, &complaint, monday(), &order, &err), 0);
    assert_int_equal(order.verdict.urgency, URGENCY_RED);
    assert_true(order.urgent);
    assert_true(order.deadlines.by[CLOCK_ARRIVE] != 0);
    assert_true(order.deadlines.by[CLOCK_ARRIVE] <= monday() + 30 * CLOCK_MINUTE_MS);
    assert_span(order.route.grid, "bihu-01");
    policy_unref(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complaint_becomes_an_order),
        cmocka_unit_test(unknown_matters_are_orders_too),
        cmocka_unit_test(reviews_go_to_the_head),
        cmocka_unit_test(place_fields_are_used),
        cmocka_unit_test(the_residents_kind_beats_the_classifiers),
        cmocka_unit_test(who_goes_first),
        cmocka_unit_test(emergencies_get_their_clocks),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(with_the_rules_of_the_repository),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
