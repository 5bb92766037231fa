/*
 * The sweeper against a real Redis: each step once, whoever else looks; in order and bounded after a standstill; and
 * again after Redis forgot.
 *
 * The orders here were created two hours ago, wait for their first post, and nobody has looked at them: by
 * rules/process.yaml they go to the station head, who has the last turn, and their clock to respond warns red.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/model/watch.h"
#include "engine/store/sweeper.h"
#include "functions_lua.h"
#include "tests/store/support_engine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENGINES = 2, MANY = 300, PATIENCE_MS = 20000, WORDS = 512 };

static const struct span posts[] = {{"w-bh-03", 7}, {"w-bh-07", 7}, {"w-bh-02", 7}, {"w-bh-01", 7}};

static struct test_redis redis;
static struct policy *policy;
static struct engine engines[ENGINES];
static struct sweeper *sweepers[ENGINES];
static struct id ids[MANY];

static int load_rules(void **state)
{
    (void)state;
    struct err err = {0};
    policy = policy_load("rules", &err);
    if (policy == NULL)
        print_error("%s\n", err.text);
    return policy == NULL ? -1 : 0;
}

static int drop_rules(void **state)
{
    (void)state;
    policy_unref(&policy);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    metric_reset();
    test_redis_start(&redis, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    test_redis_stop(&redis);
    return 0;
}

static struct policy *current(void *ctx)
{
    (void)ctx;
    return policy_ref(policy);
}

/* As much of the history's note as the tests look at. */
static void write_note(const struct life_step *step, struct buf *out)
{
    buf_printf(out, "{\"respond\":\"%s\"}", warning_name(step->levels[CLOCK_RESPOND]));
}

static void open_engine(size_t i)
{
    char outbox[128];
    struct err err = {0};
    snprintf(outbox, sizeof(outbox), "%s/outbox%zu.db", redis.dir, i);
    if (engine_open(&engines[i], &redis, outbox, &err) < 0)
        fail_msg("%s", err.text);
}

static void open_sweeper(size_t i)
{
    struct err err = {0};
    const struct sweeper_options options = {.dispatcher = engines[i].dispatcher,
                                            .target = test_redis_target(&redis),
                                            .library = functions_lua,
                                            .policy = current,
                                            .write_note = write_note};
    sweepers[i] = sweeper_new(&engines[i].loop, &options, &err);
    if (sweepers[i] == NULL)
        fail_msg("%s", err.text);
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

/* As the engine does it. */
static void close_engine(size_t i)
{
    struct engine *engine = &engines[i];
    bool stopped = false;
    sweeper_stop(sweepers[i]);
    dispatcher_stop(engine->dispatcher, 2000, on_stopped, &stopped);
    assert_true(test_run_until(&engine->loop, &stopped, 7000));
    sweeper_close(&sweepers[i]);
    dispatcher_free(&engine->dispatcher);
    mailbox_close(&engine->home);
    test_loop_close(&engine->loop);
}

static const char *ask(const char *format, ...)
{
    static char words[WORDS];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return test_redis_ask(&redis, words);
}

static long ask_number(const char *command)
{
    return strtol(ask("%s", command), NULL, 10);
}

/* Through the dispatcher of the first engine, as ingest does. */
static void create(int64_t created_at, struct span worker, struct id *id, struct sent *sent)
{
    const struct sla_deadlines deadlines =
        sla_deadlines(policy_sla(policy), policy_calendar(policy), SPAN("ordinary"), created_at);
    id_make(id, SPAN("bihu"), created_at);
    const struct record_order order = {.id = id,
                                       .worker = worker,
                                       .grid = SPAN("bihu-01"),
                                       .posts = posts,
                                       .post_count = 4,
                                       .urgency = SPAN("blue"),
                                       .category = SPAN("a/b"),
                                       .kind = SPAN("complaint"),
                                       .class_name = SPAN("ordinary"),
                                       .created_at = created_at,
                                       .due_at = created_at,
                                       .deadlines = &deadlines,
                                       .answer = SPAN("{}"),
                                       .complaint = SPAN("{}")};
    struct buf scratch = {0};
    struct record record;
    assert_int_equal(record_create(&record, &order, &scratch), 0);
    send_record(&engines[0], sent, &record);
    buf_free(&scratch);
}

/* One second after the other from then on. */
static void create_from(int64_t first, struct span worker, size_t count)
{
    static struct sent sent[MANY];
    for (size_t i = 0; i < count; i++)
        create(first + (int64_t)i * 1000, worker, &ids[i], &sent[i]);
    assert_true(await_settled(&engines[0], sent, count, PATIENCE_MS));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sent[i].outcome.code, OUTCOME_DONE);
}

/* Two hours ago. */
static void create_many(size_t count)
{
    create_from(clock_now_ms() - 2 * CLOCK_HOUR_MS - (int64_t)count * 1000, posts[0], count);
}

/* Turns the loops of the engines until nothing is due or claimed and `events` events are there. `meddle` is
 * called between. */
static void sweep(size_t count, long events, void (*meddle)(void))
{
    const int64_t until = clock_steady_ms() + PATIENCE_MS;
    char due[128];
    for (int n = 0;; n++) {
        for (size_t i = 0; i < count; i++)
            uv_run(&engines[i].loop, UV_RUN_NOWAIT);
        if (meddle != NULL && n % 4 == 0)
            meddle();
        if (n % 64 != 0)
            continue;
        snprintf(due, sizeof(due), "ZCOUNT jiesu:{bihu}:due -inf %lld",
                 (long long)clock_now_ms() + LIMIT_SWEEP_CLAIM_MS);
        if (ask_number("XLEN jiesu:{bihu}:events") >= events && ask_number(due) == 0 &&
            metric_get(METRIC_OUTBOX_UNCONFIRMED) == 0)
            return;
        if (clock_steady_ms() > until)
            fail_msg("%ld events after %d ms", ask_number("XLEN jiesu:{bihu}:events"), PATIENCE_MS);
    }
}

static void assert_swept(const struct id *id)
{
    const char *ulid = id_ulid(id).ptr;
    const char *text = ask("HMGET jiesu:{bihu}:order:%s version worker warned:respond", ulid);
    assert_string_equal(text, "3\nw-bh-01\nred");
    assert_non_null(strstr(ask("HGET jiesu:{bihu}:order:%s h2", ulid), "\"step\":\"hand_over\""));
    text = ask("HGET jiesu:{bihu}:order:%s h3", ulid);
    assert_non_null(strstr(text, "\"step\":\"warn\""));
    assert_non_null(strstr(text, "\"by\":\"engine\",\"holder\":\"w-bh-01\","
                                 "\"note\":{\"respond\":\"red\"}}"));
    /* The first post still sees it. */
    assert_non_null(strstr(ask("HGET jiesu:{bihu}:order:%s entries", ulid), ":q:w-bh-03 "));
}

static int64_t fired(void)
{
    return metric_get(METRIC_SWEEP_HAND_OVER) + metric_get(METRIC_SWEEP_WARN);
}

/* ---- once ---- */

/* Takes back all claims. */
static void unclaim(void)
{
    ask("EVAL for\t_,m\tin\tipairs(redis.call('ZRANGE',KEYS[1],0,-1))do\t"
        "redis.call('ZADD',KEYS[1],1,m)end 1 jiesu:{bihu}:due");
}

static void unclaim_half(void)
{
    if (fired() < MANY)
        unclaim();
}

/* Turns the loop of one engine until more than so many orders are looked at. */
static void begin_looks(size_t i, int64_t more_than)
{
    while (metric_get(METRIC_SWEEP_FLIGHT) <= more_than)
        uv_run(&engines[i].loop, UV_RUN_ONCE);
}

static void test_two_engines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENGINES; i++)
        open_engine(i);
    create_many(MANY);
    for (size_t i = 0; i < ENGINES; i++)
        open_sweeper(i);
    /* Both have decided on the same orders before either has taken a step. */
    begin_looks(0, 0);
    unclaim();
    begin_looks(1, LIMIT_SWEEP_BATCH);
    sweep(ENGINES, 3 * MANY, unclaim_half);
    for (size_t i = 0; i < MANY; i++)
        assert_swept(&ids[i]);
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:events"), 3 * MANY);
    assert_int_equal(fired(), 2 * MANY);
    assert_true(metric_get(METRIC_SWEEP_LOOKS) > 2 * MANY);
    assert_true(metric_get(METRIC_SWEEP_MISSED) >= LIMIT_SWEEP_BATCH / 2);
    /* The head is told, once of each: of red ones all are. */
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:notices:w-bh-01"), MANY);
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:notices:w-bh-02"), MANY);
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:q:w-bh-03"), MANY);
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:q:w-bh-01"), MANY);
    assert_int_equal(ask_number("HGET jiesu:{bihu}:open w-bh-01"), MANY);
    assert_int_equal(ask_number("HLEN jiesu:{bihu}:open"), 1);
    for (size_t i = 0; i < ENGINES; i++)
        close_engine(i);
}

/* ---- after a standstill ---- */

static int64_t most_in_flight;

static void watch_flight(void)
{
    const int64_t now = metric_get(METRIC_SWEEP_FLIGHT);
    most_in_flight = now > most_in_flight ? now : most_in_flight;
}

/* The orders come as they were due, not as they are named, and few at once. */
static void test_catches_up_in_order(void **state)
{
    (void)state;
    char order[WORDS];
    open_engine(0);
    create_many(MANY);
    for (size_t i = 0; i < MANY; i++)
        ask("ZADD jiesu:{bihu}:due %zu %s", MANY - i, id_ulid(&ids[i]).ptr);
    open_sweeper(0);
    most_in_flight = 0;
    sweep(1, 3 * MANY, watch_flight);
    assert_true(most_in_flight <= LIMIT_SWEEP_FLIGHT);
    assert_string_equal(
        ask("EVAL local\ta={}for\t_,e\tin\tipairs(redis.call('XRANGE',KEYS[1],'-','+'))do\t"
            "if\te[2][4]:match'^%%d+%%s(.-)%%s'=='hand_over'then\ta[#a+1]=e[2][2]"
            "end\tend\treturn\ta[1]..a[2]..a[#a] 1 "
            "jiesu:{bihu}:events"),
        (snprintf(order, sizeof(order), "%s%s%s", id_ulid(&ids[MANY - 1]).ptr,
                  id_ulid(&ids[MANY - 2]).ptr, id_ulid(&ids[0]).ptr),
         order));
    assert_int_equal(fired(), 2 * MANY);
    close_engine(0);
}

/* What is not due yet is put off until it is; what has no time any more is looked at no more; what changes while it is
 * looked at is looked at again. */
static void test_defers(void **state)
{
    (void)state;
    open_engine(0);
    const int64_t now = clock_now_ms();
    create_from(now, posts[3], 2); /* the last post: nobody else's turn comes */
    const struct id early = ids[0], ended = ids[1];
    ask("HSET jiesu:{bihu}:order:%s state cancelled", id_ulid(&ended).ptr);
    ask("ZADD jiesu:{bihu}:due 1 01ARZ3NDEKTSV4RRFFQ69G5FAV"); /* no order */
    open_sweeper(0);
    sweep(1, 2, NULL);
    const double at = strtod(ask("ZSCORE jiesu:{bihu}:due %s", id_ulid(&early).ptr), NULL);
    assert_true(at > (double)now && at <= (double)now + 8 * CLOCK_MINUTE_MS);
    assert_int_equal(ask_number("ZCARD jiesu:{bihu}:due"), 1);
    assert_int_equal(metric_get(METRIC_SWEEP_LOOKS), 2);
    assert_int_equal(fired(), 0);
    close_engine(0);
}

/* An order that cannot be read is told of, and holds nobody up. */
static void test_damaged_order(void **state)
{
    (void)state;
    log_set_level(LOG_OFF);
    open_engine(0);
    create_many(2);
    ask("HSET jiesu:{bihu}:order:%s state unheard-of", id_ulid(&ids[0]).ptr);
    open_sweeper(0);
    const int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (fired() < 2 && clock_steady_ms() < until)
        uv_run(&engines[0].loop, UV_RUN_ONCE);
    assert_swept(&ids[1]);
    assert_string_equal(ask("HGET jiesu:{bihu}:order:%s version", id_ulid(&ids[0]).ptr), "1");
    close_engine(0);
}

/* ---- after Redis forgot ---- */

static void cut_aof(double keep)
{
    char dir[160], path[512] = "";
    struct stat st;
    snprintf(dir, sizeof(dir), "%s/appendonlydir", redis.dir);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strstr(e->d_name, ".incr.aof") != NULL)
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
    }
    closedir(d);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, (off_t)((double)st.st_size * keep)), 0);
}

/* Redis is killed when so many steps were taken, and forgets a part of all it was told. */
static void forget_at(int64_t steps, double keep)
{
    open_engine(0);
    create_many(MANY);
    open_sweeper(0);
    while (fired() < steps)
        uv_run(&engines[0].loop, UV_RUN_ONCE);
    test_redis_kill(&redis);
    cut_aof(keep);
    test_redis_restart(&redis);
    sweep(1, 3 * MANY, NULL);
    for (size_t i = 0; i < MANY; i++)
        assert_swept(&ids[i]);
    close_engine(0);
}

static void test_forgets_some(void **state)
{
    (void)state;
    forget_at(MANY, 0.8);
}

static void test_forgets_all(void **state)
{
    (void)state;
    forget_at(2 * MANY, 0);
}

/* The engine is gone in the middle of it: what it had claimed is due for the next. */
static void test_next_engine_goes_on(void **state)
{
    (void)state;
    open_engine(0);
    create_many(MANY);
    open_sweeper(0);
    while (fired() < MANY / 2)
        uv_run(&engines[0].loop, UV_RUN_ONCE);
    close_engine(0);
    open_engine(0);
    open_sweeper(0);
    sweep(1, 3 * MANY, NULL);
    for (size_t i = 0; i < MANY; i++)
        assert_swept(&ids[i]);
    assert_int_equal(ask_number("XLEN jiesu:{bihu}:events"), 3 * MANY);
    close_engine(0);
}

/* ---- short of memory ---- */

static void test_short_of_memory(void **state)
{
    (void)state;
    struct err err = {0};
    open_engine(0);
    const struct sweeper_options options = {.dispatcher = engines[0].dispatcher,
                                            .target = test_redis_target(&redis),
                                            .policy = current,
                                            .write_note = write_note};
    uint64_t failures = 0;
    for (struct sweeper *s = NULL; s == NULL; failures++) {
        mem_fail_at(failures + 1);
        s = sweeper_new(&engines[0].loop, &options, &err);
        mem_fail_at(0);
        assert_true(s != NULL || err.code == ERR_NOMEM);
        sweepers[0] = s;
    }
    assert_true(failures > 2);
    close_engine(0);
}

/* Allocations fail while it looks: what was begun comes back when its claim is over. */
static void test_looks_without_memory(void **state)
{
    (void)state;
    enum { FEW = 20 };
    open_engine(0);
    create_many(FEW);
    open_sweeper(0);
    log_set_level(LOG_OFF);
    for (uint64_t n = 1; n < 200; n++) {
        mem_fail_at(n % 40 + 1);
        uv_run(&engines[0].loop, UV_RUN_NOWAIT);
        mem_fail_at(0);
    }
    sweep(1, 3 * FEW, NULL);
    for (size_t i = 0; i < FEW; i++)
        assert_swept(&ids[i]);
    close_engine(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_two_engines),         T(test_catches_up_in_order), T(test_defers),
        T(test_damaged_order),       T(test_forgets_some),        T(test_forgets_all),
        T(test_next_engine_goes_on), T(test_short_of_memory),     T(test_looks_without_memory),
#undef T
    };
    return cmocka_run_group_tests(tests, load_rules, drop_rules);
}
