#include "engine/model/hook_gate.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"

int64_t hook_backoff(struct random *random, uint32_t attempt, int64_t min, int64_t most)
{
    int64_t span = min;
    for (uint32_t i = 2; i < attempt && span < most; i++)
        span *= 2;
    return (int64_t)random_below(random, (uint64_t)(span < most ? span : most) + 1);
}

void hook_gate_init(struct hook_gate *gate, uint64_t seed)
{
    *gate = (struct hook_gate){.random = {.state = seed}};
}

bool hook_gate_open(const struct hook_gate *gate, int64_t now)
{
    return gate->in_flight < (gate->down ? 1 : LIMIT_HOOK_IN_FLIGHT) && now >= gate->not_before;
}

void hook_gate_began(struct hook_gate *gate)
{
    gate->in_flight++;
}

static void hold(struct hook_gate *gate, int64_t until)
{
    if (until > gate->not_before)
        gate->not_before = until;
}

bool hook_gate_ended(struct hook_gate *gate, bool taken, int64_t wait_ms, int64_t now)
{
    CHECK(gate->in_flight > 0);
    gate->in_flight--;
    if (taken) {
        const bool was_down = gate->down;
        gate->down = false;
        gate->failures = 0;
        gate->not_before = now;
        return was_down;
    }
    gate->failures++;
    if (gate->failures >= LIMIT_HOOK_DOWN_AFTER) {
        const uint32_t probes = gate->failures - LIMIT_HOOK_DOWN_AFTER;
        gate->down = true;
        hold(gate, now + hook_backoff(&gate->random, probes + 2, LIMIT_HOOK_BACKOFF_MIN_MS,
                                      LIMIT_HOOK_PROBE_MAX_MS));
    }
    if (wait_ms > 0)
        hold(gate,
             now + (wait_ms < LIMIT_HOOK_RETRY_AFTER_MS ? wait_ms : LIMIT_HOOK_RETRY_AFTER_MS));
    return false;
}
