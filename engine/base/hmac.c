#include "engine/base/hmac.h"

#include "engine/base/check.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SHA256_BYTES = 32 };

int hmac_sha256(struct span key, struct span data, char hex[HMAC_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    static const unsigned char nothing[1] = {0};
    unsigned char code[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    CHECK(key.len <= INT_MAX);
    /* A NULL key would mean the one used before. */
    const void *secret = key.len == 0 ? (const void *)nothing : key.ptr;
    const void *bytes = data.len == 0 ? (const void *)nothing : data.ptr;
    if (HMAC(EVP_sha256(), secret, (int)key.len, bytes, data.len, code, &len) == NULL)
        return -1;
    CHECK(len == SHA256_BYTES);
    for (unsigned i = 0; i < len; i++) {
        hex[2 * i] = digits[code[i] >> 4];
        hex[2 * i + 1] = digits[code[i] & 15];
    }
    hex[HMAC_HEX_BYTES - 1] = '\0';
    return 0;
}
