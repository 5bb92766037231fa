/*
 * The whole state machine, against its oracle: random steps, legal and not, are taken by the model
 * (life.h) and by the function library in a real Redis, which must agree on everything: what was
 * taken and why not, state, version, holder, deadlines, the next due, and whose queue it is in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/model/life.h"
#include "engine/store/record.h"
#include "functions_lua.h"
#include "tests/store/support_engine.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 5, ORDERS = 100, STEPS = 50, DEPARTMENTS = 3, TEXT_BYTES = 512 };

static const char *const workers[WORKERS] = {"w1", "w2", "w3", "w4", "w5"};
static const char *const departments[DEPARTMENTS] = {"城管局", "应急管理局", "民政局"};
static const struct process_numbers numbers = {
    .returns_most = 2,
    .reopen_ms = 1000,
    .reopen_resolve_ms = 700,
    .extension_ms = 2000,
    .warnings = {{0, 0.5, 0.8, 1}},
};

static struct test_redis redis;
static redisContext *link_to_redis;

static int set_up(void **state)
{
    (void)state;
    test_redis_start(&redis, NULL);
    link_to_redis = redisConnectUnix(redis.socket);
    assert_non_null(link_to_redis);
    redisReply *reply = redisCommand(link_to_redis, "FUNCTION LOAD REPLACE %s", functions_lua);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    freeReplyObject(reply);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    redisFree(link_to_redis);
    test_redis_stop(&redis);
    return 0;
}

static redisReply *call(const struct record *record)
{
    const char *argv[RECORD_ARGS];
    size_t lengths[RECORD_ARGS];
    for (size_t i = 0; i < record->argc; i++) {
        argv[i] = record->argv[i].ptr == NULL ? "" : record->argv[i].ptr;
        lengths[i] = record->argv[i].len;
    }
    redisReply *reply = redisCommandArgv(link_to_redis, (int)record->argc, argv, lengths);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    return reply;
}

/* An order of community c1 in the queue of w1, with posts w1 to w4 (the head). */
struct subject {
    struct id id;
    struct life life;
    bool urgent;
    struct span category;
};

static void subject_begin(struct subject *s, struct random *random)
{
    const struct span posts[] = {SPAN("w1"), SPAN("w2"), SPAN("w3"), SPAN("w4")};
    const int64_t at = 1700000000000;
    struct sla_deadlines deadlines = {
        .by = {[CLOCK_RESPOND] = at + 100, [CLOCK_RESOLVE] = at + 900}};
    if (random_below(random, 2) == 0)
        deadlines.by[CLOCK_ARRIVE] = at + 50;
    if (random_below(random, 2) == 0)
        deadlines.by[CLOCK_REPORT] = at + 150;
    if (random_below(random, 2) == 0)
        deadlines.by[CLOCK_FEEDBACK] = at + 400;
    *s = (struct subject){.id = example_id(), .urgent = random_below(random, 2) == 0};
    struct record_order order = {.id = &s->id,
                                 .worker = SPAN("w1"),
                                 .grid = SPAN("g1"),
                                 .posts = posts,
                                 .post_count = 4,
                                 .urgency = SPAN("yellow"),
                                 .category = SPAN("a/b"),
                                 .kind = SPAN("complaint"),
                                 .urgent = s->urgent,
                                 .created_at = at,
                                 .deadlines = &deadlines,
                                 .answer = SPAN("{}"),
                                 .complaint = SPAN("{}")};
    struct buf scratch = {0};
    struct record record;
    assert_int_equal(record_create(&record, &order, &scratch), 0);
    freeReplyObject(call(&record));
    buf_free(&scratch);
    life_begin(&s->life, at, deadlines.by, SPAN("w1"));
    memcpy(s->life.posts, posts, sizeof(posts));
    s->life.post_count = 4;
}

static void random_parties(struct random *random, struct life_step *step)
{
    const size_t first = (size_t)random_below(random, DEPARTMENTS);
    const size_t count = 1 + (size_t)random_below(random, 2);
    for (size_t i = 0; i < count; i++)
        step->parties[step->party_count++] =
            (struct life_party){.department = span_str(departments[(first + i) % DEPARTMENTS]),
                                .report_by = step->at + 1 + (int64_t)random_below(random, 300)};
}

/* A clock whose extension waits for a decision, or any. */
static enum sla_clock random_clock(const struct life *life, struct random *random)
{
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (life->clocks[c].asked != 0 && random_below(random, 4) > 0)
            return c;
    }
    return random_below(random, 2) == 0 ? CLOCK_RESOLVE
                                        : (enum sla_clock)random_below(random, CLOCK_COUNT);
}

/* Any step that a request could ask for: by anyone who may take it in some state. */
static struct life_step random_step(const struct life *life, struct random *random)
{
    for (;;) {
        struct life_step step = {.step = (enum order_step)random_below(random, ORDER_STEP_COUNT),
                                 .actor =
                                     (enum order_actor)random_below(random, ORDER_ACTOR_COUNT)};
        const struct order_rule *rule = order_rule(step.step, step.actor);
        if (step.actor == ACTOR_HOLDER || rule == NULL)
            continue;
        /* Mostly those that the state allows, and seldom a cancel, or little would ever happen. */
        if ((!order_rule_allows(rule, life->state) || step.step == STEP_CANCEL) &&
            random_below(random, 8) > 0)
            continue;
        if (order_step_needs(step.step) != ORDER_ACTOR_COUNT && step.actor <= ACTOR_HEAD)
            step.worker = random_below(random, 3) == 0
                              ? span_str(workers[random_below(random, WORKERS)])
                              : life->holder;
        step.at = life->last_at + (int64_t)random_below(random, 60) - 5;
        step.strict = random_below(random, 2) == 0;
        if (random_below(random, 4) == 0)
            step.version = life->version - (int64_t)random_below(random, 2);
        if (step.step == STEP_TRANSFER)
            step.to = span_str(workers[random_below(random, WORKERS)]);
        step.clock = random_clock(life, random);
        step.until = step.at + 1 + (int64_t)random_below(random, 2000);
        step.feedback = step.step == STEP_NOTE && random_below(random, 2) == 0;
        if (step.step == STEP_WHISTLE)
            random_parties(random, &step);
        step.department = span_str(departments[random_below(random, DEPARTMENTS)]);
        step.stars = 1 + (int64_t)random_below(random, 5);
        if (step.step == STEP_REVIEW && random_below(random, 2) == 0)
            step.category = SPAN("c/d");
        life_prepare(&step, &numbers);
        return step;
    }
}

static const char *ask(const char *format, ...)
{
    static char words[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return test_redis_ask(&redis, words);
}

static int64_t ask_number(const char *text)
{
    long long n = 0;
    return sscanf(text, "%lld", &n) == 1 ? n : 0;
}

static int64_t field_number(const struct subject *s, const char *field)
{
    return ask_number(order_field(&redis, &s->id, field));
}

/* One holder: the order is in the queue of its holder while that has not accepted it, in none else. */
static void compare_queues(const struct subject *s)
{
    const enum order_state state = s->life.state;
    const bool waits = state == ORDER_DISPATCHED || state == ORDER_AWAITING;
    for (size_t i = 0; i < WORKERS; i++) {
        const bool own = waits && span_eq(span_str(workers[i]), s->life.holder);
        const bool there =
            strstr(ask("XRANGE jiesu:{c1}:q:%s%s - +", workers[i], s->urgent ? ":urgent" : ""),
                   s->id.text) != NULL;
        const bool elsewhere =
            strstr(ask("XRANGE jiesu:{c1}:q:%s%s - +", workers[i], s->urgent ? "" : ":urgent"),
                   s->id.text) != NULL;
        if (there != own || elsewhere)
            fail_msg("%s: queue of %s: %d, not %d", order_state_name(state), workers[i], there,
                     own);
    }
}

static void compare(const struct subject *s)
{
    const struct life *life = &s->life;
    char text[TEXT_BYTES];
    assert_string_equal(order_field(&redis, &s->id, "state"), order_state_name(life->state));
    assert_int_equal(field_number(s, "version"), life->version);
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(life->holder));
    assert_string_equal(order_field(&redis, &s->id, "worker"), text);
    assert_int_equal(field_number(s, "bounces"), life->bounces);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        assert_int_equal(field_number(s, sla_clock_member(c)), life->clocks[c].due);
        assert_int_equal(field_number(s, sla_clock_met_member(c)), life->clocks[c].met_at);
        snprintf(text, sizeof(text), "asked:%s", sla_clock_name(c));
        assert_int_equal(field_number(s, text), life->clocks[c].asked);
    }
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(id_ulid(&s->id)));
    assert_int_equal(ask_number(ask("ZSCORE jiesu:{c1}:due %s", text)), life_next_due(life));
    /* No order without a next deadline unless it has ended. */
    assert_true(order_state_ended(life->state) == (life_next_due(life) == 0));
    assert_true((ask_number(ask("ZSCORE jiesu:{c1}:examples %s", text)) != 0) ==
                (life->category.len > 0));
    compare_queues(s);
}

/* Takes it in both worlds. */
static void take(struct subject *s, struct life_step step, unsigned n)
{
    char step_id[32];
    struct buf scratch = {0};
    struct record record;
    snprintf(step_id, sizeof(step_id), "step%u.body", n);
    const struct record_step what = {.id = &s->id,
                                     .step_id = span_str(step_id),
                                     .step = &step,
                                     .returns_most = numbers.returns_most};
    assert_int_equal(record_step(&record, &what, &scratch), 0);
    redisReply *reply = call(&record);
    const enum life_answer answer = life_take(&s->life, &numbers, &step);
    const char *got = reply->elements == 4 ? reply->element[3]->str : "taken";
    if (strcmp(got, life_answer_name(answer)) != 0)
        fail_msg("%s by %s in %s: Redis says %s, the model %s", order_step_name(step.step),
                 order_actor_name(step.actor), order_state_name(s->life.state), got,
                 life_answer_name(answer));
    freeReplyObject(reply);
    /* Once more, as after a crash: nothing changes. */
    reply = call(&record);
    assert_string_equal(reply->element[0]->str, answer == LIFE_TAKEN ? "replayed" : "conflict");
    freeReplyObject(reply);
    buf_free(&scratch);
}

static void test_random_lives(void **state)
{
    (void)state;
    struct random random = {.state = 4};
    unsigned taken[ORDER_STEP_COUNT] = {0}, states = 0;
    for (int o = 0; o < ORDERS; o++) {
        struct subject s;
        subject_begin(&s, &random);
        for (unsigned n = 0; n < STEPS; n++) {
            const int64_t before = s.life.version;
            const struct life_step step = random_step(&s.life, &random);
            take(&s, step, n);
            taken[step.step] += s.life.version != before;
            states |= 1u << s.life.state;
            if (s.life.version != before || n == 0)
                compare(&s);
        }
    }
    assert_int_equal(states, (1u << ORDER_STATE_COUNT) - 1);
    for (unsigned i = 0; i < ORDER_STEP_COUNT; i++) {
        if (taken[i] < 5)
            fail_msg("%s was taken %u times only", order_step_name((enum order_step)i), taken[i]);
    }
}

/* A return goes from post to post; the third asks the head to decide, and resets no clock. */
static void test_returns(void **state)
{
    (void)state;
    struct random random = {.state = 5};
    struct subject s;
    subject_begin(&s, &random);
    const int64_t due = s.life.clocks[CLOCK_RESPOND].due;
    static const char *const holders[] = {"w2", "w3", "w4"};
    for (unsigned n = 0; n < 3; n++) {
        take(&s,
             (struct life_step){.step = STEP_RETURN,
                                .actor = ACTOR_MEMBER,
                                .worker = s.life.holder,
                                .at = s.life.last_at + 1},
             n);
        compare(&s);
        assert_true(span_eq(s.life.holder, span_str(holders[n])));
        assert_int_equal(s.life.clocks[CLOCK_RESPOND].due, due);
        assert_int_equal(s.life.state, n < 2 ? ORDER_DISPATCHED : ORDER_AWAITING);
    }
    assert_non_null(strstr(order_field(&redis, &s.id, "h4"), "\"to\":\"awaiting_decision\""));
}

/* What can be done without end is refused when the history is long; what ends an order is not. */
static void test_long_history(void **state)
{
    (void)state;
    struct random random = {.state = 6};
    struct subject s;
    subject_begin(&s, &random);
    for (unsigned n = 0; n < LIMIT_ORDER_STEPS + 2; n++)
        take(&s,
             (struct life_step){.step = STEP_NOTE,
                                .actor = ACTOR_MEMBER,
                                .worker = SPAN("w1"),
                                .at = s.life.last_at},
             n);
    assert_int_equal(s.life.version, LIMIT_ORDER_STEPS);
    take(&s,
         (struct life_step){
             .step = STEP_CANCEL, .actor = ACTOR_HEAD, .worker = SPAN("w4"), .at = s.life.last_at},
         LIMIT_ORDER_STEPS + 2);
    assert_int_equal(s.life.state, ORDER_CANCELLED);
    compare(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_returns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_history, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
