/*
 * redis_slots: which master of a Redis Cluster holds which key. Pure: no I/O.
 */
#ifndef JIESU_STORE_REDIS_SLOTS_H
#define JIESU_STORE_REDIS_SLOTS_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/store/redis_link.h"
#include "engine/store/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_SLOTS = 16384, REDIS_MASTERS = 128, REDIS_NO_MASTER = 0xffff };

struct redis_slots {
    uint16_t owner[REDIS_SLOTS]; /* index into master, or REDIS_NO_MASTER */
    struct redis_endpoint master[REDIS_MASTERS];
    size_t masters;
    bool complete; /* every slot has an owner */
};

/* CRC16 (XMODEM) of the key, or of what stands between its first "{" and the next "}" when that is
 * not empty, modulo 16384. */
uint16_t redis_slot(struct span key);
/* Reads the reply to CLUSTER SLOTS. A node without a name of its own has the host we asked. 0, or
 * -1 and *err (ERR_PROTOCOL, ERR_LIMIT). */
int redis_slots_read(const struct reply *reply, const struct redis_endpoint *asked,
                     struct redis_slots *slots, struct err *err);
bool redis_endpoint_eq(const struct redis_endpoint *a, const struct redis_endpoint *b);

struct redis_redirect {
    bool ask; /* only this command goes there; otherwise the slot has moved */
    uint16_t slot;
    struct redis_endpoint to;
};

/* Reads "MOVED slot host:port" and "ASK slot host:port": 1, 0 when the text is neither, -1 when it
 * is one of them and cannot be read. asked stands in for an empty host. */
int redis_redirect_read(struct span text, const struct redis_endpoint *asked,
                        struct redis_redirect *redirect);

#endif
