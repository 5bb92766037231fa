#include "engine/cli/demo_engine.h"

#include "engine/app/redis_child_files.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/http/json.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { PATH_BYTES = 256, READ_BYTES = 8192, REDIS_BYTES = 512 };

struct demo_engine {
    struct demo_engine_options options;
    uv_process_t process;
    uv_pipe_t log;      /* its stderr */
    struct buf pending; /* an unfinished line of it */
    FILE *log_file;
    struct json_reader *json;
    char dir[PATH_BYTES], log_path[PATH_BYTES];
    char bytes[READ_BYTES];
    int open_handles;
    bool keep, serving, freed;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

static void finish(struct demo_engine *e)
{
    if (e->log_file != NULL)
        (void)fclose(e->log_file);
    if (!e->keep && e->dir[0] != '\0')
        (void)nftw(e->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    json_reader_free(&e->json);
    buf_free(&e->pending);
    mem_free(e);
}

static void on_closed(uv_handle_t *handle)
{
    struct demo_engine *e = handle->data;
    if (--e->open_handles == 0 && e->freed)
        finish(e);
}

/* {"event":"listening","port":8080,"redis":"unix:..."} */
static void take_line(struct demo_engine *e, struct span line)
{
    struct json root, event, port, redis;
    char target[REDIS_BYTES];
    if (e->serving || json_parse(e->json, line, &root, NULL) < 0 ||
        !json_get(root, "event", &event) || json_type(event) != JSON_STRING ||
        !span_eq(json_string(event), SPAN("listening")) || !json_get(root, "port", &port) ||
        json_type(port) != JSON_INTEGER || !json_get(root, "redis", &redis) ||
        json_type(redis) != JSON_STRING)
        return;
    e->serving = true;
    (void)snprintf(target, sizeof(target), "%.*s", SPAN_ARG(json_string(redis)));
    e->options.on_serving(e->options.ctx, (int)json_integer(port), target);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct demo_engine *e = handle->data;
    (void)suggested;
    *out = uv_buf_init(e->bytes, sizeof(e->bytes));
}

static void on_log(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct demo_engine *e = stream->data;
    if (n < 0) {
        (void)uv_read_stop(stream);
        return;
    }
    (void)fwrite(bytes->base, 1, (size_t)n, e->log_file);
    buf_append(&e->pending, bytes->base, (size_t)n);
    ptrdiff_t end;
    while ((end = span_find_char(buf_view(&e->pending), '\n')) >= 0) {
        take_line(e, span_sub(buf_view(&e->pending), 0, (size_t)end));
        buf_consume(&e->pending, (size_t)end + 1);
    }
}

/* An engine that was killed leaves its Redis to the next one on the folder: here there is none. */
static void end_redis(const struct demo_engine *e)
{
    pid_t pid;
    const int dir = redis_dir_open(e->dir, NULL);
    const int server = dir < 0 ? -1 : redis_dir_server(dir, &pid);
    if (server >= 0) {
        (void)pidfd_send_signal(server, SIGKILL, NULL, 0);
        (void)close(server);
    }
    if (dir >= 0)
        (void)close(dir);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct demo_engine *e = process->data;
    (void)fflush(e->log_file);
    end_redis(e);
    e->options.on_ended(e->options.ctx, status, signal);
}

static int make_places(struct demo_engine *e, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(e->dir, sizeof(e->dir), "%.200s/jiesu-demo-XXXXXX",
                   tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(e->dir) == NULL) {
        (void)err_set(err, ERR_IO, "%s: %s", e->dir, strerror(errno));
        e->dir[0] = '\0';
        return -1;
    }
    (void)snprintf(e->log_path, sizeof(e->log_path), "%.240s/engine.log", e->dir);
    e->log_file = fopen(e->log_path, "w");
    if (e->log_file == NULL)
        return err_set(err, ERR_IO, "%s: %s", e->log_path, strerror(errno));
    e->json = json_reader_new(LIMIT_JSON_DEPTH);
    return e->json == NULL ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int spawn(struct demo_engine *e, struct err *err)
{
    char self[PATH_MAX], serve[] = "serve", listen[] = "--listen", any[] = "127.0.0.1:0",
                         data[] = "--data", rules[] = "--rules", rules_dir[PATH_MAX],
                         speed[] = "--clock-speed", times[16], began[] = "--clock-began",
                         began_at[CLOCK_RFC3339_BYTES], origin[] = "--clock-origin",
                         origin_at[CLOCK_RFC3339_BYTES];
    size_t size = sizeof(self);
    if (uv_exepath(self, &size) < 0)
        return err_set(err, ERR_UNAVAILABLE, "the path of this program cannot be found");
    (void)snprintf(rules_dir, sizeof(rules_dir), "%s", e->options.rules);
    (void)snprintf(times, sizeof(times), "%d", e->options.speed);
    (void)clock_format(e->options.began_ms, began_at);
    (void)clock_format(e->options.origin_ms, origin_at);
    char *args[] = {self,  serve, listen, any,      data,   e->dir,    rules, rules_dir,
                    speed, times, began,  began_at, origin, origin_at, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data = {.fd = 1}},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data = {.stream = (uv_stream_t *)&e->log}}};
    const uv_process_options_t options = {
        .file = self, .args = args, .exit_cb = on_process_exit, .stdio = stdio, .stdio_count = 3};
    (void)uv_pipe_init(e->options.loop, &e->log, 0);
    e->log.data = e;
    e->process.data = e;
    e->open_handles = 2;
    const int result = uv_spawn(e->options.loop, &e->process, &options);
    if (result < 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", self, uv_strerror(result));
    (void)uv_read_start((uv_stream_t *)&e->log, on_alloc, on_log);
    return 0;
}

struct demo_engine *demo_engine_start(const struct demo_engine_options *options, struct err *err)
{
    struct demo_engine *e = mem_zalloc(1, sizeof(*e));
    if (e == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    e->options = *options;
    if (make_places(e, err) < 0 || spawn(e, err) < 0)
        demo_engine_free(&e, false);
    return e;
}

void demo_engine_stop(struct demo_engine *engine)
{
    (void)uv_process_kill(&engine->process, SIGTERM);
}

void demo_engine_kill(struct demo_engine *engine)
{
    (void)uv_process_kill(&engine->process, SIGKILL);
}

const char *demo_engine_log(const struct demo_engine *engine)
{
    return engine->log_path;
}

void demo_engine_free(struct demo_engine **engine, bool keep)
{
    struct demo_engine *e = *engine;
    *engine = NULL;
    if (e == NULL)
        return;
    e->keep = keep;
    e->freed = true;
    if (e->open_handles == 0) {
        finish(e);
        return;
    }
    uv_close((uv_handle_t *)&e->process, on_closed);
    uv_close((uv_handle_t *)&e->log, on_closed);
}
