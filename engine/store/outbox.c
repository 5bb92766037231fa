/*
 * The promise of the engine begins here: when on_written says `written`, the records are in the
 * file and the file is on the disk, and no kill -9, of any process, and no power cut takes them
 * back.
 *
 * Submissions wait in an intrusive list under a mutex. The writer thread takes what waits, at most
 * LIMIT_OUTBOX_BATCH, writes it in one transaction with one fsync, and reports it. While it waits
 * for the disk the next batch gathers by itself, and between the beginnings of two transactions
 * lies GATHER_MIN_US at least: a record that comes alone pays one fsync and no wait, under heavy
 * load hundreds share one, and in between a fast disk is not asked to sync for every single record.
 *
 * Each record of a batch adds GATHER_EACH_US to the time until the next, up to GATHER_MAX_US. So
 * below 1 / GATHER_EACH_US, 2,000 a second, nobody waits for more than the least time; above it the
 * batches grow until they hold GATHER_MAX_US' worth. They stay together on all their way, through
 * Redis and back: at half of the highest rate, with 15 records to a batch and not 3, a complaint
 * takes a sixth less processor time in the engine and some less in Redis, and the highest rate
 * itself rises by a twentieth to a tenth. What that costs is up to four milliseconds; what it gains
 * is room to catch up in when the machine has a slow moment, and that is where the tail comes from.
 * (More than GATHER_MAX_US spared nothing more.)
 *
 * The thread is a patient one (thread_class.h): where all processors are busy it does not push
 * aside, for the first record, the very threads that are about to submit the next ones; a batch
 * then holds several times as many.
 *
 * All or nothing: when a transaction fails (disk full, an I/O error) none of its records is in the
 * file, their numbers are given to the next ones, and each is reported as not written. Nothing is
 * remembered of the failure: the next batch simply tries again, so the outbox works again as soon
 * as the disk does. One case cannot be told from outside: a COMMIT whose fsync failed may still be
 * found after a crash at that very moment. The caller was then told that it failed; the record
 * becomes an order nonetheless. That is the safe side: no one was promised anything, and a retry
 * with the same idempotency key finds that order.
 *
 * Releases wait until there are RELEASE_MANY: rows that are deleted a few at a time cost each
 * transaction a page or two, rows deleted by the dozen free whole pages, which are not written
 * at all (a seventh of all that was written at half load were releases of one or two rows). Then
 * they ride on the next transactions, some on each, or are done by themselves when there is none.
 * What is left over is released once nothing came for IDLE_MS.
 *
 * Two processes with one outbox would dispatch each other's records and reuse each other's numbers,
 * so the file
 * "<path>.lock" is locked (flock) for as long as the outbox is open. The kernel lets go of it when
 * the process ends, however it ends.
 */
#include "engine/store/outbox.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/store/outbox_db.h"
#include "engine/store/outbox_private.h"
#include "engine/store/thread_class.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    IDLE_MS = 250,
    GATHER_MIN_US = 500,  /* from the beginning of one transaction to that of the next, at least */
    GATHER_EACH_US = 500, /* for each record of the one */
    GATHER_MAX_US = 4000,
    RELEASE_MANY = 256 /* fewer rows are not worth beginning with */
};

struct outbox {
    struct outbox_options options;
    char *path;
    int lock_fd;
    struct outbox_db *db; /* the writer thread's, as is the next */
    uint64_t began_ns;    /* when its last transaction began */
    uint64_t gather_ns;   /* how long after that the next one may begin */
    pthread_t writer;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct outbox_entry *head, **tail; /* under the mutex */
    size_t waiting;                    /* under the mutex */
    bool asleep, stopping;             /* under the mutex */

    _Atomic uint64_t release_to, last, released;
};

const char *outbox_path(const struct outbox *outbox)
{
    return outbox->path;
}

uint64_t outbox_last(const struct outbox *outbox)
{
    return atomic_load_explicit(&outbox->last, memory_order_acquire);
}

uint64_t outbox_held(const struct outbox *outbox)
{
    /* In this order: released never passes last. */
    uint64_t released = atomic_load_explicit(&outbox->released, memory_order_acquire);
    return outbox_last(outbox) - released;
}

/* --- submitting ----------------------------------------------------------------------------- */

int outbox_submit(struct outbox *outbox, struct outbox_entry *entry, struct err *err)
{
    bool append = entry->action == OUTBOX_APPEND;
    if (append && outbox_held(outbox) >= LIMIT_OUTBOX_HELD)
        return err_set(err, ERR_LIMIT, "outbox: %d records are held; is Redis there?",
                       LIMIT_OUTBOX_HELD);
    entry->next = NULL;
    entry->written = false;
    pthread_mutex_lock(&outbox->mutex);
    bool full = append && outbox->waiting >= LIMIT_OUTBOX_WAITING;
    bool wake = false;
    if (!full) {
        *outbox->tail = entry;
        outbox->tail = &entry->next;
        outbox->waiting++;
        wake = outbox->asleep;
        outbox->asleep = false; /* one signal is enough */
    }
    pthread_mutex_unlock(&outbox->mutex);
    if (wake)
        pthread_cond_signal(&outbox->cond);
    if (full)
        return err_set(err, ERR_LIMIT, "outbox: %d records wait for the disk",
                       LIMIT_OUTBOX_WAITING);
    return 0;
}

void outbox_release(struct outbox *outbox, uint64_t seq)
{
    /* What is not there yet is not meant. */
    uint64_t last = outbox_last(outbox);
    if (seq > last)
        seq = last;
    uint64_t now = atomic_load_explicit(&outbox->release_to, memory_order_relaxed);
    while (now < seq && !atomic_compare_exchange_weak(&outbox->release_to, &now, seq))
        ;
}

/* --- the writer ----------------------------------------------------------------------------- */

/* Takes the first LIMIT_OUTBOX_BATCH entries off the list. Under the mutex. */
static struct outbox_entry *take_batch(struct outbox *outbox)
{
    struct outbox_entry *batch = outbox->head;
    struct outbox_entry **end = &outbox->head;
    for (size_t n = 0; *end != NULL && n < LIMIT_OUTBOX_BATCH; n++) {
        end = &(*end)->next;
        outbox->waiting--;
    }
    outbox->head = *end;
    *end = NULL;
    if (outbox->head == NULL)
        outbox->tail = &outbox->head;
    return batch;
}

/* Waits for entries; false when none came for IDLE_MS. Under the mutex. */
static bool wait_for_work(struct outbox *outbox)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    outbox->asleep = true;
    while (outbox->asleep && !outbox->stopping) {
        if (pthread_cond_timedwait(&outbox->cond, &outbox->mutex, &until) == ETIMEDOUT)
            break;
    }
    const bool woken = !outbox->asleep;
    outbox->asleep = false;
    return woken;
}

static int64_t count_records(const struct outbox_entry *entries)
{
    int64_t records = 0;
    for (const struct outbox_entry *e = entries; e != NULL; e = e->next)
        records += e->action == OUTBOX_APPEND;
    return records;
}

static void count(struct outbox *outbox, int64_t records, bool written, uint64_t began_ns)
{
    metric_add(METRIC_OUTBOX_COMMITS, written);
    metric_add(METRIC_OUTBOX_ERRORS, !written);
    metric_add(METRIC_OUTBOX_RECORDS, written ? records : 0);
    metric_set(METRIC_OUTBOX_HELD, (int64_t)outbox_held(outbox));
    metric_time(METRIC_HIST_COMMIT, clock_steady_ns() - began_ns);
}

/* How long after the beginning of a transaction of so many records the next one may begin. */
static uint64_t gather_ns(int64_t records)
{
    int64_t us = records * GATHER_EACH_US;
    us = us < GATHER_MIN_US ? GATHER_MIN_US : us > GATHER_MAX_US ? GATHER_MAX_US : us;
    return (uint64_t)us * 1000;
}

/* How many records may be released that are still in the file. */
static uint64_t release_due(const struct outbox *outbox)
{
    uint64_t to = atomic_load_explicit(&outbox->release_to, memory_order_acquire);
    uint64_t released = outbox_db_released(outbox->db);
    return to > released && outbox_db_last(outbox->db) > released ? to - released : 0;
}

/* One transaction, then the report. */
static int write_batch(struct outbox *outbox, struct outbox_entry *batch)
{
    struct err err = {0};
    const uint64_t began = clock_steady_ns();
    const int64_t records = count_records(batch);
    uint64_t to = 0;
    outbox->began_ns = began;
    outbox->gather_ns = gather_ns(records);
    if (batch == NULL || release_due(outbox) >= RELEASE_MANY)
        to = atomic_load_explicit(&outbox->release_to, memory_order_acquire);
    bool written = outbox_db_write(outbox->db, batch, to, &err) == 0;
    if (!written)
        log_write(LOG_ERROR, "outbox", "commit_failed", LOG_STR("error", err.text));
    for (struct outbox_entry *e = batch; e != NULL; e = e->next)
        e->written = written;
    atomic_store_explicit(&outbox->last, outbox_db_last(outbox->db), memory_order_release);
    atomic_store_explicit(&outbox->released, outbox_db_released(outbox->db), memory_order_release);
    count(outbox, records, written, began);
    if (batch != NULL)
        outbox->options.on_written(outbox->options.ctx, batch, written ? NULL : &err);
    return written ? 0 : -1;
}

/* Lets the next batch gather. */
static void gather(const struct outbox *outbox)
{
    const uint64_t passed = clock_steady_ns() - outbox->began_ns;
    if (passed < outbox->gather_ns)
        nanosleep(&(struct timespec){.tv_nsec = (long)(outbox->gather_ns - passed)}, NULL);
}

/* Waits until there is something to do: false when nothing came for IDLE_MS. */
static bool wait_until_due(struct outbox *outbox, bool failed)
{
    bool came = true;
    pthread_mutex_lock(&outbox->mutex);
    if (outbox->head == NULL && !outbox->stopping && (failed || release_due(outbox) < RELEASE_MANY))
        came = wait_for_work(outbox);
    pthread_mutex_unlock(&outbox->mutex);
    return came;
}

static void *writer_main(void *arg)
{
    struct outbox *outbox = arg;
    thread_be_patient();
    bool failed = false; /* the last release by itself: wait before the next */
    for (;;) {
        const bool idle = !wait_until_due(outbox, failed);
        gather(outbox);
        pthread_mutex_lock(&outbox->mutex);
        struct outbox_entry *batch = take_batch(outbox);
        const bool stop = batch == NULL && outbox->stopping;
        pthread_mutex_unlock(&outbox->mutex);
        if (stop)
            return NULL;
        const uint64_t due = release_due(outbox);
        failed = false;
        if (batch != NULL || due >= RELEASE_MANY || (idle && due > 0))
            failed = write_batch(outbox, batch) < 0;
        else
            outbox_db_trim(outbox->db);
    }
}

/* --- opening and closing -------------------------------------------------------------------- */

static int take_lock(struct outbox *outbox, struct err *err)
{
    char name[4096];
    int len = snprintf(name, sizeof(name), "%s.lock", outbox->path);
    if (len < 0 || (size_t)len >= sizeof(name))
        return err_set(err, ERR_CONFIG, "outbox: the path is too long");
    outbox->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (outbox->lock_fd < 0)
        return err_set(err, ERR_IO, "outbox: cannot open %s: %s", name, strerror(errno));
    if (flock(outbox->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(
            err, ERR_CONFLICT,
            "outbox %s: another process holds it; stop that one or give this one a folder of its "
            "own",
            outbox->path);
    return err_set(err, ERR_IO, "outbox: cannot lock %s: %s", name, strerror(errno));
}

static int start_writer(struct outbox *outbox, struct err *err)
{
    int rc = pthread_create(&outbox->writer, NULL, writer_main, outbox);
    if (rc != 0)
        return err_set(err, ERR_IO, "outbox: cannot start its writer thread: %s", strerror(rc));
    outbox->started = true;
    return 0;
}

static void init_sync(struct outbox *outbox)
{
    pthread_condattr_t attr;
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&outbox->cond, &attr) == 0);
    CHECK(pthread_mutex_init(&outbox->mutex, NULL) == 0);
    pthread_condattr_destroy(&attr);
}

struct outbox *outbox_open(const struct outbox_options *options, struct err *err)
{
    struct outbox *outbox = mem_zalloc(1, sizeof(*outbox));
    char *path = mem_strndup(options->path, strlen(options->path));
    if (outbox == NULL || path == NULL) {
        mem_free(outbox);
        mem_free(path);
        err_set(err, ERR_NOMEM, "no memory for the outbox");
        return NULL;
    }
    outbox->options = *options;
    outbox->path = path;
    outbox->lock_fd = -1;
    outbox->tail = &outbox->head;
    init_sync(outbox);
    if (take_lock(outbox, err) == 0)
        outbox->db = outbox_db_open(path, err);
    if (outbox->db != NULL) {
        atomic_store(&outbox->last, outbox_db_last(outbox->db));
        atomic_store(&outbox->released, outbox_db_released(outbox->db));
        metric_set(METRIC_OUTBOX_HELD, (int64_t)outbox_held(outbox));
    }
    if (outbox->db == NULL || start_writer(outbox, err) < 0)
        outbox_close(&outbox);
    return outbox;
}

void outbox_close(struct outbox **outbox_p)
{
    struct outbox *outbox = *outbox_p;
    if (outbox == NULL)
        return;
    if (outbox->started) {
        pthread_mutex_lock(&outbox->mutex);
        outbox->stopping = true;
        pthread_mutex_unlock(&outbox->mutex);
        pthread_cond_signal(&outbox->cond);
        pthread_join(outbox->writer, NULL);
    }
    outbox_db_close(&outbox->db);
    if (outbox->lock_fd >= 0)
        close(outbox->lock_fd);
    pthread_cond_destroy(&outbox->cond);
    pthread_mutex_destroy(&outbox->mutex);
    mem_free(outbox->path);
    mem_free(outbox);
    *outbox_p = NULL;
}
