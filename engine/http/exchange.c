/*
 * Answers: the functions of http.h that a handler calls on its exchange, and the bytes of a
 * response.
 *
 * A response is appended to the connection's output in one go. When memory is too short for it, a
 * fixed 503 that closes the connection takes its place, and when even that does not fit, the
 * connection is closed: a client never sees half an answer followed by something else.
 */
#include "engine/http/connection.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/metric.h"
#include "engine/http/json_writer.h"

#include <stdio.h>
#include <time.h>

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{200, "OK"},
                 {201, "Created"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {207, "Multi-Status"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {415, "Unsupported Media Type"},
                 {417, "Expectation Failed"},
                 {422, "Unprocessable Content"},
                 {428, "Precondition Required"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].status == status)
            return known[i].text;
    }
    return "Status";
}

/* The Date of this second. */
static const char *date_text(struct http_server *server)
{
    int64_t now = clock_real_ms() / 1000;
    if (now != server->date_s || server->date[0] == '\0') {
        time_t seconds = (time_t)now;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        server->date_s = now;
    }
    return server->date;
}

/* A header's value must not end its line. */
static void append_value(struct buf *out, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        buf_char(out, c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
    }
}

bool http_response_write(struct http_server *server, struct buf *out, const struct http_exchange *x,
                         int status, const char *type, struct span body, bool keep)
{
    size_t before = out->len;
    bool bodiless = status == 204 || status == 304;
    buf_str(out, "HTTP/1.1 ");
    buf_u64(out, (uint64_t)status);
    buf_char(out, ' ');
    buf_str(out, status_text(status));
    buf_str(out, "\r\nDate: ");
    buf_str(out, date_text(server));
    if (!bodiless) {
        if (type != NULL) {
            buf_str(out, "\r\nContent-Type: ");
            buf_str(out, type);
        }
        buf_str(out, "\r\nContent-Length: ");
        buf_u64(out, body.len);
    }
    buf_str(out, "\r\nX-Content-Type-Options: nosniff\r\n");
    if (!keep)
        buf_str(out, "Connection: close\r\n");
    else if (x->connection->work->parser.head.http10)
        buf_str(out, "Connection: keep-alive\r\n");
    for (size_t i = 0; i < x->set_count; i++) {
        buf_span(out, x->set[i].name);
        buf_str(out, ": ");
        append_value(out, x->set[i].value);
        buf_str(out, "\r\n");
    }
    buf_str(out, "\r\n");
    if (!bodiless && x->request.method != HTTP_HEAD_)
        buf_span(out, body);
    if (buf_ok(out))
        return true;
    out->len = before;
    out->failed = false;
    return false;
}

static void on_wait(struct wheel_alarm *alarm)
{
    struct http_exchange *x = HTTP_OWNER(alarm, struct http_exchange, alarm);
    x->on_time(x, x->time_ctx);
}

static void on_late_gone(struct wheel_alarm *alarm)
{
    http_exchange_gone(HTTP_OWNER(alarm, struct http_exchange, gone_alarm));
}

void http_exchange_begin(struct http_connection *c, bool complete)
{
    struct http_exchange *x = &c->work->exchange;
    struct http_request request = x->request;
    *x = (struct http_exchange){.connection = c, .request = request, .complete = complete};
    x->alarm.fire = on_wait;
    x->gone_alarm.fire = on_late_gone;
    c->in_flight = true;
}

void http_exchange_gone(struct http_exchange *x)
{
    if (x->on_gone == NULL || x->notified)
        return;
    x->notified = true;
    x->on_gone(x, x->gone_ctx);
}

bool http_exchange_hurry(struct http_connection *c)
{
    if (!c->in_flight)
        return false;
    struct http_exchange *x = &c->work->exchange;
    struct wheel_alarm *alarm = x->alarm.next != NULL ? &x->alarm : &x->gone_alarm;
    if (alarm->next == NULL)
        return false;
    wheel_clear(&c->server->wheel, alarm);
    alarm->fire(alarm);
    return true;
}

const struct http_request *http_request(const struct http_exchange *x)
{
    return &x->request;
}

void http_set_header(struct http_exchange *x, const char *name, struct span value)
{
    CHECK(x->set_count < HTTP_SET_HEADERS);
    x->set[x->set_count++] = (struct http_header){span_str(name), value};
}

static void count_answer(const struct http_exchange *x, int status)
{
    if (status >= 500)
        metric_add(METRIC_HTTP_5XX, 1);
    else if (status >= 400)
        metric_add(METRIC_HTTP_4XX, 1);
    else
        metric_add(METRIC_HTTP_2XX, 1);
    if (x->request.received_ns != 0)
        metric_time(METRIC_HIST_REQUEST, clock_steady_ns() - x->request.received_ns);
}

void http_respond(struct http_exchange *x, int status, const char *content_type, struct span body)
{
    struct http_connection *c = x->connection;
    struct http_server *server = c->server;
    CHECK(c->in_flight);
    wheel_clear(&server->wheel, &x->alarm);
    wheel_clear(&server->wheel, &x->gone_alarm);
    if (c->phase == HTTP_CLOSED) {
        http_connection_answered(c, false);
        return;
    }
    const struct http_head *head = http_parser_head(&c->work->parser);
    bool keep = x->complete && head->keep_alive && !server->stopping && c->phase == HTTP_OPEN;
    if (!http_response_write(server, &c->work->out, x, status, content_type, body, keep)) {
        struct http_exchange plain = {.connection = c};
        status = 503;
        keep = false;
        if (!http_response_write(server, &c->work->out, &plain, status, NULL, SPAN(""), keep)) {
            c->in_flight = false; /* there is nothing to tell it any more */
            http_connection_close(c);
            return;
        }
    }
    count_answer(x, status);
    http_connection_answered(c, keep);
}

void http_problem(struct http_exchange *x, int status, const char *name, struct span detail,
                  struct span extra)
{
    char type[80];
    struct buf body = {.limit = 0};
    struct json_writer w = json_writer(&body);
    snprintf(type, sizeof(type), "urn:jiesu:problem:%s", name);
    json_open_object(&w);
    json_member_str(&w, "type", type);
    json_member_str(&w, "title", status_text(status));
    json_member_i64(&w, "status", status);
    json_member_string(&w, "detail", detail);
    if (extra.len > 0) {
        buf_char(&body, ',');
        buf_span(&body, extra);
    }
    json_close_object(&w);
    if (buf_ok(&body))
        http_respond(x, status, "application/problem+json", buf_view(&body));
    else
        http_respond(x, status, NULL, SPAN(""));
    buf_free(&body);
}

void http_unavailable(struct http_exchange *x, int retry_after_s, const char *detail)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    http_set_header(x, "Retry-After", span_str(seconds));
    http_problem(x, 503, "unavailable", span_str(detail), SPAN(""));
}

void http_wait(struct http_exchange *x, uint32_t ms,
               void (*on_time)(struct http_exchange *, void *), void *ctx)
{
    x->on_time = on_time;
    x->time_ctx = ctx;
    if (!x->connection->server->drained)
        wheel_set(&x->connection->server->wheel, &x->alarm, ms);
}

void http_on_gone(struct http_exchange *x, void (*on_gone)(struct http_exchange *, void *),
                  void *ctx)
{
    struct http_connection *c = x->connection;
    x->on_gone = on_gone;
    x->gone_ctx = ctx;
    if ((c->eof || c->phase == HTTP_CLOSED) && !c->server->drained)
        wheel_set(&c->server->wheel, &x->gone_alarm, 0);
}
