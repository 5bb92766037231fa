#include "engine/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs body in a child with its stderr in out; returns the child's wait status. */
static int run_child(void (*body)(void), char *out, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(ends[0], out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void broken(void)
{
    int two = 2;
    CHECK(two == 3);
}

static void whole(void)
{
    int two = 2;
    CHECK(two == 2);
}

static void test_failed_check_names_its_place_and_aborts(void **state)
{
    (void)state;
    char text[1024];
    int status = run_child(broken, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "tests/base/test_check.c:"));
    assert_non_null(strstr(text, "check failed: two == 3\n"));
}

static void test_true_check_does_nothing(void **state)
{
    (void)state;
    char text[1024];
    int status = run_child(whole, text, sizeof(text));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_check_names_its_place_and_aborts),
        cmocka_unit_test(test_true_check_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
