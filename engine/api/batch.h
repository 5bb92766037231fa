/*
 * batch: the lines of an NDJSON request, each with a result of its own.
 *
 * A batch is worked on a slice of lines per turn of the loop, so that other requests of the loop
 * are served in between, and is answered when its last line has its result: a line of the answer for
 * each, in order, with its number.
 */
#ifndef JIESU_API_BATCH_H
#define JIESU_API_BATCH_H

#include "engine/api/flight.h"
#include "engine/http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;

/* What became of a line. */
struct batch_result {
    int status; /* 0: not there yet */
    bool replayed;
    struct span body;    /* of a 2xx: JSON */
    const char *problem; /* of others: its name, */
    struct span detail;
    struct span extra; /* and members of it as JSON, or empty */
};

/* What the lines are. A line's state has line_bytes, in the request's arena, zeroed. */
struct batch_kind {
    const char *what; /* "complaint" */
    size_t line_bytes;
    /* Begins a line; number is the request's, from 1. Unless its result is there at once, tells
     * batch_line_done later. */
    void (*begin)(struct batch *batch, void *line, struct span json, uint32_t number);
    struct batch_result (*result)(const void *line);
    struct flight *(*flight)(void *line);
};

/* Answers x, now or later. */
void batch_start(struct api *api, struct http_exchange *x, const struct batch_kind *kind);
struct api *batch_api(const struct batch *batch);
struct http_exchange *batch_exchange(const struct batch *batch);
/* A line that was begun has its result. The batch may be gone afterwards. */
void batch_line_done(struct batch *batch);

#endif
