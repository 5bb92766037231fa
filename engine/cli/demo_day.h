/*
 * demo_day: the lives of the demo's orders: workers who look into their queues when they are on
 * shift, accept soon or late, hand back, arrive and resolve; station heads who review and decide;
 * residents who rate or ask for the order to be taken up again. Each step is a request to the
 * engine, at its time on the demo's clock, and the engine has the last word: who comes too late is
 * refused.
 */
#ifndef JIESU_CLI_DEMO_DAY_H
#define JIESU_CLI_DEMO_DAY_H

#include "engine/base/err.h"
#include "engine/cli/demo_steps.h"
#include "engine/http/json.h"
#include "engine/model/directory.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct demo_day;

struct demo_day_options {
    uv_loop_t *loop;
    struct demo_steps *steps;
    struct json_reader *json;
    const struct directory *directory;
    int64_t morning, evening; /* the day begins; from the evening on nobody is late any more */
    /* The engine acknowledged a step of the order. accepted: it was taken for the first time. */
    void (*on_step)(void *ctx, struct span id, bool accepted);
    /* What the engine should not have said, or memory is short. */
    void (*on_error)(void *ctx, const struct err *err);
    void *ctx;
};

/* How it stands. */
struct demo_day_count {
    size_t orders;   /* known */
    size_t untaken;  /* of them, not accepted by anyone yet */
    size_t open;     /* waiting or held */
    size_t too_late; /* steps that the engine refused because another one came first */
};

struct demo_day *demo_day_start(const struct demo_day_options *options, struct err *err);
/* Complaint i became this order: the engine's answer (201), or just its id (202). */
void demo_day_order(struct demo_day *day, size_t i, struct span id, const struct json *answer);
/* A worker (by index) found the order in a queue. */
void demo_day_queued(struct demo_day *day, struct span id, size_t worker);
struct demo_day_count demo_day_count(const struct demo_day *day);
/* Nothing is planned any more and every order is done. */
bool demo_day_over(const struct demo_day *day);
/* Nobody does anything from now on; what is asked is still answered. */
void demo_day_stop(struct demo_day *day);
/* After its steps were closed. */
void demo_day_close(struct demo_day **day);

#endif
