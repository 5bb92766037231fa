/*
 * The server: the listening socket, the books about connections, the pool of workspaces, start and
 * stop.
 *
 * Several servers of one process listen on the same address with SO_REUSEPORT and the kernel
 * spreads connections over them. That option would also let a second process take a share of them
 * unnoticed, so the first server of a process first binds without it: an address that somebody else
 * has is refused.
 *
 * Lifetime: the owner and each connection hold a reference. A connection whose exchange is never
 * answered outlives its socket and even http_server_free, so a late answer finds valid memory.
 */
#include "engine/http/connection.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    WORK_ARENA_BYTES = 16384,
    WORK_OUT_BYTES = 4096,   /* the output's first size; the fixed 503 always fits */
    WORK_KEPT_BYTES = 65536, /* a buffer that grew beyond this is given back to the heap */
    WORKS_KEPT = 64,         /* workspaces kept for the next busy connection */
    REFUSED_MAX = 128        /* connections being told 503 at once; over it they are just closed */
};

static atomic_int connections_open; /* of the process; without the refused ones */
static atomic_int servers_listening;

static void work_free(struct http_work *work)
{
    http_parser_free(&work->parser);
    arena_free(&work->arena);
    buf_free(&work->out);
    mem_free(work);
}

static struct http_work *work_new(void)
{
    struct http_work *work = mem_zalloc(1, sizeof(*work));
    if (work == NULL)
        return NULL;
    work->arena = arena_new(WORK_ARENA_BYTES);
    if (work->arena == NULL || buf_reserve(&work->out, WORK_OUT_BYTES) == NULL) {
        arena_free(&work->arena);
        mem_free(work);
        return NULL;
    }
    return work;
}

struct http_work *http_work_take(struct http_server *server)
{
    struct http_work *work = server->spare_works;
    if (work != NULL) {
        server->spare_works = work->next;
        server->spare_work_count--;
    } else if ((work = work_new()) == NULL) {
        return NULL;
    }
    struct buf in = work->parser.in;
    work->parser = (struct http_parser){
        .head_max = LIMIT_HTTP_HEAD_BYTES, .headers_max = LIMIT_HTTP_HEADERS, .in = in};
    work->exchange.request = (struct http_request){.arena = work->arena};
    return work;
}

void http_work_give(struct http_server *server, struct http_work *work)
{
    http_body_release(work);
    if (work->out.cap < WORK_OUT_BYTES || work->out.cap > WORK_KEPT_BYTES ||
        server->spare_work_count >= WORKS_KEPT) {
        work_free(work);
        return;
    }
    if (work->parser.in.cap > WORK_KEPT_BYTES)
        buf_free(&work->parser.in);
    buf_clear(&work->parser.in);
    buf_clear(&work->out);
    arena_reset(work->arena);
    work->next = server->spare_works;
    server->spare_works = work;
    server->spare_work_count++;
}

static void server_unref(struct http_server *server)
{
    if (--server->refs > 0)
        return;
    while (server->spare_works != NULL) {
        struct http_work *work = server->spare_works;
        server->spare_works = work->next;
        work_free(work);
    }
    mem_free(server);
}

static void on_wheel_closed(uv_handle_t *handle)
{
    struct http_server *server = HTTP_OWNER(handle, struct http_server, wheel.timer);
    server->stopped = true;
    if (server->on_stopped != NULL)
        server->on_stopped(server->stopped_ctx);
}

/* Ends the stop when nothing is open any more. */
static void check_stopped(struct http_server *server)
{
    bool done = server->drained ? server->handles == 0 : server->connections == NULL;
    if (!server->stopping || !server->listener_closed || server->spare_busy || !done ||
        uv_is_closing((const uv_handle_t *)&server->wheel.timer))
        return;
    server->drained = true;
    wheel_clear(&server->wheel, &server->drain_alarm);
    wheel_close(&server->wheel, on_wheel_closed);
}

void http_server_handle_closed(struct http_server *server, const struct http_connection *c)
{
    server->handles--;
    if (c->refused) {
        server->refused--;
    } else {
        atomic_fetch_sub(&connections_open, 1);
        metric_add(METRIC_CONNECTIONS, -1);
    }
    check_stopped(server);
}

void http_server_forget(struct http_server *server, struct http_connection *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        server->connections = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    check_stopped(server);
    server_unref(server);
}

static void accept_one(struct http_server *server);

static void on_spare_closed(uv_handle_t *handle)
{
    struct http_server *server = HTTP_OWNER(handle, struct http_server, spare);
    server->spare_busy = false;
    if (server->accept_owed && !server->stopping) {
        server->accept_owed = false;
        accept_one(server);
    }
    check_stopped(server);
}

/* Without memory for a connection: takes it and closes it, since uv listens no further until it is
 * taken. */
static void accept_and_drop(struct http_server *server)
{
    metric_add(METRIC_CONNECTIONS_REFUSED, 1);
    if (server->spare_busy) {
        server->accept_owed = true;
        return;
    }
    server->spare_busy = true;
    uv_tcp_init(server->loop, &server->spare);
    uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&server->spare);
    uv_close((uv_handle_t *)&server->spare, on_spare_closed);
}

/* A connection in the books, whose socket is yet to be given; NULL when there is no memory for it. */
static struct http_connection *connection_add(struct http_server *server)
{
    struct http_connection *c = server->refused < REFUSED_MAX ? http_connection_new(server) : NULL;
    if (c == NULL)
        return NULL;
    bool refused = atomic_fetch_add(&connections_open, 1) >= server->options.connections_max;
    if (refused) {
        atomic_fetch_sub(&connections_open, 1);
        metric_add(METRIC_CONNECTIONS_REFUSED, 1);
        server->refused++;
    } else {
        metric_add(METRIC_CONNECTIONS, 1);
    }
    c->refused = refused;
    server->handles++;
    server->refs++;
    c->next = server->connections;
    if (c->next != NULL)
        c->next->prev = c;
    server->connections = c;
    uv_tcp_init(server->loop, &c->tcp);
    return c;
}

static void accept_one(struct http_server *server)
{
    struct http_connection *c = connection_add(server);
    if (c == NULL)
        accept_and_drop(server);
    else if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&c->tcp) != 0)
        http_connection_close(c);
    else
        http_connection_start(c);
}

/* Takes what the kernel has accepted for us: those clients believe they are connected, and may have
 * sent a request, which closing the listener would reset. */
static void accept_waiting(struct http_server *server)
{
    uv_os_fd_t listener;
    if (uv_fileno((const uv_handle_t *)&server->listener, &listener) != 0)
        return;
    for (int i = 0; i < BACKLOG; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct http_connection *c = fd < 0 ? NULL : connection_add(server);
        if (c == NULL) {
            if (fd >= 0)
                close(fd);
            return;
        }
        if (uv_tcp_open(&c->tcp, fd) != 0) {
            close(fd);
            http_connection_close(c);
        } else {
            http_connection_start(c);
        }
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = HTTP_OWNER(listener, struct http_server, listener);
    if (status == 0 && !server->stopping)
        accept_one(server);
}

/* A bound TCP socket, or -1 and *err. */
static int bind_socket(const struct http_server_options *options, bool share, struct err *err)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(struct sockaddr_in);
    if (uv_ip4_addr(options->host, options->port, (struct sockaddr_in *)&address) != 0) {
        len = sizeof(struct sockaddr_in6);
        if (uv_ip6_addr(options->host, options->port, (struct sockaddr_in6 *)&address) != 0)
            return err_set(err, ERR_CONFIG, "'%s' is not a numeric IPv4 or IPv6 address",
                           options->host);
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return err_set(err, ERR_IO, "cannot make a socket: %s", strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (struct sockaddr *)&address, len) != 0) {
        err_set(err, ERR_IO, "cannot listen on %s port %d: %s", options->host, options->port,
                strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* A listening socket, or -1 and *err. */
static int listen_socket(const struct http_server_options *options, struct err *err)
{
    if (options->port != 0 && atomic_load(&servers_listening) == 0) {
        int probe = bind_socket(options, false, err);
        if (probe < 0)
            return -1;
        close(probe);
    }
    int fd = bind_socket(options, true, err);
    if (fd >= 0 && listen(fd, BACKLOG) != 0) {
        err_set(err, ERR_IO, "cannot listen on %s port %d: %s", options->host, options->port,
                strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {.sin6_port = 0}};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

static void fill_defaults(struct http_server_options *o)
{
    o->head_ms = o->head_ms != 0 ? o->head_ms : LIMIT_HTTP_HEAD_MS;
    o->body_ms = o->body_ms != 0 ? o->body_ms : LIMIT_HTTP_BODY_MS;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : LIMIT_HTTP_IDLE_MS;
    o->write_ms = o->write_ms != 0 ? o->write_ms : LIMIT_HTTP_WRITE_MS;
    o->drain_ms = o->drain_ms != 0 ? o->drain_ms : LIMIT_HTTP_DRAIN_MS;
    o->unsent_max = o->unsent_max != 0 ? o->unsent_max : LIMIT_HTTP_UNSENT_BYTES;
    o->bodies_max = o->bodies_max != 0 ? o->bodies_max : LIMIT_HTTP_BODIES_BYTES;
    o->connections_max = o->connections_max != 0 ? o->connections_max : LIMIT_HTTP_CONNECTIONS;
}

/* For a server that could not begin to listen. */
static void on_failed_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server_unref(server);
}

struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options,
                                    struct err *err)
{
    signal(SIGPIPE, SIG_IGN); /* uv writes without MSG_NOSIGNAL */
    struct http_server *server = mem_zalloc(1, sizeof(*server));
    if (server == NULL) {
        err_set(err, ERR_NOMEM, "not enough memory for the HTTP server");
        return NULL;
    }
    server->loop = loop;
    server->options = *options;
    fill_defaults(&server->options);
    int fd = listen_socket(options, err);
    if (fd < 0) {
        mem_free(server);
        return NULL;
    }
    server->port = bound_port(fd);
    server->refs = 1;
    wheel_init(&server->wheel, loop);
    uv_tcp_init(loop, &server->listener);
    int status = uv_tcp_open(&server->listener, fd);
    if (status != 0)
        close(fd);
    else
        status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (status != 0) {
        err_set(err, ERR_IO, "cannot listen on %s port %d: %s", options->host, options->port,
                uv_strerror(status));
        server->refs = 2;
        server->listener.data = server->wheel.timer.data = server;
        uv_close((uv_handle_t *)&server->listener, on_failed_closed);
        wheel_close(&server->wheel, on_failed_closed);
        return NULL;
    }
    atomic_fetch_add(&servers_listening, 1);
    return server;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_server *server = HTTP_OWNER(handle, struct http_server, listener);
    server->listener_closed = true;
    check_stopped(server);
}

/* The time for requests in flight is over: their clients are cut off and their handlers told. */
static void on_drain_alarm(struct wheel_alarm *alarm)
{
    struct http_server *server = HTTP_OWNER(alarm, struct http_server, drain_alarm);
    for (struct http_connection *c = server->connections; c != NULL; c = c->next)
        http_connection_close(c);
    server->drained = true;
    /* A handler may answer, and so free, any of them: begin again after each. */
    struct http_connection *c = server->connections;
    while (c != NULL)
        c = http_exchange_hurry(c) ? server->connections : c->next;
    check_stopped(server);
}

void http_server_stop(struct http_server *server, void (*on_stopped)(void *ctx), void *ctx)
{
    CHECK(!server->stopping);
    server->stopping = true;
    server->on_stopped = on_stopped;
    server->stopped_ctx = ctx;
    atomic_fetch_sub(&servers_listening, 1);
    accept_waiting(server);
    uv_close((uv_handle_t *)&server->listener, on_listener_closed);
    server->drain_alarm.fire = on_drain_alarm;
    wheel_set(&server->wheel, &server->drain_alarm, server->options.drain_ms);
    for (struct http_connection *c = server->connections; c != NULL; c = c->next)
        http_connection_drain(c);
}

void http_server_free(struct http_server **server)
{
    if (*server == NULL)
        return;
    CHECK((*server)->stopped);
    server_unref(*server);
    *server = NULL;
}
