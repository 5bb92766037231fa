/*
 * redis_link: one connection to one Redis, from connecting to its loss; never used again after
 * that.
 */
#ifndef JIESU_STORE_REDIS_LINK_H
#define JIESU_STORE_REDIS_LINK_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct redis_endpoint {
    bool unix_socket; /* host is a path */
    char host[REDIS_HOST_BYTES];
    int port;
};

/* The i-th server of a target. */
struct redis_endpoint redis_target_endpoint(const struct redis_target *target, size_t i);

struct redis_link;

struct redis_link_options {
    struct redis_endpoint endpoint;
    uint32_t connect_ms, command_ms;
    void (*on_up)(void *ctx); /* connected */
    /* Lost, or never connected; called once, after every waiting command was called back with the
     * same err. The owner then calls redis_link_close. Not called from inside any function of this
     * header but redis_link_fail. */
    void (*on_down)(void *ctx, const struct err *err);
    /* A reply that nobody waits for (a published message); NULL: such a reply breaks the protocol.
     */
    void (*on_push)(void *ctx, const struct reply *reply);
    void *ctx;
};

/* Starts connecting. NULL and *err when that cannot even begin. */
struct redis_link *redis_link_open(uv_loop_t *loop, const struct redis_link_options *options,
                                   struct err *err);
/* Appends a command in Redis' protocol to out. */
void redis_format(struct buf *out, size_t argc, const struct span *argv);
/* Queues a command; done is called exactly once after 0. With done NULL no reply is awaited: what
 * comes goes to on_push. -1 and *err: ERR_UNAVAILABLE, ERR_LIMIT, ERR_NOMEM. */
int redis_link_send(struct redis_link *link, size_t argc, const struct span *argv, redis_done *done,
                    void *ctx, struct err *err);
/* The same with a command that redis_format has written. */
int redis_link_send_raw(struct redis_link *link, struct span command, redis_done *done, void *ctx,
                        struct err *err);
const struct redis_endpoint *redis_link_endpoint(const struct redis_link *link);
/* True while commands can be sent. */
bool redis_link_up(const struct redis_link *link);
/* Ends the connection as if it had been lost, for an owner that does not like what it heard. */
void redis_link_fail(struct redis_link *link, const struct err *err);
/* Lets go: what still waits is called back with ERR_UNAVAILABLE, on_down is not called, the memory
 * goes when the loop has closed the handles. Sets *link to NULL. May be called from any callback.
 */
void redis_link_close(struct redis_link **link);

#endif
