#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/store/hold.h"

#include <string.h>

static const char good[] = "# Persistence\r\naof_enabled:1\r\naof_last_write_status:ok\r\n"
                           "aof_pending_bio_fsync:0\r\naof_delayed_fsync:0\r\n";
static const char pending[] = "aof_enabled:1\r\naof_last_write_status:ok\r\n"
                              "aof_pending_bio_fsync:1\r\naof_delayed_fsync:0\r\n";
static const char failed[] = "aof_enabled:1\r\naof_last_write_status:err\r\n"
                             "aof_pending_bio_fsync:0\r\naof_delayed_fsync:0\r\n";
static const char delayed[] = "aof_enabled:1\r\naof_last_write_status:ok\r\n"
                              "aof_pending_bio_fsync:0\r\naof_delayed_fsync:1\r\n";
static const char none[] = "aof_enabled:0\r\n";

static uint64_t probe(struct hold *hold, int64_t now, uint64_t confirmed, const char *info)
{
    bool aof;
    hold_asked(hold, now, confirmed);
    uint64_t seq = hold_answered(hold, span_str(info), &aof);
    assert_int_equal(aof, strcmp(info, none) != 0);
    return seq;
}

/* A mark is released by the second probe after it is two seconds old, not before. */
static void test_two_probes(void **state)
{
    (void)state;
    struct hold hold = {0};
    assert_true(hold_due(&hold, 1000));
    assert_int_equal(probe(&hold, 1000, 10, good), 0);
    assert_false(hold_due(&hold, 1000 + HOLD_PROBE_MS - 1));
    assert_true(hold_due(&hold, 1000 + HOLD_PROBE_MS));
    assert_int_equal(probe(&hold, 2000, 20, good), 0);
    assert_int_equal(probe(&hold, 2999, 30, good), 0);
    assert_int_equal(probe(&hold, 3000, 35, good), 0);
    assert_int_equal(probe(&hold, 3700, 40, good), 10);
    assert_int_equal(probe(&hold, 4400, 50, good), 0);
    assert_int_equal(probe(&hold, 5100, 60, good), 20);
    assert_int_equal(probe(&hold, 9000, 70, good), 35); /* at 5100 those were old enough */
    assert_int_equal(probe(&hold, 9700, 70, good), 60);
}

/* A Redis that does not answer lets no time pass. */
static void test_frozen(void **state)
{
    (void)state;
    struct hold hold = {0};
    probe(&hold, 1000, 10, good);
    hold_asked(&hold, 2000, 20);
    assert_false(hold_due(&hold, 60000));
    hold_failed(&hold);
    assert_int_equal(probe(&hold, 60000, 20, good), 0);
    assert_int_equal(probe(&hold, 60700, 20, good), 20);
}

static void test_disk_trouble(void **state)
{
    (void)state;
    struct hold hold = {0};
    probe(&hold, 1000, 10, good);
    probe(&hold, 3100, 20, good);
    assert_int_equal(probe(&hold, 3800, 20, pending), 0);
    assert_int_equal(probe(&hold, 4500, 20, failed), 0);
    /* A write during an fsync: two seconds from here. */
    assert_int_equal(probe(&hold, 5200, 20, delayed), 0);
    assert_int_equal(probe(&hold, 7100, 20, delayed), 0);
    assert_int_equal(probe(&hold, 7200, 20, delayed), 0);
    assert_int_equal(probe(&hold, 7900, 20, delayed), 20);
}

static void test_no_aof(void **state)
{
    (void)state;
    struct hold hold = {0};
    probe(&hold, 1000, 10, none);
    probe(&hold, 3000, 20, none);
    assert_int_equal(probe(&hold, 3700, 30, none), 10);
}

/* With more marks than fit, the oldest ones stay. */
static void test_many_marks(void **state)
{
    (void)state;
    struct hold hold = {0};
    for (uint64_t i = 1; i <= 3 * HOLD_MARKS; i++)
        assert_int_equal(probe(&hold, (int64_t)i * 700, i, pending), 0);
    assert_int_equal(hold.count, HOLD_MARKS);
    uint64_t seq = probe(&hold, 3 * HOLD_MARKS * 700 + 700, 1000, good);
    assert_in_range(seq, HOLD_MARKS - 1, 3 * HOLD_MARKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_probes),   cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_disk_trouble), cmocka_unit_test(test_no_aof),
        cmocka_unit_test(test_many_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
