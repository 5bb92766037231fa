/*
 * The promise, against a real Redis that is killed, cut, frozen and cut off.
 *
 * The tests of replay fail when the replay is broken on purpose: leave out `d->confirmed = 0` in
 * dispatch_ready, and test_replay_after_cut, test_random_crashes and test_steps_after_cut lose
 * orders.
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
#include "engine/base/random.h"
#include "tests/store/support_engine.h"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 300, PATIENCE_MS = 20000 };

static struct test_redis redis;
static char outbox[128];

static int set_up(void **state)
{
    (void)state;
    metric_reset();
    test_redis_start(&redis, NULL);
    snprintf(outbox, sizeof(outbox), "%s/outbox.db", redis.dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_redis_stop(&redis);
    return 0;
}

static void open_engine(struct engine *engine)
{
    struct err err = {0};
    if (engine_open(engine, &redis, outbox, &err) < 0)
        fail_msg("%s", err.text);
}

static void send_many(struct engine *engine, struct sent *sent, size_t count)
{
    for (size_t i = 0; i < count; i++)
        send_create(engine, &sent[i], NULL, "");
}

static void assert_outcomes(const struct sent *sent, size_t count, enum outcome_code code)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(sent[i].settled);
        assert_int_equal(sent[i].outcome.code, code);
    }
}

/* Cuts bytes off the end of the append-only file of a dead Redis. */
static void cut_aof(uint64_t bytes)
{
    char dir[160], path[512] = "";
    snprintf(dir, sizeof(dir), "%s/appendonlydir", redis.dir);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strstr(e->d_name, ".incr.aof") != NULL)
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
    }
    closedir(d);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    off_t keep = (uint64_t)st.st_size > bytes ? st.st_size - (off_t)bytes : 0;
    assert_int_equal(truncate(path, keep), 0);
}

static uint64_t aof_size(void)
{
    const char *info = test_redis_ask(&redis, "INFO persistence");
    const char *at = strstr(info, "aof_current_size:");
    assert_non_null(at);
    return strtoull(at + strlen("aof_current_size:"), NULL, 10);
}

/* --- the life of an order ------------------------------------------------------------------- */

static void test_life_of_an_order(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[8];
    open_engine(&engine);
    send_create(&engine, &s[0], NULL, "");
    /* Steps that are sent at once wait for the create, and for each other. */
    send_step(&engine, &s[1], &s[0].id, STEP_RESOLVE, "r0");
    send_step(&engine, &s[2], &s[0].id, STEP_ACCEPT, "a1");
    send_step(&engine, &s[3], &s[0].id, STEP_ACCEPT, "a1");
    send_step(&engine, &s[4], &s[0].id, STEP_ACCEPT, "a2");
    send_step(&engine, &s[5], &s[0].id, STEP_RESOLVE, "r0"); /* was refused, stays refused */
    send_step(&engine, &s[6], &s[0].id, STEP_RESOLVE, "r1");
    struct id nobody = example_id();
    send_step(&engine, &s[7], &nobody, STEP_ACCEPT, "a1");
    assert_true(await_settled(&engine, s, 8, PATIENCE_MS));
    const enum outcome_code want[] = {OUTCOME_DONE,     OUTCOME_CONFLICT, OUTCOME_DONE,
                                      OUTCOME_REPLAYED, OUTCOME_CONFLICT, OUTCOME_CONFLICT,
                                      OUTCOME_DONE,     OUTCOME_NOT_FOUND};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(s[i].outcome.code, want[i]);
    assert_string_equal(s[2].state, "accepted");
    assert_int_equal(s[2].outcome.version, 2);
    assert_string_equal(s[6].state, "resolved");
    assert_int_equal(s[6].outcome.version, 3);
    assert_string_equal(order_field(&redis, &s[0].id, "state"), "resolved");
    assert_int_equal(queued_in(&redis), 0);
    /* What is due next is its closing. */
    assert_string_equal(test_redis_ask(&redis, "ZRANGE jiesu:{c1}:due 0 -1 WITHSCORES") +
                            ID_ULID_BYTES + 1,
                        "1700000101000");
    engine_close(&engine, 1000);
}

static void test_released_when_safe(void **state)
{
    (void)state;
    struct engine engine;
    static struct sent s[MANY];
    open_engine(&engine);
    send_many(&engine, s, MANY);
    assert_true(await_settled(&engine, s, MANY, PATIENCE_MS));
    int64_t began = clock_steady_ms();
    assert_int_equal(metric_get(METRIC_OUTBOX_HELD), MANY);
    assert_true(await_metric(&engine, METRIC_OUTBOX_HELD, 0, PATIENCE_MS));
    assert_true(clock_steady_ms() - began >= 2000);
    assert_int_equal(metric_get(METRIC_OUTBOX_UNCONFIRMED), 0);
    engine_close(&engine, 1000);
    /* Nothing is taken up by the next one, and numbers go on. */
    open_engine(&engine);
    assert_int_equal(metric_get(METRIC_OUTBOX_HELD), 0);
    send_many(&engine, s, 3);
    assert_true(await_settled(&engine, s, 3, PATIENCE_MS));
    engine_close(&engine, 1000);
    assert_int_equal(orders_in(&redis), MANY + 3);
    assert_int_equal(queued_in(&redis), MANY + 3);
}

/* --- idempotency keys ----------------------------------------------------------------------- */

static void test_key_is_replayed(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[4];
    open_engine(&engine);
    send_create(&engine, &s[0], "k", "body");
    send_create(&engine, &s[1], "k", "body");
    assert_int_equal(s[1].rc, -1);
    assert_int_equal(s[1].refused, ERR_CONFLICT);
    send_create(&engine, &s[1], "k", "other");
    assert_int_equal(s[1].refused, ERR_INVALID);
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    assert_int_equal(s[0].outcome.code, OUTCOME_DONE);
    send_create(&engine, &s[1], "k", "body");
    assert_true(await_settled(&engine, s, 2, PATIENCE_MS));
    assert_int_equal(s[1].outcome.code, OUTCOME_REPLAYED);
    assert_string_equal(s[1].order.text, s[0].id.text);
    assert_non_null(strstr(s[1].text, s[0].id.text));
    send_create(&engine, &s[2], "k", "other");
    assert_true(await_settled(&engine, s, 3, PATIENCE_MS));
    assert_int_equal(s[2].outcome.code, OUTCOME_OTHER_BODY);
    send_create(&engine, &s[3], "k2", "other");
    assert_true(await_settled(&engine, s, 4, PATIENCE_MS));
    assert_int_equal(s[3].outcome.code, OUTCOME_DONE);
    engine_close(&engine, 1000);
    assert_int_equal(orders_in(&redis), 2);
    /* A restart sends all again, and the one with the other body is not among them. */
    metric_reset();
    open_engine(&engine);
    assert_int_equal(metric_get(METRIC_OUTBOX_HELD), 4);
    assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
    send_create(&engine, &s[0], NULL, "");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    assert_int_equal(orders_in(&redis), 3);
    engine_close(&engine, 1000);
}

static void test_key_joins_after_202(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[4];
    open_engine(&engine);
    test_redis_kill(&redis);
    send_create(&engine, &s[0], "k", "body");
    assert_true(await_committed(&engine, s, 1));
    send_create(&engine, &s[1], "k", "body");
    assert_int_equal(s[1].refused, ERR_CONFLICT);
    let_go(s, 1); /* 202 */
    send_create(&engine, &s[1], "k", "body");
    assert_int_equal(s[1].rc, 0);
    assert_string_equal(s[1].told.text, s[0].id.text);
    assert_true(ticket_committed(s[1].ticket));
    send_create(&engine, &s[2], "k", "other");
    assert_int_equal(s[2].refused, ERR_INVALID);
    test_redis_restart(&redis);
    assert_true(await_settled(&engine, &s[1], 1, PATIENCE_MS));
    assert_int_equal(s[1].outcome.code, OUTCOME_REPLAYED);
    assert_string_equal(s[1].order.text, s[0].id.text);
    assert_non_null(strstr(s[1].text, s[0].id.text));
    engine_close(&engine, 1000);
    assert_int_equal(orders_in(&redis), 1);
    assert_int_equal(aliases_in(&redis), 0);
}

/* The key was claimed long ago; while Redis is away a retry gets a 202 with an id of its own, and a
 * request with another body one, too. */
static void test_promises_made_in_the_dark(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[4];
    open_engine(&engine);
    send_create(&engine, &s[0], "k", "body");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    test_redis_freeze(&redis);
    send_create(&engine, &s[1], "k", "body");
    assert_true(await_committed(&engine, &s[1], 1));
    let_go(&s[1], 1);
    test_redis_thaw(&redis);
    struct id given = s[1].id;
    send_create(&engine, &s[2], NULL, "");
    assert_true(await_settled(&engine, &s[2], 1, PATIENCE_MS));
    test_run_for(&engine.loop, 20);
    assert_int_equal(orders_in(&redis), 2);
    assert_int_equal(aliases_in(&redis), 1);
    char words[128];
    snprintf(words, sizeof(words), "GET jiesu:{c1}:alias:%.*s", SPAN_ARG(id_ulid(&given)));
    assert_string_equal(test_redis_ask(&redis, words), s[0].id.text);

    test_redis_freeze(&redis);
    send_create(&engine, &s[3], "k", "other body");
    assert_true(await_committed(&engine, &s[3], 1));
    let_go(&s[3], 1);
    test_redis_thaw(&redis);
    assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
    assert_int_equal(orders_in(&redis), 3);
    assert_string_equal(order_field(&redis, &s[3].id, "state"), "dispatched");
    engine_close(&engine, 1000);
}

/* An engine died between the claim and the create: the retry at another engine finishes its order.
 */
static void test_retry_finishes_another_engines_order(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[1];
    struct id theirs = example_id();
    char words[256];
    struct hash128 key = hash128(SPAN("k")), body = hash128(SPAN("body"));
    open_engine(&engine);
    assert_true(await_metric(&engine, METRIC_REDIS_CONNECTED, 1, PATIENCE_MS));
    snprintf(words, sizeof(words), "SET jiesu:claim:%016llx%016llx %s/%016llx%016llx",
             (unsigned long long)key.hi, (unsigned long long)key.lo, theirs.text,
             (unsigned long long)body.hi, (unsigned long long)body.lo);
    test_redis_ask(&redis, words);
    send_create(&engine, s, "k", "body");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    assert_int_equal(s[0].outcome.code, OUTCOME_REPLAYED);
    assert_string_equal(s[0].order.text, theirs.text);
    assert_non_null(strstr(s[0].text, theirs.text));
    assert_null(strstr(s[0].text, s[0].id.text));
    assert_int_equal(orders_in(&redis), 1);
    assert_non_null(strstr(order_field(&redis, &theirs, "answer"), theirs.text));
    assert_non_null(strstr(test_redis_ask(&redis, "XRANGE jiesu:{c1}:q:w1 - +"), theirs.text));
    engine_close(&engine, 1000);
}

static void test_two_engines_race_for_keys(void **state)
{
    (void)state;
    enum { KEYS = 100 };
    struct engine a, b;
    static struct sent sa[KEYS], sb[KEYS];
    char second[160];
    open_engine(&a);
    snprintf(second, sizeof(second), "%s.second", outbox);
    assert_int_equal(engine_open(&b, &redis, second, NULL), 0);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        send_create(&a, &sa[i], key, "body");
        send_create(&b, &sb[i], key, "body");
        uv_run(&a.loop, UV_RUN_NOWAIT);
        uv_run(&b.loop, UV_RUN_NOWAIT);
    }
    assert_true(await_settled(&a, sa, KEYS, PATIENCE_MS));
    assert_true(await_settled(&b, sb, KEYS, PATIENCE_MS));
    for (int i = 0; i < KEYS; i++) {
        assert_string_equal(sa[i].order.text, sb[i].order.text);
        assert_true(sa[i].outcome.code == OUTCOME_REPLAYED ||
                    sb[i].outcome.code == OUTCOME_REPLAYED);
    }
    assert_int_equal(orders_in(&redis), KEYS);
    assert_int_equal(queued_in(&redis), KEYS);
    engine_close(&a, 1000);
    engine_close(&b, 1000);
}

/* --- crashes of Redis ----------------------------------------------------------------------- */

static void test_replay_after_cut(void **state)
{
    (void)state;
    struct engine engine;
    static struct sent s[MANY];
    open_engine(&engine);
    send_many(&engine, s, MANY);
    assert_true(await_settled(&engine, s, MANY, PATIENCE_MS));
    assert_outcomes(s, MANY, OUTCOME_DONE);
    uint64_t size = aof_size();
    test_redis_kill(&redis);
    cut_aof(size / 2);
    test_redis_restart(&redis);
    assert_true(orders_in(&redis) < MANY); /* it has forgotten some */
    assert_true(await_metric(&engine, METRIC_REPLAYS, 1, PATIENCE_MS));
    assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
    assert_int_equal(metric_get(METRIC_REPLAYED_RECORDS), MANY);
    assert_int_equal(orders_in(&redis), MANY);
    assert_int_equal(queued_in(&redis), MANY);
    engine_close(&engine, 1000);
}

/* Steps after a cut: what was refused stays refused, what was done is done again, in order. */
static void test_steps_after_cut(void **state)
{
    (void)state;
    struct random random = {.state = 7};
    struct engine engine;
    open_engine(&engine);
    for (int round = 0; round < 4; round++) {
        enum { ORDERS = 10, STEPS = 4 };
        struct sent s[ORDERS * (1 + STEPS)];
        uint64_t before = aof_size();
        for (int i = 0; i < ORDERS; i++) {
            struct sent *o = &s[i * (1 + STEPS)];
            send_create(&engine, o, NULL, "");
            send_step(&engine, o + 1, &o->id, STEP_RESOLVE, "r0");
            send_step(&engine, o + 2, &o->id, STEP_ACCEPT, "a1");
            send_step(&engine, o + 3, &o->id, STEP_ACCEPT, "a2");
            send_step(&engine, o + 4, &o->id, STEP_RESOLVE, i % 2 == 0 ? "r1" : "r0");
        }
        assert_true(await_settled(&engine, s, ORDERS * (1 + STEPS), PATIENCE_MS));
        uint64_t after = aof_size();
        test_redis_kill(&redis);
        cut_aof(random_below(&random, after > before ? after - before : 1));
        test_redis_restart(&redis);
        assert_true(await_metric(&engine, METRIC_REPLAYS, round + 1, PATIENCE_MS));
        assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
        for (int i = 0; i < ORDERS; i++) {
            struct sent *o = &s[i * (1 + STEPS)];
            assert_int_equal(o[1].outcome.code, OUTCOME_CONFLICT);
            assert_int_equal(o[3].outcome.code, OUTCOME_CONFLICT);
            assert_string_equal(order_field(&redis, &o->id, "state"),
                                i % 2 == 0 ? "resolved" : "accepted");
            assert_string_equal(order_field(&redis, &o->id, "version"), i % 2 == 0 ? "3" : "2");
        }
        assert_int_equal(queued_in(&redis), 0);
        assert_int_equal(orders_in(&redis), (round + 1) * ORDERS);
    }
    engine_close(&engine, 1000);
}

/* A lost connection to the same Redis: goes on where it was. */
static void test_resume(void **state)
{
    (void)state;
    struct engine engine;
    static struct sent s[MANY];
    open_engine(&engine);
    for (size_t i = 0; i < MANY; i++) {
        send_create(&engine, &s[i], i % 3 == 0 ? "k" : NULL, "");
        if (s[i].rc < 0) /* the key is in progress */
            send_create(&engine, &s[i], NULL, "");
        if (i % 50 == 25) {
            uv_run(&engine.loop, UV_RUN_NOWAIT);
            test_redis_ask(&redis, "CLIENT KILL TYPE normal SKIPME yes");
        }
    }
    assert_true(await_settled(&engine, s, MANY, PATIENCE_MS));
    assert_int_equal(metric_get(METRIC_REPLAYS), 0);
    long replayed = 0;
    for (size_t i = 0; i < MANY; i++)
        replayed +=
            s[i].outcome.code == OUTCOME_REPLAYED && strcmp(s[i].order.text, s[i].id.text) != 0;
    assert_int_equal(orders_in(&redis), MANY - replayed);
    assert_int_equal(queued_in(&redis), MANY - replayed);
    engine_close(&engine, 1000);
}

/* A frozen Redis is given up after its deadline. What was in its socket is carried out when it
 * thaws, as well as what is sent again. */
static void test_freeze(void **state)
{
    (void)state;
    struct engine engine;
    static struct sent s[MANY];
    open_engine(&engine);
    send_create(&engine, &s[0], NULL, "");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    test_redis_freeze(&redis);
    send_many(&engine, s + 1, MANY - 1);
    assert_true(await_committed(&engine, s, MANY));
    assert_true(await_metric(&engine, METRIC_REDIS_CONNECTED, 0, PATIENCE_MS));
    test_redis_thaw(&redis);
    assert_true(await_settled(&engine, s, MANY, PATIENCE_MS));
    assert_outcomes(s, MANY, OUTCOME_DONE);
    assert_int_equal(orders_in(&redis), MANY);
    assert_int_equal(queued_in(&redis), MANY);
    assert_int_equal(metric_get(METRIC_REPLAYS), 0);
    engine_close(&engine, 1000);
}

/* Redis dies and loses a tail at random moments, while complaints come in; some with keys that are
 * tried again until they are answered. Afterwards: every acknowledged one is there, once. */
static void test_random_crashes(void **state)
{
    (void)state;
    enum { ROUNDS = 5 };
    struct random random = {.state = 20260301};
    struct engine engine;
    static struct sent s[1 + ROUNDS * MANY];
    size_t count = 0;
    long keys = 0;
    open_engine(&engine);
    send_create(&engine, &s[count++], NULL, "");
    assert_true(await_settled(&engine, s, count, PATIENCE_MS));
    uint64_t safe = 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 2 == 1)
            assert_true(await_settled(&engine, s, count, PATIENCE_MS));
        for (int i = 0; i < MANY; i++) {
            char key[32];
            bool keyed = random_below(&random, 3) == 0;
            /* Of this round or the one before: some are in progress, some are settled. */
            snprintf(key, sizeof(key), "k%d", (int)random_below(&random, 600) + round * 300);
            send_create(&engine, &s[count], keyed ? key : NULL, "body");
            count += s[count].rc == 0;
            if (random_below(&random, 20) == 0)
                uv_run(&engine.loop, UV_RUN_NOWAIT);
        }
        uint64_t size = aof_size();
        test_redis_kill(&redis);
        cut_aof(random_below(&random, size > safe ? size - safe : 1));
        if (random_below(&random, 2) == 0)
            test_run_for(&engine.loop, random_below(&random, 50));
        test_redis_restart(&redis);
        safe = aof_size();
        assert_true(await_metric(&engine, METRIC_REPLAYS, round + 1, PATIENCE_MS));
    }
    assert_true(await_settled(&engine, s, count, PATIENCE_MS));
    assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
    long own = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(s[i].outcome.code == OUTCOME_DONE || s[i].outcome.code == OUTCOME_REPLAYED);
        assert_string_equal(order_field(&redis, &s[i].order, "state"), "dispatched");
        own += strcmp(s[i].order.text, s[i].id.text) == 0;
        keys += s[i].outcome.code == OUTCOME_REPLAYED;
    }
    assert_int_equal(orders_in(&redis), own);
    assert_int_equal(queued_in(&redis), own);
    assert_true(keys > 0);
    engine_close(&engine, 1000);
}

/* --- crashes of the engine ------------------------------------------------------------------ */

/* A process with an engine that writes the id of every committed record to a pipe until it is
 * killed. */
static pid_t start_victim(int *out)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid != 0) {
        close(fds[1]);
        *out = fds[0];
        return pid;
    }
    struct engine engine;
    open_engine(&engine);
    for (;;) {
        struct sent s[16];
        for (int i = 0; i < 16; i++) {
            char key[32];
            snprintf(key, sizeof(key), "%d", rand());
            send_create(&engine, &s[i], i % 2 == 0 ? key : NULL, "");
        }
        await_committed(&engine, s, 16);
        for (int i = 0; i < 16; i++) {
            if (s[i].ticket == NULL && !s[i].settled)
                continue;
            if (write(fds[1], s[i].told.text, sizeof(s[i].told.text)) < 0)
                _exit(1);
        }
        let_go(s, 16);
    }
}

/* The id names an order, or is the alias of one. (rand() repeats itself, so the keys of the second
 * victim are the first one's, and many of its ids were given out in vain.) */
static bool is_kept(const struct id *id)
{
    if (strcmp(order_field(&redis, id, "state"), "dispatched") == 0)
        return true;
    char words[128];
    struct id order;
    snprintf(words, sizeof(words), "GET jiesu:{c1}:alias:%.*s", SPAN_ARG(id_ulid(id)));
    return id_parse(span_str(test_redis_ask(&redis, words)), &order) == 0 &&
           strcmp(order_field(&redis, &order, "state"), "dispatched") == 0;
}

static void test_engine_killed(void **state)
{
    (void)state;
    long promised = 0;
    static struct id ids[200000];
    for (int round = 0; round < 3; round++) {
        int fd;
        pid_t pid = start_victim(&fd);
        struct id id;
        int until = 100 + round * 333;
        while (until-- > 0 && read(fd, id.text, sizeof(id.text)) == sizeof(id.text))
            ids[promised++] = id;
        kill(pid, SIGKILL);
        while (read(fd, id.text, sizeof(id.text)) == sizeof(id.text))
            ids[promised++] = id;
        waitpid(pid, NULL, 0);
        close(fd);
    }
    struct engine engine;
    struct sent last;
    open_engine(&engine);
    send_create(&engine, &last, NULL, "");
    assert_true(await_settled(&engine, &last, 1, PATIENCE_MS));
    for (long i = 0; i < promised; i++)
        assert_true(is_kept(&ids[i]));
    assert_int_equal(queued_in(&redis), orders_in(&redis));
    assert_true(promised >= 1000);
    engine_close(&engine, 1000);
}

/* --- what is refused, and what is short ----------------------------------------------------- */

/* How many records were buried for a reason with this word. */
static int64_t dead_rows(const char *word)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(outbox, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM dead WHERE instr(reason, ?1) > 0",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(stmt, 1, word, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void test_poison_is_buried(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[3];
    open_engine(&engine);
    test_redis_ask(&redis, "SET jiesu:{c1}:q:bad x");
    send_create(&engine, &s[0], NULL, "");
    send_create_for(&engine, &s[1], "bad");
    send_create(&engine, &s[2], NULL, "");
    assert_true(await_settled(&engine, s, 3, PATIENCE_MS));
    assert_int_equal(s[0].outcome.code, OUTCOME_DONE);
    assert_int_equal(s[1].outcome.code, OUTCOME_REJECTED);
    assert_int_equal(s[2].outcome.code, OUTCOME_DONE);
    assert_int_equal(metric_get(METRIC_POISONED), 1);
    assert_string_equal(test_redis_ask(&redis, "ZCARD jiesu:{c1}:due"), "2");
    engine_close(&engine, 1000);
    assert_int_equal(dead_rows("WRONGTYPE"), 1);
}

/* Flips a bit in the last argument of a record in the outbox's file. */
static void rot(sqlite3_int64 seq)
{
    sqlite3 *db;
    sqlite3_blob *blob;
    char byte;
    assert_int_equal(sqlite3_open(outbox, &db), SQLITE_OK);
    assert_int_equal(sqlite3_blob_open(db, "main", "held", "bytes", seq, 1, &blob), SQLITE_OK);
    const int at = sqlite3_blob_bytes(blob) - 10;
    assert_int_equal(sqlite3_blob_read(blob, &byte, 1, at), SQLITE_OK);
    byte ^= 1;
    assert_int_equal(sqlite3_blob_write(blob, &byte, 1, at), SQLITE_OK);
    sqlite3_blob_close(blob);
    sqlite3_close(db);
}

/* What comes from the file is looked at before it is sent. */
static void test_rotten_record_is_buried(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[3], late;
    open_engine(&engine);
    test_redis_kill(&redis);
    send_many(&engine, s, 3);
    assert_true(await_committed(&engine, s, 3));
    let_go(s, 3);
    engine_close(&engine, 150);
    rot(2);
    test_redis_restart(&redis);
    open_engine(&engine);
    send_create(&engine, &late, NULL, "");
    assert_true(await_settled(&engine, &late, 1, PATIENCE_MS));
    assert_true(await_metric(&engine, METRIC_POISONED, 1, PATIENCE_MS));
    assert_int_equal(orders_in(&redis), 3);
    engine_close(&engine, 1000);
    assert_int_equal(dead_rows("damaged"), 1);
}

static void test_full_redis_delays_only(void **state)
{
    (void)state;
    struct engine engine;
    static struct sent s[20];
    open_engine(&engine);
    send_create(&engine, &s[0], NULL, "");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    test_redis_ask(&redis, "CONFIG SET maxmemory 1");
    send_many(&engine, s + 1, 19);
    assert_true(await_committed(&engine, s, 20));
    test_run_for(&engine.loop, 300);
    for (int i = 1; i < 20; i++)
        assert_false(s[i].settled);
    test_redis_ask(&redis, "CONFIG SET maxmemory 0");
    assert_true(await_settled(&engine, s, 20, PATIENCE_MS));
    assert_outcomes(s, 20, OUTCOME_DONE);
    assert_int_equal(orders_in(&redis), 20);
    assert_int_equal(metric_get(METRIC_POISONED), 0);
    engine_close(&engine, 1000);
}

/* More than memory is to hold while Redis is away: the rest comes from the outbox, in order. */
static void test_backlog_from_disk(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct engine engine;
    static struct sent s[COUNT];
    open_engine(&engine);
    send_create(&engine, &s[0], NULL, "");
    assert_true(await_settled(&engine, s, 1, PATIENCE_MS));
    test_redis_kill(&redis);
    for (size_t i = 1; i < COUNT; i++) {
        send_create(&engine, &s[i], NULL, "");
        assert_int_equal(s[i].rc, 0);
        if (i % 5000 == 0) {
            assert_true(await_committed(&engine, s, i));
            let_go(s, i - 100); /* a few are still waited for */
        }
    }
    assert_true(await_committed(&engine, s, COUNT));
    assert_true(await_metric(&engine, METRIC_REDIS_CONNECTED, 0, PATIENCE_MS));
    assert_false(dispatcher_live(engine.dispatcher));
    test_redis_restart(&redis);
    assert_true(await_settled(&engine, &s[COUNT - 50], 50, PATIENCE_MS));
    assert_true(await_metric(&engine, METRIC_OUTBOX_UNCONFIRMED, 0, PATIENCE_MS));
    assert_true(dispatcher_live(engine.dispatcher));
    assert_int_equal(orders_in(&redis), COUNT);
    assert_int_equal(queued_in(&redis), COUNT);
    engine_close(&engine, 1000);
}

static void test_stop_keeps_what_redis_never_saw(void **state)
{
    (void)state;
    struct engine engine;
    struct sent s[10], late;
    open_engine(&engine);
    test_redis_kill(&redis);
    send_many(&engine, s, 10);
    assert_true(await_committed(&engine, s, 10));
    let_go(s, 10);
    engine_close(&engine, 150);
    test_redis_restart(&redis);
    open_engine(&engine);
    assert_int_equal(metric_get(METRIC_OUTBOX_HELD), 10);
    send_create(&engine, &late, NULL, "");
    assert_true(await_settled(&engine, &late, 1, PATIENCE_MS));
    assert_int_equal(orders_in(&redis), 11);
    engine_close(&engine, 1000);
}

/* Every allocation fails once. Whatever is answered is true: what was committed becomes an order.
 */
static void test_out_of_memory(void **state)
{
    (void)state;
    long done = 0;
    bool clean = false;
    for (uint64_t n = 1; !clean; n++) {
        struct engine engine;
        struct sent s[3];
        struct err err;
        mem_fail_at(n);
        if (engine_open(&engine, &redis, outbox, &err) < 0) {
            mem_fail_at(0);
            assert_int_equal(err.code, ERR_NOMEM);
            unlink(outbox);
            continue;
        }
        char key[32];
        snprintf(key, sizeof(key), "oom%d", (int)n);
        send_create(&engine, &s[0], key, "body");
        send_create(&engine, &s[1], NULL, "");
        send_step(&engine, &s[2], &s[0].id, STEP_ACCEPT, "a");
        assert_true(await_settled(&engine, s, 3, PATIENCE_MS));
        clean = mem_asked() < n;
        mem_fail_at(0);
        for (int i = 0; i < 2; i++) {
            if (s[i].rc < 0)
                assert_int_equal(s[i].refused, ERR_NOMEM);
            else if (s[i].outcome.code != OUTCOME_NOT_WRITTEN)
                done++;
        }
        engine_close(&engine, 1000);
        assert_int_equal(unlink(outbox), 0);
    }
    assert_int_equal(orders_in(&redis), done);
}

int main(void)
{
    log_set_level(LOG_OFF);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_life_of_an_order),
        T(test_released_when_safe),
        T(test_key_is_replayed),
        T(test_key_joins_after_202),
        T(test_promises_made_in_the_dark),
        T(test_retry_finishes_another_engines_order),
        T(test_two_engines_race_for_keys),
        T(test_replay_after_cut),
        T(test_steps_after_cut),
        T(test_resume),
        T(test_freeze),
        T(test_random_crashes),
        T(test_engine_killed),
        T(test_poison_is_buried),
        T(test_rotten_record_is_buried),
        T(test_full_redis_delays_only),
        T(test_backlog_from_disk),
        T(test_stop_keeps_what_redis_never_saw),
        T(test_out_of_memory),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
