/*
 * lookup: one order read from Redis for a GET, from the id in the path to the answer.
 */
#ifndef JIESU_API_LOOKUP_H
#define JIESU_API_LOOKUP_H

#include "engine/api/api.h"
#include "engine/base/buf.h"
#include "engine/store/orders.h"

/* Writes the answer of a 200 to out. 0, or -1 when what is stored cannot be read. */
typedef int lookup_write(struct api *api, struct http_exchange *x, const struct order_view *view,
                         struct buf *out);

/* Answers x with what write makes of the order that the path's {id} names; 404 when there is none, 503 while it may
 * still be on its way to Redis, or when Redis cannot be asked. */
void lookup_order(struct api *api, struct http_exchange *x, lookup_write *write);

#endif
