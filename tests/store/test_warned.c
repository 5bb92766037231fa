/*
 * Lists of warned orders, page by page, against what was put into a real Redis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/store/keys.h"
#include "engine/store/warned.h"
#include "tests/store/support.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 10000, COMMUNITIES = 40, PLACES = 900, ARENA_BYTES = 65536 };

#define BEGAN INT64_C(1772413200000)

static const char *const workers[] = {"wang", "li", "zhao"};

static struct test_redis server;
static redisContext *link_to_redis;
static uv_loop_t loop;
static struct redis *redis;
static struct arena *arena;
static bool ready;

/* What was put there, in the order of the list. */
static char names[COMMUNITIES][16];
static struct span communities[COMMUNITIES];
static struct placed {
    struct warned_place place;
    const char *worker;
} placed[PLACES];
static size_t placed_count;

/* The last answer. */
static struct answer {
    bool done, more;
    size_t count;
    const struct warned_order *orders;
    struct warned_place next;
    struct err err;
} answer;

static void on_ready(void *ctx, struct span fingerprint)
{
    (void)ctx;
    (void)fingerprint;
    ready = true;
}

static void run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(link_to_redis, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    freeReplyObject(reply);
}

static int set_up(void **state)
{
    (void)state;
    test_redis_start(&server, NULL);
    link_to_redis = redisConnectUnix(server.socket);
    assert_non_null(link_to_redis);
    assert_int_equal(uv_loop_init(&loop), 0);
    const struct redis_options options = {.target = test_redis_target(&server),
                                          .on_ready = on_ready};
    ready = false;
    redis = redis_new(&loop, &options, NULL);
    assert_true(test_run_until(&loop, &ready, PATIENCE_MS));
    arena = arena_new(ARENA_BYTES);
    placed_count = 0;
    for (int i = 0; i < COMMUNITIES; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d", i);
        communities[i] = span_str(names[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    redis_close(&redis);
    test_loop_close(&loop);
    redisFree(link_to_redis);
    test_redis_stop(&server);
    return 0;
}

/* An order that is listed. */
static const struct warned_place *put(int community, enum warning level, int64_t rose_at,
                                      const char *worker)
{
    struct placed *p = &placed[placed_count++];
    assert_true(placed_count <= PLACES);
    p->worker = worker;
    p->place.level = level;
    p->place.rose_at = rose_at;
    id_make(&p->place.id, communities[community], BEGAN);
    const struct key order = key_order(&p->place.id),
                     set = key_warned(communities[community], level);
    run("HSET %s state accepted version 3 worker %s created_at %lld grid g-1 urgency yellow "
        "category a/b "
        "warning %s warning_at %lld respond_by 5000 responded_at 4000 resolve_by 7000",
        order.text, worker, (long long)BEGAN, warning_name(level), (long long)rose_at);
    run("ZADD %s %lld %s", set.text, (long long)rose_at, id_ulid(&p->place.id).ptr);
    return &p->place;
}

static int by_place(const void *a, const void *b)
{
    return warned_place_cmp(&((const struct placed *)a)->place, &((const struct placed *)b)->place);
}

static void on_listed(void *ctx, const struct warned_order *orders, size_t count,
                      const struct warned_place *next, const struct err *err)
{
    (void)ctx;
    answer = (struct answer){.done = true, .more = next != NULL, .count = count, .orders = orders};
    if (next != NULL)
        answer.next = *next;
    if (err != NULL)
        answer.err = *err;
}

static void list(const struct warned_query *query)
{
    answer.done = false;
    warned_list(redis, query, arena, on_listed, NULL);
    assert_true(test_run_until(&loop, &answer.done, PATIENCE_MS));
}

static struct warned_query query_of(size_t count, unsigned levels, size_t most)
{
    return (struct warned_query){
        .communities = communities, .community_count = count, .levels = levels, .most = most};
}

enum { BLUE = 1u << WARNING_BLUE, YELLOW = 1u << WARNING_YELLOW, RED = 1u << WARNING_RED };

static void test_places(void **state)
{
    (void)state;
    struct warned_place place, again;
    char text[WARNED_PLACE_BYTES];
    assert_int_equal(
        warned_place_parse(SPAN("red.1772424000000.bihu.01M808FJ9V16ZAPJ1E2Z327RPT"), &place), 0);
    assert_int_equal(place.level, WARNING_RED);
    assert_true(place.rose_at == INT64_C(1772424000000));
    assert_string_equal(warned_place_text(&place, text),
                        "red.1772424000000.bihu.01M808FJ9V16ZAPJ1E2Z327RPT");
    assert_int_equal(warned_place_parse(span_str(text), &again), 0);
    assert_int_equal(warned_place_cmp(&place, &again), 0);
    static const char *const bad[] = {"",
                                      "red",
                                      "red.1",
                                      "none.1.bihu.01M808FJ9V16ZAPJ1E2Z327RPT",
                                      "red.-1.bihu.01M808FJ9V16ZAPJ1E2Z327RPT",
                                      "red.1.01M808FJ9V16ZAPJ1E2Z327RPT",
                                      "red.x.bihu.01M8"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(warned_place_parse(span_str(bad[i]), &again), -1);
    again = place;
    again.level = WARNING_BLUE;
    again.rose_at--;
    assert_true(warned_place_cmp(&place, &again) < 0); /* red before blue, though later */
    again.level = WARNING_RED;
    assert_true(warned_place_cmp(&place, &again) > 0);
}

static void test_row(void **state)
{
    (void)state;
    put(0, WARNING_YELLOW, BEGAN + 5, "wang");
    const struct warned_query query = query_of(1, YELLOW | RED, 10);
    list(&query);
    assert_int_equal(answer.count, 1);
    assert_false(answer.more);
    const struct warned_order *order = answer.orders;
    assert_int_equal(warned_place_cmp(&order->place, &placed[0].place), 0);
    assert_int_equal(order->state, ORDER_ACCEPTED);
    assert_true(order->version == 3 && order->created_at == BEGAN);
    assert_true(span_eq(order->worker, SPAN("wang")));
    assert_true(span_eq(order->grid, SPAN("g-1")));
    assert_true(span_eq(order->urgency, SPAN("yellow")));
    assert_true(span_eq(order->category, SPAN("a/b")));
    assert_true(order->due[CLOCK_RESPOND] == 0); /* it was met */
    assert_true(order->due[CLOCK_ARRIVE] == 0);
    assert_true(order->due[CLOCK_RESOLVE] == 7000 && order->next_due == 7000);
}

/* Whatever an order's own hash does not confirm is left out. */
static void test_stale(void **state)
{
    (void)state;
    static const struct {
        const char *field, *value;
    } changes[] = {{"state", "resolved"}, {"state", "closed"}, {"state", "cancelled"},
                   {"warning", "red"},    {"warning", "x"},    {"state", "awaiting_decision"},
                   {"grid", "g-2"}};
    enum { COUNT = sizeof(changes) / sizeof(changes[0]) + 1, KEPT = 2 };
    const struct key gone = key_order(&put(0, WARNING_BLUE, BEGAN, "wang")->id);
    run("DEL %s", gone.text);
    for (int i = 1; i < COUNT; i++) {
        const struct key key = key_order(&put(0, WARNING_BLUE, BEGAN + i, "wang")->id);
        run("HSET %s %s %s", key.text, changes[i - 1].field, changes[i - 1].value);
    }
    run("ZADD jiesu:{c0}:idx:warning:blue 1 nonsense");
    struct warned_query query = query_of(1, BLUE, COUNT);
    list(&query);
    assert_int_equal(answer.count, KEPT);
    assert_int_equal(warned_place_cmp(&answer.orders[0].place, &placed[COUNT - 2].place), 0);
    assert_false(answer.more);
    query = query_of(1, BLUE, COUNT - 1); /* a page of which most is left out, and one more */
    list(&query);
    assert_int_equal(answer.count, 1);
    assert_true(answer.more);
    query.after = &answer.next;
    list(&query);
    assert_int_equal(answer.count, 1);
    assert_false(answer.more);
}

/* Goes through the list from the first page to the last; each order once, in order. */
static void walk(size_t count, unsigned levels, const char *worker, size_t most)
{
    struct warned_query query = query_of(count, levels, most);
    struct warned_place after;
    size_t at = 0;
    query.worker = span_str(worker);
    do {
        list(&query);
        assert_int_equal(answer.err.code, ERR_NONE);
        assert_true(answer.count <= most);
        assert_true(answer.count == most || !answer.more || worker != NULL);
        for (size_t i = 0; i < answer.count; i++, at++) {
            while (at < placed_count &&
                   ((1u << placed[at].place.level & levels) == 0 ||
                    (worker != NULL && strcmp(worker, placed[at].worker) != 0)))
                at++;
            assert_true(at < placed_count);
            assert_int_equal(warned_place_cmp(&answer.orders[i].place, &placed[at].place), 0);
        }
        after = answer.next;
        query.after = &after;
        arena_reset(arena);
    } while (answer.more);
    while (at < placed_count && ((1u << placed[at].place.level & levels) == 0 ||
                                 (worker != NULL && strcmp(worker, placed[at].worker) != 0)))
        at++;
    assert_int_equal(at, placed_count);
}

static void test_walks(void **state)
{
    (void)state;
    struct random random = {.state = 7};
    /* Many at the same instant, as after an hour of downtime, also in one community. */
    while (placed_count < PLACES) {
        const int community =
            random_below(&random, 3) == 0 ? 7 : (int)random_below(&random, COMMUNITIES);
        put(community, WARNING_BLUE + (enum warning)random_below(&random, 3),
            BEGAN + (random_below(&random, 2) == 0 ? 0 : (int64_t)random_below(&random, 50)),
            workers[random_below(&random, 2)]);
    }
    qsort(placed, placed_count, sizeof(placed[0]), by_place);
    static const size_t pages[] = {1, 2, 7, 50, 200, PLACES, 5000};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        walk(COMMUNITIES, BLUE | YELLOW | RED, NULL, pages[i]);
        walk(COMMUNITIES, YELLOW, NULL, pages[i]);
        walk(COMMUNITIES, BLUE | RED, workers[i % 3], pages[i]); /* zhao has none */
    }
    /* Behind the last place, and behind one that is no more asked for. */
    struct warned_query query = query_of(COMMUNITIES, BLUE | YELLOW | RED, 10);
    query.after = &placed[placed_count - 1].place;
    list(&query);
    assert_int_equal(answer.count, 0);
    assert_false(answer.more);
    query.levels = RED;
    list(&query);
    assert_int_equal(answer.count, 0);
}

/* A worker's few among many others' come on several pages, none of which looks at too many. */
static void test_scan(void **state)
{
    (void)state;
    enum { OTHERS = LIMIT_ORDERS_SCAN + 100 };
    for (int i = 0; i < OTHERS; i++) {
        placed_count = 0;
        put(0, WARNING_RED, BEGAN + i, "li");
    }
    placed_count = 0;
    const struct warned_place *last = put(0, WARNING_RED, BEGAN + OTHERS, "wang");
    struct warned_query query = query_of(1, RED, 10);
    query.worker = SPAN("wang");
    list(&query);
    assert_int_equal(answer.count, 0);
    assert_true(answer.more);
    assert_true(answer.next.rose_at == BEGAN + LIMIT_ORDERS_SCAN - 1);
    const struct warned_place after = answer.next;
    query.after = &after;
    list(&query);
    assert_int_equal(answer.count, 1);
    assert_false(answer.more);
    assert_int_equal(warned_place_cmp(&answer.orders[0].place, last), 0);
}

static void test_errors(void **state)
{
    (void)state;
    put(0, WARNING_RED, BEGAN, "wang");
    run("SET jiesu:{c1}:idx:warning:red x");
    struct warned_query query = query_of(2, RED, 10);
    list(&query);
    assert_int_equal(answer.err.code, ERR_PROTOCOL);
    query.community_count = 1;
    list(&query);
    assert_int_equal(answer.count, 1);
    test_redis_kill(&server);
    list(&query);
    assert_true(answer.err.code == ERR_UNAVAILABLE || answer.err.code == ERR_IO);
    test_run_for(&loop, 50);
    list(&query); /* said at once by now */
    assert_int_equal(answer.err.code, ERR_UNAVAILABLE);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        put(i % 2, WARNING_RED, BEGAN + i, "wang");
    const struct warned_query query = query_of(2, BLUE | YELLOW | RED, 3);
    for (uint64_t n = 1;; n++) {
        arena_free(&arena);
        arena = arena_new(256); /* a small one needs more blocks */
        mem_fail_at(n);
        answer.done = false;
        warned_list(redis, &query, arena, on_listed, NULL);
        const bool done = test_run_until(&loop, &answer.done, PATIENCE_MS);
        mem_fail_at(0);
        assert_true(done);
        if (answer.err.code == ERR_NONE) {
            assert_int_equal(answer.count, 3);
            assert_true(answer.more);
            assert_true(n > 3);
            return;
        }
        if (!redis_ready(redis)) { /* the client itself was short of memory */
            ready = false;
            assert_true(test_run_until(&loop, &ready, PATIENCE_MS));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test_setup_teardown(test_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
