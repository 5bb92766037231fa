/*
 * redis: a client of one Redis server or one Redis Cluster, on one uv loop.
 *
 * It connects, and after a loss reconnects with back-off and jitter, for as long as it lives. On
 * each connection it first authenticates, reads the server's run id and, when asked to, makes sure
 * that the function library is loaded in this version; only then is it ready and are commands sent.
 * Every command has a deadline: when one passes it, the connection is reset and everything on it
 * fails with ERR_TIMEOUT. A command is never sent twice by this module: after a failure only the
 * caller knows whether that is safe.
 *
 * The process must ignore SIGPIPE: libuv writes without MSG_NOSIGNAL.
 *
 * With a Cluster, commands go to the master of their key's slot (CRC16, hash tags), MOVED and ASK
 * are followed, and the client is ready when every slot has a master that is ready.
 */
#ifndef JIESU_STORE_REDIS_H
#define JIESU_STORE_REDIS_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/store/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { REDIS_SEEDS = 16, REDIS_HOST_BYTES = 256, REDIS_SECRET_BYTES = 512 };

/* Where Redis is. */
struct redis_target {
    bool unix_socket; /* host[0] is a path */
    bool cluster;     /* several seeds */
    char host[REDIS_SEEDS][REDIS_HOST_BYTES];
    int port[REDIS_SEEDS];
    size_t count;
    int db;                                                      /* single server only */
    char user[REDIS_SECRET_BYTES], password[REDIS_SECRET_BYTES]; /* empty: none */
};

/* Reads "unix:PATH", "redis://[user@]host[:port][/db]", "host:port" or "host:port,host:port,..." (a
 * Cluster). A password inside the text is refused: it comes from a file (see configuration). 0, or
 * -1 and *err that says what is wrong. */
int redis_target_parse(struct span text, struct redis_target *target, struct err *err);

struct redis;

struct redis_options {
    struct redis_target target;
    const char *library; /* source of the function library to have loaded; NULL: do not care */
    /* Called on the loop when the client became ready; fingerprint names the server's (or all
     * masters') run ids: when it differs from the last one, Redis may have forgotten. May be NULL.
     */
    void (*on_ready)(void *ctx, struct span fingerprint);
    /* Called on the loop when it stopped being ready; after all failed commands were called back.
     */
    void (*on_lost)(void *ctx);
    void *ctx;
    uint32_t connect_ms, command_ms; /* zero takes the value of limits.h */
};

/* reply is NULL when err is not: the command failed and may or may not have been carried out. A
 * command fails only when the client stops being ready: on_lost follows, and on_ready when it is
 * worth trying again. An error reply of Redis itself (REPLY_ERROR) is a reply, except those that
 * say "not done, may work later" (reply_not_done): they are a loss, so that the order of commands
 * is kept by whoever sends them again. Called on the loop, never from inside redis_command. */
typedef void redis_done(void *ctx, const struct reply *reply, const struct err *err);

/* Starts connecting. NULL and *err when memory is short. */
struct redis *redis_new(uv_loop_t *loop, const struct redis_options *options, struct err *err);
bool redis_ready(const struct redis *redis);
bool redis_is_cluster(const struct redis *redis);
/* Queues one command; it is written when the loop next polls, with all others of the turn. key
 * chooses the slot in a Cluster (any span for a single server). The arguments are copied. 0, or -1
 * and *err at once: ERR_UNAVAILABLE when not ready, ERR_LIMIT when LIMIT_REDIS_QUEUE commands wait,
 * ERR_NOMEM. done is called exactly once after 0. */
int redis_command(struct redis *redis, struct span key, size_t argc, const struct span *argv,
                  redis_done *done, void *ctx, struct err *err);
/* Commands not yet answered. */
size_t redis_pending(const struct redis *redis);
/* Fails what is pending, closes, and frees when the loop has let go; sets *redis to NULL. on_lost
 * is not called. */
void redis_close(struct redis **redis);

/* A second connection that listens to published messages (single server, or any node of a Cluster).
 */
struct redis_listener;
/* on_message(ctx, channel, payload); on_reset(ctx) when messages may have been missed (after every
 * connection was made), so that the caller looks again. */
struct redis_listener *redis_listener_new(uv_loop_t *loop, const struct redis_target *target,
                                          void (*on_message)(void *, struct span, struct span),
                                          void (*on_reset)(void *), void *ctx, struct err *err);
/* Keeps a count per channel: the first subscribe sends SUBSCRIBE, the last unsubscribe UNSUBSCRIBE;
 * all are repeated after a reconnect. 0, or -1 when memory is short. */
int redis_listener_subscribe(struct redis_listener *listener, struct span channel);
void redis_listener_unsubscribe(struct redis_listener *listener, struct span channel);
void redis_listener_close(struct redis_listener **listener);

#endif
