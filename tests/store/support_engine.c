#include "tests/store/support_engine.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/metric.h"
#include "functions_lua.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int engine_open(struct engine *engine, const struct test_redis *redis, const char *outbox,
                struct err *err)
{
    struct dispatcher_options options = {
        .outbox_path = outbox, .target = test_redis_target(redis), .library = functions_lua};
    CHECK(uv_loop_init(&engine->loop) == 0);
    engine->home = mailbox_new(&engine->loop, err);
    if (engine->home != NULL)
        engine->dispatcher = dispatcher_new(&engine->loop, &options, err);
    if (engine->home != NULL && engine->dispatcher != NULL)
        return 0;
    mailbox_close(&engine->home);
    test_loop_close(&engine->loop);
    return -1;
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

void engine_close(struct engine *engine, uint32_t timeout_ms)
{
    bool stopped = false;
    dispatcher_stop(engine->dispatcher, timeout_ms, on_stopped, &stopped);
    CHECK(test_run_until(&engine->loop, &stopped, timeout_ms + 5000));
    dispatcher_free(&engine->dispatcher);
    mailbox_close(&engine->home);
    test_loop_close(&engine->loop);
}

struct id example_id(void)
{
    struct id id;
    id_make(&id, SPAN("c1"), clock_now_ms());
    return id;
}

int example_create(struct record *record, const struct id *id, const char *worker,
                   struct buf *scratch)
{
    static _Thread_local char answer[256];
    static const struct sla_deadlines deadlines = {
        .by = {[CLOCK_RESPOND] = 1700000900000, [CLOCK_RESOLVE] = 1700086400000}};
    snprintf(answer, sizeof(answer), "{\"id\":\"%s\",\"status\":\"dispatched\"}", id->text);
    struct record_order order = {
        .id = id,
        .worker = span_str(worker),
        .grid = SPAN("g1"),
        .urgency = SPAN("yellow"),
        .category = SPAN("a/b"),
        .kind = SPAN("complaint"),
        .class_name = SPAN("ordinary"),
        .due_at = 1700000450000,
        .created_at = 1700000000000,
        .deadlines = &deadlines,
        .answer = span_str(answer),
        .complaint = SPAN("{\"text\":\"路灯坏了\"}"),
    };
    return record_create(record, &order, scratch);
}

static void on_done(void *ctx, const struct outcome *outcome)
{
    struct sent *sent = ctx;
    CHECK(!sent->settled);
    sent->settled = true;
    sent->outcome = *outcome;
    CHECK(id_parse(outcome->id, &sent->order) == 0);
    snprintf(sent->state, sizeof(sent->state), "%.*s", SPAN_ARG(outcome->state));
    snprintf(sent->text, sizeof(sent->text), "%.*s", SPAN_ARG(outcome->text));
    ticket_release(&sent->ticket);
}

void send_record(struct engine *engine, struct sent *sent, const struct record *record)
{
    struct err err = {0};
    *sent = (struct sent){.id = record->id};
    sent->rc = dispatcher_submit(engine->dispatcher, engine->home, record, on_done, sent,
                                 &sent->ticket, &err);
    sent->refused = err.code;
    if (sent->ticket != NULL)
        sent->told = ticket_id(sent->ticket);
}

static void fail_submit(struct sent *sent, const struct id *id)
{
    *sent = (struct sent){.id = *id, .rc = -1, .refused = ERR_NOMEM};
}

void send_create(struct engine *engine, struct sent *sent, const char *key, const char *body)
{
    struct buf scratch = {0};
    struct record record;
    struct id id = example_id();
    if (example_create(&record, &id, "w1", &scratch) < 0) {
        fail_submit(sent, &id);
    } else {
        record.keyed = key != NULL;
        record.claim = hash128(span_str(key));
        record.body = hash128(span_str(body));
        send_record(engine, sent, &record);
    }
    buf_free(&scratch);
}

void send_create_for(struct engine *engine, struct sent *sent, const char *worker)
{
    struct buf scratch = {0};
    struct record record;
    struct id id = example_id();
    CHECK(example_create(&record, &id, worker, &scratch) == 0);
    send_record(engine, sent, &record);
    buf_free(&scratch);
}

void send_step(struct engine *engine, struct sent *sent, const struct id *id, enum order_step step,
               const char *step_id)
{
    struct buf scratch = {0};
    struct record record;
    const struct process_numbers numbers = {.returns_most = 2, .reopen_ms = 1000};
    struct life_step taken = {
        .step = step, .actor = ACTOR_MEMBER, .worker = SPAN("w1"), .at = 1700000100000};
    life_prepare(&taken, &numbers);
    struct record_step s = {.id = id,
                            .step_id = span_str(step_id),
                            .step = &taken,
                            .returns_most = numbers.returns_most};
    if (record_step(&record, &s, &scratch) < 0)
        fail_submit(sent, id);
    else
        send_record(engine, sent, &record);
    buf_free(&scratch);
}

static bool all_settled(const struct sent *sent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sent[i].rc == 0 && !sent[i].settled)
            return false;
    }
    return true;
}

bool await_settled(struct engine *engine, struct sent *sent, size_t count, uint64_t timeout_ms)
{
    int64_t until = clock_steady_ms() + (int64_t)timeout_ms;
    while (!all_settled(sent, count) && clock_steady_ms() < until)
        uv_run(&engine->loop, UV_RUN_ONCE);
    return all_settled(sent, count);
}

bool await_committed(struct engine *engine, struct sent *sent, size_t count)
{
    int64_t until = clock_steady_ms() + 5000;
    for (size_t i = 0; i < count; i++) {
        while (sent[i].ticket != NULL && !ticket_committed(sent[i].ticket)) {
            if (clock_steady_ms() > until)
                return false;
            uv_run(&engine->loop, UV_RUN_ONCE);
        }
    }
    return true;
}

bool await_metric(struct engine *engine, int metric, int64_t value, uint64_t timeout_ms)
{
    int64_t until = clock_steady_ms() + (int64_t)timeout_ms;
    while (metric_get((enum metric)metric) != value && clock_steady_ms() < until)
        uv_run(&engine->loop, UV_RUN_ONCE);
    return metric_get((enum metric)metric) == value;
}

void let_go(struct sent *sent, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ticket_release(&sent[i].ticket);
}

static long count_keys(const struct test_redis *redis, const char *pattern)
{
    char words[128];
    snprintf(words, sizeof(words), "EVAL return(#redis.call('keys',ARGV[1])) 0 %s", pattern);
    return strtol(test_redis_ask(redis, words), NULL, 10);
}

long orders_in(const struct test_redis *redis)
{
    return count_keys(redis, "jiesu:{c1}:order:*");
}

long aliases_in(const struct test_redis *redis)
{
    return count_keys(redis, "jiesu:{c1}:alias:*");
}

long queued_in(const struct test_redis *redis)
{
    return strtol(test_redis_ask(redis, "XLEN jiesu:{c1}:q:w1"), NULL, 10);
}

const char *order_field(const struct test_redis *redis, const struct id *id, const char *field)
{
    char words[256];
    snprintf(words, sizeof(words), "HGET jiesu:{c1}:order:%.*s %s", SPAN_ARG(id_ulid(id)), field);
    return test_redis_ask(redis, words);
}
