#include "engine/store/redis_ring.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <string.h>

enum { FIRST_SIZE = 64 };

static int ring_grow(struct redis_ring *ring)
{
    size_t size = ring->size == 0 ? FIRST_SIZE : ring->size * 2;
    struct redis_waiting *slots = mem_alloc(size * sizeof(*slots));
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < ring->count; i++)
        slots[i] = ring->slots[(ring->head + i) & (ring->size - 1)];
    mem_free(ring->slots);
    ring->slots = slots;
    ring->size = size;
    ring->head = 0;
    return 0;
}

int redis_ring_push(struct redis_ring *ring, struct redis_waiting waiting, struct err *err)
{
    if (ring->count >= LIMIT_REDIS_QUEUE)
        return err_set(err, ERR_LIMIT, "%d commands wait for Redis already", LIMIT_REDIS_QUEUE);
    if (ring->count == ring->size && ring_grow(ring) != 0)
        return err_set(err, ERR_NOMEM, "no memory for a Redis command");
    ring->slots[(ring->head + ring->count) & (ring->size - 1)] = waiting;
    ring->count++;
    return 0;
}

struct redis_waiting redis_ring_pop(struct redis_ring *ring)
{
    CHECK(ring->count > 0);
    struct redis_waiting waiting = ring->slots[ring->head];
    ring->head = (ring->head + 1) & (ring->size - 1);
    ring->count--;
    ring->taken++;
    return waiting;
}

uint64_t redis_ring_oldest(const struct redis_ring *ring)
{
    CHECK(ring->count > 0);
    return ring->slots[ring->head].sent;
}

void redis_ring_free(struct redis_ring *ring)
{
    mem_free(ring->slots);
    memset(ring, 0, sizeof(*ring));
}
