#include "engine/base/span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq(span_of(s.ptr, prefix.len), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
    return suffix.len == 0 || (s.len >= suffix.len &&
                               memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span span_trim(struct span s)
{
    size_t from = 0, to = s.len;
    while (from < to && is_space(s.ptr[from]))
        from++;
    while (to > from && is_space(s.ptr[to - 1]))
        to--;
    return span_sub(s, from, to);
}

ptrdiff_t span_find_char(struct span s, char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
    return at == NULL ? -1 : at - s.ptr;
}

ptrdiff_t span_find(struct span s, struct span needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = s.len < needle.len ? NULL : memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at == NULL ? -1 : at - s.ptr;
}

struct span span_cut(struct span *rest, char sep)
{
    struct span whole = *rest;
    ptrdiff_t at = span_find_char(whole, sep);
    if (at < 0) {
        *rest = span_of(NULL, 0);
        return whole;
    }
    *rest = span_sub(whole, (size_t)at + 1, whole.len);
    return span_sub(whole, 0, (size_t)at);
}

bool span_has_word(struct span list, char sep, struct span word)
{
    while (list.len > 0) {
        if (span_eq(span_cut(&list, sep), word))
            return true;
    }
    return false;
}

int span_to_u64(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)((unsigned char)s.ptr[i]) - '0';
        if (digit > 9 || __builtin_mul_overflow(n, UINT64_C(10), &n) ||
            __builtin_add_overflow(n, (uint64_t)digit, &n) || n > max)
            return -1;
    }
    *out = n;
    return 0;
}

/* Steps over digits; false when there is none. */
static bool skip_digits(const char **at)
{
    const char *from = *at;
    while (**at >= '0' && **at <= '9')
        (*at)++;
    return *at > from;
}

/* strtod alone would also take hexadecimal, "inf", "nan", white space and a sign of plus. */
static bool is_decimal(const char *at)
{
    if (*at == '-')
        at++;
    if (!skip_digits(&at))
        return false;
    if (*at == '.') {
        at++;
        if (!skip_digits(&at))
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        if (!skip_digits(&at))
            return false;
    }
    return *at == '\0';
}

int span_to_double(struct span s, double *out)
{
    char text[128];
    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len) != NULL)
        return -1;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (!is_decimal(text))
        return -1;
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return -1;
    *out = value;
    return 0;
}
