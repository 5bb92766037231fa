/* What is told of an event, and of which events; nothing about anybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/api/hook_payload.h"
#include "engine/base/mem.h"
#include "engine/model/order.h"

#include <string.h>

static const struct event resolved = {
    .id = {"1-1", 3},
    .order = {"01JABCDEFGHJKMNPQRSTVWXYZ0", 26},
    .version = 4,
    .step = {"resolve", 7},
    .at = 1772325000123,
    .by = {"worker", 6},
    .from = {"arrived", 7},
    .to = {"resolved", 8},
    .worker = {"w-bh-02", 7},
    .entry = {"{\"note\":{\"result\":\"张三已处理，电话13800001234\"}}", 58},
};

/* The payload, "" when it is not told. */
static const char *told(const struct event *event)
{
    static struct buf out;
    enum hook_type type;
    struct json_reader *json = json_reader_new(16);
    assert_non_null(json);
    buf_clear(&out);
    const int result = hook_payload(json, SPAN("bihu"), event, &type, &out);
    json_reader_free(&json);
    assert_true(result >= 0);
    return result == 0 ? "" : buf_cstr(&out);
}

static void a_payload(void **state)
{
    (void)state;
    assert_string_equal(told(&resolved),
                        "{\"id\":\"bihu.01JABCDEFGHJKMNPQRSTVWXYZ0.4.resolve\","
                        "\"type\":\"complaint.resolved\","
                        "\"complaint\":\"bihu.01JABCDEFGHJKMNPQRSTVWXYZ0\",\"version\":4,"
                        "\"status\":\"resolved\",\"progress\":\"已办结\","
                        "\"at\":\"2026-03-01T08:30:00.123+08:00\"}");
}

static void which_are_told(void **state)
{
    (void)state;
    static const char *const internal[] = {"report",       "extend",     "refuse",   "whistle",
                                           "party_report", "party_rate", "review",   "warn",
                                           "hand_over",    "reclock",    "nonsense", ""};
    struct event event = resolved;
    for (size_t i = 0; i < sizeof internal / sizeof *internal; i++) {
        event.step = span_str(internal[i]);
        assert_string_equal(told(&event), "");
    }
    event.step = SPAN("note");
    event.entry = SPAN("{\"note\":{\"note\":\"等配件\"}}");
    assert_string_equal(told(&event), "");
    event.entry = SPAN("{\"note\":{\"note\":\"明天来\",\"feedback\":true}}");
    assert_non_null(strstr(told(&event), "complaint.feedback"));
    assert_null(strstr(told(&event), "明天来"));
    event.entry = SPAN("not json");
    assert_string_equal(told(&event), "");
    event = resolved;
    event.to = SPAN("elsewhere");
    assert_string_equal(told(&event), "");
}

/* Every type has one step and one word; every step that ends or moves an order has a type. */
static void the_types(void **state)
{
    (void)state;
    for (enum hook_type t = 0; t < HOOK_TYPE_COUNT; t++) {
        enum hook_type found;
        assert_int_equal(hook_type_parse(span_str(hook_type_word(t)), &found), 0);
        assert_int_equal(found, t);
        assert_int_equal(strncmp(hook_type_name(t), "complaint.", 10), 0);
    }
    enum hook_type type;
    assert_int_equal(hook_type_parse(SPAN("complaint.closed"), &type), -1);
    for (size_t state_to = 0; state_to < ORDER_STATE_COUNT; state_to++) {
        for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++) {
            for (enum order_actor a = 0; a < ORDER_ACTOR_COUNT; a++) {
                const struct order_rule *rule = order_rule(s, a);
                if (rule != NULL && rule->to == (enum order_state)state_to &&
                    rule->to != ORDER_DISPATCHED)
                    assert_int_equal(hook_type_of_step(span_str(order_step_name(s)), false, &type),
                                     0);
            }
        }
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct json_reader *json = json_reader_new(16);
    int result = -1;
    assert_non_null(json);
    for (uint64_t n = 1; result < 0; n++) {
        struct buf out = {0};
        enum hook_type type;
        mem_fail_at(n);
        result = hook_payload(json, SPAN("bihu"), &resolved, &type, &out);
        mem_fail_at(0);
        assert_true(result == 1 || n < 50);
        buf_free(&out);
    }
    json_reader_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload),
        cmocka_unit_test(which_are_told),
        cmocka_unit_test(the_types),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
