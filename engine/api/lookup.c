#include "engine/api/lookup.h"

#include "engine/api/api_private.h"
#include "engine/base/clock.h"

/* Longer than a record of a live dispatcher waits for its confirmation. */
enum { ON_ITS_WAY_MS = 60000 };

struct lookup {
    struct api *api;
    struct http_exchange *x;
    struct id id;
    bool on_its_way;
    lookup_write *write;
};

/* True while an order with this id may still be on its way to Redis: from this engine or from another one on the same
 * Redis, which has answered for it and whose backlog we cannot see. An id tells when it was given. */
static bool on_its_way(const struct lookup *lookup)
{
    const int64_t age = clock_now_ms() - id_time(&lookup->id),
                  most = clock_stretch_ms(ON_ITS_WAY_MS);
    return !dispatcher_live(lookup->api->options.dispatcher) || (age < most && age > -most);
}

static void on_got(void *ctx, const struct order_view *view, const struct err *err)
{
    struct lookup *lookup = ctx;
    if (err != NULL) {
        api_problem(lookup->x, err);
        return;
    }
    if (view == NULL) {
        if (lookup->on_its_way || on_its_way(lookup))
            http_unavailable(lookup->x, 1, "orders are still being dispatched; ask again");
        else
            api_not_found(lookup->x, "there is no such order");
        return;
    }
    struct buf out = {0};
    if (lookup->write(lookup->api, lookup->x, view, &out) == 0) {
        api_respond_json(lookup->x, 200, &out);
        return;
    }
    buf_free(&out);
    http_problem(lookup->x, 500, "stored-order", SPAN("the stored order cannot be read"),
                 (struct span){NULL, 0});
}

void lookup_order(struct api *api, struct http_exchange *x, lookup_write *write)
{
    struct lookup *lookup = arena_zalloc(http_request(x)->arena, 1, sizeof(*lookup));
    struct err err = {0};
    if (lookup == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    lookup->api = api;
    lookup->x = x;
    lookup->write = write;
    if (api_path_id(x, &lookup->id) < 0)
        return;
    /* Asked before Redis is read, too: the order may arrive between the reading and its answer. */
    lookup->on_its_way = on_its_way(lookup);
    if (orders_get(api->redis, &lookup->id, on_got, lookup, &err) < 0)
        api_problem(x, &err);
}
