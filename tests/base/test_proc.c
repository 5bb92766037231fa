#include "engine/base/clock.h"
#include "engine/base/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_start_is_that_of_this_process(void **state)
{
    (void)state;
    int64_t before = clock_now_ms();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* The kernel counts the start in ticks of 10 ms. */
        int64_t start = proc_start_ms();
        _exit(start >= before - 50 && start <= clock_now_ms() + 50 && proc_start_ms() == start ? 0
                                                                                               : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_cpu_time_is_spent_by_work(void **state)
{
    (void)state;
    uint64_t before = proc_cpu_ns();
    uint64_t from = clock_steady_ns(), now;
    do
        now = clock_steady_ns();
    while (now - from < 20000000);
    uint64_t spent = proc_cpu_ns() - before;
    assert_true(spent > 0 && spent < UINT64_C(4) * (clock_steady_ns() - from));
}

static void test_descriptors_are_counted(void **state)
{
    (void)state;
    int64_t before = proc_open_fds();
    int fds[10];
    for (int i = 0; i < 10; i++)
        assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal(proc_open_fds(), before + 10);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    assert_int_equal(proc_open_fds(), before);
    assert_true(before >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_is_that_of_this_process),
        cmocka_unit_test(test_cpu_time_is_spent_by_work),
        cmocka_unit_test(test_descriptors_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
