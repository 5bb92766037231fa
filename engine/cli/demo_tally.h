/*
 * demo_tally: follows the event streams of all communities while the demo plays, and counts what
 * happened in each hour, the engine's own steps too.
 */
#ifndef JIESU_CLI_DEMO_TALLY_H
#define JIESU_CLI_DEMO_TALLY_H

#include "engine/base/err.h"
#include "engine/model/clocks.h"
#include "engine/model/directory.h"
#include "engine/model/order.h"
#include "engine/store/redis.h"

#include <stdint.h>
#include <uv.h>

enum { DEMO_TALLY_HOURS = 48 };

/* What happened in one hour. */
struct demo_hour {
    uint64_t created;
    uint64_t steps[ORDER_STEP_COUNT];
    uint64_t warned[WARNING_COUNT]; /* clocks and departments that reached the level */
};

struct demo_tally;

struct demo_tally_options {
    uv_loop_t *loop;
    struct redis_target target;
    const struct directory *directory;
    struct json_reader *json;
    int64_t morning; /* the first hour begins */
};

struct demo_tally *demo_tally_start(const struct demo_tally_options *options, struct err *err);
/* The hour-th hour; a later one than there is counts to the last. */
const struct demo_hour *demo_tally_hour(const struct demo_tally *tally, size_t hour);
void demo_tally_close(struct demo_tally **tally);

#endif
