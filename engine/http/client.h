/*
 * client: an HTTP/1.1 client on a uv loop: for the demo, the load generator and the tests.
 *
 * One client is one keep-alive connection to one address; requests are sent in order (pipelined
 * when more than one is waiting) and answered in order. When the connection breaks, every request
 * that was sent and not answered fails with status 0, and the next request connects again.
 */
#ifndef JIESU_HTTP_CLIENT_H
#define JIESU_HTTP_CLIENT_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <uv.h>

struct http_client;

struct http_response {
    int status; /* 0: no answer (connection refused, broken, or timed out) */
    struct span body;
    struct span retry_after; /* the header, or empty */
};

typedef void http_done(void *ctx, const struct http_response *response);

struct http_client *http_client_new(uv_loop_t *loop, const char *host, int port,
                                    uint32_t timeout_ms);
/* Sends one request. headers: extra lines, each ended by CRLF, or empty. The body is copied. done
 * is called once, on the loop, never from inside this call. -1 when memory is short. */
int http_client_send(struct http_client *client, const char *method, const char *path,
                     struct span headers, struct span body, http_done *done, void *ctx);
/* Requests sent or waiting and not answered. */
size_t http_client_pending(const struct http_client *client);
/* Closes the connection (pending requests fail) and frees the client when the loop has let go of
 * it. */
void http_client_close(struct http_client **client);

#endif
