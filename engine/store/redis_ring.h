/*
 * redis_ring: the commands of one connection that wait for their replies, in order.
 */
#ifndef JIESU_STORE_REDIS_RING_H
#define JIESU_STORE_REDIS_RING_H

#include "engine/base/err.h"
#include "engine/store/redis.h"

#include <stddef.h>
#include <stdint.h>

struct redis_waiting {
    redis_done *done;
    void *ctx;
    uint64_t sent; /* loop time, ms */
};

/* A zeroed one is empty. */
struct redis_ring {
    struct redis_waiting *slots;
    size_t size; /* a power of two */
    size_t head, count;
    uint64_t taken; /* pops so far: tells whether the head has moved */
};

/* 0, or -1 and *err: ERR_LIMIT when LIMIT_REDIS_QUEUE wait, ERR_NOMEM. */
int redis_ring_push(struct redis_ring *ring, struct redis_waiting waiting, struct err *err);
/* The oldest, of a ring that is not empty. */
struct redis_waiting redis_ring_pop(struct redis_ring *ring);
/* When the oldest was sent, of a ring that is not empty. */
uint64_t redis_ring_oldest(const struct redis_ring *ring);
void redis_ring_free(struct redis_ring *ring);

#endif
