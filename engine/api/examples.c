/*
 * GET /v1/examples?community=&skip=&most=: the complaints of a community whose category a person corrected, as the
 * rows that `jiesu learn` and `jiesu eval` read: id, label (the first level of the corrected category), title and
 * body, what is personal in them masked. The oldest correction comes first.
 *
 * The orders are read one after the other: this is asked for now and then, and may take its time.
 */
#include "engine/api/api_private.h"
#include "engine/base/limits.h"
#include "engine/model/pii.h"
#include "engine/store/keys.h"
#include "engine/store/orders.h"

#include <stdio.h>

enum { NUMBER_BYTES = 24, ID_TEXT_BYTES = 2 * ID_BYTES };

/* One request; it lives in the request's arena, but for rows. */
struct examples {
    struct api *api;
    struct http_exchange *x;
    struct span community;
    struct id *ids;
    size_t count, next;
    struct buf rows;
};

static void finish(struct examples *e, const struct err *err)
{
    struct http_exchange *x = e->x;
    struct buf rows = e->rows;
    if (err != NULL)
        api_problem(x, err);
    else if (!buf_ok(&rows))
        http_unavailable(x, 1, "out of memory; try again");
    else
        http_respond(x, 200, "text/tab-separated-values; charset=utf-8", buf_view(&rows));
    buf_free(&rows);
}

/* A cell knows no tabs and no line ends. */
static void write_cell(struct buf *rows, struct span text)
{
    const size_t before = rows->len;
    pii_mask_text(text, rows);
    for (size_t i = before; buf_ok(rows) && i < rows->len; i++) {
        if ((unsigned char)rows->data[i] < ' ')
            rows->data[i] = ' ';
    }
}

/* 0, or -1 when what is stored cannot be read. */
static int write_row(struct examples *e, const struct order_view *view, struct err *err)
{
    struct span path = view->category;
    struct json complaint;
    if (json_parse(e->api->json, view->complaint, &complaint, err) < 0)
        return -1;
    buf_span(&e->rows, id_span(&view->id));
    buf_str(&e->rows, "\t");
    buf_span(&e->rows, span_cut(&path, '/'));
    buf_str(&e->rows, "\t");
    write_cell(&e->rows, json_get_string(complaint, "title"));
    buf_str(&e->rows, "\t");
    write_cell(&e->rows, json_get_string(complaint, "text"));
    buf_str(&e->rows, "\n");
    return 0;
}

static void read_next(struct examples *e);

static void on_order(void *ctx, const struct order_view *view, const struct err *err)
{
    struct examples *e = ctx;
    struct err why = {0};
    if (err == NULL && view != NULL && write_row(e, view, &why) < 0)
        err = &why;
    if (err != NULL)
        finish(e, err);
    else
        read_next(e);
}

static void read_next(struct examples *e)
{
    struct err err = {0};
    if (e->next == e->count || !buf_ok(&e->rows)) {
        finish(e, NULL);
        return;
    }
    const struct id *id = &e->ids[e->next++];
    if (orders_get(e->api->redis, id, on_order, e, &err) < 0)
        finish(e, &err);
}

/* The ids of the orders that the set names. */
static int take_ids(struct examples *e, const struct reply *reply, struct err *err)
{
    if (reply_type(reply) != REPLY_ARRAY)
        return err_set(err, ERR_PROTOCOL, "Redis: examples: %.*s", SPAN_ARG(reply_span(reply)));
    e->ids = arena_zalloc(http_request(e->x)->arena, reply_size(reply) + 1, sizeof(*e->ids));
    if (e->ids == NULL)
        return err_set(err, ERR_NOMEM, "no memory to read the examples");
    for (size_t i = 0; i < reply_size(reply); i++) {
        char text[ID_TEXT_BYTES];
        (void)snprintf(text, sizeof(text), "%.*s.%.*s", SPAN_ARG(e->community),
                       SPAN_ARG(reply_span(reply_at(reply, i))));
        if (id_parse(span_str(text), &e->ids[e->count]) == 0)
            e->count++;
    }
    return 0;
}

static void on_set(void *ctx, const struct reply *reply, const struct err *err)
{
    struct examples *e = ctx;
    struct err why = {0};
    if (err == NULL && take_ids(e, reply, &why) < 0)
        err = &why;
    if (err != NULL) {
        finish(e, err);
        return;
    }
    buf_str(&e->rows, "id\tlabel\ttitle\tbody\n");
    read_next(e);
}

/* True when the directory has the community; else 400 is answered. */
static bool check_community(struct api *api, struct http_exchange *x, struct span community)
{
    struct policy *policy = api->options.policy(api->options.ctx);
    const bool known = directory_has_community(policy_directory(policy), community);
    policy_unref(&policy);
    if (!known)
        (void)api_bad_query(x, "give the id of a community of the directory");
    return known;
}

void examples_get(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    const struct http_request *r = http_request(x);
    const int64_t skip = api_query_number(r, "skip", INT32_MAX, 0);
    const int64_t most = api_query_number(r, "most", LIMIT_EXAMPLES_PAGE, LIMIT_EXAMPLES_PAGE);
    const struct span community = http_query(r, "community");
    struct err err = {0};
    if (!check_community(api, x, community))
        return;
    _Static_assert(LIMIT_EXAMPLES_PAGE == 1000, "the message says so");
    if (skip < 0 || most < 1) {
        (void)api_bad_query(x, "skip is how many to pass over, most a number from 1 to 1000");
        return;
    }
    struct examples *e = arena_zalloc(r->arena, 1, sizeof(*e));
    if (e == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    *e = (struct examples){.api = api, .x = x, .community = community};
    char first[NUMBER_BYTES], last[NUMBER_BYTES];
    (void)snprintf(first, sizeof(first), "%lld", (long long)skip);
    (void)snprintf(last, sizeof(last), "%lld", (long long)(skip + most - 1));
    const struct key key = key_examples(community);
    const struct span argv[] = {SPAN("ZRANGE"), key_span(&key), span_str(first), span_str(last)};
    if (redis_command(api->redis, key_span(&key), 4, argv, on_set, e, &err) < 0)
        api_problem(x, &err);
}
