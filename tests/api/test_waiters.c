/* Long polls: who is woken, who is not, and how many may wait. */
#include "engine/api/waiters.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct poll {
    struct waiter waiter;
    struct waiters *all;
    int woken;
    bool leaves;
};

static void on_wake(struct waiter *waiter)
{
    struct poll *poll = (struct poll *)(void *)waiter;
    poll->woken++;
    if (poll->leaves)
        waiters_remove(poll->all, waiter);
}

static struct poll make_poll(struct waiters *all, const char *worker, bool leaves)
{
    return (struct poll){
        .waiter = {.channel = key_wake(SPAN("bihu"), span_str(worker)), .wake = on_wake},
        .all = all,
        .leaves = leaves};
}

static void test_only_its_channel_wakes(void **state)
{
    (void)state;
    struct waiters *all = waiters_new();
    struct poll a = make_poll(all, "w-1", false), b = make_poll(all, "w-1", true),
                c = make_poll(all, "w-2", false);
    assert_int_equal(waiters_add(all, &a.waiter), 0);
    assert_int_equal(waiters_add(all, &b.waiter), 0);
    assert_int_equal(waiters_add(all, &c.waiter), 0);
    assert_int_equal(metric_get(METRIC_LONG_POLLS), 3);
    waiters_wake(all, key_span(&a.waiter.channel));
    waiters_wake(all, key_span(&a.waiter.channel));
    assert_int_equal(a.woken, 2);
    assert_int_equal(b.woken, 1); /* it left when it was woken */
    assert_int_equal(c.woken, 0);
    waiters_wake_all(all);
    assert_int_equal(a.woken, 3);
    assert_int_equal(c.woken, 1);
    waiters_remove(all, &a.waiter);
    waiters_remove(all, &a.waiter); /* twice does no harm */
    waiters_remove(all, &b.waiter);
    waiters_remove(all, &c.waiter);
    waiters_wake_all(all);
    assert_int_equal(a.woken, 3);
    assert_int_equal(metric_get(METRIC_LONG_POLLS), 0);
    waiters_free(&all);
}

static void test_bound(void **state)
{
    (void)state;
    struct waiters *all = waiters_new();
    struct poll *polls = mem_zalloc(LIMIT_LONG_POLLS + 1, sizeof(*polls));
    assert_non_null(polls);
    for (int i = 0; i < LIMIT_LONG_POLLS; i++) {
        polls[i] = make_poll(all, "w-1", false);
        assert_int_equal(waiters_add(all, &polls[i].waiter), 0);
    }
    polls[LIMIT_LONG_POLLS] = make_poll(all, "w-2", false);
    assert_int_equal(waiters_add(all, &polls[LIMIT_LONG_POLLS].waiter), -1);
    waiters_remove(all, &polls[7].waiter);
    assert_int_equal(waiters_add(all, &polls[LIMIT_LONG_POLLS].waiter), 0);
    for (int i = 0; i <= LIMIT_LONG_POLLS; i++)
        waiters_remove(all, &polls[i].waiter);
    mem_free(polls);
    waiters_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_its_channel_wakes),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
