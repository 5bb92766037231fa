/*
 * The steps of an order's life over HTTP: one by staff (POST /v1/orders/{id}/{step}) or by the
 * resident's backend (POST /v1/complaints/{id}/{step}), or many by staff (POST /v1/steps, NDJSON).
 *
 * The lines of a batch are submitted in order, and steps of one order are applied in order.
 */
#include "engine/api/api_private.h"
#include "engine/api/batch.h"
#include "engine/api/step_run.h"

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

static void line_done(struct step_run *run)
{
    batch_line_done(run->ctx);
}

static void begin_line(struct batch *batch, void *line, struct span json, uint32_t number)
{
    struct step_run *run = line;
    const struct step_input input = {.json = json, .line = true, .number = number};
    run->api = batch_api(batch);
    run->x = batch_exchange(batch);
    run->done = line_done;
    run->ctx = batch;
    step_run_start(run, &input);
}

static struct batch_result line_result(const void *line)
{
    const struct step_run *run = line;
    return (struct batch_result){.status = run->status,
                                 .body = run->body,
                                 .problem = run->problem,
                                 .detail = run->detail,
                                 .extra = run->extra};
}

static struct flight *line_flight(void *line)
{
    return &((struct step_run *)line)->flight;
}

static const struct batch_kind lines = {.what = "step",
                                        .line_bytes = sizeof(struct step_run),
                                        .begin = begin_line,
                                        .result = line_result,
                                        .flight = line_flight};

void steps_post(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    if (!api->options.accepting(api->options.ctx))
        http_unavailable(x, 1, "the engine is stopping");
    else
        batch_start(api, x, &lines);
}
