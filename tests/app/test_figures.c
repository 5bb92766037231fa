/*
 * The figures that the projectors keep, against their oracle: the orders' histories, read from Redis
 * and replayed by the model, add up to the same numbers; whatever the orders went through, however many
 * engines count, whatever is sent or counted again, and also after Redis has lost its last writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/api/step_json.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/base/random.h"
#include "engine/model/figures_table.h"
#include "engine/model/watch.h"
#include "engine/store/events.h"
#include "engine/store/projector.h"
#include "engine/store/record.h"
#include "functions_lua.h"
#include "tests/store/support.h"

#include <dirent.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUBJECTS = 60, STEPS = 25, TRIES = 40, WORKERS = 5, ENGINES = 2, TIMEOUT_MS = 20000 };
enum { CALLS = SUBJECTS * (STEPS + 2) };

#define BEGAN INT64_C(1772413200000) /* Monday 2026-03-02, 09:00 in Shanghai */

static const char *const workers[WORKERS] = {"w-bh-03", "w-bh-07", "w-bh-02", "w-bh-01", "w-wy-01"};
static const char *const classes[] = {"ordinary", "dispute", "emergency", "disaster", "council"};
static const char *const categories[] = {"城乡建设/住房保障与房地产/房屋租赁",
                                         "城乡建设/安全生产/安全隐患"};
static const char *const kinds[] = {"complaint", "help"};

/* An order of grid bihu-01, as the test leads it through its life. */
struct subject {
    struct id id;
    struct life life;
    int64_t now;
    bool special;
    unsigned step;
};

static struct test_redis server;
static redisContext *link_to_redis;
static struct policy *policy;
static struct process_numbers numbers;
static uv_loop_t loop;
static struct projector *projectors[ENGINES];
static struct redis *reader; /* of the test */
static struct random dice;
static struct subject subjects[SUBJECTS];
static size_t subject_count;
static struct buf calls[CALLS]; /* every call of a record, to be sent again */
static size_t call_count;

/* ---- the test's own connection ---- */

static void load_library(void)
{
    link_to_redis = redisConnectUnix(server.socket);
    assert_non_null(link_to_redis);
    redisReply *reply = redisCommand(link_to_redis, "FUNCTION LOAD REPLACE %s", functions_lua);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    freeReplyObject(reply);
}

static redisReply *ask(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(link_to_redis, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    return reply;
}

static void tell(const char *command)
{
    freeReplyObject(ask(command));
}

static void send_record(const struct record *record)
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
    freeReplyObject(reply);
}

static void call(const struct record *record)
{
    assert_true(call_count < CALLS);
    assert_int_equal(record_encode(record, &calls[call_count++]), 0);
    send_record(record);
}

/* As the outbox does after Redis has forgotten. */
static void send_all_again(void)
{
    for (size_t i = 0; i < call_count; i++) {
        struct record record;
        assert_int_equal(record_decode(buf_view(&calls[i]), &record, NULL), 0);
        send_record(&record);
    }
}

/* ---- lives ---- */

static struct policy *take_policy(void *ctx)
{
    (void)ctx;
    return policy_ref(policy);
}

static void create_at(int64_t at, const struct sla_deadlines *deadlines, struct span class_name)
{
    struct span posts[DIRECTORY_POSTS];
    struct subject *s = &subjects[subject_count++];
    assert_true(subject_count <= SUBJECTS);
    for (size_t i = 0; i < DIRECTORY_POSTS; i++)
        posts[i] = span_str(workers[i]);
    *s = (struct subject){.now = at, .special = random_below(&dice, 3) == 0};
    id_make(&s->id, SPAN("bihu"), at);
    life_begin(&s->life, at, deadlines->by, posts[0]);
    memcpy(s->life.posts, posts, sizeof(posts));
    s->life.post_count = DIRECTORY_POSTS;
    s->life.sla_class = class_name;
    s->life.provisional = deadlines->provisional;
    const struct record_order order = {.id = &s->id,
                                       .worker = posts[0],
                                       .grid = SPAN("bihu-01"),
                                       .posts = posts,
                                       .post_count = DIRECTORY_POSTS,
                                       .urgency = SPAN("yellow"),
                                       .category = span_str(categories[0]),
                                       .kind = span_str(kinds[random_below(&dice, 2)]),
                                       .class_name = class_name,
                                       .special = s->special,
                                       .created_at = at,
                                       .due_at = at,
                                       .deadlines = deadlines,
                                       .answer = SPAN("{}"),
                                       .complaint = SPAN("{}")};
    struct buf scratch = {0};
    struct record record;
    assert_int_equal(record_create(&record, &order, &scratch), 0);
    call(&record);
    buf_free(&scratch);
}

static void create(void)
{
    const struct span class_name =
        span_str(classes[random_below(&dice, sizeof(classes) / sizeof(classes[0]))]);
    const int64_t at = BEGAN + (int64_t)random_below(&dice, 3) * CLOCK_DAY_MS;
    struct sla_deadlines deadlines =
        sla_deadlines(policy_sla(policy), policy_calendar(policy), class_name, at);
    deadlines.provisional = random_below(&dice, 4) == 0;
    create_at(at, &deadlines, class_name);
}

/* A step that the model takes; false when the dice find none. */
static bool roll(struct subject *s, struct life_step *step)
{
    const struct watch_order order = {.id = s->id, .grid = SPAN("bihu-01"), .life = s->life};
    s->now += (int64_t)random_below(&dice, random_below(&dice, 4) == 0
                                               ? (uint64_t)(20 * CLOCK_HOUR_MS)
                                               : (uint64_t)(10 * CLOCK_MINUTE_MS));
    if (random_below(&dice, 3) == 0 && watch_step(&order, policy, s->now, step) == 1)
        return true;
    for (int n = 0; n < TRIES; n++) {
        struct life copy = s->life;
        *step = (struct life_step){.step = (enum order_step)random_below(&dice, ORDER_STEP_COUNT),
                                   .actor = (enum order_actor)random_below(&dice, ACTOR_ENGINE),
                                   .at = s->now,
                                   .clock = (enum sla_clock)random_below(&dice, CLOCK_COUNT),
                                   .until = s->now + CLOCK_DAY_MS,
                                   .stars = 1 + (int64_t)random_below(&dice, 5),
                                   .department = SPAN("城管局")};
        if (step->actor == ACTOR_HOLDER || order_rule(step->step, step->actor) == NULL ||
            (step->step == STEP_CANCEL && random_below(&dice, 8) > 0))
            continue;
        if (step->actor <= ACTOR_HEAD)
            step->worker = random_below(&dice, 3) == 0
                               ? span_str(workers[random_below(&dice, WORKERS)])
                               : s->life.holder;
        if (step->step == STEP_TRANSFER)
            step->to = span_str(workers[random_below(&dice, WORKERS)]);
        if (step->step == STEP_REVIEW)
            step->category = span_str(categories[1]);
        if (step->step == STEP_WHISTLE)
            step->parties[step->party_count++] = (struct life_party){
                .department = step->department, .report_by = s->now + CLOCK_HOUR_MS};
        life_prepare(step, &numbers);
        watch_review(step, policy, id_time(&s->id));
        struct life_step tried = *step;
        if (life_take(&copy, &numbers, &tried) == LIFE_TAKEN)
            return true;
    }
    return false;
}

static void take(struct subject *s, const struct life_step *step)
{
    char step_id[32];
    struct buf scratch = {0}, note = {0};
    struct record record;
    const struct step_body body = {.step = *step};
    struct life_step taken = *step;
    snprintf(step_id, sizeof(step_id), "s%u.b", s->step++);
    step_encode_note(&body, &note);
    const struct record_step what = {.id = &s->id,
                                     .step_id = span_str(step_id),
                                     .step = step,
                                     .note = buf_view(&note),
                                     .due_at = s->now,
                                     .returns_most = numbers.returns_most};
    assert_int_equal(record_step(&record, &what, &scratch), 0);
    call(&record);
    assert_int_equal(life_take(&s->life, &numbers, &taken), LIFE_TAKEN);
    buf_free(&scratch);
    buf_free(&note);
}

static void live(struct subject *s)
{
    struct life_step step;
    if (s->step < STEPS && roll(s, &step))
        take(s, &step);
}

/* ---- the oracle: figures from the histories ---- */

static void add(void *ctx, int32_t day, enum figures_by by, struct span value, unsigned metric,
                int64_t count)
{
    char name[256];
    const char *kept = by == FIGURES_ALL ? "" : figures_by_name(by);
    snprintf(name, sizeof(name), "%08d%s%s %.*s", day, by == FIGURES_ALL ? "" : ":", kept,
             SPAN_ARG(value));
    struct figures_row *row = figures_table_row(ctx, span_str(name));
    assert_non_null(row);
    row->counts[metric] += count;
}

struct rebuild {
    struct figures_table *table;
    struct json_reader *json;
    const struct subject *subject;
    bool done, reopened;
    int64_t now;
};

static struct figures_order figures_order(const struct life *life, const struct order_view *view,
                                          const struct subject *s)
{
    struct figures_order order = {.state = life->state,
                                  .version = life->version,
                                  .created_at = life->created_at,
                                  .grid = view->grid,
                                  .worker = life->holder,
                                  .category = life->category.len > 0 ? life->category
                                                                     : span_str(categories[0]),
                                  .kind = view->kind,
                                  .class_name = life->sla_class,
                                  .responded_at = life->clocks[CLOCK_RESPOND].met_at,
                                  .stars = life->stars,
                                  .special = s->special,
                                  .provisional = life->provisional};
    memcpy(order.clocks, life->clocks, sizeof(order.clocks));
    for (size_t i = 0; i < view->history_count; i++)
        order.reopened |= span_find(view->history[i], SPAN("\"step\":\"reopen\"")) >= 0;
    return order;
}

static void on_order(void *ctx, const struct order_view *view, const struct err *err)
{
    struct rebuild *rebuild = ctx;
    struct arena *arena = arena_new(4096);
    struct figures_part part;
    struct life life;
    int64_t next;
    assert_null(err);
    assert_non_null(view);
    assert_int_equal(life_read(rebuild->json, view, &numbers, arena, &life), 0);
    assert_int_equal(life.version, view->version);
    const struct figures_order order = figures_order(&life, view, rebuild->subject);
    figures_of(&order, policy_targets(policy), rebuild->now, &part, &next);
    figures_change(NULL, &part, add, rebuild->table);
    arena_free(&arena);
    rebuild->done = true;
}

static struct figures_table *rebuild_figures(void)
{
    struct rebuild rebuild = {.table = figures_table_new(), .json = json_reader_new(16)};
    rebuild.now = clock_now_ms();
    for (size_t i = 0; i < subject_count; i++) {
        rebuild.subject = &subjects[i];
        rebuild.done = false;
        assert_int_equal(orders_get(reader, &subjects[i].id, on_order, &rebuild, NULL), 0);
        assert_true(test_run_until(&loop, &rebuild.done, TIMEOUT_MS));
    }
    json_reader_free(&rebuild.json);
    return rebuild.table;
}

/* ---- what the projectors kept ---- */

static struct figures_table *read_figures(void)
{
    struct figures_table *table = figures_table_new();
    const size_t prefix = strlen("jiesu:{bihu}:stat:");
    redisReply *keys = ask("KEYS jiesu:{bihu}:stat:*");
    for (size_t k = 0; k < keys->elements; k++) {
        const char *key = keys->element[k]->str;
        redisReply *hash = ask("HGETALL %s", key);
        for (size_t i = 0; i + 1 < hash->elements; i += 2) {
            char name[256];
            unsigned metric;
            const char *field = hash->element[i]->str, *space = strrchr(field, ' ');
            const int row = space == NULL ? 0 : (int)(space - field);
            assert_int_equal(
                figures_metric_parse(span_str(space == NULL ? field : space + 1), &metric), 0);
            snprintf(name, sizeof(name), "%s %.*s", key + prefix, row, field);
            figures_table_row(table, span_str(name))->counts[metric] =
                strtoll(hash->element[i + 1]->str, NULL, 10);
        }
        freeReplyObject(hash);
    }
    freeReplyObject(keys);
    return table;
}

/* Each number of the one is in the other; says the first that is not. */
static bool within(struct figures_table *a, struct figures_table *b, const char *whose)
{
    for (size_t i = 0; i < figures_table_count(a); i++) {
        const struct figures_row *row = figures_table_at(a, i);
        const struct figures_row *other = figures_table_row(b, row->name);
        for (unsigned m = 0; m < FIGURES_METRICS; m++) {
            if (row->counts[m] == other->counts[m])
                continue;
            struct buf name = {0};
            figures_metric_write(m, &name);
            print_message("%s: %.*s %s: %lld, elsewhere %lld\n", whose, SPAN_ARG(row->name),
                          buf_cstr(&name), (long long)row->counts[m], (long long)other->counts[m]);
            buf_free(&name);
            return false;
        }
    }
    return true;
}

static void compare(void)
{
    struct figures_table *kept = read_figures(), *rebuilt = rebuild_figures();
    const bool same = within(rebuilt, kept, "histories") && within(kept, rebuilt, "figures");
    assert_true(figures_table_count(rebuilt) > 0);
    figures_table_free(&kept);
    figures_table_free(&rebuilt);
    assert_true(same);
}

/* Everything is counted: the cursor stands at the newest event, and no clock ran out unseen. */
static bool all_counted(void)
{
    redisReply *newest = ask("XREVRANGE jiesu:{bihu}:events + - COUNT 1");
    redisReply *cursor = ask("HGET jiesu:{bihu}:cursors figures");
    redisReply *lapsed = ask("ZCOUNT jiesu:{bihu}:lapse -inf (%lld", (long long)clock_now_ms());
    const bool all =
        newest->elements == 0 || (cursor->type == REDIS_REPLY_STRING && lapsed->integer == 0 &&
                                  strcmp(newest->element[0]->element[0]->str, cursor->str) == 0);
    freeReplyObject(newest);
    freeReplyObject(cursor);
    freeReplyObject(lapsed);
    return all;
}

static void await_counted(void)
{
    const int64_t until = clock_steady_ms() + TIMEOUT_MS;
    while (!all_counted()) {
        if (clock_steady_ms() > until)
            fail_msg("not all was counted in time");
        test_run_for(&loop, 5);
    }
}

/* ---- engines ---- */

static const struct span consumers[] = {{"figures", 7}, {"hook:here", 9}};

/* Two of the same name both have the lease. */
static void start_engine(size_t i, const char *name)
{
    const struct projector_options options = {.loop = &loop,
                                              .target = test_redis_target(&server),
                                              .library = functions_lua,
                                              .engine = name,
                                              .policy = take_policy,
                                              .consumers = consumers,
                                              .consumer_count = 2,
                                              .period_ms = 5};
    struct err err = {0};
    projectors[i] = projector_new(&options, &err);
    if (projectors[i] == NULL)
        fail_msg("%s", err.text);
}

/* The lease runs out. */
static void drop_lease(void)
{
    tell("DEL jiesu:{bihu}:lease:figures");
}

static void on_reader_ready(void *ctx, struct span fingerprint)
{
    (void)fingerprint;
    *(bool *)ctx = true;
}

static bool reader_ready;

static int set_up(void **state)
{
    struct err err = {0};
    (void)state;
    log_set_level(LOG_ERROR);
    policy = policy_load_with("rules", RULES_HAND, &err);
    if (policy == NULL)
        fail_msg("%s", err.text);
    numbers = *process_numbers(policy_process(policy));
    dice = (struct random){.state = 48};
    test_redis_start(&server, NULL);
    load_library();
    assert_int_equal(uv_loop_init(&loop), 0);
    const struct redis_options options = {
        .target = test_redis_target(&server), .on_ready = on_reader_ready, .ctx = &reader_ready};
    reader_ready = false;
    reader = redis_new(&loop, &options, NULL);
    assert_true(test_run_until(&loop, &reader_ready, TIMEOUT_MS));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENGINES; i++)
        projector_close(&projectors[i]);
    redis_close(&reader);
    test_loop_close(&loop);
    redisFree(link_to_redis);
    test_redis_stop(&server);
    policy_unref(&policy);
    for (size_t i = 0; i < call_count; i++)
        buf_free(&calls[i]);
    call_count = subject_count = 0;
    log_set_level(LOG_INFO);
    return 0;
}

static void populate(size_t count)
{
    while (subject_count < count)
        create();
}

static struct subject *any_subject(void)
{
    return &subjects[random_below(&dice, subject_count)];
}

/* ---- tests ---- */

/* Counted while the lives go on, by two engines that both think to be the one. */
static void test_random_lives(void **state)
{
    (void)state;
    const int64_t races = metric_get(METRIC_FIGURES_LOST_RACES);
    unsigned states = 0;
    start_engine(0, "one");
    start_engine(1, "one");
    populate(SUBJECTS / 2);
    for (int n = 0; n < SUBJECTS * STEPS * 2; n++) {
        if (subject_count < SUBJECTS && random_below(&dice, 20) == 0)
            create();
        struct subject *s = any_subject();
        live(s);
        states |= 1u << s->life.state;
        if (random_below(&dice, 20) == 0)
            test_run_for(&loop, 2);
    }
    /* Until they did get into each other's way: both rest most of the time. */
    for (int n = 0; n < SUBJECTS * STEPS && metric_get(METRIC_FIGURES_LOST_RACES) == races; n++) {
        live(any_subject());
        test_run_for(&loop, 2);
    }
    await_counted();
    compare();
    assert_int_equal(states, (1u << ORDER_STATE_COUNT) - 1);
    assert_true(metric_get(METRIC_FIGURES_LOST_RACES) > races);
}

/* An engine that was away counts what happened meanwhile; one that dies leaves nothing half done. */
static void test_downtime(void **state)
{
    (void)state;
    populate(SUBJECTS);
    for (int n = 0; n < SUBJECTS * STEPS / 2; n++)
        live(any_subject());
    start_engine(0, "one");
    for (int n = 0; n < 10; n++) {
        test_run_for(&loop, 3);
        projector_close(&projectors[0]); /* in the middle of whatever it does */
        drop_lease();
        live(any_subject());
        start_engine(0, "one");
    }
    await_counted();
    compare();
}

/* Events that are there twice, and a cursor that went back, add nothing. */
static void test_replayed_events(void **state)
{
    (void)state;
    start_engine(0, "one");
    populate(20);
    for (int n = 0; n < 100; n++)
        live(any_subject());
    await_counted();
    redisReply *events = ask("XRANGE jiesu:{bihu}:events - +");
    for (size_t i = 0; i < events->elements; i += 3) {
        const redisReply *fields = events->element[i]->element[1];
        const char *argv[64] = {"XADD", "jiesu:{bihu}:events", "*"};
        for (size_t f = 0; f < fields->elements; f++)
            argv[3 + f] = fields->element[f]->str;
        freeReplyObject(redisCommandArgv(link_to_redis, 3 + (int)fields->elements, argv, NULL));
    }
    freeReplyObject(events);
    await_counted();
    compare();
    tell("HSET jiesu:{bihu}:cursors figures 0-0");
    await_counted();
    compare();
}

/* Cuts bytes off the end of the append-only file of a dead Redis. */
static void cut_aof(uint64_t bytes)
{
    char dir[160], path[512] = "";
    struct stat st;
    snprintf(dir, sizeof(dir), "%s/appendonlydir", server.dir);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strstr(e->d_name, ".incr.aof") != NULL)
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
    }
    closedir(d);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, (uint64_t)st.st_size > bytes ? st.st_size - (off_t)bytes : 0),
                     0);
}

static uint64_t aof_size(void)
{
    const char *at = strstr(test_redis_ask(&server, "INFO persistence"), "aof_current_size:");
    assert_non_null(at);
    return strtoull(at + strlen("aof_current_size:"), NULL, 10);
}

/* Redis comes back without its last writes, cut anywhere; then the steps are sent again. */
static void forget(uint64_t most)
{
    test_redis_kill(&server);
    cut_aof(random_below(&dice, most));
    test_redis_restart(&server);
    redisFree(link_to_redis);
    link_to_redis = redisConnectUnix(server.socket);
    assert_non_null(link_to_redis);
}

static void test_forgetful_redis(void **state)
{
    (void)state;
    start_engine(0, "one");
    start_engine(1, "two");
    for (int round = 0; round < 8; round++) {
        const uint64_t before = aof_size();
        populate(subject_count + 5);
        for (int n = 0; n < 60; n++) {
            live(any_subject());
            if (n % 7 == 0)
                test_run_for(&loop, 3);
        }
        if (round % 2 == 0)
            await_counted();
        forget(aof_size() - before);
        send_all_again();
        await_counted();
        reader_ready = redis_ready(reader);
        assert_true(test_run_until(&loop, &reader_ready, TIMEOUT_MS));
        compare();
    }
}

/* A deadline that passes is counted without any step. */
static void test_lapse(void **state)
{
    (void)state;
    const int64_t now = clock_now_ms();
    const struct sla_deadlines deadlines = {
        .by = {[CLOCK_RESPOND] = now + 150, [CLOCK_RESOLVE] = now + 400}};
    char key[64];
    start_engine(0, "one");
    create_at(now, &deadlines, SPAN("ordinary"));
    await_counted();
    compare();
    snprintf(key, sizeof(key), "jiesu:{bihu}:stat:%d", figures_day(now));
    redisReply *early = ask("HMGET %s resolve.orders resolve.overdue", key);
    assert_string_equal(early->element[0]->str, "1");
    assert_int_equal(early->element[1]->type, REDIS_REPLY_NIL);
    freeReplyObject(early);
    test_run_for(&loop, 450);
    await_counted();
    compare();
    redisReply *late = ask("HMGET %s respond.overdue resolve.overdue", key);
    assert_string_equal(late->element[0]->str, "1");
    assert_string_equal(late->element[1]->str, "1");
    freeReplyObject(late);
    redisReply *left = ask("ZCARD jiesu:{bihu}:lapse");
    assert_int_equal(left->integer, 0);
    freeReplyObject(left);
}

/* What cannot be read is left alone, and the rest is counted; an order that is gone stays counted. */
static void test_strange_orders(void **state)
{
    (void)state;
    start_engine(0, "one");
    populate(6);
    await_counted();
    log_set_level(LOG_OFF);
    const struct id *strange = &subjects[0].id, *gone = &subjects[1].id;
    freeReplyObject(ask("HSET jiesu:{bihu}:order:%s counted later", id_ulid(strange).ptr));
    freeReplyObject(ask("DEL jiesu:{bihu}:order:%s", id_ulid(gone).ptr));
    tell("HSET jiesu:{bihu}:cursors figures 0-0");
    live(&subjects[2]);
    await_counted();
    redisReply *total = ask("HGET jiesu:{bihu}:stat:%d created", figures_day(subjects[0].now));
    assert_non_null(total->str);
    freeReplyObject(total);
    redisReply *still = ask("HGET jiesu:{bihu}:order:%s counted", id_ulid(strange).ptr);
    assert_string_equal(still->str, "later");
    freeReplyObject(still);
    redisReply *exists = ask("EXISTS jiesu:{bihu}:order:%s", id_ulid(gone).ptr);
    assert_int_equal(exists->integer, 0);
    freeReplyObject(exists);
}

/* A cursor that nobody moves any more goes, those of others stay. */
static void test_consumers(void **state)
{
    (void)state;
    populate(1);
    tell("HSET jiesu:{bihu}:cursors hook:here 0-0 hook:gone 0-0");
    start_engine(0, "one");
    await_counted();
    redisReply *left = ask("HMGET jiesu:{bihu}:cursors hook:here hook:gone");
    assert_string_equal(left->element[0]->str, "0-0");
    assert_int_equal(left->element[1]->type, REDIS_REPLY_NIL);
    freeReplyObject(left);
}

/* Whichever allocation fails, the next round makes it good. */
static void test_memory(void **state)
{
    (void)state;
    start_engine(0, "one");
    populate(3);
    await_counted();
    log_set_level(LOG_OFF);
    for (uint64_t n = 1; n <= 150; n++) {
        live(any_subject());
        mem_fail_at(n);
        test_run_for(&loop, 8);
        mem_fail_at(0);
        await_counted();
        if (n % 10 == 0)
            compare();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_downtime, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replayed_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgetful_redis, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lapse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strange_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_consumers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
