/*
 * chaos_clients: mini-program backends under failure: each posts complaints with an Idempotency-Key
 * and tries again until it is told 201 or 202; now and then it asks again with a key that was
 * acknowledged long ago, and must be given the same order.
 */
#ifndef JIESU_CHAOS_CLIENTS_H
#define JIESU_CHAOS_CLIENTS_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_texts.h"

#include <stdint.h>
#include <uv.h>

struct chaos_clients;

struct chaos_clients_options {
    uv_loop_t *loop;
    int port;
    const struct demo_texts *texts;
    struct ledger *ledger; /* acknowledged ids are marked in it */
    uint64_t seed;
    size_t clients;
    /* Called for each new order that was answered 201, with the worker whose queue it is in. */
    void (*on_order)(void *ctx, struct span order, struct span worker);
    void *ctx;
};

struct chaos_clients *chaos_clients_start(const struct chaos_clients_options *options,
                                          struct err *err);
/* Answered 201 or 202 so far, repeats not counted; and of these, 201. */
uint64_t chaos_clients_acknowledged(const struct chaos_clients *clients);
uint64_t chaos_clients_created(const struct chaos_clients *clients);
/* Keys that were answered with two different orders, and answers nobody should get (4xx, 500). */
uint64_t chaos_clients_contradictions(const struct chaos_clients *clients);
uint64_t chaos_clients_retries(const struct chaos_clients *clients);
/* Ids that a 202 gave to a key, while Redis could not be asked, that stood for another order
 * already: each must lead to that order. */
uint64_t chaos_clients_aliases(const struct chaos_clients *clients);
/* Begins nothing new; true once every key that was begun is acknowledged and every
 * alias was asked for and led to its order. */
bool chaos_clients_finish(struct chaos_clients *clients);
/* Ends them without waiting. */
void chaos_clients_close(struct chaos_clients **clients);

#endif
