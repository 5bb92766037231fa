#include "engine/api/ingest.h"

#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/api/order_record.h"
#include "engine/base/clock.h"
#include "engine/base/metric.h"
#include "engine/http/json_writer.h"
#include "engine/model/pipeline.h"

static void fail(struct ingest *ingest, int status, const char *problem, struct span detail)
{
    ingest->status = status;
    ingest->problem = problem;
    ingest->detail = detail;
    metric_add(status >= 500 ? METRIC_COMPLAINTS_UNAVAILABLE : METRIC_COMPLAINTS_INVALID, 1);
}

static void fail_nomem(struct ingest *ingest)
{
    fail(ingest, 503, "unavailable", SPAN("out of memory; try again"));
}

static void fail_from(struct ingest *ingest, const struct err *err)
{
    const struct span text = arena_copy(ingest->arena, span_str(err->text));
    if (text.ptr == NULL) {
        fail_nomem(ingest);
        return;
    }
    switch (err->code) {
    case ERR_CONFLICT:
        fail(ingest, 409, "in-progress",
             SPAN("a request with this Idempotency-Key is in progress; retry in a moment"));
        break;
    case ERR_INVALID:
        fail(ingest, 422, "idempotency-key-reused",
             SPAN("this Idempotency-Key came with another body before; use a new key"));
        break;
    default:
        fail(ingest, 503, "unavailable", text);
        break;
    }
}

/* {"id":...,"status":"pending"}: durable, and will be dispatched. */
static void answer_pending(struct ingest *ingest, const struct id *id)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_string(&w, "id", id_span(id));
    json_member_str(&w, "status", "pending");
    json_close_object(&w);
    ingest->body = api_keep(ingest->arena, &out);
    if (ingest->body.ptr == NULL) {
        fail_nomem(ingest);
        return;
    }
    ingest->status = 202;
    metric_add(METRIC_COMPLAINTS_ACCEPTED, 1);
}

static void answer_settled(struct ingest *ingest, const struct outcome *outcome)
{
    switch (outcome->code) {
    case OUTCOME_DONE:
        ingest->status = 201;
        ingest->body = ingest->answer;
        metric_add(METRIC_COMPLAINTS_ACCEPTED, 1);
        return;
    case OUTCOME_REPLAYED:
        ingest->replayed = true;
        if (outcome->text.len == 0) {
            /* The order is in another community's hands and not made yet. */
            answer_pending(ingest, &ingest->id);
            return;
        }
        ingest->body = arena_copy(ingest->arena, outcome->text);
        if (ingest->body.ptr == NULL) {
            fail_nomem(ingest);
            return;
        }
        ingest->status = 201;
        metric_add(METRIC_COMPLAINTS_REPLAYED, 1);
        return;
    case OUTCOME_OTHER_BODY:
        fail(ingest, 422, "idempotency-key-reused",
             SPAN("this Idempotency-Key came with another body before; use a new key"));
        return;
    case OUTCOME_NOT_WRITTEN:
        fail(ingest, 503, "unavailable", SPAN("the outbox cannot be written now; try again"));
        return;
    case OUTCOME_CONFLICT:
    case OUTCOME_NOT_FOUND:
    case OUTCOME_REJECTED:
    case OUTCOME_COUNT:
        break;
    }
    fail(ingest, 500, "rejected", SPAN("the store refused the order; it is kept for operations"));
}

static void on_ended(struct flight *flight, enum flight_end end, const struct outcome *outcome,
                     const struct id *id)
{
    struct ingest *ingest = flight->ctx;
    ingest->id = *id;
    switch (end) {
    case FLIGHT_SETTLED:
        if (id_parse(outcome->id, &ingest->id) < 0)
            ingest->id = *id;
        answer_settled(ingest, outcome);
        break;
    case FLIGHT_PENDING:
        answer_pending(ingest, id);
        break;
    case FLIGHT_UNKNOWN:
        fail(ingest, 503, "unavailable",
             SPAN("not durable in time; retry with the same Idempotency-Key"));
        break;
    }
    ingest->done(ingest);
}

static int decode(struct ingest *ingest, struct span text, struct complaint *complaint)
{
    struct json root;
    struct err err = {0};
    if (json_parse(ingest->api->json, text, &root, &err) < 0) {
        const struct span detail = arena_copy(ingest->arena, span_str(err.text));
        if (err.code == ERR_NOMEM || detail.ptr == NULL)
            fail_nomem(ingest);
        else
            fail(ingest, 400, "json", detail);
        return -1;
    }
    struct buf errors = {0};
    if (complaint_decode(root, complaint, &errors) == 0) {
        buf_free(&errors);
        return 0;
    }
    const struct span list = api_keep(ingest->arena, &errors);
    if (list.ptr != NULL)
        ingest->extra = arena_printf(ingest->arena, "\"errors\":[%.*s]", SPAN_ARG(list));
    if (ingest->extra.ptr == NULL)
        fail_nomem(ingest);
    else
        fail(ingest, 400, "invalid-complaint", SPAN("the complaint has fields that are not right"));
    return -1;
}

static int decide(struct ingest *ingest, const struct policy *policy,
                  const struct complaint *complaint, struct order *order)
{
    struct err err = {0};
    const uint64_t start = clock_steady_ns();
    const int result = pipeline_run(policy, ingest->api->scratch, ingest->api->options.load,
                                    complaint, clock_now_ms(), order, &err);
    metric_time(METRIC_HIST_CLASSIFY, clock_steady_ns() - start);
    if (result == 0) {
        if (order->verdict.review)
            metric_add(METRIC_REVIEWS, 1);
        load_add(ingest->api->options.load, order->route.worker,
                 (struct load_of){.open = 1, .last_at = order->created_at});
        return 0;
    }
    const struct span detail = arena_copy(ingest->arena, span_str(err.text));
    if (err.code == ERR_NOMEM || detail.ptr == NULL)
        fail_nomem(ingest);
    else
        fail(ingest, 400, "invalid-complaint", detail);
    return -1;
}

/* Hands the record of a decided order to the dispatcher, which copies it. */
static void submit(struct ingest *ingest, const struct ingest_input *input,
                   const struct policy *policy, const struct order *order)
{
    struct order_texts *texts = &ingest->api->texts;
    struct record record;
    struct err err = {0};
    const int made = order_record(order, policy, texts, &record);
    ingest->answer = arena_copy(ingest->arena, buf_view(&texts->answer));
    if (made < 0 || ingest->answer.ptr == NULL) {
        fail_nomem(ingest);
    } else {
        record.keyed = input->keyed;
        record.claim = input->claim;
        record.body = hash128(input->json);
        ingest->flight.ended = on_ended;
        ingest->flight.ctx = ingest;
        if (flight_start(&ingest->flight, ingest->api, &record, &err) < 0)
            fail_from(ingest, &err);
    }
}

void ingest_start(struct ingest *ingest, const struct ingest_input *input)
{
    struct complaint complaint;
    if (decode(ingest, input->json, &complaint) < 0)
        return;
    struct api *api = ingest->api;
    struct policy *policy = api->options.policy(api->options.ctx);
    struct order order;
    if (decide(ingest, policy, &complaint, &order) == 0)
        submit(ingest, input, policy, &order);
    policy_unref(&policy);
}
