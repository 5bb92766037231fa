/*
 * When a head is complete its route decides at once what it may send: 404, 405, 417, 411, 415 and
 * 413 are answered before the body is read. If a body was on its way, nothing behind it can be
 * trusted to be a request, so the connection closes after the answer; the same holds after a
 * refused head.
 *
 * Ten thousand connections that each send a batch would fill any memory, so all bodies of the
 * process share a bound. A body's share is its length, or the most it may have when it is chunked,
 * from its admission to the answer.
 */
#include "engine/http/connection.h"

#include "engine/base/check.h"
#include "engine/base/metric.h"
#include "engine/http/router.h"

#include <stdatomic.h>

static atomic_size_t bodies; /* the shares of all servers of the process */

/* Begins the exchange that answers a request before, or without, its body. */
static struct http_exchange *begin_early(struct http_connection *c)
{
    struct http_work *work = c->work;
    const struct http_head *head = http_parser_head(&work->parser);
    bool complete = !head->chunked && head->length == 0;
    if (complete) {
        CHECK(http_parser_admit(&work->parser, 0) == 0);
        CHECK(http_parser_next(&work->parser, work->arena, &work->exchange.request) ==
              HTTP_PARSE_DONE);
    }
    http_exchange_begin(c, complete);
    return &work->exchange;
}

void http_answer_refusal(struct http_connection *c)
{
    const struct http_refusal *refusal = http_parser_refusal(&c->work->parser);
    if (refusal->status == 400)
        metric_add(METRIC_HTTP_REFUSED, 1);
    http_exchange_begin(c, false);
    if (refusal->status == 503)
        http_unavailable(&c->work->exchange, 1, refusal->detail);
    else
        http_problem(&c->work->exchange, refusal->status, refusal->name, span_str(refusal->detail),
                     SPAN(""));
}

/* The route of the request in work->route, or NULL when it was answered because there is none. */
static const struct http_route *find_route(struct http_connection *c)
{
    struct http_work *work = c->work;
    struct http_request *request = &work->exchange.request;
    const struct http_head *head = http_parser_head(&work->parser);
    const struct http_server_options *options = &c->server->options;
    const struct http_route *route = NULL;
    unsigned allow;
    switch (http_route_find(options->routes, options->route_count, request->method, head->raw_path,
                            work->arena, request->params, &route, &allow)) {
    case HTTP_ROUTE_FOUND:
        return route;
    case HTTP_ROUTE_METHOD: {
        struct http_exchange *x = begin_early(c);
        struct span text = http_allow_text(allow, work->arena);
        if (text.ptr != NULL)
            http_set_header(x, "Allow", text);
        http_problem(x, 405, "method-not-allowed", SPAN("the path does not take this method"),
                     SPAN(""));
        return NULL;
    }
    case HTTP_ROUTE_UNKNOWN:
        http_problem(begin_early(c), 404, "not-found", SPAN("there is nothing under this path"),
                     SPAN(""));
        return NULL;
    default:
        http_unavailable(begin_early(c), 1, "not enough memory; try again");
        return NULL;
    }
}

/* The most bytes of body the route takes in the media type of the request, or -1 for 415. */
static int64_t body_bound(const struct http_route *route, const struct http_request *request)
{
    struct span coding = http_header(request, "content-encoding");
    if (coding.len > 0 && !span_eq_nocase(coding, SPAN("identity")))
        return -1;
    if (route->body_max == 0 && route->batch_max == 0)
        return 0;
    if (route->batch_max > 0 && http_is_type(request, "application/x-ndjson"))
        return (int64_t)route->batch_max;
    if (route->type != NULL && !http_is_type(request, route->type))
        return -1;
    return (int64_t)route->body_max;
}

/* Takes the share of a body; false when there is none left. */
static bool take_share(struct http_work *work, size_t share, size_t max)
{
    if (share > 0 && atomic_fetch_add(&bodies, share) + share > max) {
        atomic_fetch_sub(&bodies, share);
        return false;
    }
    work->body_share = share;
    return true;
}

void http_body_release(struct http_work *work)
{
    if (work->body_share > 0)
        atomic_fetch_sub(&bodies, work->body_share);
    work->body_share = 0;
}

/* The head is complete and the body may come: lets it in, or refuses its size. */
static void let_in(struct http_connection *c, size_t bound)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_work *work = c->work;
    const struct http_head *head = http_parser_head(&work->parser);
    size_t share = head->chunked ? bound : (size_t)head->length;
    if (share <= bound && !take_share(work, share, c->server->options.bodies_max))
        http_unavailable(begin_early(c), 1, "too many bodies are on their way; try again");
    else if (http_parser_admit(&work->parser, bound) != 0)
        http_answer_refusal(c);
    else if (head->expect_continue && share > 0 && http_parser_waiting(&work->parser) == 0)
        buf_append(&work->out, go_on, sizeof(go_on) - 1);
}

/* The head is complete: answers it at once, or lets the body in. */
void http_admit(struct http_connection *c)
{
    struct http_work *work = c->work;
    const struct http_head *head = http_parser_head(&work->parser);
    const struct http_route *route = work->route = find_route(c);
    if (route == NULL)
        return;
    bool body = head->chunked || head->length > 0;
    if (head->expect_unknown) {
        http_problem(begin_early(c), 417, "expectation-failed",
                     SPAN("the only expectation that can be met is 100-continue"), SPAN(""));
        return;
    }
    if (!body && !head->has_length && route->body_max > 0 &&
        (route->method == HTTP_POST_ || route->method == HTTP_PUT_)) {
        http_problem(begin_early(c), 411, "length-required",
                     SPAN("give Content-Length, or send the body chunked"), SPAN(""));
        return;
    }
    int64_t bound = body ? body_bound(route, &work->exchange.request) : 0;
    if (bound < 0) {
        struct http_exchange *x = begin_early(c);
        if (route->type != NULL)
            http_set_header(x, "Accept", span_str(route->type));
        http_problem(x, 415, "unsupported-media-type",
                     SPAN("the route does not take this Content-Type or Content-Encoding"),
                     SPAN(""));
        return;
    }
    let_in(c, (size_t)bound);
}
