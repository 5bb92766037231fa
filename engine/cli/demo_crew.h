/*
 * demo_crew: the queues of the simulated workers. Each worker reads the three streams of its
 * community as any Redis client of a grid worker's backend would (XGROUP CREATE, XREADGROUP; see
 * README, "The queue contract"), in the order that is said there; those of a street's triage read
 * the queues that they have in the street's communities too. What is read stays there until the
 * engine takes it out, when somebody has accepted the order.
 */
#ifndef JIESU_CLI_DEMO_CREW_H
#define JIESU_CLI_DEMO_CREW_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/directory.h"
#include "engine/model/order.h"
#include "engine/store/redis.h"

#include <uv.h>

struct demo_crew;

struct demo_crew_options {
    uv_loop_t *loop;
    struct redis_target target;
    const struct directory *directory;
    /* A worker found an order in its queue. */
    void (*on_queued)(void *ctx, struct span id, size_t worker, enum order_queue queue);
    void *ctx;
};

struct demo_crew *demo_crew_start(const struct demo_crew_options *options, struct err *err);
/* Finds every order that stands in Redis (SCAN): on_order for each, then on_finished with the
 * error, or NULL. */
int demo_crew_count_orders(struct demo_crew *crew, void (*on_order)(void *ctx, struct span id),
                           void (*on_finished)(void *ctx, const struct err *err), void *ctx,
                           struct err *err);
void demo_crew_close(struct demo_crew **crew);

#endif
