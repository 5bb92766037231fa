/*
 * http_loop: one thread with one uv loop, one listening socket and one api.
 *
 * Stopping has two steps, because the dispatcher posts results to the loop's mailbox for as long as requests are
 * in flight: first the server stops (no new requests, those in flight are answered), then, when the
 * dispatcher posts no more, the loop ends.
 */
#ifndef JIESU_APP_HTTP_LOOP_H
#define JIESU_APP_HTTP_LOOP_H

#include "engine/api/api.h"
#include "engine/base/err.h"

struct http_loop;

struct http_loop_options {
    const char *host;
    int port;               /* 0: the system chooses */
    uint32_t drain_ms;      /* for requests in flight at a stop */
    struct api_options api; /* its loop is filled in */
    /* Called on the loop's thread when its server has stopped. */
    void (*on_stopped)(void *ctx);
    void *ctx;
};

/* Starts the thread and returns when it serves. NULL and *err when it cannot. */
struct http_loop *http_loop_start(const struct http_loop_options *options, struct err *err);
int http_loop_port(const struct http_loop *loop);
/* Asks the server to stop. Any thread, once. */
void http_loop_stop(struct http_loop *loop);
/* After on_stopped: ends the loop and its thread, frees, and sets *loop to NULL. Not on the loop. */
void http_loop_join(struct http_loop **loop);

#endif
