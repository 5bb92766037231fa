/*
 * ingest: one complaint from its JSON to its result, alone or as a line of a batch.
 */
#ifndef JIESU_API_INGEST_H
#define JIESU_API_INGEST_H

#include "engine/api/flight.h"
#include "engine/base/arena.h"

/* In the request's arena, zeroed. The result is there once status is not 0. */
struct ingest {
    struct flight flight;
    struct api *api;
    struct arena *arena;
    void (*done)(struct ingest *ingest); /* called when the result came later than ingest_start */
    void *ctx;
    struct span answer; /* the order as JSON: given with 201 */

    int status;          /* 201, 202, 400, 409, 422, 503 */
    bool replayed;       /* 201 that repeats the answer of an earlier request with the same key */
    struct span body;    /* of a 201 or 202: JSON */
    struct id id;        /* of the order, for 201 and 202 */
    const char *problem; /* name of the problem, for 4xx and 5xx */
    struct span detail;  /* of the problem */
    struct span extra;   /* JSON members of the problem, or empty */
};

struct ingest_input {
    struct span json;
    bool keyed;
    struct hash128 claim;
};

/* Decodes, classifies, routes and submits. When it returns, the result is there (status != 0), or
 * done will be called; until then the owner of the time calls flight_expire(&ingest->flight) when
 * the reply budget is over. */
void ingest_start(struct ingest *ingest, const struct ingest_input *input);

#endif
