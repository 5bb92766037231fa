/*
 * redis_discovery: asks the nodes of a Redis Cluster, one after the other, for its map.
 */
#ifndef JIESU_STORE_REDIS_DISCOVERY_H
#define JIESU_STORE_REDIS_DISCOVERY_H

#include "engine/store/redis_slots.h"

struct redis_discovery;

struct redis_discovery_options {
    const struct redis_target *target; /* seeds and credentials; outlives the discovery */
    uint32_t connect_ms, command_ms;
    /* A map was read; borrowed. It may be incomplete. */
    void (*on_map)(void *ctx, const struct redis_slots *slots);
    void *ctx;
};

struct redis_discovery *redis_discovery_new(uv_loop_t *loop,
                                            const struct redis_discovery_options *options,
                                            struct err *err);
/* Asks for a map soon: at once the first time, with growing delays while it is called again and
 * again. Does nothing while a question is under way. */
void redis_discovery_ask(struct redis_discovery *discovery);
/* The trouble is over: the next question is asked at once. */
void redis_discovery_settle(struct redis_discovery *discovery);
/* From any callback. Sets *discovery to NULL. */
void redis_discovery_close(struct redis_discovery **discovery);

#endif
