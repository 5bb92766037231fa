#include "bench/shared/maker.h"

#include "engine/api/complaint_json.h"
#include "engine/api/order_record.h"
#include "engine/api/step_json.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/model/pipeline.h"

struct maker {
    struct policy *policy;
    struct rules_scratch *scratch;
    struct json_reader *json;
    struct order order; /* the record borrows from it */
    struct order_texts texts;
    struct buf errors, note, strings;
};

struct maker *maker_open(const char *rules, struct err *err)
{
    struct maker *maker = mem_zalloc(1, sizeof(*maker));
    if (maker == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    maker->scratch = rules_scratch_new();
    maker->json = json_reader_new(LIMIT_JSON_DEPTH);
    if (maker->scratch == NULL || maker->json == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else
        maker->policy = policy_load(rules, err);
    if (maker->policy == NULL)
        maker_close(&maker);
    return maker;
}

void maker_close(struct maker **maker)
{
    struct maker *m = *maker;
    *maker = NULL;
    if (m == NULL)
        return;
    order_texts_free(&m->texts);
    buf_free(&m->errors);
    buf_free(&m->note);
    buf_free(&m->strings);
    json_reader_free(&m->json);
    rules_scratch_free(&m->scratch);
    policy_unref(&m->policy);
    mem_free(m);
}

static int add_claimed(struct record *record, struct calls *calls)
{
    struct record_claim claim;
    struct span argv[RECORD_CLAIM_CREATE_ARGS];
    random_bytes(&record->claim, sizeof(record->claim));
    record_claim(record, &record->id, &claim);
    return calls_add(calls, record_claim_create(record, &claim, argv), argv);
}

/* The record that ingest would hand to the dispatcher. */
static int make_record(struct maker *maker, struct span body, struct record *record,
                       struct err *err)
{
    struct json root;
    struct complaint complaint;
    if (json_parse(maker->json, body, &root, err) < 0)
        return -1;
    buf_clear(&maker->errors);
    if (complaint_decode(root, &complaint, &maker->errors) < 0)
        return err_set(err, ERR_INVALID, "the engine would answer 400");
    if (pipeline_run(maker->policy, maker->scratch, NULL, &complaint, clock_now_ms(), &maker->order,
                     err) < 0)
        return -1;
    if (order_record(&maker->order, maker->policy, &maker->texts, record) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    record->body = hash128(body);
    return 0;
}

int maker_create(struct maker *maker, struct span body, bool keyed, struct calls *calls,
                 struct err *err)
{
    struct record record = {0};
    if (make_record(maker, body, &record, err) < 0)
        return -1;
    const int added =
        keyed ? add_claimed(&record, calls) : calls_add(calls, record.argc, record.argv);
    if (added < 0)
        return err_set(err, ERR_NOMEM, "out of memory for the calls; make fewer");
    return 0;
}

const struct id *maker_id(const struct maker *maker)
{
    return &maker->order.id;
}

struct span maker_worker(const struct maker *maker)
{
    return maker->order.route.worker;
}

static enum order_actor actor_of(const struct maker *maker, const struct id *id,
                                 const struct life_step *step)
{
    switch (directory_office(policy_directory(maker->policy), step->worker, id_community(id))) {
    case OFFICE_LEADER:
        return ACTOR_LEADER;
    case OFFICE_HEAD:
        return ACTOR_HEAD;
    default:
        return step->worker.len == 0 ? ACTOR_RESIDENT : ACTOR_MEMBER;
    }
}

/* As many bytes as the engine's: the hash of an idempotency key, a dot, and that of a body. */
static const char *make_step_id(char out[2 * HASH_HEX_BYTES])
{
    struct hash128 parts[2];
    random_bytes(parts, sizeof(parts));
    hash128_hex(parts[0], out);
    out[HASH_HEX_BYTES - 1] = '.';
    hash128_hex(parts[1], out + HASH_HEX_BYTES);
    return out;
}

int maker_step(struct maker *maker, const struct id *id, enum order_step step, struct span body,
               struct calls *calls, struct err *err)
{
    const struct process_numbers *numbers = process_numbers(policy_process(maker->policy));
    const struct step_frame frame = {.step = step,
                                     .resident = step == STEP_RATE,
                                     .now = clock_now_ms(),
                                     .policy = maker->policy};
    struct json root;
    struct step_body decoded;
    struct record record;
    char step_id[2 * HASH_HEX_BYTES];
    if (json_parse(maker->json, body, &root, err) < 0)
        return -1;
    buf_clear(&maker->errors);
    buf_clear(&maker->note);
    buf_clear(&maker->strings);
    if (step_decode(root, &frame, &decoded, &maker->errors) < 0)
        return err_set(err, ERR_INVALID, "the engine would answer 400");
    decoded.step.actor = actor_of(maker, id, &decoded.step);
    life_prepare(&decoded.step, numbers);
    step_encode_note(&decoded, &maker->note);
    const struct record_step fields = {.id = id,
                                       .step_id = span_str(make_step_id(step_id)),
                                       .step = &decoded.step,
                                       .returns_most = numbers->returns_most,
                                       .note = buf_view(&maker->note)};
    if (!buf_ok(&maker->note) || record_step(&record, &fields, &maker->strings) < 0 ||
        calls_add(calls, record.argc, record.argv) < 0)
        return err_set(err, ERR_NOMEM, "out of memory for the calls; make fewer");
    return 0;
}

int maker_answer(void *ctx, size_t i, const struct reply *reply, struct err *err)
{
    const struct span said =
        reply_size(reply) > 0 ? reply_span(reply_at(reply, 0)) : reply_span(reply);
    (void)ctx;
    if (span_eq(said, SPAN("created")) || span_eq(said, SPAN("done")))
        return 0;
    return err_set(err, ERR_PROTOCOL, "Redis answered call %zu with: %.*s", i, SPAN_ARG(said));
}
