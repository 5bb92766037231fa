#include "tests/chaos/chaos_redis.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_BYTES = 200, PATH_BYTES = 512, SAMPLE_MS = 50, SAMPLES = 64, LOSS_MS = 1000 };

struct sample {
    int64_t at; /* steady ms */
    int64_t size;
};

struct chaos_redis {
    uv_loop_t *loop;
    uv_process_t process;
    uv_timer_t sampler, restart;
    char dir[DIR_BYTES], socket[DIR_BYTES + 16];
    struct sample samples[SAMPLES]; /* a ring */
    size_t sampled;
    bool alive, cut, closing;
    uint64_t delay_ms, cut_bytes, cut_share; /* share of the last second to cut, in 1/1024 */
    int open_handles;
};

/* The append-only file that grows: the increment with the highest number. */
static bool find_file(const struct chaos_redis *r, char out[PATH_BYTES], int64_t *size)
{
    char dir[PATH_BYTES / 2];
    (void)snprintf(dir, sizeof(dir), "%s/appendonlydir", r->dir);
    DIR *d = opendir(dir);
    int best = -1;
    if (d == NULL)
        return false;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        int number = -1, end = 0;
        if (sscanf(e->d_name, "appendonly.aof.%d.incr.aof%n", &number, &end) == 1 && end > 0 &&
            number > best) {
            best = number;
            (void)snprintf(out, PATH_BYTES, "%s/%.100s", dir, e->d_name);
        }
    }
    (void)closedir(d);
    struct stat st;
    if (best < 0 || stat(out, &st) < 0)
        return false;
    *size = st.st_size;
    return true;
}

static void on_sample(uv_timer_t *timer)
{
    struct chaos_redis *r = timer->data;
    char path[PATH_BYTES];
    int64_t size;
    if (r->alive && find_file(r, path, &size))
        r->samples[r->sampled++ % SAMPLES] = (struct sample){clock_steady_ms(), size};
}

/* The size that the file had LOSS_MS ago, or as near to it as the samples go (never longer ago). */
static int64_t size_before(const struct chaos_redis *r, int64_t now, int64_t size)
{
    int64_t least = size;
    for (size_t i = 0; i < SAMPLES && i < r->sampled; i++) {
        const struct sample *s = &r->samples[i];
        if (now - s->at <= LOSS_MS && s->size < least)
            least = s->size;
    }
    return least;
}

static void cut_tail(struct chaos_redis *r)
{
    char path[PATH_BYTES];
    int64_t size = 0;
    if (!find_file(r, path, &size))
        return;
    const int64_t loss = size - size_before(r, clock_steady_ms(), size);
    const int64_t cut = loss * (int64_t)r->cut_share / 1024;
    if (truncate(path, size - cut) == 0)
        r->cut_bytes += (uint64_t)cut;
    r->sampled = 0;
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal);

static int spawn(struct chaos_redis *r)
{
    char *args[] = {"redis-server",
                    "--port",
                    "0",
                    "--unixsocket",
                    r->socket,
                    "--dir",
                    r->dir,
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "everysec",
                    "--save",
                    "",
                    "--auto-aof-rewrite-percentage",
                    "0",
                    "--aof-load-truncated",
                    "yes",
                    "--logfile",
                    "redis.log",
                    "--maxmemory-policy",
                    "noeviction",
                    NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data = {.fd = 2}}};
    const uv_process_options_t options = {.file = args[0],
                                          .args = args,
                                          .exit_cb = on_process_exit,
                                          .stdio = stdio,
                                          .stdio_count = 3};
    r->process.data = r;
    const int result = uv_spawn(r->loop, &r->process, &options);
    r->alive = result == 0;
    return result;
}

static void on_restart(uv_timer_t *timer)
{
    struct chaos_redis *r = timer->data;
    if (!r->closing && spawn(r) < 0)
        (void)fprintf(stderr, "redis-server cannot be started again\n");
}

static void on_freed(uv_handle_t *handle)
{
    struct chaos_redis *r = handle->data;
    if (--r->open_handles == 0)
        mem_free(r);
}

static void close_rest(struct chaos_redis *r)
{
    r->open_handles = 2;
    uv_close((uv_handle_t *)&r->sampler, on_freed);
    uv_close((uv_handle_t *)&r->restart, on_freed);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct chaos_redis *r = handle->data;
    if (r->closing) {
        close_rest(r);
        return;
    }
    if (r->cut)
        cut_tail(r);
    (void)uv_timer_start(&r->restart, on_restart, r->delay_ms, 0);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct chaos_redis *r = process->data;
    if (r->alive && !r->closing)
        (void)fprintf(stderr, "redis-server ended by itself (status %lld, signal %d)\n",
                      (long long)status, signal);
    r->alive = false;
    uv_close((uv_handle_t *)process, on_process_closed);
}

struct chaos_redis *chaos_redis_start(uv_loop_t *loop, const char *dir, struct err *err)
{
    struct chaos_redis *r = mem_zalloc(1, sizeof(*r));
    if (r == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    r->loop = loop;
    (void)snprintf(r->dir, sizeof(r->dir), "%s", dir);
    (void)snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", dir);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        (void)err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
        mem_free(r);
        return NULL;
    }
    const int result = spawn(r);
    if (result < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "redis-server: %s", uv_strerror(result));
        uv_close((uv_handle_t *)&r->process, NULL);
        return NULL;
    }
    (void)uv_timer_init(loop, &r->sampler);
    (void)uv_timer_init(loop, &r->restart);
    r->sampler.data = r->restart.data = r;
    (void)uv_timer_start(&r->sampler, on_sample, SAMPLE_MS, SAMPLE_MS);
    return r;
}

const char *chaos_redis_socket(const struct chaos_redis *redis)
{
    return redis->socket;
}

void chaos_redis_kill(struct chaos_redis *r, bool cut, uint64_t delay_ms, struct random *random)
{
    if (!r->alive)
        return;
    r->cut = cut;
    r->cut_share = random_below(random, 1025);
    r->delay_ms = delay_ms;
    r->alive = false;
    (void)uv_process_kill(&r->process, SIGKILL);
}

void chaos_redis_freeze(struct chaos_redis *r)
{
    (void)uv_process_kill(&r->process, SIGSTOP);
}

void chaos_redis_thaw(struct chaos_redis *r)
{
    (void)uv_process_kill(&r->process, SIGCONT);
}

uint64_t chaos_redis_cut_bytes(const struct chaos_redis *redis)
{
    return redis->cut_bytes;
}

void chaos_redis_close(struct chaos_redis **redis)
{
    struct chaos_redis *r = *redis;
    *redis = NULL;
    if (r == NULL)
        return;
    r->closing = true;
    if (r->alive)
        (void)uv_process_kill(&r->process, SIGKILL);
    else
        close_rest(r);
}
