/*
 * The life of one loop's api, and the small things that every resource uses.
 */
#include "engine/api/api_private.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

static const struct http_route routes[] = {
    {HTTP_POST_, "/v1/complaints", complaints_post, LIMIT_HTTP_BODY_BYTES, "application/json",
     LIMIT_HTTP_BATCH_BYTES},
    {HTTP_GET_, "/v1/complaints/{id}", complaints_get, 0, NULL, 0},
    {HTTP_POST_, "/v1/classify", classify_post, LIMIT_HTTP_BODY_BYTES, "application/json", 0},
    {HTTP_GET_, "/v1/orders", orders_list, 0, NULL, 0},
    {HTTP_GET_, "/v1/orders/{id}", orders_get_one, 0, NULL, 0},
    {HTTP_POST_, "/v1/orders/{id}/{step}", orders_step, LIMIT_HTTP_BODY_BYTES, "application/json",
     0},
    {HTTP_POST_, "/v1/complaints/{id}/{step}", complaints_step, LIMIT_HTTP_BODY_BYTES,
     "application/json", 0},
    {HTTP_POST_, "/v1/steps", steps_post, LIMIT_HTTP_BATCH_BYTES, "application/x-ndjson", 0},
    {HTTP_GET_, "/v1/workers/{id}/queue", workers_queue, 0, NULL, 0},
    {HTTP_GET_, "/v1/webhooks", webhooks_get, 0, NULL, 0},
    {HTTP_GET_, "/v1/webhooks/dead", webhooks_dead, 0, NULL, 0},
    {HTTP_POST_, "/v1/webhooks/dead/replay", webhooks_replay, LIMIT_HTTP_BODY_BYTES,
     "application/json", 0},
    {HTTP_GET_, "/v1/stats/kpi", stats_kpi, 0, NULL, 0},
    {HTTP_GET_, "/v1/examples", examples_get, 0, NULL, 0},
    {HTTP_GET_, "/v1/workers/{id}/notices", workers_notices, 0, NULL, 0},
    {HTTP_GET_, "/v1/rules", rules_get, 0, NULL, 0},
    {HTTP_POST_, "/v1/rules/reload", rules_reload, 0, NULL, 0},
    {HTTP_GET_, "/livez", health_live, 0, NULL, 0},
    {HTTP_GET_, "/readyz", health_ready, 0, NULL, 0},
    {HTTP_GET_, "/metrics", health_metrics, 0, NULL, 0},
};

const struct http_route *api_routes(size_t *count)
{
    *count = sizeof(routes) / sizeof(routes[0]);
    return routes;
}

static void on_wake(void *ctx, struct span channel, struct span payload)
{
    (void)payload;
    waiters_wake(((struct api *)ctx)->waiters, channel);
}

static void on_reset(void *ctx)
{
    waiters_wake_all(((struct api *)ctx)->waiters);
}

static int open_parts(struct api *api, struct err *err)
{
    const struct api_options *o = &api->options;
    api->json = json_reader_new(LIMIT_JSON_DEPTH);
    api->scratch = rules_scratch_new();
    api->waiters = waiters_new();
    if (api->json == NULL || api->scratch == NULL || api->waiters == NULL)
        return err_set(err, ERR_NOMEM, "api: out of memory at start");
    api->mailbox = mailbox_new(o->loop, err);
    if (api->mailbox == NULL)
        return -1;
    const struct redis_options redis = {.target = o->target, .library = o->library};
    api->redis = redis_new(o->loop, &redis, err);
    if (api->redis == NULL)
        return -1;
    api->listener = redis_listener_new(o->loop, &o->target, on_wake, on_reset, api, err);
    return api->listener == NULL ? -1 : 0;
}

struct api *api_new(const struct api_options *options, struct err *err)
{
    struct api *api = mem_zalloc(1, sizeof(*api));
    if (api == NULL) {
        (void)err_set(err, ERR_NOMEM, "api: out of memory at start");
        return NULL;
    }
    api->options = *options;
    if (api->options.reply_budget_ms == 0)
        api->options.reply_budget_ms = LIMIT_REPLY_BUDGET_MS;
    if (open_parts(api, err) < 0) {
        api_close(&api);
        return NULL;
    }
    return api;
}

void api_drain(struct api *api)
{
    api->draining = true;
    waiters_wake_all(api->waiters);
}

void api_close(struct api **apip)
{
    struct api *api = *apip;
    if (api == NULL)
        return;
    *apip = NULL;
    /* Reads that are under way fail here, and their polls then leave the listener. */
    if (api->redis != NULL)
        redis_close(&api->redis);
    if (api->listener != NULL)
        redis_listener_close(&api->listener);
    if (api->mailbox != NULL)
        mailbox_close(&api->mailbox);
    waiters_free(&api->waiters);
    order_texts_free(&api->texts);
    rules_scratch_free(&api->scratch);
    json_reader_free(&api->json);
    mem_free(api);
}

void api_respond_json(struct http_exchange *x, int status, struct buf *body)
{
    if (buf_ok(body))
        http_respond(x, status, "application/json", buf_view(body));
    else
        http_unavailable(x, 1, "out of memory; try again");
    buf_free(body);
}

struct span api_keep(struct arena *arena, struct buf *buf)
{
    struct span s = {NULL, 0};
    if (buf_ok(buf))
        s = arena_copy(arena, buf_view(buf));
    buf_free(buf);
    return s;
}

void api_not_found(struct http_exchange *x, const char *what)
{
    http_problem(x, 404, "not-found", span_str(what), (struct span){NULL, 0});
}

void api_problem(struct http_exchange *x, const struct err *err)
{
    int status = 500;
    switch (err->code) {
    case ERR_SYNTAX:
    case ERR_INVALID:
        status = 400;
        break;
    case ERR_NOT_FOUND:
        status = 404;
        break;
    case ERR_CONFLICT:
        status = 409;
        break;
    case ERR_NOMEM:
    case ERR_LIMIT:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_IO:
        http_unavailable(x, 1, err->text);
        return;
    case ERR_NONE:
    case ERR_PROTOCOL:
    case ERR_CONFIG:
        break;
    }
    http_problem(x, status, err_name(err->code), span_str(err->text), (struct span){NULL, 0});
}

int api_read_object(struct api *api, struct http_exchange *x, struct json *root)
{
    struct err err = {0};
    if (json_parse(api->json, http_request(x)->body, root, &err) < 0) {
        if (err.code == ERR_NOMEM)
            http_unavailable(x, 1, "out of memory; try again");
        else
            http_problem(x, 400, "json", span_str(err.text), (struct span){NULL, 0});
        return -1;
    }
    if (json_type(*root) != JSON_OBJECT) {
        http_problem(x, 400, "json", SPAN("the body must be a JSON object"),
                     (struct span){NULL, 0});
        return -1;
    }
    return 0;
}

int api_path_id(struct http_exchange *x, struct id *id)
{
    if (id_parse(http_request(x)->params[0], id) == 0)
        return 0;
    api_not_found(x, "an order's id is <community>.<26 characters>; this is none");
    return -1;
}

void api_member_time(struct json_writer *w, const char *key, int64_t ms)
{
    char text[CLOCK_RFC3339_BYTES];
    if (ms != 0)
        json_member_str(w, key, clock_format(ms, text));
}

void api_member_allowed(struct json_writer *w, bool resident, struct span state)
{
    enum order_state known;
    json_key(w, "allowed");
    json_open_array(w);
    if (order_state_parse(state, &known) == 0) {
        for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++) {
            if (order_step_allowed(s, resident, known))
                json_write_str(w, order_step_name(s));
        }
    }
    json_close_array(w);
}

int64_t api_query_number(const struct http_request *r, const char *name, uint64_t max, int64_t dflt)
{
    const struct span value = http_query(r, name);
    uint64_t n = 0;
    if (value.ptr == NULL)
        return dflt;
    return span_to_u64(value, max, &n) < 0 ? -1 : (int64_t)n;
}

int api_bad_query(struct http_exchange *x, const char *what)
{
    http_problem(x, 400, "query", span_str(what), (struct span){NULL, 0});
    return -1;
}

/* "the parameters are a, b and c" */
static int unknown_name(struct http_exchange *x, const char *const known[], size_t count)
{
    struct arena *arena = http_request(x)->arena;
    struct span text = SPAN("the parameters are ");
    for (size_t i = 0; i < count && text.ptr != NULL; i++)
        text = arena_printf(arena, "%.*s%s%s", SPAN_ARG(text),
                            i == 0          ? ""
                            : i + 1 < count ? ", "
                                            : " and ",
                            known[i]);
    if (text.ptr == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return -1;
    }
    return api_bad_query(x, text.ptr);
}

int api_query_names(struct http_exchange *x, const char *const known[], size_t count)
{
    struct span rest = http_request(x)->query;
    while (rest.len > 0) {
        struct span pair = span_cut(&rest, '&');
        const struct span name = span_cut(&pair, '=');
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= span_eq(name, span_str(known[i]));
        if (!found)
            return unknown_name(x, known, count);
    }
    return 0;
}

/* The request's Idempotency-Key: 1, 0 when there is none, -1 when it is not one good key. */
static int find_key(const struct http_request *r, struct span *key)
{
    size_t given = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        if (span_eq_nocase(r->headers[i].name, SPAN("idempotency-key"))) {
            *key = r->headers[i].value;
            given++;
        }
    }
    if (given == 0)
        return 0;
    bool good = given == 1 && key->len >= 1 && key->len <= LIMIT_IDEMPOTENCY_KEY_BYTES;
    for (size_t i = 0; good && i < key->len; i++)
        good = key->ptr[i] > ' ' && key->ptr[i] < 0x7F;
    return good ? 1 : -1;
}

int api_idempotency(struct http_exchange *x, uint64_t part, struct hash128 *claim)
{
    const struct http_request *r = http_request(x);
    struct span key = {NULL, 0};
    const int found = find_key(r, &key);
    if (found < 0)
        http_problem(x, 400, "idempotency-key",
                     SPAN("give one Idempotency-Key, of 1 to 255 visible ASCII characters"),
                     (struct span){NULL, 0});
    if (found <= 0)
        return found;
    const struct {
        struct hash128 path, key;
        uint64_t part;
    } scope = {hash128(r->path), hash128(key), part};
    *claim = hash128(span_of((const char *)&scope, sizeof(scope)));
    return 1;
}
