/*
 * hooks: delivers the events of all communities to the webhook endpoints, on a thread of its own.
 *
 * At least once, each complaint's events in their order, several complaints at a time; what an
 * endpoint does not take ends among its dead letters (hook_lanes.h, hook_feed.h). Every post carries
 *
 *   Jiesu-Signature: t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" with the secret, in hex>
 *
 * t is the time of the attempt, so that a receiver can refuse what was recorded and is played to it
 * again later.
 */
#ifndef JIESU_APP_HOOKS_H
#define JIESU_APP_HOOKS_H

#include "engine/api/endpoints.h"
#include "engine/base/err.h"
#include "engine/model/policy.h"
#include "engine/store/redis.h"

struct hooks;

struct hooks_options {
    /* A new reference to the endpoints in force. Any thread. When it gives others, those that are
     * new begin with what happens after they were read, those that are gone end, and those that
     * stay go on where they are, by what is now said of them from their next post on. */
    struct endpoints *(*endpoints)(void *ctx);
    struct redis_target target;
    const char *library;
    /* A new reference to the policy in force. Any thread. Its directory names the communities. */
    struct policy *(*policy)(void *ctx);
    void *ctx;
};

/* Starts the thread. New endpoints get the events from now on. NULL and *err when it cannot. */
struct hooks *hooks_start(const struct hooks_options *options, struct err *err);
/* Stops: nothing new is sent, what is under way has LIMIT_HOOK_STOP_MS to be answered, leases are
 * given back. Waits for the thread, frees, and sets *hooks to NULL; NULL is allowed. */
void hooks_stop(struct hooks **hooks);

#endif
