#include "engine/api/step_run.h"

#include "engine/api/api_private.h"
#include "engine/api/step_json.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/http/json_writer.h"
#include "engine/model/watch.h"

enum { STEP_ID_BYTES = 2 * HASH_HEX_BYTES };

static struct arena *arena_of(const struct step_run *run)
{
    return http_request(run->x)->arena;
}

static void fail(struct step_run *run, int status, const char *problem, struct span detail)
{
    run->status = status;
    run->problem = problem;
    run->detail = detail;
}

static void fail_nomem(struct step_run *run)
{
    fail(run, 503, "unavailable", SPAN("out of memory; try again"));
}

/* ---- the result ---- */

static void answer(struct step_run *run, int status, struct span id, struct span state,
                   int64_t version)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_string(&w, "id", id);
    json_member_str(&w, "step", order_step_name(run->step));
    json_member_string(&w, "status", state);
    if (version > 0)
        json_member_i64(&w, "version", version);
    json_close_object(&w);
    run->body = api_keep(arena_of(run), &out);
    if (run->body.ptr == NULL)
        fail_nomem(run);
    else
        run->status = status;
}

static bool is_answer(struct span text, enum life_answer answer)
{
    return span_eq(text, span_str(life_answer_name(answer)));
}

/* As the fields of a body that is not right are named. */
static void write_missing(struct json_writer *w, const char *field, const char *problem)
{
    json_key(w, "errors");
    json_open_array(w);
    json_open_object(w);
    json_member_str(w, "field", field);
    json_member_str(w, "problem", problem);
    json_close_object(w);
    json_close_array(w);
}

static void answer_conflict(struct step_run *run, const struct outcome *outcome)
{
    struct buf object = {0};
    struct json_writer w = json_writer(&object);
    json_open_object(&w);
    json_member_string(&w, "state", outcome->state);
    json_member_i64(&w, "version", outcome->version);
    json_member_string(&w, "reason", outcome->text);
    api_member_allowed(&w, run->resident, outcome->state);
    if (is_answer(outcome->text, LIFE_OVERDUE))
        write_missing(&w, "overdue_reason", "is required: the deadline to resolve has passed");
    json_close_object(&w);
    const struct span kept = api_keep(arena_of(run), &object);
    if (kept.ptr == NULL) {
        fail_nomem(run);
        return;
    }
    run->extra = span_sub(kept, 1, kept.len - 1); /* its members */
    const struct span why = span_str(life_answer_text(outcome->text));
    if (is_answer(outcome->text, LIFE_CALLER))
        fail(run, 403, "not-allowed", why);
    else
        fail(run, 409, "stale-step", why);
}

static void answer_settled(struct step_run *run, const struct outcome *outcome, const struct id *id)
{
    switch (outcome->code) {
    case OUTCOME_DONE:
    case OUTCOME_REPLAYED:
        answer(run, 200, id_span(id), outcome->state, outcome->version);
        break;
    case OUTCOME_CONFLICT:
        answer_conflict(run, outcome);
        break;
    case OUTCOME_OTHER_BODY:
        fail(run, 422, "idempotency-key-reused",
             SPAN("this Idempotency-Key came with another body before; use a new key"));
        break;
    case OUTCOME_NOT_FOUND:
        fail(run, 404, "not-found", SPAN("there is no such order"));
        break;
    case OUTCOME_NOT_WRITTEN:
        fail(run, 503, "unavailable", SPAN("the outbox cannot be written now; try again"));
        break;
    case OUTCOME_REJECTED:
    case OUTCOME_COUNT:
        fail(run, 500, "rejected", SPAN("the store refused the step"));
        break;
    }
}

static void on_ended(struct flight *flight, enum flight_end end, const struct outcome *outcome,
                     const struct id *id)
{
    struct step_run *run = flight->ctx;
    switch (end) {
    case FLIGHT_SETTLED:
        answer_settled(run, outcome, id);
        break;
    case FLIGHT_PENDING:
        answer(run, 202, id_span(id), SPAN("pending"), 0);
        break;
    case FLIGHT_UNKNOWN:
        fail(run, 503, "unavailable",
             SPAN("not durable in time; retry with the same Idempotency-Key"));
        break;
    }
    run->done(run);
}

/* ---- who ---- */

/* Under which office the step is taken. 0, or -1 and the problem. */
static int find_actor(struct step_run *run, const struct policy *policy, const struct id *id,
                      struct life_step *step)
{
    static const enum order_actor actors[] = {
        [OFFICE_MEMBER] = ACTOR_MEMBER, [OFFICE_LEADER] = ACTOR_LEADER, [OFFICE_HEAD] = ACTOR_HEAD};
    const struct directory *directory = policy_directory(policy);
    if (run->resident) {
        step->actor = ACTOR_RESIDENT;
        return 0;
    }
    const enum directory_office office =
        directory_office(directory, step->worker, id_community(id));
    if (office == OFFICE_NONE) {
        fail(run, 422, "worker",
             directory_worker_community(directory, step->worker).len > 0
                 ? SPAN("this worker does not belong to the order's community")
                 : SPAN("there is no such worker in the directory"));
        return -1;
    }
    step->actor = actors[office];
    if (order_rule(step->step, step->actor) != NULL)
        return 0;
    fail(run, 403, "not-allowed",
         step->step == STEP_PARTY_RATE
             ? span_str(life_answer_text(span_str(life_answer_name(LIFE_CALLER))))
             : arena_printf(arena_of(run), "only %s may take this step",
                            order_actor_words(order_step_needs(step->step))));
    return -1;
}

/* An order can be handed to who reads a queue of its community. */
static int check_receiver(struct step_run *run, const struct policy *policy, const struct id *id,
                          const struct life_step *step)
{
    if (step->step != STEP_TRANSFER ||
        span_eq(directory_worker_community(policy_directory(policy), step->to), id_community(id)))
        return 0;
    fail(run, 422, "worker", SPAN("'to' is no worker of the order's community"));
    return -1;
}

/* ---- who else ---- */

/* A list of workers, "a b", that grows. */
struct names {
    struct buf list;
    struct span but; /* who is not to be in it */
};

static void add_name(void *ctx, struct span worker)
{
    struct names *names = ctx;
    if (span_eq(worker, names->but) || span_has_word(buf_view(&names->list), ' ', worker))
        return;
    if (names->list.len > 0)
        buf_char(&names->list, ' ');
    buf_span(&names->list, worker);
}

/* Whom the step's rules name by the directory: for the rating by a head, the callers who can still
 * rate themselves; for a resolve, who of the street is told when it had to say why it was late. 0,
 * or -1 when memory is short. */
static int name_others(struct step_run *run, const struct policy *policy, const struct id *id,
                       struct life_step *step, struct span *street)
{
    const struct directory *directory = policy_directory(policy);
    const struct span community = id_community(id);
    struct names names = {.but = step->worker};
    *street = (struct span){NULL, 0};
    if (step->step == STEP_RESOLVE) {
        step->explain = sla_explained(policy_sla(policy));
        names.but = SPAN("");
        add_name(&names, directory_street_head(directory, community));
        add_name(&names, directory_triage(directory, community, step->at));
    } else if (step->step == STEP_PARTY_RATE && step->actor == ACTOR_HEAD) {
        directory_leaders_on_duty(directory, community, step->at, add_name, &names);
    }
    if (names.list.len == 0 && buf_ok(&names.list))
        return 0;
    const struct span kept = api_keep(arena_of(run), &names.list);
    if (step->step == STEP_RESOLVE)
        *street = kept;
    else
        step->able = kept;
    return kept.ptr == NULL ? -1 : 0;
}

/* ---- from JSON to the outbox ---- */

/* The id of this step. 0, or -1 for a bad key. */
static int make_step_id(const struct step_run *run, const struct step_input *input,
                        char out[STEP_ID_BYTES])
{
    struct hash128 parts[2] = {{0, 0}, {0, 0}};
    const int keyed = api_idempotency(run->x, input->number, &parts[0]);
    if (keyed < 0)
        return -1;
    if (keyed == 1)
        parts[1] = hash128(input->json);
    else
        random_bytes(parts, sizeof(parts));
    hash128_hex(parts[0], out);
    out[HASH_HEX_BYTES - 1] = '.';
    hash128_hex(parts[1], out + HASH_HEX_BYTES);
    return 0;
}

/* What the holder should know though somebody else did it. */
static struct span told(enum order_step step)
{
    switch (step) {
    case STEP_GRANT:
    case STEP_REFUSE:
    case STEP_REVIEW:
    case STEP_PARTY_REPORT:
    case STEP_CANCEL:
    case STEP_RATE:
        return SPAN("=");
    default:
        return SPAN("");
    }
}

static void submit(struct step_run *run, const struct policy *policy, const struct id *id,
                   struct step_body *body, const char *step_id)
{
    const struct process_numbers *numbers = process_numbers(policy_process(policy));
    struct buf note = {0}, scratch = {0};
    struct record record;
    struct span street;
    struct err err = {0};
    if (name_others(run, policy, id, &body->step, &street) < 0) {
        fail_nomem(run);
        return;
    }
    life_prepare(&body->step, numbers);
    watch_review(&body->step, policy, id_time(id));
    step_encode_note(body, &note);
    const struct record_step fields = {.id = id,
                                       .step_id = span_str(step_id),
                                       .step = &body->step,
                                       .returns_most = numbers->returns_most,
                                       .note = buf_view(&note),
                                       .street = street,
                                       .tell = told(run->step)};
    run->flight.ended = on_ended;
    run->flight.ctx = run;
    if (!buf_ok(&note) || record_step(&record, &fields, &scratch) < 0) {
        fail_nomem(run);
    } else if (flight_start(&run->flight, run->api, &record, &err) < 0) {
        const struct span text = arena_copy(arena_of(run), span_str(err.text));
        fail(run, 503, "unavailable", text.ptr == NULL ? SPAN("try again") : text);
    }
    buf_free(&note);
    buf_free(&scratch);
}

/* Which step of which order a line asks for. 0, or -1 and the problem. */
static int read_line(struct step_run *run, struct json root, struct id *id)
{
    struct json order, step;
    if (!json_get(root, "order", &order) || json_type(order) != JSON_STRING ||
        !json_get(root, "step", &step) || json_type(step) != JSON_STRING) {
        fail(run, 400, "invalid-step", SPAN("a line must name its order and its step"));
        return -1;
    }
    if (order_step_parse(json_string(step), &run->step) < 0 ||
        order_step_needs(run->step) == ORDER_ACTOR_COUNT) {
        fail(run, 400, "invalid-step", SPAN("there is no such step"));
        return -1;
    }
    if (id_parse(json_string(order), id) < 0) {
        fail(run, 404, "not-found", SPAN("an order's id is <community>.<26 characters>"));
        return -1;
    }
    return 0;
}

static int read_json(struct step_run *run, const struct step_input *input, struct json *root)
{
    struct err err = {0};
    if (json_parse(run->api->json, input->json, root, &err) < 0) {
        const struct span detail = arena_copy(arena_of(run), span_str(err.text));
        if (err.code == ERR_NOMEM || detail.ptr == NULL)
            fail_nomem(run);
        else
            fail(run, 400, "json", detail);
        return -1;
    }
    if (json_type(*root) == JSON_OBJECT)
        return 0;
    fail(run, 400, "json", SPAN("a step must be a JSON object"));
    return -1;
}

static int decode(struct step_run *run, const struct step_input *input, struct json root,
                  const struct policy *policy, struct step_body *body)
{
    const struct step_frame frame = {.step = run->step,
                                     .resident = run->resident,
                                     .line = input->line,
                                     .now = clock_now_ms(),
                                     .policy = policy};
    struct buf errors = {0};
    if (step_decode(root, &frame, body, &errors) == 0) {
        buf_free(&errors);
        return 0;
    }
    const struct span list = api_keep(arena_of(run), &errors);
    if (list.ptr != NULL)
        run->extra = arena_printf(arena_of(run), "\"errors\":[%.*s]", SPAN_ARG(list));
    if (run->extra.ptr == NULL)
        fail_nomem(run);
    else
        fail(run, 400, "invalid-step", SPAN("the step has fields that are not right"));
    return -1;
}

void step_run_start(struct step_run *run, const struct step_input *input)
{
    struct json root;
    struct id id = input->id;
    struct step_body body;
    char step_id[STEP_ID_BYTES];
    run->step = input->step;
    run->resident = input->resident;
    if (read_json(run, input, &root) < 0 || (input->line && read_line(run, root, &id) < 0))
        return;
    struct policy *policy = run->api->options.policy(run->api->options.ctx);
    if (decode(run, input, root, policy, &body) == 0 &&
        find_actor(run, policy, &id, &body.step) == 0 &&
        check_receiver(run, policy, &id, &body.step) == 0) {
        /* The key was found good before the first step was begun. */
        CHECK(make_step_id(run, input, step_id) == 0);
        submit(run, policy, &id, &body, step_id);
    }
    policy_unref(&policy);
}
