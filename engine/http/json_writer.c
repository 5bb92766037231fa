#include "engine/http/json_writer.h"

#include "engine/base/check.h"
#include "engine/base/utf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_writer json_writer(struct buf *out)
{
    return (struct json_writer){.out = out};
}

/* What stands before any value: a comma, unless it is the first of its array or follows a name. */
static void before_value(struct json_writer *w)
{
    if (w->comma && !w->after_key)
        buf_char(w->out, ',');
    w->after_key = false;
    w->comma = true;
}

static void open_with(struct json_writer *w, char c)
{
    before_value(w);
    buf_char(w->out, c);
    w->depth++;
    w->comma = false;
}

static void close_with(struct json_writer *w, char c)
{
    CHECK(w->depth > 0 && !w->after_key);
    buf_char(w->out, c);
    w->depth--;
    w->comma = true;
}

void json_open_object(struct json_writer *w)
{
    open_with(w, '{');
}

void json_close_object(struct json_writer *w)
{
    close_with(w, '}');
}

void json_open_array(struct json_writer *w)
{
    open_with(w, '[');
}

void json_close_array(struct json_writer *w)
{
    close_with(w, ']');
}

static void write_escape(struct buf *out, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = shorts; *p != '\0'; p += 2) {
        if ((unsigned char)p[0] == c) {
            buf_char(out, '\\');
            buf_char(out, p[1]);
            return;
        }
    }
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    buf_append(out, text, sizeof(text));
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Writes valid UTF-8: runs of what stands for itself, and escapes between them. */
static void write_valid(struct buf *out, struct span s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!needs_escape((unsigned char)s.ptr[i]))
            continue;
        buf_append(out, s.ptr + from, i - from);
        write_escape(out, (unsigned char)s.ptr[i]);
        from = i + 1;
    }
    buf_append(out, s.ptr + from, s.len - from);
}

static void write_quoted(struct buf *out, struct span s)
{
    buf_char(out, '"');
    while (s.len > 0) {
        const size_t valid = utf8_valid_prefix(s);
        write_valid(out, span_sub(s, 0, valid));
        /* The first bad byte becomes U+FFFD, and what follows it has its chance. */
        if (valid < s.len)
            buf_append(out, "\xef\xbf\xbd", 3);
        s = span_sub(s, valid + 1, s.len);
    }
    buf_char(out, '"');
}

void json_key(struct json_writer *w, const char *key)
{
    CHECK(w->depth > 0 && !w->after_key);
    if (w->comma)
        buf_char(w->out, ',');
    write_quoted(w->out, span_str(key));
    buf_char(w->out, ':');
    w->after_key = true;
    w->comma = true;
}

void json_write_string(struct json_writer *w, struct span s)
{
    before_value(w);
    write_quoted(w->out, s);
}

void json_write_str(struct json_writer *w, const char *s)
{
    if (s == NULL)
        json_write_null(w);
    else
        json_write_string(w, span_str(s));
}

void json_write_i64(struct json_writer *w, int64_t n)
{
    before_value(w);
    buf_i64(w->out, n);
}

/* Most numbers here are whole, or thousandths: those are written without printf. True when d was
 * one. */
static bool write_short(struct buf *out, double d)
{
    const double scaled = d * 1000;
    if (!(fabs(scaled) < 1e15) || scaled != floor(scaled) || scaled / 1000 != d || d == 0)
        return false;
    const uint64_t n = (uint64_t)fabs(scaled);
    const unsigned rest = (unsigned)(n % 1000);
    if (d < 0)
        buf_char(out, '-');
    buf_u64(out, n / 1000);
    if (rest > 0) {
        const char digits[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                               (char)('0' + rest % 10)};
        buf_append(out, digits, rest % 10 > 0 ? 4 : rest % 100 > 0 ? 3 : 2);
    }
    return true;
}

void json_write_double(struct json_writer *w, double d)
{
    if (!isfinite(d)) {
        json_write_null(w);
        return;
    }
    before_value(w);
    if (write_short(w->out, d))
        return;
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    /* "-0" would read back as the integer 0. */
    buf_str(w->out, d == 0 && signbit(d) ? "-0.0" : text);
}

void json_write_bool(struct json_writer *w, bool b)
{
    before_value(w);
    buf_str(w->out, b ? "true" : "false");
}

void json_write_null(struct json_writer *w)
{
    before_value(w);
    buf_str(w->out, "null");
}

void json_write_raw(struct json_writer *w, struct span json)
{
    before_value(w);
    buf_span(w->out, json);
}

void json_member_string(struct json_writer *w, const char *key, struct span s)
{
    json_key(w, key);
    json_write_string(w, s);
}

void json_member_str(struct json_writer *w, const char *key, const char *s)
{
    json_key(w, key);
    json_write_str(w, s);
}

void json_member_i64(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_write_i64(w, n);
}

void json_member_double(struct json_writer *w, const char *key, double d)
{
    json_key(w, key);
    json_write_double(w, d);
}

void json_member_bool(struct json_writer *w, const char *key, bool b)
{
    json_key(w, key);
    json_write_bool(w, b);
}
