#include "engine/model/order.h"

#include "engine/base/check.h"
#include "engine/base/names.h"

static const struct {
    const char *name, *progress;
} states[ORDER_STATE_COUNT] = {
#define X(constant, state_name, chinese) [constant] = {(state_name), (chinese)},
    ORDER_STATE_TABLE(X)
#undef X
};

static const char *const steps[ORDER_STEP_COUNT] = {
#define X(constant, step_name) [constant] = (step_name),
    ORDER_STEP_TABLE(X)
#undef X
};

static const struct {
    const char *name, *words;
} actors[ORDER_ACTOR_COUNT] = {
#define X(constant, actor_name, who) [constant] = {(actor_name), (who)},
    ORDER_ACTOR_TABLE(X)
#undef X
};

static const struct order_rule rules[] = {
#define X(step_taken, who, states_before, state_after) \
    {(step_taken), (who), (states_before), (state_after)},
    ORDER_RULE_TABLE(X)
#undef X
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

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
    const int at = NAMES_FIND_BY(states, name, name);
    if (at < 0)
        return -1;
    *out = (enum order_state)at;
    return 0;
}

bool order_state_ended(enum order_state state)
{
    return state == ORDER_CLOSED || state == ORDER_CANCELLED;
}

const char *order_step_name(enum order_step step)
{
    CHECK(step < ORDER_STEP_COUNT);
    return steps[step];
}

int order_step_parse(struct span name, enum order_step *out)
{
    const int at = NAMES_FIND(steps, name);
    if (at < 0)
        return -1;
    *out = (enum order_step)at;
    return 0;
}

const char *order_actor_name(enum order_actor actor)
{
    CHECK(actor < ORDER_ACTOR_COUNT);
    return actors[actor].name;
}

const char *order_actor_words(enum order_actor actor)
{
    CHECK(actor < ORDER_ACTOR_COUNT);
    return actors[actor].words;
}

static bool is_staff(enum order_actor actor)
{
    return actor <= ACTOR_HEAD;
}

/* A holder is any of the staff, as far as the table knows. */
static bool may(enum order_actor actor, enum order_actor needed)
{
    if (!is_staff(actor) || !is_staff(needed))
        return actor == needed;
    return needed == ACTOR_HOLDER || needed <= actor;
}

const struct order_rule *order_rule(enum order_step step, enum order_actor actor)
{
    const struct order_rule *best = NULL;
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].step == step && may(actor, rules[i].actor) &&
            (best == NULL || rules[i].actor > best->actor))
            best = &rules[i];
    }
    return best;
}

enum order_actor order_step_needs(enum order_step step)
{
    enum order_actor least = ORDER_ACTOR_COUNT;
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].step == step && is_staff(rules[i].actor) && rules[i].actor < least)
            least = rules[i].actor;
    }
    return least;
}

bool order_rule_allows(const struct order_rule *rule, enum order_state state)
{
    CHECK(state < ORDER_STATE_COUNT);
    return (rule->from & 1u << state) != 0;
}

enum order_state order_rule_target(const struct order_rule *rule, enum order_state state)
{
    return rule->to == ORDER_SAME ? state : rule->to;
}

bool order_step_allowed(enum order_step step, bool resident, enum order_state state)
{
    for (size_t i = 0; i < RULES; i++) {
        const bool theirs = resident ? rules[i].actor == ACTOR_RESIDENT : is_staff(rules[i].actor);
        if (rules[i].step == step && theirs && order_rule_allows(&rules[i], state))
            return true;
    }
    return false;
}

bool order_step_bounded(enum order_step step)
{
    switch (step) {
    case STEP_ACCEPT:
    case STEP_ARRIVE:
    case STEP_RESOLVE:
    case STEP_CLOSE:
    case STEP_RATE:
    case STEP_CANCEL:
    case STEP_WARN:
    case STEP_HAND_OVER:
    case STEP_ESCALATE:
    case STEP_RECLOCK:
        return false;
    default:
        return true;
    }
}

enum order_queue order_queue(bool urgent, bool special)
{
    if (urgent)
        return QUEUE_URGENT;
    return special ? QUEUE_SPECIAL : QUEUE_ORDINARY;
}
