/*
 * connection: what server.c, connection.c, admission.c and exchange.c know of each other. Private
 * to engine/http.
 *
 * An open connection that waits for its next request owns nothing but struct http_connection. While
 * it is busy it borrows a struct http_work (parser, arena, output) from its server and gives it
 * back when all is answered and written, so ten thousand idle connections are cheap and a busy one
 * allocates nothing.
 */
#ifndef JIESU_HTTP_CONNECTION_H
#define JIESU_HTTP_CONNECTION_H

#include "engine/http/parser.h"
#include "engine/http/server.h"
#include "engine/http/wheel.h"

#include <stddef.h>

/* The struct whose member ptr points to. */
#define HTTP_OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

enum { HTTP_SET_HEADERS = 8 };

struct http_exchange {
    struct http_connection *connection;
    struct http_request request;
    struct http_header set[HTTP_SET_HEADERS]; /* response headers */
    size_t set_count;
    bool complete; /* the whole request was read: the connection may go on */
    bool notified; /* on_gone was called */
    struct wheel_alarm alarm;
    void (*on_time)(struct http_exchange *, void *);
    void *time_ctx;
    struct wheel_alarm gone_alarm;
    void (*on_gone)(struct http_exchange *, void *);
    void *gone_ctx;
};

struct http_work {
    struct http_work *next;
    struct http_parser parser;
    struct arena *arena;
    struct buf out;
    const struct http_route *route; /* of the request whose head was admitted */
    size_t body_share;              /* what its body may take of the process' bodies_max */
    struct http_exchange exchange;
};

enum http_phase {
    HTTP_OPEN,      /* serves requests */
    HTTP_LAST,      /* the last answer is being written */
    HTTP_LINGERING, /* our side is shut; input is thrown away until the client shuts its side */
    HTTP_CLOSED     /* uv_close was called */
};

enum http_awaiting { HTTP_AWAIT_NOTHING, HTTP_AWAIT_NEXT, HTTP_AWAIT_HEAD, HTTP_AWAIT_BODY };

struct http_connection {
    uv_tcp_t tcp;
    struct http_server *server;
    struct http_connection *next, *prev;
    struct http_work *work; /* NULL while idle */
    struct wheel_alarm read_alarm, write_alarm;
    enum http_phase phase;
    enum http_awaiting awaiting;
    bool reading;
    bool writing;   /* uv_write of `sending` is under way */
    bool in_flight; /* the exchange of `work` is not answered */
    bool advancing; /* connection_advance runs */
    bool eof;       /* the client shut its side */
    bool handle_closed;
    bool refused; /* over the connection limit: one 503 and out */
    struct buf sending;
    uv_write_t write;
    uv_shutdown_t shutdown;
    size_t lingered;  /* bytes thrown away */
    uint64_t read_ns; /* when bytes came in last */
};

struct http_server {
    uv_tcp_t listener;
    uv_tcp_t spare; /* accepts what there is no memory for, to close it */
    bool spare_busy;
    bool accept_owed;
    uv_loop_t *loop;
    struct http_server_options options;
    int port;
    struct wheel wheel;
    struct http_connection *connections;
    size_t handles; /* connections whose uv handle is open */
    size_t refused; /* of these, over the limit */
    size_t refs;    /* the owner, and each connection */
    struct http_work *spare_works;
    size_t spare_work_count;
    char discard[16384]; /* where lingering input goes */
    char date[32];       /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    int64_t date_s;      /* of that second */
    bool stopping, drained, stopped, listener_closed;
    struct wheel_alarm drain_alarm;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

/* A connection on a server, not yet accepted; NULL when memory is short. */
struct http_connection *http_connection_new(struct http_server *server);
/* After uv_accept. When c->refused is set it only tells the client that there are too many
 * connections. */
void http_connection_start(struct http_connection *c);
/* Closes when idle; else lets it finish (the server is stopping). */
void http_connection_drain(struct http_connection *c);
/* Closes now. The exchange in flight, if there is one, is told that the client is gone. */
void http_connection_close(struct http_connection *c);
/* The exchange in flight was answered: its bytes are in work->out. keep: serve the next request. */
void http_connection_answered(struct http_connection *c, bool keep);

/* For connection.c: prepares the exchange of c->work (request is set). */
void http_exchange_begin(struct http_connection *c, bool complete);
/* Tells the handler, once, that the client is gone. */
void http_exchange_gone(struct http_exchange *x);
/* The server is drained: does at once what the exchange in flight waits for. False when it waits
 * for nothing here. */
bool http_exchange_hurry(struct http_connection *c);
/* Appends a whole response to out; false when memory is short (out is then as before). */
bool http_response_write(struct http_server *server, struct buf *out, const struct http_exchange *x,
                         int status, const char *type, struct span body, bool keep);

/* The head of the request is complete: answers it at once, or lets the body in. */
void http_admit(struct http_connection *c);
/* Gives back what the admitted body may take. */
void http_body_release(struct http_work *work);
/* The parser refused the request: answers why. */
void http_answer_refusal(struct http_connection *c);

/* For connection.c: a workspace, or NULL; and back. */
struct http_work *http_work_take(struct http_server *server);
void http_work_give(struct http_server *server, struct http_work *work);
/* The handle of c is closed; then, when it has nothing in flight either, c is about to be freed:
 * server.c keeps the books, and frees the server with the last of them. */
void http_server_handle_closed(struct http_server *server, const struct http_connection *c);
void http_server_forget(struct http_server *server, struct http_connection *c);

#endif
