/*
 * POST /v1/complaints, one (JSON) or many (NDJSON), and the resident's view of one.
 *
 * A batch is worked on a slice of lines per turn of the loop, so that other requests of the loop
 * are served in between, and is answered when its last line has its result. A line's idempotency is
 * the request's key together with the line's number.
 */
#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/api/ingest.h"
#include "engine/api/lookup.h"
#include "engine/api/ndjson.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/http/json_writer.h"
#include "engine/model/order.h"
#include "engine/model/pii.h"

#include <stdio.h>

enum { BATCH_SLICE = 32 };

/* ---- one ---- */

struct single {
    struct ingest ingest;
    struct http_exchange *x;
};

static void respond(struct http_exchange *x, const struct ingest *ingest)
{
    struct arena *arena = http_request(x)->arena;
    const struct span none = {NULL, 0};
    if (ingest->status < 300) {
        const struct span place =
            arena_printf(arena, "/v1/complaints/%.*s", SPAN_ARG(id_span(&ingest->id)));
        if (place.ptr != NULL)
            http_set_header(x, "Location", place);
        if (ingest->replayed)
            http_set_header(x, "Idempotency-Replayed", SPAN("true"));
        http_respond(x, ingest->status, "application/json", ingest->body);
        return;
    }
    if (ingest->status == 503) {
        http_unavailable(x, 1, ingest->detail.ptr);
        return;
    }
    struct span extra = none;
    if (ingest->errors.len > 0)
        extra = arena_printf(arena, "\"errors\":[%.*s]", SPAN_ARG(ingest->errors));
    if (ingest->status == 409)
        http_set_header(x, "Retry-After", SPAN("1"));
    http_problem(x, ingest->status, ingest->problem, ingest->detail, extra);
}

static void single_done(struct ingest *ingest)
{
    respond(((struct single *)ingest->ctx)->x, ingest);
}

static void single_late(struct http_exchange *x, void *ctx)
{
    struct single *single = ctx;
    /* When it ends here, single_done has answered and single is gone. */
    if (!flight_expire(&single->ingest.flight))
        http_wait(x, FLIGHT_ASK_AGAIN_MS, single_late, single);
}

static void post_one(struct api *api, struct http_exchange *x)
{
    const struct http_request *r = http_request(x);
    struct single *single = arena_zalloc(r->arena, 1, sizeof(*single));
    if (single == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    struct ingest_input input = {.json = r->body};
    const int keyed = api_idempotency(x, 0, &input.claim);
    if (keyed < 0)
        return;
    input.keyed = keyed == 1;
    single->x = x;
    single->ingest.api = api;
    single->ingest.arena = r->arena;
    single->ingest.done = single_done;
    single->ingest.ctx = single;
    ingest_start(&single->ingest, &input);
    if (single->ingest.status != 0)
        respond(x, &single->ingest);
    else
        http_wait(x, api->options.reply_budget_ms, single_late, single);
}

/* ---- many ---- */

struct batch {
    struct mailbox_item turn; /* posted to our own loop for the next slice */
    struct api *api;
    struct http_exchange *x;
    struct ndjson rest;   /* lines not yet begun */
    struct ingest *lines; /* capacity as counted beforehand */
    uint32_t *numbers;    /* line number of each, from 1 */
    size_t begun, settled, capacity;
};

static void write_line(struct buf *out, uint32_t number, const struct ingest *ingest)
{
    struct json_writer w = json_writer(out);
    char type[64];
    json_open_object(&w);
    json_member_i64(&w, "line", number);
    json_member_i64(&w, "status", ingest->status);
    if (ingest->status < 300) {
        if (ingest->replayed)
            json_member_bool(&w, "replayed", true);
        json_key(&w, "order");
        json_write_raw(&w, ingest->body);
    } else {
        (void)snprintf(type, sizeof(type), "urn:jiesu:problem:%s", ingest->problem);
        json_key(&w, "problem");
        json_open_object(&w);
        json_member_str(&w, "type", type);
        json_member_string(&w, "detail", ingest->detail);
        if (ingest->errors.len > 0) {
            json_key(&w, "errors");
            json_open_array(&w);
            json_write_raw(&w, ingest->errors);
            json_close_array(&w);
        }
        json_close_object(&w);
    }
    json_close_object(&w);
    buf_char(out, '\n');
}

static void batch_answer(struct batch *batch)
{
    struct buf out = {0};
    for (size_t i = 0; i < batch->begun; i++)
        write_line(&out, batch->numbers[i], &batch->lines[i]);
    if (buf_ok(&out))
        http_respond(batch->x, 200, "application/x-ndjson", buf_view(&out));
    else
        http_unavailable(batch->x, 1, "out of memory; retry with the same Idempotency-Key");
    buf_free(&out);
}

static bool batch_complete(const struct batch *batch)
{
    return batch->begun == batch->capacity && batch->settled == batch->begun;
}

static void line_done(struct ingest *ingest)
{
    struct batch *batch = ingest->ctx;
    batch->settled++;
    if (batch_complete(batch))
        batch_answer(batch);
}

/* Ends every line whose time is over; the last one to end answers, and the batch is gone. */
static void batch_late(struct http_exchange *x, void *ctx)
{
    struct batch *batch = ctx;
    size_t open = batch->begun - batch->settled;
    for (size_t i = 0; i < batch->begun && open > 0; i++) {
        if (batch->lines[i].status != 0)
            continue;
        open--;
        const bool last = batch->settled + 1 == batch->capacity;
        if (flight_expire(&batch->lines[i].flight) && last)
            return;
    }
    http_wait(x, FLIGHT_ASK_AGAIN_MS, batch_late, batch);
}

static void batch_begin_line(struct batch *batch, struct span line)
{
    struct ingest *ingest = &batch->lines[batch->begun];
    struct ingest_input input = {.json = line};
    ingest->api = batch->api;
    ingest->arena = http_request(batch->x)->arena;
    ingest->done = line_done;
    ingest->ctx = batch;
    /* The key was found good before the first line was begun. */
    input.keyed = api_idempotency(batch->x, batch->rest.line, &input.claim) == 1;
    batch->numbers[batch->begun++] = batch->rest.line;
    ingest_start(ingest, &input);
    if (ingest->status != 0)
        batch->settled++;
}

static void batch_turn(struct mailbox_item *item)
{
    struct batch *batch = (struct batch *)(void *)item;
    struct span line;
    for (size_t n = 0; n < BATCH_SLICE && ndjson_next(&batch->rest, &line); n++)
        batch_begin_line(batch, line);
    if (batch_complete(batch))
        batch_answer(batch);
    else if (batch->begun < batch->capacity)
        mailbox_post(batch->api->mailbox, &batch->turn);
    else
        http_wait(batch->x, batch->api->options.reply_budget_ms, batch_late, batch);
}

static void post_many(struct api *api, struct http_exchange *x)
{
    const struct http_request *r = http_request(x);
    const size_t count = ndjson_count(r->body);
    if (count == 0 || count > LIMIT_BATCH_LINES) {
        http_problem(x, count == 0 ? 400 : 413, "batch-lines",
                     SPAN("a batch has 1 to 1000 lines, each one complaint as a JSON object"),
                     (struct span){NULL, 0});
        return;
    }
    struct hash128 unused;
    if (api_idempotency(x, 0, &unused) < 0)
        return;
    struct batch *batch = arena_zalloc(r->arena, 1, sizeof(*batch));
    struct ingest *lines = arena_zalloc(r->arena, count, sizeof(*lines));
    uint32_t *numbers = arena_zalloc(r->arena, count, sizeof(*numbers));
    if (batch == NULL || lines == NULL || numbers == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    batch->turn.handle = batch_turn;
    batch->api = api;
    batch->x = x;
    batch->rest = ndjson_of(r->body);
    batch->lines = lines;
    batch->numbers = numbers;
    batch->capacity = count;
    batch_turn(&batch->turn);
}

void complaints_post(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    if (!api->options.accepting(api->options.ctx))
        http_unavailable(x, 1, "the engine is stopping");
    else if (http_is_type(http_request(x), "application/x-ndjson"))
        post_many(api, x);
    else
        post_one(api, x);
}

/* ---- the resident's view ---- */

/* What was written to the resident in a step (a result, or a note meant for the resident), with
 * personal data masked; nothing when there is none. -1 when memory is short. */
static int write_message(struct json entry, struct json_writer *w)
{
    struct json note, text;
    struct buf masked = {0};
    if (!json_get(entry, "note", &note) ||
        !(json_get(note, "result", &text) ||
          (json_get(note, "feedback", &text) && json_get(note, "note", &text))) ||
        json_type(text) != JSON_STRING)
        return 0;
    pii_mask_text(json_string(text), &masked);
    const bool good = buf_ok(&masked);
    json_member_string(w, "message", buf_view(&masked));
    buf_free(&masked);
    return good ? 0 : -1;
}

/* One entry of the history, when the resident sees it: the state changed, or something was said. */
static int write_event(struct json entry, struct json_writer *w)
{
    char time[CLOCK_RFC3339_BYTES];
    enum order_state state;
    struct json from, to, at, note, feedback;
    if (!json_get(entry, "from", &from) || !json_get(entry, "to", &to) ||
        !json_get(entry, "at", &at) || json_type(to) != JSON_STRING ||
        json_type(at) != JSON_INTEGER || order_state_parse(json_string(to), &state) < 0)
        return -1;
    const bool moved =
        json_type(from) != JSON_STRING || !span_eq(json_string(from), json_string(to));
    const bool told = json_get(entry, "note", &note) && json_get(note, "feedback", &feedback);
    if (!moved && !told)
        return 0;
    json_open_object(w);
    json_member_str(w, "at", clock_format(json_integer(at), time));
    json_member_string(w, "status", json_string(to));
    json_member_str(w, "progress", order_state_progress(state));
    const int result = moved && state != ORDER_RESOLVED ? 0 : write_message(entry, w);
    json_close_object(w);
    return result;
}

/* Progress in plain words: no names of staff, no internals. */
static int write_progress(struct api *api, struct http_exchange *x, const struct order_view *view,
                          struct buf *out)
{
    struct json_writer w = json_writer(out);
    char time[CLOCK_RFC3339_BYTES];
    enum order_state state;
    (void)x;
    if (order_state_parse(view->state, &state) < 0)
        return -1;
    json_open_object(&w);
    json_member_string(&w, "id", id_span(&view->id));
    json_member_string(&w, "status", view->state);
    json_member_str(&w, "progress", order_state_progress(state));
    json_member_str(&w, "created_at", clock_format(view->created_at, time));
    json_member_string(&w, "category", view->category);
    json_member_string(&w, "kind", view->kind);
    json_key(&w, "allowed");
    json_open_array(&w);
    for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++) {
        if (order_step_allowed(s, true, state))
            json_write_str(&w, order_step_name(s));
    }
    json_close_array(&w);
    json_key(&w, "history");
    json_open_array(&w);
    int result = 0;
    for (size_t i = 0; i < view->history_count && result == 0; i++) {
        struct json entry;
        result = json_parse(api->json, view->history[i], &entry, NULL);
        if (result == 0)
            result = write_event(entry, &w);
    }
    json_close_array(&w);
    json_close_object(&w);
    return result;
}

void complaints_get(struct http_exchange *x, void *ctx)
{
    lookup_order(ctx, x, write_progress);
}
