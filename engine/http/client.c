/*
 * One connection, two queues in one list: requests that were sent (answered in their order) come
 * first, requests that wait for the next write behind them.
 *
 * Nothing happens inside http_client_send: it appends to the output and wakes an idle handle, which
 * connects or writes in the loop's next turn. So done is never called from inside send, and all
 * requests of one turn go out in one write.
 *
 * All requests have the same time-out, so the oldest has the earliest deadline and one timer is
 * enough. As answers come in order, a late one holds up all behind it: the connection is given up
 * with it.
 */
#include "engine/http/client.h"

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <llhttp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { READ_BYTES = 65536, OUT_KEPT = 1048576 };

struct pending {
    struct pending *next;
    http_done *done;
    void *ctx;
    uint64_t due_ms;
    bool head_only;
};

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP };

/* The socket and its parser: one per connection, so that a new connection need not wait until uv
 * has closed the old one. It frees itself when closed. */
struct link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct buf sending;
    bool writing;
    struct http_client *client; /* NULL when it was given up */
    llhttp_t llhttp;
    char in[READ_BYTES];
};

struct http_client {
    uv_loop_t *loop;
    struct sockaddr_storage address;
    char host[80]; /* for the Host line, with the port */
    uint32_t timeout_ms;
    uv_idle_t kick;
    uv_timer_t timer;
    struct link *link;
    enum link_state state;
    struct buf out; /* requests not yet written */
    struct pending *first, **last;
    struct pending *unsent; /* the first whose bytes are in out, or NULL */
    size_t pending;
    struct buf body;
    struct buf retry_after;
    struct buf field; /* the name of the header under way, in parts */
    int handles;      /* open: kick and timer */
    bool closed;
};

static void on_kick(uv_idle_t *kick);

static int parse_address(struct http_client *client, const char *host, int port)
{
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    bool v6 = strchr(name, ':') != NULL;
    snprintf(client->host, sizeof(client->host), v6 ? "[%s]:%d" : "%s:%d", name, port);
    return v6 ? uv_ip6_addr(name, port, (struct sockaddr_in6 *)&client->address)
              : uv_ip4_addr(name, port, (struct sockaddr_in *)&client->address);
}

struct http_client *http_client_new(uv_loop_t *loop, const char *host, int port,
                                    uint32_t timeout_ms)
{
    signal(SIGPIPE, SIG_IGN); /* uv writes without MSG_NOSIGNAL */
    struct http_client *client = mem_zalloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    if (parse_address(client, host, port) != 0) {
        mem_free(client);
        return NULL;
    }
    client->loop = loop;
    client->timeout_ms = timeout_ms;
    client->last = &client->first;
    client->body.limit = LIMIT_HTTP_UNSENT_BYTES;
    client->retry_after.limit = 64;
    client->field.limit = 256;
    uv_idle_init(loop, &client->kick);
    uv_timer_init(loop, &client->timer);
    client->kick.data = client->timer.data = client;
    client->handles = 2;
    return client;
}

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    buf_free(&link->sending);
    mem_free(link);
}

/* Gives the connection up. Nothing of it calls back into the client any more. */
static void drop_link(struct http_client *client)
{
    struct link *link = client->link;
    client->state = LINK_DOWN;
    client->link = NULL;
    if (link == NULL)
        return;
    link->client = NULL;
    uv_close((uv_handle_t *)&link->tcp, on_link_closed);
}

static struct pending *take_first(struct http_client *client)
{
    struct pending *p = client->first;
    client->first = p->next;
    if (client->first == NULL)
        client->last = &client->first;
    client->pending--;
    return p;
}

/* The connection is gone: all that was sent fails, and when nothing can be sent (all) also what
 * waits. The list is taken off first, so that a callback may send anew. */
static void fail(struct http_client *client, bool all)
{
    static const struct http_response none = {.status = 0};
    struct pending *failed = NULL, **tail = &failed;
    drop_link(client);
    while (client->first != NULL && (all || client->first != client->unsent)) {
        *tail = take_first(client);
        tail = &(*tail)->next;
        *tail = NULL;
    }
    if (all) {
        client->unsent = NULL;
        buf_clear(&client->out);
    } else if (client->unsent != NULL) {
        uv_idle_start(&client->kick, on_kick);
    }
    while (failed != NULL) {
        struct pending *p = failed;
        failed = p->next;
        p->done(p->ctx, &none);
        mem_free(p);
    }
}

static int on_begin(llhttp_t *llhttp)
{
    struct http_client *client = ((struct link *)llhttp->data)->client;
    buf_clear(&client->body);
    buf_clear(&client->retry_after);
    buf_clear(&client->field);
    return HPE_OK;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    buf_append(&((struct link *)llhttp->data)->client->field, at, len);
    return HPE_OK;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_client *client = ((struct link *)llhttp->data)->client;
    if (span_eq_nocase(buf_view(&client->field), SPAN("retry-after")))
        buf_append(&client->retry_after, at, len);
    return HPE_OK;
}

static int on_value_complete(llhttp_t *llhttp)
{
    buf_clear(&((struct link *)llhttp->data)->client->field);
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_client *client = ((struct link *)llhttp->data)->client;
    if (client->first == client->unsent)
        return -1; /* an answer that nobody asked for */
    return client->first->head_only ? 1 : 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_client *client = ((struct link *)llhttp->data)->client;
    buf_append(&client->body, at, len);
    return buf_ok(&client->body) ? HPE_OK : HPE_USER;
}

static int on_complete(llhttp_t *llhttp)
{
    struct link *link = llhttp->data;
    struct http_client *client = link->client; /* not given up: else nothing is read */
    if (llhttp->status_code < 200)
        return HPE_OK; /* 100 Continue: the answer is still to come */
    struct pending *p = take_first(client);
    struct http_response response = {.status = llhttp->status_code,
                                     .body = buf_view(&client->body),
                                     .retry_after = buf_view(&client->retry_after)};
    p->done(p->ctx, &response);
    mem_free(p);
    /* done may have closed the client, and so given up this link. */
    return client->link == link ? HPE_OK : HPE_USER;
}

static const llhttp_settings_t settings = {.on_message_begin = on_begin,
                                           .on_header_field = on_field,
                                           .on_header_value = on_value,
                                           .on_header_value_complete = on_value_complete,
                                           .on_headers_complete = on_headers_complete,
                                           .on_body = on_body,
                                           .on_message_complete = on_complete};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct link *link = handle->data;
    (void)suggested;
    *out = uv_buf_init(link->in, sizeof(link->in));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece)
{
    struct link *link = stream->data;
    if (link->client == NULL || n == 0)
        return;
    llhttp_errno_t error = HPE_USER;
    if (n > 0)
        error = llhttp_execute(&link->llhttp, piece->base, (size_t)n);
    else if (n == UV_EOF)
        llhttp_finish(&link->llhttp); /* ends an answer that lasts until the connection ends */
    if (link->client != NULL && error != HPE_OK)
        fail(link->client, false);
}

static void on_written(uv_write_t *request, int status)
{
    struct link *link = request->handle->data;
    link->writing = false;
    buf_free(&link->sending);
    if (link->client == NULL)
        return;
    if (status < 0)
        fail(link->client, false);
    else
        on_kick(&link->client->kick);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct link *link = request->handle->data;
    struct http_client *client = link->client;
    if (client == NULL)
        return;
    if (status < 0 || uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read) != 0) {
        fail(client, true);
        return;
    }
    client->state = LINK_UP;
    on_kick(&client->kick);
}

static int start_link(struct http_client *client)
{
    struct link *link = mem_alloc(sizeof(*link));
    if (link == NULL)
        return -1;
    memset(link, 0, offsetof(struct link, in));
    uv_tcp_init(client->loop, &link->tcp);
    link->tcp.data = link;
    link->client = client;
    llhttp_init(&link->llhttp, HTTP_RESPONSE, &settings);
    link->llhttp.data = link;
    client->link = link;
    client->state = LINK_CONNECTING;
    uv_tcp_nodelay(&link->tcp, 1);
    return uv_tcp_connect(&link->connect, &link->tcp, (struct sockaddr *)&client->address,
                          on_connected);
}

/* Everything in out goes to the socket, or to uv; -1 when the connection is broken. */
static int write_out(struct http_client *client)
{
    struct link *link = client->link;
    uv_buf_t piece = uv_buf_init(client->out.data, (unsigned)client->out.len);
    int n = uv_try_write((uv_stream_t *)&link->tcp, &piece, 1);
    if (n < 0 && n != UV_EAGAIN)
        return -1;
    client->unsent = NULL;
    if (n > 0)
        buf_consume(&client->out, (size_t)n);
    if (client->out.len == 0) {
        if (client->out.cap > OUT_KEPT)
            buf_free(&client->out);
        return 0;
    }
    link->sending = client->out;
    client->out = (struct buf){.limit = 0};
    piece = uv_buf_init(link->sending.data, (unsigned)link->sending.len);
    link->writing = true;
    return uv_write(&link->write, (uv_stream_t *)&link->tcp, &piece, 1, on_written);
}

/* Connects when there is no connection, writes when there is. */
static void on_kick(uv_idle_t *kick)
{
    struct http_client *client = kick->data;
    uv_idle_stop(kick);
    if (client->out.len == 0)
        return;
    if (client->state == LINK_DOWN) {
        if (start_link(client) != 0)
            fail(client, true);
    } else if (client->state == LINK_UP && !client->link->writing) {
        if (write_out(client) != 0)
            fail(client, false);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    uint64_t now = uv_now(client->loop);
    while (client->first != NULL && client->first->due_ms <= now)
        fail(client, client->first == client->unsent);
    if (client->first != NULL && !client->closed)
        uv_timer_start(timer, on_timer, client->first->due_ms - now, 0);
}

static void append_request(struct buf *out, const struct http_client *client, const char *method,
                           const char *path, struct span headers, struct span body)
{
    buf_str(out, method);
    buf_char(out, ' ');
    buf_str(out, path);
    buf_str(out, " HTTP/1.1\r\nHost: ");
    buf_str(out, client->host);
    buf_str(out, "\r\n");
    buf_span(out, headers);
    if (body.len > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        buf_str(out, "Content-Length: ");
        buf_u64(out, body.len);
        buf_str(out, "\r\n");
    }
    buf_str(out, "\r\n");
    buf_span(out, body);
}

int http_client_send(struct http_client *client, const char *method, const char *path,
                     struct span headers, struct span body, http_done *done, void *ctx)
{
    struct pending *p = client->closed ? NULL : mem_alloc(sizeof(*p));
    if (p == NULL)
        return -1;
    size_t before = client->out.len;
    append_request(&client->out, client, method, path, headers, body);
    if (!buf_ok(&client->out)) {
        client->out.len = before;
        client->out.failed = false;
        mem_free(p);
        return -1;
    }
    *p = (struct pending){.done = done,
                          .ctx = ctx,
                          .due_ms = uv_now(client->loop) + client->timeout_ms,
                          .head_only = strcmp(method, "HEAD") == 0};
    *client->last = p;
    client->last = &p->next;
    client->pending++;
    if (client->unsent == NULL)
        client->unsent = p;
    uv_idle_start(&client->kick, on_kick);
    if (!uv_is_active((uv_handle_t *)&client->timer))
        uv_timer_start(&client->timer, on_timer, client->timeout_ms, 0);
    return 0;
}

size_t http_client_pending(const struct http_client *client)
{
    return client->pending;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;
    if (--client->handles > 0)
        return;
    buf_free(&client->out);
    buf_free(&client->body);
    buf_free(&client->retry_after);
    buf_free(&client->field);
    mem_free(client);
}

void http_client_close(struct http_client **client_ptr)
{
    struct http_client *client = *client_ptr;
    *client_ptr = NULL;
    if (client == NULL || client->closed)
        return;
    client->closed = true;
    uv_close((uv_handle_t *)&client->kick, on_handle_closed);
    uv_close((uv_handle_t *)&client->timer, on_handle_closed);
    fail(client, true);
}
