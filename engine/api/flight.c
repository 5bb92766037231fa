#include "engine/api/flight.h"

#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

static void end(struct flight *flight, enum flight_end how, const struct outcome *outcome)
{
    const struct id id = ticket_id(flight->ticket);
    ticket_release(&flight->ticket);
    flight->ended(flight, how, outcome, &id);
}

static void on_done(void *ctx, const struct outcome *outcome)
{
    end(ctx, FLIGHT_SETTLED, outcome);
}

int flight_start(struct flight *flight, struct api *api, const struct record *record,
                 struct err *err)
{
    flight->started_ms = clock_steady_ms();
    return dispatcher_submit(api->options.dispatcher, api->mailbox, record, on_done, flight,
                             &flight->ticket, err);
}

bool flight_expire(struct flight *flight)
{
    if (flight->ticket == NULL)
        return true;
    if (ticket_committed(flight->ticket)) {
        end(flight, FLIGHT_PENDING, NULL);
        return true;
    }
    if (clock_steady_ms() - flight->started_ms >= LIMIT_COMMIT_WAIT_MS) {
        end(flight, FLIGHT_UNKNOWN, NULL);
        return true;
    }
    return false;
}
