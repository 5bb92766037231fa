/*
 * http: the words that the server, the router and the handlers share: a request, and the exchange
 * in which it is answered.
 *
 * A handler is called on its loop when the whole request has been received. It answers at once or
 * later, but on the same loop, and exactly once. Requests of one connection are answered in their
 * order: the next one of a pipeline is handed out when this one is answered. When the client goes
 * away first, the exchange stays valid until the handler answers; the answer is then dropped.
 */
#ifndef JIESU_HTTP_HTTP_H
#define JIESU_HTTP_HTTP_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method { HTTP_GET_, HTTP_HEAD_, HTTP_POST_, HTTP_PUT_, HTTP_DELETE_, HTTP_OTHER_ };

enum { HTTP_PARAMS = 4 };

struct http_header {
    struct span name, value;
};

/* Everything is valid until the exchange is answered. */
struct http_request {
    enum http_method method;
    struct span target;              /* as received */
    struct span path;                /* percent-decoded, without the query */
    struct span query;               /* raw, without '?' */
    struct span params[HTTP_PARAMS]; /* what stood for the {names} of the route's pattern */
    const struct http_header *headers;
    size_t header_count;
    struct span body;
    struct arena *arena;  /* for whatever the handler needs until it answers */
    uint64_t received_ns; /* clock_steady_ns when the last byte was in */
};

struct http_exchange;

typedef void http_handler(struct http_exchange *x, void *ctx);

/* One route. Patterns look like "/v1/orders/{id}/accept". HEAD is answered by GET's handler without
 * the body; a known path with another method gets 405 with Allow. */
struct http_route {
    enum http_method method;
    const char *pattern;
    http_handler *handle;
    size_t body_max;  /* 0: the route takes no body */
    const char *type; /* media type it takes ("application/json"); NULL: any; else 415 */
    size_t batch_max; /* bytes allowed with application/x-ndjson; 0: not taken */
};

const struct http_request *http_request(const struct http_exchange *x);
/* The value of a header (first one, white space trimmed), or an empty span with ptr NULL. */
struct span http_header(const struct http_request *r, const char *name);
/* True when the request's media type (without parameters) is type. */
bool http_is_type(const struct http_request *r, const char *type);
/* The percent-decoded value of a query parameter (from the request's arena), or ptr NULL. */
struct span http_query(const struct http_request *r, const char *name);

/* Adds a response header; before http_respond. name and value must live until then. */
void http_set_header(struct http_exchange *x, const char *name, struct span value);
/* Answers. The body is copied. After it x must not be used. */
void http_respond(struct http_exchange *x, int status, const char *content_type, struct span body);
/* Answers with application/problem+json (RFC 9457): type "urn:jiesu:problem:<name>", title from the
 * status, detail text, and extra: JSON members to add, such as "\"errors\":[...]", or empty. */
void http_problem(struct http_exchange *x, int status, const char *name, struct span detail,
                  struct span extra);
/* 503 with Retry-After, in seconds. */
void http_unavailable(struct http_exchange *x, int retry_after_s, const char *detail);
/* Calls on_time(x, ctx) on the loop after ms milliseconds unless x was answered before. One at a
 * time: a second call replaces the first. */
void http_wait(struct http_exchange *x, uint32_t ms,
               void (*on_time)(struct http_exchange *, void *), void *ctx);
/* Calls on_gone(x, ctx) when the client goes away before the answer; the handler must still answer
 * (it may do so inside on_gone). For long polls. */
void http_on_gone(struct http_exchange *x, void (*on_gone)(struct http_exchange *, void *),
                  void *ctx);

#endif
