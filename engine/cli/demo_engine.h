/*
 * demo_engine: a jiesu of the demo's own: this very program, started as `serve` with a data folder
 * that goes away with it.
 */
#ifndef JIESU_CLI_DEMO_ENGINE_H
#define JIESU_CLI_DEMO_ENGINE_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <uv.h>

struct demo_engine;

struct demo_engine_options {
    uv_loop_t *loop;
    const char *rules;
    /* Its clock: see clock_run_fast. */
    int speed;
    int64_t began_ms, origin_ms;
    /* It serves: on this port of 127.0.0.1, with its Redis at the target text. */
    void (*on_serving)(void *ctx, int port, const char *redis);
    /* It ended, and the Redis it may have left behind with it; expected when demo_engine_stop was
     * called. */
    void (*on_ended)(void *ctx, int64_t status, int signal);
    void *ctx;
};

struct demo_engine *demo_engine_start(const struct demo_engine_options *options, struct err *err);
/* Asks it to stop (SIGTERM). */
void demo_engine_stop(struct demo_engine *engine);
/* Ends it at once (SIGKILL). */
void demo_engine_kill(struct demo_engine *engine);
/* Where its log is; the file is removed by demo_engine_free unless it is kept. */
const char *demo_engine_log(const struct demo_engine *engine);
/* After it ended: removes its folder (not when keep is true), closes its handles, frees. */
void demo_engine_free(struct demo_engine **engine, bool keep);

#endif
