/* Steps as JSON: what each takes and refuses, and histories that read back to the same life. */
#include "engine/api/step_json.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1767225600000) /* 2026-01-01T08:00:00+08:00 */

static struct json_reader *reader;
static struct policy *policy;
static struct arena *arena;

static int set_up(void **state)
{
    struct err err = {0};
    (void)state;
    reader = json_reader_new(LIMIT_JSON_DEPTH);
    policy = policy_load("rules", &err);
    arena = arena_new(65536);
    if (policy == NULL)
        print_error("%s\n", err.text);
    return reader == NULL || policy == NULL || arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_reader_free(&reader);
    policy_unref(&policy);
    arena_free(&arena);
    return 0;
}

static int decode(enum order_step step, bool resident, bool line, const char *text,
                  struct step_body *body, struct buf *errors)
{
    const struct step_frame frame = {
        .step = step, .resident = resident, .line = line, .now = NOW, .policy = policy};
    struct json root;
    struct err err = {0};
    if (json_parse(reader, span_str(text), &root, &err) < 0)
        fail_msg("not JSON: %s: %s", text, err.text);
    buf_clear(errors);
    return step_decode(root, &frame, body, errors);
}

/* A body of each step with all its members, and what its history keeps of it. */
static const struct {
    enum order_step step;
    bool resident;
    const char *body, *note;
} taken[] = {
    {STEP_ACCEPT, false, "{\"worker\":\"w\"}", ""},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"note\":\"来了\",\"version\":3}",
     "{\"note\":\"来了\"}"},
    {STEP_ARRIVE, false, "{\"worker\":\"w\",\"photos\":[\"https://a/1\"]}",
     "{\"photos\":[\"https://a/1\"]}"},
    {STEP_RESOLVE, false, "{\"worker\":\"w\",\"result\":\"好了\"}", "{\"result\":\"好了\"}"},
    {STEP_RESOLVE, false, "{\"worker\":\"w\",\"overdue_reason\":\"等部门答复\"}",
     "{\"overdue_reason\":\"等部门答复\"}"},
    {STEP_RETURN, false, "{\"worker\":\"w\",\"reason\":\"no_capacity\"}",
     "{\"reason\":\"no_capacity\"}"},
    {STEP_EXTEND, false,
     "{\"worker\":\"w\",\"clock\":\"resolve\",\"until\":\"2026-01-02T08:00:00+08:00\","
     "\"reason\":\"needs_parts\"}",
     "{\"reason\":\"needs_parts\",\"clock\":\"resolve\",\"until\":1767312000000}"},
    {STEP_GRANT, false, "{\"worker\":\"w\",\"clock\":\"arrive\"}", "{\"clock\":\"arrive\"}"},
    {STEP_NOTE, false, "{\"worker\":\"w\",\"note\":\"x\",\"feedback\":true}",
     "{\"note\":\"x\",\"feedback\":true}"},
    {STEP_NOTE, false, "{\"worker\":\"w\",\"note\":\"x\",\"feedback\":false}", "{\"note\":\"x\"}"},
    {STEP_WHISTLE, false,
     "{\"worker\":\"w\",\"parties\":[{\"department\":\"城管局\",\"report_by\":"
     "\"2026-01-01T09:00:00+08:00\"}]}",
     "{\"parties\":[{\"department\":\"城管局\",\"report_by\":1767229200000}]}"},
    {STEP_PARTY_REPORT, false, "{\"worker\":\"w\",\"department\":\"城管局\",\"result\":\"到了\"}",
     "{\"result\":\"到了\",\"department\":\"城管局\"}"},
    {STEP_PARTY_RATE, false, "{\"worker\":\"w\",\"department\":\"城管局\",\"stars\":2}",
     "{\"department\":\"城管局\",\"stars\":2}"},
    {STEP_REVIEW, false, "{\"worker\":\"w\",\"category\":\"城乡建设/安全生产/安全隐患\"}",
     "{\"category\":\"城乡建设/安全生产/安全隐患\"}"},
    {STEP_RATE, true, "{\"stars\":5,\"comment\":\"好\"}", "{\"comment\":\"好\",\"stars\":5}"},
    {STEP_REOPEN, true, "{\"reason\":\"came_back\"}", "{\"reason\":\"came_back\"}"},
    {STEP_CANCEL, true, "{\"reason\":\"withdrawn\"}", "{\"reason\":\"withdrawn\"}"},
};

static void bodies_are_taken(void **state)
{
    (void)state;
    struct buf errors = {0}, note = {0};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct step_body body;
        if (decode(taken[i].step, taken[i].resident, false, taken[i].body, &body, &errors) < 0)
            fail_msg("%s: %.*s", taken[i].body, SPAN_ARG(buf_view(&errors)));
        assert_int_equal(body.step.at, NOW);
        assert_false(body.step.strict);
        buf_clear(&note);
        step_encode_note(&body, &note);
        assert_string_equal(buf_cstr(&note), taken[i].note);
    }
    struct step_body body;
    assert_int_equal(decode(STEP_ACCEPT, false, true,
                            "{\"order\":\"x\",\"step\":\"accept\",\"worker\":\"w\","
                            "\"at\":\"2026-01-01T07:59:00+08:00\"}",
                            &body, &errors),
                     0);
    assert_true(body.step.strict && body.step.at == NOW - 60000);
    buf_free(&errors);
    buf_free(&note);
}

/* Each body, and the fields that must be named, in order. */
static const struct {
    enum order_step step;
    bool resident;
    const char *body, *fields;
} refused[] = {
    {STEP_ACCEPT, false, "{}", "worker"},
    {STEP_ACCEPT, false, "{\"worker\":7}", "worker"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"worker\":\"w\"}", "worker"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"version\":0}", "version"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"result\":\"x\",\"reason\":\"y\"}", "result,reason"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"note\":\"\"}", "note"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"at\":\"2026-01-01T08:00:01+08:00\"}", "at"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"at\":1767225600000}", "at"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"order\":\"x\",\"step\":\"accept\"}", "order,step"},
    {STEP_RETURN, false, "{\"worker\":\"w\"}", "reason"},
    {STEP_RETURN, false, "{\"worker\":\"w\",\"reason\":\"tired\"}", "reason"},
    {STEP_TRANSFER, false, "{\"worker\":\"w\",\"reason\":\"reassign\"}", "to"},
    {STEP_ARRIVE, false, "{\"worker\":\"w\",\"photos\":[\"http://a/1\"]}", "photos"},
    {STEP_ARRIVE, false, "{\"worker\":\"w\",\"photos\":\"https://a/1\"}", "photos"},
    {STEP_EXTEND, false, "{\"worker\":\"w\",\"reason\":\"needs_parts\"}", "clock,until"},
    {STEP_EXTEND, false,
     "{\"worker\":\"w\",\"reason\":\"needs_parts\",\"clock\":\"sleep\",\"until\":"
     "\"2026-01-01T08:00:00+08:00\"}",
     "clock,until"},
    {STEP_EXTEND, false,
     "{\"worker\":\"w\",\"reason\":\"needs_parts\",\"clock\":\"resolve\",\"until\":"
     "\"2027-01-01T08:00:00+08:00\"}",
     "until"},
    {STEP_NOTE, false, "{\"worker\":\"w\",\"feedback\":1}", "note,feedback"},
    {STEP_RESOLVE, false, "{\"worker\":\"w\",\"overdue_reason\":\"\"}", "overdue_reason"},
    {STEP_RESOLVE, false, "{\"worker\":\"w\",\"overdue_reason\":\" \u3000 \\n\"}",
     "overdue_reason"},
    {STEP_RESOLVE, false, "{\"worker\":\"w\",\"overdue_reason\":true}", "overdue_reason"},
    {STEP_ACCEPT, false, "{\"worker\":\"w\",\"overdue_reason\":\"x\"}", "overdue_reason"},
    {STEP_WHISTLE, false, "{\"worker\":\"w\",\"parties\":[]}", "parties"},
    {STEP_WHISTLE, false, "{\"worker\":\"w\",\"parties\":{}}", "parties"},
    {STEP_WHISTLE, false, "{\"worker\":\"w\",\"parties\":[1]}", "parties"},
    {STEP_WHISTLE, false,
     "{\"worker\":\"w\",\"parties\":[{\"department\":\"a b\",\"report_by\":"
     "\"2026-01-01T09:00:00+08:00\"}]}",
     "parties.department"},
    {STEP_WHISTLE, false,
     "{\"worker\":\"w\",\"parties\":[{\"department\":\"a\",\"report_by\":"
     "\"2026-01-01T08:00:00+08:00\"}]}",
     "parties.report_by"},
    {STEP_WHISTLE, false,
     "{\"worker\":\"w\",\"parties\":[{\"department\":\"a\",\"report_by\":"
     "\"2026-01-01T09:00:00+08:00\"},{\"department\":\"a\",\"report_by\":"
     "\"2026-01-01T09:00:00+08:00\"}]}",
     "parties.department"},
    {STEP_REVIEW, false, "{\"worker\":\"w\",\"category\":\"城乡建设/安全\"}", "category"},
    {STEP_RATE, true, "{}", "stars"},
    {STEP_RATE, true, "{\"stars\":0}", "stars"},
    {STEP_RATE, true, "{\"stars\":\"5\"}", "stars"},
    {STEP_RATE, true, "{\"stars\":5,\"worker\":\"w\",\"version\":1}", "worker,version"},
};

static void wrong_bodies_name_their_fields(void **state)
{
    (void)state;
    struct buf errors = {0}, list = {0};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct step_body body;
        char names[256] = "";
        struct json root, error, field;
        if (decode(refused[i].step, refused[i].resident, false, refused[i].body, &body, &errors) ==
            0)
            fail_msg("taken: %s", refused[i].body);
        buf_clear(&list);
        buf_printf(&list, "[%.*s]", SPAN_ARG(buf_view(&errors)));
        assert_int_equal(json_parse(reader, buf_view(&list), &root, NULL), 0);
        struct json_iter it = json_iter(root);
        while (json_next(&it, NULL, &error)) {
            const size_t len = strlen(names);
            assert_int_equal(json_get(error, "field", &field), 1);
            snprintf(names + len, sizeof names - len, "%s%.*s", len > 0 ? "," : "",
                     SPAN_ARG(json_string(field)));
        }
        if (strcmp(names, refused[i].fields) != 0)
            fail_msg("%s: names %s", refused[i].body, names);
    }
    buf_free(&errors);
    buf_free(&list);
}

/* ---- histories ---- */

enum { LIVES = 100, STEPS = 40 };

static struct life_step random_step(const struct life *life, struct random *random)
{
    struct life_step step = {
        .step = (enum order_step)random_below(random, ORDER_STEP_COUNT),
        .actor = (enum order_actor)random_below(random, ORDER_ACTOR_COUNT),
        .worker = life->holder,
        .at = life->last_at + (int64_t)random_below(random, 3600000),
        .clock = (enum sla_clock)random_below(random, CLOCK_COUNT),
        .to = SPAN("other"),
    };
    if (step.step == STEP_EXTEND)
        step.until = step.at + 1 + (int64_t)random_below(random, 86400000);
    step.feedback = step.step == STEP_NOTE && random_below(random, 2) == 0;
    if (step.step == STEP_WHISTLE)
        step.parties[step.party_count++] =
            (struct life_party){.department = SPAN("城管局"), .report_by = step.at + 1000};
    if (step.step == STEP_PARTY_REPORT || step.step == STEP_PARTY_RATE)
        step.department = SPAN("城管局");
    if (step.step == STEP_PARTY_RATE || step.step == STEP_RATE)
        step.stars = 4;
    if (step.step == STEP_REVIEW)
        step.category = SPAN("a/b/c");
    if (step.step == STEP_WARN) {
        step.levels[random_below(random, CLOCK_COUNT)] =
            (enum warning)random_below(random, WARNING_COUNT);
        step.late[step.late_count++] = SPAN("城管局");
    }
    if (step.step == STEP_HAND_OVER)
        step.queued_at = life->last_at;
    if (step.step == STEP_ESCALATE || step.step == STEP_REVIEW)
        step.sla_class = random_below(random, 2) == 0 ? SPAN("council") : SPAN("service");
    if (step.step == STEP_ESCALATE)
        step.resolve_by = step.at + (int64_t)random_below(random, 86400000);
    if (step.step == STEP_RECLOCK || step.step == STEP_REVIEW) {
        step.by[CLOCK_RESPOND] = random_below(random, 2) == 0 ? 0 : NOW + 1200000;
        step.by[CLOCK_RESOLVE] = NOW + 90000000;
    }
    if (step.sla_class.len > 0)
        step.provisional = random_below(random, 2) == 0;
    return step;
}

/* An entry as the function library writes it. */
static void write_entry(struct buf *out, const struct life *life, const struct life_step *step,
                        const char *from)
{
    struct step_body body = {.step = *step};
    buf_printf(out,
               "{\"version\":%d,\"step\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"at\":%lld,"
               "\"by\":\"worker\",\"worker\":\"%.*s\",\"holder\":\"%.*s\"",
               (int)life->version, order_step_name(step->step), from, order_state_name(life->state),
               (long long)step->at, SPAN_ARG(step->worker), SPAN_ARG(life->holder));
    const size_t before = out->len;
    buf_str(out, ",\"note\":");
    const size_t empty = out->len;
    step_encode_note(&body, out);
    if (out->len == empty)
        out->len = before;
    buf_char(out, '}');
}

static void assert_same_span(struct span a, struct span b)
{
    assert_true(span_eq(a, b));
}

static void assert_same_life(const struct life *a, const struct life *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->version, b->version);
    assert_true(a->last_at == b->last_at && a->reopen_by == b->reopen_by);
    assert_same_span(a->holder, b->holder);
    assert_same_span(a->category, b->category);
    assert_int_equal(a->bounces, b->bounces);
    assert_int_equal(a->stars, b->stars);
    assert_int_equal(a->warning, b->warning);
    assert_memory_equal(a->clocks, b->clocks, sizeof a->clocks);
    assert_memory_equal(a->warned, b->warned, sizeof a->warned);
    assert_same_span(a->sla_class, b->sla_class);
    assert_true(a->created_at == b->created_at && a->queued_at == b->queued_at);
    assert_int_equal(a->provisional, b->provisional);
    assert_int_equal(a->triage, b->triage);
    assert_int_equal(a->red, b->red);
    assert_int_equal(a->party_count, b->party_count);
    for (size_t i = 0; i < a->party_count; i++) {
        assert_same_span(a->parties[i].department, b->parties[i].department);
        assert_same_span(a->parties[i].caller, b->parties[i].caller);
        assert_true(a->parties[i].report_by == b->parties[i].report_by &&
                    a->parties[i].reported_at == b->parties[i].reported_at);
        assert_int_equal(a->parties[i].stars, b->parties[i].stars);
        assert_int_equal(a->parties[i].late, b->parties[i].late);
    }
}

static void histories_read_back(void **state)
{
    (void)state;
    static const int64_t by[CLOCK_COUNT] = {
        [CLOCK_RESPOND] = NOW + 900000, [CLOCK_RESOLVE] = NOW + 86400000};
    const struct process_numbers *numbers = process_numbers(policy_process(policy));
    struct random random = {.state = 3};
    unsigned seen = 0;
    for (int n = 0; n < LIVES; n++) {
        static struct buf entries[STEPS + 1];
        struct order_view view = {.history_count = 1};
        struct life life, back;
        life_begin(&life, NOW, by, SPAN("w"));
        life.sla_class = SPAN("dispute");
        life.provisional = n % 2 == 0;
        life.triage = n % 3 == 0;
        life.red = n % 5 == 0;
        buf_printf(&entries[0],
                   "{\"version\":1,\"step\":\"create\",\"from\":null,\"to\":\"dispatched\","
                   "\"at\":%lld,\"by\":\"engine\",\"holder\":\"w\",\"note\":{\"respond_by\":%lld,"
                   "\"resolve_by\":%lld,\"class\":\"dispute\"%s%s%s}}",
                   (long long)NOW, (long long)by[CLOCK_RESPOND], (long long)by[CLOCK_RESOLVE],
                   life.provisional ? ",\"provisional\":true" : "",
                   life.triage ? ",\"triage\":true" : "", life.red ? ",\"red\":true" : "");
        for (int i = 0; i < STEPS; i++) {
            struct life_step step = random_step(&life, &random);
            const char *from = order_state_name(life.state);
            life_prepare(&step, numbers);
            if (step.actor == ACTOR_HOLDER || life_take(&life, numbers, &step) != LIFE_TAKEN)
                continue;
            write_entry(&entries[view.history_count++], &life, &step, from);
            seen |= 1u << step.step;
        }
        for (size_t i = 0; i < view.history_count; i++)
            view.history[i] = buf_view(&entries[i]);
        assert_int_equal(life_read(reader, &view, numbers, arena, &back), 0);
        assert_same_life(&life, &back);
        for (size_t i = 0; i <= STEPS; i++)
            buf_free(&entries[i]);
    }
    static const enum order_step engines[] = {STEP_WARN, STEP_HAND_OVER, STEP_ESCALATE,
                                              STEP_RECLOCK, STEP_REVIEW};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        assert_true((seen & 1u << engines[i]) != 0);
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "[]", "{\"to\":\"nowhere\"}",
        "{\"step\":\"dance\",\"to\":\"accepted\",\"at\":1,\"holder\":\"w\"}"};
    const struct process_numbers *numbers = process_numbers(policy_process(policy));
    struct life life;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct order_view view = {.history_count = 2};
        view.history[0] = SPAN("{\"step\":\"create\",\"to\":\"dispatched\",\"at\":1}");
        view.history[1] = span_str(wrong[i]);
        assert_int_equal(life_read(reader, &view, numbers, arena, &life), -1);
    }
    struct order_view none = {.history_count = 0};
    assert_int_equal(life_read(reader, &none, numbers, arena, &life), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_taken),
        cmocka_unit_test(wrong_bodies_name_their_fields),
        cmocka_unit_test(histories_read_back),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
