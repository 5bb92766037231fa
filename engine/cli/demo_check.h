/*
 * demo_check: the reckoning at the demo's end. It looks for the orders in Redis, asks the engine for
 * each, holds its history against what was acknowledged, and adds up what happened.
 *
 * Forgotten is an open order of which a deadline has passed and nobody can know: its clock was not
 * met, and since then there was neither a step nor a red warning of it.
 */
#ifndef JIESU_CLI_DEMO_CHECK_H
#define JIESU_CLI_DEMO_CHECK_H

#include "engine/base/err.h"
#include "engine/cli/demo_crew.h"
#include "engine/cli/demo_kpi.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_steps.h"
#include "engine/http/json.h"
#include "engine/model/clocks.h"
#include "engine/model/order.h"

#include <stdint.h>

struct demo_sums {
    uint64_t orders, open, done, forgotten;
    uint64_t steps[ORDER_STEP_COUNT];
    uint64_t warned[CLOCK_COUNT][WARNING_COUNT]; /* orders whose clock reached the level */
    struct ledger_count ledger;                  /* what was given, with what the orders say */
    struct demo_kpi kpi;                         /* what the engine's figures say */
};

struct demo_check;

struct demo_check_options {
    struct demo_steps *steps;
    struct demo_crew *crew;
    struct json_reader *json;
    int64_t morning, until;      /* the day; deadlines up to its end count */
    const struct ledger *ledger; /* what was acknowledged and taken */
    /* It is over: the sums, or NULL and the error. Free it later. */
    void (*on_done)(void *ctx, const struct demo_sums *sums, const struct err *err);
    void *ctx;
};

/* Looks for all orders in Redis and asks the engine for each, and then for its figures. NULL and
 * *err at once. */
struct demo_check *demo_check_start(const struct demo_check_options *options, struct err *err);
/* After on_done was called, or its crew and steps were closed. */
void demo_check_free(struct demo_check **check);

#endif
