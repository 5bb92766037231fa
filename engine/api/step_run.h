/*
 * step_run: one step from its JSON to its result, alone or as a line of a batch.
 *
 * A step takes the same road as a complaint: outbox, then one atomic Redis call that checks the
 * state. Its step id is made of the Idempotency-Key and the body, so that a retry, and a key that
 * comes with another body, are recognised in Redis; without a key each request is a step of its
 * own, and a repeated one meets the changed state (409).
 */
#ifndef JIESU_API_STEP_RUN_H
#define JIESU_API_STEP_RUN_H

#include "engine/api/flight.h"
#include "engine/base/arena.h"
#include "engine/http/http.h"
#include "engine/model/order.h"

/* In the request's arena, zeroed. The result is there once status is not 0. */
struct step_run {
    struct flight flight;
    struct api *api;
    struct http_exchange *x;
    void (*done)(struct step_run *run); /* called when the result came later than step_run_start */
    void *ctx;
    enum order_step step;
    bool resident;

    int status;          /* 200, 202, 4xx, 503 */
    struct span body;    /* of a 200 or 202: JSON */
    const char *problem; /* name of the problem */
    struct span detail;
    struct span extra; /* JSON members of the problem, or empty */
};

struct step_input {
    struct span json;
    bool resident;
    bool line;            /* of a batch: the JSON names order and step */
    uint32_t number;      /* of the line, from 1; 0 outside a batch */
    struct id id;         /* outside a batch */
    enum order_step step; /* outside a batch */
};

/* Decodes, checks who it is, and submits. When it returns, the result is there (status != 0), or
 * done will be called; until then the owner of the time calls flight_expire(&run->flight) when the
 * reply budget is over. */
void step_run_start(struct step_run *run, const struct step_input *input);

#endif
