/*
 * server: HTTP/1.1 on one uv loop: the listening socket, its connections, and their deadlines.
 *
 * Each loop has its own server on the same address (SO_REUSEPORT). All calls but none are made on
 * the server's loop. The connection limit (LIMIT_HTTP_CONNECTIONS) counts all servers of the
 * process.
 */
#ifndef JIESU_HTTP_SERVER_H
#define JIESU_HTTP_SERVER_H

#include "engine/http/http.h"

#include <uv.h>

struct http_server;

struct http_server_options {
    const char *host; /* numeric IPv4 or IPv6 address */
    int port;         /* 0: the system chooses; see http_server_port */
    const struct http_route *routes;
    size_t route_count;
    void *ctx; /* handed to every handler */
    /* Deadlines and bounds; zero takes the value of limits.h. Tests set small ones. */
    uint32_t head_ms, body_ms, idle_ms, write_ms, drain_ms;
    size_t unsent_max;
    size_t bodies_max; /* of all servers of the process together */
    int connections_max;
};

/* Listens. NULL and *err when the address cannot be had. */
struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options,
                                    struct err *err);
/* The port it listens on. */
int http_server_port(const struct http_server *server);
/* Stops accepting, closes idle connections, lets requests in flight be answered (with Connection:
 * close) until drain_ms, then calls on_stopped once, on the loop. */
void http_server_stop(struct http_server *server, void (*on_stopped)(void *ctx), void *ctx);
/* Frees a stopped server and sets *server to NULL. */
void http_server_free(struct http_server **server);

#endif
