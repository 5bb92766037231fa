/*
 * demo_orders: what the demo's people know of each order, found by its id.
 */
#ifndef JIESU_CLI_DEMO_ORDERS_H
#define JIESU_CLI_DEMO_ORDERS_H

#include "engine/base/random.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_ORDER_ID_BYTES = 64 };

enum demo_order_state { DEMO_ORDER_WAITING, DEMO_ORDER_HELD, DEMO_ORDER_DONE };

struct demo_order {
    char id[DEMO_ORDER_ID_BYTES];
    enum demo_order_state state;
    bool known; /* the engine's answer to its complaint has come; what follows is set with it */
    struct random random;
    bool urgent, disaster, quarrel, review;
    bool stubborn; /* everybody hands it back */
    bool taken, reopened;
    unsigned returns;
};

struct demo_orders;

/* NULL when memory is short. */
struct demo_orders *demo_orders_new(void);
void demo_orders_free(struct demo_orders **orders);
/* 0 and the order's number, with a new one waiting when the id was not met before; -1 when memory
 * is short or the id too long. */
int demo_orders_find(struct demo_orders *orders, struct span id, uint32_t *number);
size_t demo_orders_count(const struct demo_orders *orders);
/* The one with that number; valid until the next demo_orders_find. */
struct demo_order *demo_orders_at(const struct demo_orders *orders, uint32_t number);

#endif
