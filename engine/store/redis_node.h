/*
 * redis_node: one Redis server that we stay connected with: handshake, back-off, reconnect.
 */
#ifndef JIESU_STORE_REDIS_NODE_H
#define JIESU_STORE_REDIS_NODE_H

#include "engine/store/redis_link.h"

enum { REDIS_RUN_ID_BYTES = 64 };

enum redis_node_kind {
    REDIS_NODE_SINGLE,  /* a master that stands alone */
    REDIS_NODE_CLUSTER, /* a master of a Cluster */
    REDIS_NODE_LISTENER /* anything that publishes */
};

struct redis_node_options {
    const struct redis_target *target;           /* credentials and db; outlives the node */
    struct redis_endpoint endpoint[REDIS_SEEDS]; /* tried in turn until one is ready */
    size_t endpoints;
    enum redis_node_kind kind;
    const char *library; /* outlives the node; NULL: none */
    uint32_t connect_ms, command_ms;
    void (*on_ready)(void *ctx);
    void (*on_lost)(void *ctx); /* it was ready and is not any more; after the waiting commands */
    void (*on_push)(void *ctx, const struct reply *reply); /* listener only */
    void *ctx;
};

struct redis_node;

/* Connects from the next turn of the loop on. NULL and *err when memory is short or the library's
 * text has no version. */
struct redis_node *redis_node_new(uv_loop_t *loop, const struct redis_node_options *options,
                                  struct err *err);
bool redis_node_ready(const struct redis_node *node);
/* The run id of the server when ready. */
struct span redis_node_run_id(const struct redis_node *node);
/* The connection to send on; NULL when not ready. */
struct redis_link *redis_node_link(const struct redis_node *node);
const struct redis_endpoint *redis_node_endpoint(const struct redis_node *node);
/* Drops the connection and connects anew after the back-off. on_lost is called when it was ready.
 */
void redis_node_reset(struct redis_node *node, const struct err *err);
/* Fails what waits, calls nothing else, frees when the loop has let go. Sets *node to NULL. May be
 * called from any callback. */
void redis_node_close(struct redis_node **node);

/* N of the line "-- version N" in a library's text; -1 when there is none. */
int64_t redis_library_version(struct span library);
/* A delay before attempt number `attempt` (from 0): LIMIT_REDIS_BACKOFF_MIN_MS doubled each time up
 * to LIMIT_REDIS_BACKOFF_MAX_MS, of which a random half is taken away at most. */
uint32_t redis_backoff_ms(unsigned attempt);

#endif
