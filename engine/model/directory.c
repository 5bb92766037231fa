/*
 * Routing works on the frozen directory alone: no allocation, no lock.
 *
 * Names. One keyword matcher holds every name and alias of grids, communities and streets. Hits
 * come ordered by their end; a hit inside a longer one is dropped (the "碧湖花园" inside
 * "碧湖花园二期" names another place). What is left competes: a grid beats a community beats a
 * street; then the longest name wins, then the field (address, title, text), then what stands
 * first.
 *
 * A community given by field is the resident's or the operator's own word. It beats what the text
 * and the location say: only polygons and names inside it count, and without one its station gets
 * the order. The field may name a street too, which then means all of its communities, and its
 * triage without a match. A grid given by field beats all of that.
 */
#include "engine/model/directory.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "engine/model/directory_private.h"

/* The most units one code point becomes (NFKC of U+FDFA is 18). */
enum { FOLD_EXPANSION = 18, ADDRESS_UNITS = LIMIT_ADDRESS_CHARS * FOLD_EXPANSION };

static const char *const reason_names[ROUTE_COUNT] = {
#define X(constant, name) [constant] = (name),
    ROUTE_TABLE(X)
#undef X
};

const char *route_reason_name(enum route_reason reason)
{
    CHECK(reason < ROUTE_COUNT);
    return reason_names[reason];
}

uint32_t directory_find(const struct directory_list *keys, struct span id)
{
    const struct directory_key *items = keys->items;
    size_t low = 0, high = keys->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_cmp(items[middle].text, id);
        if (order == 0)
            return items[middle].index;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return DIRECTORY_NONE;
}

/* Where a name stands, from the strongest on. */
enum field { FIELD_ADDRESS, FIELD_TITLE, FIELD_TEXT };

/* Higher is stronger. */
enum rank { RANK_NONE, RANK_STREET, RANK_COMMUNITY, RANK_GRID };

struct candidate {
    enum rank rank;
    size_t units; /* length of the name */
    enum field field;
    size_t from;
    uint32_t name;
};

/* Hits that a later one may still swallow: neither end of one lies inside another, and all reach
 * back less than one keyword from the newest end, so they are few. */
struct search {
    const struct directory *directory;
    uint32_t within; /* an area, or DIRECTORY_NONE: only names inside it count */
    bool address;
    size_t title_units;
    struct keywords_hit open[LIMIT_KEYWORD_UNITS + 1];
    size_t open_count;
    struct candidate best;
};

static bool area_within(const struct directory *directory, uint32_t area, uint32_t within)
{
    return within == DIRECTORY_NONE || area == within ||
           directory_area(directory, area)->street == within;
}

static bool is_street(const struct directory *directory, uint32_t area)
{
    return directory_area(directory, area)->street == area;
}

static bool candidate_beats(const struct candidate *a, const struct candidate *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    if (a->units != b->units)
        return a->units > b->units;
    if (a->field != b->field)
        return a->field < b->field;
    return a->from < b->from;
}

/* A hit that nothing swallowed any more competes. */
static void search_settle(struct search *search, const struct keywords_hit *hit)
{
    const struct directory_name *name = directory_name(search->directory, hit->value);
    uint32_t area =
        name->of_grid ? directory_grid(search->directory, name->owner)->area : name->owner;
    if (!area_within(search->directory, area, search->within) ||
        (!name->of_grid && area == search->within))
        return; /* elsewhere, or it says only what the field already said */
    struct candidate candidate = {
        .rank = name->of_grid                        ? RANK_GRID
                : is_street(search->directory, area) ? RANK_STREET
                                                     : RANK_COMMUNITY,
        .units = hit->to - hit->from,
        .field = search->address                  ? FIELD_ADDRESS
                 : hit->to <= search->title_units ? FIELD_TITLE
                                                  : FIELD_TEXT,
        .from = hit->from,
        .name = hit->value,
    };
    if (candidate_beats(&candidate, &search->best))
        search->best = candidate;
}

static void search_settle_first(struct search *search, size_t count)
{
    for (size_t i = 0; i < count; i++)
        search_settle(search, &search->open[i]);
    search->open_count -= count;
    for (size_t i = 0; i < search->open_count; i++)
        search->open[i] = search->open[i + count];
}

static int search_on_hit(void *ctx, const struct keywords_hit *hit)
{
    struct search *search = ctx;
    while (search->open_count > 0 && search->open[search->open_count - 1].from >= hit->from)
        search->open_count--;
    if (search->open_count > 0 && search->open[search->open_count - 1].to == hit->to)
        return 0; /* inside a longer one with the same end */
    size_t settled = 0;
    while (settled < search->open_count &&
           search->open[settled].from + LIMIT_KEYWORD_UNITS < hit->to)
        settled++;
    search_settle_first(search, settled);
    CHECK(search->open_count <= LIMIT_KEYWORD_UNITS);
    search->open[search->open_count++] = *hit;
    return 0;
}

static void search_scan(struct search *search, const uint16_t *units, size_t count)
{
    keywords_scan(search->directory->place_names, units, count, search_on_hit, search);
    search_settle_first(search, search->open_count);
}

static struct candidate find_name(const struct directory *directory,
                                  const struct route_query *query, uint32_t within)
{
    struct search search = {.directory = directory, .within = within};
    uint16_t units[ADDRESS_UNITS];
    ptrdiff_t count = 0;
    if (utf8_valid(query->address))
        count =
            text_fold(utf8_prefix(query->address, LIMIT_ADDRESS_CHARS), units, ADDRESS_UNITS, NULL);
    if (count > 0) {
        search.address = true;
        search_scan(&search, units, (size_t)count);
    }
    if (query->text != NULL) {
        search.address = false;
        search.title_units = query->text->title_units;
        search_scan(&search, query->text->units, query->text->count);
    }
    return search.best;
}

static uint32_t find_polygon(const struct directory *directory, struct point at, uint32_t within)
{
    const struct point *points = directory->points.items;
    for (uint32_t i = 0; i < directory->grids.count; i++) {
        const struct directory_grid *grid = directory_grid(directory, i);
        if (grid->point_count > 0 && box_contains(&grid->box, at) &&
            area_within(directory, grid->area, within) &&
            polygon_contains(points + grid->first_point, grid->point_count, at))
            return i;
    }
    return DIRECTORY_NONE;
}

static bool on_duty(const struct directory *directory, uint32_t worker, int64_t now)
{
    const struct directory_worker *w = directory_worker(directory, worker);
    const struct shift *shifts = directory->shifts.items;
    for (size_t i = 0; i < w->shift_count; i++)
        if (shift_covers(&shifts[w->first_shift + i], now))
            return true;
    return w->shift_count == 0;
}

static void set_worker(const struct directory *directory, struct route *route, uint32_t worker,
                       struct span post)
{
    route->worker = directory_worker(directory, worker)->id;
    route->worker_name = directory_worker(directory, worker)->name;
    route->post = post;
}

static void add_post(const struct directory *directory, struct route *route, uint32_t worker)
{
    if (worker == DIRECTORY_NONE)
        return;
    const struct span id = directory_worker(directory, worker)->id;
    for (size_t i = 0; i < route->post_count; i++)
        if (span_eq(route->posts[i], id))
            return;
    route->posts[route->post_count++] = id;
}

static struct load_of load_of(const struct directory *directory, const struct route_query *query,
                              uint32_t worker)
{
    return load_get(query->load, directory_worker(directory, worker)->id);
}

/* Who of an area's desk gets the next order. Compares as it goes, so that a desk may have any
 * length. */
static uint32_t choose_at_desk(const struct directory *directory, const struct directory_area *area,
                               const struct route_query *query)
{
    uint32_t best = DIRECTORY_NONE;
    struct load_of pair[2] = {{0}};
    for (uint32_t w = area->desk; w != DIRECTORY_NONE; w = directory_worker(directory, w)->next) {
        if (!on_duty(directory, w, query->now))
            continue;
        pair[1] = load_of(directory, query, w);
        if (best == DIRECTORY_NONE || load_choose(pair, 2) == 1) {
            best = w;
            pair[0] = pair[1];
        }
    }
    return best == DIRECTORY_NONE ? area->worker : best;
}

static void to_area(const struct directory *directory, struct route *route, uint32_t area,
                    const struct route_query *query)
{
    const struct directory_area *a = directory_area(directory, area);
    bool street = is_street(directory, area);
    route->community = a->id;
    route->street = directory_area(directory, a->street)->id;
    route->grid_name = a->name;
    route->reason = street ? ROUTE_STREET_TRIAGE : ROUTE_COMMUNITY;
    const uint32_t chosen = choose_at_desk(directory, a, query);
    set_worker(directory, route, chosen, street ? SPAN("triage") : SPAN("station"));
    route->post_count = 0;
    add_post(directory, route, chosen);
    add_post(directory, route, a->worker);
}

static bool is_full(const struct directory *directory, const struct route_query *query,
                    uint32_t worker)
{
    return query->capacity > 0 && load_of(directory, query, worker).open >= query->capacity;
}

static bool is_for_backup(const struct directory *directory, const struct directory_grid *g,
                          const struct route_query *query)
{
    if (g->b == DIRECTORY_NONE || !on_duty(directory, g->b, query->now))
        return false;
    return !on_duty(directory, g->a, query->now) ||
           (is_full(directory, query, g->a) && !is_full(directory, query, g->b));
}

static void to_grid(const struct directory *directory, struct route *route, uint32_t grid,
                    enum route_reason reason, const struct route_query *query)
{
    const struct directory_grid *g = directory_grid(directory, grid);
    to_area(directory, route, g->area, query);
    route->grid = g->id;
    route->grid_name = g->name;
    route->reason = reason;
    const bool backup = is_for_backup(directory, g, query);
    set_worker(directory, route, backup ? g->b : g->a, backup ? SPAN("B") : SPAN("A"));
    route->post_count = 0;
    add_post(directory, route, g->a);
    add_post(directory, route, g->b);
    add_post(directory, route, g->leader);
    add_post(directory, route, directory_area(directory, g->area)->worker);
}

void directory_route(const struct directory *directory, const struct route_query *query,
                     struct route *route)
{
    *route = (struct route){.reason = ROUTE_STREET_TRIAGE};
    uint32_t grid = directory_find(&directory->grid_keys, query->grid);
    if (grid != DIRECTORY_NONE) {
        to_grid(directory, route, grid, ROUTE_EXPLICIT_GRID, query);
        return;
    }
    uint32_t within = directory_find(&directory->area_keys, query->community);
    if (query->has_point)
        grid = find_polygon(directory, (struct point){query->lat, query->lon}, within);
    if (grid != DIRECTORY_NONE) {
        to_grid(directory, route, grid, ROUTE_POLYGON, query);
        return;
    }
    struct candidate best = find_name(directory, query, within);
    const struct directory_name *name =
        best.rank == RANK_NONE ? NULL : directory_name(directory, best.name);
    if (name != NULL && name->of_grid)
        to_grid(directory, route, name->owner, ROUTE_PLACE_NAME, query);
    else if (name != NULL)
        to_area(directory, route, name->owner, query);
    else
        to_area(directory, route, within == DIRECTORY_NONE ? 0 : within, query);
    if (name != NULL)
        route->matched = name->text;
}

bool directory_has_grid(const struct directory *directory, struct span grid)
{
    return directory_find(&directory->grid_keys, grid) != DIRECTORY_NONE;
}

bool directory_has_community(const struct directory *directory, struct span community)
{
    return directory_find(&directory->area_keys, community) != DIRECTORY_NONE;
}

struct span directory_worker_community(const struct directory *directory, struct span worker)
{
    uint32_t index = directory_find(&directory->worker_keys, worker);
    if (index == DIRECTORY_NONE)
        return (struct span){0};
    return directory_area(directory, directory_worker(directory, index)->area)->id;
}

static bool leads_a_grid(const struct directory *directory, uint32_t worker, uint32_t area)
{
    for (uint32_t i = 0; i < directory->grids.count; i++) {
        const struct directory_grid *grid = directory_grid(directory, i);
        if (grid->area == area && grid->leader == worker)
            return true;
    }
    return false;
}

enum directory_office directory_office(const struct directory *directory, struct span worker,
                                       struct span community)
{
    const uint32_t who = directory_find(&directory->worker_keys, worker);
    const uint32_t where = directory_find(&directory->area_keys, community);
    if (who == DIRECTORY_NONE || where == DIRECTORY_NONE)
        return OFFICE_NONE;
    const struct directory_area *area = directory_area(directory, where);
    const uint32_t home = directory_worker(directory, who)->area;
    if (who == area->worker || home == area->street)
        return OFFICE_HEAD;
    if (leads_a_grid(directory, who, where))
        return OFFICE_LEADER;
    return home == where ? OFFICE_MEMBER : OFFICE_NONE;
}

size_t directory_area_count(const struct directory *directory)
{
    return directory->areas.count;
}

void directory_area_at(const struct directory *directory, size_t i, struct span *area,
                       struct span *street)
{
    CHECK(i < directory->areas.count);
    const struct directory_area *at = directory_area(directory, (uint32_t)i);
    *area = at->id;
    *street = directory_area(directory, at->street)->id;
}

static bool desk_staffed(const struct directory *directory, const struct directory_area *area,
                         int64_t now)
{
    for (uint32_t w = area->desk; w != DIRECTORY_NONE; w = directory_worker(directory, w)->next)
        if (on_duty(directory, w, now))
            return true;
    return false;
}

void directory_unstaffed(const struct directory *directory, int64_t now,
                         void (*on_place)(void *ctx, struct span id, bool is_grid), void *ctx)
{
    for (uint32_t i = 0; i < directory->areas.count; i++) {
        const struct directory_area *area = directory_area(directory, i);
        if (!desk_staffed(directory, area, now))
            on_place(ctx, area->id, false);
    }
    for (uint32_t i = 0; i < directory->grids.count; i++) {
        const struct directory_grid *grid = directory_grid(directory, i);
        if (!on_duty(directory, grid->a, now) &&
            (grid->b == DIRECTORY_NONE || !on_duty(directory, grid->b, now)))
            on_place(ctx, grid->id, true);
    }
}

bool directory_on_duty(const struct directory *directory, struct span worker, int64_t now)
{
    const uint32_t who = directory_find(&directory->worker_keys, worker);
    return who != DIRECTORY_NONE && on_duty(directory, who, now);
}

struct span directory_head(const struct directory *directory, struct span community)
{
    const uint32_t where = directory_find(&directory->area_keys, community);
    if (where == DIRECTORY_NONE)
        return (struct span){0};
    return directory_worker(directory, directory_area(directory, where)->worker)->id;
}

struct span directory_triage(const struct directory *directory, struct span community, int64_t now)
{
    const uint32_t where = directory_find(&directory->area_keys, community);
    if (where == DIRECTORY_NONE)
        return (struct span){0};
    const uint32_t street = directory_area(directory, where)->street;
    uint32_t triage = directory_area(directory, street)->worker;
    for (uint32_t i = 0; !on_duty(directory, triage, now) && i < directory->workers.count; i++) {
        if (directory_worker(directory, i)->area == street && on_duty(directory, i, now))
            triage = i;
    }
    return directory_worker(directory, triage)->id;
}

struct span directory_street_head(const struct directory *directory, struct span community)
{
    const uint32_t where = directory_find(&directory->area_keys, community);
    if (where == DIRECTORY_NONE)
        return (struct span){0};
    return directory_head(directory,
                          directory_area(directory, directory_area(directory, where)->street)->id);
}

void directory_leaders_on_duty(const struct directory *directory, struct span community,
                               int64_t now, void (*on_worker)(void *ctx, struct span worker),
                               void *ctx)
{
    const uint32_t where = directory_find(&directory->area_keys, community);
    if (where == DIRECTORY_NONE)
        return;
    const struct directory_area *area = directory_area(directory, where);
    if (on_duty(directory, area->worker, now))
        on_worker(ctx, directory_worker(directory, area->worker)->id);
    for (uint32_t i = 0; i < directory->workers.count; i++) {
        const struct directory_worker *worker = directory_worker(directory, i);
        if (worker->area == area->street && on_duty(directory, i, now))
            on_worker(ctx, worker->id);
    }
    for (uint32_t i = 0; i < directory->grids.count; i++) {
        const struct directory_grid *grid = directory_grid(directory, i);
        if (grid->area == where && grid->leader != DIRECTORY_NONE &&
            on_duty(directory, grid->leader, now))
            on_worker(ctx, directory_worker(directory, grid->leader)->id);
    }
}

struct span directory_leader(const struct directory *directory, struct span grid)
{
    const uint32_t where = directory_find(&directory->grid_keys, grid);
    if (where == DIRECTORY_NONE || directory_grid(directory, where)->leader == DIRECTORY_NONE)
        return (struct span){0};
    return directory_worker(directory, directory_grid(directory, where)->leader)->id;
}

void directory_route_to_head(const struct directory *directory, struct route *route)
{
    const uint32_t where = directory_find(&directory->area_keys, route->community);
    CHECK(where != DIRECTORY_NONE);
    set_worker(directory, route, directory_area(directory, where)->worker,
               is_street(directory, where) ? SPAN("triage") : SPAN("station"));
}

size_t directory_worker_count(const struct directory *directory)
{
    return directory->workers.count;
}

void directory_worker_at(const struct directory *directory, size_t i, struct span *worker,
                         struct span *community)
{
    CHECK(i < directory->workers.count);
    const struct directory_worker *w = directory_worker(directory, (uint32_t)i);
    *worker = w->id;
    *community = directory_area(directory, w->area)->id;
}

void directory_free(struct directory **directory)
{
    struct directory *d = *directory;
    if (d == NULL)
        return;
    struct directory_list *lists[] = {&d->areas,     &d->grids,     &d->workers,
                                      &d->names,     &d->points,    &d->shifts,
                                      &d->area_keys, &d->grid_keys, &d->worker_keys};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        mem_free(lists[i]->items);
    keywords_free(&d->place_names);
    arena_free(&d->arena);
    mem_free(d);
    *directory = NULL;
}
