/*
 * id: order ids, "<community>.<ULID>".
 *
 * The ULID (48 bits of milliseconds, 80 random bits, Crockford base 32) sorts by time and cannot be
 * guessed. The community's id is the Redis hash tag of every key of the order, so the id alone says
 * where it lives.
 */
#ifndef JIESU_MODEL_ID_H
#define JIESU_MODEL_ID_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ID_ULID_BYTES = 26,
    ID_COMMUNITY_BYTES = 32,
    ID_BYTES = ID_COMMUNITY_BYTES + 1 + ID_ULID_BYTES
};

struct id {
    char text[ID_BYTES + 1]; /* NUL-terminated */
};

/* A new id; community is 1..ID_COMMUNITY_BYTES of [a-z0-9_-] and now_ms 0..2^48-1 (CHECKed: the
 * directory and the clock guarantee it). */
void id_make(struct id *id, struct span community, int64_t now_ms);
/* 0 when text has the form of an id, else -1. Any case of the ULID is accepted and made upper case.
 */
int id_parse(struct span text, struct id *id);
struct span id_span(const struct id *id);
struct span id_community(const struct id *id);
struct span id_ulid(const struct id *id);
/* The time in the ULID. */
int64_t id_time(const struct id *id);
/* True for a name the directory may use for a community or a worker: 1..32 of [a-z0-9_-]. */
bool id_name_valid(struct span name);

#endif
