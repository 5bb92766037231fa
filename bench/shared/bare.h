/*
 * bare: a Redis as the engine's embedded one, with the function library loaded and nothing around it.
 */
#ifndef JIESU_BENCH_SHARED_BARE_H
#define JIESU_BENCH_SHARED_BARE_H

#include "engine/base/err.h"
#include "engine/store/redis.h"

/* What is done with it; pid is the server's process. 0, or -1 and *err. */
typedef int bare_body(void *ctx, const struct redis_target *target, pid_t pid, struct err *err);

/* Starts one in the folder dir, which is made and must not be there yet, calls body once, which may
 * take its time, and stops it. The folder stays. What body returned, or -1 and *err. */
int bare_run(const char *dir, bare_body *body, void *ctx, struct err *err);

#endif
