/*
 * maker: the calls that the engine makes of a complaint, and of the steps of its order, made by the
 * engine's own code: decoded, decided and encoded.
 */
#ifndef JIESU_BENCH_SHARED_MAKER_H
#define JIESU_BENCH_SHARED_MAKER_H

#include "bench/shared/calls.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/order.h"

#include <stdint.h>

struct maker;

/* With the rules of a folder. NULL and *err. */
struct maker *maker_open(const char *rules, struct err *err);
void maker_close(struct maker **maker);

/* Appends the creation of the order for the complaint in body (JSON), with the claim of an
 * idempotency key of its own when keyed. 0, or -1 and *err. */
int maker_create(struct maker *maker, struct span body, bool keyed, struct calls *calls,
                 struct err *err);
/* The id of the order made last, and whose it is. They stay until the next one. */
const struct id *maker_id(const struct maker *maker);
struct span maker_worker(const struct maker *maker);
/* Appends a step of the order, as it is asked for in body (JSON). 0, or -1 and *err. */
int maker_step(struct maker *maker, const struct id *id, enum order_step step, struct span body,
               struct calls *calls, struct err *err);
/* Looks at the answer to any of these calls (calls_answer): it must say that something new was
 * stored. */
int maker_answer(void *ctx, size_t i, const struct reply *reply, struct err *err);

#endif
