/*
 * random_bytes draws from the kernel in blocks, one per thread, so that an id costs a copy and not
 * a system call. Bytes that were given out are wiped. A fork would hand the same block to both
 * processes, so every fork makes the blocks of the child stale.
 */
#include "engine/base/random.h"

#include "engine/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_BYTES 512

static unsigned forks; /* written only while the child has one thread */

static _Thread_local struct {
    unsigned char bytes[BLOCK_BYTES];
    size_t left; /* unused bytes, at the end */
    unsigned forks;
} block;

static void count_fork(void)
{
    forks++;
}

static void watch_forks(void)
{
    CHECK(pthread_atfork(NULL, NULL, count_fork) == 0);
}

static void draw(void *out, size_t len)
{
    unsigned char *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        /* Without the kernel's generator no id is safe, and it cannot fail once it was seeded. */
        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void random_bytes(void *out, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    if (len > BLOCK_BYTES / 2) {
        draw(out, len);
        return;
    }
    if (block.left < len || block.forks != forks) {
        draw(block.bytes, sizeof(block.bytes));
        block.left = sizeof(block.bytes);
        block.forks = forks;
    }
    unsigned char *from = block.bytes + sizeof(block.bytes) - block.left;
    if (len > 0)
        memcpy(out, from, len);
    explicit_bzero(from, len);
    block.left -= len;
}

uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t random_below(struct random *r, uint64_t bound)
{
    /* Values below 2^64 mod bound are drawn again, so that every remainder is equally likely. */
    uint64_t least = (0 - bound) % bound;
    uint64_t n = random_next(r);
    while (n < least)
        n = random_next(r);
    return n % bound;
}
