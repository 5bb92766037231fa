/*
 * chaos_redis: the Redis that the chaos run kills, freezes and cuts.
 *
 * It is a redis-server process with the settings of the embedded one. The sizes of its append-only
 * file are sampled, so that a cut takes off no more than what was written in the last second before
 * the kill: what a power loss may take with appendfsync everysec.
 */
#ifndef JIESU_CHAOS_REDIS_H
#define JIESU_CHAOS_REDIS_H

#include "engine/base/err.h"
#include "engine/base/random.h"

#include <stdbool.h>
#include <uv.h>

struct chaos_redis;

/* Starts it in folder dir (made). */
struct chaos_redis *chaos_redis_start(uv_loop_t *loop, const char *dir, struct err *err);
const char *chaos_redis_socket(const struct chaos_redis *redis);
/* kill -9; starts again after delay_ms; when cut is set the tail of its file goes first. */
void chaos_redis_kill(struct chaos_redis *redis, bool cut, uint64_t delay_ms,
                      struct random *random);
void chaos_redis_freeze(struct chaos_redis *redis);
void chaos_redis_thaw(struct chaos_redis *redis);
/* Bytes cut off so far. */
uint64_t chaos_redis_cut_bytes(const struct chaos_redis *redis);
/* Ends it (kill -9) and frees it when the loop has let go. */
void chaos_redis_close(struct chaos_redis **redis);

#endif
