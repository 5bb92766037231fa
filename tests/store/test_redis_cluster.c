/*
 * The client against a real Redis Cluster of three nodes on loopback: slots that move while
 * commands are on their way, a master that dies, a master nobody knew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/redis.h"
#include "engine/store/redis_slots.h"
#include "tests/store/support_seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY                                                                   \
    "#!lua name=jiesu\n-- version 1\n"                                            \
    "redis.register_function{function_name='jiesu_version', flags={'no-writes'}," \
    " callback=function() return 1 end}\n"

enum { NODES = 3, PATIENCE_MS = 20000, KEYS = 600 };

static struct test_redis node[NODES];
static char node_id[NODES][64];

/* ---- the cluster ---- */

static const char *ask(int n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *ask(int n, const char *fmt, ...)
{
    char words[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    return test_redis_ask(&node[n], words);
}

static bool everyone_agrees(uv_loop_t *loop)
{
    for (int i = 0; i < 1000; i++) {
        int good = 0;
        for (int n = 0; n < NODES; n++)
            if (strstr(ask(n, "CLUSTER INFO"), "cluster_state:ok") != NULL &&
                strstr(ask(n, "CLUSTER INFO"), "cluster_known_nodes:3") != NULL)
                good++;
        if (good == NODES)
            return true;
        test_run_for(loop, 10);
    }
    return false;
}

/* All slots on the first two nodes; the third knows them and has none. */
static int cluster_start(void **state)
{
    (void)state;
    uv_loop_t loop;
    char extra[128], id[64];
    assert_int_equal(uv_loop_init(&loop), 0);
    for (int n = 0; n < NODES; n++) {
        snprintf(extra, sizeof(extra),
                 "--cluster-enabled yes --cluster-node-timeout 2000 --cluster-port %d",
                 test_free_port());
        test_redis_start_tcp(&node[n], extra);
        snprintf(id, sizeof(id), "%s", ask(n, "CLUSTER MYID"));
        memcpy(node_id[n], id, sizeof(id));
        ask(n, "CLUSTER SET-CONFIG-EPOCH %d", n + 1);
    }
    ask(0, "CLUSTER ADDSLOTSRANGE 0 8191");
    ask(1, "CLUSTER ADDSLOTSRANGE 8192 16383");
    for (int n = 1; n < NODES; n++) {
        const char *port = strstr(node[n].extra, "--cluster-port ");
        assert_non_null(port);
        ask(0, "CLUSTER MEET 127.0.0.1 %d %d", node[n].port, atoi(port + 15));
    }
    assert_true(everyone_agrees(&loop));
    test_loop_close(&loop);
    return 0;
}

static int cluster_stop(void **state)
{
    (void)state;
    for (int n = 0; n < NODES; n++)
        test_redis_stop(&node[n]);
    return 0;
}

/* The two ends of a move are told; keys go with MIGRATE. */
static void slot_open(unsigned slot, int from, int to)
{
    assert_string_equal(ask(to, "CLUSTER SETSLOT %u IMPORTING %s", slot, node_id[from]), "OK");
    assert_string_equal(ask(from, "CLUSTER SETSLOT %u MIGRATING %s", slot, node_id[to]), "OK");
}

static void slot_close(unsigned slot, int from, int to)
{
    assert_string_equal(ask(to, "CLUSTER SETSLOT %u NODE %s", slot, node_id[to]), "OK");
    assert_string_equal(ask(from, "CLUSTER SETSLOT %u NODE %s", slot, node_id[to]), "OK");
}

/* ---- the client ---- */

static bool seen_open(struct seen *seen)
{
    struct redis_options options = {
        .target = {.cluster = true, .count = 2, .host = {"127.0.0.1", "127.0.0.1"}},
        .library = LIBRARY,
        .on_ready = seen_ready,
        .on_lost = seen_lost,
        .ctx = seen,
        .connect_ms = 500,
        .command_ms = 1000,
    };
    options.target.port[0] = test_free_port(); /* a seed that is down */
    options.target.port[1] = node[0].port;
    seen_begin(seen);
    seen->redis = redis_new(&seen->loop, &options, NULL);
    return seen->redis != NULL;
}

static void seen_connect(struct seen *seen)
{
    assert_true(seen_open(seen));
    assert_true(test_run_until(&seen->loop, &seen->ready, PATIENCE_MS));
}

static void set(struct seen *seen, const char *key, const char *value)
{
    struct span argv[] = {SPAN("SET"), span_str(key), span_str(value)};
    assert_int_equal(redis_command(seen->redis, argv[1], 3, argv, seen_done, seen, NULL), 0);
    seen->expected++;
}

static void await_all(struct seen *seen)
{
    seen->all = seen->answered + seen->failed == seen->expected;
    assert_true(test_run_until(&seen->loop, &seen->all, PATIENCE_MS));
}

/* ---- tests ---- */

static void test_keys_go_to_their_nodes(void **state)
{
    (void)state;
    struct seen seen;
    char key[32];
    seen_connect(&seen);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "k{%d}", i);
        set(&seen, key, "v");
        assert_int_equal(atoi(ask(0, "CLUSTER KEYSLOT %s", key)), redis_slot(span_str(key)));
    }
    await_all(&seen);
    assert_int_equal(seen.answered, KEYS);
    assert_int_equal(seen.errors, 0);
    int first = atoi(ask(0, "DBSIZE")), second = atoi(ask(1, "DBSIZE"));
    assert_int_equal(first + second, KEYS);
    assert_true(first > KEYS / 3 && second > KEYS / 3);
    assert_string_equal(ask(1, "FCALL_RO jiesu_version 0"), "1");
    assert_int_equal(seen.losses, 0);
    seen_end(&seen);
}

/* ASK while a slot is moving, MOVED when it has moved: nothing fails, the client stays ready. */
static void test_slot_moves(void **state)
{
    (void)state;
    struct seen seen;
    const char *old = "old{x}", *new = "new{x}";
    unsigned slot = redis_slot(span_str(old));
    int from = slot < 8192 ? 0 : 1, to = 1 - from;
    seen_connect(&seen);
    set(&seen, old, "1");
    await_all(&seen);
    slot_open(slot, from, to);
    set(&seen, old, "2"); /* still there */
    set(&seen, new, "1"); /* not there: ASK */
    await_all(&seen);
    assert_int_equal(seen.errors, 0);
    assert_string_equal(ask(to, "CLUSTER COUNTKEYSINSLOT %u", slot), "1");
    ask(from, "MIGRATE 127.0.0.1 %d %s 0 1000", node[to].port, old);
    slot_close(slot, from, to);
    for (int i = 0; i < 50; i++)
        set(&seen, i % 2 == 0 ? old : new, "3"); /* MOVED */
    await_all(&seen);
    assert_int_equal(seen.answered, 53);
    assert_int_equal(seen.errors, 0);
    assert_int_equal(seen.losses, 0);
    assert_string_equal(ask(to, "GET %s", old), "3");
    assert_string_equal(ask(to, "CLUSTER COUNTKEYSINSLOT %u", slot), "2");
    seen_end(&seen);
}

/* Keys of one slot on both sides: not done. The client is lost, and back with the next map. */
static void test_try_again_is_a_loss(void **state)
{
    (void)state;
    struct seen seen;
    unsigned slot = redis_slot(SPAN("{y}"));
    int from = slot < 8192 ? 0 : 1, to = 1 - from;
    seen_connect(&seen);
    set(&seen, "a{y}", "1");
    await_all(&seen);
    slot_open(slot, from, to);
    set(&seen, "b{y}", "1"); /* over there, by ASK */
    await_all(&seen);
    struct span argv[] = {SPAN("MGET"), SPAN("a{y}"), SPAN("b{y}")};
    assert_int_equal(redis_command(seen.redis, argv[1], 3, argv, seen_done, &seen, NULL), 0);
    seen.expected++;
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    assert_int_equal(seen.failed, 1);
    ask(from, "MIGRATE 127.0.0.1 %d a{y} 0 1000", node[to].port);
    slot_close(slot, from, to);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_int_equal(redis_command(seen.redis, argv[1], 3, argv, seen_done, &seen, NULL), 0);
    seen.expected++;
    await_all(&seen);
    assert_int_equal(seen.failed, 1);
    assert_int_equal(seen.errors, 0);
    seen_end(&seen);
}

/* MOVED to a master that was not on the map: lost, and ready with it. */
static void test_unknown_master(void **state)
{
    (void)state;
    struct seen seen;
    char before[128];
    unsigned slot = redis_slot(SPAN("{z}"));
    int from = slot < 8192 ? 0 : 1;
    seen_connect(&seen);
    snprintf(before, sizeof(before), "%s", seen.fingerprint);
    slot_open(slot, from, 2);
    slot_close(slot, from, 2);
    set(&seen, "{z}", "1");
    await_all(&seen);
    assert_int_equal(seen.failed, 1);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_string_not_equal(before, seen.fingerprint);
    set(&seen, "{z}", "2");
    await_all(&seen);
    assert_int_equal(seen.answered, 1);
    assert_string_equal(ask(2, "GET {z}"), "2");
    seen_end(&seen);
}

static void test_master_dies_and_returns(void **state)
{
    (void)state;
    struct seen seen;
    char before[128];
    seen_connect(&seen);
    snprintf(before, sizeof(before), "%s", seen.fingerprint);
    test_redis_freeze(&node[1]);
    for (int i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof(key), "d{%d}", i);
        set(&seen, key, "1");
    }
    test_redis_kill(&node[1]);
    assert_true(test_run_until(&seen.loop, &seen.lost, PATIENCE_MS));
    assert_int_equal(seen.answered + seen.failed, 20);
    assert_true(seen.failed > 0);
    test_redis_restart(&node[1]);
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_string_not_equal(before, seen.fingerprint);
    assert_true(everyone_agrees(&seen.loop));
    seen_end(&seen);
}

/* Memory that runs short anywhere delays it, no more. */
static void test_memory_short(void **state)
{
    (void)state;
    bool whole = false;
    log_set_level(LOG_OFF);
    for (uint64_t n = 1; !whole; n++) {
        struct seen seen;
        assert_true(n < 300);
        mem_fail_at(n);
        if (seen_open(&seen)) {
            assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
            struct span argv[] = {SPAN("SET"), SPAN("m"), SPAN("1")};
            for (int i = 0; i < 3; i++)
                if (redis_command(seen.redis, argv[1], 3, argv, seen_done, &seen, NULL) == 0)
                    seen.expected++;
            assert_true(seen.expected >= 2);
            await_all(&seen);
            whole = mem_asked() < n;
        }
        mem_fail_at(0);
        seen_end(&seen);
    }
    log_set_level(LOG_ERROR);
}

struct heard {
    bool reset, message;
};

static void on_message(void *ctx, struct span channel, struct span payload)
{
    struct heard *heard = ctx;
    assert_true(span_eq(channel, SPAN("wake")));
    assert_true(span_eq(payload, SPAN("1")));
    heard->message = true;
}

static void on_reset(void *ctx)
{
    ((struct heard *)ctx)->reset = true;
}

/* What is published on one node is heard on another; a seed that is down is passed over. */
static void test_listener_of_a_cluster(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct heard heard = {0};
    struct redis_target target = {.cluster = true, .count = 2, .host = {"127.0.0.1", "127.0.0.1"}};
    target.port[0] = test_free_port();
    target.port[1] = node[0].port;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct redis_listener *listener =
        redis_listener_new(&loop, &target, on_message, on_reset, &heard, NULL);
    assert_int_equal(redis_listener_subscribe(listener, SPAN("wake")), 0);
    assert_true(test_run_until(&loop, &heard.reset, PATIENCE_MS));
    for (int i = 0; i < 200 && !heard.message; i++) {
        ask(1, "PUBLISH wake 1");
        test_run_until(&loop, &heard.message, 20);
    }
    assert_true(heard.message);
    redis_listener_close(&listener);
    test_loop_close(&loop);
}

/* A single target that is a Cluster's node, and the other way round, are told apart. */
static void test_wrong_kind_is_refused(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct seen seen = {0};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct redis_options options = {
        .target = test_redis_target(&node[0]), .on_ready = seen_ready, .ctx = &seen};
    struct redis *redis = redis_new(&loop, &options, NULL);
    test_run_for(&loop, 200);
    assert_int_equal(seen.readies, 0);
    redis_close(&redis);
    test_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_go_to_their_nodes),
        cmocka_unit_test(test_slot_moves),
        cmocka_unit_test(test_try_again_is_a_loss),
        cmocka_unit_test(test_unknown_master),
        cmocka_unit_test(test_listener_of_a_cluster),
        cmocka_unit_test(test_wrong_kind_is_refused),
        cmocka_unit_test(test_master_dies_and_returns),
        cmocka_unit_test(test_memory_short),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, cluster_start, cluster_stop);
}
