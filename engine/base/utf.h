/*
 * utf: UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef JIESU_BASE_UTF_H
#define JIESU_BASE_UTF_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
