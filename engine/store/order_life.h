/*
 * order_life: the life of an order as its hash in Redis has it, for those who decide about it
 * (watch.h) without its history.
 *
 * The hash does not say when a clock was stopped or a department reported, only that it was: the
 * time of the last step stands for both. Of the warning levels it has those of the clocks.
 */
#ifndef JIESU_STORE_ORDER_LIFE_H
#define JIESU_STORE_ORDER_LIFE_H

#include "engine/base/span.h"
#include "engine/model/id.h"
#include "engine/model/watch.h"

#include <stddef.h>

enum { ORDER_LIFE_FIELDS = 17 + 6 * CLOCK_COUNT };

/* The name of the i-th field that is needed. The first is one that every order has. */
struct span order_life_field(size_t i);
/* Fills *order from the values of the fields, in that order (empty: the hash has it not), from which
 * it borrows. 0, or -1 when this is no order's hash. */
int order_life_read(const struct id *id, const struct span values[ORDER_LIFE_FIELDS],
                    struct watch_order *order);

#endif
