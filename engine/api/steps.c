/*
 * The steps of an order's life over HTTP: one by staff (POST /v1/orders/{id}/{step}) or by the
 * resident's backend (POST /v1/complaints/{id}/{step}), or many by staff (POST /v1/steps, NDJSON).
 *
 * A batch is worked on a slice of lines per turn of the loop and answered when its last line has its
 * result. Its lines are submitted in order, and steps of one order are applied in order.
 */
#include "engine/api/api_private.h"
#include "engine/api/ndjson.h"
#include "engine/api/step_run.h"
#include "engine/base/limits.h"
#include "engine/http/json_writer.h"

#include <stdio.h>

enum { BATCH_SLICE = 32 };

static const struct span none = {NULL, 0};

/* ---- one ---- */

static void respond(struct step_run *run)
{
    if (run->status < 300)
        http_respond(run->x, run->status, "application/json", run->body);
    else if (run->status == 503)
        http_unavailable(run->x, 1, run->detail.ptr);
    else
        http_problem(run->x, run->status, run->problem, run->detail, run->extra);
}

static void on_late(struct http_exchange *x, void *ctx)
{
    struct step_run *run = ctx;
    if (!flight_expire(&run->flight))
        http_wait(x, FLIGHT_ASK_AGAIN_MS, on_late, run);
}

/* The step that the path names, when staff (or the resident) have such a step. */
static int path_step(struct http_exchange *x, bool resident, enum order_step *step)
{
    const bool known = order_step_parse(http_request(x)->params[1], step) == 0;
    if (known && (resident ? order_rule(*step, ACTOR_RESIDENT) != NULL
                           : order_step_needs(*step) != ORDER_ACTOR_COUNT))
        return 0;
    api_not_found(x, "there is no such step");
    return -1;
}

static void post_one(struct api *api, struct http_exchange *x, bool resident)
{
    struct step_input input = {.json = http_request(x)->body, .resident = resident};
    struct hash128 unused;
    if (!api->options.accepting(api->options.ctx)) {
        http_unavailable(x, 1, "the engine is stopping");
        return;
    }
    if (path_step(x, resident, &input.step) < 0 || api_path_id(x, &input.id) < 0 ||
        api_idempotency(x, 0, &unused) < 0)
        return;
    struct step_run *run = arena_zalloc(http_request(x)->arena, 1, sizeof(*run));
    if (run == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    run->api = api;
    run->x = x;
    run->done = respond;
    step_run_start(run, &input);
    if (run->status != 0)
        respond(run);
    else
        http_wait(x, api->options.reply_budget_ms, on_late, run);
}

void orders_step(struct http_exchange *x, void *ctx)
{
    post_one(ctx, x, false);
}

void complaints_step(struct http_exchange *x, void *ctx)
{
    post_one(ctx, x, true);
}

/* ---- many ---- */

struct batch {
    struct mailbox_item turn; /* posted to our own loop for the next slice */
    struct api *api;
    struct http_exchange *x;
    struct ndjson rest; /* lines not yet begun */
    struct step_run *lines;
    uint32_t *numbers; /* line number of each, from 1 */
    size_t begun, settled, capacity;
};

static void write_line(struct buf *out, uint32_t number, const struct step_run *run)
{
    struct json_writer w = json_writer(out);
    char type[64];
    json_open_object(&w);
    json_member_i64(&w, "line", number);
    json_member_i64(&w, "status", run->status);
    if (run->status < 300) {
        json_key(&w, "order");
        json_write_raw(&w, run->body);
    } else {
        (void)snprintf(type, sizeof(type), "urn:jiesu:problem:%s", run->problem);
        json_key(&w, "problem");
        json_open_object(&w);
        json_member_str(&w, "type", type);
        json_member_string(&w, "detail", run->detail);
        if (run->extra.len > 0) {
            buf_char(out, ',');
            buf_span(out, run->extra);
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

static void line_done(struct step_run *run)
{
    struct batch *batch = run->ctx;
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
    struct step_run *run = &batch->lines[batch->begun];
    const struct step_input input = {.json = line, .line = true, .number = batch->rest.line};
    run->api = batch->api;
    run->x = batch->x;
    run->done = line_done;
    run->ctx = batch;
    batch->numbers[batch->begun++] = batch->rest.line;
    step_run_start(run, &input);
    if (run->status != 0)
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

static struct batch *batch_new(struct api *api, struct http_exchange *x, size_t count)
{
    struct arena *arena = http_request(x)->arena;
    struct batch *batch = arena_zalloc(arena, 1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->turn.handle = batch_turn;
    batch->api = api;
    batch->x = x;
    batch->rest = ndjson_of(http_request(x)->body);
    batch->lines = arena_zalloc(arena, count, sizeof(*batch->lines));
    batch->numbers = arena_zalloc(arena, count, sizeof(*batch->numbers));
    batch->capacity = count;
    return batch->lines == NULL || batch->numbers == NULL ? NULL : batch;
}

void steps_post(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    const size_t count = ndjson_count(http_request(x)->body);
    struct hash128 unused;
    if (!api->options.accepting(api->options.ctx)) {
        http_unavailable(x, 1, "the engine is stopping");
        return;
    }
    if (count == 0 || count > LIMIT_BATCH_LINES) {
        http_problem(x, count == 0 ? 400 : 413, "batch-lines",
                     SPAN("a batch has 1 to 1000 lines, each one step as a JSON object"), none);
        return;
    }
    if (api_idempotency(x, 0, &unused) < 0)
        return;
    struct batch *batch = batch_new(api, x, count);
    if (batch == NULL)
        http_unavailable(x, 1, "out of memory; try again");
    else
        batch_turn(&batch->turn);
}
