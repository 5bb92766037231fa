#include "engine/cli/demo_plan.h"

#include "engine/base/clock.h"

#define MINUTES(n) ((int64_t)(n)*CLOCK_MINUTE_MS)

/* Complaints come by these weights in the hours from 08:00 on. */
static const unsigned hours[] = {9, 11, 11, 9, 6, 6, 8, 8, 7, 6, 6, 5, 4, 2};
enum { HOURS = sizeof hours / sizeof *hours, PACE_MS = 180000 };

static int64_t shrink(int64_t at, int64_t most_ms)
{
    const int64_t whole = HOURS * CLOCK_HOUR_MS;
    return most_ms >= whole ? at : at * (most_ms / CLOCK_MINUTE_MS) / (whole / CLOCK_MINUTE_MS);
}

int64_t demo_plan_arrival(size_t i, size_t count, int64_t most_ms)
{
    uint64_t all = 0, before = 0;
    for (size_t h = 0; h < HOURS; h++)
        all += hours[h];
    if ((int64_t)count * PACE_MS < HOURS * CLOCK_HOUR_MS)
        return shrink((int64_t)i * PACE_MS, most_ms);
    /* The i-th stands in the middle of its share; hours are filled evenly. */
    const double at = ((double)i + 0.5) * (double)all / (double)count;
    size_t h = 0;
    while (h + 1 < HOURS && (double)(before + hours[h]) <= at)
        before += hours[h++];
    const double part = (at - (double)before) / hours[h];
    return shrink((int64_t)(((double)h + part) * (double)CLOCK_HOUR_MS), most_ms);
}

static int64_t between(struct random *random, int64_t from_ms, int64_t to_ms)
{
    return from_ms + (int64_t)random_below(random, (uint64_t)(to_ms - from_ms));
}

struct demo_answer demo_plan_answer(struct random *random, bool gentle)
{
    const uint64_t dice = random_below(random, 100);
    if (gentle || dice < 78)
        return (struct demo_answer){WILL_ACCEPT, between(random, MINUTES(1) / 2, MINUTES(4))};
    if (dice < 90) /* late: by then it may be the next post's turn */
        return (struct demo_answer){WILL_ACCEPT, between(random, MINUTES(6), MINUTES(14))};
    if (dice < 95) /* seen too late */
        return (struct demo_answer){WILL_ACCEPT, between(random, MINUTES(20), MINUTES(50))};
    return (struct demo_answer){WILL_RETURN, between(random, MINUTES(1), MINUTES(4))};
}

bool demo_plan_absent(size_t worker, int64_t since_ms)
{
    const int64_t hour = since_ms / CLOCK_HOUR_MS;
    return (worker % 7 == 2 && hour >= 2 && hour < 4) || (worker % 7 == 5 && hour >= 6 && hour < 8);
}

static int64_t plan_way(struct random *random, struct demo_case of)
{
    if (of.disaster)
        return between(random, MINUTES(1), MINUTES(5));
    return of.urgent ? between(random, MINUTES(6), MINUTES(32))
                     : between(random, MINUTES(10), MINUTES(90));
}

struct demo_work demo_plan_work(struct random *random, struct demo_case of, bool gentle)
{
    struct demo_work work = {0};
    const uint64_t back = random_below(random, 100), dice = random_below(random, 100);
    const int64_t way = plan_way(random, of);
    if (back < 3 && !gentle) {
        work.return_ms = between(random, MINUTES(10), MINUTES(40));
        return work;
    }
    if (of.urgent || random_below(random, 100) < 60)
        work.arrive_ms = way;
    if (of.disaster && dice < 90)
        work.report_ms = way + between(random, MINUTES(1), MINUTES(9));
    if (of.quarrel)
        work.resolve_ms = dice < 20 ? between(random, MINUTES(120), MINUTES(600)) : 0;
    else if (dice < 72)
        work.resolve_ms = way + between(random, MINUTES(15), MINUTES(240));
    else if (dice < 93)
        work.resolve_ms = way + between(random, MINUTES(240), MINUTES(900));
    else if (dice < 97)
        work.resolve_ms = way + between(random, MINUTES(1300), MINUTES(1500));
    return work;
}

struct demo_verdict demo_plan_verdict(struct random *random, bool reopened)
{
    static const unsigned char stars[] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
                                          5, 4, 4, 4, 4, 4, 3, 3, 2, 1};
    const uint64_t dice = random_below(random, 100);
    struct demo_verdict verdict = {.after_ms = between(random, MINUTES(15), MINUTES(120))};
    if (dice < 5 && !reopened) {
        verdict.reply = REPLY_REOPEN;
    } else if (dice < 65) {
        verdict.reply = REPLY_RATE;
        verdict.stars = stars[random_below(random, sizeof stars)];
    }
    return verdict;
}
