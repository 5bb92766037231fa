/*
 * Lives of orders in simulated time: by table, and random ones with what must hold in all of them.
 */
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/model/life.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MIN = 60000, HOUR = 60 * MIN, LIVES = 400, STEPS = 60 };

static const struct process_numbers numbers = {
    .returns_most = 2,
    .reopen_ms = 7 * CLOCK_DAY_MS,
    .reopen_resolve_ms = CLOCK_DAY_MS,
    .extension_ms = 15 * CLOCK_DAY_MS,
    .warnings = {{0, 0.5, 0.8, 1}},
};

static const char *const workers[] = {"a", "b", "leader", "head", "other"};

/* Created at 0: respond 15 min, arrive 30 min, report 15 min, feedback 12 h, resolve 24 h; with a. */
static struct life new_life(void)
{
    static const int64_t by[CLOCK_COUNT] = {[CLOCK_RESPOND] = 15 * MIN,
                                            [CLOCK_ARRIVE] = 30 * MIN,
                                            [CLOCK_REPORT] = 15 * MIN,
                                            [CLOCK_FEEDBACK] = 12 * HOUR,
                                            [CLOCK_RESOLVE] = 24 * HOUR};
    struct life life;
    life_begin(&life, 0, by, SPAN("a"));
    for (size_t i = 0; i < DIRECTORY_POSTS; i++)
        life.posts[i] = span_str(workers[i]);
    life.post_count = DIRECTORY_POSTS;
    return life;
}

static enum life_answer take(struct life *life, struct life_step step)
{
    life_prepare(&step, &numbers);
    return life_take(life, &numbers, &step);
}

/* A step of the holder's, who is a worker. */
static struct life_step own(const struct life *life, enum order_step step, int64_t at)
{
    return (struct life_step){
        .step = step, .actor = ACTOR_MEMBER, .worker = life->holder, .at = at};
}

static struct life_step heads(enum order_step step, int64_t at)
{
    return (struct life_step){.step = step, .actor = ACTOR_HEAD, .worker = SPAN("head"), .at = at};
}

static struct life_step residents(enum order_step step, int64_t at)
{
    return (struct life_step){.step = step, .actor = ACTOR_RESIDENT, .at = at, .stars = 5};
}

/* The straight road; the clocks, the next deadline and the warning at each place. */
static void clocks_along_the_road(void **state)
{
    (void)state;
    struct life life = new_life();
    assert_true(life_next_due(&life) == 15 * MIN);
    assert_int_equal(life_warning(&life, &numbers.warnings, 7 * MIN), WARNING_NONE);
    assert_int_equal(life_warning(&life, &numbers.warnings, 8 * MIN), WARNING_BLUE);
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 4 * MIN)), LIFE_TAKEN);
    assert_true(life.clocks[CLOCK_RESPOND].met_at == 4 * MIN);
    assert_true(life_next_due(&life) == 15 * MIN); /* the report */
    assert_int_equal(take(&life, own(&life, STEP_REPORT, 5 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, own(&life, STEP_REPORT, 5 * MIN)), LIFE_AGAIN);
    assert_true(life_next_due(&life) == 30 * MIN);
    assert_int_equal(take(&life, own(&life, STEP_ARRIVE, 14 * MIN)), LIFE_TAKEN);
    assert_true(life_next_due(&life) == 12 * HOUR);
    assert_int_equal(life.warning, WARNING_NONE);
    struct life_step tell = own(&life, STEP_NOTE, HOUR);
    assert_int_equal(take(&life, tell), LIFE_TAKEN);
    assert_true(life_next_due(&life) == 12 * HOUR);
    tell.feedback = true;
    assert_int_equal(take(&life, tell), LIFE_TAKEN);
    assert_true(life_next_due(&life) == 24 * HOUR);
    assert_int_equal(life_warning(&life, &numbers.warnings, 20 * HOUR), WARNING_YELLOW);
    assert_int_equal(take(&life, own(&life, STEP_RESOLVE, 20 * HOUR)), LIFE_TAKEN);
    assert_int_equal(life_warning(&life, &numbers.warnings, 99 * HOUR), WARNING_YELLOW);
    assert_true(life_next_due(&life) == 20 * HOUR + numbers.reopen_ms);
    assert_int_equal(take(&life, residents(STEP_RATE, 21 * HOUR)), LIFE_TAKEN);
    assert_int_equal(life.state, ORDER_CLOSED);
    assert_true(life_next_due(&life) == 0);
    assert_int_equal(take(&life, residents(STEP_RATE, 21 * HOUR)), LIFE_AGAIN);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        assert_false(order_clock_breached(&life.clocks[c], 500 * HOUR));
}

/* An extension moves a deadline once, and the warning stays where it was. */
static void extensions(void **state)
{
    (void)state;
    struct life life = new_life();
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, MIN)), LIFE_TAKEN);
    struct life_step ask = own(&life, STEP_EXTEND, 20 * HOUR), grant = heads(STEP_GRANT, 20 * HOUR);
    ask.clock = grant.clock = CLOCK_RESOLVE;
    ask.until = 100 * HOUR;
    assert_int_equal(take(&life, grant), LIFE_ABSENT);
    assert_int_equal(take(&life, ask), LIFE_TAKEN);
    assert_int_equal(take(&life, ask), LIFE_AGAIN);
    assert_true(life.clocks[CLOCK_RESOLVE].due == 24 * HOUR);
    struct life_step refuse = heads(STEP_REFUSE, 20 * HOUR);
    refuse.clock = CLOCK_RESOLVE;
    assert_int_equal(take(&life, refuse), LIFE_TAKEN);
    assert_int_equal(take(&life, ask), LIFE_TAKEN); /* refused: it may be asked for again */
    assert_int_equal(take(&life, grant), LIFE_TAKEN);
    assert_true(life.clocks[CLOCK_RESOLVE].due == 100 * HOUR);
    assert_int_equal(take(&life, ask), LIFE_AGAIN); /* granted: never again */
    assert_int_equal(life.warning, WARNING_RED);    /* the report was never made */
    /* A shorter time than there is moves nothing, and a met clock none at all. */
    struct life other = new_life();
    assert_int_equal(take(&other, own(&other, STEP_ACCEPT, MIN)), LIFE_TAKEN);
    ask.until = 23 * HOUR;
    assert_int_equal(take(&other, ask), LIFE_TAKEN);
    assert_int_equal(take(&other, grant), LIFE_TAKEN);
    assert_true(other.clocks[CLOCK_RESOLVE].due == 24 * HOUR);
    ask.clock = CLOCK_RESPOND;
    assert_int_equal(take(&other, ask), LIFE_AGAIN);
}

static void warning_only_rises(void **state)
{
    (void)state;
    static const int64_t by[CLOCK_COUNT] = {[CLOCK_RESOLVE] = 10 * HOUR};
    struct life life;
    life_begin(&life, 0, by, SPAN("a"));
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, HOUR)), LIFE_TAKEN);
    struct life_step ask = own(&life, STEP_EXTEND, 8 * HOUR), grant = heads(STEP_GRANT, 8 * HOUR);
    ask.clock = grant.clock = CLOCK_RESOLVE;
    ask.until = 100 * HOUR;
    assert_int_equal(take(&life, ask), LIFE_TAKEN);
    assert_int_equal(take(&life, grant), LIFE_TAKEN);
    assert_true(order_clock_warning(&life.clocks[CLOCK_RESOLVE], &numbers.warnings, 8 * HOUR) ==
                WARNING_NONE);
    assert_int_equal(life_warning(&life, &numbers.warnings, 8 * HOUR), WARNING_YELLOW);
}

/* No clock is reset by a return; the third one waits for the head, who alone may give it on. */
static void returns(void **state)
{
    (void)state;
    struct life life = new_life();
    static const char *const holders[] = {"b", "leader", "head"};
    for (int n = 0; n < 3; n++) {
        assert_int_equal(take(&life, own(&life, STEP_RETURN, n * MIN)), LIFE_TAKEN);
        assert_span(life.holder, holders[n]);
        assert_int_equal(life.state, n < 2 ? ORDER_DISPATCHED : ORDER_AWAITING);
        assert_true(life.clocks[CLOCK_RESPOND].due == 15 * MIN && life_next_due(&life) == 15 * MIN);
    }
    struct life_step give = heads(STEP_TRANSFER, 4 * MIN);
    give.to = SPAN("other");
    give.actor = ACTOR_LEADER;
    assert_int_equal(take(&life, give), LIFE_STATE);
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 4 * MIN)), LIFE_STATE);
    give.actor = ACTOR_HEAD;
    assert_int_equal(take(&life, give), LIFE_TAKEN);
    assert_span(life.holder, "other");
    assert_int_equal(take(&life, own(&life, STEP_RETURN, 5 * MIN)), LIFE_TAKEN);
    assert_int_equal(life.state, ORDER_AWAITING); /* still too many */
    assert_span(life.holder, "head");
}

/* A second attempt has a deadline of its own, never before the first one's. */
static void reopening(void **state)
{
    (void)state;
    struct life life = new_life();
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, own(&life, STEP_RESOLVE, HOUR)), LIFE_TAKEN);
    const struct life resolved = life;
    assert_int_equal(take(&life, residents(STEP_REOPEN, HOUR + numbers.reopen_ms + 1)), LIFE_LATE);
    assert_int_equal(take(&life, residents(STEP_REOPEN, HOUR + numbers.reopen_ms)), LIFE_TAKEN);
    assert_int_equal(life.state, ORDER_DISPATCHED);
    assert_true(life.clocks[CLOCK_RESOLVE].due ==
                HOUR + numbers.reopen_ms + numbers.reopen_resolve_ms);
    assert_true(order_clock_share(&life.clocks[CLOCK_RESOLVE], life.last_at) == 0);
    assert_true(life.clocks[CLOCK_RESPOND].met_at == MIN);
    /* After a rating the week begins anew, and the second attempt may be rated again. */
    life = resolved;
    assert_int_equal(take(&life, residents(STEP_RATE, 6 * CLOCK_DAY_MS)), LIFE_TAKEN);
    assert_int_equal(take(&life, residents(STEP_REOPEN, 12 * CLOCK_DAY_MS)), LIFE_TAKEN);
    assert_int_equal(life.stars, 0);
}

static void whistles(void **state)
{
    (void)state;
    struct life life = new_life();
    struct life_step whistle = heads(STEP_WHISTLE, MIN);
    whistle.party_count = 2;
    whistle.parties[0] = (struct life_party){.department = SPAN("x"), .report_by = 3 * MIN};
    whistle.parties[1] = (struct life_party){.department = SPAN("y"), .report_by = 2 * MIN};
    assert_int_equal(take(&life, whistle), LIFE_TAKEN);
    assert_int_equal(take(&life, whistle), LIFE_AGAIN);
    assert_true(life_next_due(&life) == 2 * MIN);
    struct life_step report = own(&life, STEP_PARTY_REPORT, MIN),
                     rate = heads(STEP_PARTY_RATE, MIN);
    rate.department = report.department = SPAN("y");
    rate.stars = 2;
    assert_int_equal(take(&life, rate), LIFE_ABSENT);
    assert_int_equal(take(&life, report), LIFE_TAKEN);
    assert_int_equal(take(&life, report), LIFE_AGAIN);
    assert_true(life_next_due(&life) == 3 * MIN);
    assert_int_equal(take(&life, rate), LIFE_TAKEN);
    assert_int_equal(take(&life, rate), LIFE_AGAIN);
    report.department = SPAN("z");
    assert_int_equal(take(&life, report), LIFE_ABSENT);
    for (int round = 0; life.party_count < LIMIT_ORDER_PARTIES; round++) {
        static char names[LIMIT_ORDER_PARTIES][2];
        names[round][0] = (char)('A' + round);
        whistle.party_count = 1;
        whistle.parties[0].department = span_str(names[round]);
        assert_int_equal(take(&life, whistle), LIFE_TAKEN);
    }
    whistle.parties[0].department = SPAN("too many");
    assert_int_equal(take(&life, whistle), LIFE_LONG);
}

static void times(void **state)
{
    (void)state;
    struct life life = new_life();
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 10 * MIN)), LIFE_TAKEN);
    struct life_step arrive = own(&life, STEP_ARRIVE, 9 * MIN);
    arrive.strict = true;
    assert_int_equal(take(&life, arrive), LIFE_TIME);
    arrive.strict = false; /* another engine's clock is behind: it counts as now */
    assert_int_equal(take(&life, arrive), LIFE_TAKEN);
    assert_true(life.clocks[CLOCK_ARRIVE].met_at == 10 * MIN);
    struct life_step stale = own(&life, STEP_RESOLVE, 11 * MIN);
    stale.version = 2;
    assert_int_equal(take(&life, stale), LIFE_VERSION);
    stale.version = 3;
    assert_int_equal(take(&life, stale), LIFE_TAKEN);
}

/* ---- random lives ---- */

struct entry {
    struct life_step step;
    enum order_state to;
    struct span holder;
};

static struct life_step random_step(const struct life *life, struct random *random)
{
    struct life_step step = {
        .step = (enum order_step)random_below(random, ORDER_STEP_COUNT),
        .actor = (enum order_actor)random_below(random, ORDER_ACTOR_COUNT),
        .at = life->last_at + (int64_t)random_below(random, 3 * HOUR) - 10 * MIN,
        .strict = random_below(random, 2) == 0,
        .clock = (enum sla_clock)random_below(random, CLOCK_COUNT),
        .stars = 3,
        .department = SPAN("x"),
        .to = span_str(workers[random_below(random, 5)]),
    };
    step.worker =
        random_below(random, 3) == 0 ? span_str(workers[random_below(random, 5)]) : life->holder;
    step.until = step.at + 1 + (int64_t)random_below(random, 48 * HOUR);
    step.feedback = step.step == STEP_NOTE && random_below(random, 2) == 0;
    step.party_count = step.step == STEP_WHISTLE;
    step.parties[0] = (struct life_party){.department = SPAN("x"), .report_by = step.at + HOUR};
    return step;
}

static void assert_invariants(const struct life *before, const struct life *after)
{
    assert_true(after->last_at >= before->last_at);
    assert_int_equal(after->version, before->version + 1);
    assert_true(after->holder.len > 0);
    assert_true(order_state_ended(after->state) == (life_next_due(after) == 0));
    assert_true(after->warning >= before->warning);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        assert_true(after->clocks[c].due >= before->clocks[c].due);
}

/* What is refused changes nothing; what is taken keeps the invariants; and the history, replayed,
 * gives the same life. */
static void random_lives(void **state)
{
    (void)state;
    struct random random = {.state = 11};
    unsigned seen = 0, steps_seen = 0;
    for (int n = 0; n < LIVES; n++) {
        struct entry history[STEPS];
        struct life life = new_life(), replayed = new_life();
        size_t count = 0;
        for (int i = 0; i < STEPS; i++) {
            const struct life before = life;
            struct life_step step = random_step(&life, &random);
            life_prepare(&step, &numbers);
            if (step.actor == ACTOR_HOLDER || life_take(&life, &numbers, &step) != LIFE_TAKEN) {
                assert_memory_equal(&life, &before, sizeof life);
                continue;
            }
            assert_invariants(&before, &life);
            history[count++] = (struct entry){step, life.state, life.holder};
            seen |= 1u << life.state;
            steps_seen |= 1u << step.step;
        }
        for (size_t i = 0; i < count; i++)
            life_apply(&replayed, &numbers, &history[i].step, history[i].to, history[i].holder);
        assert_memory_equal(&replayed, &life, sizeof life);
    }
    assert_int_equal(seen, (1u << ORDER_STATE_COUNT) - 1);
    assert_int_equal(steps_seen, (1u << ORDER_STEP_COUNT) - 1);
}

static void answers_have_words(void **state)
{
    (void)state;
    for (enum life_answer a = 0; a < LIFE_ANSWER_COUNT; a++)
        assert_true(strlen(life_answer_text(span_str(life_answer_name(a)))) > 10);
    assert_string_equal(life_answer_text(SPAN("nonsense")), life_answer_text(SPAN("state")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_along_the_road),
        cmocka_unit_test(extensions),
        cmocka_unit_test(warning_only_rises),
        cmocka_unit_test(returns),
        cmocka_unit_test(reopening),
        cmocka_unit_test(whistles),
        cmocka_unit_test(times),
        cmocka_unit_test(random_lives),
        cmocka_unit_test(answers_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
