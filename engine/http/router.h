/*
 * router: finds the route of a request. The first row of the table whose pattern fits wins, so a
 * literal path stands before a pattern that would take it too.
 */
#ifndef JIESU_HTTP_ROUTER_H
#define JIESU_HTTP_ROUTER_H

#include "engine/http/http.h"

enum http_routing {
    HTTP_ROUTE_FOUND,
    HTTP_ROUTE_UNKNOWN, /* 404 */
    HTTP_ROUTE_METHOD,  /* 405: *allow tells what is allowed */
    HTTP_ROUTE_NO_MEMORY
};

/* Matches raw_path (as received, '/' is cut before escapes are decoded) against the table. For a
 * match sets *route and fills params (decoded, in the arena where needed). *allow is a set of 1 <<
 * enum http_method. HEAD takes GET's route. */
enum http_routing http_route_find(const struct http_route *routes, size_t count,
                                  enum http_method method, struct span raw_path,
                                  struct arena *arena, struct span params[HTTP_PARAMS],
                                  const struct http_route **route, unsigned *allow);
/* The value of an Allow header for the set; in the arena, .ptr NULL when memory is short. */
struct span http_allow_text(unsigned allow, struct arena *arena);

#endif
