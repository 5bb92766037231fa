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
    static const char *const names[ORDER_STATE_COUNT] = {"dispatched",        "accepted", "arrived",
                                                         "awaiting_decision", "resolved", "closed",
                                                         "cancelled"};
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

/* The whole table, written out a second time: who may take a step, in which states (dispatched,
 * accepted, arrived, awaiting, resolved, closed, cancelled), and where it leads. */
static const struct expected {
    enum order_step step;
    const char *name;
    enum order_actor actor; /* as one asks: of staff, the highest office */
    const char *from;
    enum order_state to; /* ORDER_SAME: none */
} expected[] = {
    {STEP_ACCEPT, "accept", ACTOR_MEMBER, "1000000", ORDER_ACCEPTED},
    {STEP_ACCEPT, "accept", ACTOR_LEADER, "1000000", ORDER_ACCEPTED},
    {STEP_ACCEPT, "accept", ACTOR_HEAD, "1000000", ORDER_ACCEPTED},
    {STEP_ARRIVE, "arrive", ACTOR_MEMBER, "0100000", ORDER_ARRIVED},
    {STEP_ARRIVE, "arrive", ACTOR_LEADER, "0100000", ORDER_ARRIVED},
    {STEP_ARRIVE, "arrive", ACTOR_HEAD, "0100000", ORDER_ARRIVED},
    {STEP_REPORT, "report", ACTOR_MEMBER, "0110000", ORDER_SAME},
    {STEP_REPORT, "report", ACTOR_LEADER, "0110000", ORDER_SAME},
    {STEP_REPORT, "report", ACTOR_HEAD, "0110000", ORDER_SAME},
    {STEP_RESOLVE, "resolve", ACTOR_MEMBER, "0110000", ORDER_RESOLVED},
    {STEP_RESOLVE, "resolve", ACTOR_LEADER, "0110000", ORDER_RESOLVED},
    {STEP_RESOLVE, "resolve", ACTOR_HEAD, "0110000", ORDER_RESOLVED},
    {STEP_CLOSE, "close", ACTOR_HEAD, "0000100", ORDER_CLOSED},
    {STEP_CLOSE, "close", ACTOR_ENGINE, "0000100", ORDER_CLOSED},
    {STEP_RETURN, "return", ACTOR_MEMBER, "1110000", ORDER_DISPATCHED},
    {STEP_RETURN, "return", ACTOR_LEADER, "1110000", ORDER_DISPATCHED},
    {STEP_RETURN, "return", ACTOR_HEAD, "1110000", ORDER_DISPATCHED},
    {STEP_TRANSFER, "transfer", ACTOR_LEADER, "1110000", ORDER_DISPATCHED},
    {STEP_TRANSFER, "transfer", ACTOR_HEAD, "1111000", ORDER_DISPATCHED},
    {STEP_EXTEND, "extend", ACTOR_MEMBER, "0110000", ORDER_SAME},
    {STEP_EXTEND, "extend", ACTOR_LEADER, "0110000", ORDER_SAME},
    {STEP_EXTEND, "extend", ACTOR_HEAD, "0110000", ORDER_SAME},
    {STEP_GRANT, "grant", ACTOR_HEAD, "1111000", ORDER_SAME},
    {STEP_REFUSE, "refuse", ACTOR_HEAD, "1111000", ORDER_SAME},
    {STEP_NOTE, "note", ACTOR_MEMBER, "1111100", ORDER_SAME},
    {STEP_NOTE, "note", ACTOR_LEADER, "1111100", ORDER_SAME},
    {STEP_NOTE, "note", ACTOR_HEAD, "1111100", ORDER_SAME},
    {STEP_WHISTLE, "whistle", ACTOR_LEADER, "1110000", ORDER_SAME},
    {STEP_WHISTLE, "whistle", ACTOR_HEAD, "1111000", ORDER_SAME},
    {STEP_PARTY_REPORT, "party_report", ACTOR_MEMBER, "1111000", ORDER_SAME},
    {STEP_PARTY_REPORT, "party_report", ACTOR_LEADER, "1111000", ORDER_SAME},
    {STEP_PARTY_REPORT, "party_report", ACTOR_HEAD, "1111000", ORDER_SAME},
    {STEP_PARTY_RATE, "party_rate", ACTOR_LEADER, "1111110", ORDER_SAME},
    {STEP_PARTY_RATE, "party_rate", ACTOR_HEAD, "1111110", ORDER_SAME},
    {STEP_REVIEW, "review", ACTOR_HEAD, "1111110", ORDER_SAME},
    {STEP_RATE, "rate", ACTOR_RESIDENT, "0000110", ORDER_CLOSED},
    {STEP_REOPEN, "reopen", ACTOR_RESIDENT, "0000110", ORDER_DISPATCHED},
    {STEP_CANCEL, "cancel", ACTOR_RESIDENT, "1000000", ORDER_CANCELLED},
    {STEP_CANCEL, "cancel", ACTOR_HEAD, "1111000", ORDER_CANCELLED},
    {STEP_WARN, "warn", ACTOR_ENGINE, "1111000", ORDER_SAME},
    {STEP_HAND_OVER, "hand_over", ACTOR_ENGINE, "1000000", ORDER_SAME},
    {STEP_ESCALATE, "escalate", ACTOR_ENGINE, "1111000", ORDER_DISPATCHED},
    {STEP_RECLOCK, "reclock", ACTOR_ENGINE, "1111000", ORDER_SAME},
};

enum { EXPECTED = sizeof expected / sizeof *expected };

static const struct expected *find_expected(enum order_step step, enum order_actor actor)
{
    for (size_t i = 0; i < EXPECTED; i++)
        if (expected[i].step == step && expected[i].actor == actor)
            return &expected[i];
    return NULL;
}

static void compare_rule(enum order_step step, enum order_actor actor)
{
    const struct expected *want = find_expected(step, actor);
    const struct order_rule *rule = order_rule(step, actor);
    if ((want == NULL) != (rule == NULL))
        fail_msg("%s by %s", order_step_name(step), order_actor_words(actor));
    for (unsigned s = 0; rule != NULL && s < ORDER_STATE_COUNT; s++) {
        const enum order_state state = (enum order_state)s;
        if (order_rule_allows(rule, state) != (want->from[s] == '1'))
            fail_msg("%s by %s in %s", order_step_name(step), order_actor_words(actor),
                     order_state_name(state));
        assert_int_equal(order_rule_target(rule, state), want->to == ORDER_SAME ? state : want->to);
    }
}

static void steps_follow_the_table(void **state)
{
    (void)state;
    for (enum order_step step = 0; step < ORDER_STEP_COUNT; step++) {
        for (enum order_actor actor = 0; actor < ORDER_ACTOR_COUNT; actor++)
            if (actor != ACTOR_HOLDER)
                compare_rule(step, actor);
    }
    for (size_t i = 0; i < EXPECTED; i++) {
        enum order_step step = ORDER_STEP_COUNT;
        assert_int_equal(order_step_parse(span_str(expected[i].name), &step), 0);
        assert_int_equal(step, expected[i].step);
        assert_string_equal(order_step_name(step), expected[i].name);
    }
    enum order_step untouched = STEP_RESOLVE;
    assert_int_equal(order_step_parse(SPAN("create"), &untouched), -1);
    assert_int_equal(untouched, STEP_RESOLVE);
}

/* Only the holder's own steps ask who holds it. */
static void holders_steps(void **state)
{
    (void)state;
    for (enum order_step step = 0; step < ORDER_STEP_COUNT; step++) {
        const struct order_rule *rule = order_rule(step, ACTOR_HEAD);
        const bool theirs = step == STEP_ARRIVE || step == STEP_REPORT || step == STEP_RESOLVE ||
                            step == STEP_RETURN || step == STEP_EXTEND;
        if (rule != NULL)
            assert_int_equal(rule->actor == ACTOR_HOLDER, theirs);
    }
    assert_int_equal(order_step_needs(STEP_ACCEPT), ACTOR_MEMBER);
    assert_int_equal(order_step_needs(STEP_RESOLVE), ACTOR_HOLDER);
    assert_int_equal(order_step_needs(STEP_TRANSFER), ACTOR_LEADER);
    assert_int_equal(order_step_needs(STEP_GRANT), ACTOR_HEAD);
    assert_int_equal(order_step_needs(STEP_RATE), ORDER_ACTOR_COUNT);
    static const enum order_step engines[] = {STEP_WARN, STEP_HAND_OVER, STEP_ESCALATE,
                                              STEP_RECLOCK};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        assert_int_equal(order_step_needs(engines[i]), ORDER_ACTOR_COUNT);
        assert_false(order_step_bounded(engines[i]));
    }
}

static void allowed_is_for_staff_or_residents(void **state)
{
    (void)state;
    assert_true(order_step_allowed(STEP_CANCEL, true, ORDER_DISPATCHED));
    assert_false(order_step_allowed(STEP_CANCEL, true, ORDER_ACCEPTED));
    assert_true(order_step_allowed(STEP_CANCEL, false, ORDER_ACCEPTED));
    assert_false(order_step_allowed(STEP_RATE, false, ORDER_RESOLVED));
    assert_true(order_step_allowed(STEP_RATE, true, ORDER_RESOLVED));
    assert_true(order_step_allowed(STEP_CLOSE, false, ORDER_RESOLVED));
    for (enum order_step step = 0; step < ORDER_STEP_COUNT; step++) {
        assert_false(order_step_allowed(step, true, ORDER_CANCELLED));
        assert_false(order_step_allowed(step, false, ORDER_CANCELLED));
    }
    assert_true(order_state_ended(ORDER_CLOSED) && order_state_ended(ORDER_CANCELLED));
    assert_false(order_state_ended(ORDER_RESOLVED) || order_state_ended(ORDER_AWAITING));
}

static void special_groups_go_before_their_equals(void **state)
{
    (void)state;
    assert_int_equal(order_queue(false, false), QUEUE_ORDINARY);
    assert_int_equal(order_queue(false, true), QUEUE_SPECIAL);
    assert_int_equal(order_queue(true, false), QUEUE_URGENT);
    assert_int_equal(order_queue(true, true), QUEUE_URGENT);
    assert_true(QUEUE_ORDINARY < QUEUE_SPECIAL && QUEUE_SPECIAL < QUEUE_URGENT);
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
        cmocka_unit_test(holders_steps),
        cmocka_unit_test(allowed_is_for_staff_or_residents),
        cmocka_unit_test(sources_have_names),
        cmocka_unit_test(special_groups_go_before_their_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
