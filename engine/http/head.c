/*
 * Two readers of one request (a proxy and us) must never disagree about where it ends or whom it is
 * for: that is how requests are smuggled. RFC 9112 leaves several doubtful forms to the taste of
 * the recipient; all of them are refused here with 400, and the connection is closed:
 *
 *   - anything but exactly one space between the three parts of the request line;
 *   - no Host in HTTP/1.1, two of them, or one that is no host;
 *   - an absolute target for another host than the Host line's;
 *   - Content-Length twice, as a list, not plain digits, or together with Transfer-Encoding;
 *   - Transfer-Encoding twice, in HTTP/1.0, or other than exactly "chunked";
 *   - two Content-Type lines;
 *   - a target whose escapes are broken, stand for NUL, or do not decode to UTF-8.
 *
 * A method that llhttp does not know is 501, a version other than 1.0 and 1.1 is 505.
 */
#include "engine/http/head.h"

#include "engine/base/utf.h"

#include <llhttp.h>
#include <string.h>

static int refuse(struct http_refusal *refusal, int status, const char *name, const char *detail)
{
    *refusal = (struct http_refusal){status, name, detail};
    return -1;
}

static int refuse_bad(struct http_refusal *refusal, const char *detail)
{
    return refuse(refusal, 400, "bad-request", detail);
}

static int refuse_ambiguous(struct http_refusal *refusal, const char *detail)
{
    return refuse(refusal, 400, "ambiguous-request", detail);
}

int http_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int http_unescape(struct span text, bool plus, struct arena *arena, struct span *out)
{
    *out = text;
    if (span_find_char(text, '%') >= 0 || (plus && span_find_char(text, '+') >= 0)) {
        char *to = arena_alloc(arena, text.len);
        if (to == NULL)
            return -1;
        size_t n = 0;
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            if (c == '%') {
                int hi = text.len - i > 2 ? http_hex_value(text.ptr[i + 1]) : -1;
                int lo = text.len - i > 2 ? http_hex_value(text.ptr[i + 2]) : -1;
                if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                    return 0;
                c = (char)(hi * 16 + lo);
                i += 2;
            } else if (c == '+' && plus) {
                c = ' ';
            }
            to[n++] = c;
        }
        *out = span_of(to, n);
    }
    return utf8_valid(*out) ? 1 : 0;
}

/* What llhttp tells while it reads the head. */
struct reading {
    struct http_header *headers;
    size_t count, max;
    bool complete;
};

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct reading *reading = llhttp->data;
    if (reading->count == reading->max)
        return HPE_USER;
    reading->headers[reading->count++] = (struct http_header){.name = {at, len}};
    return HPE_OK;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct reading *reading = llhttp->data;
    if (reading->count == 0)
        return HPE_USER;
    struct span *value = &reading->headers[reading->count - 1].value;
    /* The head is one piece of memory, so a value that comes in parts is still one run of it. */
    const char *start = value->ptr == NULL ? at : value->ptr;
    *value = span_trim(span_of(start, (size_t)(at + len - start)));
    return HPE_OK;
}

static int on_complete(llhttp_t *llhttp)
{
    struct reading *reading = llhttp->data;
    reading->complete = true;
    return -1; /* the body is not llhttp's business */
}

static int run_llhttp(struct span head, struct reading *reading, struct http_refusal *refusal)
{
    static const llhttp_settings_t settings = {.on_header_field = on_field,
                                               .on_header_value = on_value,
                                               .on_headers_complete = on_complete};
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = reading;
    llhttp_errno_t error = llhttp_execute(&llhttp, head.ptr, head.len);
    if (reading->complete)
        return 0;
    switch (error) {
    case HPE_INVALID_METHOD:
        return refuse(refusal, 501, "not-implemented", "the method is not known here");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
        return refuse_ambiguous(refusal, "Content-Length must be one plain number, and must not be "
                                         "combined with Transfer-Encoding");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse_ambiguous(refusal, "Transfer-Encoding must be exactly \"chunked\"");
    default:
        return refuse_bad(refusal, "the head does not follow the grammar of HTTP/1.1");
    }
}

static enum http_method method_of(struct span name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET_},
                 {"POST", HTTP_POST_},
                 {"HEAD", HTTP_HEAD_},
                 {"PUT", HTTP_PUT_},
                 {"DELETE", HTTP_DELETE_}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (span_eq(name, span_str(known[i].name)))
            return known[i].method;
    }
    return HTTP_OTHER_;
}

/* Exactly: method SP target SP "HTTP/" digit "." digit CR LF. */
static int read_request_line(struct span line, struct http_request *request, struct http_head *out,
                             struct http_refusal *refusal)
{
    struct span rest = line;
    struct span method = span_cut(&rest, ' ');
    struct span target = span_cut(&rest, ' ');
    struct span version = rest;
    if (method.len == 0 || target.len == 0 || version.len != 8 ||
        !span_starts(version, SPAN("HTTP/")) || version.ptr[6] != '.' || version.ptr[5] < '0' ||
        version.ptr[5] > '9' || version.ptr[7] < '0' || version.ptr[7] > '9')
        return refuse_bad(refusal, "the request line must be: method, one space, target, one "
                                   "space, HTTP version");
    out->http10 = span_eq(version, SPAN("HTTP/1.0"));
    if (!out->http10 && !span_eq(version, SPAN("HTTP/1.1")))
        return refuse(refusal, 505, "version-not-supported", "only HTTP/1.1 and 1.0 are spoken");
    if (span_eq(method, SPAN("CONNECT")))
        return refuse(refusal, 501, "not-implemented", "this server is no proxy");
    request->method = method_of(method);
    request->target = target;
    return 0;
}

static bool is_host(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("-._~:[]", c) != NULL)))
            return false;
    }
    return value.len > 0;
}

/* Splits the target into path and query; an absolute target must name the host of the Host line. */
static int read_target(struct span method, struct span host, struct arena *arena,
                       struct http_request *request, struct http_head *out,
                       struct http_refusal *refusal)
{
    struct span rest = request->target;
    if (rest.ptr[0] != '/') {
        if (span_eq(rest, SPAN("*")) && span_eq(method, SPAN("OPTIONS"))) {
            out->raw_path = request->path = rest;
            return 0;
        }
        ptrdiff_t scheme = span_find(rest, SPAN("://"));
        struct span name = span_sub(rest, 0, scheme < 0 ? 0 : (size_t)scheme);
        if (!span_eq_nocase(name, SPAN("http")) && !span_eq_nocase(name, SPAN("https")))
            return refuse_bad(refusal, "the target must be a path");
        rest = span_sub(rest, name.len + 3, rest.len);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        if (!span_eq_nocase(span_sub(rest, 0, end), host))
            return refuse_ambiguous(refusal, "the target names another host than Host");
        rest = span_sub(rest, end, rest.len);
    }
    if (span_find_char(rest, '#') >= 0)
        return refuse_bad(refusal, "the target must not hold a fragment");
    struct span path = span_cut(&rest, '?');
    out->raw_path = path.len == 0 ? SPAN("/") : path;
    request->query = rest;
    struct span decoded;
    int path_ok = http_unescape(out->raw_path, false, arena, &request->path);
    int query_ok = http_unescape(request->query, true, arena, &decoded);
    if (path_ok == 0 || query_ok == 0)
        return refuse_bad(refusal, "the target holds a broken escape, %00, or what is not UTF-8");
    if (path_ok < 0 || query_ok < 0)
        return refuse(refusal, 503, "unavailable", "not enough memory; try again");
    return 0;
}

static void read_connection(struct span value, bool *close, bool *keep)
{
    while (value.ptr != NULL) {
        struct span token = span_trim(span_cut(&value, ','));
        *close = *close || span_eq_nocase(token, SPAN("close"));
        *keep = *keep || span_eq_nocase(token, SPAN("keep-alive"));
    }
}

/* The lines that decide about framing and about the connection. */
static int read_headers(const struct http_request *request, struct http_head *out,
                        struct span *host, struct http_refusal *refusal)
{
    size_t hosts = 0, lengths = 0, encodings = 0, types = 0;
    bool close = false, keep = false;
    for (size_t i = 0; i < request->header_count; i++) {
        struct span name = request->headers[i].name, value = request->headers[i].value;
        if (span_eq_nocase(name, SPAN("host"))) {
            hosts++;
            *host = value;
        } else if (span_eq_nocase(name, SPAN("content-length"))) {
            if (lengths++ > 0 || span_to_u64(value, INT64_MAX, &out->length) != 0)
                return refuse_ambiguous(refusal, "Content-Length must be one plain number");
        } else if (span_eq_nocase(name, SPAN("transfer-encoding"))) {
            if (encodings++ > 0 || out->http10 || !span_eq_nocase(value, SPAN("chunked")))
                return refuse_ambiguous(refusal, "Transfer-Encoding must be exactly \"chunked\", "
                                                 "once, in HTTP/1.1");
        } else if (span_eq_nocase(name, SPAN("content-type"))) {
            types++;
        } else if (span_eq_nocase(name, SPAN("connection"))) {
            read_connection(value, &close, &keep);
        } else if (span_eq_nocase(name, SPAN("expect")) && !out->http10) {
            bool known = span_eq_nocase(value, SPAN("100-continue"));
            out->expect_continue = out->expect_continue || known;
            out->expect_unknown = out->expect_unknown || !known;
        }
    }
    if (lengths > 0 && encodings > 0)
        return refuse_ambiguous(refusal, "Content-Length and Transfer-Encoding exclude each other");
    if (hosts > 1 || (hosts == 0 && !out->http10) || (hosts == 1 && !is_host(*host)))
        return refuse_ambiguous(refusal, "there must be exactly one Host, and it must name a host");
    if (types > 1)
        return refuse_ambiguous(refusal, "there must not be two Content-Type lines");
    out->has_length = lengths > 0;
    out->chunked = encodings > 0;
    out->keep_alive = !close && (!out->http10 || keep);
    return 0;
}

int http_head_read(struct span head, size_t headers_max, struct arena *arena,
                   struct http_request *request, struct http_head *out,
                   struct http_refusal *refusal)
{
    *out = (struct http_head){0};
    struct span line = span_sub(head, 0, (size_t)span_find_char(head, '\r'));
    if (read_request_line(line, request, out, refusal) != 0)
        return -1;
    size_t lines = 0;
    for (size_t i = 0; i < head.len; i++)
        lines += head.ptr[i] == '\n';
    if (lines - 2 > headers_max)
        return refuse(refusal, 431, "head-too-large", "there are too many header lines");
    struct reading reading = {.max = lines - 2};
    reading.headers = arena_alloc(arena, (lines - 1) * sizeof(*reading.headers));
    if (reading.headers == NULL)
        return refuse(refusal, 503, "unavailable", "not enough memory; try again");
    if (run_llhttp(head, &reading, refusal) != 0)
        return -1;
    for (size_t i = 0; i < reading.count; i++) {
        if (reading.headers[i].name.len == 0)
            return refuse_bad(refusal, "a header line has no name");
    }
    if (reading.count != reading.max)
        return refuse_bad(refusal, "a line of the head is no header line");
    request->headers = reading.headers;
    request->header_count = reading.count;
    struct span host = {NULL, 0};
    if (read_headers(request, out, &host, refusal) != 0)
        return -1;
    struct span method = span_sub(head, 0, (size_t)(request->target.ptr - head.ptr - 1));
    return read_target(method, host, arena, request, out, refusal);
}
