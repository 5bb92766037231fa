/*
 * hold: decides from when on Redis can no longer forget what it confirmed. Pure: it is told the
 * time and Redis' answers to INFO. Internal to the store.
 */
#ifndef JIESU_STORE_HOLD_H
#define JIESU_STORE_HOLD_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOLD_MARKS = 16, HOLD_PROBE_MS = 700 };

struct hold_mark {
    int64_t at;
    uint64_t seq;
};

/* Zeroed: nothing known. Zero it again when Redis has another fingerprint. */
struct hold {
    struct hold_mark marks[HOLD_MARKS]; /* oldest first */
    size_t count;
    int64_t asked_at,
        answered_at; /* when the last probe was sent, and the last that was answered; 0: none */
    int64_t delayed;
    bool asking;
};

/* True when it is time to send `INFO persistence`. */
bool hold_due(const struct hold *hold, int64_t now);
/* It is being sent, when all up to confirmed had been answered. */
void hold_asked(struct hold *hold, int64_t now, uint64_t confirmed);
/* It failed. */
void hold_failed(struct hold *hold);
/* It was answered: returns the number up to which records may be released, or 0. *aof is false when
 * the server keeps no append-only file at all. */
uint64_t hold_answered(struct hold *hold, struct span info, bool *aof);

#endif
