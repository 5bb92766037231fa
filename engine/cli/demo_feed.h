/*
 * demo_feed: simulated residents: posts every complaint over HTTP when its time of the day has
 * come, each with its own Idempotency-Key, and tries again what was not answered.
 */
#ifndef JIESU_CLI_DEMO_FEED_H
#define JIESU_CLI_DEMO_FEED_H

#include "engine/base/err.h"
#include "engine/base/hist.h"
#include "engine/base/span.h"
#include "engine/cli/demo_texts.h"

#include <uv.h>

struct demo_feed;

struct demo_feed_options {
    uv_loop_t *loop;
    const char *host;
    int port;
    const struct demo_texts *texts;
    size_t residents; /* how many can post at the same time */
    int64_t morning;  /* when the day begins, by the engine's clock */
    int64_t most_ms;  /* from then on to the last complaint, at the most */
    /* body is the engine's answer to complaint i, 201 or 202. */
    void (*on_answer)(void *ctx, size_t i, int status, struct span body);
    /* The engine refused complaint i for good: the demo's data or the engine is wrong. */
    void (*on_refused)(void *ctx, size_t i, int status, struct span body);
    void (*on_finished)(void *ctx);
    void *ctx;
};

struct demo_feed *demo_feed_start(const struct demo_feed_options *options, struct err *err);
/* Answered so far. */
size_t demo_feed_done(const struct demo_feed *feed);
/* Nanoseconds from posting to the answer, retries included. */
const struct hist *demo_feed_latency(const struct demo_feed *feed);
uint64_t demo_feed_retries(const struct demo_feed *feed);
void demo_feed_close(struct demo_feed **feed);

#endif
