/*
 * worker_areas: where a worker may have orders and notices: in its community; for the triage of a
 * street also in each community of the street, whose disputes go up to it.
 */
#ifndef JIESU_API_WORKER_AREAS_H
#define JIESU_API_WORKER_AREAS_H

#include "engine/api/api.h"
#include "engine/http/http.h"

#include <stddef.h>

struct worker_areas {
    struct span worker; /* its id */
    struct span *areas; /* its own first */
    size_t count;
};

/* Finds them for the worker that the path names. They are in the request's arena, for the policy may
 * be another one before the answer is given. 0; or -1 when 404 or 503 was answered. */
int worker_areas_find(struct api *api, struct http_exchange *x, struct worker_areas *out);

#endif
