/*
 * redis_child: the embedded Redis, a supervised redis-server on a unix socket in the data folder.
 *
 * DATA_DIR/redis holds its append-only files, its log (redis.log), its pid (redis.pid), its lock
 * and the socket (redis.sock). When it ends unasked it is started again, with a growing delay. One
 * that a killed jiesu left behind is taken over as it is.
 */
#ifndef JIESU_APP_REDIS_CHILD_H
#define JIESU_APP_REDIS_CHILD_H

#include "engine/base/err.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct redis_child;

struct redis_child_options {
    uint32_t stop_ms; /* for the server to end by itself; zero: LIMIT_REDIS_CHILD_STOP_MS */
};

/* Makes the folder when it is not there (mode 0700), and starts the server or takes over the one
 * that runs there. data_dir must exist and stay the same for the process (no chdir when it is
 * relative). NULL and *err: ERR_CONFIG when there is no redis-server, ERR_IO, ERR_NOMEM. That the
 * server answers is for a client (redis.h) to find out. options NULL: the defaults. */
struct redis_child *redis_child_start(uv_loop_t *loop, const char *data_dir,
                                      const struct redis_child_options *options, struct err *err);
/* Where a client finds it. */
void redis_child_target(const struct redis_child *child, struct redis_target *target);
/* Its process id; 0 while there is none. */
pid_t redis_child_pid(const struct redis_child *child);
/* True when the running server was started by an earlier process. */
bool redis_child_adopted(const struct redis_child *child);
/* Ends the server (SIGTERM, so that it writes out its append-only file; SIGKILL when that takes
 * longer than stop_ms) and then calls on_stopped on the loop. Once. */
void redis_child_stop(struct redis_child *child, void (*on_stopped)(void *ctx), void *ctx);
/* Frees one that was stopped, from on_stopped at the earliest; sets *child to NULL. */
void redis_child_free(struct redis_child **child);

#endif
