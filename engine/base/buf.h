/*
 * buf: a growable byte buffer with a sticky failure.
 *
 * After an allocation failed (or the limit was reached) every append does nothing and buf_ok is
 * false, so a writer checks once, at the end. A zeroed struct buf is an empty buffer without a
 * limit.
 */
#ifndef JIESU_BASE_BUF_H
#define JIESU_BASE_BUF_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* owned; not NUL-terminated unless buf_cstr was called */
    size_t len;
    size_t cap;
    size_t limit; /* most bytes it may hold; 0: no limit */
    bool failed;
};

/* What buf_append does when there is no room, or nothing to append. */
void buf_append_slow(struct buf *b, const void *data, size_t len);

static inline void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len > 0 && len <= b->cap - b->len && !b->failed &&
        (b->limit == 0 || b->len + len <= b->limit)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    } else {
        buf_append_slow(b, data, len);
    }
}

void buf_span(struct buf *b, struct span s);
void buf_str(struct buf *b, const char *str);
static inline void buf_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t n);
void buf_i64(struct buf *b, int64_t n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for at least n more bytes: a pointer to data + len, or NULL. The caller adds to b->len. */
char *buf_reserve(struct buf *b, size_t n);
/* Removes the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* True while nothing failed. */
bool buf_ok(const struct buf *b);
/* The bytes as a span; valid until the next change. */
struct span buf_view(const struct buf *b);
/* NUL-terminates and returns the bytes; NULL when memory is short. */
const char *buf_cstr(struct buf *b);
/* Empties it and clears the failure; keeps the memory. */
void buf_clear(struct buf *b);
/* Frees the memory and zeroes all but the limit. */
void buf_free(struct buf *b);

#endif
