/*
 * projector: keeps the figures (model/figures.h) in Redis up to date with the orders.
 *
 * One per engine, on its main loop. Every period it looks in each community for the orders of
 * events that were not counted yet, and for open orders of which a clock has run out, and counts
 * them in bounded batches. Each batch is one call, which also notes in each order what it has added
 * and moves the cursor: so a batch is counted whole or not at all, twice never, by whichever
 * engine, and after Redis lost its last second the figures are those of the orders that it still
 * knows. Of several engines one at a time works on a community (events_lease); another takes over
 * within LIMIT_EVENTS_LEASE_MS. After downtime it works through what has gathered, the oldest
 * first.
 *
 * Once in a while the events that all consumers have read are trimmed (events_trim).
 */
#ifndef JIESU_STORE_PROJECTOR_H
#define JIESU_STORE_PROJECTOR_H

#include "engine/base/err.h"
#include "engine/model/policy.h"
#include "engine/store/redis.h"

#include <stdint.h>
#include <uv.h>

struct projector;

struct projector_options {
    uv_loop_t *loop;
    struct redis_target target;
    const char *library;
    const char *engine; /* unique to the process; lives as long as the projector */
    /* A new reference to the policy in force, which the projector drops. On the loop. */
    struct policy *(*policy)(void *ctx);
    void *ctx;
    /* All that read events, this one ("figures") among them: the cursors of others, which would keep
     * events for ever, are dropped once per policy and community. None: all stay. They live as long
     * as the projector, and are the same in all engines of one Redis. */
    const struct span *consumers;
    size_t consumer_count;
    uint32_t period_ms; /* zero takes the value of limits.h */
};

/* Starts. NULL and *err when memory is short. */
struct projector *projector_new(const struct projector_options *options, struct err *err);
/* These take the place of options.consumers. On the loop. */
void projector_keep(struct projector *projector, const struct span *consumers, size_t count);
/* Stops: what is under way is let go of, and done again by whoever is next. Frees when the loop has
 * turned; sets *projector to NULL. The policy callback is not called any more. */
void projector_close(struct projector **projector);

#endif
