#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/model/directory_loader.h"
#include "engine/model/id.h"

#include <string.h>

/* A name shorter than this would be found in every text. */
enum { NAME_UNITS_MIN = 2 };

int loader_no_memory(struct loader *loader)
{
    return err_set(loader->err, ERR_NOMEM, "not enough memory to read the directory");
}

void *loader_add(struct loader *loader, struct directory_list *list, size_t size)
{
    void *grown = mem_grow(list->items, &list->capacity, list->count, 16, size);
    if (grown == NULL) {
        loader_no_memory(loader);
        return NULL;
    }
    list->items = grown;
    void *item = (char *)list->items + list->count * size;
    memset(item, 0, size);
    list->count++;
    return item;
}

static int keep_text(struct loader *loader, struct span text, struct span *out)
{
    *out = arena_copy(loader->directory->arena, text);
    return out->ptr == NULL ? loader_no_memory(loader) : 0;
}

static int keep_place(struct loader *loader, const struct yaml_node *node, struct span *out)
{
    *out = arena_printf(loader->directory->arena, "%s:%d:%d", yaml_file(loader->doc),
                        yaml_line(node), yaml_column(node));
    return out->ptr == NULL ? loader_no_memory(loader) : 0;
}

/* Reads member `id` and adds it to the keys of its kind. */
static int read_id(struct loader *loader, const struct yaml_node *map, struct directory_list *keys,
                   uint32_t index, struct span *out)
{
    struct span id;
    if (yaml_get_string(loader->doc, map, "id", true, &id, loader->err) != 0)
        return -1;
    const struct yaml_node *node = yaml_find(map, "id");
    if (!id_name_valid(id))
        return yaml_error(loader->doc, node, loader->err,
                          "'%.*s' is no id; use 1 to %d of a-z 0-9 _ -", SPAN_ARG(id),
                          ID_COMMUNITY_BYTES);
    struct directory_key *key = loader_add(loader, keys, sizeof *key);
    if (key == NULL || keep_text(loader, id, &key->text) != 0 ||
        keep_place(loader, node, &key->place) != 0)
        return -1;
    key->index = index;
    *out = key->text;
    return 0;
}

static int add_name(struct loader *loader, const struct yaml_node *node, bool of_grid,
                    uint32_t owner)
{
    uint16_t units[LIMIT_KEYWORD_UNITS];
    struct span text = yaml_text(node);
    ptrdiff_t count =
        yaml_kind(node) == YAML_SCALAR ? text_fold(text, units, LIMIT_KEYWORD_UNITS, NULL) : -1;
    if (count < NAME_UNITS_MIN)
        return yaml_error(loader->doc, node, loader->err,
                          "a name or alias must have %d to %d characters", NAME_UNITS_MIN,
                          LIMIT_KEYWORD_UNITS);
    struct directory_list *names = &loader->directory->names;
    uint32_t index = (uint32_t)names->count;
    struct directory_name *name = loader_add(loader, names, sizeof *name);
    if (name == NULL || keep_text(loader, text, &name->text) != 0)
        return -1;
    name->of_grid = of_grid;
    name->owner = owner;
    struct loader_name *folded = loader_add(loader, &loader->folded, sizeof *folded);
    if (folded == NULL || keep_place(loader, node, &folded->place) != 0)
        return -1;
    size_t size = (size_t)count * sizeof units[0];
    folded->units = arena_alloc(loader->scratch, size);
    if (folded->units == NULL)
        return loader_no_memory(loader);
    memcpy(folded->units, units, size);
    folded->count = (size_t)count;
    folded->name = index;
    return 0;
}

/* Reads members `name` and `aliases`. */
static int read_names(struct loader *loader, const struct yaml_node *map, bool of_grid,
                      uint32_t owner, struct span *out)
{
    struct span name;
    if (yaml_get_string(loader->doc, map, "name", true, &name, loader->err) != 0 ||
        keep_text(loader, name, out) != 0 ||
        add_name(loader, yaml_find(map, "name"), of_grid, owner) != 0)
        return -1;
    const struct yaml_node *aliases = yaml_find(map, "aliases");
    if (aliases == NULL)
        return 0;
    if (yaml_expect_list(loader->doc, aliases, loader->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(aliases); i++)
        if (add_name(loader, yaml_at(aliases, i), of_grid, owner) != 0)
            return -1;
    return 0;
}

/* Reads a member that names a worker, to be resolved when all are known. */
static int read_post(struct loader *loader, const struct yaml_node *map, const char *key,
                     bool required, struct loader_post as)
{
    struct span id;
    if (yaml_get_string(loader->doc, map, key, required, &id, loader->err) != 0)
        return -1;
    if (id.len == 0)
        return 0;
    if (keep_text(loader, id, &as.id) != 0 ||
        keep_place(loader, yaml_find(map, key), &as.place) != 0)
        return -1;
    struct loader_post *post = loader_add(loader, &loader->posts, sizeof *post);
    if (post == NULL)
        return -1;
    *post = as;
    return 0;
}

static int read_point(struct loader *loader, const struct yaml_node *node)
{
    struct point at;
    if (yaml_kind(node) != YAML_LIST || yaml_size(node) != 2 ||
        span_to_double(yaml_text(yaml_at(node, 0)), &at.lat) != 0 || at.lat < -90 || at.lat > 90 ||
        span_to_double(yaml_text(yaml_at(node, 1)), &at.lon) != 0 || at.lon < -180 || at.lon > 180)
        return yaml_error(loader->doc, node, loader->err,
                          "a point is [latitude, longitude] in degrees, as [28.2301, 112.9381]");
    struct point *point = loader_add(loader, &loader->directory->points, sizeof *point);
    if (point == NULL)
        return -1;
    *point = at;
    return 0;
}

static int read_polygon(struct loader *loader, const struct yaml_node *map,
                        struct directory_grid *grid)
{
    const struct yaml_node *polygon = yaml_find(map, "polygon");
    struct directory_list *points = &loader->directory->points;
    grid->first_point = points->count;
    if (polygon == NULL)
        return 0;
    if (yaml_expect_list(loader->doc, polygon, loader->err) != 0)
        return -1;
    if (yaml_size(polygon) < 3 || yaml_size(polygon) > LIMIT_POLYGON_POINTS)
        return yaml_error(loader->doc, polygon, loader->err,
                          "a polygon has 3 to %d points, not %zu; add or remove some",
                          LIMIT_POLYGON_POINTS, yaml_size(polygon));
    for (size_t i = 0; i < yaml_size(polygon); i++)
        if (read_point(loader, yaml_at(polygon, i)) != 0)
            return -1;
    grid->point_count = yaml_size(polygon);
    const struct point *own = (const struct point *)points->items + grid->first_point;
    if (polygon_flat(own, grid->point_count))
        return yaml_error(loader->doc, polygon, loader->err,
                          "the polygon encloses nothing; its points lie on one line");
    grid->box = polygon_box(own, grid->point_count);
    return 0;
}

static int read_grid(struct loader *loader, const struct yaml_node *map, uint32_t area)
{
    static const char *const known[] = {"id", "name", "aliases", "polygon",
                                        "a",  "b",    "leader",  NULL};
    if (yaml_expect_map(loader->doc, map, known, loader->err) != 0)
        return -1;
    struct directory *d = loader->directory;
    uint32_t index = (uint32_t)d->grids.count;
    struct directory_grid *grid = loader_add(loader, &d->grids, sizeof *grid);
    if (grid == NULL)
        return -1;
    grid->area = area;
    grid->b = grid->leader = DIRECTORY_NONE;
    struct loader_post post = {.area = area, .owner = index, .kind = POST_A};
    if (read_id(loader, map, &d->grid_keys, index, &grid->id) != 0 ||
        read_names(loader, map, true, index, &grid->name) != 0 ||
        read_polygon(loader, map, grid) != 0 || read_post(loader, map, "a", true, post) != 0)
        return -1;
    post.kind = POST_B;
    if (read_post(loader, map, "b", false, post) != 0)
        return -1;
    post.kind = POST_LEADER;
    return read_post(loader, map, "leader", false, post);
}

/* Reads member `key`, a list of shifts, when it is there: which of the directory's they are. */
static int read_shifts(struct loader *loader, const struct yaml_node *map, const char *key,
                       size_t *first, size_t *count)
{
    const struct yaml_node *list = yaml_find(map, key);
    struct directory_list *shifts = &loader->directory->shifts;
    *first = shifts->count;
    if (list == NULL)
        return 0;
    if (yaml_kind(list) != YAML_LIST || yaml_size(list) < 1 || yaml_size(list) > LIMIT_SHIFTS)
        return yaml_error(loader->doc, list, loader->err,
                          "%s is a list of 1 to %d; leave it out for who is always on", key,
                          LIMIT_SHIFTS);
    for (size_t i = 0; i < yaml_size(list); i++) {
        struct shift *shift = loader_add(loader, shifts, sizeof *shift);
        if (shift == NULL)
            return -1;
        if (shift_parse(yaml_text(yaml_at(list, i)), shift) != 0)
            return yaml_error(loader->doc, yaml_at(list, i), loader->err,
                              "'%.*s' is no shift; write as 'mon-fri 08:00-18:00'",
                              SPAN_ARG(yaml_text(yaml_at(list, i))));
    }
    *count = yaml_size(list);
    return 0;
}

/* A street or a community: what they have in common. head is the key of its desk's worker. */
static int read_area(struct loader *loader, const struct yaml_node *map, uint32_t street,
                     const char *head)
{
    struct directory *d = loader->directory;
    uint32_t index = (uint32_t)d->areas.count;
    struct directory_area *area = loader_add(loader, &d->areas, sizeof *area);
    if (area == NULL)
        return -1;
    area->street = street;
    if (read_id(loader, map, &d->area_keys, index, &area->id) != 0 ||
        read_names(loader, map, false, index, &area->name) != 0 ||
        read_shifts(loader, map, "hours", &area->first_shift, &area->shift_count) != 0)
        return -1;
    struct loader_post post = {.area = index, .owner = index, .kind = POST_HEAD};
    return read_post(loader, map, head, true, post);
}

static int read_community(struct loader *loader, const struct yaml_node *map, uint32_t street)
{
    static const char *const known[] = {"id", "name", "aliases", "station", "hours", "grids", NULL};
    uint32_t area = (uint32_t)loader->directory->areas.count;
    if (yaml_expect_map(loader->doc, map, known, loader->err) != 0 ||
        read_area(loader, map, street, "station") != 0)
        return -1;
    const struct yaml_node *grids = yaml_find(map, "grids");
    if (grids == NULL)
        return 0;
    if (yaml_expect_list(loader->doc, grids, loader->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(grids); i++)
        if (read_grid(loader, yaml_at(grids, i), area) != 0)
            return -1;
    return 0;
}

static int read_worker(struct loader *loader, const struct yaml_node *map)
{
    static const char *const known[] = {"id", "name", "community", "shifts", NULL};
    struct directory *d = loader->directory;
    uint32_t index = (uint32_t)d->workers.count;
    struct directory_worker *worker = loader_add(loader, &d->workers, sizeof *worker);
    if (worker == NULL)
        return -1;
    struct span name, community;
    if (yaml_expect_map(loader->doc, map, known, loader->err) != 0 ||
        read_id(loader, map, &d->worker_keys, index, &worker->id) != 0 ||
        yaml_get_string(loader->doc, map, "name", true, &name, loader->err) != 0 ||
        yaml_get_string(loader->doc, map, "community", true, &community, loader->err) != 0 ||
        keep_text(loader, name, &worker->name) != 0 ||
        read_shifts(loader, map, "shifts", &worker->first_shift, &worker->shift_count) != 0)
        return -1;
    struct loader_home *own = loader_add(loader, &loader->homes, sizeof *own);
    if (own == NULL || keep_text(loader, community, &own->id) != 0)
        return -1;
    own->worker = index;
    return keep_place(loader, yaml_find(map, "community"), &own->place);
}

static int read_street(struct loader *loader)
{
    static const char *const known[] = {"street", "communities", "workers", NULL};
    static const char *const known_street[] = {"id", "name", "triage", "hours", "aliases", NULL};
    const struct yaml_node *root = yaml_root(loader->doc);
    uint32_t index = (uint32_t)loader->directory->areas.count;
    if (yaml_expect_map(loader->doc, root, known, loader->err) != 0)
        return -1;
    const struct yaml_node *street = yaml_find(root, "street");
    const struct yaml_node *communities = yaml_find(root, "communities");
    const struct yaml_node *workers = yaml_find(root, "workers");
    if (street == NULL || communities == NULL || workers == NULL)
        return yaml_error(loader->doc, root, loader->err,
                          "a directory file needs street, communities and workers; add what is "
                          "missing");
    if (yaml_expect_map(loader->doc, street, known_street, loader->err) != 0 ||
        read_area(loader, street, index, "triage") != 0 ||
        yaml_expect_list(loader->doc, communities, loader->err) != 0 ||
        yaml_expect_list(loader->doc, workers, loader->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(communities); i++)
        if (read_community(loader, yaml_at(communities, i), index) != 0)
            return -1;
    for (size_t i = 0; i < yaml_size(workers); i++)
        if (read_worker(loader, yaml_at(workers, i)) != 0)
            return -1;
    return 0;
}

int loader_read_file(struct loader *loader, const char *path)
{
    struct yaml_doc *doc = yaml_load(path, loader->err);
    if (doc == NULL)
        return -1;
    loader->doc = doc;
    int result = read_street(loader);
    yaml_free(&doc);
    return result;
}
