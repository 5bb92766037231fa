/*
 * parse_log: runs the request parser over pieces of input and writes down all that comes out of it,
 * so that two ways to cut the same input can be compared. Shared by the parser's test and its
 * fuzzer.
 */
#ifndef JIESU_TESTS_HTTP_PARSE_LOG_H
#define JIESU_TESTS_HTTP_PARSE_LOG_H

#include "engine/base/check.h"
#include "engine/http/parser.h"

enum { PARSE_LOG_HEAD_MAX = 512, PARSE_LOG_HEADERS_MAX = 8, PARSE_LOG_BODY_MAX = 300 };

struct parse_log {
    struct http_parser parser;
    struct arena *arena;
    struct http_request request;
    struct buf text;
    bool refused;
};

static inline void parse_log_start(struct parse_log *log)
{
    *log = (struct parse_log){
        .parser = {.head_max = PARSE_LOG_HEAD_MAX, .headers_max = PARSE_LOG_HEADERS_MAX}};
    log->arena = arena_new(4096);
    CHECK(log->arena != NULL);
}

static inline void parse_log_head(struct parse_log *log)
{
    const struct http_head *head = http_parser_head(&log->parser);
    const struct http_request *r = &log->request;
    buf_printf(&log->text,
               "head %d [%.*s] [%.*s] [%.*s] 1.0:%d keep:%d len:%d/%llu chunked:%d e:%d%d\n",
               (int)r->method, SPAN_ARG(r->target), SPAN_ARG(r->path), SPAN_ARG(r->query),
               head->http10, head->keep_alive, head->has_length, (unsigned long long)head->length,
               head->chunked, head->expect_continue, head->expect_unknown);
    for (size_t i = 0; i < r->header_count; i++)
        buf_printf(&log->text, "  [%.*s] [%.*s]\n", SPAN_ARG(r->headers[i].name),
                   SPAN_ARG(r->headers[i].value));
}

static inline void parse_log_feed(struct parse_log *log, const void *data, size_t len)
{
    if (log->refused)
        return;
    CHECK(http_parser_feed(&log->parser, data, len) == 0);
    for (;;) {
        switch (http_parser_next(&log->parser, log->arena, &log->request)) {
        case HTTP_PARSE_MORE:
            return;
        case HTTP_PARSE_HEAD:
            parse_log_head(log);
            http_parser_admit(&log->parser, PARSE_LOG_BODY_MAX);
            break;
        case HTTP_PARSE_DONE:
            buf_str(&log->text, "body [");
            buf_span(&log->text, log->request.body);
            buf_str(&log->text, "]\n");
            http_parser_reset(&log->parser);
            arena_reset(log->arena);
            break;
        case HTTP_PARSE_REFUSED:
            buf_printf(&log->text, "refused %d %s: %s\n", http_parser_refusal(&log->parser)->status,
                       http_parser_refusal(&log->parser)->name,
                       http_parser_refusal(&log->parser)->detail);
            log->refused = true;
            return;
        }
    }
}

static inline void parse_log_end(struct parse_log *log)
{
    if (!log->refused)
        buf_printf(&log->text, "waiting %zu\n", http_parser_waiting(&log->parser));
    CHECK(buf_ok(&log->text));
    http_parser_free(&log->parser);
    arena_free(&log->arena);
}

#endif
