/*
 * random: bytes that cannot be guessed (getrandom), and a small seeded generator for tests, jitter
 * and load (splitmix64, Steele et al. 2014), which can.
 */
#ifndef JIESU_BASE_RANDOM_H
#define JIESU_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills out with len unguessable bytes. Buffers per thread, so it is cheap for ids. */
void random_bytes(void *out, size_t len);

struct random {
    uint64_t state;
};

/* The next 64 bits. */
uint64_t random_next(struct random *r);
/* Uniform in [0, bound), bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);

#endif
