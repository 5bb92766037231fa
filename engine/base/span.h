/*
 * span: a borrowed run of bytes. It owns nothing and need not end in NUL.
 */
#ifndef JIESU_BASE_SPAN_H
#define JIESU_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* A span over a string literal. */
#define SPAN(lit) ((struct span){("" lit), sizeof(lit) - 1})
/* For printf's "%.*s". */
#define SPAN_ARG(s) ((int)(s).len), ((s).ptr == NULL ? "" : (s).ptr)

/* The first few are inline: they stand on every hot path, and span_str of a literal costs nothing then. */
static inline struct span span_of(const char *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/* Over a NUL-terminated string; NULL gives the empty span. */
static inline struct span span_str(const char *str)
{
    return span_of(str, str == NULL ? 0 : strlen(str));
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII case-insensitive equality. */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
/* memcmp order, shorter first on a tie: <0, 0, >0. */
int span_cmp(struct span a, struct span b);
/* Without ASCII white space at both ends. */
struct span span_trim(struct span s);
/* Bytes [from, to) of s; bounds are clamped to s. */
static inline struct span span_sub(struct span s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    /* With from at 0 nothing is added to a pointer that may be NULL. */
    return from == 0 ? span_of(s.ptr, to) : span_of(s.ptr + from, to - from);
}
/* Index of the first byte c, or -1. */
ptrdiff_t span_find_char(struct span s, char c);
/* Index of the first occurrence of needle, or -1. */
ptrdiff_t span_find(struct span s, struct span needle);
/* Cuts *rest at the first sep: returns what stands before, *rest becomes what stands after. With no
 * sep the whole of *rest is returned and *rest becomes the empty span with a NULL ptr. */
struct span span_cut(struct span *rest, char sep);
/* Whether word is one of those that stand in list with sep between them. An empty one counts where
 * another follows: "a,,b" and ",a" have it; "a," and the empty list do not. */
bool span_has_word(struct span list, char sep, struct span word);
/* Decimal digits only, whole span. 0 and *out, or -1 when empty, not digits, or over max. */
int span_to_u64(struct span s, uint64_t max, uint64_t *out);
/* A decimal number such as -12.5 or 1e-3, whole span. 0 and *out, or -1. Not inf, not nan. */
int span_to_double(struct span s, double *out);

#endif
