/*
 * One connection: bytes in, answers out, in order.
 *
 * connection_advance is the heart: while no exchange is in flight it pulls the next event from the
 * parser and acts on it. It runs after bytes came in, after an answer, and after output drained.
 * When it has done what can be done, connection_settle writes the output, decides whether to read
 * on, sets the deadlines and gives the workspace back when the connection is idle.
 *
 * Closing. A close with unread input would make the kernel send a reset, which can destroy the
 * answer on its way. So our side is shut first, and input is thrown away until the client shuts its
 * side, or sends more than LIMIT_HTTP_LINGER_BYTES, or takes longer than LIMIT_HTTP_LINGER_MS.
 *
 * Bounds. While an answer is awaited, input is read only into the space left in the buffer. While
 * more than PAUSE_BYTES wait for a slow reader, no further request is handed out and nothing is
 * read.
 */
#include "engine/http/connection.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

enum {
    FLUSH_BYTES = 32768, /* output of a pipeline is written when it reaches this */
    PAUSE_BYTES = 65536,
    GRACE_MS = 20 /* at stop: for a request that may be on its way to an idle connection */
};

static void connection_advance(struct http_connection *c);
static void on_read_alarm(struct wheel_alarm *alarm);
static void on_write_alarm(struct wheel_alarm *alarm);

struct http_connection *http_connection_new(struct http_server *server)
{
    struct http_connection *c = mem_zalloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->server = server;
    c->read_alarm.fire = on_read_alarm;
    c->write_alarm.fire = on_write_alarm;
    return c;
}

/* Frees it when its handle is closed and nothing is in flight. */
static void release(struct http_connection *c)
{
    if (!c->handle_closed || c->in_flight)
        return;
    if (c->work != NULL)
        http_work_give(c->server, c->work);
    buf_free(&c->sending);
    http_server_forget(c->server, c);
    mem_free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *c = HTTP_OWNER(handle, struct http_connection, tcp);
    c->handle_closed = true;
    http_server_handle_closed(c->server, c);
    release(c);
}

void http_connection_close(struct http_connection *c)
{
    if (c->phase == HTTP_CLOSED)
        return;
    c->phase = HTTP_CLOSED;
    wheel_clear(&c->server->wheel, &c->read_alarm);
    wheel_clear(&c->server->wheel, &c->write_alarm);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    if (c->in_flight) {
        metric_add(METRIC_HTTP_ABORTED, 1);
        http_exchange_gone(&c->work->exchange);
    }
}

/* Bytes of answers that the kernel has not taken. */
static size_t unsent(const struct http_connection *c)
{
    size_t waiting = c->work == NULL ? 0 : c->work->out.len;
    return waiting +
           (c->writing ? uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) : 0);
}

static void on_written(uv_write_t *request, int status)
{
    struct http_connection *c = HTTP_OWNER(request, struct http_connection, write);
    c->writing = false;
    wheel_clear(&c->server->wheel, &c->write_alarm);
    buf_free(&c->sending);
    if (c->phase == HTTP_CLOSED)
        return;
    if (status < 0)
        http_connection_close(c);
    else
        connection_advance(c);
}

static bool close_when_too_slow(struct http_connection *c)
{
    if (unsent(c) <= c->server->options.unsent_max)
        return false;
    metric_add(METRIC_HTTP_ABORTED, 1);
    http_connection_close(c);
    return true;
}

/* Writes what the kernel takes; the rest is left to uv. */
static void flush(struct http_connection *c)
{
    if (c->work == NULL || c->work->out.len == 0)
        return;
    if (c->writing) {
        close_when_too_slow(c);
        return;
    }
    struct buf *out = &c->work->out;
    uv_buf_t piece = uv_buf_init(out->data, (unsigned)out->len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &piece, 1);
    if (n < 0 && n != UV_EAGAIN) {
        http_connection_close(c);
        return;
    }
    if (n > 0)
        buf_consume(out, (size_t)n);
    if (out->len == 0)
        return;
    if (close_when_too_slow(c))
        return;
    c->sending = *out;
    *out = (struct buf){.limit = 0};
    piece = uv_buf_init(c->sending.data, (unsigned)c->sending.len);
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &piece, 1, on_written) != 0) {
        http_connection_close(c);
        return;
    }
    c->writing = true;
    wheel_set(&c->server->wheel, &c->write_alarm, c->server->options.write_ms);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)request; /* what happens next is decided by the client's side or by the deadline */
    (void)status;
}

/* All is written: shuts our side and waits for the client to shut its own. */
static void linger(struct http_connection *c)
{
    c->phase = HTTP_LINGERING;
    if (c->eof || uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut) != 0) {
        http_connection_close(c);
        return;
    }
    wheel_set(&c->server->wheel, &c->read_alarm, LIMIT_HTTP_LINGER_MS);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_connection *c = HTTP_OWNER(handle, struct http_connection, tcp);
    (void)suggested;
    *out = uv_buf_init(NULL, 0);
    if (c->phase == HTTP_LINGERING) {
        *out = uv_buf_init(c->server->discard, sizeof(c->server->discard));
        return;
    }
    if (c->work == NULL && (c->work = http_work_take(c->server)) == NULL)
        return;
    size_t size;
    char *room = http_parser_room(&c->work->parser, &size);
    if (room != NULL)
        *out = uv_buf_init(room, (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece)
{
    struct http_connection *c = HTTP_OWNER(stream, struct http_connection, tcp);
    (void)piece;
    if (c->phase == HTTP_LINGERING) {
        c->lingered += n > 0 ? (size_t)n : 0;
        if (n < 0 || c->lingered > LIMIT_HTTP_LINGER_BYTES)
            http_connection_close(c);
        return;
    }
    if (n > 0) {
        http_parser_fed(&c->work->parser, (size_t)n);
        c->read_ns = clock_steady_ns();
    } else if (n == UV_EOF) {
        c->eof = true;
        if (c->in_flight)
            http_exchange_gone(&c->work->exchange);
    } else if (n < 0 && !(n == UV_ENOBUFS && c->in_flight)) {
        http_connection_close(c);
    }
    connection_advance(c);
}

/* True when so much waits for a slow reader that nothing more is done for it. While the server
 * stops, anything that waits is enough: it must be gone before the connection counts as idle. */
static bool is_paused(const struct http_connection *c)
{
    return unsent(c) > (c->server->stopping ? 0 : PAUSE_BYTES);
}

static void set_reading(struct http_connection *c)
{
    bool want = c->phase == HTTP_LINGERING;
    if (c->phase == HTTP_OPEN && !c->eof && !is_paused(c)) {
        want = !c->in_flight || c->work->parser.in.len < c->work->parser.in.cap;
    }
    if (want == c->reading)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        http_connection_close(c);
}

static enum http_awaiting what_is_awaited(const struct http_connection *c)
{
    if (c->phase != HTTP_OPEN || c->in_flight || is_paused(c))
        return HTTP_AWAIT_NOTHING;
    if (c->work == NULL || http_parser_idle(&c->work->parser))
        return HTTP_AWAIT_NEXT;
    return c->work->parser.state == HTTP_IN_HEAD ? HTTP_AWAIT_HEAD : HTTP_AWAIT_BODY;
}

/* A deadline runs from the moment its wait began; bytes that trickle in do not prolong it. */
static void set_deadline(struct http_connection *c)
{
    enum http_awaiting awaiting = what_is_awaited(c);
    if (c->phase == HTTP_LINGERING || awaiting == c->awaiting)
        return;
    c->awaiting = awaiting;
    const struct http_server_options *options = &c->server->options;
    struct wheel *wheel = &c->server->wheel;
    if (awaiting == HTTP_AWAIT_NOTHING)
        wheel_clear(wheel, &c->read_alarm);
    else if (awaiting == HTTP_AWAIT_NEXT)
        wheel_set(wheel, &c->read_alarm, c->server->stopping ? GRACE_MS : options->idle_ms);
    else
        wheel_set(wheel, &c->read_alarm,
                  awaiting == HTTP_AWAIT_HEAD ? options->head_ms : options->body_ms);
}

static void give_work_back(struct http_connection *c)
{
    struct http_work *work = c->work;
    if (work == NULL || c->in_flight || work->out.len > 0)
        return;
    if (c->phase == HTTP_OPEN && !http_parser_idle(&work->parser))
        return;
    c->work = NULL;
    http_work_give(c->server, work);
}

static void connection_settle(struct http_connection *c)
{
    if (c->phase == HTTP_CLOSED)
        return;
    flush(c);
    if (c->phase == HTTP_OPEN && c->eof && !c->in_flight && !is_paused(c))
        c->phase = HTTP_LAST; /* whatever was complete is answered */
    if (c->phase == HTTP_LAST && unsent(c) == 0)
        linger(c);
    if (c->phase == HTTP_CLOSED)
        return;
    set_deadline(c);
    give_work_back(c);
    set_reading(c);
}

static void hand_out(struct http_connection *c)
{
    struct http_work *work = c->work;
    work->exchange.request.received_ns = c->read_ns;
    http_exchange_begin(c, true);
    work->route->handle(&work->exchange, c->server->options.ctx);
}

/* One event of the parser; false when it needs more bytes. */
static bool step(struct http_connection *c)
{
    struct http_work *work = c->work;
    switch (http_parser_next(&work->parser, work->arena, &work->exchange.request)) {
    case HTTP_PARSE_MORE:
        return false;
    case HTTP_PARSE_HEAD:
        http_admit(c);
        break;
    case HTTP_PARSE_DONE:
        hand_out(c);
        break;
    case HTTP_PARSE_REFUSED:
        http_answer_refusal(c);
        break;
    }
    if (c->phase != HTTP_CLOSED && c->work->out.len >= FLUSH_BYTES)
        flush(c);
    return true;
}

static void connection_advance(struct http_connection *c)
{
    if (c->advancing)
        return;
    c->advancing = true;
    /* Writing first, and in step, sees to it that a paused connection has a write under way, whose
     * end comes back here. */
    if (c->phase != HTTP_CLOSED)
        flush(c);
    while (c->phase == HTTP_OPEN && !c->in_flight && c->work != NULL && !is_paused(c)) {
        if (!step(c))
            break;
    }
    c->advancing = false;
    connection_settle(c);
}

void http_connection_answered(struct http_connection *c, bool keep)
{
    struct http_work *work = c->work;
    c->in_flight = false;
    if (c->phase == HTTP_CLOSED) {
        release(c);
        return;
    }
    c->awaiting = HTTP_AWAIT_NOTHING;
    wheel_clear(&c->server->wheel, &c->read_alarm);
    if (keep) {
        http_body_release(work);
        http_parser_reset(&work->parser);
        arena_reset(work->arena);
        work->exchange.request = (struct http_request){.arena = work->arena};
    } else {
        c->phase = HTTP_LAST;
    }
    connection_advance(c);
}

static void on_read_alarm(struct wheel_alarm *alarm)
{
    struct http_connection *c = HTTP_OWNER(alarm, struct http_connection, read_alarm);
    if (c->phase == HTTP_LINGERING || c->awaiting == HTTP_AWAIT_NEXT) {
        http_connection_close(c);
        return;
    }
    metric_add(METRIC_HTTP_TIMEOUT, 1);
    http_exchange_begin(c, false);
    http_problem(&c->work->exchange, 408, "timeout", SPAN("the request did not arrive in time"),
                 SPAN(""));
}

static void on_write_alarm(struct wheel_alarm *alarm)
{
    metric_add(METRIC_HTTP_TIMEOUT, 1);
    http_connection_close(HTTP_OWNER(alarm, struct http_connection, write_alarm));
}

void http_connection_drain(struct http_connection *c)
{
    if (c->phase != HTTP_OPEN || c->awaiting != HTTP_AWAIT_NEXT)
        return;
    c->awaiting = HTTP_AWAIT_NOTHING;
    wheel_clear(&c->server->wheel, &c->read_alarm);
    set_deadline(c);
}

void http_connection_start(struct http_connection *c)
{
    uv_tcp_nodelay(&c->tcp, 1);
    if (!c->refused) {
        /* The first head is waited for as long as any head, not as long as an idle connection. */
        c->awaiting = HTTP_AWAIT_NEXT;
        wheel_set(&c->server->wheel, &c->read_alarm, c->server->options.head_ms);
        connection_settle(c);
        return;
    }
    c->work = http_work_take(c->server);
    if (c->work == NULL) {
        http_connection_close(c);
        return;
    }
    http_exchange_begin(c, false);
    http_unavailable(&c->work->exchange, 1, "too many connections are open; try again");
}
