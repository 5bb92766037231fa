/*
 * What the engine does by itself, in simulated time: by table, and beside random lives, as a sweeper
 * would that looks when it was told to, or late.
 */
#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/model/watch.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MIN = 60000, HOUR = 60 * MIN, STEPS_MOST = 400, LIVES = 300, EVENTS = 60 };

/* A grid with four posts. In `shifts` they have hours, but for the head. */
#define PLACE                                       \
    "street: {id: s, name: 某街道, triage: t}\n" \
    "communities:\n"                                \
    "  - id: c\n"                                   \
    "    name: 某社区\n"                         \
    "    station: head\n"                           \
    "    grids:\n"                                  \
    "      - id: g\n"                               \
    "        name: 某网格\n"                     \
    "        aliases: [某小区]\n"                \
    "        a: a\n"                                \
    "        b: b\n"                                \
    "        leader: leader\n"                      \
    "workers:\n"                                    \
    "  - {id: t, name: 甲, community: s}\n"        \
    "  - {id: head, name: 乙, community: c}\n"     \
    "  - {id: other, name: 丙, community: c}\n"

static const char always_there[] = PLACE "  - {id: a, name: 丁, community: c}\n"
                                         "  - {id: b, name: 戊, community: c}\n"
                                         "  - {id: leader, name: 己, community: c}\n";
static const char in_shifts[] =
    PLACE "  - {id: a, name: 丁, community: c, shifts: [mon-fri 08:00-18:00]}\n"
          "  - {id: b, name: 戊, community: c, shifts: [mon-sun 18:00-02:00]}\n"
          "  - {id: leader, name: 己, community: c, shifts: [mon-fri 08:30-17:30]}\n";

static const char more_classes[] =
    "default: ordinary\n"
    "classes:\n"
    "  - {name: ordinary, respond: 15min, resolve: 24h}\n"
    "  - {name: emergency, respond: 15min, arrive: 30min, resolve: 24h}\n"
    "  - {name: disaster, respond: 15min, arrive: 5min, report: 15min, resolve: 24h}\n"
    "  - {name: service, respond: 15min, resolve: 5wd}\n"
    "  - {name: dispute, respond: 15min, resolve: 24h}\n"
    "  - {name: council, respond: 15min, resolve: 3wd}\n"
    "  - {name: complex, respond: 15min, resolve: 5wd}\n"
    "  - {name: bare, resolve: 6h}\n";

static struct policy *always, *shifts, *published;

static struct policy *load(const char *directory, const char *calendar)
{
    struct folder folder = folder_new();
    struct err err;
    folder_write_rules(&folder);
    folder_write(&folder, "sla.yaml", more_classes);
    folder_write(&folder, "directory/wangyue.yaml", directory);
    if (calendar != NULL)
        folder_write(&folder, "calendar.yaml", calendar);
    struct policy *policy = policy_load(folder.path, &err);
    if (policy == NULL)
        print_error("%s\n", err.text);
    folder_remove(&folder);
    return policy;
}

static int group_setup(void **state)
{
    (void)state;
    always = load(always_there, NULL);
    shifts = load(in_shifts, NULL);
    published = load(always_there,
                     "years:\n"
                     "  2025: {published: true, source: x, holidays: [2025-01-01]}\n"
                     "  2026: {published: true, source: x, holidays: [2026-01-01..2026-01-03], "
                     "workdays: [2026-01-04]}\n");
    return always == NULL || shifts == NULL || published == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    policy_unref(&always);
    policy_unref(&shifts);
    policy_unref(&published);
    return 0;
}

/* A Monday, 10:00. */
static int64_t monday(void)
{
    return at("2025-03-03 10:00");
}

static struct watch_order new_order(const struct policy *policy, const char *class, int64_t now)
{
    struct watch_order order = {.grid = SPAN("g")};
    const struct route_query query = {.grid = SPAN("g"), .now = now};
    const struct sla_deadlines deadlines =
        sla_deadlines(policy_sla(policy), policy_calendar(policy), span_str(class), now);
    struct route route;
    directory_route(policy_directory(policy), &query, &route);
    id_make(&order.id, SPAN("c"), now);
    life_begin(&order.life, now, deadlines.by, route.worker);
    memcpy(order.life.posts, route.posts, sizeof route.posts);
    order.life.post_count = route.post_count;
    order.life.sla_class = span_str(class);
    order.life.provisional = deadlines.provisional;
    return order;
}

static enum life_answer take(struct watch_order *order, const struct policy *policy,
                             struct life_step step)
{
    const struct process_numbers *numbers = process_numbers(policy_process(policy));
    life_prepare(&step, numbers);
    return life_take(&order->life, numbers, &step);
}

static void took(struct watch_order *order, const struct policy *policy, struct life_step step)
{
    assert_int_equal(take(order, policy, step), LIFE_TAKEN);
}

/* A step of the holder's. */
static struct life_step own(const struct watch_order *order, enum order_step step, int64_t now)
{
    return (struct life_step){
        .step = step, .actor = ACTOR_MEMBER, .worker = order->life.holder, .at = now};
}

static struct life_step heads(enum order_step step, int64_t now)
{
    return (struct life_step){.step = step, .actor = ACTOR_HEAD, .worker = SPAN("head"), .at = now};
}

/* One look; what was done in words, or "" when nothing was due. */
static const char *look(struct watch_order *order, const struct policy *policy, int64_t now)
{
    static char words[256];
    struct life_step step;
    words[0] = '\0';
    if (watch_step(order, policy, now, &step) == 0)
        return words;
    assert_int_equal(step.actor, ACTOR_ENGINE);
    assert_true(step.version == order->life.version && step.at == now && !step.strict);
    size_t len = (size_t)snprintf(words, sizeof words, "%s", order_step_name(step.step));
    if (step.to.len > 0)
        len += (size_t)snprintf(words + len, sizeof words - len, " %.*s", SPAN_ARG(step.to));
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (step.levels[c] != WARNING_NONE)
            len += (size_t)snprintf(words + len, sizeof words - len, " %s=%s", sla_clock_name(c),
                                    warning_name(step.levels[c]));
    }
    for (size_t i = 0; i < step.late_count; i++)
        len += (size_t)snprintf(words + len, sizeof words - len, " %.*s", SPAN_ARG(step.late[i]));
    took(order, policy, step);
    return words;
}

struct event {
    int64_t after; /* ms since the order's creation */
    const char *what;
};

/* Follows watch_next until the last event; what happens must be these events, at these instants. */
static void assert_events(struct watch_order *order, const struct policy *policy,
                          const struct event *events, size_t count)
{
    int64_t now = order->life.last_at;
    const int64_t start = order->life.created_at;
    for (size_t n = 0; n < count;) {
        const int64_t next = watch_next(order, policy, now);
        now = next > now ? next : now;
        const char *what = look(order, policy, now);
        if (what[0] == '\0') {
            assert_true(watch_next(order, policy, now) > now);
            continue;
        }
        if (strcmp(what, events[n].what) != 0 || now - start != events[n].after)
            fail_msg("event %zu after %.3f min: %s; not %s after %.3f", n,
                     (double)(now - start) / MIN, what, events[n].what,
                     (double)events[n].after / MIN);
        n++;
    }
}

#define ASSERT_EVENTS(order, policy, ...)                                     \
    do {                                                                      \
        static const struct event events[] = {__VA_ARGS__};                   \
        assert_events(order, policy, events, sizeof events / sizeof *events); \
    } while (0)

/* ---- nobody touches it ---- */

static void an_ordinary_order_is_forgotten_by_all(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "ordinary", monday());
    ASSERT_EVENTS(&order, always, {5 * MIN, "hand_over b"}, {450000, "warn respond=blue"},
                  {10 * MIN, "hand_over leader"}, {12 * MIN, "warn respond=yellow"},
                  {15 * MIN, "hand_over head"}, {15 * MIN, "warn respond=red"},
                  {12 * HOUR, "warn resolve=blue"}, {1152 * MIN, "warn resolve=yellow"},
                  {24 * HOUR, "warn resolve=red"});
    assert_true(order_clock_breached(&order.life.clocks[CLOCK_RESPOND], monday() + 15 * MIN + 1));
    assert_int_equal(order.life.warning, WARNING_RED);
    /* There is nothing left to say, and still somebody looks. */
    for (int64_t now = monday() + 24 * HOUR; now < monday() + 60 * HOUR; now += WATCH_LOOK_MS) {
        assert_string_equal(look(&order, always, now), "");
        assert_true(watch_next(&order, always, now) == now + WATCH_LOOK_MS);
    }
}

static void a_disaster_goes_on_faster(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "disaster", monday());
    ASSERT_EVENTS(
        &order, always, {100000, "hand_over b"}, {150000, "warn arrive=blue"},
        {200000, "hand_over leader"}, {240000, "warn arrive=yellow"}, {300000, "hand_over head"},
        {300000, "warn arrive=red"}, {450000, "warn respond=blue report=blue"},
        {720000, "warn respond=yellow report=yellow"}, {900000, "warn respond=red report=red"});
    order = new_order(always, "emergency", monday()); /* to respond is shorter than to arrive */
    ASSERT_EVENTS(&order, always, {5 * MIN, "hand_over b"});
    order = new_order(always, "bare", monday()); /* neither: a share of what there is */
    ASSERT_EVENTS(&order, always, {2 * HOUR, "hand_over b"}, {3 * HOUR, "warn resolve=blue"},
                  {4 * HOUR, "hand_over leader"});
}

/* After standstill, one step of each kind carries all that was missed. */
static void after_an_hour_of_downtime(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "disaster", monday());
    struct life_step whistle = heads(STEP_WHISTLE, monday());
    whistle.party_count = 2;
    whistle.parties[0] =
        (struct life_party){.department = SPAN("x"), .report_by = monday() + 10 * MIN};
    whistle.parties[1] =
        (struct life_party){.department = SPAN("y"), .report_by = monday() + 20 * MIN};
    took(&order, always, whistle);
    const int64_t now = monday() + HOUR;
    assert_string_equal(look(&order, always, now), "hand_over head");
    assert_true(order.life.queued_at == monday() + 5 * MIN);
    assert_string_equal(look(&order, always, now), "warn respond=red arrive=red report=red x y");
    assert_string_equal(look(&order, always, now), "");
    assert_int_equal(order.life.version, 4);
    /* Six minutes late, it is the leader's turn; the head's comes when it would have. */
    order = new_order(always, "ordinary", monday());
    assert_string_equal(look(&order, always, monday() + 11 * MIN), "hand_over leader");
    assert_true(watch_next(&order, always, monday() + 11 * MIN) <= monday() + 11 * MIN);
    assert_string_equal(look(&order, always, monday() + 11 * MIN), "warn respond=blue");
    ASSERT_EVENTS(&order, always, {12 * MIN, "warn respond=yellow"}, {15 * MIN, "hand_over head"});
}

/* ---- posts ---- */

static void who_has_it_is_let_alone(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "ordinary", monday());
    took(&order, always, own(&order, STEP_ACCEPT, monday() + MIN));
    ASSERT_EVENTS(&order, always, {12 * HOUR, "warn resolve=blue"});
    /* Given back, the next post has a turn of its own. */
    took(&order, always, own(&order, STEP_RETURN, monday() + 13 * HOUR));
    assert_span(order.life.holder, "b");
    ASSERT_EVENTS(&order, always, {13 * HOUR + 5 * MIN, "hand_over leader"});
    /* A worker who holds no post is followed by the head; the head and the triage by nobody. */
    static const char *const holders[] = {"other", "head", "t"};
    for (size_t i = 0; i < 3; i++) {
        struct life_step give = heads(STEP_TRANSFER, monday() + 14 * HOUR);
        struct watch_order given = order;
        give.to = span_str(holders[i]);
        took(&given, always, give);
        assert_string_equal(look(&given, always, monday() + 14 * HOUR + 5 * MIN - 1), "");
        assert_string_equal(look(&given, always, monday() + 14 * HOUR + 5 * MIN),
                            i == 0 ? "hand_over head" : "");
    }
    /* While the head is to decide nobody else gets it. */
    took(&order, always, own(&order, STEP_RETURN, monday() + 15 * HOUR));
    took(&order, always, own(&order, STEP_RETURN, monday() + 15 * HOUR));
    assert_int_equal(order.life.state, ORDER_AWAITING);
    assert_string_equal(look(&order, always, monday() + 18 * HOUR), "");
    ASSERT_EVENTS(&order, always, {1152 * MIN, "warn resolve=yellow"});
}

static void shifts_decide_whose_turn_it_is(void **state)
{
    (void)state;
    /* By day B is off: the leader is next. */
    struct watch_order order = new_order(shifts, "ordinary", monday());
    assert_span(order.life.holder, "a");
    ASSERT_EVENTS(&order, shifts, {5 * MIN, "hand_over leader"}, {450000, "warn respond=blue"},
                  {10 * MIN, "hand_over head"});
    /* A goes home two minutes later: B gets it then, and has five minutes. */
    order = new_order(shifts, "ordinary", at("2025-03-03 17:58"));
    assert_span(order.life.holder, "a");
    ASSERT_EVENTS(&order, shifts, {2 * MIN, "hand_over b"}, {7 * MIN, "hand_over head"});
    /* By night nobody but the head is there: at once. */
    order = new_order(shifts, "ordinary", at("2025-03-03 03:00"));
    assert_span(order.life.holder, "a");
    ASSERT_EVENTS(&order, shifts, {0, "hand_over head"}, {450000, "warn respond=blue"});
    /* What B gives back by night goes past the leader. */
    order = new_order(shifts, "ordinary", at("2025-03-03 20:00"));
    assert_span(order.life.holder, "b");
    took(&order, shifts, own(&order, STEP_RETURN, order.life.created_at + MIN));
    assert_span(order.life.holder, "leader");
    ASSERT_EVENTS(&order, shifts, {MIN, "hand_over head"});
}

/* ---- up ---- */

static void disputes_go_up(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "dispute", monday());
    took(&order, always, own(&order, STEP_ACCEPT, monday() + MIN));
    ASSERT_EVENTS(&order, always, {12 * HOUR, "warn resolve=blue"},
                  {1152 * MIN, "warn resolve=yellow"}, {24 * HOUR, "escalate head"});
    const int64_t three = at("2025-03-07 00:00"), five = at("2025-03-11 00:00");
    assert_span(order.life.sla_class, "council");
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == three);
    assert_int_equal(order.life.state, ORDER_DISPATCHED);
    assert_int_equal(order.life.warned[CLOCK_RESOLVE], WARNING_NONE);
    took(&order, always, own(&order, STEP_ACCEPT, monday() + 30 * HOUR));
    ASSERT_EVENTS(&order, always, {43 * HOUR, "warn resolve=blue"},
                  {4128 * MIN, "warn resolve=yellow"}, {86 * HOUR, "escalate t"});
    assert_span(order.life.sla_class, "complex");
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == five);
    ASSERT_EVENTS(&order, always, {91 * HOUR, "warn resolve=blue"});
    assert_string_equal(look(&order, always, five), "warn resolve=red"); /* the last stage */
    assert_string_equal(look(&order, always, five), "");
    assert_span(order.life.holder, "t");
}

/* A level has its days also when it comes late: they count from then. */
static void a_late_escalation(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "dispute", monday());
    took(&order, always, own(&order, STEP_ACCEPT, monday() + MIN));
    const int64_t late = at("2025-03-12 10:00");
    assert_string_equal(look(&order, always, late), "escalate head");
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2025-03-18 00:00"));
    assert_string_equal(look(&order, always, late), "warn resolve=blue");
    /* Done in time, or not open: it does not go up. */
    order = new_order(always, "dispute", monday());
    took(&order, always, own(&order, STEP_ACCEPT, monday() + MIN));
    took(&order, always, own(&order, STEP_RESOLVE, monday() + HOUR));
    assert_string_equal(look(&order, always, late - 3 * CLOCK_DAY_MS), "");
    /* A second attempt has its own days. */
    struct life_step reopen = {
        .step = STEP_REOPEN, .actor = ACTOR_RESIDENT, .at = at("2025-03-10 10:00")};
    took(&order, always, reopen);
    assert_string_equal(look(&order, always, at("2025-03-11 10:00") - 1), "hand_over head");
    assert_string_equal(look(&order, always, at("2025-03-11 10:00") - 1), "warn resolve=yellow");
    assert_string_equal(look(&order, always, at("2025-03-11 10:00")), "escalate head");
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2025-03-14 00:00"));
    /* Another matter does not go up. */
    order = new_order(always, "ordinary", monday());
    assert_string_equal(look(&order, always, late), "hand_over head");
    assert_string_equal(look(&order, always, late), "warn respond=red resolve=red");
}

/* ---- the end, and the calendar ---- */

static void resolved_orders_are_closed(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "ordinary", monday());
    took(&order, always, own(&order, STEP_ACCEPT, monday() + MIN));
    took(&order, always, own(&order, STEP_RESOLVE, monday() + HOUR));
    const int64_t close = monday() + HOUR + 7 * CLOCK_DAY_MS;
    assert_true(watch_next(&order, always, monday() + HOUR) == close);
    assert_string_equal(look(&order, always, close - 1), "");
    assert_string_equal(look(&order, always, close), "close");
    assert_int_equal(order.life.state, ORDER_CLOSED);
    assert_true(watch_next(&order, always, close) == 0);
    assert_string_equal(look(&order, always, close), "");
}

static void a_year_is_published(void **state)
{
    (void)state;
    const int64_t created = at("2025-12-30 10:00");
    struct watch_order order = new_order(always, "service", created);
    assert_true(order.life.provisional);
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2026-01-07 00:00"));
    took(&order, always, own(&order, STEP_ACCEPT, created + MIN));
    assert_string_equal(look(&order, always, created + HOUR), "");
    assert_true(watch_next(&order, always, created + HOUR) <= created + 2 * HOUR);
    struct watch_order same = order;
    assert_true(watch_next(&order, published, created + HOUR) <= created + HOUR);
    assert_string_equal(look(&order, published, created + HOUR), "reclock");
    assert_false(order.life.provisional);
    assert_true(order.life.clocks[CLOCK_RESPOND].due == created + 15 * MIN);
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2026-01-08 00:00"));
    assert_string_equal(look(&order, published, created + HOUR), "");
    /* The days that a late escalation was given are not taken back. */
    order = new_order(always, "dispute", at("2025-12-20 10:00"));
    took(&order, always, own(&order, STEP_ACCEPT, at("2025-12-20 10:00")));
    assert_string_equal(look(&order, always, at("2025-12-30 10:00")), "escalate head");
    assert_true(order.life.provisional);
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2026-01-03 00:00"));
    assert_string_equal(look(&order, published, at("2025-12-30 10:00")), "reclock");
    assert_true(order.life.clocks[CLOCK_RESOLVE].due == at("2026-01-03 00:00"));
    /* Not once it is done; and an ordinary order never. */
    took(&same, always, own(&same, STEP_RESOLVE, created + HOUR));
    assert_string_equal(look(&same, published, created + 2 * HOUR), "");
    order = new_order(always, "ordinary", created);
    assert_false(order.life.provisional);
    assert_string_equal(look(&order, published, created), "");
}

/* ---- reviews ---- */

static void reviews_bring_class_and_deadlines(void **state)
{
    (void)state;
    struct life_step step = heads(STEP_REVIEW, monday());
    watch_review(&step, always, monday());
    assert_int_equal(step.sla_class.len, 0); /* confirmed */
    step.category = SPAN("城乡建设/供水");
    watch_review(&step, always, monday());
    assert_span(step.sla_class, "service");
    assert_true(step.by[CLOCK_RESPOND] == monday() + 15 * MIN && step.by[CLOCK_ARRIVE] == 0);
    assert_true(step.by[CLOCK_RESOLVE] == at("2025-03-11 00:00"));
    assert_false(step.provisional);
    watch_review(&step, always, at("2025-12-30 10:00"));
    assert_true(step.provisional);
    step.category = SPAN("城乡建设/园林绿化环卫");
    watch_review(&step, always, monday());
    assert_span(step.sla_class, "ordinary");
    assert_false(step.provisional);
    struct life_step other = heads(STEP_NOTE, monday());
    other.category = SPAN("城乡建设/供水");
    watch_review(&other, always, monday());
    assert_int_equal(other.sla_class.len, 0);
}

/* An order that waits for a review with the head is nobody else's; then its first post has a turn. */
static void a_review_gives_it_to_the_first_post(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "ordinary", monday());
    order.life.holder = SPAN("head");
    order.life.triage = true;
    ASSERT_EVENTS(&order, always, {450000, "warn respond=blue"});
    took(&order, always, heads(STEP_REVIEW, monday() + 8 * MIN));
    assert_span(order.life.holder, "a");
    ASSERT_EVENTS(&order, always, {12 * MIN, "warn respond=yellow"}, {13 * MIN, "hand_over b"},
                  {15 * MIN, "warn respond=red"});
}

/* ---- who is told ---- */

static const char *told(const struct life_step *step, const struct watch_order *order)
{
    static char words[128];
    struct span out[WATCH_TELL_MOST];
    const size_t count = watch_tell(step, order, always, out);
    size_t len = 0;
    words[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(words + len, sizeof words - len, "%s%.*s", i > 0 ? " " : "",
                                SPAN_ARG(out[i]));
    return words;
}

static void who_is_told(void **state)
{
    (void)state;
    struct watch_order order = new_order(always, "dispute", monday());
    struct life_step warn = {.step = STEP_WARN, .actor = ACTOR_ENGINE};
    warn.levels[CLOCK_RESPOND] = WARNING_BLUE;
    assert_string_equal(told(&warn, &order), "a");
    warn.levels[CLOCK_ARRIVE] = WARNING_YELLOW;
    assert_string_equal(told(&warn, &order), "a leader");
    warn.levels[CLOCK_RESPOND] = WARNING_RED;
    assert_string_equal(told(&warn, &order), "a leader head");
    struct watch_order held = order;
    held.life.holder = SPAN("head"); /* each once */
    assert_string_equal(told(&warn, &held), "head leader");
    held.grid = SPAN(""); /* a station's own has no leader */
    assert_string_equal(told(&warn, &held), "head");
    struct life_step late = {.step = STEP_WARN, .actor = ACTOR_ENGINE, .late_count = 1};
    late.late[0] = SPAN("x");
    assert_string_equal(told(&late, &order), "a leader head");
    struct life_step up = {.step = STEP_ESCALATE, .actor = ACTOR_ENGINE, .to = SPAN("t")};
    assert_string_equal(told(&up, &order), "t head a");
    struct life_step back = own(&order, STEP_RETURN, monday());
    assert_string_equal(told(&back, &order), "");
    order.life.bounces = 2;
    assert_string_equal(told(&back, &order), "head");
    struct life_step hand = {.step = STEP_HAND_OVER, .actor = ACTOR_ENGINE, .to = SPAN("b")};
    assert_string_equal(told(&hand, &order), "");
}

/* ---- random lives with a sweeper ---- */

struct entry {
    struct life_step step;
    enum order_state to;
    struct span holder;
};

struct run {
    const struct policy *policy;
    struct random random;
    struct watch_order order;
    struct life begun;
    struct entry history[STEPS_MOST];
    size_t count;
    unsigned steps_seen;
    int64_t now;
};

static uint64_t below(struct run *run, uint64_t bound)
{
    return random_below(&run->random, bound);
}

static void assert_clocks(const struct life *old, const struct life *new, enum order_step step)
{
    assert_true(new->holder.len > 0);
    assert_true(new->warning >= old->warning &&new->queued_at >= old->queued_at);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        const struct order_clock *before = &old->clocks[c], *after = &new->clocks[c];
        const bool moved = after->due != before->due || after->start != before->start;
        assert_true(after->start >= before->start);
        assert_true(after->due >= before->due || step == STEP_REVIEW || step == STEP_RECLOCK);
        assert_true(new->warned[c] >= old->warned[c] || moved);
    }
}

/* Takes a step; true when it was taken. */
static bool run_take(struct run *run, struct life_step step)
{
    const struct process_numbers *numbers = process_numbers(policy_process(run->policy));
    const struct life before = run->order.life;
    life_prepare(&step, numbers);
    watch_review(&step, run->policy, before.created_at);
    if (life_take(&run->order.life, numbers, &step) != LIFE_TAKEN) {
        assert_memory_equal(&run->order.life, &before, sizeof before);
        return false;
    }
    assert_clocks(&before, &run->order.life, step.step);
    assert_true(run->count < STEPS_MOST);
    run->history[run->count++] =
        (struct entry){step, run->order.life.state, run->order.life.holder};
    run->steps_seen |= 1u << step.step;
    return true;
}

/* What a person does at a time when they may, or may not. */
static void run_person(struct run *run)
{
    static const char *const workers[] = {"a", "b", "leader", "head", "other", "t"};
    static const char *const categories[] = {"", "城乡建设/供水", "城乡建设/园林绿化环卫"};
    const struct life *life = &run->order.life;
    struct life_step step = {.at = run->now};
    do {
        step.step = (enum order_step)below(run, ORDER_STEP_COUNT);
        step.actor = (enum order_actor)below(run, ACTOR_ENGINE);
    } while (step.actor == ACTOR_HOLDER || order_rule(step.step, step.actor) == NULL ||
             (step.step == STEP_CANCEL && below(run, 20) > 0));
    step.worker = below(run, 3) == 0 ? span_str(workers[below(run, 6)]) : life->holder;
    step.to = span_str(workers[below(run, 6)]);
    step.clock = below(run, 2) == 0 ? CLOCK_RESOLVE : (enum sla_clock)below(run, CLOCK_COUNT);
    step.until = step.at + 1 + (int64_t)below(run, 15 * CLOCK_DAY_MS);
    step.feedback = step.step == STEP_NOTE && below(run, 2) == 0;
    step.department = below(run, 2) == 0 ? SPAN("x") : SPAN("y");
    step.stars = 3;
    if (step.step == STEP_REVIEW)
        step.category = span_str(categories[below(run, 3)]);
    if (step.step == STEP_WHISTLE) {
        step.party_count = 1;
        step.parties[0] =
            (struct life_party){.department = step.department,
                                .report_by = step.at + 1 + (int64_t)below(run, 5 * HOUR)};
    }
    run_take(run, step);
}

/* Nothing that is due at this instant is left undone. */
static void assert_caught_up(const struct run *run)
{
    const struct life *life = &run->order.life;
    const struct warning_shares *shares = &process_numbers(policy_process(run->policy))->warnings;
    if ((1u << life->state & ORDER_OPEN) == 0)
        return;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (order_clock_runs(&life->clocks[c]))
            assert_true(life->warned[c] >= order_clock_warning(&life->clocks[c], shares, run->now));
    }
    for (size_t i = 0; i < life->party_count; i++)
        assert_true(life->parties[i].reported_at != 0 || life->parties[i].late ||
                    life->parties[i].report_by > run->now);
}

/* Takes what is due, one step a look. There are five kinds of it, and one step each is enough. */
static void run_sweep(struct run *run)
{
    unsigned kinds = 0;
    struct life_step step;
    while (watch_step(&run->order, run->policy, run->now, &step) == 1) {
        assert_true(watch_next(&run->order, run->policy, run->now) <= run->now);
        assert_int_equal(kinds & 1u << step.step, 0);
        kinds |= 1u << step.step;
        assert_true(run_take(run, step));
    }
    assert_caught_up(run);
}

/* Between now and the next instant there is nothing to do: at any one of them, and at the last. */
static void assert_not_late(struct run *run, int64_t next)
{
    struct life_step step;
    for (int i = 0; i < 4 && next > run->now; i++) {
        const int64_t some = run->now + (int64_t)below(run, (uint64_t)(next - run->now));
        assert_int_equal(watch_step(&run->order, run->policy, i == 0 ? next - 1 : some, &step), 0);
    }
}

/* On to the next look, to just before it, or long past it. */
static void run_wait(struct run *run)
{
    const int64_t next = watch_next(&run->order, run->policy, run->now);
    assert_true((next == 0) == order_state_ended(run->order.life.state));
    if (next == 0)
        return;
    assert_true(next > run->now);
    assert_not_late(run, next);
    switch (below(run, 8)) {
    case 0:
        run->now = next - 1;
        break;
    case 1:
        run->now += (int64_t)below(run, 2 * CLOCK_DAY_MS);
        break;
    case 2:
    case 3:
        run->now += (int64_t)below(run, (uint64_t)(next - run->now));
        break;
    default:
        run->now = next;
        break;
    }
}

static void run_replay(const struct run *run)
{
    const struct process_numbers *numbers = process_numbers(policy_process(run->policy));
    struct life life = run->begun;
    for (size_t i = 0; i < run->count; i++)
        life_apply(&life, numbers, &run->history[i].step, run->history[i].to,
                   run->history[i].holder);
    assert_memory_equal(&life, &run->order.life, sizeof life);
}

static void random_lives_with_a_sweeper(void **state)
{
    (void)state;
    static const char *const classes[] = {"ordinary", "emergency", "disaster", "service",
                                          "dispute",  "council",   "bare"};
    static struct run run;
    unsigned seen = 0;
    run.random.state = 7;
    for (int n = 0; n < LIVES; n++) {
        struct policy *const policies[] = {always, shifts};
        run.policy = policies[below(&run, 2)];
        run.now = at("2025-11-03 00:00") + (int64_t)below(&run, 60 * CLOCK_DAY_MS);
        run.order = new_order(run.policy, classes[below(&run, 7)], run.now);
        run.order.life.red = below(&run, 4) == 0;
        if (below(&run, 4) == 0) {
            run.order.life.triage = true;
            run.order.life.holder = SPAN("head");
        }
        run.begun = run.order.life;
        run.count = run.steps_seen = 0;
        for (int i = 0; i < EVENTS; i++) {
            if (below(&run, 20) == 0 && run.policy == always)
                run.policy = published; /* loaded again */
            if (below(&run, 3) == 0)
                run_person(&run);
            run_sweep(&run);
            run_wait(&run);
        }
        run_replay(&run);
        seen |= run.steps_seen;
    }
    assert_int_equal(seen, (1u << ORDER_STEP_COUNT) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_order_is_forgotten_by_all),
        cmocka_unit_test(a_disaster_goes_on_faster),
        cmocka_unit_test(after_an_hour_of_downtime),
        cmocka_unit_test(who_has_it_is_let_alone),
        cmocka_unit_test(shifts_decide_whose_turn_it_is),
        cmocka_unit_test(disputes_go_up),
        cmocka_unit_test(a_late_escalation),
        cmocka_unit_test(resolved_orders_are_closed),
        cmocka_unit_test(a_year_is_published),
        cmocka_unit_test(reviews_bring_class_and_deadlines),
        cmocka_unit_test(a_review_gives_it_to_the_first_post),
        cmocka_unit_test(who_is_told),
        cmocka_unit_test(random_lives_with_a_sweeper),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
