/*
 * head: reads the head of one request (request line and header lines, to and with the empty line)
 * when all of it has been received, and refuses what two readers could understand differently.
 *
 * llhttp, compiled strict, checks the grammar; on top of it this refuses what llhttp 8.1 lets
 * through: see head.c. Line ends and control bytes are the business of the parser, which sees them
 * first.
 */
#ifndef JIESU_HTTP_HEAD_H
#define JIESU_HTTP_HEAD_H

#include "engine/http/http.h"

/* Why a request is refused: a status, the name of the problem and a text that quotes nothing of it.
 */
struct http_refusal {
    int status;
    const char *name;
    const char *detail;
};

struct http_head {
    bool http10;          /* the request is HTTP/1.0 */
    bool keep_alive;      /* the connection may serve another request */
    bool has_length;      /* there is a Content-Length */
    bool chunked;         /* Transfer-Encoding: chunked */
    bool expect_continue; /* Expect: 100-continue */
    bool expect_unknown;  /* Expect: something else: 417 */
    uint64_t length;      /* Content-Length, or 0 */
    struct span raw_path; /* the path of the target as received */
};

/* Reads head, which must live as long as the request (its spans point into it): fills method,
 * target, path, query, headers and header_count of *request. headers_max bounds the header lines.
 * 0, or -1 and *refusal; after a refusal the connection must be closed. */
int http_head_read(struct span head, size_t headers_max, struct arena *arena,
                   struct http_request *request, struct http_head *out,
                   struct http_refusal *refusal);

/* The value of a hexadecimal digit in either case, or -1. */
int http_hex_value(char c);
/* Percent-decodes text ('+' becomes a space when plus is set): 1 and *out, which is in the arena
 * unless nothing had to be decoded; 0 when an escape is broken or the result is not UTF-8 or holds
 * NUL; -1 when memory is short. */
int http_unescape(struct span text, bool plus, struct arena *arena, struct span *out);

#endif
