#include "engine/model/clocks.h"

#include "engine/base/check.h"

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
