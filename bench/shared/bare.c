#include "bench/shared/bare.h"

#include "engine/app/redis_child.h"
#include "functions_lua.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

struct bare {
    bare_body *body;
    void *ctx;
    struct redis_target target;
    struct redis_child *child;
    struct redis *redis;
    int result;
    struct err *err;
};

static void on_stopped(void *ctx)
{
    redis_child_free(&((struct bare *)ctx)->child);
}

/* The functions are loaded: nothing else has to happen on the loop while the body works. */
static void on_ready(void *ctx, struct span fingerprint)
{
    struct bare *bare = ctx;
    (void)fingerprint;
    bare->result = bare->body(bare->ctx, &bare->target, redis_child_pid(bare->child), bare->err);
    redis_close(&bare->redis);
    redis_child_stop(bare->child, on_stopped, bare);
}

int bare_run(const char *dir, bare_body *body, void *ctx, struct err *err)
{
    struct bare bare = {.body = body, .ctx = ctx, .result = -1, .err = err};
    uv_loop_t loop;
    if (mkdir(dir, 0700) < 0)
        return err_set(err, ERR_IO, "%s: %s; name a folder that is not there yet", dir,
                       strerror(errno));
    if (uv_loop_init(&loop) != 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    bare.child = redis_child_start(&loop, dir, NULL, err);
    if (bare.child == NULL) {
        (void)uv_loop_close(&loop);
        return -1;
    }
    redis_child_target(bare.child, &bare.target);
    const struct redis_options options = {
        .target = bare.target, .library = functions_lua, .on_ready = on_ready, .ctx = &bare};
    bare.redis = redis_new(&loop, &options, err);
    if (bare.redis == NULL)
        redis_child_stop(bare.child, on_stopped, &bare);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return bare.result;
}
