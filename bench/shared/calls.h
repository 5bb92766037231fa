/*
 * calls: Redis commands made beforehand, and pushed through one socket as fast as they are answered.
 */
#ifndef JIESU_BENCH_SHARED_CALLS_H
#define JIESU_BENCH_SHARED_CALLS_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/store/redis.h"
#include "engine/store/reply.h"

#include <stddef.h>
#include <stdint.h>

/* In Redis' protocol, one behind the other. Zero it before the first use. */
struct calls {
    struct buf bytes;
    size_t *ends;
    size_t count, capacity;
};

/* 0, or -1 when memory is short. */
int calls_add(struct calls *calls, size_t argc, const struct span *argv);
/* Makes it empty; the memory is kept. */
void calls_clear(struct calls *calls);
void calls_free(struct calls *calls);

/* A connection to a Redis on a unix socket. */
struct calls_pipe;
/* NULL and *err. */
struct calls_pipe *calls_pipe_open(const struct redis_target *target, struct err *err);
void calls_pipe_close(struct calls_pipe **pipe);

/* Looks at the answer to the i-th call. 0, or -1 and *err to stop. */
typedef int calls_answer(void *ctx, size_t i, const struct reply *reply, struct err *err);
/* Sends the calls, with at most `window` of them not answered, until all are. 0 and *seconds (NULL:
 * not wanted), or -1 and *err. */
int calls_push(struct calls_pipe *pipe, const struct calls *calls, size_t window,
               calls_answer *answer, void *ctx, double *seconds, struct err *err);

#endif
