/*
 * dispatcher_private: what dispatcher.c (starting, submitting, stopping), dispatch_slot.c (one record) and dispatch.c (talking to
 * Redis) share. All of it belongs to the dispatcher's loop, except what is atomic.
 */
#ifndef JIESU_STORE_DISPATCHER_PRIVATE_H
#define JIESU_STORE_DISPATCHER_PRIVATE_H

#include "engine/store/backlog.h"
#include "engine/store/claims.h"
#include "engine/store/dispatcher.h"
#include "engine/store/hold.h"
#include "engine/store/outbox.h"
#include "engine/store/window.h"

#include <stdatomic.h>

struct dispatcher {
    uv_loop_t *loop;
    struct mailbox *mailbox; /* from the writer thread and from submitters */
    struct outbox *outbox;
    struct redis *redis;
    struct claims *claims;
    struct backlog *backlog;
    struct window *window;
    struct hold hold;
    struct buf scratch; /* a renamed record */
    uv_timer_t tick;

    bool known; /* fingerprint is that of the Redis we spoke to last */
    struct hash128 fingerprint;
    uint64_t confirmed;    /* all up to here are, by this Redis */
    uint64_t replay_until; /* what is sent up to here was sent before to another Redis */
    struct id last_id;     /* of the order confirmed last: its master is probed */
    size_t asked;          /* slots that wait for Redis */
    size_t busy;           /* slots that wait for a submitter or the outbox */
    bool rewinding;        /* send again from `confirmed` on when nothing is on its way any more */
    int64_t pause_until, pause_ms;
    bool warned_aof;

    atomic_bool live, stopping;
    atomic_size_t tickets; /* held by the dispatcher */

    bool closed;
    int64_t stop_at;
    void (*on_stopped)(void *ctx);
    void *stop_ctx;
};

/* Redis is ready; fingerprint as redis.h says. */
void dispatch_ready(struct dispatcher *dispatcher, struct span fingerprint);
/* Redis is not ready any more. */
void dispatch_lost(struct dispatcher *dispatcher);
/* Sends what may be sent. */
void dispatch_pump(struct dispatcher *dispatcher);
/* A slot got an answer: counts what is confirmed, and pumps. */
void dispatch_go_on(struct dispatcher *dispatcher);
/* Asks Redis, when it is time, how much it can no longer forget, and releases that. */
void dispatch_probe(struct dispatcher *dispatcher);
/* A slot's drop or burial was carried out, or not. On the writer thread. */
void dispatch_written(struct outbox_entry *entry);

#endif
