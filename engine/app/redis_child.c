/*
 * Two dangers shape this file. Two servers on one append-only file destroy it, so there must never
 * be two; and a server that is killed forgets up to its last second, so it must not be killed
 * because jiesu was.
 *
 * The lock. DATA_DIR/redis/lock is locked (flock) by us before a server is started, and handed down
 * to it as descriptor 3; then we close our own. So the lock is held exactly as long as a server
 * lives, or a process that it forked, whatever happens to jiesu. Who gets the lock may start a
 * server. Who does not asks the kernel who listens on the socket (SO_PEERCRED) and takes that one
 * over; when nobody listens (it has only just been started, or is ending) we look again in a
 * moment.
 *
 * Why take it over and not end it: nothing needs to be loaded again, the run id stays, so nothing
 * has to be replayed, and a jiesu that crashes costs no more than its own start. Its settings are
 * those that the earlier jiesu gave it, until it is started the next time.
 *
 * Watching. Our own child is watched by uv_process_t, one that was taken over by a pidfd, which
 * polls readable when the process has ended. The server leads a session of its own: a Ctrl-C at the
 * terminal ends jiesu, which then ends the server last, and when a server has died, what it has
 * forked (a rewrite of its file) is killed as its process group, or it would keep the lock.
 */
#include "engine/app/redis_child.h"

#include "engine/app/redis_child_files.h"
#include "engine/app/redis_child_write_back.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 20, BACKOFF_FIRST_MS = 50, LASTED_MS = 10000, LOOKS_TOLD = 250 };

enum child_state {
    CHILD_SEEKING,  /* the timer runs: next look at the lock */
    CHILD_RUNNING,  /* process or poll is open */
    CHILD_STOPPING, /* the same, and it was told to end */
    CHILD_STOPPED
};

struct redis_child {
    uv_loop_t *loop;
    enum child_state state;
    int dir;
    char *data_dir, *redis_dir, *program;
    struct write_back *write_back;
    uint32_t stop_ms;
    uv_timer_t timer;
    union {
        uv_process_t process; /* our own */
        uv_poll_t poll;       /* taken over */
        uv_handle_t handle;
    } watch;
    bool adopted;
    int pidfd; /* of one taken over */
    pid_t pid;
    unsigned attempts, looks;
    uint64_t started_at; /* loop time, ms */
    void (*on_stopped)(void *ctx);
    void *ctx;
};

static void child_seek(uv_timer_t *timer);

/* ---- the end of a server ---- */

static void child_finish(uv_handle_t *handle)
{
    struct redis_child *child = handle->data;
    child->state = CHILD_STOPPED;
    child->on_stopped(child->ctx);
}

static uint64_t child_backoff(struct redis_child *child)
{
    uint64_t ms = BACKOFF_FIRST_MS;
    if (uv_now(child->loop) - child->started_at > LASTED_MS)
        child->attempts = 0;
    for (unsigned i = 0; i < child->attempts && ms < LIMIT_REDIS_CHILD_BACKOFF_MS; i++)
        ms *= 2;
    child->attempts++;
    return ms < LIMIT_REDIS_CHILD_BACKOFF_MS ? ms : LIMIT_REDIS_CHILD_BACKOFF_MS;
}

/* The handle that watched is closed. */
static void child_gone(uv_handle_t *handle)
{
    struct redis_child *child = handle->data;
    if (child->adopted)
        close(child->pidfd);
    child->adopted = false;
    if (child->state == CHILD_STOPPING) {
        uv_close((uv_handle_t *)&child->timer, child_finish);
        return;
    }
    child->state = CHILD_SEEKING;
    uv_timer_start(&child->timer, child_seek, child_backoff(child), 0);
}

static void child_ended(struct redis_child *child, int64_t status, int signal)
{
    /* What it had forked dies too, or it would hold the lock. */
    if (child->pid > 0)
        kill(-child->pid, SIGKILL);
    log_write(child->state == CHILD_STOPPING ? LOG_INFO : LOG_ERROR, "redis_child", "ended",
              LOG_INT("pid", child->pid), LOG_INT("status", status), LOG_INT("signal", signal),
              LOG_STR("see", "redis/redis.log in the data folder"));
    child->pid = 0;
    uv_close(&child->watch.handle, child_gone);
}

static void on_exit(uv_process_t *process, int64_t status, int signal)
{
    child_ended(process->data, status, signal);
}

static void on_pidfd(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    uv_poll_stop(poll);
    child_ended(poll->data, -1, 0);
}

/* ---- the beginning ---- */

static void child_started(struct redis_child *child, pid_t pid)
{
    child->state = CHILD_RUNNING;
    child->pid = pid;
    child->looks = 0;
    child->started_at = uv_now(child->loop);
    log_write(LOG_INFO, "redis_child", child->adopted ? "taken_over" : "started",
              LOG_INT("pid", pid));
}

/* Tries once; what comes of it is told by the watch handle. */
static int child_spawn(struct redis_child *child, int log, int lock)
{
    static const char *const arguments[] = {
        "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700", "--dir", "./",
        "--pidfile", "redis.pid", "--logfile", "", "--loglevel", "notice", "--daemonize", "no",
        "--databases", "1", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
        "--aof-use-rdb-preamble", "yes",
        /* What a crash cut off jiesu sends again. (redis-check-aof --fix is not run: when a tail was torn inside
         * a transaction before, it would cut off all that was written since; functions.lua heals that.) */
        "--aof-load-truncated", "yes",
        /* A rewrite takes a processor for seconds, so it waits until the file is worth it. */
        "--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "1gb",
        /* An order's hash has some thirty fields, two of them texts of a few KB. Kept as one block it takes a fifth
         * less memory, and is made faster, than as a table of its own. */
        "--hash-max-listpack-entries", "128", "--hash-max-listpack-value", "16384",
        "--latency-tracking", "no", /* our own histograms say it */
        "--maxmemory-policy", "noeviction", "--always-show-logo", "no"};
    enum { COUNT = sizeof(arguments) / sizeof(arguments[0]) };
    const char *argv[COUNT + 2] = {child->program};
    memcpy(argv + 1, arguments, sizeof(arguments));
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = log},
                                    {.flags = UV_INHERIT_FD, .data.fd = log},
                                    {.flags = UV_INHERIT_FD, .data.fd = lock}};
    uv_process_options_t options = {
        .file = child->program,
        .args = (char **)(uintptr_t)argv, /* libuv does not write to them */
        .cwd = child->redis_dir,
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = sizeof(stdio) / sizeof(stdio[0]),
        .exit_cb = on_exit,
    };
    return uv_spawn(child->loop, &child->watch.process, &options);
}

static void child_failed(const struct redis_child *child, const char *error)
{
    log_write(LOG_ERROR, "redis_child", "start_failed", LOG_STR("program", child->program),
              LOG_STR("error", error));
}

/* We hold the lock: starts a server. */
static void child_start(struct redis_child *child, int lock)
{
    struct err err;
    int log = redis_dir_log(child->dir, &err);
    if (log < 0) {
        close(lock);
        child_failed(child, err.text);
        uv_timer_start(&child->timer, child_seek, child_backoff(child), 0);
        return;
    }
    int rc = child_spawn(child, log, lock);
    close(log);
    close(lock);
    child->watch.handle.data = child;
    if (rc != 0) {
        child_failed(child, uv_strerror(rc));
        uv_close(&child->watch.handle, child_gone); /* libuv has it in its list all the same */
        return;
    }
    metric_add(METRIC_REDIS_CHILD_STARTS, 1);
    child_started(child, child->watch.process.pid);
}

/* Somebody holds the lock: takes over the server when there is one. */
static void child_adopt(struct redis_child *child)
{
    pid_t pid;
    int pidfd = redis_dir_server(child->dir, &pid);
    if (pidfd >= 0 && uv_poll_init(child->loop, &child->watch.poll, pidfd) == 0) {
        child->adopted = true;
        child->pidfd = pidfd;
        child->watch.handle.data = child;
        child_started(child, pid);
        CHECK(uv_poll_start(&child->watch.poll, UV_READABLE, on_pidfd) == 0);
        return;
    }
    if (pidfd >= 0)
        close(pidfd);
    if (++child->looks % LOOKS_TOLD == 0)
        log_write(LOG_WARN, "redis_child", "locked",
                  LOG_STR("error",
                          "another process holds redis/lock in the data folder, and nobody "
                          "listens on redis/redis.sock"));
    uv_timer_start(&child->timer, child_seek, LOOK_AGAIN_MS, 0);
}

static void child_seek(uv_timer_t *timer)
{
    struct redis_child *child = timer->data;
    struct err err;
    int lock = redis_dir_lock(child->dir, &err);
    if (lock >= 0) {
        child_start(child, lock);
    } else if (lock == -1) {
        child_adopt(child);
    } else {
        child_failed(child, err.text);
        uv_timer_start(timer, child_seek, child_backoff(child), 0);
    }
}

/* ---- the public side ---- */

static void child_release(struct redis_child *child)
{
    write_back_free(&child->write_back); /* it reads in the folder */
    if (child->dir >= 0)
        close(child->dir);
    mem_free(child->data_dir);
    mem_free(child->redis_dir);
    mem_free(child->program);
    mem_free(child);
}

static int child_prepare(struct redis_child *child, const char *data_dir, struct err *err)
{
    char program[PATH_MAX], redis_dir[PATH_MAX];
    if (redis_dir_program("redis-server", program, sizeof(program)) != 0)
        return err_set(err, ERR_CONFIG,
                       "redis-server not found: apt install redis-server, or use --redis");
    if (snprintf(redis_dir, sizeof(redis_dir), "%s/redis", data_dir) >= PATH_MAX)
        return err_set(err, ERR_CONFIG, "the path of the data folder is too long");
    child->dir = redis_dir_open(data_dir, err);
    if (child->dir < 0)
        return -1;
    int lock = redis_dir_lock(child->dir, err);
    if (lock == -2)
        return -1;
    if (lock >= 0)
        close(lock);
    child->data_dir = mem_strndup(data_dir, strlen(data_dir));
    child->redis_dir = mem_strndup(redis_dir, strlen(redis_dir));
    child->program = mem_strndup(program, strlen(program));
    child->write_back = write_back_new(child->dir);
    if (child->data_dir == NULL || child->redis_dir == NULL || child->program == NULL ||
        child->write_back == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the embedded Redis");
    return write_back_start(child->write_back, err);
}

struct redis_child *redis_child_start(uv_loop_t *loop, const char *data_dir,
                                      const struct redis_child_options *options, struct err *err)
{
    struct redis_child *child = mem_zalloc(1, sizeof(*child));
    if (child == NULL) {
        err_set(err, ERR_NOMEM, "no memory for the embedded Redis");
        return NULL;
    }
    child->loop = loop;
    child->dir = -1;
    child->stop_ms =
        options != NULL && options->stop_ms != 0 ? options->stop_ms : LIMIT_REDIS_CHILD_STOP_MS;
    if (child_prepare(child, data_dir, err) != 0) {
        child_release(child);
        return NULL;
    }
    CHECK(uv_timer_init(loop, &child->timer) == 0);
    child->timer.data = child;
    uv_timer_start(&child->timer, child_seek, 0, 0);
    return child;
}

void redis_child_target(const struct redis_child *child, struct redis_target *target)
{
    memset(target, 0, sizeof(*target));
    target->unix_socket = true;
    target->count = 1;
    /* Cannot fail: /proc/self/fd fits, and without /proc this engine has no Redis to reach. */
    CHECK(redis_dir_socket(child->dir, child->data_dir, target->host[0], REDIS_HOST_BYTES) == 0);
}

pid_t redis_child_pid(const struct redis_child *child)
{
    return child->pid;
}

bool redis_child_adopted(const struct redis_child *child)
{
    return child->adopted;
}

/* The pidfd is sure to mean the server, even when its number has gone to another process. */
static void child_signal(struct redis_child *child, int signal)
{
    if (child->adopted)
        pidfd_send_signal(child->pidfd, signal, NULL, 0);
    else if (child->pid > 0)
        uv_process_kill(&child->watch.process, signal);
}

static void child_kill(uv_timer_t *timer)
{
    struct redis_child *child = timer->data;
    log_write(LOG_WARN, "redis_child", "killed", LOG_INT("pid", child->pid),
              LOG_INT("after_ms", child->stop_ms));
    child_signal(child, SIGKILL);
}

void redis_child_stop(struct redis_child *child, void (*on_stopped)(void *ctx), void *ctx)
{
    CHECK(child->state == CHILD_SEEKING || child->state == CHILD_RUNNING);
    bool watching = child->state == CHILD_RUNNING || !uv_is_active((uv_handle_t *)&child->timer);
    child->on_stopped = on_stopped;
    child->ctx = ctx;
    child->state = CHILD_STOPPING;
    if (!watching) {
        uv_close((uv_handle_t *)&child->timer, child_finish);
        return;
    }
    /* One that has ended already is only waited for. */
    uv_timer_start(&child->timer, child_kill, child->stop_ms, 0);
    child_signal(child, SIGTERM);
}

void redis_child_free(struct redis_child **child)
{
    if (*child == NULL)
        return;
    CHECK((*child)->state == CHILD_STOPPED);
    child_release(*child);
    *child = NULL;
}
