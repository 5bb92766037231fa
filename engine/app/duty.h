/*
 * duty: who is on shift, and how many orders each worker has.
 *
 * Each second it reads from Redis what all workers hold (`jiesu:{c}:open`, `jiesu:{c}:idle`) into
 * the load that routing asks. Of grids, stations and triages whose workers are all off shift it
 * keeps a gauge, and a warning is logged when that begins, a note when it is over: their orders go
 * to A or the head all the same, but nobody is there to take them.
 *
 * On a fast clock (clock-speed) it looks ten times a second.
 */
#ifndef JIESU_APP_DUTY_H
#define JIESU_APP_DUTY_H

#include "engine/base/err.h"
#include "engine/model/load.h"
#include "engine/model/policy.h"
#include "engine/store/redis.h"

#include <uv.h>

struct duty;

struct duty_options {
    uv_loop_t *loop;
    struct redis_target target;
    struct load *load; /* must outlive it */
    /* A new reference to the policy in force, which it drops. */
    struct policy *(*policy)(void *ctx);
    void *ctx;
};

/* On the loop. NULL and *err when memory is short. */
struct duty *duty_start(const struct duty_options *options, struct err *err);
/* On the loop; sets *duty to NULL. */
void duty_close(struct duty **duty);

#endif
