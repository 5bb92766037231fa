/*
 * POST /v1/complaints, one (JSON) or many (NDJSON), and the resident's view of one. In a batch, a
 * line's idempotency is the request's key together with the line's number.
 */
#include "engine/api/api_private.h"
#include "engine/api/batch.h"
#include "engine/api/complaint_json.h"
#include "engine/api/ingest.h"
#include "engine/api/lookup.h"
#include "engine/base/clock.h"
#include "engine/http/json_writer.h"
#include "engine/model/order.h"
#include "engine/model/pii.h"

/* ---- one ---- */

struct single {
    struct ingest ingest;
    struct http_exchange *x;
};

static void respond(struct http_exchange *x, const struct ingest *ingest)
{
    struct arena *arena = http_request(x)->arena;
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
    if (ingest->status == 409)
        http_set_header(x, "Retry-After", SPAN("1"));
    http_problem(x, ingest->status, ingest->problem, ingest->detail, ingest->extra);
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

static void line_done(struct ingest *ingest)
{
    batch_line_done(ingest->ctx);
}

static void begin_line(struct batch *batch, void *line, struct span json, uint32_t number)
{
    struct ingest *ingest = line;
    struct ingest_input input = {.json = json};
    ingest->api = batch_api(batch);
    ingest->arena = http_request(batch_exchange(batch))->arena;
    ingest->done = line_done;
    ingest->ctx = batch;
    /* The key was found good before the first line was begun. */
    input.keyed = api_idempotency(batch_exchange(batch), number, &input.claim) == 1;
    ingest_start(ingest, &input);
}

static struct batch_result line_result(const void *line)
{
    const struct ingest *ingest = line;
    return (struct batch_result){.status = ingest->status,
                                 .replayed = ingest->replayed,
                                 .body = ingest->body,
                                 .problem = ingest->problem,
                                 .detail = ingest->detail,
                                 .extra = ingest->extra};
}

static struct flight *line_flight(void *line)
{
    return &((struct ingest *)line)->flight;
}

static const struct batch_kind lines = {.what = "complaint",
                                        .line_bytes = sizeof(struct ingest),
                                        .begin = begin_line,
                                        .result = line_result,
                                        .flight = line_flight};

void complaints_post(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    if (!api->options.accepting(api->options.ctx))
        http_unavailable(x, 1, "the engine is stopping");
    else if (http_is_type(http_request(x), "application/x-ndjson"))
        batch_start(api, x, &lines);
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

/* What the resident has said of the work, and may still say. */
struct say {
    int64_t stars, rated_at; /* 0: not rated */
    int64_t reopen_by;       /* 0: it is not done */
};

static void follow(struct json entry, enum order_state to, struct say *say)
{
    struct json note;
    const bool noted = json_get(entry, "note", &note);
    if (to != ORDER_RESOLVED && to != ORDER_CLOSED) {
        *say = (struct say){.stars = 0};
        return;
    }
    const int64_t stars = noted ? json_get_integer(note, "stars") : 0;
    const int64_t reopen_by = noted ? json_get_integer(note, "reopen_by") : 0;
    if (reopen_by != 0)
        say->reopen_by = reopen_by;
    if (span_eq(json_get_string(entry, "step"), span_str(order_step_name(STEP_RATE)))) {
        say->stars = stars;
        say->rated_at = json_get_integer(entry, "at");
    }
}

/* One entry of the history, when the resident sees it: the state changed, or something was said. */
static int write_event(struct json entry, struct json_writer *w, struct say *say)
{
    char time[CLOCK_RFC3339_BYTES];
    enum order_state state;
    struct json from, to, at, note, feedback;
    if (!json_get(entry, "from", &from) || !json_get(entry, "to", &to) ||
        !json_get(entry, "at", &at) || json_type(to) != JSON_STRING ||
        json_type(at) != JSON_INTEGER || order_state_parse(json_string(to), &state) < 0)
        return -1;
    follow(entry, state, say);
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

/* The rating, until when the order may be reopened, and which steps the resident may take now. */
static void write_say(struct json_writer *w, enum order_state state, const struct say *say)
{
    const int64_t now = clock_now_ms();
    if (say->stars != 0) {
        json_key(w, "rating");
        json_open_object(w);
        json_member_i64(w, "stars", say->stars);
        api_member_time(w, "at", say->rated_at);
        json_close_object(w);
    }
    api_member_time(w, "reopen_by", say->reopen_by);
    json_key(w, "allowed");
    json_open_array(w);
    for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++) {
        const bool over =
            (s == STEP_RATE && say->stars != 0) || (s == STEP_REOPEN && now > say->reopen_by);
        if (order_step_allowed(s, true, state) && !over)
            json_write_str(w, order_step_name(s));
    }
    json_close_array(w);
}

/* Progress in plain words: no names of staff, no internals. */
static int write_progress(struct api *api, struct http_exchange *x, const struct order_view *view,
                          struct buf *out)
{
    struct json_writer w = json_writer(out);
    struct say say = {.stars = 0};
    enum order_state state;
    (void)x;
    if (order_state_parse(view->state, &state) < 0)
        return -1;
    json_open_object(&w);
    json_member_string(&w, "id", id_span(&view->id));
    json_member_string(&w, "status", view->state);
    json_member_str(&w, "progress", order_state_progress(state));
    api_member_time(&w, "created_at", view->created_at);
    json_member_string(&w, "category", view->category);
    json_member_string(&w, "kind", view->kind);
    json_key(&w, "history");
    json_open_array(&w);
    int result = 0;
    for (size_t i = 0; i < view->history_count && result == 0; i++) {
        struct json entry;
        result = json_parse(api->json, view->history[i], &entry, NULL);
        if (result == 0)
            result = write_event(entry, &w, &say);
    }
    json_close_array(&w);
    write_say(&w, state, &say);
    json_close_object(&w);
    return result;
}

void complaints_get(struct http_exchange *x, void *ctx)
{
    lookup_order(ctx, x, write_progress);
}
