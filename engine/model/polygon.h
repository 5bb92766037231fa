/*
 * polygon: is a point in a grid?
 *
 * Latitude and longitude are taken as a plane, which is exact enough for areas of a city. Even-odd
 * rule, half open: of polygons that share an edge, a point on it belongs to exactly one, and so
 * does a shared corner.
 */
#ifndef JIESU_MODEL_POLYGON_H
#define JIESU_MODEL_POLYGON_H

#include <stdbool.h>
#include <stddef.h>

struct point {
    double lat, lon; /* decimal degrees */
};

struct box {
    struct point low, high; /* both inside */
};

/* The smallest box around count >= 1 points. */
struct box polygon_box(const struct point *points, size_t count);
bool box_contains(const struct box *box, struct point at);
/* True when `at` lies in the polygon of count >= 3 points, closed from the last to the first. */
bool polygon_contains(const struct point *points, size_t count, struct point at);
/* True when the points enclose nothing: all on one line. */
bool polygon_flat(const struct point *points, size_t count);

#endif
