/*
 * hook_gate: whether a webhook endpoint may be posted to at this moment.
 *
 * An endpoint that works gets LIMIT_HOOK_IN_FLIGHT posts at a time. After LIMIT_HOOK_DOWN_AFTER
 * failures in a row it is down: then it gets one post at a time, as a probe, after a wait that
 * doubles up to LIMIT_HOOK_PROBE_MAX_MS and is chosen at random below that ("full jitter": M.
 * Brooker, Exponential Backoff And Jitter, AWS 2015). The first success opens it again. A
 * Retry-After holds everything, up to LIMIT_HOOK_RETRY_AFTER_MS. Times are of a steady clock, in ms,
 * and are handed in.
 */
#ifndef JIESU_MODEL_HOOK_GATE_H
#define JIESU_MODEL_HOOK_GATE_H

#include "engine/base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hook_gate {
    struct random random;
    size_t in_flight;
    uint32_t failures; /* in a row */
    bool down;
    int64_t not_before;
};

void hook_gate_init(struct hook_gate *gate, uint64_t seed);
/* True when a post may begin now. */
bool hook_gate_open(const struct hook_gate *gate, int64_t now);
/* A post began. */
void hook_gate_began(struct hook_gate *gate);
/* A post ended: taken, or not, and then with a wait that the endpoint asked for (0: none). Returns
 * true when the endpoint was down and is up again. */
bool hook_gate_ended(struct hook_gate *gate, bool taken, int64_t wait_ms, int64_t now);
/* A wait before attempt number `attempt` (2: the second) with full jitter: 0 to min doubled
 * attempt - 2 times, and to most at the most. */
int64_t hook_backoff(struct random *random, uint32_t attempt, int64_t min, int64_t most);

#endif
