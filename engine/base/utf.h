/*
 * utf: UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef JIESU_BASE_UTF_H
#define JIESU_BASE_UTF_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Index of the first byte that is not valid UTF-8, or s.len when all is. */
size_t utf8_valid_prefix(struct span s);
bool utf8_valid(struct span s);
/* Code points in s, which must be valid. */
size_t utf8_length(struct span s);
/* Decodes one code point at s.ptr (s.len > 0). Returns its length 1..4 and *cp, or 0 when invalid.
 */
size_t utf8_decode(struct span s, uint32_t *cp);
/* Writes cp as 1..4 bytes to out and returns their number; 0 for a surrogate or above U+10FFFF. */
size_t utf8_encode(uint32_t cp, char out[4]);
/* The longest prefix of s with at most max code points; s must be valid. */
struct span utf8_prefix(struct span s, size_t max);

/* True for spaces only, among them U+3000, the ideographic one; and for nothing. s must be valid. */
bool utf8_is_blank(struct span s);

/* For fast paths. True when all eight bytes of a word are ASCII. */
static inline bool utf8_is_ascii8(uint64_t word)
{
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* True when at, which has eight bytes, begins with two characters of three bytes whose leads are
 * both in E1..EC (all of Han in the basic plane but the last few), the range in which any two
 * continuation bytes are right. */
static inline bool utf8_is_two_of_three(const char *at)
{
    /* Masks as bytes, so that the order of bytes in a word does not matter. */
    static const unsigned char masks[8] = {0xF0, 0xC0, 0xC0, 0xF0, 0xC0, 0xC0, 0, 0};
    static const unsigned char wants[8] = {0xE0, 0x80, 0x80, 0xE0, 0x80, 0x80, 0, 0};
    uint64_t word, mask, want;
    memcpy(&word, at, sizeof(word));
    memcpy(&mask, masks, sizeof(mask));
    memcpy(&want, wants, sizeof(want));
    return (word & mask) == want && (unsigned)(unsigned char)at[0] - 0xE1 <= 0xEC - 0xE1 &&
           (unsigned)(unsigned char)at[3] - 0xE1 <= 0xEC - 0xE1;
}

#endif
