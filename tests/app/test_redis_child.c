/*
 * The embedded Redis: started, watched, taken over from a jiesu that was killed, never there twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/app/redis_child.h"
#include "engine/app/redis_child_files.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 15000 };

/* One engine's worth: a loop, the child, a client of it. */
struct life {
    char dir[512]; /* the data folder */
    uv_loop_t loop;
    uv_timer_t deadline;
    struct redis_child *child;
    struct redis *redis;
    bool ready, lost, done, stopped, late;
    char fingerprint[128], text[64];
};

static void on_ready(void *ctx, struct span fingerprint)
{
    struct life *life = ctx;
    life->ready = true;
    snprintf(life->fingerprint, sizeof(life->fingerprint), "%.*s", SPAN_ARG(fingerprint));
}

static void on_lost(void *ctx)
{
    struct life *life = ctx;
    life->ready = false;
    life->lost = true;
}

static void on_deadline(uv_timer_t *timer)
{
    ((struct life *)timer->data)->late = true;
}

static bool run_until(struct life *life, const bool *flag)
{
    life->late = false;
    uv_update_time(&life->loop);
    uv_timer_start(&life->deadline, on_deadline, PATIENCE_MS, 0);
    while (!*flag && !life->late)
        uv_run(&life->loop, UV_RUN_ONCE);
    uv_timer_stop(&life->deadline);
    return *flag;
}

static void life_begin(struct life *life, uint32_t stop_ms)
{
    struct err err = {0};
    struct redis_child_options options = {.stop_ms = stop_ms};
    struct redis_options client = {
        .on_ready = on_ready, .on_lost = on_lost, .ctx = life, .command_ms = 500};
    assert_int_equal(uv_loop_init(&life->loop), 0);
    assert_int_equal(uv_timer_init(&life->loop, &life->deadline), 0);
    life->deadline.data = life;
    life->child = redis_child_start(&life->loop, life->dir, &options, &err);
    if (life->child == NULL)
        fail_msg("%s", err.text);
    redis_child_target(life->child, &client.target);
    life->redis = redis_new(&life->loop, &client, NULL);
    assert_non_null(life->redis);
    assert_true(run_until(life, &life->ready));
    /* A server that was left behind may be ready before it was taken over. */
    for (int i = 0; i < 1000 && redis_child_pid(life->child) == 0; i++) {
        uv_run(&life->loop, UV_RUN_NOWAIT);
        usleep(5000);
    }
    assert_true(redis_child_pid(life->child) > 0);
}

static void on_stopped(void *ctx)
{
    struct life *life = ctx;
    life->stopped = true;
    assert_int_equal(redis_child_pid(life->child), 0);
    redis_child_free(&life->child);
    assert_null(life->child);
}

/* True when nobody holds the lock: no server is alive. */
static bool lock_is_free(const struct life *life)
{
    int dir = redis_dir_open(life->dir, NULL);
    assert_true(dir >= 0);
    int lock = redis_dir_lock(dir, NULL);
    close(dir);
    if (lock >= 0)
        close(lock);
    return lock >= 0;
}

static void life_end(struct life *life)
{
    redis_close(&life->redis);
    if (!life->stopped) {
        redis_child_stop(life->child, on_stopped, life);
        assert_true(run_until(life, &life->stopped));
    }
    uv_close((uv_handle_t *)&life->deadline, NULL);
    assert_int_equal(uv_run(&life->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&life->loop), 0);
    assert_true(lock_is_free(life));
    life->ready = life->lost = life->done = life->stopped = false;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_dir(void **state)
{
    struct life *life = calloc(1, sizeof(*life));
    assert_non_null(life);
    strcpy(life->dir, "/tmp/jiesu-child-XXXXXX");
    assert_non_null(mkdtemp(life->dir));
    *state = life;
    return 0;
}

static int drop_dir(void **state)
{
    struct life *life = *state;
    char top[32];
    pid_t left = 0; /* by a test that failed */
    int dir = redis_dir_open(life->dir, NULL);
    int server = dir < 0 ? -1 : redis_dir_server(dir, &left);
    if (server >= 0)
        kill(left, SIGKILL);
    close(server);
    close(dir);
    snprintf(top, sizeof(top), "%.23s", life->dir); /* the template's length */
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(life);
    return 0;
}

static void on_done(void *ctx, const struct reply *reply, const struct err *err)
{
    struct life *life = ctx;
    assert_null(err);
    snprintf(life->text, sizeof(life->text), "%.*s", SPAN_ARG(reply_span(reply)));
    life->done = true;
}

static const char *command(struct life *life, const char *verb, const char *a, const char *b)
{
    struct span argv[] = {span_str(verb), span_str(a), span_str(b)};
    life->done = false;
    assert_int_equal(
        redis_command(life->redis, argv[1], b == NULL ? 2 : 3, argv, on_done, life, NULL), 0);
    assert_true(run_until(life, &life->done));
    return life->text;
}

static void test_start_and_stop(void **state)
{
    struct life *life = *state;
    struct stat st;
    char path[600];
    life_begin(life, 0);
    assert_false(redis_child_adopted(life->child));
    assert_false(lock_is_free(life));
    assert_string_equal(command(life, "SET", "k", "kept"), "OK");
    snprintf(path, sizeof(path), "%s/redis", life->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    /* Ended at once after a write: nothing of it may be missing. */
    life_end(life);
    life_begin(life, 0);
    assert_string_equal(command(life, "GET", "k", NULL), "kept");
    life_end(life);
}

static void test_killed_and_started_again(void **state)
{
    struct life *life = *state;
    char before[128];
    life_begin(life, 0);
    for (int i = 0; i < 3; i++) {
        pid_t pid = redis_child_pid(life->child);
        snprintf(before, sizeof(before), "%s", life->fingerprint);
        life->lost = false;
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_true(run_until(life, &life->lost));
        assert_true(run_until(life, &life->ready));
        assert_int_not_equal(redis_child_pid(life->child), pid);
        assert_string_not_equal(life->fingerprint, before);
    }
    life_end(life);
}

/* Frozen: SIGTERM is not heard, SIGKILL is. */
static void test_stop_of_a_frozen_one(void **state)
{
    struct life *life = *state;
    life_begin(life, 100);
    kill(redis_child_pid(life->child), SIGSTOP);
    life_end(life);
}

static void test_stop_right_away(void **state)
{
    struct life *life = *state;
    struct err err;
    assert_int_equal(uv_loop_init(&life->loop), 0);
    assert_int_equal(uv_timer_init(&life->loop, &life->deadline), 0);
    life->deadline.data = life;
    for (int turns = 0; turns < 5; turns++) {
        life->stopped = false;
        life->child = redis_child_start(&life->loop, life->dir, NULL, &err);
        assert_non_null(life->child);
        for (int i = 0; i < turns; i++)
            uv_run(&life->loop, UV_RUN_NOWAIT);
        redis_child_stop(life->child, on_stopped, life);
        assert_true(run_until(life, &life->stopped));
        assert_true(lock_is_free(life));
    }
    uv_close((uv_handle_t *)&life->deadline, NULL);
    assert_int_equal(uv_run(&life->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&life->loop), 0);
}

/* Another process runs the child, says so, and is killed -9. Returns the server's pid. */
static pid_t leave_orphan(struct life *life, bool kill_early)
{
    int fd[2];
    pid_t server = 0;
    assert_int_equal(pipe(fd), 0);
    pid_t engine = fork();
    assert_true(engine >= 0);
    if (engine == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (kill_early) { /* as soon as there is a process: it does not listen yet */
            uv_loop_init(&life->loop);
            life->child = redis_child_start(&life->loop, life->dir, NULL, NULL);
            while (redis_child_pid(life->child) == 0)
                uv_run(&life->loop, UV_RUN_NOWAIT);
        } else {
            life_begin(life, 0);
            command(life, "SET", "k", "of the first");
        }
        server = redis_child_pid(life->child);
        if (write(fd[1], &server, sizeof(server)) != sizeof(server))
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(fd[0], &server, sizeof(server)), sizeof(server));
    close(fd[0]);
    close(fd[1]);
    kill(engine, SIGKILL);
    assert_int_equal(waitpid(engine, NULL, 0), engine);
    assert_int_equal(kill(server, 0), 0); /* it lives on */
    assert_false(lock_is_free(life));
    return server;
}

static void test_taken_over(void **state)
{
    struct life *life = *state;
    pid_t orphan = leave_orphan(life, false);
    life_begin(life, 0);
    assert_true(redis_child_adopted(life->child));
    assert_int_equal(redis_child_pid(life->child), orphan);
    assert_string_equal(command(life, "GET", "k", NULL), "of the first");
    life_end(life); /* and ended by us */
    orphan = leave_orphan(life, false);
    life_begin(life, 0);
    assert_int_equal(redis_child_pid(life->child), orphan);
    life->lost = false;
    kill(orphan, SIGKILL);
    assert_true(run_until(life, &life->lost));
    assert_true(run_until(life, &life->ready));
    assert_false(redis_child_adopted(life->child));
    assert_int_not_equal(redis_child_pid(life->child), orphan);
    life_end(life);
}

/* jiesu dies between starting the server and the server's listening: still never two. */
static void test_killed_while_starting(void **state)
{
    struct life *life = *state;
    for (int i = 0; i < 3; i++) {
        pid_t orphan = leave_orphan(life, true);
        life_begin(life, 0);
        assert_true(redis_child_adopted(life->child));
        assert_int_equal(redis_child_pid(life->child), orphan);
        life_end(life);
    }
}

static void test_stop_of_a_frozen_orphan(void **state)
{
    struct life *life = *state;
    pid_t orphan = leave_orphan(life, false);
    life_begin(life, 100);
    kill(orphan, SIGSTOP);
    life_end(life);
}

/* A rewrite of the append-only file that outlives its server must not keep the lock. */
static void test_what_was_forked_dies_too(void **state)
{
    struct life *life = *state;
    life_begin(life, 0);
    pid_t pid = redis_child_pid(life->child);
    struct span slow[] = {SPAN("CONFIG"), SPAN("SET"), SPAN("rdb-key-save-delay"),
                          SPAN("60000000")};
    life->done = false;
    assert_int_equal(redis_command(life->redis, slow[0], 4, slow, on_done, life, NULL), 0);
    assert_true(run_until(life, &life->done));
    assert_string_equal(life->text, "OK");
    command(life, "SET", "k", "v");
    struct span rewrite[] = {SPAN("BGREWRITEAOF")};
    life->done = false;
    assert_int_equal(redis_command(life->redis, rewrite[0], 1, rewrite, on_done, life, NULL), 0);
    assert_true(run_until(life, &life->done));
    life->lost = false;
    kill(pid, SIGKILL);
    assert_true(run_until(life, &life->lost));
    assert_true(run_until(life, &life->ready));
    life_end(life);
}

/* What the server appends to its file goes to the disk before its fsync. */
static void test_written_back(void **state)
{
    struct life *life = *state;
    static char value[64 * 1024];
    memset(value, 'x', sizeof(value) - 1);
    metric_reset();
    life_begin(life, 0);
    /* It is followed from when it is first seen on, so it grows until then. */
    for (int ms = 0; metric_get(METRIC_REDIS_CHILD_WRITTEN_BACK) == 0; ms++) {
        assert_true(ms < PATIENCE_MS);
        assert_string_equal(command(life, "SET", "k", value), "OK");
        usleep(1000);
    }
    life_end(life);
}

/* Deeper than a socket's path may be long. */
static void test_deep_folder(void **state)
{
    struct life *life = *state;
    for (int i = 0; i < 4; i++) {
        strcat(life->dir, "/a-folder-with-a-rather-long-name-0123456789");
        assert_int_equal(mkdir(life->dir, 0700), 0);
    }
    life_begin(life, 0);
    assert_string_equal(command(life, "SET", "k", "v"), "OK");
    life_end(life);
}

static void test_refusals(void **state)
{
    struct life *life = *state;
    struct err err;
    uv_loop_t loop;
    char *path = strdup(getenv("PATH"));
    assert_int_equal(uv_loop_init(&loop), 0);
    setenv("PATH", "/nowhere::/tmp", 1);
    assert_null(redis_child_start(&loop, life->dir, NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.text,
                        "redis-server not found: apt install redis-server, or use --redis");
    setenv("PATH", path, 1);
    free(path);
    assert_null(redis_child_start(&loop, "/tmp/jiesu-no-such-folder", NULL, &err));
    assert_int_equal(err.code, ERR_IO);
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        mem_fail_at(n);
        life->child = redis_child_start(&loop, life->dir, NULL, &err);
        whole = life->child != NULL;
        mem_fail_at(0);
        assert_true(whole || err.code == ERR_NOMEM);
    }
    redis_child_stop(life->child, on_stopped, life);
    while (!life->stopped)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* A server that ends at once is tried again and again, not in a busy loop, and can be stopped. */
static void test_broken_server(void **state)
{
    struct life *life = *state;
    struct err err;
    char bin[600], program[640], path[700], *old = strdup(getenv("PATH"));
    snprintf(bin, sizeof(bin), "%s/bin", life->dir);
    snprintf(program, sizeof(program), "%s/redis-server", bin);
    assert_int_equal(mkdir(bin, 0700), 0);
    FILE *f = fopen(program, "w");
    assert_non_null(f);
    fputs("#!/bin/sh\necho once >> starts\nexit 3\n", f);
    fclose(f);
    chmod(program, 0700);
    snprintf(path, sizeof(path), "%s:%s", bin, old);
    setenv("PATH", path, 1);
    assert_int_equal(uv_loop_init(&life->loop), 0);
    assert_int_equal(uv_timer_init(&life->loop, &life->deadline), 0);
    life->deadline.data = life;
    life->child = redis_child_start(&life->loop, life->dir, NULL, &err);
    setenv("PATH", old, 1);
    free(old);
    assert_non_null(life->child);
    uv_timer_start(&life->deadline, on_deadline, 600, 0);
    while (!life->late)
        uv_run(&life->loop, UV_RUN_ONCE);
    redis_child_stop(life->child, on_stopped, life);
    assert_true(run_until(life, &life->stopped));
    uv_close((uv_handle_t *)&life->deadline, NULL);
    assert_int_equal(uv_run(&life->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&life->loop), 0);
    struct stat st;
    snprintf(path, sizeof(path), "%s/redis/starts", life->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size >= 2 * 5 && st.st_size <= 6 * 5); /* at 0, 50, 150, 350, ... ms */
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, drop_dir)
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_start_and_stop),
        WITH_DIR(test_killed_and_started_again),
        WITH_DIR(test_stop_of_a_frozen_one),
        WITH_DIR(test_stop_right_away),
        WITH_DIR(test_taken_over),
        WITH_DIR(test_killed_while_starting),
        WITH_DIR(test_stop_of_a_frozen_orphan),
        WITH_DIR(test_what_was_forked_dies_too),
        WITH_DIR(test_written_back),
        WITH_DIR(test_deep_folder),
        WITH_DIR(test_refusals),
        WITH_DIR(test_broken_server),
    };
    log_set_level(LOG_OFF);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
