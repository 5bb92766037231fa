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

/* True when one of eight ASCII bytes needs an escape. Each term has a byte's high bit set exactly
 * when, below the first such byte, none was: enough for "any". */
static bool any_needs_escape(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t quote = word ^ ones * '"';
    const uint64_t backslash = word ^ ones * '\\';
    return (((word - ones * 0x20) | (quote - ones) | (backslash - ones)) & ones * 0x80) != 0;
}

/* How much of s stands for itself in a string: valid UTF-8 without anything to escape. */
static size_t plain_prefix(struct span s)
{
    size_t at = 0;
    while (at < s.len) {
        while (s.len - at >= 8) {
            uint64_t word;
            memcpy(&word, s.ptr + at, sizeof word);
            if (utf8_is_ascii8(word) && !any_needs_escape(word))
                at += 8;
            else if (utf8_is_two_of_three(s.ptr + at))
                at += 6;
            else
                break;
        }
        if (at == s.len || needs_escape((unsigned char)s.ptr[at]))
            break;
        uint32_t cp;
        const size_t len =
            (unsigned char)s.ptr[at] < 0x80 ? 1 : utf8_decode(span_sub(s, at, s.len), &cp);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

static void write_quoted(struct buf *out, struct span s)
{
    buf_char(out, '"');
    while (s.len > 0) {
        const size_t plain = plain_prefix(s);
        buf_append(out, s.ptr, plain);
        s = span_sub(s, plain, s.len);
        if (s.len == 0)
            break;
        if (needs_escape((unsigned char)s.ptr[0]))
            write_escape(out, (unsigned char)s.ptr[0]);
        else /* not UTF-8: its first byte becomes U+FFFD, and what follows has its chance */
            buf_append(out, "\xef\xbf\xbd", 3);
        s = span_sub(s, 1, s.len);
    }
    buf_char(out, '"');
}

/* What stands before a name: a comma, unless it is the first of its object. */
static void before_key(struct json_writer *w)
{
    CHECK(w->depth > 0 && !w->after_key);
    if (w->comma)
        buf_char(w->out, ',');
    w->after_key = true;
    w->comma = true;
}

/* Half of what is written is names, so they are copied as they are. */
void json_key(struct json_writer *w, const char *key)
{
    before_key(w);
    buf_char(w->out, '"');
    buf_str(w->out, key);
    buf_append(w->out, "\":", 2);
}

void json_key_text(struct json_writer *w, struct span key)
{
    before_key(w);
    write_quoted(w->out, key);
    buf_char(w->out, ':');
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

void json_write_scalar(struct json_writer *w, struct json value)
{
    switch (json_type(value)) {
    case JSON_NULL:
        json_write_null(w);
        break;
    case JSON_BOOL:
        json_write_bool(w, json_bool(value));
        break;
    case JSON_INTEGER:
        json_write_i64(w, json_integer(value));
        break;
    case JSON_NUMBER:
        json_write_double(w, json_number(value));
        break;
    case JSON_STRING:
        json_write_string(w, json_string(value));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        CHECK(false);
    }
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

void json_member_string_or_null(struct json_writer *w, const char *key, struct span s)
{
    json_key(w, key);
    if (s.len > 0)
        json_write_string(w, s);
    else
        json_write_null(w);
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
