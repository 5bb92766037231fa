/*
 * What the embedded Redis appends is handed to the disk: the right ranges of the right file, and
 * nothing worse than a line in the log when that fails. The ranges are seen by a sync_file_range of
 * our own, which stands before the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/app/redis_child_write_back.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PATIENCE_MS = 15000, MANY_ROUNDS = 40, BLOCK_BYTES = 65536 };

/* The last range that was asked for, how often one was, and the error to answer with. */
static _Atomic int64_t asked_from, asked_bytes;
static _Atomic int answer, calls;

int sync_file_range(int fd, off_t from, off_t bytes, unsigned flags);
int sync_file_range(int fd, off_t from, off_t bytes, unsigned flags)
{
    const int error = flags == SYNC_FILE_RANGE_WRITE ? answer : EINVAL; /* it must not wait */
    asked_from = from;
    asked_bytes = bytes;
    calls++;
    if (error != 0) {
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_sync_file_range, fd, from, bytes, flags);
}

struct folder {
    char path[64];
    int dir;
    struct write_back *wb;
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    assert_non_null(folder);
    strcpy(folder->path, "/tmp/jiesu-write-back-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->dir = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->dir >= 0);
    folder->wb = write_back_new(folder->dir);
    assert_non_null(folder->wb);
    asked_from = asked_bytes = 0;
    answer = calls = 0;
    metric_reset();
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    char line[128];
    write_back_free(&folder->wb);
    assert_null(folder->wb);
    close(folder->dir);
    snprintf(line, sizeof(line), "rm -rf %s", folder->path);
    assert_int_equal(system(line), 0);
    free(folder);
    return 0;
}

static void make_files(const struct folder *folder)
{
    assert_int_equal(mkdirat(folder->dir, "appendonlydir", 0700), 0);
}

static void append(const struct folder *folder, const char *name, size_t bytes)
{
    static const char block[BLOCK_BYTES];
    char path[128];
    snprintf(path, sizeof(path), "appendonlydir/%s", name);
    int fd = openat(folder->dir, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t left = bytes; left > 0;) {
        size_t part = left < sizeof(block) ? left : sizeof(block);
        assert_int_equal(write(fd, block, part), part);
        left -= part;
    }
    close(fd);
}

static void cut(const struct folder *folder, const char *name, off_t bytes)
{
    char path[128];
    snprintf(path, sizeof(path), "appendonlydir/%s", name);
    int fd = openat(folder->dir, path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
}

/* One round, which must succeed: how many bytes it handed over. */
static uint64_t once(struct folder *folder)
{
    struct err err = {0};
    uint64_t bytes;
    if (write_back_once(folder->wb, &bytes, &err) != 0)
        fail_msg("%s", err.text);
    return bytes;
}

/* So many rounds that the folder is looked at again: what they handed over together. */
static uint64_t many(struct folder *folder)
{
    uint64_t bytes = 0;
    for (int i = 0; i < MANY_ROUNDS; i++)
        bytes += once(folder);
    return bytes;
}

#define ONE "appendonly.aof.1.incr.aof"

static void test_nothing_there(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(many(folder), 0);
    make_files(folder);
    assert_int_equal(many(folder), 0);
    assert_int_equal(calls, 0);
}

static void test_what_was_appended(void **state)
{
    struct folder *folder = *state;
    make_files(folder);
    append(folder, ONE, 5 * PAGE + 1);
    assert_int_equal(once(folder), 0); /* it was there before */
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES - 1);
    assert_int_equal(once(folder), 0); /* too little */
    append(folder, ONE, PAGE);
    /* From where it began to the last whole page. */
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES + PAGE - 1);
    assert_int_equal(asked_from, 5 * PAGE + 1);
    assert_int_equal((asked_from + asked_bytes) % PAGE, 0);
    const int64_t end = asked_from + asked_bytes;
    assert_int_equal(once(folder), 0);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(asked_from, end);
    assert_int_equal(metric_get(METRIC_REDIS_CHILD_WRITTEN_BACK),
                     2 * LIMIT_REDIS_WRITE_BACK_BYTES + PAGE - 1);
}

/* A rewrite begins the next file and deletes the last one. */
static void test_next_file(void **state)
{
    struct folder *folder = *state;
    make_files(folder);
    append(folder, "appendonly.aof.9.incr.aof", PAGE);
    many(folder);
    append(folder, "appendonly.aof.10.incr.aof", PAGE);
    many(folder);
    append(folder, "appendonly.aof.9.incr.aof", LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(many(folder), 0); /* nobody appends to it any more */
    append(folder, "appendonly.aof.10.incr.aof", LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(unlinkat(folder->dir, "appendonlydir/appendonly.aof.10.incr.aof", 0), 0);
    append(folder, "appendonly.aof.11.incr.aof", PAGE);
    many(folder);
    append(folder, "appendonly.aof.11.incr.aof", LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
}

/* The same number again, of a folder that was made anew. */
static void test_file_made_anew(void **state)
{
    struct folder *folder = *state;
    make_files(folder);
    append(folder, ONE, PAGE);
    many(folder);
    assert_int_equal(unlinkat(folder->dir, "appendonlydir/" ONE, 0), 0);
    append(folder, ONE, PAGE);
    many(folder);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
}

/* Redis cuts off a torn end when it starts. */
static void test_file_cut(void **state)
{
    struct folder *folder = *state;
    make_files(folder);
    append(folder, ONE, 100 * PAGE);
    assert_int_equal(once(folder), 0);
    cut(folder, ONE, 10 * PAGE + 5);
    assert_int_equal(once(folder), 0);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(asked_from, 10 * PAGE);
}

static void test_other_names(void **state)
{
    static const char *const names[] = {
        "appendonly.aof.manifest",   "appendonly.aof.5.base.rdb",
        "appendonly.aof.x.incr.aof", "appendonly.aof.-1.incr.aof",
        "appendonly.aof..incr.aof",  "appendonly.aof.99999999999999999999.incr.aof",
        "temp-5.incr.aof",           "appendonly.aof.5.incr.aof.bak",
        "appendonly.aof.0.incr.aof"};
    struct folder *folder = *state;
    make_files(folder);
    append(folder, ONE, PAGE);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        append(folder, names[i], PAGE);
    many(folder);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        append(folder, names[i], LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(many(folder), 0);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
}

/* What has the name and is no file is neither waited for nor followed. */
static void test_no_file(void **state)
{
    struct folder *folder = *state;
    make_files(folder);
    assert_int_equal(mkfifoat(folder->dir, "appendonlydir/appendonly.aof.1.incr.aof", 0600), 0);
    assert_int_equal(many(folder), 0);
    assert_int_equal(mkdirat(folder->dir, "appendonlydir/appendonly.aof.2.incr.aof", 0700), 0);
    assert_int_equal(many(folder), 0);
    append(folder, "elsewhere", PAGE);
    assert_int_equal(symlinkat("elsewhere", folder->dir, "appendonlydir/appendonly.aof.3.incr.aof"),
                     0);
    assert_int_equal(many(folder), 0);
    append(folder, "elsewhere", LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(many(folder), 0);
    assert_int_equal(calls, 0);
}

static void test_refused(void **state)
{
    struct folder *folder = *state;
    struct err err = {0};
    uint64_t bytes;
    make_files(folder);
    append(folder, ONE, PAGE);
    once(folder);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    answer = EIO;
    assert_int_equal(write_back_once(folder->wb, &bytes, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(err.text, "appendonly.aof.1.incr.aof: sync_file_range: Input/output error");
    assert_int_equal(metric_get(METRIC_REDIS_CHILD_WRITTEN_BACK), 0);
    answer = 0;
    assert_int_equal(once(folder), 0); /* that is left to Redis */
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_int_equal(once(folder), LIMIT_REDIS_WRITE_BACK_BYTES);
}

static bool wait_for_calls(int wanted)
{
    for (int i = 0; i < PATIENCE_MS && calls < wanted; i++)
        usleep(1000);
    return calls >= wanted;
}

static void test_thread(void **state)
{
    struct folder *folder = *state;
    struct err err = {0};
    make_files(folder);
    append(folder, ONE, PAGE);
    once(folder); /* it is seen before it grows */
    assert_int_equal(write_back_start(folder->wb, &err), 0);
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_true(wait_for_calls(1));
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_true(wait_for_calls(2));
    /* Refused, it tries again with what comes next. */
    answer = ENOSPC;
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_true(wait_for_calls(3));
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_true(wait_for_calls(4));
    answer = 0;
    append(folder, ONE, LIMIT_REDIS_WRITE_BACK_BYTES);
    assert_true(wait_for_calls(5));
    write_back_free(&folder->wb);
    assert_int_equal(metric_get(METRIC_REDIS_CHILD_WRITTEN_BACK), 3 * LIMIT_REDIS_WRITE_BACK_BYTES);
}

static void test_ends(void **state)
{
    struct folder *folder = *state;
    struct err err = {0};
    assert_int_equal(write_back_start(folder->wb, &err), 0);
    write_back_free(&folder->wb);
    mem_fail_at(1);
    assert_null(write_back_new(folder->dir));
    mem_fail_at(0);
    write_back_free(&folder->wb); /* of none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_appended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_next_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("redis_child_write_back", tests, NULL, NULL);
}
