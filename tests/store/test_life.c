/*
 * The whole state machine, against its oracle: random steps, legal and not, are taken by the model
 * (life.h) and by the function library in a real Redis, and between them the engine looks at the order as the
 * sweeper does. Both must agree on everything: what was taken and why not, state, version, holder, deadlines,
 * warnings, which list of warned orders it is in, whose queues it is in, how many each worker
 * holds, when to look next, and what the engine does then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/model/life.h"
#include "engine/model/watch.h"
#include "engine/store/order_life.h"
#include "engine/store/record.h"
#include "functions_lua.h"
#include "tests/store/support_engine.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 5, POSTS = 4, ORDERS = 120, STEPS = 60, DEPARTMENTS = 3, TEXT_BYTES = 512 };

#define BEGAN INT64_C(1772413200000) /* Monday 2026-03-02, 09:00 in Shanghai */

/* Those of grid bihu-01, its station's head, and who has the triage of its street. */
static const char *const workers[WORKERS] = {"w-bh-03", "w-bh-07", "w-bh-02", "w-bh-01", "w-wy-01"};
static const char *const departments[DEPARTMENTS] = {"城管局", "应急管理局", "民政局"};
static const char *const classes[] = {"ordinary", "dispute", "emergency", "disaster", "council"};
static const char *const categories[] = {"城乡建设/住房保障与房地产/房屋租赁",
                                         "城乡建设/安全生产/安全隐患"};

static struct test_redis redis;
static redisContext *link_to_redis;
static struct policy *policy;
static struct process_numbers numbers;

/* Who holds how many, by the model; and how often the street was told why an order was late. */
static int held[WORKERS], street_told;
/* Refused: to resolve late without a word, and to rate in the caller's place. */
static int overdue, others;

static const char street[] = "w-street";

static int set_up(void **state)
{
    (void)state;
    struct err err = {0};
    policy = policy_load("rules", &err);
    if (policy == NULL)
        fail_msg("%s", err.text);
    numbers = *process_numbers(policy_process(policy));
    memset(held, 0, sizeof(held));
    street_told = overdue = others = 0;
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
    policy_unref(&policy);
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

/* An order of grid bihu-01 that is in the queue of its first post, or of the head. */
struct subject {
    struct id id;
    struct life life;
    int64_t now; /* time passes, whatever happens */
    bool urgent, special;
    bool queued[WORKERS]; /* whose queue it is in */
    enum warning warned;  /* the highest level that the engine warned of */
    int64_t rose_at;      /* and when it did */
};

static size_t worker_of(struct span name)
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (span_eq(span_str(workers[i]), name))
            return i;
    }
    fail_msg("no such worker: %.*s", SPAN_ARG(name));
    return 0;
}

static struct watch_order watched(const struct subject *s)
{
    return (struct watch_order){.id = s->id, .grid = SPAN("bihu-01"), .life = s->life};
}

/* With some clocks that its class has not, and some without those that it has. */
static struct sla_deadlines random_deadlines(struct random *random, struct span class_name)
{
    struct sla_deadlines deadlines =
        sla_deadlines(policy_sla(policy), policy_calendar(policy), class_name, BEGAN);
    for (enum sla_clock c = CLOCK_ARRIVE; c < CLOCK_RESOLVE; c++) {
        if (random_below(random, 2) == 0)
            deadlines.by[c] = BEGAN + (int64_t)(1 + random_below(random, 60)) * CLOCK_MINUTE_MS;
    }
    deadlines.provisional = random_below(random, 4) == 0;
    return deadlines;
}

static void subject_begin(struct subject *s, struct random *random)
{
    struct span posts[POSTS];
    const struct span class_name =
        span_str(classes[random_below(random, sizeof(classes) / sizeof(classes[0]))]);
    const struct sla_deadlines deadlines = random_deadlines(random, class_name);
    const bool red = random_below(random, 4) == 0, triage = !red && random_below(random, 4) == 0;
    const struct span worker = span_str(workers[triage ? 3 : 0]);
    for (size_t i = 0; i < POSTS; i++)
        posts[i] = span_str(workers[i]);
    *s = (struct subject){.now = BEGAN,
                          .urgent = random_below(random, 3) == 0,
                          .special = random_below(random, 2) == 0};
    id_make(&s->id, SPAN("bihu"), BEGAN);
    life_begin(&s->life, BEGAN, deadlines.by, worker);
    memcpy(s->life.posts, posts, sizeof(posts));
    s->life.post_count = POSTS;
    s->life.sla_class = class_name;
    s->life.provisional = deadlines.provisional;
    s->life.triage = triage;
    s->life.red = red;
    s->queued[worker_of(worker)] = true;
    held[worker_of(worker)]++;
    const struct watch_order order = watched(s);
    struct record_order fields = {.id = &s->id,
                                  .worker = worker,
                                  .grid = SPAN("bihu-01"),
                                  .posts = posts,
                                  .post_count = POSTS,
                                  .urgency = red ? SPAN("red") : SPAN("yellow"),
                                  .category = span_str(categories[0]),
                                  .kind = SPAN("complaint"),
                                  .class_name = class_name,
                                  .urgent = s->urgent,
                                  .special = s->special,
                                  .triage = triage,
                                  .created_at = BEGAN,
                                  .due_at = watch_next(&order, policy, BEGAN),
                                  .deadlines = &deadlines,
                                  .answer = SPAN("{}"),
                                  .complaint = SPAN("{}")};
    struct buf scratch = {0};
    struct record record;
    assert_int_equal(record_create(&record, &fields, &scratch), 0);
    freeReplyObject(call(&record));
    buf_free(&scratch);
}

static void random_parties(struct random *random, struct life_step *step)
{
    const size_t first = (size_t)random_below(random, DEPARTMENTS);
    const size_t count = 1 + (size_t)random_below(random, 2);
    for (size_t i = 0; i < count; i++)
        step->parties[step->party_count++] = (struct life_party){
            .department = span_str(departments[(first + i) % DEPARTMENTS]),
            .report_by = step->at + 1 + (int64_t)random_below(random, CLOCK_HOUR_MS)};
}

/* Callers who can still rate, but for this head. */
static struct span random_able(struct random *random, struct span head)
{
    static char list[TEXT_BYTES];
    size_t len = 0;
    list[0] = '\0';
    for (size_t i = 0; i < WORKERS; i++) {
        if (random_below(random, 2) == 0 && !span_eq(span_str(workers[i]), head))
            len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len > 0 ? " " : "",
                                    workers[i]);
    }
    return span_of(list, len);
}

/* Mostly of a department that has reported, by who whistled for it. */
static void random_rating(const struct life *life, struct random *random, struct life_step *step)
{
    if (life->party_count > 0 && random_below(random, 3) > 0) {
        const struct life_party *party = &life->parties[random_below(random, life->party_count)];
        step->department = party->department;
        if (random_below(random, 2) == 0)
            step->worker = party->caller;
    }
    if (step->actor == ACTOR_HEAD)
        step->able = random_able(random, step->worker);
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

/* Any step that a request could ask for: by anyone who may take it in some state. The engine's come
 * by looking. */
static struct life_step random_step(const struct subject *s, struct random *random)
{
    const struct life *life = &s->life;
    for (;;) {
        struct life_step step = {.step = (enum order_step)random_below(random, ORDER_STEP_COUNT),
                                 .actor =
                                     (enum order_actor)random_below(random, ORDER_ACTOR_COUNT)};
        const struct order_rule *rule = order_rule(step.step, step.actor);
        if (step.actor == ACTOR_HOLDER || step.actor == ACTOR_ENGINE || rule == NULL)
            continue;
        /* Mostly those that the state allows, and seldom a cancel, or little would ever happen. */
        if ((!order_rule_allows(rule, life->state) || step.step == STEP_CANCEL) &&
            random_below(random, 8) > 0)
            continue;
        if (order_step_needs(step.step) != ORDER_ACTOR_COUNT && step.actor <= ACTOR_HEAD)
            step.worker = random_below(random, 3) == 0
                              ? span_str(workers[random_below(random, WORKERS)])
                              : life->holder;
        step.at = s->now + (int64_t)random_below(random, 5 * CLOCK_MINUTE_MS) - 5000;
        step.strict = random_below(random, 2) == 0;
        if (random_below(random, 4) == 0)
            step.version = life->version - (int64_t)random_below(random, 2);
        if (step.step == STEP_TRANSFER)
            step.to = span_str(workers[random_below(random, WORKERS)]);
        step.clock = random_clock(life, random);
        step.until = step.at + 1 + (int64_t)random_below(random, 2 * CLOCK_DAY_MS);
        step.feedback = step.step == STEP_NOTE && random_below(random, 2) == 0;
        if (step.step == STEP_WHISTLE)
            random_parties(random, &step);
        step.department = span_str(departments[random_below(random, DEPARTMENTS)]);
        step.stars = 1 + (int64_t)random_below(random, 5);
        if (step.step == STEP_PARTY_RATE)
            random_rating(life, random, &step);
        if (step.step == STEP_RESOLVE && random_below(random, 2) == 0) /* about its deadline */
            step.at = life->clocks[CLOCK_RESOLVE].due + (int64_t)random_below(random, 8) - 1;
        step.explain =
            random_below(random, 8) > 0 ? SPAN("council,dispute,ordinary,disaster") : SPAN("");
        step.explained = random_below(random, 2) == 0;
        if (step.step == STEP_REVIEW && random_below(random, 2) == 0)
            step.category = span_str(categories[random_below(random, 2)]);
        life_prepare(&step, &numbers);
        watch_review(&step, policy, BEGAN);
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

static const char *ulid(const struct subject *s)
{
    return id_ulid(&s->id).ptr; /* the end of the id's text */
}

/* The order as the sweeper reads it; borrows from the reply. */
static redisReply *read_life(const struct subject *s, struct watch_order *order)
{
    const char *argv[2 + ORDER_LIFE_FIELDS];
    size_t lengths[2 + ORDER_LIFE_FIELDS];
    const struct key key = key_order(&s->id);
    argv[0] = "HMGET";
    argv[1] = key.text;
    lengths[0] = 5;
    lengths[1] = key.len;
    for (size_t i = 0; i < ORDER_LIFE_FIELDS; i++) {
        argv[2 + i] = order_life_field(i).ptr;
        lengths[2 + i] = order_life_field(i).len;
    }
    redisReply *reply = redisCommandArgv(link_to_redis, 2 + ORDER_LIFE_FIELDS, argv, lengths);
    struct span values[ORDER_LIFE_FIELDS] = {{0}};
    for (size_t i = 0; i < ORDER_LIFE_FIELDS; i++) {
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            values[i] = span_of(reply->element[i]->str, reply->element[i]->len);
    }
    assert_int_equal(order_life_read(&s->id, values, order), 0);
    return reply;
}

static void assert_span(struct span a, struct span b)
{
    if (!span_eq(a, b))
        fail_msg("'%.*s', not '%.*s'", SPAN_ARG(a), SPAN_ARG(b));
}

static void compare_clocks(const struct life *got, const struct life *life)
{
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        const struct order_clock *a = &got->clocks[c], *b = &life->clocks[c];
        assert_int_equal(a->due, b->due);
        assert_int_equal(a->met_at, b->met_at);
        assert_int_equal(a->asked, b->asked);
        assert_int_equal(a->extended, b->extended);
        assert_int_equal(a->start, b->start);
        assert_int_equal(order_clock_runs(a), order_clock_runs(b));
        assert_int_equal(got->warned[c], life->warned[c]);
    }
}

static void compare_lives(const struct life *got, const struct life *life)
{
    assert_int_equal(got->state, life->state);
    assert_int_equal(got->version, life->version);
    assert_int_equal(got->created_at, life->created_at);
    assert_int_equal(got->last_at, life->last_at);
    assert_int_equal(got->queued_at, life->queued_at);
    assert_span(got->holder, life->holder);
    assert_span(got->sla_class, life->sla_class);
    assert_int_equal(got->triage, life->triage);
    assert_int_equal(got->red, life->red);
    assert_int_equal(got->provisional, life->provisional);
    assert_int_equal(got->bounces, life->bounces);
    assert_int_equal(got->reopen_by, life->reopen_by);
    assert_int_equal(got->stars, life->stars);
    compare_clocks(got, life);
    assert_int_equal(got->party_count, life->party_count);
    for (size_t i = 0; i < life->party_count; i++) {
        const struct life_party *a = &got->parties[i], *b = &life->parties[i];
        assert_span(a->department, b->department);
        assert_int_equal(a->reported_at != 0, b->reported_at != 0);
        if (b->reported_at == 0)
            assert_int_equal(a->report_by, b->report_by);
        assert_int_equal(a->stars, b->stars);
        assert_int_equal(a->late, b->late);
    }
}

/* One step of the engine, or none, seen by both. */
static void compare_steps(const struct watch_order *got, const struct watch_order *order,
                          int64_t now)
{
    struct life_step a, b;
    const int due = watch_step(order, policy, now, &b);
    assert_int_equal(watch_step(got, policy, now, &a), due);
    assert_int_equal(watch_next(got, policy, now), watch_next(order, policy, now));
    if (due == 0)
        return;
    assert_int_equal(a.step, b.step);
    assert_int_equal(a.version, b.version);
    assert_span(a.to, b.to);
    assert_memory_equal(a.levels, b.levels, sizeof(a.levels));
    assert_int_equal(a.late_count, b.late_count);
    for (size_t i = 0; i < b.late_count; i++)
        assert_span(a.late[i], b.late[i]);
    assert_int_equal(a.queued_at, b.queued_at);
    assert_int_equal(a.resolve_by, b.resolve_by);
    assert_memory_equal(a.by, b.by, sizeof(a.by));
}

/* In the queues that the model says, and nowhere twice; and who holds how many. */
static void compare_queues(const struct subject *s)
{
    for (size_t i = 0; i < WORKERS; i++) {
        for (enum order_queue which = 0; which < ORDER_QUEUE_COUNT; which++) {
            const struct key key = key_queue(SPAN("bihu"), span_str(workers[i]), which);
            const char *there = strstr(ask("XRANGE %s - +", key.text), s->id.text);
            const bool wanted = s->queued[i] && which == order_queue(s->urgent, s->special);
            if ((there != NULL) != wanted ||
                (there != NULL && strstr(there + 1, s->id.text) != NULL))
                fail_msg("%s: %s: %d, not %d", order_state_name(s->life.state), key.text,
                         there != NULL, wanted);
        }
        assert_int_equal(ask_number(ask("HGET jiesu:{bihu}:open %s", workers[i])), held[i]);
    }
}

static bool listed(const struct subject *s, enum warning level)
{
    return s->warned == level && (1u << s->life.state & ORDER_OPEN) != 0;
}

/* In the one list that the model says while it is open, by when it rose to that level. */
static void compare_lists(const struct subject *s)
{
    for (enum warning level = WARNING_BLUE; level < WARNING_COUNT; level++) {
        const int64_t wanted = listed(s, level) ? s->rose_at : 0;
        const int64_t got =
            ask_number(ask("ZSCORE jiesu:{bihu}:idx:warning:%s %s", warning_name(level), ulid(s)));
        if (got != wanted)
            fail_msg("%s, %s: in the list of %s since %lld, not %lld",
                     order_state_name(s->life.state), warning_name(s->warned), warning_name(level),
                     (long long)got, (long long)wanted);
    }
}

/* Late, of a class that must say why, and it did. */
static bool told_the_street(const struct life *before, const struct life_step *step)
{
    struct life_step silent = *step;
    struct life life = *before;
    silent.explained = false;
    return step->step == STEP_RESOLVE && life_take(&life, &numbers, &silent) == LIFE_OVERDUE;
}

static void compare(const struct subject *s)
{
    const struct life *life = &s->life;
    const struct watch_order order = watched(s);
    struct watch_order got;
    redisReply *reply = read_life(s, &got);
    compare_lives(&got.life, life);
    compare_steps(&got, &order, s->now);
    freeReplyObject(reply);
    compare_queues(s);
    assert_true((ask_number(ask("ZSCORE jiesu:{bihu}:examples %s", ulid(s))) != 0) ==
                (life->category.len > 0));
    /* No order without a next look unless it has ended, and none too late. */
    const int64_t due = ask_number(ask("ZSCORE jiesu:{bihu}:due %s", ulid(s)));
    assert_true(order_state_ended(life->state) == (due == 0));
    const int64_t next = watch_next(&order, policy, s->now);
    if (due > next && due > s->now)
        fail_msg("%s: looked at %lld ms too late after %s", order_state_name(life->state),
                 (long long)(due - next),
                 ask("HGET jiesu:{bihu}:order:%s h%lld", ulid(s), (long long)life->version));
}

/* What the model says of queues and counts, which are not part of a life. */
static void follow(struct subject *s, const struct life *before, const struct life_step *step)
{
    const struct life *life = &s->life;
    const bool moved = life->queued_at != before->queued_at || step->step == STEP_TRANSFER ||
                       step->step == STEP_RETURN || step->step == STEP_REOPEN ||
                       step->step == STEP_ESCALATE || step->step == STEP_HAND_OVER ||
                       (step->step == STEP_REVIEW && before->state == ORDER_DISPATCHED &&
                        (before->triage || (step->category.len > 0 && !before->red)));
    if (step->step != STEP_HAND_OVER && (moved || life->state != before->state))
        memset(s->queued, 0, sizeof(s->queued));
    if (moved)
        s->queued[worker_of(life->holder)] = true;
    held[worker_of(before->holder)] -= (1u << before->state & ORDER_OPEN) != 0;
    held[worker_of(life->holder)] += (1u << life->state & ORDER_OPEN) != 0;
    for (enum sla_clock c = 0; step->step == STEP_WARN && c < CLOCK_COUNT; c++) {
        if (step->levels[c] > s->warned) {
            s->warned = step->levels[c];
            s->rose_at = step->at;
        }
    }
}

/* Takes the order out of the list it is in, or puts it into those it is not in. */
static void spoil_lists(const struct subject *s)
{
    for (enum warning level = WARNING_BLUE; s->warned != WARNING_NONE && level < WARNING_COUNT;
         level++) {
        const char *name = warning_name(level);
        if (listed(s, level))
            ask("ZREM jiesu:{bihu}:idx:warning:%s %s", name, ulid(s));
        else
            ask("ZADD jiesu:{bihu}:idx:warning:%s 1 %s", name, ulid(s));
    }
}

/* Takes it in both worlds. */
static void take(struct subject *s, struct life_step step, const char *step_id, int64_t due_at)
{
    struct buf scratch = {0};
    struct record record;
    const struct life before = s->life;
    const struct record_step what = {.id = &s->id,
                                     .step_id = span_str(step_id),
                                     .step = &step,
                                     .due_at = due_at,
                                     .street = span_str(street),
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
    if (answer == LIFE_TAKEN) {
        follow(s, &before, &step);
        street_told += told_the_street(&before, &step);
    }
    overdue += answer == LIFE_OVERDUE;
    others += answer == LIFE_CALLER;
    if (s->life.last_at > s->now)
        s->now = s->life.last_at;
    /* Once more, as after a crash: nothing changes, but for lists that were not right. */
    compare_lists(s);
    spoil_lists(s);
    reply = call(&record);
    assert_string_equal(reply->element[0]->str, answer == LIFE_TAKEN ? "replayed" : "conflict");
    freeReplyObject(reply);
    compare_lists(s);
    buf_free(&scratch);
}

static void take_by_hand(struct subject *s, struct life_step step, unsigned n)
{
    char step_id[32];
    snprintf(step_id, sizeof(step_id), "step%u.body", n);
    take(s, step, step_id, 0);
}

/* Looks at the order as the sweeper does: takes the step that is due, or puts the next look off. */
static enum order_step look(struct subject *s, int64_t now)
{
    struct watch_order order = watched(s), after = order;
    struct life_step step, copy;
    char step_id[32];
    s->now = now;
    if (watch_step(&order, policy, now, &step) == 0) {
        const int64_t next = watch_next(&order, policy, now);
        ask("FCALL jiesu_defer 2 jiesu:{bihu}:order:%s jiesu:{bihu}:due %s %lld %lld %lld", ulid(s),
            ulid(s), (long long)s->life.version, (long long)next, (long long)now);
        return ORDER_STEP_COUNT;
    }
    copy = step;
    assert_int_equal(life_take(&after.life, &numbers, &copy), LIFE_TAKEN);
    snprintf(step_id, sizeof(step_id), "e%lld", (long long)s->life.version);
    take(s, step, step_id, watch_next(&after, policy, now));
    return step.step;
}

/* A while later, or just when something is to be done. */
static int64_t random_now(const struct subject *s, struct random *random)
{
    const struct watch_order order = watched(s);
    const int64_t last = s->now;
    if (random_below(random, 3) == 0 || order_state_ended(s->life.state))
        return last + (int64_t)random_below(random, 20 * CLOCK_MINUTE_MS);
    int64_t next = watch_next(&order, policy, last);
    if (random_below(random, 8) == 0)
        next += (int64_t)random_below(random, 4 * CLOCK_DAY_MS);
    return next > last ? next : last;
}

/* All the lists are what all the hashes say, whatever the model does. */
static void scan_lists(const struct subject *subjects)
{
    long listed_ones = 0, entries = 0;
    for (int o = 0; o < ORDERS; o++) {
        char level[16], since[32], order_state[32];
        enum order_state now;
        snprintf(level, sizeof(level), "%s",
                 ask("HGET jiesu:{bihu}:order:%s warning", ulid(&subjects[o])));
        snprintf(since, sizeof(since), "%s",
                 ask("HGET jiesu:{bihu}:order:%s warning_at", ulid(&subjects[o])));
        snprintf(order_state, sizeof(order_state), "%s",
                 ask("HGET jiesu:{bihu}:order:%s state", ulid(&subjects[o])));
        assert_int_equal(order_state_parse(span_str(order_state), &now), 0);
        if (strcmp(level, "(nil)") == 0 || (1u << now & ORDER_OPEN) == 0)
            continue;
        listed_ones++;
        assert_string_equal(ask("ZSCORE jiesu:{bihu}:idx:warning:%s %s", level, ulid(&subjects[o])),
                            since);
    }
    for (enum warning level = WARNING_BLUE; level < WARNING_COUNT; level++)
        entries += ask_number(ask("ZCARD jiesu:{bihu}:idx:warning:%s", warning_name(level)));
    assert_int_equal(entries, listed_ones);
    assert_true(listed_ones > 10);
}

static void test_random_lives(void **state)
{
    (void)state;
    static struct subject subjects[ORDERS];
    bool came_back = false;
    struct random random = {.state = 4};
    unsigned taken[ORDER_STEP_COUNT + 1] = {0}, states = 0;
    for (int o = 0; o < ORDERS; o++) {
        struct subject s;
        subject_begin(&s, &random);
        compare(&s);
        for (unsigned n = 0; n < STEPS; n++) {
            const int64_t before = s.life.version;
            const bool done = (1u << s.life.state & ORDER_OPEN) == 0;
            if (random_below(&random, 2) == 0) {
                taken[look(&s, random_now(&s, &random))]++;
            } else {
                const struct life_step step = random_step(&s, &random);
                take_by_hand(&s, step, n);
                taken[step.step] += s.life.version != before;
            }
            states |= 1u << s.life.state;
            came_back |= done && listed(&s, s.warned);
            if (s.life.version != before)
                compare(&s);
        }
        subjects[o] = s;
    }
    scan_lists(subjects);
    assert_true(came_back);
    assert_int_equal(ask_number(ask("XLEN jiesu:{bihu}:notices:%s", street)), street_told);
    if (street_told < 5 || overdue < 5 || others < 5)
        fail_msg("late: %d told, %d refused; rated by others: %d", street_told, overdue, others);
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
    do
        subject_begin(&s, &random);
    while (s.life.triage);
    const int64_t due = s.life.clocks[CLOCK_RESPOND].due;
    for (unsigned n = 0; n < 3; n++) {
        take_by_hand(&s,
                     (struct life_step){.step = STEP_RETURN,
                                        .actor = ACTOR_MEMBER,
                                        .worker = s.life.holder,
                                        .at = s.life.last_at + 1},
                     n);
        compare(&s);
        assert_true(span_eq(s.life.holder, span_str(workers[n + 1])));
        assert_int_equal(s.life.clocks[CLOCK_RESPOND].due, due);
        assert_int_equal(s.life.state, n < 2 ? ORDER_DISPATCHED : ORDER_AWAITING);
    }
    assert_non_null(
        strstr(ask("HGET jiesu:{bihu}:order:%s h4", ulid(&s)), "\"to\":\"awaiting_decision\""));
}

/* What can be done without end is refused when the history is long; what ends an order is not. */
static void test_long_history(void **state)
{
    (void)state;
    struct random random = {.state = 6};
    struct subject s;
    subject_begin(&s, &random);
    for (unsigned n = 0; n < LIMIT_ORDER_STEPS + 2; n++)
        take_by_hand(&s,
                     (struct life_step){.step = STEP_NOTE,
                                        .actor = ACTOR_MEMBER,
                                        .worker = span_str(workers[0]),
                                        .at = s.life.last_at},
                     n);
    assert_int_equal(s.life.version, LIMIT_ORDER_STEPS);
    assert_int_equal(look(&s, s.life.last_at + 2 * CLOCK_DAY_MS) < ORDER_STEP_COUNT, 1);
    take_by_hand(&s,
                 (struct life_step){.step = STEP_CANCEL,
                                    .actor = ACTOR_HEAD,
                                    .worker = span_str(workers[3]),
                                    .at = s.life.last_at},
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
