#include "engine/model/order.h"

#include "engine/base/check.h"

static const struct {
    const char *name, *progress;
} states[ORDER_STATE_COUNT] = {
#define X(constant, state_name, chinese) [constant] = {(state_name), (chinese)},
    ORDER_STATE_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    unsigned from; /* bit set of states */
    enum order_state to;
} steps[ORDER_STEP_COUNT] = {
#define X(constant, step_name, from_states, to_state) \
    [constant] = {(step_name), (from_states), (to_state)},
    ORDER_STEP_TABLE(X)
#undef X
};

const char *order_state_name(enum order_state state)
{
    CHECK(state < ORDER_STATE_COUNT);
    return states[state].name;
}

const char *order_state_progress(enum order_state state)
{
    CHECK(state < ORDER_STATE_COUNT);
    return states[state].progress;
}

int order_state_parse(struct span name, enum order_state *out)
{
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        if (span_eq(name, span_str(states[i].name))) {
            *out = (enum order_state)i;
            return 0;
        }
    }
    return -1;
}

const char *order_step_name(enum order_step step)
{
    CHECK(step < ORDER_STEP_COUNT);
    return steps[step].name;
}

int order_step_parse(struct span name, enum order_step *out)
{
    for (unsigned i = 0; i < ORDER_STEP_COUNT; i++) {
        if (span_eq(name, span_str(steps[i].name))) {
            *out = (enum order_step)i;
            return 0;
        }
    }
    return -1;
}

bool order_step_allowed(enum order_step step, enum order_state state)
{
    CHECK(step < ORDER_STEP_COUNT && state < ORDER_STATE_COUNT);
    return (steps[step].from & 1u << state) != 0;
}

enum order_state order_step_target(enum order_step step)
{
    CHECK(step < ORDER_STEP_COUNT);
    return steps[step].to;
}
