#include "engine/model/clocks.h"

#include "engine/base/check.h"
#include "engine/base/names.h"

#include <math.h>

static const char *const names[WARNING_COUNT] = {
#define X(constant, name) [constant] = (name),
    WARNING_TABLE(X)
#undef X
};

const char *warning_name(enum warning warning)
{
    CHECK(warning < WARNING_COUNT);
    return names[warning];
}

int warning_parse(struct span name, enum warning *out)
{
    const int at = NAMES_FIND(names, name);
    if (at < 0)
        return -1;
    *out = (enum warning)at;
    return 0;
}

bool order_clock_runs(const struct order_clock *clock)
{
    return clock->due != 0 && clock->met_at == 0 && clock->stopped_at == 0;
}

/* The instant up to which it ran. */
static int64_t ran_until(const struct order_clock *clock, int64_t now)
{
    if (clock->met_at != 0)
        return clock->met_at;
    return clock->stopped_at != 0 ? clock->stopped_at : now;
}

double order_clock_share(const struct order_clock *clock, int64_t now)
{
    const int64_t until = ran_until(clock, now);
    if (clock->due == 0 || until <= clock->start)
        return 0;
    if (clock->due <= clock->start)
        return 1;
    return (double)(until - clock->start) / (double)(clock->due - clock->start);
}

bool order_clock_breached(const struct order_clock *clock, int64_t now)
{
    return clock->due != 0 && ran_until(clock, now) > clock->due;
}

enum warning order_clock_warning(const struct order_clock *clock,
                                 const struct warning_shares *shares, int64_t now)
{
    const double share = order_clock_share(clock, now);
    enum warning level = WARNING_NONE;
    for (enum warning w = WARNING_BLUE; w < WARNING_COUNT && clock->due != 0; w++) {
        if (share >= shares->from[w])
            level = w;
    }
    return level;
}

/* It asks order_clock_share itself at the edge, so that both agree to the millisecond, whatever the
 * rounding of the share. */
int64_t order_clock_warns_at(const struct order_clock *clock, const struct warning_shares *shares,
                             enum warning level)
{
    CHECK(level > WARNING_NONE && level < WARNING_COUNT);
    const double share = shares->from[level];
    const struct order_clock running = {.start = clock->start, .due = clock->due};
    if (clock->due == 0 || (clock->due <= clock->start && share > 1))
        return 0;
    int64_t at = clock->start + 1;
    if (clock->due > clock->start)
        at = clock->start + (int64_t)ceil(share * (double)(clock->due - clock->start));
    while (order_clock_share(&running, at) < share)
        at++;
    while (at > clock->start + 1 && order_clock_share(&running, at - 1) >= share)
        at--;
    return at;
}
