/*
 * flight: one record from its submission to the moment the request can be answered.
 *
 * It ends in one of three ways, told once: the record settled within the reply budget; the budget
 * passed and the record is durable (202); or it was not durable within LIMIT_COMMIT_WAIT_MS (503:
 * it may still become an order, so a client retries with its idempotency key). A batch has many
 * flights and one timer, so the timer is the caller's: it calls flight_expire.
 */
#ifndef JIESU_API_FLIGHT_H
#define JIESU_API_FLIGHT_H

#include "engine/api/api.h"

enum flight_end { FLIGHT_SETTLED, FLIGHT_PENDING, FLIGHT_UNKNOWN };

struct flight;
/* outcome is set for FLIGHT_SETTLED only and borrowed; id is the order's. */
typedef void flight_ended(struct flight *flight, enum flight_end end, const struct outcome *outcome,
                          const struct id *id);

/* In the request's arena; zeroed, with ended and ctx set, before flight_start. */
struct flight {
    flight_ended *ended;
    void *ctx;
    struct ticket *ticket; /* NULL once it ended */
    int64_t started_ms;    /* steady */
};

/* Submits. 0 and later ended(), or -1 and *err at once (see dispatcher_submit). */
int flight_start(struct flight *flight, struct api *api, const struct record *record,
                 struct err *err);
/* The reply budget has passed: ends it as pending when it is durable, as unknown when the commit
 * wait has passed too. True when it ended (also before), false when it must be asked again, after
 * FLIGHT_ASK_AGAIN_MS. */
enum { FLIGHT_ASK_AGAIN_MS = 50 };
bool flight_expire(struct flight *flight);

#endif
