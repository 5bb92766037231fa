#include "engine/base/buf.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BYTES 64

/* Makes cap at least need, doubling so that appending stays linear. */
static bool grow(struct buf *b, size_t need)
{
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < FIRST_BYTES ? FIRST_BYTES : b->cap;
    while (cap < need && cap <= PTRDIFF_MAX / 2)
        cap *= 2;
    char *data = cap < need ? NULL : mem_resize(b->data, cap, 1);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

/* Room for n more bytes of content, within the limit, and for spare bytes behind them. */
static bool make_room(struct buf *b, size_t n, size_t spare)
{
    if (b->failed)
        return false;
    size_t len, need;
    if (__builtin_add_overflow(b->len, n, &len) || __builtin_add_overflow(len, spare, &need) ||
        (b->limit != 0 && len > b->limit)) {
        b->failed = true;
        return false;
    }
    return grow(b, need);
}

void buf_append_slow(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !make_room(b, len, 0))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_span(struct buf *b, struct span s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_str(struct buf *b, const char *str)
{
    buf_append(b, str, strlen(str));
}

void buf_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t n)
{
    if (n >= 0) {
        buf_u64(b, (uint64_t)n);
        return;
    }
    /* One append, so that a buffer at its limit never ends in a lone minus. */
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)n);
    buf_append(b, text, (size_t)len);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (b->failed)
        return;
    va_list args;
    va_start(args, fmt);
    size_t room = b->cap - b->len;
    int n = vsnprintf(room == 0 ? NULL : b->data + b->len, room, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    size_t len = (size_t)n;
    if (!make_room(b, len, 1))
        return;
    if (len >= room) {
        va_start(args, fmt);
        vsnprintf(b->data + b->len, len + 1, fmt, args);
        va_end(args);
    }
    b->len += len;
}

char *buf_reserve(struct buf *b, size_t n)
{
    return make_room(b, n, n == 0 ? 1 : 0) ? b->data + b->len : NULL;
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    if (b->len > 0)
        memmove(b->data, b->data + n, b->len);
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

struct span buf_view(const struct buf *b)
{
    return span_of(b->data, b->len);
}

const char *buf_cstr(struct buf *b)
{
    if (!make_room(b, 0, 1))
        return NULL;
    b->data[b->len] = '\0';
    return b->data;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_free(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.limit = b->limit};
}
