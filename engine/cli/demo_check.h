/*
 * demo_check: the reckoning at the demo's end. It asks the engine for every order, holds its
 * history against what was acknowledged, and adds up what happened.
 *
 * Forgotten is an open order of which a deadline has passed and nobody can know: its clock was not
 * met, and since then there was neither a step nor a red warning of it.
 */
#ifndef JIESU_CLI_DEMO_CHECK_H
#define JIESU_CLI_DEMO_CHECK_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_steps.h"
#include "engine/http/json.h"
#include "engine/model/clocks.h"
#include "engine/model/order.h"

#include <stdint.h>

/* How many of how many. */
struct demo_rate {
    uint64_t good, all;
};

struct demo_sums {
    uint64_t orders, open, forgotten;
    uint64_t steps[ORDER_STEP_COUNT];
    uint64_t warned[CLOCK_COUNT][WARNING_COUNT]; /* orders whose clock reached the level */
    struct demo_rate response;                   /* first response in time, of those due or met */
    struct demo_rate resolution;                 /* done, of all */
    struct demo_rate satisfaction;               /* 4 or 5 stars, of those rated */
};

struct demo_check;

struct demo_check_options {
    struct demo_steps *steps;
    struct json_reader *json;
    int64_t until;         /* deadlines up to here count */
    struct ledger *ledger; /* gets LEDGER_STEP for each step of a person */
    /* All orders were asked for: the sums, or NULL and the error. */
    void (*on_done)(void *ctx, const struct demo_sums *sums, const struct err *err);
    void *ctx;
};

/* NULL and *err when memory is short. */
struct demo_check *demo_check_new(const struct demo_check_options *options, struct err *err);
/* Asks for one order. -1 and *err when memory is short. */
int demo_check_order(struct demo_check *check, struct span id, struct err *err);
/* No more orders follow: on_done is called when all are answered, perhaps at once. */
void demo_check_finish(struct demo_check *check);
/* After its steps were closed, or on_done was called. */
void demo_check_free(struct demo_check **check);

#endif
