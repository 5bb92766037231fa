/*
 * directory_private: the frozen form of the directory, shared by its loader and its router.
 *
 * Everything is an array, and one thing names another by index. Strings live in one arena.
 */
#ifndef JIESU_MODEL_DIRECTORY_PRIVATE_H
#define JIESU_MODEL_DIRECTORY_PRIVATE_H

#include "classifiers/keywords.h"
#include "engine/base/arena.h"
#include "engine/base/span.h"
#include "engine/model/directory.h"
#include "engine/model/polygon.h"
#include "engine/model/shift.h"

#include <stdint.h>

#define DIRECTORY_NONE UINT32_MAX /* no index */

/* What has a queue of its own: a street or a community. The first area is the first street. */
struct directory_area {
    struct span id, name;
    uint32_t street;                 /* the area of its street; a street's own */
    uint32_t worker;                 /* triage of a street, station head of a community */
    uint32_t desk;                   /* the first of those who answer for the area itself: worker */
    size_t first_shift, shift_count; /* its working hours; none: always open */
};

struct directory_grid {
    struct span id, name;
    uint32_t area;
    uint32_t a, b, leader; /* workers; b and leader may be DIRECTORY_NONE */
    size_t first_point, point_count;
    struct box box; /* of its points, when it has some */
};

struct directory_worker {
    struct span id, name;
    uint32_t area;
    bool in_grid;                    /* holds a post of a grid */
    uint32_t next;                   /* at the desk of its area, or DIRECTORY_NONE */
    size_t first_shift, shift_count; /* none: always on duty; at a desk its hours count */
};

/* A name or alias; its index is the value of its keyword. */
struct directory_name {
    struct span text;
    bool of_grid;
    uint32_t owner; /* a grid, or an area */
};

/* A look-up by id: sorted by text. */
struct directory_key {
    struct span text;
    struct span place; /* "file:line:column", for messages */
    uint32_t index;
};

/* A growing array of one of the above. */
struct directory_list {
    void *items;
    size_t count, capacity;
};

struct directory {
    struct arena *arena;
    struct directory_list areas, grids, workers, names, points, shifts;
    struct directory_list area_keys, grid_keys, worker_keys;
    struct keywords *place_names;
};

static inline struct directory_area *directory_area(const struct directory *d, uint32_t i)
{
    return (struct directory_area *)d->areas.items + i;
}

static inline struct directory_grid *directory_grid(const struct directory *d, uint32_t i)
{
    return (struct directory_grid *)d->grids.items + i;
}

static inline struct directory_worker *directory_worker(const struct directory *d, uint32_t i)
{
    return (struct directory_worker *)d->workers.items + i;
}

static inline struct directory_name *directory_name(const struct directory *d, uint32_t i)
{
    return (struct directory_name *)d->names.items + i;
}

/* The index a list of keys has for the id, or DIRECTORY_NONE. */
uint32_t directory_find(const struct directory_list *keys, struct span id);

#endif
