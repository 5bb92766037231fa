#include "tests/http/support.h"

#include "engine/base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static struct support_server *server_of(void *ctx)
{
    struct support_server *s = ctx;
    atomic_fetch_add(&s->requests, 1);
    return s;
}

static void on_hello(struct http_exchange *x, void *ctx)
{
    server_of(ctx);
    http_respond(x, 200, "text/plain; charset=utf-8", SPAN("hello"));
}

static void on_echo(struct http_exchange *x, void *ctx)
{
    server_of(ctx);
    http_respond(x, 200, "application/octet-stream", http_request(x)->body);
}

static void on_params(struct http_exchange *x, void *ctx)
{
    server_of(ctx);
    const struct http_request *r = http_request(x);
    struct span q = http_query(r, "q");
    struct span text = arena_printf(r->arena, "path=%.*s id=%.*s q=%.*s", SPAN_ARG(r->path),
                                    SPAN_ARG(r->params[0]), SPAN_ARG(q));
    http_respond(x, 200, "text/plain", text);
}

static void on_waited(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_respond(x, 200, "text/plain", SPAN("waited"));
}

static void on_wait(struct http_exchange *x, void *ctx)
{
    server_of(ctx);
    struct span ms = http_query(http_request(x), "ms");
    uint64_t n = 0;
    CHECK(span_to_u64(ms, 60000, &n) == 0);
    http_wait(x, 60000, on_waited, ctx);
    http_wait(x, (uint32_t)n, on_waited, ctx);
}

static void on_gone(struct http_exchange *x, void *ctx)
{
    struct support_server *s = ctx;
    http_respond(x, 200, "text/plain", SPAN("nobody reads this"));
    atomic_fetch_add(&s->gone, 1);
}

static void on_poll(struct http_exchange *x, void *ctx)
{
    http_on_gone(x, on_gone, ctx);
    http_wait(x, 30000, on_waited, ctx);
    server_of(ctx);
}

static void on_park(struct http_exchange *x, void *ctx)
{
    struct support_server *s = ctx;
    s->parked = x;
    server_of(ctx);
}

static void on_big(struct http_exchange *x, void *ctx)
{
    server_of(ctx);
    uint64_t n = 0;
    CHECK(span_to_u64(http_query(http_request(x), "n"), 1u << 26, &n) == 0);
    char *body = arena_alloc(http_request(x)->arena, (size_t)n + 1);
    if (body == NULL) {
        http_unavailable(x, 1, "no memory");
        return;
    }
    memset(body, 'b', (size_t)n);
    http_respond(x, 200, "text/plain", span_of(body, (size_t)n));
}

static const struct http_route routes[] = {
    {.method = HTTP_GET_, .pattern = "/hello", .handle = on_hello},
    {.method = HTTP_POST_,
     .pattern = "/echo",
     .handle = on_echo,
     .body_max = SUPPORT_ECHO_MAX,
     .type = "application/json",
     .batch_max = SUPPORT_BATCH_MAX},
    {.method = HTTP_POST_, .pattern = "/any", .handle = on_echo, .body_max = SUPPORT_ANY_MAX},
    {.method = HTTP_GET_, .pattern = "/orders/{id}", .handle = on_params},
    {.method = HTTP_DELETE_, .pattern = "/orders/{id}", .handle = on_params},
    {.method = HTTP_POST_, .pattern = "/orders/{id}/accept", .handle = on_params},
    {.method = HTTP_GET_, .pattern = "/wait", .handle = on_wait},
    {.method = HTTP_GET_, .pattern = "/poll", .handle = on_poll},
    {.method = HTTP_GET_, .pattern = "/park", .handle = on_park},
    {.method = HTTP_GET_, .pattern = "/big", .handle = on_big},
};

static void on_stopped(void *ctx)
{
    struct support_server *s = ctx;
    atomic_store(&s->stopped, 1);
    uv_close((uv_handle_t *)&s->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct support_server *s = wake->data;
    pthread_mutex_lock(&s->lock);
    bool unpark = s->unpark, stop = s->stop;
    s->unpark = s->stop = false;
    pthread_mutex_unlock(&s->lock);
    if (unpark) {
        http_respond(s->parked, 200, "text/plain", SPAN("unparked"));
        s->parked = NULL;
    }
    if (stop)
        http_server_stop(s->server, on_stopped, s);
}

static void *run_loop(void *arg)
{
    struct support_server *s = arg;
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

void support_start(struct support_server *s, const struct http_server_options *options)
{
    struct err err = {.code = ERR_NONE};
    memset(s, 0, sizeof(*s));
    if (options != NULL)
        s->options = *options;
    s->options.host = "127.0.0.1";
    s->options.routes = routes;
    s->options.route_count = sizeof(routes) / sizeof(routes[0]);
    s->options.ctx = s;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    CHECK(uv_loop_init(&s->loop) == 0);
    CHECK(uv_async_init(&s->loop, &s->wake, on_wake) == 0);
    s->wake.data = s;
    s->server = http_server_new(&s->loop, &s->options, &err);
    CHECK(s->server != NULL);
    s->port = http_server_port(s->server);
    CHECK(pthread_create(&s->thread, NULL, run_loop, s) == 0);
}

void support_stop_begin(struct support_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

void support_stop_end(struct support_server *s)
{
    CHECK(pthread_join(s->thread, NULL) == 0);
    CHECK(atomic_load(&s->stopped) == 1);
    http_server_free(&s->server);
    /* An exchange that nobody answered outlives the server; answering it now must be harmless. */
    if (s->parked != NULL)
        http_respond(s->parked, 200, "text/plain", SPAN("too late"));
    CHECK(uv_loop_close(&s->loop) == 0);
    pthread_mutex_destroy(&s->lock);
}

void support_stop(struct support_server *s)
{
    support_stop_begin(s);
    support_stop_end(s);
}

void support_unpark(struct support_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->unpark = true;
    pthread_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

int support_connect(const struct support_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(fd >= 0);
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

void support_send(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server closed: what it said is there to be read */
        p += n;
        len -= (size_t)n;
    }
}

void support_send_str(int fd, const char *text)
{
    support_send(fd, text, strlen(text));
}

/* 1 when bytes were added to left, 0 at the end, -1 on a reset or time-out. */
static int receive(int fd, struct buf *left)
{
    char *room = buf_reserve(left, 65536);
    CHECK(room != NULL);
    ssize_t n = recv(fd, room, 65536, 0);
    if (n <= 0)
        return n == 0 ? 0 : -1;
    left->len += (size_t)n;
    return 1;
}

static size_t content_length(const char *head)
{
    const char *line = strcasestr(head, "\r\nContent-Length:");
    return line == NULL ? 0 : strtoul(line + 17, NULL, 10);
}

void support_read(int fd, struct buf *left, bool head_only, struct support_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    ptrdiff_t end;
    while ((end = span_find(buf_view(left), SPAN("\r\n\r\n"))) < 0) {
        int got = receive(fd, left);
        if (got <= 0) {
            answer->reset = got < 0;
            return;
        }
    }
    buf_append(&answer->head, left->data, (size_t)end + 2);
    CHECK(buf_cstr(&answer->head) != NULL);
    buf_consume(left, (size_t)end + 4);
    CHECK(sscanf(answer->head.data, "HTTP/1.1 %d ", &answer->status) == 1);
    bool bodiless = head_only || answer->status == 204 || answer->status < 200;
    size_t want = bodiless ? 0 : content_length(answer->head.data);
    while (left->len < want) {
        int got = receive(fd, left);
        if (got <= 0) {
            answer->status = 0;
            answer->reset = got < 0;
            return;
        }
    }
    buf_append(&answer->body, left->data, want);
    CHECK(buf_cstr(&answer->body) != NULL);
    buf_consume(left, want);
}

void support_answer_free(struct support_answer *answer)
{
    buf_free(&answer->head);
    buf_free(&answer->body);
}

bool support_at_end(int fd, struct buf *left)
{
    return left->len == 0 && receive(fd, left) == 0;
}

void support_await(atomic_int *counter, int value)
{
    for (int i = 0; i < 5000 && atomic_load(counter) < value; i++)
        usleep(1000);
    CHECK(atomic_load(counter) >= value);
}
