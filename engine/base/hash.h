/*
 * hash: 64- and 128-bit hashes (XXH3) for tables and for telling one body from another.
 *
 * Not cryptographic. Where strangers choose the keys, seed it with hash_seed, drawn once per
 * process.
 */
#ifndef JIESU_BASE_HASH_H
#define JIESU_BASE_HASH_H

#include "engine/base/span.h"

#include <stdint.h>

struct hash128 {
    uint64_t hi, lo;
};

uint64_t hash64(struct span s, uint64_t seed);
/* Stable over processes and versions: it is stored. */
struct hash128 hash128(struct span s);
enum { HASH_HEX_BYTES = 33 };
/* Writes the 32 lower-case hex digits and a NUL; returns out. */
const char *hash128_hex(struct hash128 h, char out[HASH_HEX_BYTES]);
/* A random seed, the same for the life of the process. */
uint64_t hash_seed(void);

#endif
