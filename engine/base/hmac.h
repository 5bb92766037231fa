/*
 * hmac: HMAC-SHA256 (RFC 2104, FIPS 180-4), by OpenSSL's libcrypto, which only this module knows.
 */
#ifndef JIESU_BASE_HMAC_H
#define JIESU_BASE_HMAC_H

#include "engine/base/span.h"

enum { HMAC_HEX_BYTES = 65 }; /* 64 digits and a NUL */

/* Writes the code of data under key as lower-case hex digits, NUL-terminated. 0, or -1 when memory
 * is short. */
int hmac_sha256(struct span key, struct span data, char hex[HMAC_HEX_BYTES]);

#endif
