#include "engine/base/hash.h"

#include "engine/base/random.h"

#include <pthread.h>
#include <xxhash.h>

uint64_t hash64(struct span s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.ptr, s.len, seed);
}

struct hash128 hash128(struct span s)
{
    XXH128_hash_t h = XXH3_128bits(s.ptr, s.len);
    return (struct hash128){.hi = h.high64, .lo = h.low64};
}

const char *hash128_hex(struct hash128 h, char out[HASH_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[i] = digits[h.hi >> (60 - 4 * i) & 15];
        out[16 + i] = digits[h.lo >> (60 - 4 * i) & 15];
    }
    out[HASH_HEX_BYTES - 1] = '\0';
    return out;
}

static uint64_t process_seed;

static void draw_seed(void)
{
    random_bytes(&process_seed, sizeof(process_seed));
}

uint64_t hash_seed(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, draw_seed);
    return process_seed;
}
