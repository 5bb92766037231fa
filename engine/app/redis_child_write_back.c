/*
 * With appendfsync everysec the file grows in the page cache for a second, by 25 MB and more at
 * half of the highest rate, and then fsync writes all of that at once. Whoever else waits for this
 * disk waits behind it, and every answer waits for the outbox' fsync: once a second, for some 50
 * ms, answers took 20 to 30 ms and not 5. So the kernel is asked to begin writing what is new some
 * twenty times a second (sync_file_range, as Redis does for its rewrites, and RocksDB with
 * bytes_per_sync); what an fsync has to wait for is then a twentieth of it.
 *
 * It only moves work forward in time. When something is safe is decided as before, by Redis' fsync
 * and by hold.h: to begin writing takes no error away that the fsync must see. What the kernel or
 * the disk refuses is left to Redis, and nothing is lost but the evenness.
 *
 * The page that the file ends in is left alone: Redis is about to append to it, so it would be
 * written twice. What a file holds when it is first seen is left to Redis, too.
 *
 * Redis numbers its files, appendonly.aof.N.incr.aof, and begins a new one with each rewrite; the
 * highest number is the one that grows. Once there is one, a look into the folder every LOOK_EVERY
 * rounds is enough: what was appended in between is written by the fsync.
 */
#include "engine/app/redis_child_write_back.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/base/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY = 20, NAME_BYTES = 64 };

struct write_back {
    int dir;         /* the folder, borrowed */
    uint64_t page;   /* bytes */
    int fd;          /* the file, or -1 */
    uint64_t number; /* its N */
    uint64_t handed; /* so far the kernel was asked to write it, or it was there before */
    unsigned rounds;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool stopping; /* under the mutex */
};

/* --- the file --- */

/* The N of a name, or 0 when the file is another one. */
static uint64_t number_of(const char *name)
{
    const struct span prefix = SPAN("appendonly.aof."), suffix = SPAN(".incr.aof");
    const struct span whole = span_str(name);
    uint64_t number = 0;
    if (whole.len <= prefix.len + suffix.len || !span_starts(whole, prefix) ||
        !span_ends(whole, suffix) ||
        span_to_u64(span_sub(whole, prefix.len, whole.len - suffix.len), UINT64_MAX, &number) != 0)
        return 0;
    return number;
}

/* The highest number in the folder, 0 when there is no file. */
static uint64_t newest(int folder)
{
    uint64_t highest = 0;
    DIR *list = fdopendir(folder);
    if (list == NULL) {
        close(folder);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        const uint64_t number = number_of(entry->d_name);
        if (number > highest)
            highest = number;
    }
    closedir(list);
    return highest;
}

static void drop(struct write_back *wb)
{
    if (wb->fd >= 0)
        close(wb->fd);
    wb->fd = -1;
}

/* Opens the newest file, unless it is open already. */
static void look(struct write_back *wb)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    const int folder = openat(wb->dir, "appendonlydir", flags);
    const uint64_t number = folder < 0 ? 0 : newest(folder);
    char name[NAME_BYTES];
    struct stat st;
    if (number == 0 || (wb->fd >= 0 && number == wb->number))
        return;
    drop(wb);
    snprintf(name, sizeof(name), "appendonlydir/appendonly.aof.%llu.incr.aof",
             (unsigned long long)number);
    /* Never waits, should it not be a file after all. */
    wb->fd = openat(wb->dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (wb->fd < 0)
        return;
    if (fstat(wb->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        drop(wb);
        return;
    }
    wb->number = number;
    wb->handed = (uint64_t)st.st_size;
}

int write_back_once(struct write_back *wb, uint64_t *bytes, struct err *err)
{
    struct stat st;
    *bytes = 0;
    if (wb->fd < 0 || wb->rounds % LOOK_EVERY == 0)
        look(wb);
    wb->rounds++;
    if (wb->fd < 0)
        return 0;
    if (fstat(wb->fd, &st) != 0 || st.st_nlink == 0) {
        drop(wb); /* deleted: the next look finds its successor */
        return 0;
    }
    const uint64_t end = (uint64_t)st.st_size / wb->page * wb->page;
    if ((uint64_t)st.st_size < wb->handed)
        wb->handed = end; /* Redis cut off a torn end: at its start, or on a full disk */
    if (end < wb->handed + LIMIT_REDIS_WRITE_BACK_BYTES)
        return 0;
    const uint64_t from = wb->handed;
    wb->handed = end;
    if (sync_file_range(wb->fd, (off_t)from, (off_t)(end - from), SYNC_FILE_RANGE_WRITE) != 0)
        return err_set(err, ERR_IO, "appendonly.aof.%llu.incr.aof: sync_file_range: %s",
                       (unsigned long long)wb->number, strerror(errno));
    *bytes = end - from;
    metric_add(METRIC_REDIS_CHILD_WRITTEN_BACK, (int64_t)*bytes);
    return 0;
}

/* --- the thread --- */

/* Waits for the next round: false when there is none. */
static bool wait_for_round(struct write_back *wb)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LIMIT_REDIS_WRITE_BACK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&wb->mutex);
    int rc = 0;
    while (!wb->stopping && rc == 0)
        rc = pthread_cond_timedwait(&wb->cond, &wb->mutex, &until);
    const bool go_on = !wb->stopping;
    pthread_mutex_unlock(&wb->mutex);
    return go_on;
}

static void *run(void *arg)
{
    struct write_back *wb = arg;
    struct err err;
    uint64_t bytes;
    bool told = false;
    while (wait_for_round(wb)) {
        const bool refused = write_back_once(wb, &bytes, &err) != 0;
        if (refused && !told)
            log_write(LOG_WARN, "redis_child", "write_back_refused", LOG_STR("error", err.text),
                      LOG_STR("effect", "answers are slower while Redis syncs its file"));
        told = refused || (told && bytes == 0);
    }
    return NULL;
}

/* --- the public side --- */

struct write_back *write_back_new(int dir)
{
    struct write_back *wb = mem_zalloc(1, sizeof(*wb));
    pthread_condattr_t attr;
    if (wb == NULL)
        return NULL;
    wb->dir = dir;
    wb->fd = -1;
    wb->page = (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&wb->cond, &attr) == 0);
    CHECK(pthread_mutex_init(&wb->mutex, NULL) == 0);
    pthread_condattr_destroy(&attr);
    return wb;
}

int write_back_start(struct write_back *wb, struct err *err)
{
    const int rc = pthread_create(&wb->thread, NULL, run, wb);
    if (rc != 0)
        return err_set(err, ERR_IO, "cannot start the thread that writes Redis' file back: %s",
                       strerror(rc));
    wb->started = true;
    return 0;
}

void write_back_free(struct write_back **wb_p)
{
    struct write_back *wb = *wb_p;
    *wb_p = NULL;
    if (wb == NULL)
        return;
    if (wb->started) {
        pthread_mutex_lock(&wb->mutex);
        wb->stopping = true;
        pthread_mutex_unlock(&wb->mutex);
        pthread_cond_signal(&wb->cond);
        pthread_join(wb->thread, NULL);
    }
    drop(wb);
    pthread_cond_destroy(&wb->cond);
    pthread_mutex_destroy(&wb->mutex);
    mem_free(wb);
}
