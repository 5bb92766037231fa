/*
 * A ray runs from the point to the east, and the edges it crosses are counted. An edge spans [lower
 * latitude, upper latitude), so a corner between two edges is counted once. The side of an edge is
 * computed from its lower end in both of the polygons that share it, so rounding cannot put a point
 * into both or none.
 */
#include "engine/model/polygon.h"

struct box polygon_box(const struct point *points, size_t count)
{
    struct box box = {points[0], points[0]};
    for (size_t i = 1; i < count; i++) {
        struct point p = points[i];
        box.low.lat = p.lat < box.low.lat ? p.lat : box.low.lat;
        box.low.lon = p.lon < box.low.lon ? p.lon : box.low.lon;
        box.high.lat = p.lat > box.high.lat ? p.lat : box.high.lat;
        box.high.lon = p.lon > box.high.lon ? p.lon : box.high.lon;
    }
    return box;
}

bool box_contains(const struct box *box, struct point at)
{
    return at.lat >= box->low.lat && at.lat <= box->high.lat && at.lon >= box->low.lon &&
           at.lon <= box->high.lon;
}

/* Above 0 when c lies to the left of the way from a to b, 0 on it. */
static double side(struct point a, struct point b, struct point c)
{
    return (b.lon - a.lon) * (c.lat - a.lat) - (c.lon - a.lon) * (b.lat - a.lat);
}

bool polygon_contains(const struct point *points, size_t count, struct point at)
{
    bool inside = false;
    struct point last = points[count - 1];
    for (size_t i = 0; i < count; i++) {
        bool up = last.lat < points[i].lat;
        struct point low = up ? last : points[i], high = up ? points[i] : last;
        if (at.lat >= low.lat && at.lat < high.lat && side(low, high, at) > 0)
            inside = !inside;
        last = points[i];
    }
    return inside;
}

bool polygon_flat(const struct point *points, size_t count)
{
    /* From a point that differs from the first, every other must leave their line somewhere. */
    size_t other = 1;
    while (other < count && points[other].lat == points[0].lat &&
           points[other].lon == points[0].lon)
        other++;
    for (size_t i = other + 1; i < count; i++)
        if (side(points[0], points[other], points[i]) != 0)
            return false;
    return true;
}
