/*
 * areas: the communities that a query is about: `community=` names one, `street=` all of a street,
 * neither all of the directory. A street's own id, where its triage has orders, is one too.
 */
#ifndef JIESU_API_AREAS_H
#define JIESU_API_AREAS_H

#include "engine/http/http.h"
#include "engine/http/json_writer.h"
#include "engine/model/directory.h"

#include <stddef.h>

struct areas {
    struct span street, community; /* as given; .ptr is NULL when not */
    /* Of each, its id and its street's: at least one. They borrow from the directory. */
    struct span *ids, *streets;
    size_t count;
};

/* Reads the query. 0; or -1 when 400 or 503 was answered. The lists are in the request's arena. */
int areas_find(struct http_exchange *x, const struct directory *directory, struct areas *out);
/* The members `street` and `community`, where they were given. */
void areas_write(struct json_writer *w, const struct areas *areas);

#endif
