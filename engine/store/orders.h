/*
 * orders: reading orders and queues from Redis.
 */
#ifndef JIESU_STORE_ORDERS_H
#define JIESU_STORE_ORDERS_H

#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "engine/model/id.h"
#include "engine/model/order.h"
#include "engine/store/redis.h"

#include <stddef.h>
#include <stdint.h>

/* Longer than any history gets: after LIMIT_ORDER_STEPS only steps that end the order are taken. */
enum { ORDERS_HISTORY = LIMIT_ORDER_STEPS + 16 };

/* Borrowed for the length of the callback. */
struct order_view {
    struct id id; /* the order's own, also when it was asked for by an alias */
    struct span state, worker, grid, urgency, category, kind;
    int64_t version, created_at;
    struct span answer;                  /* JSON, as it was answered at creation */
    struct span complaint;               /* JSON, with personal data in the clear */
    struct span history[ORDERS_HISTORY]; /* JSON objects, oldest first */
    size_t history_count;
};

/* view is NULL when there is no such order; err is not NULL when Redis could not be asked. */
typedef void orders_got(void *ctx, const struct order_view *view, const struct err *err);
/* 0 and later got(), or -1 and *err at once. An id that was given away while Redis could not be
 * asked, and whose order then turned out to exist under another id, gives that order (see
 * key_alias). */
int orders_get(struct redis *redis, const struct id *id, orders_got *got, void *ctx,
               struct err *err);

/* Each answer is the JSON given at creation; queue by queue, the highest first, then by arrival. */
typedef void orders_queue(void *ctx, const struct span *answers, size_t count,
                          const struct err *err);
/* All queues of a worker, as a set. */
enum { ORDERS_ALL = (1 << ORDER_QUEUE_COUNT) - 1 };
/* What the worker has not accepted yet of these queues (a bit set of order_queue, not empty), at
 * most `most` orders, delivered to it as consumer `worker`. */
int orders_read_queue(struct redis *redis, struct span community, struct span worker,
                      unsigned queues, size_t most, orders_queue *got, void *ctx, struct err *err);

/* Reads the fields of an order's hash (the reply to HGETALL): 1, 0 when there is no such order, -1
 * when it is not an order's hash. Of a history longer than ORDERS_HISTORY the newest entries are
 * kept. */
int order_view_read(const struct reply *reply, struct order_view *view);

#endif
