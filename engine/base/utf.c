/*
 * Validation has two fast paths, for what our texts are made of: eight ASCII bytes at once, and two
 * three-byte characters (all of Han in the basic plane) at once. Whatever they do not recognise is
 * decoded one character at a time by the table of RFC 3629, section 4.
 */
#include "engine/base/utf.h"

#include <string.h>

static uint64_t load8(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

size_t utf8_valid_prefix(struct span s)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;
    size_t at = 0;
    while (at < s.len) {
        while (s.len - at >= 8) {
            if (utf8_is_ascii8(load8(bytes + at)))
                at += 8;
            else if (utf8_is_two_of_three(s.ptr + at))
                at += 6;
            else
                break;
        }
        if (at == s.len)
            break;
        if (bytes[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t cp;
        size_t len = utf8_decode(span_sub(s, at, s.len), &cp);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

bool utf8_valid(struct span s)
{
    return utf8_valid_prefix(s) == s.len;
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_length(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += !is_continuation((unsigned char)s.ptr[i]);
    return n;
}

size_t utf8_decode(struct span s, uint32_t *cp)
{
    if (s.len == 0)
        return 0;
    const unsigned char *b = (const unsigned char *)s.ptr;
    unsigned lead = b[0];
    if (lead < 0x80) {
        *cp = lead;
        return 1;
    }
    /* C0 and C1 would be overlong; above F4 lies nothing. */
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0) {
        if (s.len < 2 || !is_continuation(b[1]))
            return 0;
        *cp = (lead & 0x1Fu) << 6 | (b[1] & 0x3Fu);
        return 2;
    }
    if (lead < 0xF0) {
        if (s.len < 3 || !is_continuation(b[1]) || !is_continuation(b[2]))
            return 0;
        *cp = (lead & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
        return *cp < 0x800 || (*cp >= 0xD800 && *cp <= 0xDFFF) ? 0 : 3;
    }
    if (s.len < 4 || !is_continuation(b[1]) || !is_continuation(b[2]) || !is_continuation(b[3]))
        return 0;
    *cp = (lead & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
    return *cp < 0x10000 || *cp > 0x10FFFF ? 0 : 4;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF)
            return 0;
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF)
        return 0;
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

struct span utf8_prefix(struct span s, size_t max)
{
    if (s.len <= max)
        return s;
    size_t at = 0;
    for (size_t chars = 0; at < s.len; at++) {
        if (!is_continuation((unsigned char)s.ptr[at]) && chars++ == max)
            break;
    }
    return span_sub(s, 0, at);
}

bool utf8_is_blank(struct span s)
{
    const struct span wide = SPAN("\u3000");
    for (s = span_trim(s); span_starts(s, wide);)
        s = span_trim(span_sub(s, wide.len, s.len));
    return s.len == 0;
}
