/*
 * demo_plan: what the simulated people of the demo do, and when. Pure: the same seed gives the same
 * day. Times are milliseconds of the demo's own clock.
 */
#ifndef JIESU_CLI_DEMO_PLAN_H
#define JIESU_CLI_DEMO_PLAN_H

#include "engine/base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When the i-th of count complaints comes, from the beginning of the day (08:00) on: more in the
 * morning than in the evening, none after 22:00; few complaints take a part of the day. When they
 * may take most_ms only, and that is less, all come sooner. */
int64_t demo_plan_arrival(size_t i, size_t count, int64_t most_ms);

/* How a worker takes what is new in the queue. */
enum demo_will { WILL_ACCEPT, WILL_RETURN };
struct demo_answer {
    enum demo_will will;
    int64_t after_ms;
};
/* gentle: the day is nearly over, nobody is late any more. */
struct demo_answer demo_plan_answer(struct random *random, bool gentle);
/* True while the worker (by index) is away without a word, which the directory does not know:
 * `since_ms` is counted from the beginning of the day. */
bool demo_plan_absent(size_t worker, int64_t since_ms);

/* What becomes of an order that was accepted; 0: not at all. */
struct demo_work {
    int64_t return_ms; /* given back after all, and then nothing else */
    int64_t arrive_ms, report_ms, resolve_ms;
};
/* What kind of an order it is: an emergency, a disaster (reported to the street too), a quarrel
 * (most are not settled in a day). */
struct demo_case {
    bool urgent, disaster, quarrel;
};
struct demo_work demo_plan_work(struct random *random, struct demo_case of, bool gentle);

/* What the resident does after it was done. */
enum demo_reply { REPLY_NONE, REPLY_RATE, REPLY_REOPEN };
struct demo_verdict {
    enum demo_reply reply;
    int stars;
    int64_t after_ms;
};
struct demo_verdict demo_plan_verdict(struct random *random, bool reopened);

#endif
