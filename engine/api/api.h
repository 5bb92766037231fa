/*
 * api: the HTTP resources, and what one loop needs to serve them.
 *
 * One struct api per loop: its Redis client for reading, its listener for wake-ups, its mailbox,
 * its JSON reader and its classification scratch. Writing goes through the dispatcher, which all
 * loops share.
 */
#ifndef JIESU_API_API_H
#define JIESU_API_API_H

#include "engine/api/endpoints.h"
#include "engine/base/err.h"
#include "engine/http/http.h"
#include "engine/model/policy.h"
#include "engine/store/dispatcher.h"
#include "engine/store/mailbox.h"
#include "engine/store/redis.h"

#include <stddef.h>
#include <uv.h>

struct api;

/* One request to load the rule set again. The asker fills the first part and keeps it until it comes
 * back to its mailbox. */
struct api_reload {
    struct mailbox_item item; /* first; its handle is the asker's */
    struct mailbox *mailbox;

    struct api_reload *next; /* the reloader's */
    struct err err;          /* why it was refused, or ERR_NONE */
    bool changed;            /* the rule set is another one than before */
    struct policy *policy;   /* what is in force now: the asker's reference */
};

struct api_options {
    uv_loop_t *loop;
    struct dispatcher *dispatcher;
    struct redis_target target; /* for reading */
    struct load *load;          /* of all loops: what is given out here is added to it */
    const char *library;
    /* A new reference to the webhook endpoints, or NULL: none. Any thread. */
    struct endpoints *(*endpoints)(void *ctx);
    /* A new reference to the policy in force, which the api drops. Any thread. */
    struct policy *(*policy)(void *ctx);
    /* True when the engine takes requests: not starting, not stopping. Any thread. */
    bool (*accepting)(void *ctx);
    /* Loads the rule set again and posts the request back. Any thread. */
    void (*reload)(void *ctx, struct api_reload *request);
    void *ctx;
    uint32_t reply_budget_ms; /* zero takes the value of limits.h */
};

struct api *api_new(const struct api_options *options, struct err *err);
/* The table for the server; its handlers take a struct api as ctx. */
const struct http_route *api_routes(size_t *count);
/* Answers every long poll now and lets no new one wait: the first step of stopping. On the loop. */
void api_drain(struct api *api);
/* On the loop, after its server has stopped and the dispatcher posts no more. Sets *api to NULL. */
void api_close(struct api **api);

#endif
