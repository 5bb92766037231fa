#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/base/random.h"
#include "engine/store/outbox.h"
#include "engine/store/outbox_db.h"
#include "tests/store/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 3000, PATIENCE_MS = 20000 };

static char dir[64], path[96];

/* What on_written has seen. */
static atomic_long written, failed, batches;
static _Atomic uint64_t last_seq;
static char failure[512];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/jiesu-outbox-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/outbox.db", dir);
    written = failed = batches = 0;
    last_seq = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_remove_dir(dir);
    return 0;
}

static void on_written(void *ctx, struct outbox_entry *entries, const struct err *err)
{
    (void)ctx;
    atomic_fetch_add(&batches, 1);
    if (err != NULL)
        snprintf(failure, sizeof(failure), "%s", err->text);
    for (struct outbox_entry *e = entries, *next; e != NULL; e = next) {
        next = e->next;
        assert_int_equal(e->written, err == NULL);
        if (e->written && e->action == OUTBOX_APPEND) {
            assert_int_equal(e->seq, last_seq + 1); /* in order, without a gap */
            last_seq = e->seq;
        }
        free(e);
        if (err == NULL)
            atomic_fetch_add(&written, 1);
        else
            atomic_fetch_add(&failed, 1);
    }
}

static struct outbox *open_outbox(struct err *err)
{
    struct outbox_options options = {.path = path, .on_written = on_written};
    struct outbox *outbox = outbox_open(&options, err);
    if (outbox != NULL)
        last_seq = outbox_last(outbox);
    return outbox;
}

static struct outbox *must_open(void)
{
    struct err err = {0};
    struct outbox *outbox = open_outbox(&err);
    if (outbox == NULL)
        fail_msg("%s", err.text);
    return outbox;
}

/* An entry whose bytes stand behind it: its number in decimal, then noise. */
static struct outbox_entry *make(long number, size_t size)
{
    struct outbox_entry *entry = calloc(1, sizeof(*entry) + size + 32);
    char *bytes = (char *)(entry + 1);
    memset(bytes, 'x', size);
    int len = snprintf(bytes, 32, "%ld ", number);
    bytes[len] = 'x';
    entry->bytes = span_of(bytes, size);
    return entry;
}

static void submit(struct outbox *outbox, enum outbox_action action, uint64_t seq)
{
    struct outbox_entry *entry = make((long)seq, RECORD_BYTES);
    entry->action = action;
    entry->seq = seq;
    if (action != OUTBOX_APPEND)
        entry->bytes.len = 10;
    assert_int_equal(outbox_submit(outbox, entry, NULL), 0);
}

static void append(struct outbox *outbox, long from, long to)
{
    for (long n = from; n <= to; n++)
        submit(outbox, OUTBOX_APPEND, (uint64_t)n);
}

#define AWAIT(condition)                                            \
    do {                                                            \
        int64_t until = clock_steady_ms() + PATIENCE_MS;            \
        while (!(condition)) {                                      \
            if (clock_steady_ms() > until)                          \
                fail_msg("waited in vain for %s", #condition);      \
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); \
        }                                                           \
    } while (0)

/* The records from..to, and no others, are held after `after`. */
static void assert_held(struct outbox *outbox, uint64_t after, uint64_t from, uint64_t to)
{
    struct outbox_reader *reader = outbox_reader_new(outbox, NULL);
    assert_non_null(reader);
    uint64_t seq = after;
    struct span bytes;
    for (uint64_t want = from; want <= to; want++) {
        assert_int_equal(outbox_reader_next(reader, seq, &seq, &bytes, NULL), 1);
        assert_int_equal(seq, want);
        assert_int_equal(bytes.len, RECORD_BYTES);
        assert_int_equal(strtol(bytes.ptr, NULL, 10), (long)want);
    }
    assert_int_equal(outbox_reader_next(reader, seq, &seq, &bytes, NULL), 0);
    /* Going back is possible. */
    if (from <= to) {
        assert_int_equal(outbox_reader_next(reader, after, &seq, &bytes, NULL), 1);
        assert_int_equal(seq, from);
    }
    outbox_reader_free(&reader);
}

static void test_write_read_release(void **state)
{
    (void)state;
    struct outbox *outbox = must_open();
    append(outbox, 1, 3000);
    AWAIT(written == 3000);
    assert_int_equal(outbox_last(outbox), 3000);
    assert_int_equal(outbox_held(outbox), 3000);
    assert_held(outbox, 0, 1, 3000);
    assert_held(outbox, 2990, 2991, 3000);
    outbox_release(outbox, 2500); /* by itself, soon */
    AWAIT(outbox_held(outbox) == 500);
    assert_held(outbox, 0, 2501, 3000);
    outbox_release(outbox, 2000); /* never goes back */
    outbox_release(outbox, 9999); /* nor beyond what there is */
    AWAIT(outbox_held(outbox) == 0);
    append(outbox, 3001, 3005);
    AWAIT(written == 3005);
    assert_held(outbox, 0, 3001, 3005);
    outbox_close(&outbox);
    assert_null(outbox);
}

/* Makes a list of so many new entries, in order. */
static struct outbox_entry *make_list(long from, long count)
{
    struct outbox_entry *first = NULL, **tail = &first;
    for (long n = from; n < from + count; n++) {
        *tail = make(n, RECORD_BYTES);
        tail = &(*tail)->next;
    }
    return first;
}

/* Writes so many new records, with a release to `to`: how many it deleted. */
static uint64_t write_releasing(struct outbox_db *db, long count, uint64_t to)
{
    const uint64_t before = outbox_db_released(db);
    struct outbox_entry *entries = make_list((long)outbox_db_last(db) + 1, count);
    assert_int_equal(outbox_db_write(db, entries, to, NULL), 0);
    for (struct outbox_entry *next; entries != NULL; entries = next) {
        next = entries->next;
        free(entries);
    }
    return outbox_db_released(db) - before;
}

/* Many records that are released at once are deleted a few with each transaction, so that none of
 * them takes long; by more than it appends, so that it ends. */
static void test_release_in_steps(void **state)
{
    (void)state;
    enum { DUE = 20000 };
    struct outbox_db *db = outbox_db_open(path, NULL);
    assert_non_null(db);
    assert_int_equal(write_releasing(db, DUE, 0), 0);
    assert_int_equal(write_releasing(db, 1, DUE), 256 + 2); /* much is due */
    assert_int_equal(write_releasing(db, 200, DUE), 256 + 2 * 200);
    assert_int_equal(write_releasing(db, 0, DUE), 256);
    uint64_t last = 0;
    while (outbox_db_released(db) < DUE - 1000)
        last = write_releasing(db, 20, DUE);
    assert_true(last >= 32 + 2 * 20 && last < 64 + 2 * 20); /* fewer, the less is left */
    while (outbox_db_released(db) < DUE)
        last = write_releasing(db, 0, DUE);
    assert_true(last > 0 && last <= 256);
    assert_int_equal(write_releasing(db, 1, DUE), 0);
    outbox_db_close(&db);
}

static void test_numbers_are_never_used_again(void **state)
{
    (void)state;
    struct outbox *outbox = must_open();
    append(outbox, 1, 10);
    AWAIT(written == 10);
    outbox_release(outbox, 10);
    AWAIT(outbox_held(outbox) == 0);
    outbox_close(&outbox);
    outbox = must_open();
    assert_int_equal(outbox_last(outbox), 10);
    assert_int_equal(outbox_held(outbox), 0);
    append(outbox, 11, 12);
    AWAIT(written == 12);
    outbox_close(&outbox);
    outbox = must_open();
    assert_int_equal(outbox_held(outbox), 2);
    assert_held(outbox, 0, 11, 12);
    outbox_close(&outbox);
}

static void test_drop_and_bury(void **state)
{
    (void)state;
    struct outbox *outbox = must_open();
    append(outbox, 1, 3);
    submit(outbox, OUTBOX_DROP, 3);
    submit(outbox, OUTBOX_BURY, 1);
    submit(outbox, OUTBOX_BURY, 1); /* again, after a replay */
    AWAIT(written == 6);
    assert_held(outbox, 0, 1, 2);
    outbox_close(&outbox);
    char command[256];
    snprintf(command, sizeof(command),
             "test \"$(sqlite3 %s 'SELECT seq, length(bytes), reason FROM dead')\" = '1|3000|1 "
             "xxxxxxxx'",
             path);
    assert_int_equal(system(command), 0);
}

static void test_second_process_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct outbox *outbox = must_open();
    pid_t pid = fork();
    if (pid == 0)
        _exit(open_outbox(&err) == NULL && err.code == ERR_CONFLICT &&
                      strstr(err.text, path) != NULL
                  ? 0
                  : 1);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_null(open_outbox(&err)); /* nor twice in one */
    outbox_close(&outbox);
    outbox = must_open();
    outbox_close(&outbox);
}

/* A process that is killed while it writes: what it was told is written is there, whole. */
static void test_killed_while_writing(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct outbox *outbox = must_open();
            for (long n = (long)outbox_last(outbox) + 1;; n++) {
                struct outbox_entry *entry = make(n, RECORD_BYTES);
                while (outbox_submit(outbox, entry, NULL) < 0)
                    sched_yield();
                uint64_t seq = last_seq;
                if (n % 64 == 0 && write(fds[1], &seq, sizeof(seq)) < 0)
                    _exit(1);
            }
        }
        close(fds[1]);
        uint64_t told = 0;
        int reads = 50 + round * 37;
        while (reads-- > 0 && read(fds[0], &told, sizeof(told)) == sizeof(told))
            ;
        kill(pid, SIGKILL);
        for (uint64_t later; read(fds[0], &later, sizeof(later)) == sizeof(later);)
            told = later;
        waitpid(pid, NULL, 0);
        close(fds[0]);
        struct outbox *outbox = must_open();
        assert_true(outbox_last(outbox) >= told);
        assert_held(outbox, 0, 1, outbox_last(outbox));
        outbox_close(&outbox);
    }
}

/* The disk is full (here: the file may not grow). Nothing is half written, all is told, and when there is
 * room again it works again, without a word. */
static void test_disk_full(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct outbox *outbox = must_open();
    append(outbox, 1, 10);
    AWAIT(written == 10);
    struct rlimit before, small = {.rlim_cur = 1024 * 1024, .rlim_max = RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    append(outbox, 11, 1000);
    AWAIT(written + failed == 1000);
    assert_true(failed > 0);
    assert_true(strlen(failure) > 0);
    assert_int_equal(outbox_last(outbox), written);
    assert_int_equal(outbox_held(outbox), written);
    uint64_t kept = outbox_last(outbox);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    long had = written;
    append(outbox, (long)kept + 1, (long)kept + 100);
    AWAIT(written == had + 100);
    assert_int_equal(outbox_held(outbox), kept + 100);
    outbox_close(&outbox);
    outbox = must_open();
    assert_int_equal(outbox_last(outbox), kept + 100);
    assert_int_equal(outbox_held(outbox), kept + 100);
    outbox_close(&outbox);
}

static void write_file(const char *name, const void *bytes, size_t len, off_t at)
{
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    struct err err;
    static char noise[200000];
    memset(noise, 0x5a, sizeof(noise));
    /* Not a database. */
    write_file(path, noise, 5000, 0);
    assert_null(open_outbox(&err));
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(unlink(path), 0);
    /* A database of somebody else's. */
    char command[256];
    snprintf(command, sizeof(command), "sqlite3 %s 'CREATE TABLE t(x)'", path);
    assert_int_equal(system(command), 0);
    assert_null(open_outbox(&err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_int_equal(unlink(path), 0);
    /* Ours, of a later version. */
    struct outbox *outbox = must_open();
    append(outbox, 1, 200);
    AWAIT(written == 200);
    outbox_close(&outbox);
    snprintf(command, sizeof(command), "sqlite3 %s 'PRAGMA user_version=2'", path);
    assert_int_equal(system(command), 0);
    assert_null(open_outbox(&err));
    assert_non_null(strstr(err.text, "format 2"));
    /* Ours, with pages overwritten after an unclean end. */
    snprintf(command, sizeof(command),
             "sqlite3 %s 'PRAGMA user_version=1; UPDATE meta SET clean=0'", path);
    assert_int_equal(system(command), 0);
    write_file(path, noise, sizeof(noise), 16384 * 6);
    assert_null(open_outbox(&err));
    assert_non_null(strstr(err.text, "damaged"));
    assert_non_null(strstr(err.text, path));
}

static void test_wal_is_bounded(void **state)
{
    (void)state;
    struct outbox *outbox = must_open();
    long n = 0;
    off_t largest = 0;
    char wal[128];
    snprintf(wal, sizeof(wal), "%s-wal", path);
    for (int round = 0; round < 12; round++) {
        append(outbox, n + 1, n + 5000);
        n += 5000;
        AWAIT(written == n);
        outbox_release(outbox, (uint64_t)n - 2000);
        struct stat st;
        assert_int_equal(stat(wal, &st), 0);
        if (st.st_size > largest)
            largest = st.st_size;
    }
    assert_true(largest > 0 && largest < 128 * 1024 * 1024);
    AWAIT(outbox_held(outbox) == 2000);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 60000LL * RECORD_BYTES / 2); /* pages are used again */
    assert_int_equal(st.st_mode & 0777, 0600);
    outbox_close(&outbox);
}

static void test_bounds(void **state)
{
    (void)state;
    struct outbox *outbox = must_open();
    struct err err = {0};
    long taken = 0;
    struct outbox_entry *entry = NULL;
    /* Faster than any disk: more are offered than may wait. */
    while (taken < 3 * LIMIT_OUTBOX_WAITING) {
        entry = make(taken + 1, 64);
        if (outbox_submit(outbox, entry, &err) < 0)
            break;
        taken++;
        entry = NULL;
    }
    if (entry != NULL) {
        assert_int_equal(err.code, ERR_LIMIT);
        assert_true(taken >= LIMIT_OUTBOX_WAITING);
        free(entry);
    }
    outbox_close(&outbox); /* commits what waits */
    assert_int_equal(written, taken);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct outbox *outbox = NULL;
    for (uint64_t n = 1; outbox == NULL; n++) {
        struct err err;
        mem_fail_at(n);
        outbox = open_outbox(&err);
        mem_fail_at(0);
        if (outbox == NULL)
            assert_int_equal(err.code, ERR_NOMEM);
        assert_true(n < 20);
    }
    append(outbox, 1, 10);
    AWAIT(written == 10);
    for (uint64_t n = 1;; n++) {
        struct err err;
        uint64_t seq;
        struct span bytes;
        mem_fail_at(n);
        struct outbox_reader *reader = outbox_reader_new(outbox, &err);
        int got = reader == NULL ? -1 : outbox_reader_next(reader, 0, &seq, &bytes, &err);
        mem_fail_at(0);
        outbox_reader_free(&reader);
        if (got == 1)
            break;
        assert_int_equal(got, -1);
        assert_int_equal(err.code, ERR_NOMEM);
    }
    outbox_close(&outbox);
}

/* When many come, a batch gathers for longer than the least time of half a millisecond. */
static void test_gathers(void **state)
{
    (void)state;
    enum { MANY = 2000, A_MS = 8 };
    struct outbox *outbox = must_open();
    const int64_t began = clock_steady_ms();
    for (long sent = 0; sent < MANY;) {
        const int64_t due = (clock_steady_ms() - began) * A_MS;
        for (; sent < MANY && sent < due; sent++)
            append(outbox, sent, sent);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    AWAIT(written == MANY);
    assert_true(batches <= (clock_steady_ms() - began) / 2);
    outbox_close(&outbox);
}

int main(void)
{
    log_set_level(LOG_OFF);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_write_read_release),
        T(test_release_in_steps),
        T(test_numbers_are_never_used_again),
        T(test_drop_and_bury),
        T(test_second_process_is_refused),
        T(test_killed_while_writing),
        T(test_disk_full),
        T(test_damage_is_refused),
        T(test_wal_is_bounded),
        T(test_gathers),
        T(test_bounds),
        T(test_out_of_memory),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
