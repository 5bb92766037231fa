/*
 * demo_ledger: what became of every complaint, by order id: acknowledged to the resident, standing
 * in Redis as an order, taken from a queue by a grid worker. From it comes the count that matters.
 */
#ifndef JIESU_CLI_DEMO_LEDGER_H
#define JIESU_CLI_DEMO_LEDGER_H

#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct ledger;

enum ledger_mark {
    LEDGER_ACKNOWLEDGED,
    LEDGER_ORDER,
    LEDGER_TAKEN,
    LEDGER_STEP_ACKNOWLEDGED, /* a later step of its life: once for each */
    LEDGER_STEP,              /* and in its history */
    LEDGER_MARKS
};

struct ledger_count {
    uint64_t acknowledged, orders, taken; /* different ids with that mark */
    uint64_t lost;                        /* acknowledged, and no order or never taken */
    uint64_t duplicated;                  /* taken more than once, or an order nobody was told of */
    uint64_t steps_acknowledged, steps;
    uint64_t steps_lost, steps_twice; /* acknowledged and in no history; the other way */
};

/* NULL when memory is short. */
struct ledger *ledger_new(void);
void ledger_free(struct ledger **ledger);
/* A copy of its own; NULL when memory is short. */
struct ledger *ledger_copy(const struct ledger *ledger);
/* Notes that the order with this id was seen as mark. 0, or -1 when memory is short. */
int ledger_mark(struct ledger *ledger, struct span id, enum ledger_mark mark);
struct ledger_count ledger_count(const struct ledger *ledger);

#endif
