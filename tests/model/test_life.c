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
    .handover_turns = 3,
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
    life.sla_class = SPAN("dispute");
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
    assert_true(life.clocks[CLOCK_RESOLVE].start == life.last_at);
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

/* Who whistled for a department rates it; a head in their place only when they cannot. */
static void callers_rate(void **state)
{
    (void)state;
    static const struct {
        const char *worker;
        enum order_actor actor;
        const char *able; /* others who can still rate */
        enum life_answer x, y;
    } rows[] = {
        {"leader", ACTOR_LEADER, "", LIFE_TAKEN, LIFE_CALLER},
        {"other", ACTOR_LEADER, "", LIFE_CALLER, LIFE_CALLER},
        {"head", ACTOR_HEAD, "leader", LIFE_CALLER, LIFE_TAKEN},
        {"head", ACTOR_HEAD, "other leader", LIFE_CALLER, LIFE_TAKEN},
        {"head", ACTOR_HEAD, "", LIFE_TAKEN, LIFE_TAKEN},
        {"head", ACTOR_HEAD, "lead er leaders", LIFE_TAKEN, LIFE_TAKEN},
        {"triage", ACTOR_HEAD, "head other", LIFE_TAKEN, LIFE_CALLER},
        {"triage", ACTOR_HEAD, "leader", LIFE_CALLER, LIFE_TAKEN},
    };
    struct life life = new_life();
    struct life_step whistle = heads(STEP_WHISTLE, MIN);
    whistle.party_count = 1;
    whistle.parties[0] = (struct life_party){.department = SPAN("y"), .report_by = HOUR};
    assert_int_equal(take(&life, whistle), LIFE_TAKEN);
    whistle.parties[0].department = SPAN("x");
    whistle.actor = ACTOR_LEADER;
    whistle.worker = SPAN("leader");
    assert_int_equal(take(&life, whistle), LIFE_TAKEN);
    struct life_step rate = heads(STEP_PARTY_RATE, MIN);
    rate.department = SPAN("x");
    rate.stars = 4;
    rate.able = SPAN("leader");
    assert_int_equal(take(&life, rate), LIFE_CALLER); /* before the report too */
    for (int d = 0; d < 2; d++) {
        struct life_step report = own(&life, STEP_PARTY_REPORT, MIN);
        report.department = d == 0 ? SPAN("x") : SPAN("y");
        assert_int_equal(take(&life, report), LIFE_TAKEN);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int d = 0; d < 2; d++) {
            struct life copy = life;
            rate.worker = span_str(rows[i].worker);
            rate.actor = rows[i].actor;
            rate.able = span_str(rows[i].able);
            rate.department = d == 0 ? SPAN("x") : SPAN("y");
            if (take(&copy, rate) != (d == 0 ? rows[i].x : rows[i].y))
                fail_msg("row %zu, department %d", i, d);
        }
    }
    /* Of a whistle whose caller was not kept, whoever leads may rate. */
    life.parties[0].caller = SPAN("");
    rate.actor = ACTOR_LEADER;
    rate.worker = SPAN("other");
    rate.department = SPAN("y");
    assert_int_equal(take(&life, rate), LIFE_TAKEN);
}

/* Of some classes who is late must say why: by the step's time and the deadline as it then is. */
static void late_resolves_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *explain;
        int64_t at;
        bool explained;
        enum life_answer answer;
    } rows[] = {
        {"dispute", 24 * HOUR, false, LIFE_TAKEN},
        {"dispute", 24 * HOUR + 1, false, LIFE_OVERDUE},
        {"dispute", 24 * HOUR + 1, true, LIFE_TAKEN},
        {"dispute", HOUR, true, LIFE_TAKEN},
        {"council,dispute", 25 * HOUR, false, LIFE_OVERDUE},
        {"council,disputes", 25 * HOUR, false, LIFE_TAKEN},
        {"", 25 * HOUR, false, LIFE_TAKEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct life life = new_life();
        assert_int_equal(take(&life, own(&life, STEP_ACCEPT, MIN)), LIFE_TAKEN);
        struct life_step resolve = own(&life, STEP_RESOLVE, rows[i].at);
        resolve.explain = span_str(rows[i].explain);
        resolve.explained = rows[i].explained;
        if (take(&life, resolve) != rows[i].answer)
            fail_msg("row %zu", i);
    }
    /* A step whose clock is behind counts as its last one's time; an extension is not late. */
    struct life life = new_life();
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 25 * HOUR)), LIFE_TAKEN);
    struct life_step resolve = own(&life, STEP_RESOLVE, 23 * HOUR);
    resolve.explain = SPAN("dispute");
    struct life copy = life;
    assert_int_equal(take(&copy, resolve), LIFE_OVERDUE);
    struct life_step ask = own(&life, STEP_EXTEND, 25 * HOUR), grant = heads(STEP_GRANT, 25 * HOUR);
    ask.clock = grant.clock = CLOCK_RESOLVE;
    ask.until = 30 * HOUR;
    assert_int_equal(take(&life, ask), LIFE_TAKEN);
    assert_int_equal(take(&life, grant), LIFE_TAKEN);
    assert_int_equal(take(&life, resolve), LIFE_TAKEN);
}

static struct life_step engines(const struct life *life, enum order_step step, int64_t at)
{
    return (struct life_step){
        .step = step, .actor = ACTOR_ENGINE, .at = at, .version = life->version};
}

/* What was warned of is kept by clock, and never falls but with the deadline. */
static void warnings_are_kept(void **state)
{
    (void)state;
    struct life life = new_life();
    struct life_step warn = engines(&life, STEP_WARN, MIN);
    warn.levels[CLOCK_RESPOND] = WARNING_RED;
    warn.levels[CLOCK_RESOLVE] = WARNING_YELLOW;
    assert_int_equal(take(&life, warn), LIFE_TAKEN);
    assert_int_equal(take(&life, warn), LIFE_VERSION); /* another engine's */
    assert_int_equal(life.warning, WARNING_RED);
    warn = engines(&life, STEP_WARN, 2 * MIN);
    warn.levels[CLOCK_RESOLVE] = WARNING_BLUE;
    assert_int_equal(take(&life, warn), LIFE_TAKEN);
    assert_int_equal(life.warned[CLOCK_RESPOND], WARNING_RED);
    assert_int_equal(life.warned[CLOCK_RESOLVE], WARNING_YELLOW);
    assert_int_equal(life.state, ORDER_DISPATCHED);
    assert_span(life.holder, "a");
    assert_true(life.queued_at == 0);
    /* An extension that moves the deadline: its warnings begin anew. One that moves none: not. */
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 3 * MIN)), LIFE_TAKEN);
    struct life_step ask = own(&life, STEP_EXTEND, 4 * MIN), grant = heads(STEP_GRANT, 5 * MIN);
    ask.clock = grant.clock = CLOCK_FEEDBACK;
    ask.until = 48 * HOUR;
    assert_int_equal(take(&life, ask), LIFE_TAKEN);
    assert_int_equal(take(&life, grant), LIFE_TAKEN);
    assert_int_equal(life.warned[CLOCK_RESOLVE], WARNING_YELLOW);
    ask.clock = grant.clock = CLOCK_RESOLVE;
    struct life other = life;
    ask.until = 23 * HOUR;
    assert_int_equal(take(&other, ask), LIFE_TAKEN);
    assert_int_equal(take(&other, grant), LIFE_TAKEN);
    assert_int_equal(other.warned[CLOCK_RESOLVE], WARNING_YELLOW);
    ask.until = 48 * HOUR;
    assert_int_equal(take(&life, ask), LIFE_TAKEN);
    assert_int_equal(take(&life, grant), LIFE_TAKEN);
    assert_int_equal(life.warned[CLOCK_RESOLVE], WARNING_NONE);
    assert_int_equal(life.warned[CLOCK_RESPOND], WARNING_RED);
    assert_int_equal(life.warning, WARNING_RED);
}

/* A department that is late is marked, one that is none changes nothing. */
static void late_departments(void **state)
{
    (void)state;
    struct life life = new_life();
    struct life_step whistle = heads(STEP_WHISTLE, MIN);
    whistle.party_count = 2;
    whistle.parties[0] = (struct life_party){.department = SPAN("x"), .report_by = 3 * MIN};
    whistle.parties[1] = (struct life_party){.department = SPAN("y"), .report_by = 2 * MIN};
    assert_int_equal(take(&life, whistle), LIFE_TAKEN);
    struct life_step warn = engines(&life, STEP_WARN, 2 * MIN);
    warn.late[warn.late_count++] = SPAN("y");
    warn.late[warn.late_count++] = SPAN("z");
    assert_int_equal(take(&life, warn), LIFE_TAKEN);
    assert_false(life.parties[0].late);
    assert_true(life.parties[1].late);
    struct life_step report = own(&life, STEP_PARTY_REPORT, 3 * MIN);
    report.department = SPAN("y");
    assert_int_equal(take(&life, report), LIFE_TAKEN); /* late, but it may still report */
    assert_true(life.parties[1].late && life.parties[1].reported_at == 3 * MIN);
}

/* A chain of posts goes on with a hand-over, and begins anew with what puts the order elsewhere. */
static void turns(void **state)
{
    (void)state;
    struct life life = new_life();
    struct life_step hand = engines(&life, STEP_HAND_OVER, 6 * MIN);
    hand.to = SPAN("b");
    hand.queued_at = 5 * MIN;
    assert_int_equal(take(&life, hand), LIFE_TAKEN);
    assert_span(life.holder, "b");
    assert_int_equal(life.state, ORDER_DISPATCHED);
    assert_true(life.queued_at == 5 * MIN && life.last_at == 6 * MIN);
    struct life_step first = own(&life, STEP_ACCEPT, 7 * MIN);
    first.worker = SPAN("a"); /* A still sees it */
    struct life taken = life;
    assert_int_equal(take(&taken, first), LIFE_TAKEN);
    assert_span(taken.holder, "a");
    hand = engines(&taken, STEP_HAND_OVER, 8 * MIN);
    hand.to = SPAN("leader");
    assert_int_equal(take(&taken, hand), LIFE_STATE); /* never two acceptances */
    first.worker = SPAN("b");
    assert_int_equal(take(&taken, first), LIFE_STATE);
    assert_int_equal(take(&life, own(&life, STEP_RETURN, 9 * MIN)), LIFE_TAKEN);
    assert_span(life.holder, "leader");
    assert_true(life.queued_at == 9 * MIN);
    struct life_step give = heads(STEP_TRANSFER, 10 * MIN);
    give.to = SPAN("a");
    assert_int_equal(take(&life, give), LIFE_TAKEN);
    assert_true(life.queued_at == 10 * MIN);
    assert_int_equal(take(&life, own(&life, STEP_NOTE, 11 * MIN)), LIFE_TAKEN);
    assert_true(life.queued_at == 10 * MIN);
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, 12 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, own(&life, STEP_RESOLVE, 13 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, residents(STEP_REOPEN, 14 * MIN)), LIFE_TAKEN);
    assert_true(life.queued_at == 14 * MIN);
}

/* Up to the station: a new class, a later deadline, and no clock is reset. */
static void escalations(void **state)
{
    (void)state;
    struct life life = new_life();
    assert_int_equal(take(&life, own(&life, STEP_ACCEPT, MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, own(&life, STEP_ARRIVE, 2 * MIN)), LIFE_TAKEN);
    struct life_step warn = engines(&life, STEP_WARN, 23 * HOUR);
    warn.levels[CLOCK_RESOLVE] = warn.levels[CLOCK_FEEDBACK] = WARNING_YELLOW;
    assert_int_equal(take(&life, warn), LIFE_TAKEN);
    struct life_step up = engines(&life, STEP_ESCALATE, 24 * HOUR);
    up.to = SPAN("head");
    up.sla_class = SPAN("council");
    up.resolve_by = 80 * HOUR;
    up.provisional = true;
    assert_int_equal(take(&life, up), LIFE_TAKEN);
    assert_int_equal(life.state, ORDER_DISPATCHED);
    assert_span(life.holder, "head");
    assert_span(life.sla_class, "council");
    assert_true(life.provisional && life.queued_at == 24 * HOUR);
    const struct order_clock *resolve = &life.clocks[CLOCK_RESOLVE];
    assert_true(resolve->start == 0 && resolve->due == 80 * HOUR && resolve->met_at == 0);
    assert_int_equal(life.warned[CLOCK_RESOLVE], WARNING_NONE);
    assert_int_equal(life.warned[CLOCK_FEEDBACK], WARNING_YELLOW);
    assert_true(life.clocks[CLOCK_RESPOND].met_at == MIN);
    up = engines(&life, STEP_ESCALATE, 80 * HOUR); /* never earlier than before */
    up.to = SPAN("street");
    up.sla_class = SPAN("complex");
    up.resolve_by = 70 * HOUR;
    assert_int_equal(take(&life, up), LIFE_TAKEN);
    assert_true(resolve->due == 80 * HOUR && life.provisional);
}

/* A review: its label, and for who waits the first post. */
static void reviews(void **state)
{
    (void)state;
    struct life life = new_life();
    life.triage = true;
    life.holder = SPAN("head");
    struct life_step confirm = heads(STEP_REVIEW, 3 * MIN);
    assert_int_equal(take(&life, confirm), LIFE_TAKEN);
    assert_span(life.holder, "a");
    assert_false(life.triage);
    assert_true(life.queued_at == 3 * MIN && life.category.len == 0);
    assert_span(life.sla_class, "dispute");
    /* Confirmed once more while it is with another: it stays there. Corrected: the first post. */
    assert_int_equal(take(&life, own(&life, STEP_RETURN, 4 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&life, confirm), LIFE_TAKEN);
    assert_span(life.holder, "b");
    struct life_step warn = engines(&life, STEP_WARN, 5 * MIN);
    warn.levels[CLOCK_RESPOND] = warn.levels[CLOCK_ARRIVE] = WARNING_BLUE;
    assert_int_equal(take(&life, warn), LIFE_TAKEN);
    struct life_step correct = heads(STEP_REVIEW, 6 * MIN);
    correct.category = SPAN("c/d");
    correct.sla_class = SPAN("service");
    correct.by[CLOCK_RESPOND] = 15 * MIN;
    correct.by[CLOCK_REPORT] = 40 * MIN;
    correct.by[CLOCK_RESOLVE] = 90 * HOUR;
    correct.provisional = true;
    struct life red = life, accepted = life, done = life;
    assert_int_equal(take(&life, correct), LIFE_TAKEN);
    assert_span(life.holder, "a");
    assert_span(life.category, "c/d");
    assert_span(life.sla_class, "service");
    assert_true(life.provisional && life.queued_at == 6 * MIN);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        assert_true(life.clocks[c].due == correct.by[c]);
    assert_int_equal(life.warned[CLOCK_RESPOND], WARNING_BLUE); /* its deadline stayed */
    assert_int_equal(life.warned[CLOCK_ARRIVE], WARNING_NONE);
    /* What may be an emergency keeps its clocks and its place. */
    red.red = true;
    assert_int_equal(take(&red, correct), LIFE_TAKEN);
    assert_span(red.category, "c/d");
    assert_span(red.holder, "b");
    assert_true(red.clocks[CLOCK_ARRIVE].due == 30 * MIN && red.queued_at == 4 * MIN);
    /* Who works on it keeps it. A clock that was met or extended keeps its deadline. */
    assert_int_equal(take(&accepted, own(&accepted, STEP_ACCEPT, 6 * MIN)), LIFE_TAKEN);
    struct life_step ask = own(&accepted, STEP_EXTEND, 6 * MIN), grant = heads(STEP_GRANT, 6 * MIN);
    ask.clock = grant.clock = CLOCK_FEEDBACK;
    ask.until = 20 * HOUR;
    assert_int_equal(take(&accepted, ask), LIFE_TAKEN);
    assert_int_equal(take(&accepted, grant), LIFE_TAKEN);
    ask.clock = CLOCK_ARRIVE;
    assert_int_equal(take(&accepted, ask), LIFE_TAKEN);
    correct.by[CLOCK_RESPOND] = 20 * MIN;
    assert_int_equal(take(&accepted, correct), LIFE_TAKEN);
    assert_int_equal(accepted.state, ORDER_ACCEPTED);
    assert_span(accepted.holder, "b");
    assert_true(accepted.clocks[CLOCK_RESPOND].due == 15 * MIN);
    assert_true(accepted.clocks[CLOCK_FEEDBACK].due == 20 * HOUR);
    assert_true(accepted.clocks[CLOCK_ARRIVE].due == 0 && accepted.clocks[CLOCK_ARRIVE].asked == 0);
    assert_true(accepted.clocks[CLOCK_RESOLVE].due == 90 * HOUR);
    /* Done: the label only. */
    assert_int_equal(take(&done, own(&done, STEP_ACCEPT, 6 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&done, own(&done, STEP_RESOLVE, 6 * MIN)), LIFE_TAKEN);
    assert_int_equal(take(&done, correct), LIFE_TAKEN);
    assert_span(done.category, "c/d");
    assert_span(done.sla_class, "dispute");
    assert_int_equal(done.state, ORDER_RESOLVED);
    assert_true(done.clocks[CLOCK_RESOLVE].due == 24 * HOUR);
}

/* The year was published: what was met, extended or begun again keeps its deadline. */
static void reclocking(void **state)
{
    (void)state;
    struct life life = new_life();
    struct life_step reclock = engines(&life, STEP_RECLOCK, MIN);
    reclock.by[CLOCK_RESPOND] = 16 * MIN;
    reclock.by[CLOCK_RESOLVE] = 23 * HOUR;
    assert_int_equal(take(&life, reclock), LIFE_ABSENT);
    life.provisional = true;
    struct life again = life;
    assert_int_equal(take(&life, reclock), LIFE_TAKEN);
    assert_true(life.clocks[CLOCK_RESPOND].due == 16 * MIN);
    assert_true(life.clocks[CLOCK_RESOLVE].due == 23 * HOUR);
    assert_false(life.provisional);
    assert_span(life.holder, "a");
    assert_int_equal(take(&again, own(&again, STEP_ACCEPT, MIN)), LIFE_TAKEN);
    assert_int_equal(take(&again, own(&again, STEP_RESOLVE, HOUR)), LIFE_TAKEN);
    assert_int_equal(take(&again, residents(STEP_REOPEN, 2 * HOUR)), LIFE_TAKEN);
    reclock = engines(&again, STEP_RECLOCK, 3 * HOUR);
    reclock.by[CLOCK_RESPOND] = 16 * MIN;
    reclock.by[CLOCK_RESOLVE] = 23 * HOUR;
    assert_int_equal(take(&again, reclock), LIFE_TAKEN);
    assert_true(again.clocks[CLOCK_RESPOND].due == 15 * MIN); /* met */
    assert_true(again.clocks[CLOCK_RESOLVE].due == 26 * HOUR);
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
    struct life_step step = {.step = STEP_RATE, .actor = ACTOR_MEMBER};
    const bool any = random_below(random, 4) == 0; /* else one that somebody may take */
    do {
        step.step = (enum order_step)random_below(random, ORDER_STEP_COUNT);
        step.actor = (enum order_actor)random_below(random, ORDER_ACTOR_COUNT);
    } while (!any && order_rule(step.step, step.actor) == NULL);
    step = (struct life_step){
        .step = step.step,
        .actor = step.actor,
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
    step.able = random_below(random, 2) == 0 ? SPAN("a leader other") : SPAN("b");
    step.explain = SPAN("dispute,council");
    step.explained = random_below(random, 2) == 0;
    step.party_count = step.step == STEP_WHISTLE;
    step.parties[0] = (struct life_party){.department = SPAN("x"), .report_by = step.at + HOUR};
    if (step.step == STEP_REVIEW && random_below(random, 2) == 0)
        step.category = SPAN("c/d");
    if (step.category.len > 0 || step.step == STEP_ESCALATE)
        step.sla_class = random_below(random, 2) == 0 ? SPAN("council") : SPAN("service");
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        step.levels[c] = (enum warning)random_below(random, WARNING_COUNT);
        step.by[c] = random_below(random, 3) == 0 ? 0 : (int64_t)random_below(random, 99 * HOUR);
    }
    step.by[CLOCK_RESOLVE]++; /* every class has one */
    step.late[step.late_count++] = SPAN("x");
    step.queued_at = life->queued_at +
                     (int64_t)random_below(random, (uint64_t)(life->last_at - life->queued_at + 1));
    step.provisional = random_below(random, 2) == 0;
    if (step.step == STEP_ESCALATE)
        step.resolve_by = step.until;
    return step;
}

static void assert_invariants(const struct life *before, const struct life *after,
                              enum order_step step)
{
    assert_true(after->last_at >= before->last_at);
    assert_int_equal(after->version, before->version + 1);
    assert_true(after->holder.len > 0);
    assert_true(order_state_ended(after->state) == (life_next_due(after) == 0));
    assert_true(after->warning >= before->warning);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        const struct order_clock *old = &before->clocks[c], *new = &after->clocks[c];
        /* Only another class and another calendar may take time away, and from no clock that was
         * met. */
        assert_true(new->due >= old->due || (step == STEP_REVIEW && old->met_at == 0) ||
                    (step == STEP_RECLOCK && old->met_at == 0));
        assert_true(new->start >= old->start);
        assert_true(new->start == old->start || (step == STEP_REOPEN && c == CLOCK_RESOLVE));
        assert_true(new->met_at == old->met_at || old->met_at == 0 || step == STEP_REOPEN);
        assert_true(after->warned[c] >= before->warned[c] || new->due != old->due ||
                    new->start != old->start);
    }
    assert_true(after->queued_at >= before->queued_at);
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
        struct life life = new_life(), replayed;
        life.red = random_below(&random, 3) == 0;
        life.triage = random_below(&random, 2) == 0;
        replayed = life;
        size_t count = 0;
        for (int i = 0; i < STEPS; i++) {
            const struct life before = life;
            struct life_step step = random_step(&life, &random);
            life_prepare(&step, &numbers);
            if (step.actor == ACTOR_HOLDER || life_take(&life, &numbers, &step) != LIFE_TAKEN) {
                assert_memory_equal(&life, &before, sizeof life);
                continue;
            }
            assert_invariants(&before, &life, step.step);
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
        cmocka_unit_test(callers_rate),
        cmocka_unit_test(late_resolves_are_explained),
        cmocka_unit_test(warnings_are_kept),
        cmocka_unit_test(late_departments),
        cmocka_unit_test(turns),
        cmocka_unit_test(escalations),
        cmocka_unit_test(reviews),
        cmocka_unit_test(reclocking),
        cmocka_unit_test(times),
        cmocka_unit_test(random_lives),
        cmocka_unit_test(answers_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
