/* The timing wheel: alarms fire once, never early, not late; what fires may set and clear others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/random.h"
#include "engine/http/wheel.h"

#include <stdlib.h>

enum { ALARMS = 500 };

struct probe {
    struct wheel_alarm alarm;
    uint64_t wanted; /* 0: must not fire */
    int fired;
};

static struct wheel wheel;
static uv_loop_t loop;
static struct probe probes[ALARMS];
static int left;

static void on_probe(struct wheel_alarm *alarm)
{
    struct probe *probe = (struct probe *)alarm;
    uint64_t now = uv_now(&loop);
    assert_true(probe->wanted != 0);
    assert_true(now >= probe->wanted);
    assert_null(alarm->next);
    probe->fired++;
    left--;
}

static void begin(void)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    wheel_init(&wheel, &loop);
}

static void end(void)
{
    assert_int_equal(wheel.set, 0);
    wheel_close(&wheel, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_each_fires_once_and_never_early(void **state)
{
    struct random r = {.state = 3};
    (void)state;
    begin();
    left = 0;
    for (int i = 0; i < ALARMS; i++) {
        uint64_t ms = random_below(&r, 200);
        probes[i] = (struct probe){.alarm = {.fire = on_probe}, .wanted = uv_now(&loop) + ms};
        wheel_set(&wheel, &probes[i].alarm, random_below(&r, 2) == 0 ? ms : ms + 20000);
        if (i % 3 == 0) {
            wheel_clear(&wheel, &probes[i].alarm);
            wheel_clear(&wheel, &probes[i].alarm);
            probes[i].wanted = 0;
        } else {
            wheel_set(&wheel, &probes[i].alarm, ms); /* the later setting counts */
            left++;
        }
    }
    uint64_t start = uv_now(&loop);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends by itself: without alarms the timer stops */
    assert_int_equal(left, 0);
    assert_true(uv_now(&loop) - start < 2000);
    for (int i = 0; i < ALARMS; i++)
        assert_int_equal(probes[i].fired, probes[i].wanted != 0);
    end();
}

/* More than one turn of the wheel away: it is passed over until its time has come. */
static void test_beyond_one_turn(void **state)
{
    (void)state;
    begin();
    probes[0] = (struct probe){.alarm = {.fire = on_probe}};
    wheel_set(&wheel, &probes[0].alarm, WHEEL_SLOTS * WHEEL_SLOT_MS + 5);
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(probes[0].fired, 0);
    wheel_clear(&wheel, &probes[0].alarm);
    end();
}

static void on_meddle(struct wheel_alarm *alarm)
{
    on_probe(alarm);
    /* Due in the same slot: cleared before its turn, so it must not fire. */
    wheel_clear(&wheel, &probes[1].alarm);
    probes[2].wanted = uv_now(&loop) + 1;
    wheel_set(&wheel, &probes[2].alarm, 0);
}

static void test_what_fires_may_meddle(void **state)
{
    (void)state;
    begin();
    left = 2;
    for (int i = 0; i < 3; i++)
        probes[i] = (struct probe){.alarm = {.fire = on_probe}};
    probes[0].alarm.fire = on_meddle;
    probes[0].wanted = uv_now(&loop) + 5;
    wheel_set(&wheel, &probes[0].alarm, 5);
    wheel_set(&wheel, &probes[1].alarm, 5);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(left, 0);
    assert_int_equal(probes[0].fired + probes[2].fired, 2);
    assert_int_equal(probes[1].fired, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fires_once_and_never_early),
        cmocka_unit_test(test_beyond_one_turn),
        cmocka_unit_test(test_what_fires_may_meddle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
