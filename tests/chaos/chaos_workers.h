/*
 * chaos_workers: grid workers' backends under failure: each takes an order that was acknowledged,
 * and takes its steps one after the other, each with an Idempotency-Key, trying again until it is
 * told 200: a step that was answered 202 is on the disk, and may still be refused when the engine
 * took one before it. Nobody but the engine touches these orders, so a step may be refused only
 * when the order was handed over or escalated.
 */
#ifndef JIESU_CHAOS_WORKERS_H
#define JIESU_CHAOS_WORKERS_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"

#include <stdint.h>
#include <uv.h>

struct chaos_workers;

struct chaos_workers_options {
    uv_loop_t *loop;
    int port;
    struct ledger *ledger; /* acknowledged steps are marked in it */
    size_t workers;
};

struct chaos_workers *chaos_workers_start(const struct chaos_workers_options *options,
                                          struct err *err);
/* An order that stands in this worker's queue. It is left alone when too many wait. */
void chaos_workers_offer(struct chaos_workers *workers, struct span order, struct span worker);
/* Answers nobody should get. */
uint64_t chaos_workers_contradictions(const struct chaos_workers *workers);
/* Begins no other order; true once every step that was begun is acknowledged. */
bool chaos_workers_finish(struct chaos_workers *workers);
/* Ends them without waiting. */
void chaos_workers_close(struct chaos_workers **workers);

#endif
