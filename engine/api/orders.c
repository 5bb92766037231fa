/*
 * Work orders for staff: reading one, and the steps a worker takes.
 *
 * A step takes the same road as a complaint: outbox, then one atomic Redis call that checks the
 * state. Its step id is made of the Idempotency-Key and the body, so that a retry, and a key that
 * comes with another body, are recognised in Redis; without a key each request is a step of its own, and a repeated one meets the changed
 * state (409).
 */
#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/api/flight.h"
#include "engine/api/lookup.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"
#include "engine/http/json_writer.h"

#include <stdio.h>

enum { STEP_ID_BYTES = 2 * HASH_HEX_BYTES };

static const struct span none = {NULL, 0};

/* ---- GET /v1/orders/{id} ---- */

/* The order as it stands: what changes first, then what was decided at ingest, the complaint with
 * its personal data masked, and the history, its notes masked too. 0, or -1 when memory is short or
 * what is stored cannot be read. */
static int write_order(struct api *api, const struct order_view *view, struct buf *out)
{
    struct buf masked = {0};
    int result = stored_mask(api->json, view->complaint, &masked);
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_string(&w, "id", id_span(&view->id));
    json_member_string(&w, "status", view->state);
    json_member_i64(&w, "version", view->version);
    json_member_string(&w, "worker", view->worker);
    json_key(&w, "dispatch");
    json_write_raw(&w, view->answer);
    json_key(&w, "complaint");
    if (result == 0)
        json_write_raw(&w, buf_view(&masked));
    else
        json_write_null(&w);
    json_key(&w, "history");
    json_open_array(&w);
    for (size_t i = 0; i < view->history_count && result == 0; i++) {
        buf_clear(&masked);
        result = stored_mask(api->json, view->history[i], &masked);
        if (result == 0)
            json_write_raw(&w, buf_view(&masked));
    }
    json_close_array(&w);
    json_close_object(&w);
    buf_free(&masked);
    return result;
}

void orders_get_one(struct http_exchange *x, void *ctx)
{
    lookup_order(ctx, x, write_order);
}

/* ---- POST /v1/orders/{id}/{step} ---- */

struct step {
    struct flight flight;
    struct http_exchange *x;
    enum order_step step;
};

/* The body of a step. */
struct step_body {
    struct span worker; /* required */
    int64_t version;    /* 0: any */
    struct span note;   /* "note", or "result" for resolve */
};

static void respond_state(struct step *step, int status, const struct span id, struct span state,
                          int64_t version)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_string(&w, "id", id);
    json_member_str(&w, "step", order_step_name(step->step));
    json_member_string(&w, "status", state);
    if (version > 0)
        json_member_i64(&w, "version", version);
    json_close_object(&w);
    api_respond_json(step->x, status, &out);
}

static void respond_conflict(struct step *step, const struct outcome *outcome)
{
    struct buf extra = {0};
    enum order_state state = ORDER_DISPATCHED;
    buf_str(&extra, "\"state\":");
    struct json_writer w = json_writer(&extra);
    json_write_string(&w, outcome->state);
    buf_str(&extra, ",\"version\":");
    buf_i64(&extra, outcome->version);
    buf_str(&extra, ",\"allowed\":");
    struct json_writer allowed = json_writer(&extra);
    json_open_array(&allowed);
    if (order_state_parse(outcome->state, &state) == 0) {
        for (enum order_step s = 0; s < ORDER_STEP_COUNT; s++) {
            if (order_step_allowed(s, state))
                json_write_str(&allowed, order_step_name(s));
        }
    }
    json_close_array(&allowed);
    if (buf_ok(&extra))
        http_problem(step->x, 409, "stale-step",
                     SPAN("the order's state, holder or version does not allow this step"),
                     buf_view(&extra));
    else
        http_unavailable(step->x, 1, "out of memory; try again");
    buf_free(&extra);
}

static void on_ended(struct flight *flight, enum flight_end end, const struct outcome *outcome,
                     const struct id *id)
{
    struct step *step = flight->ctx;
    if (end == FLIGHT_PENDING) {
        respond_state(step, 202, id_span(id), SPAN("pending"), 0);
        return;
    }
    if (end == FLIGHT_UNKNOWN || outcome->code == OUTCOME_NOT_WRITTEN) {
        http_unavailable(step->x, 1, "not durable in time; retry with the same Idempotency-Key");
        return;
    }
    switch (outcome->code) {
    case OUTCOME_DONE:
    case OUTCOME_REPLAYED:
        respond_state(step, 200, id_span(id), outcome->state, outcome->version);
        break;
    case OUTCOME_CONFLICT:
        respond_conflict(step, outcome);
        break;
    case OUTCOME_OTHER_BODY:
        http_problem(step->x, 422, "idempotency-key-reused",
                     SPAN("this Idempotency-Key came with another body before; use a new key"),
                     none);
        break;
    case OUTCOME_NOT_FOUND:
        api_not_found(step->x, "there is no such order");
        break;
    case OUTCOME_REJECTED:
    case OUTCOME_NOT_WRITTEN:
    case OUTCOME_COUNT:
        http_problem(step->x, 500, "rejected", SPAN("the store refused the step"), none);
        break;
    }
}

static void on_late(struct http_exchange *x, void *ctx)
{
    struct step *step = ctx;
    if (!flight_expire(&step->flight))
        http_wait(x, FLIGHT_ASK_AGAIN_MS, on_late, step);
}

static void read_body(enum order_step step, struct json root, struct step_body *body,
                      struct buf *errors)
{
    const struct span note_name = step == STEP_RESOLVE ? SPAN("result") : SPAN("note");
    struct json_iter it = json_iter(root);
    struct span key;
    struct json value;
    while (json_next(&it, &key, &value)) {
        if (span_eq(key, SPAN("worker")) && body->worker.ptr == NULL) {
            if (json_type(value) == JSON_STRING && id_name_valid(json_string(value)))
                body->worker = json_string(value);
            else
                complaint_error(errors, key, "must be a worker's id");
        } else if (span_eq(key, SPAN("version")) && body->version == 0) {
            if (json_type(value) == JSON_INTEGER && json_integer(value) > 0)
                body->version = json_integer(value);
            else
                complaint_error(errors, key, "must be the version you saw, an integer from 1");
        } else if (span_eq(key, note_name) && body->note.ptr == NULL) {
            if (json_type(value) == JSON_STRING &&
                utf8_length(json_string(value)) <= LIMIT_NOTE_CHARS)
                body->note = json_string(value);
            else
                complaint_error(errors, key, "must be a string of at most %d characters",
                                LIMIT_NOTE_CHARS);
        } else {
            complaint_error(errors, key, "is not a known field, or is given more than once");
        }
    }
    if (body->worker.ptr == NULL && errors->len == 0)
        complaint_error(errors, SPAN("worker"), "is required: the id of who takes the step");
}

/* 0 when the body is good, -1 when a problem was answered. */
static int take_body(struct api *api, struct http_exchange *x, enum order_step step,
                     struct step_body *body)
{
    struct json root;
    if (api_read_object(api, x, &root) < 0)
        return -1;
    struct buf errors = {0};
    read_body(step, root, body, &errors);
    int result = 0;
    if (!buf_ok(&errors)) {
        http_unavailable(x, 1, "out of memory; try again");
        result = -1;
    } else if (errors.len > 0) {
        const struct span extra =
            arena_printf(http_request(x)->arena, "\"errors\":[%.*s]", SPAN_ARG(buf_view(&errors)));
        http_problem(x, 400, "invalid-step", SPAN("the step has fields that are not right"), extra);
        result = -1;
    }
    buf_free(&errors);
    return result;
}

/* A worker takes steps on orders of the community whose queue is theirs. */
static int check_worker(struct api *api, struct http_exchange *x, const struct id *id,
                        struct span worker)
{
    struct policy *policy = api->options.policy(api->options.ctx);
    const struct span community = directory_worker_community(policy_directory(policy), worker);
    const bool known = community.len > 0;
    const bool same = span_eq(community, id_community(id));
    policy_unref(&policy);
    if (known && same)
        return 0;
    http_problem(x, 422, "worker",
                 known ? SPAN("this worker does not belong to the order's community")
                       : SPAN("there is no such worker in the directory"),
                 none);
    return -1;
}

/* 0 and the id of this request's step, or -1 when a problem was answered. */
static int make_step_id(struct http_exchange *x, char out[STEP_ID_BYTES])
{
    struct hash128 parts[2] = {{0, 0}, {0, 0}};
    const int keyed = api_idempotency(x, 0, &parts[0]);
    if (keyed < 0)
        return -1;
    if (keyed == 1)
        parts[1] = hash128(http_request(x)->body);
    else
        random_bytes(parts, sizeof(parts));
    hash128_hex(parts[0], out);
    out[HASH_HEX_BYTES - 1] = '.';
    hash128_hex(parts[1], out + HASH_HEX_BYTES);
    return 0;
}

static void write_note(enum order_step step, struct span note, struct buf *out)
{
    if (note.len == 0)
        return;
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_string(&w, step == STEP_RESOLVE ? "result" : "note", note);
    json_close_object(&w);
}

/* Submits the step. 0, or -1 and *err. */
static int start(struct api *api, struct step *step, const struct id *id,
                 const struct step_body *body, const char *step_id, struct err *err)
{
    struct buf note = {0}, scratch = {0};
    struct record record;
    write_note(step->step, body->note, &note);
    const struct record_step fields = {.id = id,
                                       .step = step->step,
                                       .step_id = span_str(step_id),
                                       .worker = body->worker,
                                       .at = clock_now_ms(),
                                       .version = body->version,
                                       .note = buf_view(&note)};
    int result;
    if (buf_ok(&note) && record_step(&record, &fields, &scratch) == 0)
        result = flight_start(&step->flight, api, &record, err);
    else
        result = err_set(err, ERR_NOMEM, "out of memory; try again");
    buf_free(&note);
    buf_free(&scratch);
    return result;
}

static void post_step(struct api *api, struct http_exchange *x, enum order_step which)
{
    struct id id;
    struct step_body body = {0};
    char step_id[STEP_ID_BYTES];
    struct err err = {0};
    if (!api->options.accepting(api->options.ctx)) {
        http_unavailable(x, 1, "the engine is stopping");
        return;
    }
    if (api_path_id(x, &id) < 0 || take_body(api, x, which, &body) < 0 ||
        check_worker(api, x, &id, body.worker) < 0 || make_step_id(x, step_id) < 0)
        return;
    struct step *step = arena_zalloc(http_request(x)->arena, 1, sizeof(*step));
    if (step == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    step->flight.ended = on_ended;
    step->flight.ctx = step;
    step->x = x;
    step->step = which;
    if (start(api, step, &id, &body, step_id, &err) < 0)
        api_problem(x, &err);
    else
        http_wait(x, api->options.reply_budget_ms, on_late, step);
}

void orders_accept(struct http_exchange *x, void *ctx)
{
    post_step(ctx, x, STEP_ACCEPT);
}

void orders_resolve(struct http_exchange *x, void *ctx)
{
    post_step(ctx, x, STEP_RESOLVE);
}
