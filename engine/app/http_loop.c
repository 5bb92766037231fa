#include "engine/app/http_loop.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"
#include "engine/http/server.h"

#include <stdatomic.h>

enum phase { PHASE_RUN, PHASE_STOP, PHASE_END };

struct http_loop {
    struct http_loop_options options;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t control;
    uv_sem_t started;
    atomic_int phase;
    struct api *api;
    struct http_server *server;
    struct err err; /* why it did not start */
    int port;
    bool stopping, ending;
};

static void on_server_stopped(void *ctx)
{
    struct http_loop *l = ctx;
    l->options.on_stopped(l->options.ctx);
}

static void end(struct http_loop *l)
{
    if (l->server != NULL)
        http_server_free(&l->server);
    if (l->api != NULL)
        api_close(&l->api);
    uv_close((uv_handle_t *)&l->control, NULL);
}

static void on_control(uv_async_t *handle)
{
    struct http_loop *l = handle->data;
    const int phase = atomic_load(&l->phase);
    if (phase >= PHASE_STOP && !l->stopping) {
        l->stopping = true;
        api_drain(l->api);
        http_server_stop(l->server, on_server_stopped, l);
    }
    if (phase == PHASE_END && !l->ending) {
        l->ending = true;
        end(l);
    }
}

static int open_parts(struct http_loop *l)
{
    l->options.api.loop = &l->loop;
    l->api = api_new(&l->options.api, &l->err);
    if (l->api == NULL)
        return -1;
    struct http_server_options server = {.host = l->options.host,
                                         .port = l->options.port,
                                         .ctx = l->api,
                                         .drain_ms = l->options.drain_ms};
    server.routes = api_routes(&server.route_count);
    l->server = http_server_new(&l->loop, &server, &l->err);
    if (l->server == NULL)
        return -1;
    l->port = http_server_port(l->server);
    return 0;
}

static void run(void *arg)
{
    struct http_loop *l = arg;
    if (open_parts(l) < 0)
        end(l);
    uv_sem_post(&l->started);
    (void)uv_run(&l->loop, UV_RUN_DEFAULT);
}

static void free_loop(struct http_loop *l)
{
    /* Everything on it is closed: a loop that is still busy is a leak of a handle. */
    CHECK(uv_loop_close(&l->loop) == 0);
    uv_sem_destroy(&l->started);
    mem_free(l);
}

struct http_loop *http_loop_start(const struct http_loop_options *options, struct err *err)
{
    struct http_loop *l = mem_zalloc(1, sizeof(*l));
    if (l == NULL || uv_loop_init(&l->loop) < 0) {
        (void)err_set(err, ERR_NOMEM, "out of memory at the start of a loop");
        mem_free(l);
        return NULL;
    }
    l->options = *options;
    atomic_init(&l->phase, PHASE_RUN);
    CHECK(uv_sem_init(&l->started, 0) == 0);
    CHECK(uv_async_init(&l->loop, &l->control, on_control) == 0);
    l->control.data = l;
    if (uv_thread_create(&l->thread, run, l) < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "the system gives no more threads");
        uv_close((uv_handle_t *)&l->control, NULL);
        (void)uv_run(&l->loop, UV_RUN_DEFAULT);
        free_loop(l);
        return NULL;
    }
    uv_sem_wait(&l->started);
    if (l->err.code != ERR_NONE) {
        if (err != NULL)
            *err = l->err;
        (void)uv_thread_join(&l->thread);
        free_loop(l);
        return NULL;
    }
    return l;
}

int http_loop_port(const struct http_loop *loop)
{
    return loop->port;
}

void http_loop_stop(struct http_loop *loop)
{
    atomic_store(&loop->phase, PHASE_STOP);
    (void)uv_async_send(&loop->control);
}

void http_loop_join(struct http_loop **loop)
{
    struct http_loop *l = *loop;
    *loop = NULL;
    atomic_store(&l->phase, PHASE_END);
    (void)uv_async_send(&l->control);
    (void)uv_thread_join(&l->thread);
    free_loop(l);
}
