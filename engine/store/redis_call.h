/*
 * redis_call: a command that waits for its answer, and the list of all that do.
 */
#ifndef JIESU_STORE_REDIS_CALL_H
#define JIESU_STORE_REDIS_CALL_H

#include "engine/store/redis.h"

#include <stddef.h>

struct redis_node;

struct redis_call {
    struct redis_call *prev, *next;
    struct redis_calls
        *calls; /* NULL: called back already, the reply is awaited only to be dropped */
    struct redis *redis;
    struct redis_node *node; /* it was written to */
    redis_done *done;
    void *ctx;
    unsigned moves; /* redirections so far */
    size_t len;     /* of command; 0 for a single server, which never redirects */
    char command[]; /* in Redis' protocol */
};

/* A zeroed one is empty. */
struct redis_calls {
    struct redis_call *newest, *oldest;
    size_t count;
};

void redis_calls_add(struct redis_calls *calls, struct redis_call *call);
/* Takes it off its list, frees it, and calls back. */
void redis_call_finish(struct redis_call *call, const struct reply *reply, const struct err *err);
/* Calls everyone back with ERR_UNAVAILABLE, oldest first. The calls stay in memory for their
 * replies: whoever gets one of a call that has no list frees the call. */
void redis_calls_abandon(struct redis_calls *calls);

#endif
