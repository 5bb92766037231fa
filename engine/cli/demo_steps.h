/*
 * demo_steps: the requests of simulated workers and residents: a few connections, each request with
 * an Idempotency-Key of its own, tried again until it is answered for good.
 */
#ifndef JIESU_CLI_DEMO_STEPS_H
#define JIESU_CLI_DEMO_STEPS_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <uv.h>

struct demo_steps;

/* status is the engine's; body is borrowed. Called once, on the loop, never from inside the call. */
typedef void demo_steps_done(void *ctx, int status, struct span body);

/* NULL and *err when memory is short. */
struct demo_steps *demo_steps_new(uv_loop_t *loop, const char *host, int port, struct err *err);
/* POSTs a JSON body. The texts are copied. -1 when memory is short. */
int demo_steps_post(struct demo_steps *steps, const char *path, struct span body,
                    demo_steps_done *done, void *ctx);
int demo_steps_get(struct demo_steps *steps, const char *path, demo_steps_done *done, void *ctx);
/* Not answered yet. */
size_t demo_steps_pending(const struct demo_steps *steps);
/* What is pending is not called back. */
void demo_steps_close(struct demo_steps **steps);

#endif
