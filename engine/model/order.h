/*
 * order: a work order, and the state machine of its life.
 *
 * Every step of an order's life is one row: its name, the states it may be taken in, and the state
 * it leads to. The engine hands the row to Redis with the step, where it is checked and applied in
 * one call, so this table is the only place that knows.
 */
#ifndef JIESU_MODEL_ORDER_H
#define JIESU_MODEL_ORDER_H

#include "classifiers/verdict.h"
#include "engine/base/span.h"
#include "engine/model/complaint.h"
#include "engine/model/directory.h"
#include "engine/model/id.h"
#include "engine/model/sla.h"

#include <stdbool.h>
#include <stdint.h>

/* X(constant, name, what a resident reads) */
#define ORDER_STATE_TABLE(X)                                    \
    X(ORDER_DISPATCHED, "dispatched", "已派单，等待网格员接单") \
    X(ORDER_ACCEPTED, "accepted", "网格员已接单，正在处理")     \
    X(ORDER_RESOLVED, "resolved", "已办结")

enum order_state {
#define X(constant, name, chinese) constant,
    ORDER_STATE_TABLE(X)
#undef X
        ORDER_STATE_COUNT
};

/* X(constant, name, states it may be taken in as a bit set, state it leads to) */
#define ORDER_STEP_TABLE(X)                                          \
    X(STEP_ACCEPT, "accept", 1u << ORDER_DISPATCHED, ORDER_ACCEPTED) \
    X(STEP_RESOLVE, "resolve", 1u << ORDER_ACCEPTED, ORDER_RESOLVED)

enum order_step {
#define X(constant, name, from, to) constant,
    ORDER_STEP_TABLE(X)
#undef X
        ORDER_STEP_COUNT
};

const char *order_state_name(enum order_state state);
/* In plain Chinese, for the resident. */
const char *order_state_progress(enum order_state state);
int order_state_parse(struct span name, enum order_state *out);
const char *order_step_name(enum order_step step);
int order_step_parse(struct span name, enum order_step *out);
bool order_step_allowed(enum order_step step, enum order_state state);
enum order_state order_step_target(enum order_step step);

/* All that is decided about a complaint at ingest. Spans borrow from the complaint, the verdict and
 * the policy. */
struct order {
    struct id id;
    const struct complaint *complaint;
    struct verdict verdict;
    struct route route;
    struct sla_deadlines deadlines;
    int64_t created_at;
    bool urgent; /* goes to the worker's urgent queue: red, or a special group at yellow or above */
};

#endif
