/*
 * support: a server on a loop of its own thread, and plain blocking sockets to talk to it.
 */
#ifndef JIESU_TESTS_HTTP_SUPPORT_H
#define JIESU_TESTS_HTTP_SUPPORT_H

#include "engine/base/buf.h"
#include "engine/http/server.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SUPPORT_ECHO_MAX = 1024, SUPPORT_BATCH_MAX = 8192, SUPPORT_ANY_MAX = 4 * 1024 * 1024 };

struct support_server {
    uv_loop_t loop;
    uv_async_t wake;
    pthread_t thread;
    struct http_server *server;
    struct http_server_options options;
    int port;
    bool stop; /* asked for by the test's thread */
    pthread_mutex_t lock;
    struct http_exchange *parked; /* the exchange of GET /park, answered only by support_unpark */
    bool unpark;
    atomic_int requests; /* handed to handlers */
    atomic_int gone;     /* on_gone was called */
    atomic_int stopped;
};

/* Starts a server with the routes of support.c; options: deadlines and bounds, or NULL. */
void support_start(struct support_server *s, const struct http_server_options *options);
/* Asks it to stop and returns at once. */
void support_stop_begin(struct support_server *s);
/* Waits until the loop has ended and frees everything. */
void support_stop_end(struct support_server *s);
void support_stop(struct support_server *s);
/* Answers the parked exchange. */
void support_unpark(struct support_server *s);

/* A connected blocking socket with a receive time-out of 5 s. */
int support_connect(const struct support_server *s);
void support_send(int fd, const void *data, size_t len);
void support_send_str(int fd, const char *text);

struct support_answer {
    int status; /* 0: the connection ended (or broke: `reset`) before an answer */
    bool reset;
    struct buf head; /* NUL-terminated */
    struct buf body; /* NUL-terminated */
};

/* Reads one response. left holds bytes read too far, between calls. head_only: an answer to HEAD.
 */
void support_read(int fd, struct buf *left, bool head_only, struct support_answer *answer);
void support_answer_free(struct support_answer *answer);
/* True when the peer has shut its side properly and nothing more came. */
bool support_at_end(int fd, struct buf *left);
/* Waits (at most 5 s) until *counter is at least value. */
void support_await(atomic_int *counter, int value);

#endif
