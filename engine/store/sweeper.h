/*
 * sweeper: the engine looks at each order when something about it is due, and does what the policy
 * says (watch.h): warns, hands over, escalates, counts deadlines anew, closes.
 *
 * Each engine has one. A look takes what is due in a community for SWEEP_CLAIM_MS, so that other
 * engines leave it alone; what an engine took and did not finish is due again for all after that. A
 * step carries the version of the order that it was decided on and an id made of it, so of several
 * engines that decide on the same version one takes the step. Steps go through the dispatcher, like
 * those that people take: when Redis forgets its last second, what is sent again then happens in
 * the same order, and what was not even taken is due again.
 *
 * An order gets one step per look. After hours of standstill the orders come in the order in which
 * they were due, each gets what is due by then in one warning, not all that were missed, and at
 * most SWEEP_FLIGHT are on their way at once.
 */
#ifndef JIESU_STORE_SWEEPER_H
#define JIESU_STORE_SWEEPER_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/model/life.h"
#include "engine/model/policy.h"
#include "engine/store/dispatcher.h"
#include "engine/store/redis.h"

#include <uv.h>

struct sweeper;

struct sweeper_options {
    struct dispatcher *dispatcher; /* takes the steps; on the same loop */
    struct redis_target target;    /* for looking */
    const char *library;           /* functions.lua */
    /* A new reference to the policy in force, which the sweeper drops. */
    struct policy *(*policy)(void *ctx);
    void *ctx;
    /* Appends the details of a step for the order's history, a JSON object. */
    void (*write_note)(const struct life_step *step, struct buf *out);
};

/* Begins to look. NULL and *err when memory is short. */
struct sweeper *sweeper_new(uv_loop_t *loop, const struct sweeper_options *options,
                            struct err *err);
/* Looks no more; what it has begun goes on. Before the dispatcher is stopped. */
void sweeper_stop(struct sweeper *sweeper);
/* After the dispatcher has stopped, before it is freed. Sets *sweeper to NULL. */
void sweeper_close(struct sweeper **sweeper);

#endif
