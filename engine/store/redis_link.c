/*
 * Why not hiredis' async.c: in 0.14.1 its libuv adapter ignores poll errors and starts no timers,
 * it has no time-outs for commands, it crashes when it is disconnected inside the connect callback,
 * and it frees itself in the midst of callbacks. What is left of use is the reply parser, so that
 * is what we take (reply_reader); the socket belongs to libuv as every other socket here does.
 *
 * Out. Commands are formatted straight into one buffer. A prepare handle, which runs when the loop
 * is about to poll, writes the buffer with one system call for all commands of the turn. What the
 * socket does not take is handed to uv_write, and a second buffer gathers meanwhile.
 *
 * In. Replies come in the order of the commands, so those that wait stand in a ring. Since every
 * command has the same time to be answered, the oldest is always the next to be late: one timer
 * looks at the head of the ring, and sending a command touches no timer. When the timer finds it
 * late it lets the loop poll once more before it gives up: after a long stall of this process the
 * answer is often there, unread.
 *
 * An idle connection is sent PING every command_ms, so that a frozen server or a dead route is
 * noticed without traffic.
 *
 * Ends. There is one way down, link_down: close the handles, call back whoever waits, then tell the
 * owner. The memory is freed when the handles are closed and the owner has let go, so never under a
 * caller's feet.
 */
#include "engine/store/redis_link.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/store/redis_ring.h"
#include "engine/store/reply_reader.h"

#include <stdio.h>
#include <string.h>

enum { READ_BYTES = 65536, KEPT_BYTES = 1 << 20, HANDLES = 3, GRACE_MS = 1 };

enum link_state { LINK_CONNECTING, LINK_UP, LINK_DOWN };

struct redis_link {
    struct redis_link_options options;
    uv_loop_t *loop;
    enum link_state state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    bool resolving, writing, released;
    int closed; /* handles that are */

    struct buf out;     /* gathers */
    struct buf sending; /* belongs to uv_write while writing is true */

    struct redis_ring ring;
    uint64_t grace_for;   /* ring.taken + 1 when the head was found late, else 0 */
    uint64_t last_read;   /* loop time, ms */
    uint64_t last_silent; /* loop time of a PING whose reply goes to on_push; 0: none is due */

    struct reply_reader *reader;
    char in[READ_BYTES];
};

/* ---- the end ---- */

static void link_free_when_done(struct redis_link *link)
{
    if (!link->released || link->closed < HANDLES || link->resolving)
        return;
    buf_free(&link->out);
    buf_free(&link->sending);
    redis_ring_free(&link->ring);
    reply_reader_free(&link->reader);
    mem_free(link);
}

static void on_closed(uv_handle_t *handle)
{
    struct redis_link *link = handle->data;
    link->closed++;
    link_free_when_done(link);
}

static void link_down(struct redis_link *link, const struct err *err)
{
    if (link->state == LINK_DOWN)
        return;
    link->state = LINK_DOWN;
    if (link->resolving)
        uv_cancel((uv_req_t *)&link->resolve);
    uv_close(&link->socket.handle, on_closed);
    uv_close((uv_handle_t *)&link->timer, on_closed);
    uv_close((uv_handle_t *)&link->prepare, on_closed);
    while (link->ring.count > 0) {
        struct redis_waiting w = redis_ring_pop(&link->ring);
        w.done(w.ctx, NULL, err);
    }
    if (!link->released)
        link->options.on_down(link->options.ctx, err);
}

static void link_lost(struct redis_link *link, const char *what, int rc)
{
    struct err err;
    const struct redis_endpoint *at = &link->options.endpoint;
    if (at->unix_socket)
        err_set(&err, ERR_UNAVAILABLE, "Redis at %s: %s: %s", at->host, what, uv_strerror(rc));
    else
        err_set(&err, ERR_UNAVAILABLE, "Redis at %s:%d: %s: %s", at->host, at->port, what,
                uv_strerror(rc));
    link_down(link, &err);
}

const struct redis_endpoint *redis_link_endpoint(const struct redis_link *link)
{
    return &link->options.endpoint;
}

bool redis_link_up(const struct redis_link *link)
{
    return link->state == LINK_UP;
}

void redis_link_fail(struct redis_link *link, const struct err *err)
{
    link_down(link, err);
}

void redis_link_close(struct redis_link **link)
{
    struct redis_link *gone = *link;
    if (gone == NULL)
        return;
    *link = NULL;
    gone->released = true;
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "the Redis connection was closed");
    link_down(gone, &err);
    /* With the handles closed before, nothing else would free it. */
    link_free_when_done(gone);
}

/* ---- out ---- */

static void on_written(uv_write_t *request, int status)
{
    struct redis_link *link = request->data;
    link->writing = false;
    if (link->state == LINK_DOWN)
        return;
    if (status < 0) {
        link_lost(link, "write", status);
        return;
    }
    buf_clear(&link->sending);
    if (link->sending.cap > KEPT_BYTES)
        buf_free(&link->sending);
}

static void link_write_rest(struct redis_link *link, size_t from)
{
    struct buf full = link->out;
    link->out = link->sending;
    link->sending = full;
    uv_buf_t rest = uv_buf_init(full.data + from, (unsigned)(full.len - from));
    int rc = uv_write(&link->write, &link->socket.stream, &rest, 1, on_written);
    if (rc != 0)
        link_lost(link, "write", rc);
    else
        link->writing = true;
}

static void link_flush(uv_prepare_t *prepare)
{
    struct redis_link *link = prepare->data;
    if (link->writing || link->state != LINK_UP)
        return;
    uv_prepare_stop(prepare);
    if (link->out.len == 0)
        return;
    uv_buf_t all = uv_buf_init(link->out.data, (unsigned)link->out.len);
    int n = uv_try_write(&link->socket.stream, &all, 1);
    if (n < 0 && n != UV_EAGAIN) {
        link_lost(link, "write", n);
        return;
    }
    size_t taken = n < 0 ? 0 : (size_t)n;
    if (taken < link->out.len) {
        link_write_rest(link, taken);
        return;
    }
    buf_clear(&link->out);
    if (link->out.cap > KEPT_BYTES)
        buf_free(&link->out);
}

/* Takes back the bytes from `from` on when they are not all there or when nobody could wait for the
 * answer. */
static int link_commit(struct redis_link *link, size_t from, redis_done *done, void *ctx,
                       struct err *err)
{
    int rc = 0;
    if (!buf_ok(&link->out))
        rc = err_set(err, ERR_LIMIT,
                     "no memory for a Redis command, or more than %d bytes wait to be sent",
                     LIMIT_REDIS_UNSENT_BYTES);
    else if (done != NULL)
        rc = redis_ring_push(&link->ring, (struct redis_waiting){done, ctx, uv_now(link->loop)},
                             err);
    if (rc != 0) {
        link->out.len = from;
        link->out.failed = false;
        return -1;
    }
    uv_prepare_start(&link->prepare, link_flush);
    return 0;
}

static int link_check(const struct redis_link *link, struct err *err)
{
    if (link->state != LINK_UP)
        return err_set(err, ERR_UNAVAILABLE, "Redis is not connected");
    return 0;
}

int redis_link_send(struct redis_link *link, size_t argc, const struct span *argv, redis_done *done,
                    void *ctx, struct err *err)
{
    if (link_check(link, err) != 0)
        return -1;
    size_t from = link->out.len;
    redis_format(&link->out, argc, argv);
    return link_commit(link, from, done, ctx, err);
}

int redis_link_send_raw(struct redis_link *link, struct span command, redis_done *done, void *ctx,
                        struct err *err)
{
    if (link_check(link, err) != 0)
        return -1;
    size_t from = link->out.len;
    buf_span(&link->out, command);
    return link_commit(link, from, done, ctx, err);
}

/* ---- in ---- */

static void link_take(struct redis_link *link, const struct reply *reply)
{
    if (link->ring.count > 0) {
        struct redis_waiting w = redis_ring_pop(&link->ring);
        w.done(w.ctx, reply, NULL);
        return;
    }
    if (link->options.on_push != NULL) {
        link->options.on_push(link->options.ctx, reply);
        return;
    }
    struct err err;
    err_set(&err, ERR_PROTOCOL, "Redis sent a reply that nobody asked for");
    link_down(link, &err);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct redis_link *link = handle->data;
    *buf = uv_buf_init(link->in, sizeof(link->in));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct redis_link *link = stream->data;
    const struct reply *reply;
    struct err err;
    if (n < 0)
        link_lost(link, "read", (int)n);
    if (n <= 0)
        return;
    link->last_read = uv_now(link->loop);
    link->last_silent = 0;
    int rc = reply_reader_feed(link->reader, buf->base, (size_t)n, &err) == 0 ? 1 : -1;
    while (rc == 1 && link->state == LINK_UP) {
        rc = reply_reader_next(link->reader, &reply, &err);
        if (rc == 1)
            link_take(link, reply);
    }
    if (rc < 0)
        link_down(link, &err);
}

/* ---- time ---- */

static void ignore_pong(void *ctx, const struct reply *reply, const struct err *err)
{
    (void)ctx;
    (void)reply;
    (void)err;
}

static void link_late(struct redis_link *link)
{
    struct err err;
    metric_add(METRIC_REDIS_TIMEOUTS, 1);
    err_set(&err, ERR_TIMEOUT, "Redis did not answer within %u ms", link->options.command_ms);
    link_down(link, &err);
}

/* Nothing waits: asks for a sign of life when there was none for command_ms. Returns the time to
 * look again. */
static uint64_t link_ping(struct redis_link *link, uint64_t now)
{
    static const struct span ping[] = {{"PING", 4}};
    uint64_t quiet = now - link->last_read;
    if (quiet < link->options.command_ms)
        return link->options.command_ms - quiet;
    bool silent = link->options.on_push != NULL;
    /* When memory is short for it, the next look tries again. */
    if (redis_link_send(link, 1, ping, silent ? NULL : ignore_pong, NULL, NULL) == 0 && silent)
        link->last_silent = now;
    return link->options.command_ms;
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;
    struct err err;
    if (link->state == LINK_CONNECTING) {
        err_set(&err, ERR_TIMEOUT, "Redis at %s did not take the connection within %u ms",
                link->options.endpoint.host, link->options.connect_ms);
        link_down(link, &err);
        return;
    }
    uint64_t now = uv_now(link->loop), oldest = 0, wait;
    if (link->ring.count > 0)
        oldest = redis_ring_oldest(&link->ring);
    else if (link->last_silent != 0)
        oldest = link->last_silent;
    if (oldest == 0) {
        wait = link_ping(link, now);
    } else if (now < oldest + link->options.command_ms) {
        wait = oldest + link->options.command_ms - now;
    } else if (link->grace_for != link->ring.taken + 1) {
        link->grace_for = link->ring.taken + 1;
        wait = GRACE_MS;
    } else {
        link_late(link);
        return;
    }
    uv_timer_start(timer, on_timer, wait, 0);
}

/* ---- the beginning ---- */

static void on_connected(uv_connect_t *request, int status)
{
    struct redis_link *link = request->data;
    if (link->state != LINK_CONNECTING)
        return;
    if (status == 0)
        status = uv_read_start(&link->socket.stream, on_alloc, on_read);
    if (status != 0) {
        link_lost(link, "connect", status);
        return;
    }
    link->state = LINK_UP;
    link->last_read = uv_now(link->loop);
    uv_timer_start(&link->timer, on_timer, link->options.command_ms, 0);
    link->options.on_up(link->options.ctx);
}

static void link_connect_tcp(struct redis_link *link, const struct sockaddr *addr)
{
    /* Neither can fail in a way that matters: a connection without them still works. */
    uv_tcp_nodelay(&link->socket.tcp, 1);
    uv_tcp_keepalive(&link->socket.tcp, 1, 15);
    int rc = uv_tcp_connect(&link->connect, &link->socket.tcp, addr, on_connected);
    if (rc != 0)
        link_lost(link, "connect", rc);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct redis_link *link = request->data;
    link->resolving = false;
    if (link->state == LINK_CONNECTING && status != 0)
        link_lost(link, "resolve the name", status);
    else if (link->state == LINK_CONNECTING)
        link_connect_tcp(link, found->ai_addr);
    uv_freeaddrinfo(found);
    link_free_when_done(link);
}

static int link_start(struct redis_link *link)
{
    const struct redis_endpoint *at = &link->options.endpoint;
    if (at->unix_socket) {
        uv_pipe_connect(&link->connect, &link->socket.pipe, at->host, on_connected);
        return 0;
    }
    char port[16];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof(port), "%d", at->port);
    int rc = uv_getaddrinfo(link->loop, &link->resolve, on_resolved, at->host, port, &hints);
    link->resolving = rc == 0;
    return rc;
}

static void link_init_handles(struct redis_link *link)
{
    uv_loop_t *loop = link->loop;
    if (link->options.endpoint.unix_socket)
        CHECK(uv_pipe_init(loop, &link->socket.pipe, 0) == 0);
    else
        CHECK(uv_tcp_init(loop, &link->socket.tcp) == 0);
    CHECK(uv_timer_init(loop, &link->timer) == 0);
    CHECK(uv_prepare_init(loop, &link->prepare) == 0);
    link->socket.handle.data = link;
    link->timer.data = link;
    link->prepare.data = link;
    link->connect.data = link;
    link->resolve.data = link;
    link->write.data = link;
}

struct redis_link *redis_link_open(uv_loop_t *loop, const struct redis_link_options *options,
                                   struct err *err)
{
    struct redis_link *link = mem_zalloc(1, sizeof(*link));
    struct reply_reader *reader = reply_reader_new(LIMIT_REDIS_REPLY_BYTES);
    if (link == NULL || reader == NULL) {
        mem_free(link);
        reply_reader_free(&reader);
        err_set(err, ERR_NOMEM, "no memory for a Redis connection");
        return NULL;
    }
    link->loop = loop;
    link->options = *options;
    link->reader = reader;
    link->out.limit = LIMIT_REDIS_UNSENT_BYTES;
    link->sending.limit = LIMIT_REDIS_UNSENT_BYTES;
    link_init_handles(link);
    int rc = link_start(link);
    if (rc != 0) {
        err_set(err, ERR_UNAVAILABLE, "Redis at %s: %s", options->endpoint.host, uv_strerror(rc));
        redis_link_close(&link);
        return NULL;
    }
    uv_timer_start(&link->timer, on_timer, options->connect_ms, 0);
    return link;
}
