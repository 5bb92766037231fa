/*
 * The parser walks over every byte once. It finds the end of the head and refuses, on the way, what
 * must not stand in one: a LF without CR or a CR without LF, control bytes, folded lines, white
 * space before the request. The complete head is then one piece of memory and is given to head.c
 * (and llhttp).
 *
 * Bodies are framed here and not by llhttp, which in 8.1 still accepts chunk lines that others read
 * differently (it takes a lone CR for a line end in places, and any bytes as an extension). A
 * chunked body is decoded in place: its pieces are moved together in the buffer, so the body is one
 * span.
 *
 * One CRLF before a request is skipped, as RFC 9112 2.2 advises.
 */
#include "engine/http/parser.h"

#include "engine/base/check.h"

#include <string.h>

enum {
    ROOM_MIN = 2048,    /* less free space than this is enlarged before reading */
    ROOM_FIRST = 16384, /* the buffer's first size */
    ROOM_MOST = 262144, /* enlarged by at most this at a time */
    ROOM_BEHIND = 512,  /* kept behind a complete request, to notice a client that goes away */
    CHUNK_DIGITS = 16
};

static enum http_parse refuse(struct http_parser *p, int status, const char *name,
                              const char *detail)
{
    p->refusal = (struct http_refusal){status, name, detail};
    p->state = HTTP_AT_REFUSAL;
    return HTTP_PARSE_REFUSED;
}

static enum http_parse refuse_bad(struct http_parser *p, const char *detail)
{
    return refuse(p, 400, "ambiguous-request", detail);
}

void http_parser_free(struct http_parser *p)
{
    buf_free(&p->in);
}

/* Moves what is not used up to the front of the buffer. */
static void compact(struct http_parser *p)
{
    buf_consume(&p->in, p->start);
    p->scan -= p->start;
    p->line -= p->start; /* of no use, and may wrap, behind the head */
    p->start = 0;
}

char *http_parser_room(struct http_parser *p, size_t *size)
{
    if (p->state != HTTP_AT_END && p->in.cap - p->in.len < ROOM_MIN) {
        compact(p);
        size_t want = ROOM_MIN;
        if (p->in.cap == 0) {
            want = ROOM_FIRST;
        } else if (p->state == HTTP_IN_BODY) {
            uint64_t left = p->head.length - p->body_len;
            want = left > ROOM_MOST ? ROOM_MOST : (size_t)left + ROOM_BEHIND;
        }
        if (p->in.cap - p->in.len < want && buf_reserve(&p->in, want) == NULL)
            p->in.failed = false; /* what was received still stands */
    }
    *size = p->in.cap - p->in.len;
    return *size == 0 ? NULL : p->in.data + p->in.len;
}

void http_parser_fed(struct http_parser *p, size_t n)
{
    CHECK(n <= p->in.cap - p->in.len);
    p->in.len += n;
}

int http_parser_feed(struct http_parser *p, const void *data, size_t n)
{
    const char *from = data;
    while (n > 0) {
        size_t size;
        char *to = http_parser_room(p, &size);
        if (to == NULL)
            return -1;
        size_t step = n < size ? n : size;
        memcpy(to, from, step);
        http_parser_fed(p, step);
        from += step;
        n -= step;
    }
    return 0;
}

/* 1 at the end of the head, 0 when more bytes are needed, -1 when refused. */
static int scan_line_end(struct http_parser *p)
{
    size_t len = p->scan - 1 - p->line;
    p->cr = false;
    p->line = p->scan + 1;
    if (len > 0) {
        p->lines++;
        return 0;
    }
    if (p->lines > 0)
        return 1;
    if (p->blank) {
        refuse_bad(p, "there are empty lines before the request");
        return -1;
    }
    p->blank = true;
    p->start = p->line;
    return 0;
}

static int scan_head(struct http_parser *p)
{
    for (; p->scan < p->in.len; p->scan++) {
        unsigned char c = (unsigned char)p->in.data[p->scan];
        if (p->scan - p->start >= p->head_max) {
            if (p->lines == 0)
                refuse(p, 414, "target-too-long", "the request line is too long");
            else
                refuse(p, 431, "head-too-large", "the header lines are too long");
            return -1;
        }
        if (c > 0x20 && c != 0x7f && !p->cr)
            continue;
        if (p->cr != (c == '\n')) {
            refuse_bad(p, "the head holds a CR or LF that is no line end");
            return -1;
        }
        if (p->cr) {
            int end = scan_line_end(p);
            if (end != 0) {
                p->scan++;
                return end;
            }
        } else if (c == '\r') {
            p->cr = true;
        } else if (c != ' ' && (c != '\t' || p->lines == 0)) {
            refuse_bad(p, "the head holds a control byte");
            return -1;
        } else if (p->scan == p->line) {
            refuse_bad(p, "a line of the head begins with white space");
            return -1;
        }
    }
    return 0;
}

static enum http_parse read_head(struct http_parser *p, struct arena *arena,
                                 struct http_request *request)
{
    *request = (struct http_request){.arena = arena};
    struct span head = arena_copy(arena, span_of(p->in.data + p->start, p->scan - p->start));
    if (head.ptr == NULL)
        return refuse(p, 503, "unavailable", "not enough memory; try again");
    if (http_head_read(head, p->headers_max, arena, request, &p->head, &p->refusal) != 0) {
        p->state = HTTP_AT_REFUSAL;
        return HTTP_PARSE_REFUSED;
    }
    p->start = p->scan;
    p->state = HTTP_AT_ADMISSION;
    return HTTP_PARSE_HEAD;
}

const struct http_head *http_parser_head(const struct http_parser *p)
{
    return &p->head;
}

const struct http_refusal *http_parser_refusal(const struct http_parser *p)
{
    return &p->refusal;
}

static enum http_parse refuse_size(struct http_parser *p)
{
    return refuse(p, 413, "body-too-large", "the body is larger than this route takes");
}

int http_parser_admit(struct http_parser *p, size_t body_max)
{
    CHECK(p->state == HTTP_AT_ADMISSION);
    p->body_max = body_max;
    if (p->head.length > body_max) {
        refuse_size(p);
        return -1;
    }
    p->state = p->head.chunked ? HTTP_IN_CHUNK_SIZE : HTTP_IN_BODY;
    return 0;
}

static void begin_extension(struct http_parser *p, enum http_extension part)
{
    p->state = HTTP_IN_CHUNK_EXTENSION;
    p->extension = part;
    p->part = 0;
}

/* The byte that ends or continues a chunk's size. */
static void scan_chunk_size(struct http_parser *p, unsigned char c)
{
    int digit = http_hex_value((char)c);
    if (digit >= 0 && p->digits < CHUNK_DIGITS) {
        p->chunk = p->chunk * 16 + (unsigned)digit;
        p->digits++;
        if (p->chunk > p->body_max - p->body_len)
            refuse_size(p);
    } else if (p->digits > 0 && c == '\r') {
        p->state = HTTP_IN_CHUNK_LINE_END;
    } else if (p->digits > 0 && c == ';') {
        begin_extension(p, HTTP_EXT_NAME);
    } else {
        refuse_bad(p, "a chunk size must be hexadecimal digits and end in CR LF");
    }
}

/* Counts a byte of an extension or a trailer; false (and refused) when there are too many. */
static bool count_extra(struct http_parser *p)
{
    if (p->extra++ < p->head_max)
        return true;
    refuse(p, 431, "head-too-large", "the chunk extensions and trailers are too long");
    return false;
}

static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Extensions are checked by their grammar, and ignored. White space and escapes, which readers
 * treat differently, are refused. */
static void scan_extension(struct http_parser *p, unsigned char c)
{
    if (!count_extra(p))
        return;
    bool may_end =
        p->extension == HTTP_EXT_QUOTED_END || (p->extension != HTTP_EXT_QUOTED && p->part > 0);
    if (c == '\r' && may_end)
        p->state = HTTP_IN_CHUNK_LINE_END;
    else if (c == ';' && may_end)
        begin_extension(p, HTTP_EXT_NAME);
    else if (c == '=' && p->extension == HTTP_EXT_NAME && p->part > 0)
        begin_extension(p, HTTP_EXT_VALUE);
    else if (c == '"' && p->extension == HTTP_EXT_VALUE && p->part == 0)
        p->extension = HTTP_EXT_QUOTED;
    else if (c == '"' && p->extension == HTTP_EXT_QUOTED)
        p->extension = HTTP_EXT_QUOTED_END;
    else if (p->extension <= HTTP_EXT_VALUE && is_token(c))
        p->part++;
    else if (p->extension != HTTP_EXT_QUOTED || c < 0x20 || c >= 0x7f || c == '\\')
        refuse_bad(p, "a chunk extension does not follow its grammar");
}

static void scan_chunk_line_end(struct http_parser *p, unsigned char c)
{
    if (c != '\n') {
        refuse_bad(p, "a chunk size must end in CR LF");
        return;
    }
    p->digits = 0;
    p->cr = p->colon = false;
    p->part = 0;
    p->state = p->chunk > 0 ? HTTP_IN_CHUNK : HTTP_IN_TRAILER;
}

/* After a chunk's bytes: CR LF and nothing else. */
static void scan_chunk_end(struct http_parser *p, unsigned char c)
{
    if (c != (p->cr ? '\n' : '\r')) {
        refuse_bad(p, "a chunk must end in CR LF");
        return;
    }
    if (p->cr)
        p->state = HTTP_IN_CHUNK_SIZE;
    p->cr = !p->cr;
}

/* The end of a trailer's name. A field that frames or routes a message has no business behind it.
 */
static void end_trailer_name(struct http_parser *p)
{
    struct span name = span_of(p->name, p->part < sizeof(p->name) ? p->part : sizeof(p->name));
    p->colon = true;
    if (span_eq_nocase(name, SPAN("content-length")) ||
        span_eq_nocase(name, SPAN("transfer-encoding")) || span_eq_nocase(name, SPAN("host")))
        refuse_bad(p, "Content-Length, Transfer-Encoding and Host must not be trailers");
}

/* Trailers are checked as header lines are, and forgotten. */
static void scan_trailer(struct http_parser *p, unsigned char c)
{
    if (p->cr) {
        bool empty = p->part == 0;
        if (c != '\n' || (!empty && !p->colon))
            refuse_bad(p, "a trailer line must be name, colon, value and end in CR LF");
        else if (empty)
            p->state = HTTP_AT_END;
        p->cr = p->colon = false;
        p->part = 0;
        return;
    }
    if (!count_extra(p))
        return;
    if (c == '\r') {
        p->cr = true;
    } else if (!p->colon && c == ':' && p->part > 0) {
        end_trailer_name(p);
    } else if (!p->colon && is_token(c)) {
        if (p->part < sizeof(p->name))
            p->name[p->part] = (char)c;
        p->part++;
    } else if (!p->colon || (c < 0x20 && c != '\t') || c == 0x7f) {
        refuse_bad(p, "a trailer line must be name, colon, value and end in CR LF");
    }
}

/* Takes the next bytes of a chunk to the end of the body. */
static void take_chunk(struct http_parser *p)
{
    size_t have = p->in.len - p->scan;
    size_t step = p->chunk < have ? (size_t)p->chunk : have;
    memmove(p->in.data + p->start + p->body_len, p->in.data + p->scan, step);
    p->body_len += step;
    p->scan += step;
    p->chunk -= step;
    if (p->chunk == 0)
        p->state = HTTP_IN_CHUNK_END;
}

static void scan_chunked(struct http_parser *p)
{
    while (p->scan < p->in.len && p->state < HTTP_AT_END) {
        if (p->state == HTTP_IN_CHUNK) {
            take_chunk(p);
            continue;
        }
        unsigned char c = (unsigned char)p->in.data[p->scan];
        if (p->state == HTTP_IN_CHUNK_SIZE)
            scan_chunk_size(p, c);
        else if (p->state == HTTP_IN_CHUNK_EXTENSION)
            scan_extension(p, c);
        else if (p->state == HTTP_IN_CHUNK_LINE_END)
            scan_chunk_line_end(p, c);
        else if (p->state == HTTP_IN_CHUNK_END)
            scan_chunk_end(p, c);
        else
            scan_trailer(p, c);
        p->scan++;
    }
    if (p->state < HTTP_AT_END) {
        /* All is looked at: what lies between the body and the scan was framing. */
        p->scan = p->in.len = p->start + p->body_len;
    }
}

static void take_body(struct http_parser *p)
{
    size_t have = p->in.len - p->start;
    p->body_len = have < p->head.length ? have : (size_t)p->head.length;
    p->scan = p->start + p->body_len;
    if (p->body_len == p->head.length)
        p->state = HTTP_AT_END;
}

static enum http_parse finish(struct http_parser *p, struct http_request *request)
{
    if (p->in.cap - p->in.len < ROOM_BEHIND && buf_reserve(&p->in, ROOM_BEHIND) == NULL)
        p->in.failed = false;
    if (p->body_len > 0)
        request->body = span_of(p->in.data + p->start, p->body_len);
    return HTTP_PARSE_DONE;
}

enum http_parse http_parser_next(struct http_parser *p, struct arena *arena,
                                 struct http_request *request)
{
    CHECK(p->state != HTTP_AT_ADMISSION);
    if (p->state == HTTP_IN_HEAD) {
        int end = scan_head(p);
        if (end > 0)
            return read_head(p, arena, request);
    } else if (p->state == HTTP_IN_BODY) {
        take_body(p);
    } else if (p->state < HTTP_AT_END) {
        scan_chunked(p);
    }
    if (p->state == HTTP_AT_REFUSAL)
        return HTTP_PARSE_REFUSED;
    return p->state == HTTP_AT_END ? finish(p, request) : HTTP_PARSE_MORE;
}

void http_parser_reset(struct http_parser *p)
{
    CHECK(p->state == HTTP_AT_END);
    p->start = p->scan;
    p->state = HTTP_IN_HEAD;
    p->line = p->scan;
    p->lines = 0;
    p->cr = p->blank = false;
    p->body_len = p->extra = p->digits = 0;
    p->chunk = 0;
    if (p->start < p->in.len)
        return;
    p->in.len = p->start = p->scan = p->line = 0;
    if (p->in.cap > ROOM_MOST)
        buf_free(&p->in); /* it held a batch; what comes next is most likely small */
}

bool http_parser_idle(const struct http_parser *p)
{
    return p->state == HTTP_IN_HEAD && p->in.len == p->start && !p->blank;
}

size_t http_parser_waiting(const struct http_parser *p)
{
    return p->in.len - (p->state == HTTP_AT_END ? p->scan : p->start);
}
