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

/* The bytes that stand for themselves, from s.ptr[from] on: how far they reach. */
static size_t plain_run(struct span s, size_t from)
{
    size_t i = from;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
            break;
        i++;
    }
    return i;
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

static void write_quoted(struct buf *out, struct span s)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.len;) {
        size_t run = plain_run(s, i);
        if (run > i) {
            buf_append(out, s.ptr + i, run - i);
            i = run;
            continue;
        }
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80) {
            write_escape(out, c);
            i++;
            continue;
        }
        /* A run of valid characters in one piece; the first bad byte becomes U+FFFD. */
        struct span rest = span_sub(s, i, s.len);
        size_t n = 0, step;
        uint32_t cp;
        while (n < rest.len && (unsigned char)rest.ptr[n] >= 0x80 &&
               (step = utf8_decode(span_sub(rest, n, rest.len), &cp)) > 0)
            n += step;
        if (n > 0)
            buf_append(out, rest.ptr, n);
        else
            buf_append(out, "\xef\xbf\xbd", 3);
        i += n > 0 ? n : 1;
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

void json_write_double(struct json_writer *w, double d)
{
    if (!isfinite(d)) {
        json_write_null(w);
        return;
    }
    before_value(w);
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
