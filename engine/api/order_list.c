/*
 * GET /v1/orders?warning=&street=&community=&worker=&limit=&after=: the open orders that were
 * warned of, for who has to see to them: the most urgent first, and nothing personal of them.
 */
#include "engine/api/api_private.h"
#include "engine/api/areas.h"
#include "engine/base/limits.h"
#include "engine/store/warned.h"

/* One request; it lives in the request's arena. */
struct listing {
    struct http_exchange *x;
    struct policy *policy; /* names the communities */
    struct areas areas;
    struct warned_place after;
    struct warned_query query;
};

/* ---- what is asked ---- */

/* "red,yellow"; all levels when there is no such parameter. */
static int read_levels(struct listing *listing)
{
    struct span rest = http_query(http_request(listing->x), "warning");
    enum warning level;
    if (rest.ptr == NULL)
        rest = SPAN("blue,yellow,red");
    do {
        if (warning_parse(span_cut(&rest, ','), &level) < 0 || level == WARNING_NONE)
            return api_bad_query(listing->x,
                                 "warning is blue, yellow or red, or several of them with commas");
        listing->query.levels |= 1u << level;
    } while (rest.ptr != NULL);
    return 0;
}

static int read_page(struct listing *listing)
{
    const struct http_request *r = http_request(listing->x);
    const struct span after = http_query(r, "after");
    const int64_t most = api_query_number(r, "limit", LIMIT_ORDERS_PAGE_MOST, LIMIT_ORDERS_PAGE);
    _Static_assert(LIMIT_ORDERS_PAGE_MOST == 200, "the message says so");
    if (most < 1)
        return api_bad_query(listing->x, "limit is a number from 1 to 200");
    listing->query.most = (size_t)most;
    if (after.ptr == NULL)
        return 0;
    if (warned_place_parse(after, &listing->after) < 0)
        return api_bad_query(listing->x, "after is what an answer before said in next");
    listing->query.after = &listing->after;
    return 0;
}

/* Who is no more in the directory may still hold orders. */
static int read_worker(struct listing *listing)
{
    const struct span worker = http_query(http_request(listing->x), "worker");
    if (worker.ptr != NULL && !id_name_valid(worker))
        return api_bad_query(listing->x, "worker is the id of a worker: 1 to 32 of a-z 0-9 _ -");
    listing->query.worker = worker;
    return 0;
}

/* ---- the answer ---- */

static void write_order(struct json_writer *w, const struct warned_order *order)
{
    json_open_object(w);
    json_member_string(w, "id", id_span(&order->place.id));
    json_member_str(w, "status", order_state_name(order->state));
    json_member_i64(w, "version", order->version);
    json_member_str(w, "warning", warning_name(order->place.level));
    api_member_time(w, "warning_at", order->place.rose_at);
    json_member_string(w, "worker", order->worker);
    json_member_string_or_null(w, "grid", order->grid);
    json_member_string_or_null(w, "category", order->category);
    json_member_string(w, "urgency", order->urgency);
    api_member_time(w, "created_at", order->created_at);
    json_key(w, "deadlines");
    json_open_object(w);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        api_member_time(w, sla_clock_member(c), order->due[c]);
    json_close_object(w);
    api_member_time(w, "next_due", order->next_due);
    json_close_object(w);
}

static void on_listed(void *ctx, const struct warned_order *orders, size_t count,
                      const struct warned_place *next, const struct err *err)
{
    struct listing *listing = ctx;
    struct policy *policy = listing->policy;
    char text[WARNED_PLACE_BYTES];
    if (err != NULL) {
        api_problem(listing->x, err);
    } else {
        struct buf out = {0};
        struct json_writer w = json_writer(&out);
        json_open_object(&w);
        areas_write(&w, &listing->areas);
        json_key(&w, "orders");
        json_open_array(&w);
        for (size_t i = 0; i < count; i++)
            write_order(&w, &orders[i]);
        json_close_array(&w);
        if (next != NULL)
            json_member_str(&w, "next", warned_place_text(next, text));
        json_close_object(&w);
        api_respond_json(listing->x, 200, &out);
    }
    policy_unref(&policy); /* the request itself is gone */
}

void orders_list(struct http_exchange *x, void *ctx)
{
    static const char *const known[] = {"warning", "street", "community",
                                        "worker",  "limit",  "after"};
    struct api *api = ctx;
    struct arena *arena = http_request(x)->arena;
    struct listing *listing = arena_zalloc(arena, 1, sizeof(*listing));
    if (listing == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    listing->x = x;
    if (api_query_names(x, known, sizeof(known) / sizeof(known[0])) < 0 ||
        read_levels(listing) < 0 || read_page(listing) < 0 || read_worker(listing) < 0)
        return;
    struct policy *policy = api->options.policy(api->options.ctx);
    listing->policy = policy;
    if (areas_find(x, policy_directory(policy), &listing->areas) < 0) {
        policy_unref(&policy);
        return;
    }
    listing->query.communities = listing->areas.ids;
    listing->query.community_count = listing->areas.count;
    warned_list(api->redis, &listing->query, arena, on_listed, listing);
}
