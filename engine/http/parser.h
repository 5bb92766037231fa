/*
 * parser: HTTP/1.x requests without I/O: feed bytes, pull requests.
 *
 * Feed, then call next; it answers
 *
 *   HTTP_PARSE_MORE     all bytes are used up: feed again
 *   HTTP_PARSE_HEAD     the head is known: http_parser_admit, or refuse and stop
 *   HTTP_PARSE_DONE     the whole request is known: http_parser_reset for the one after it
 *   HTTP_PARSE_REFUSED  see http_parser_refusal; the parser is of no further use
 *
 * How the bytes are cut into pieces makes no difference to what comes out. The head is copied to
 * the arena, the body stays in the parser's buffer until http_parser_reset.
 */
#ifndef JIESU_HTTP_PARSER_H
#define JIESU_HTTP_PARSER_H

#include "engine/base/buf.h"
#include "engine/http/head.h"

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_HEAD, HTTP_PARSE_DONE, HTTP_PARSE_REFUSED };

/* Inside a chunk extension: ;name or ;name=value or ;name="value". */
enum http_extension { HTTP_EXT_NAME, HTTP_EXT_VALUE, HTTP_EXT_QUOTED, HTTP_EXT_QUOTED_END };

enum http_parser_state {
    HTTP_IN_HEAD,
    HTTP_AT_ADMISSION,
    HTTP_IN_BODY,
    HTTP_IN_CHUNK_SIZE,
    HTTP_IN_CHUNK_EXTENSION,
    HTTP_IN_CHUNK_LINE_END,
    HTTP_IN_CHUNK,
    HTTP_IN_CHUNK_END,
    HTTP_IN_TRAILER,
    HTTP_AT_END,
    HTTP_AT_REFUSAL
};

/* Zeroed, with the two limits set, it is ready. All else is its own. */
struct http_parser {
    size_t head_max; /* bytes of request line and header lines; also of trailers and extensions */
    size_t headers_max; /* header lines */

    struct buf in;
    enum http_parser_state state;
    size_t start; /* what stands before it in `in` is used up */
    size_t scan;  /* the next byte to look at */
    size_t line;  /* where the line under the scan begins */
    size_t lines; /* complete lines of this head */
    bool cr;      /* the byte before the scan was CR */
    bool blank;   /* an empty line before the request was skipped */
    bool colon;   /* the trailer line under the scan has its colon */
    struct http_head head;
    size_t body_len; /* body bytes received; they begin at start */
    size_t body_max;
    uint64_t chunk; /* bytes of the chunk still to come; while its size is read, the size */
    size_t digits;  /* of the chunk size */
    enum http_extension extension;
    size_t part;   /* bytes of the extension's name or value, or of the trailer's name, so far */
    char name[24]; /* the beginning of that trailer's name */
    size_t extra;  /* bytes of chunk extensions and trailers so far */
    struct http_refusal refusal;
};

void http_parser_free(struct http_parser *p);
/* Where the next bytes may be put, and how many (> 0); NULL when there is no room: memory is short,
 * or a complete request (HTTP_PARSE_DONE) waits and the bytes behind it fill the buffer. */
char *http_parser_room(struct http_parser *p, size_t *size);
/* n bytes were put there. */
void http_parser_fed(struct http_parser *p, size_t n);
/* Room and fed in one: copies data. 0, or -1 when there is no room. */
int http_parser_feed(struct http_parser *p, const void *data, size_t n);
/* Looks at what was fed. request is filled at HTTP_PARSE_HEAD (all but the body) and completed at
 * HTTP_PARSE_DONE; both calls must be given the same arena and request. */
enum http_parse http_parser_next(struct http_parser *p, struct arena *arena,
                                 struct http_request *request);
/* The head that HTTP_PARSE_HEAD announced. */
const struct http_head *http_parser_head(const struct http_parser *p);
/* Lets the body in, if it has at most body_max bytes. 0, or -1 (refused with 413). */
int http_parser_admit(struct http_parser *p, size_t body_max);
const struct http_refusal *http_parser_refusal(const struct http_parser *p);
/* Forgets the complete request, so that next looks for the one after it. */
void http_parser_reset(struct http_parser *p);
/* True when nothing of the next request has been received, not even an empty line before it. */
bool http_parser_idle(const struct http_parser *p);
/* Bytes received that no complete request has used up. */
size_t http_parser_waiting(const struct http_parser *p);

#endif
