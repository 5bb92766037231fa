#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/store/keys.h"

static void assert_key(struct key key, const char *text)
{
    assert_string_equal(key.text, text);
    assert_true(span_eq(key_span(&key), span_str(text)));
}

static void test_names(void **state)
{
    (void)state;
    struct id id;
    assert_int_equal(id_parse(SPAN("c-1.01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id), 0);
    assert_key(key_order(&id), "jiesu:{c-1}:order:01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_key(key_alias(&id), "jiesu:{c-1}:alias:01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_key(key_queue(SPAN("c1"), SPAN("w1"), QUEUE_ORDINARY), "jiesu:{c1}:q:w1");
    assert_key(key_queue(SPAN("c1"), SPAN("w1"), QUEUE_SPECIAL), "jiesu:{c1}:q:w1:special");
    assert_key(key_queue(SPAN("c1"), SPAN("w1"), QUEUE_URGENT), "jiesu:{c1}:q:w1:urgent");
    assert_key(key_due(SPAN("c1")), "jiesu:{c1}:due");
    assert_key(key_open(SPAN("c1")), "jiesu:{c1}:open");
    assert_key(key_idle(SPAN("c1")), "jiesu:{c1}:idle");
    assert_key(key_notices(SPAN("c1"), SPAN("w1")), "jiesu:{c1}:notices:w1");
    assert_key(key_wake(SPAN("c1"), SPAN("w1")), "jiesu:{c1}:wake:w1");
    assert_key(key_events(SPAN("c1")), "jiesu:{c1}:events");
    assert_key(key_cursors(SPAN("c1")), "jiesu:{c1}:cursors");
    assert_key(key_lease(SPAN("c1"), SPAN("hook:a")), "jiesu:{c1}:lease:hook:a");
    assert_key(key_lapse(SPAN("c1")), "jiesu:{c1}:lapse");
    assert_key(key_stat(SPAN("c1"), 20260301, SPAN("")), "jiesu:{c1}:stat:20260301");
    assert_key(key_stat(SPAN("c1"), 20260301, SPAN("grid")), "jiesu:{c1}:stat:20260301:grid");
    assert_key(key_claim((struct hash128){.hi = 1, .lo = UINT64_MAX}),
               "jiesu:claim:0000000000000001ffffffffffffffff");
    assert_key(key_dead(SPAN("c1"), SPAN("mini")), "jiesu:{c1}:dead:mini");
    assert_key(key_dead_orders(SPAN("c1"), SPAN("mini")), "jiesu:{c1}:dead:mini:orders");
    assert_key(key_dead_replay(SPAN("c1"), SPAN("mini")), "jiesu:{c1}:dead:mini:replay");
    assert_key(key_hook(SPAN("c1"), SPAN("mini")), "jiesu:{c1}:hook:mini");
}

static void test_order_key_is_read_back(void **state)
{
    (void)state;
    struct id id, back;
    id_make(&id, SPAN("abcdefghijklmnopqrstuvwxyz012345"), 7);
    const struct key key = key_order(&id);
    assert_int_equal(key_parse_order(key_span(&key), &back), 0);
    assert_string_equal(back.text, id.text);
    static const char *const others[] = {
        "",
        "jiesu:{",
        "jiesu:{c1}:order:",
        "jiesu:{c1}:order:01ARZ3NDEKTSV4RRFFQ69G5FA",
        "jiesu:{c1}:order:01ARZ3NDEKTSV4RRFFQ69G5FAVV",
        "jiesu:{}:order:01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "x:jiesu:{c1}:order:01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "jiesu:{c1}:alias:01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "jiesu:{c1}:q:w1",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(key_parse_order(span_str(others[i]), &back), -1);
}

/* The longest names that id.h allows fit. */
static void test_longest(void **state)
{
    (void)state;
    struct span longest = SPAN("abcdefghijklmnopqrstuvwxyz012345");
    assert_int_equal(longest.len, ID_COMMUNITY_BYTES);
    struct id id;
    id_make(&id, longest, 0);
    assert_true(key_order(&id).len < KEY_BYTES);
    assert_true(key_queue(longest, longest, QUEUE_SPECIAL).len < KEY_BYTES);
    assert_true(key_wake(longest, longest).len < KEY_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_order_key_is_read_back),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
