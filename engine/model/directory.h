/*
 * directory: who answers for which place (rules/directory/): streets, communities, grids, workers,
 * posts.
 *
 * Routing looks for a grid in this order and says which step decided:
 *   explicit_grid   the complaint names a grid
 *   polygon         its location lies in a grid's polygon
 *   place_name      its address, title or text holds a name or alias of a grid
 *   community       it names a community, by field or in the text: its station
 *   street_triage   nothing more is known: triage of the street it names, or of the first street
 *
 * Among place names the longest wins; when two grids are named equally well, the address beats the
 * title and the title the text. A community given by field narrows polygon and place_name to its
 * own grids.
 *
 * A grid's worker is A, or B when B is on shift and A is not, or when A has its capacity of open
 * orders and B, on shift too, has not. For a station or a street's triage the equals are its head
 * and those of its workers who hold no post of a grid: of those on shift the one with the fewest
 * open orders, then the longest idle. When nobody is on shift it is A, or the head, all the same.
 * A station or a triage may have working hours: the shifts of those at its desk who have none.
 */
#ifndef JIESU_MODEL_DIRECTORY_H
#define JIESU_MODEL_DIRECTORY_H

#include "classifiers/text.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_TABLE(X)                      \
    X(ROUTE_EXPLICIT_GRID, "explicit_grid") \
    X(ROUTE_POLYGON, "polygon")             \
    X(ROUTE_PLACE_NAME, "place_name")       \
    X(ROUTE_COMMUNITY, "community")         \
    X(ROUTE_STREET_TRIAGE, "street_triage")

enum route_reason {
#define X(constant, name) constant,
    ROUTE_TABLE(X)
#undef X
        ROUTE_COUNT
};
const char *route_reason_name(enum route_reason reason);

struct directory;

struct route_query {
    struct span grid, community; /* as given, may be empty; unknown ones are the caller's 400 and
                                  * count as empty here. community may be a street's id */
    bool has_point;
    double lat, lon;
    struct span address;     /* may be empty */
    const struct text *text; /* normalised title and body; may be NULL */
    int64_t now;             /* for shifts */
    const struct load *load; /* NULL: as if nobody had an order */
    int64_t capacity;        /* open orders from which on A is spared; 0: no such number */
};

/* The posts that answer for a place: A, B, leader, head. */
enum { DIRECTORY_POSTS = 4 };

/* Spans borrow from the directory. */
struct route {
    struct span street,
        community;         /* community is the id's first part: for triage, the street's own id */
    struct span grid;      /* empty for station and triage */
    struct span grid_name; /* for people; of the station or the street when grid is empty */
    struct span worker;    /* id of the assignee: never empty */
    struct span worker_name;
    struct span post; /* "A", "B", "station", "triage" */
    enum route_reason reason;
    struct span matched; /* the place name that decided, or empty */
    /* Whose turn it is, in order: those of A, B, leader and head that there are, each once. */
    struct span posts[DIRECTORY_POSTS];
    size_t post_count;
};

/* What a worker is to the orders of a community, from the least on. */
enum directory_office {
    OFFICE_NONE,   /* a stranger */
    OFFICE_MEMBER, /* one of its workers */
    OFFICE_LEADER, /* leads one of its grids */
    OFFICE_HEAD    /* its station head, or any of its street's triage */
};

/* Reads every *.yaml in dir. NULL and *err with file:line:column: unknown references, duplicate ids
 * or names, a grid without A post, polygons with under 3 points, ... */
struct directory *directory_load(const char *dir, struct err *err);
void directory_free(struct directory **directory);
/* scratch is none: routing folds the address on the stack. Always finds a worker. */
void directory_route(const struct directory *directory, const struct route_query *query,
                     struct route *route);
bool directory_has_grid(const struct directory *directory, struct span grid);
/* True for a street's id too: its triage has a queue like a community's station. */
bool directory_has_community(const struct directory *directory, struct span community);
/* The community (or street, for triage) whose queue the worker reads; empty when there is no such
 * worker. */
struct span directory_worker_community(const struct directory *directory, struct span worker);
/* community may be a street's id: all who work there are its triage. */
enum directory_office directory_office(const struct directory *directory, struct span worker,
                                       struct span community);
/* What has queues, orders and events of its own: every community, and every street for its triage. */
size_t directory_area_count(const struct directory *directory);
/* The i-th one's id and its street's (for a street the same). */
void directory_area_at(const struct directory *directory, size_t i, struct span *area,
                       struct span *street);
/* Each grid whose A and B, and each station and triage whose workers, are all off shift. */
void directory_unstaffed(const struct directory *directory, int64_t now,
                         void (*on_place)(void *ctx, struct span id, bool is_grid), void *ctx);
/* True when there is such a worker and one of their shifts covers the instant. */
bool directory_on_duty(const struct directory *directory, struct span worker, int64_t now);
/* The station head of a community, or the triage of a street; empty when there is no such place. */
struct span directory_head(const struct directory *directory, struct span community);
/* Who of the triage of the community's street (or of the street itself) has the duty: the first of
 * them who is on shift, else the first one. Empty when there is no such place. */
struct span directory_triage(const struct directory *directory, struct span community, int64_t now);
/* The street of the community: its triage's head (of a street: its own). Empty when there is no
 * such place. */
struct span directory_street_head(const struct directory *directory, struct span community);
/* Calls on_worker for each of who leads one of the community's grids, is its head or of its
 * street's triage, and is on shift at now; for some more than once. */
void directory_leaders_on_duty(const struct directory *directory, struct span community,
                               int64_t now, void (*on_worker)(void *ctx, struct span worker),
                               void *ctx);
/* The leader of a grid; empty when there is no such grid or it has none. */
struct span directory_leader(const struct directory *directory, struct span grid);
/* Makes the head of its community (or street) the assignee of a route; its posts stay. */
void directory_route_to_head(const struct directory *directory, struct route *route);
size_t directory_worker_count(const struct directory *directory);
/* The i-th worker's id and the community of its queue. */
void directory_worker_at(const struct directory *directory, size_t i, struct span *worker,
                         struct span *community);

#endif
