#include "engine/model/complaint.h"
#include "engine/model/order.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void states_have_names(void **state)
{
    (void)state;
    static const char *const names[ORDER_STATE_COUNT] = {"dispatched", "accepted", "resolved"};
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_state parsed = ORDER_STATE_COUNT;
        assert_string_equal(order_state_name((enum order_state)i), names[i]);
        assert_int_equal(order_state_parse(span_str(names[i]), &parsed), 0);
        assert_int_equal(parsed, i);
        assert_true(strlen(order_state_progress((enum order_state)i)) > 0);
    }
    enum order_state untouched = ORDER_ACCEPTED;
    assert_int_equal(order_state_parse(SPAN("Accepted"), &untouched), -1);
    assert_int_equal(order_state_parse(SPAN(""), &untouched), -1);
    assert_int_equal(untouched, ORDER_ACCEPTED);
}

static void steps_follow_the_table(void **state)
{
    (void)state;
    /* Every step in every state, written out: 1 where it is allowed. */
    static const struct {
        const char *name;
        int allowed[ORDER_STATE_COUNT];
        enum order_state target;
    } expected[ORDER_STEP_COUNT] = {
        [STEP_ACCEPT] = {"accept", {1, 0, 0}, ORDER_ACCEPTED},
        [STEP_RESOLVE] = {"resolve", {0, 1, 0}, ORDER_RESOLVED},
    };
    for (unsigned i = 0; i < ORDER_STEP_COUNT; i++) {
        enum order_step step = ORDER_STEP_COUNT;
        assert_int_equal(order_step_parse(span_str(expected[i].name), &step), 0);
        assert_int_equal(step, i);
        assert_string_equal(order_step_name(step), expected[i].name);
        assert_int_equal(order_step_target(step), expected[i].target);
        for (unsigned s = 0; s < ORDER_STATE_COUNT; s++)
            assert_int_equal(order_step_allowed(step, (enum order_state)s), expected[i].allowed[s]);
    }
    enum order_step untouched = STEP_RESOLVE;
    assert_int_equal(order_step_parse(SPAN("reopen"), &untouched), -1);
    assert_int_equal(untouched, STEP_RESOLVE);
}

static void sources_have_names(void **state)
{
    (void)state;
    static const char *const names[SOURCE_COUNT] = {"miniprogram", "hotline", "app",
                                                    "web",         "grid",    "sensor"};
    for (unsigned i = 0; i < SOURCE_COUNT; i++) {
        enum source parsed = SOURCE_COUNT;
        assert_string_equal(source_name((enum source)i), names[i]);
        assert_int_equal(source_parse(span_str(names[i]), &parsed), 0);
        assert_int_equal(parsed, i);
    }
    enum source untouched = SOURCE_APP;
    assert_int_equal(source_parse(SPAN("fax"), &untouched), -1);
    assert_int_equal(untouched, SOURCE_APP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(steps_follow_the_table),
        cmocka_unit_test(sources_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
