/*
 * A page in two parts. First the sets: each is asked for as many places as the page needs, and what
 * comes is merged into the best so far. Of one community the lower level is asked for first: an
 * order that rises between the two is then found twice and not missed, and its hash says which
 * place is the right one. Then the hashes of the best, in order, until the page is full: with a
 * worker that takes more of them than the page has rows.
 *
 * Both parts keep READS commands under way.
 */
#include "engine/store/warned.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/store/keys.h"
#include "engine/store/order_life.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { READS = 32, NUMBER_BYTES = 24, OWN_FIELDS = 3, FIELDS = ORDER_LIFE_FIELDS + OWN_FIELDS };

/* Behind those of a life. */
enum { OF_WARNING = ORDER_LIFE_FIELDS, OF_URGENCY, OF_CATEGORY };

struct list {
    struct redis *redis;
    struct warned_query query;
    struct arena *arena;
    warned_listed *got;
    void *ctx;
    enum warning levels[WARNING_COUNT]; /* that are asked for, the lowest first */
    size_t level_count;
    size_t next_set, next_order; /* to be asked for */
    size_t reading;              /* commands not yet answered */
    /* The best places so far; room is one more than are looked at. */
    struct warned_place *best, *spare;
    size_t count, room;
    struct warned_order *orders; /* one for each of the best that is asked for */
    size_t found;                /* of these, those that belong into the answer */
    struct err err;
};

/* A set that was asked for, or an order. */
struct ask {
    struct list *list;
    struct span community;
    enum warning level;
    size_t most;  /* places asked for */
    size_t order; /* which of the best */
};

/* ---- places ---- */

int warned_place_cmp(const struct warned_place *a, const struct warned_place *b)
{
    if (a->level != b->level)
        return a->level > b->level ? -1 : 1;
    if (a->rose_at != b->rose_at)
        return a->rose_at < b->rose_at ? -1 : 1;
    return strcmp(a->id.text, b->id.text);
}

const char *warned_place_text(const struct warned_place *place, char out[WARNED_PLACE_BYTES])
{
    (void)snprintf(out, WARNED_PLACE_BYTES, "%s.%lld.%s", warning_name(place->level),
                   (long long)place->rose_at, place->id.text);
    return out;
}

int warned_place_parse(struct span text, struct warned_place *out)
{
    const struct span level = span_cut(&text, '.'), rose_at = span_cut(&text, '.');
    struct warned_place place;
    uint64_t ms;
    if (warning_parse(level, &place.level) < 0 || place.level == WARNING_NONE ||
        span_to_u64(rose_at, INT64_MAX, &ms) < 0 || id_parse(text, &place.id) < 0)
        return -1;
    place.rose_at = (int64_t)ms;
    *out = place;
    return 0;
}

/* ---- the sets ---- */

/* The i-th pair of a set's answer: 1, or 0 when it does not belong into the list. */
static int read_place(const struct ask *ask, const struct reply *reply, size_t i,
                      struct warned_place *out)
{
    char text[2 * ID_BYTES];
    const struct warned_place *after = ask->list->query.after;
    (void)snprintf(text, sizeof(text), "%.*s.%.*s", SPAN_ARG(ask->community),
                   SPAN_ARG(reply_span(reply_at(reply, 2 * i))));
    out->level = ask->level;
    out->rose_at = reply_integer(reply_at(reply, 2 * i + 1));
    return id_parse(span_str(text), &out->id) == 0 &&
           (after == NULL || warned_place_cmp(after, out) < 0);
}

/* The next one from *i on that belongs into the list: 1, or 0 when there is none. */
static int next_place(const struct ask *ask, const struct reply *reply, size_t *i,
                      struct warned_place *out)
{
    while (2 * *i < reply_size(reply)) {
        if (read_place(ask, reply, (*i)++, out))
            return 1;
    }
    return 0;
}

static void merge(struct list *list, const struct ask *ask, const struct reply *reply)
{
    struct warned_place came;
    size_t i = 0, from = 0, n = 0;
    int more = next_place(ask, reply, &from, &came);
    while (n < list->room && (i < list->count || more)) {
        if (more && (i == list->count || warned_place_cmp(&came, &list->best[i]) < 0)) {
            list->spare[n++] = came;
            more = next_place(ask, reply, &from, &came);
        } else {
            list->spare[n++] = list->best[i++];
        }
    }
    struct warned_place *const best = list->spare;
    list->spare = list->best;
    list->best = best;
    list->count = n;
}

/* True when places that belong into the list may be behind those that were asked for: the set is
 * asked from an instant on, and any number of orders may have risen in that one before the place to
 * go on after. */
static bool asked_too_few(const struct ask *ask, const struct reply *reply)
{
    struct warned_place place;
    size_t i = 0, n = 0;
    if (reply_size(reply) < 2 * ask->most)
        return false;
    while (n < ask->list->room && next_place(ask, reply, &i, &place))
        n++;
    return n < ask->list->room;
}

/* True for an answer that can be read, of a list that has no error. */
static bool answered(struct list *list, const struct reply *reply, const struct err *err)
{
    list->reading--;
    if (list->err.code != ERR_NONE)
        return false;
    if (err != NULL)
        list->err = *err;
    else if (reply_type(reply) != REPLY_ARRAY)
        err_set(&list->err, ERR_PROTOCOL, "Redis: list of orders: %.*s",
                SPAN_ARG(reply_span(reply)));
    return list->err.code == ERR_NONE;
}

static void go_on(struct list *list);
static int ask_set(struct list *list, struct span community, enum warning level, size_t most);

static void on_set(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct ask *ask = ctx;
    struct list *list = ask->list;
    if (answered(list, reply, err)) {
        if (asked_too_few(ask, reply))
            (void)ask_set(list, ask->community, ask->level, 2 * ask->most);
        else
            merge(list, ask, reply);
    }
    go_on(list);
}

/* Asks a set for its first places, not before the one to go on after. */
static int ask_set(struct list *list, struct span community, enum warning level, size_t most)
{
    const struct warned_place *after = list->query.after;
    const struct key key = key_warned(community, level);
    char from[NUMBER_BYTES] = "-inf", number[NUMBER_BYTES];
    struct ask *ask = arena_zalloc(list->arena, 1, sizeof(*ask));
    if (ask == NULL)
        return err_set(&list->err, ERR_NOMEM, "no memory to list orders");
    *ask = (struct ask){.list = list, .community = community, .level = level, .most = most};
    if (after != NULL && after->level == level)
        (void)snprintf(from, sizeof(from), "%lld", (long long)after->rose_at);
    (void)snprintf(number, sizeof(number), "%zu", most);
    const struct span argv[] = {SPAN("ZRANGE"), key_span(&key),   span_str(from),
                                SPAN("+inf"),   SPAN("BYSCORE"),  SPAN("LIMIT"),
                                SPAN("0"),      span_str(number), SPAN("WITHSCORES")};
    if (redis_command(list->redis, key_span(&key), sizeof(argv) / sizeof(argv[0]), argv, on_set,
                      ask, &list->err) < 0)
        return -1;
    list->reading++;
    return 0;
}

/* True when nothing of the level can be among the best any more. */
static bool too_low(const struct list *list, enum warning level)
{
    return list->count == list->room && list->best[list->count - 1].level > level;
}

static void ask_next_set(struct list *list)
{
    const enum warning level = list->levels[list->next_set % list->level_count];
    const struct span community = list->query.communities[list->next_set / list->level_count];
    list->next_set++;
    if (!too_low(list, level))
        (void)ask_set(list, community, level, list->room);
}

/* ---- the orders ---- */

/* Copies what is kept of an answer, which lives for the length of its callback only. */
static int keep(struct list *list, struct span *text)
{
    *text = arena_copy(list->arena, *text);
    return text->ptr == NULL ? err_set(&list->err, ERR_NOMEM, "no memory to list orders") : 0;
}

/* 1 when the order's own hash confirms that it belongs here; then *out is filled but for its place.
 * 0 when not, -1 and the list's error. */
static int read_order(struct list *list, const struct reply *reply,
                      const struct warned_place *place, struct warned_order *out)
{
    struct watch_order order;
    struct span values[FIELDS];
    enum warning level;
    for (size_t i = 0; i < FIELDS; i++)
        values[i] = reply_span(reply_at(reply, i));
    if (order_life_read(&place->id, values, &order) < 0 ||
        (1u << order.life.state & ORDER_OPEN) == 0 ||
        warning_parse(values[OF_WARNING], &level) < 0 || level != place->level)
        return 0;
    const struct life *life = &order.life;
    if (list->query.worker.len > 0 && !span_eq(list->query.worker, life->holder))
        return 0;
    *out = (struct warned_order){.place = *place,
                                 .state = life->state,
                                 .version = life->version,
                                 .created_at = life->created_at,
                                 .worker = life->holder,
                                 .grid = order.grid,
                                 .urgency = values[OF_URGENCY],
                                 .category = values[OF_CATEGORY],
                                 .next_due = life_next_due(life)};
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        out->due[c] = order_clock_runs(&life->clocks[c]) ? life->clocks[c].due : 0;
    return keep(list, &out->worker) < 0 || keep(list, &out->grid) < 0 ||
                   keep(list, &out->urgency) < 0 || keep(list, &out->category) < 0
               ? -1
               : 1;
}

static int begin_orders(struct list *list)
{
    list->orders = arena_zalloc(list->arena, list->room, sizeof(*list->orders));
    return list->orders == NULL ? err_set(&list->err, ERR_NOMEM, "no memory to list orders") : 0;
}

static void on_order(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct ask *ask = ctx;
    struct list *list = ask->list;
    if (answered(list, reply, err) &&
        read_order(list, reply, &list->best[ask->order], &list->orders[ask->order]) == 1)
        list->found++;
    go_on(list);
}

static void ask_next_order(struct list *list)
{
    static const struct span own[OWN_FIELDS] = {{"warning", 7}, {"urgency", 7}, {"category", 8}};
    const struct key key = key_order(&list->best[list->next_order].id);
    struct span argv[2 + FIELDS] = {SPAN("HMGET"), key_span(&key)};
    struct ask *ask = arena_zalloc(list->arena, 1, sizeof(*ask));
    if (ask == NULL) {
        err_set(&list->err, ERR_NOMEM, "no memory to list orders");
        return;
    }
    *ask = (struct ask){.list = list, .order = list->next_order++};
    for (size_t i = 0; i < ORDER_LIFE_FIELDS; i++)
        argv[2 + i] = order_life_field(i);
    memcpy(&argv[2 + ORDER_LIFE_FIELDS], own, sizeof(own));
    if (redis_command(list->redis, key_span(&key), 2 + FIELDS, argv, on_order, ask, &list->err) ==
        0)
        list->reading++;
}

/* ---- together ---- */

/* The orders that were found, in order, and where to go on. Some behind the last one of the page
 * may have been read for nothing. */
static void finish(struct list *list)
{
    size_t count = 0, looked_at = 0;
    if (list->err.code != ERR_NONE) {
        list->got(list->ctx, NULL, 0, NULL, &list->err);
        return;
    }
    while (looked_at < list->next_order && count < list->query.most) {
        const struct warned_order *order = &list->orders[looked_at++];
        if (order->version > 0)
            list->orders[count++] = *order;
    }
    const bool more = looked_at > 0 && looked_at < list->count;
    list->got(list->ctx, list->orders, count, more ? &list->best[looked_at - 1] : NULL, NULL);
}

static void go_on(struct list *list)
{
    const size_t sets = list->query.community_count * list->level_count;
    while (list->err.code == ERR_NONE && list->reading < READS) {
        if (list->next_set < sets)
            ask_next_set(list);
        else if (list->orders == NULL && list->reading > 0)
            break;
        else if (list->orders == NULL && begin_orders(list) < 0)
            break;
        else if (list->found < list->query.most && list->next_order < list->count &&
                 list->next_order + 1 < list->room)
            ask_next_order(list);
        else
            break;
    }
    if (list->reading == 0)
        finish(list);
}

/* Only levels that have something behind the place to go on after. */
static void choose_levels(struct list *list)
{
    const struct warned_query *query = &list->query;
    const enum warning most = query->after == NULL ? WARNING_RED : query->after->level;
    for (enum warning level = WARNING_BLUE; level <= most; level++) {
        if ((query->levels & 1u << level) != 0)
            list->levels[list->level_count++] = level;
    }
}

void warned_list(struct redis *redis, const struct warned_query *query, struct arena *arena,
                 warned_listed *got, void *ctx)
{
    struct list *list = arena_zalloc(arena, 1, sizeof(*list));
    CHECK(query->community_count > 0 && query->levels != 0 && query->most > 0);
    const bool scans = query->worker.len > 0 && query->most < LIMIT_ORDERS_SCAN;
    const size_t room = (scans ? LIMIT_ORDERS_SCAN : query->most) + 1;
    struct warned_place *places = arena_zalloc(arena, 2 * room, sizeof(*places));
    if (list == NULL || places == NULL) {
        struct err err = {0};
        err_set(&err, ERR_NOMEM, "no memory to list orders");
        got(ctx, NULL, 0, NULL, &err);
        return;
    }
    *list = (struct list){.redis = redis,
                          .query = *query,
                          .arena = arena,
                          .got = got,
                          .ctx = ctx,
                          .best = places,
                          .spare = places + room,
                          .room = room};
    choose_levels(list);
    go_on(list);
}
