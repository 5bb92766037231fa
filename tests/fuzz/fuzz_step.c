/*
 * A step's JSON, as each step by turns: what is taken is kept in a history that reads back; what is
 * refused comes with errors that are JSON. And a history with the input as its last entry.
 */
#include "engine/api/step_json.h"
#include "engine/base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1767225600000)

static struct json_reader *reader, *second;
static struct policy *policy;

static void check_taken(struct step_body *body)
{
    struct buf note = {0};
    struct json root;
    CHECK(body->step.at <= NOW && body->photo_count <= LIMIT_ATTACHMENTS);
    CHECK(body->step.party_count <= STEP_PARTIES && body->step.stars <= 5);
    life_prepare(&body->step, process_numbers(policy_process(policy)));
    step_encode_note(body, &note);
    CHECK(buf_ok(&note));
    if (note.len > 0)
        CHECK(json_parse(second, buf_view(&note), &root, NULL) == 0);
    buf_free(&note);
}

static void check_refused(const struct buf *errors)
{
    struct buf array = {0};
    struct json root;
    buf_printf(&array, "[%.*s]", SPAN_ARG(buf_view(errors)));
    CHECK(errors->len > 0 && json_parse(second, buf_view(&array), &root, NULL) == 0);
    buf_free(&array);
}

static void check_history(struct span entry)
{
    struct order_view view = {.history_count = 2};
    struct arena *arena = arena_new(4096);
    struct life life;
    CHECK(arena != NULL);
    view.history[0] = SPAN("{\"step\":\"create\",\"to\":\"dispatched\",\"at\":1,\"holder\":\"w\"}");
    view.history[1] = entry;
    if (life_read(second, &view, process_numbers(policy_process(policy)), arena, &life) == 0)
        CHECK(life.version == 2 && life.state < ORDER_STATE_COUNT);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = span_of((const char *)data, size);
    struct buf errors = {0};
    struct step_body body;
    struct json root;
    if (reader == NULL) {
        reader = json_reader_new(LIMIT_JSON_DEPTH);
        second = json_reader_new(LIMIT_JSON_DEPTH);
        policy = policy_load("rules", NULL);
    }
    CHECK(reader != NULL && second != NULL && policy != NULL);
    check_history(input);
    if (json_parse(reader, input, &root, NULL) < 0 || json_type(root) != JSON_OBJECT)
        return 0;
    for (enum order_step step = 0; step < ORDER_STEP_COUNT; step++) {
        const struct step_frame frame = {.step = step,
                                         .resident = order_step_needs(step) == ORDER_ACTOR_COUNT,
                                         .now = NOW,
                                         .policy = policy};
        buf_clear(&errors);
        if (step_decode(root, &frame, &body, &errors) == 0)
            check_taken(&body);
        else
            check_refused(&errors);
    }
    buf_free(&errors);
    return 0;
}
