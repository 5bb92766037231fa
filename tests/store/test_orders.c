/*
 * Orders and queues as the function library leaves them in a real Redis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/keys.h"
#include "engine/store/notices.h"
#include "engine/store/orders.h"
#include "engine/store/reply_reader.h"
#include "functions_lua.h"
#include "tests/store/support.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 10000 };

/* ---- decoding ---- */

static int view_of(struct reply_reader *reader, const char *text, struct order_view *view)
{
    const struct reply *reply = NULL;
    assert_int_equal(reply_reader_feed(reader, text, strlen(text), NULL), 0);
    assert_int_equal(reply_reader_next(reader, &reply, NULL), 1);
    return order_view_read(reply, view);
}

static void test_view(void **state)
{
    (void)state;
    struct reply_reader *reader = reply_reader_new(1 << 20);
    struct order_view view;
    assert_int_equal(view_of(reader, "*0\r\n", &view), 0);
    assert_int_equal(view_of(reader, "+OK\r\n", &view), -1);
    assert_int_equal(view_of(reader, "*1\r\n+state\r\n", &view), -1);
    assert_int_equal(view_of(reader, "*2\r\n+state\r\n+accepted\r\n", &view), -1);
    assert_int_equal(view_of(reader, "*2\r\n*0\r\n*0\r\n", &view), -1);
    assert_int_equal(view_of(reader,
                             "*12\r\n+state\r\n+accepted\r\n$7\r\nversion\r\n$1\r\n2\r\n"
                             "+h2\r\n+second\r\n+h1\r\n+first\r\n+hx\r\n+no\r\n"
                             "+created_at\r\n$13\r\n1700000000001\r\n",
                             &view),
                     1);
    assert_true(span_eq(view.state, SPAN("accepted")));
    assert_int_equal(view.version, 2);
    assert_true(view.created_at == INT64_C(1700000000001));
    assert_int_equal(view.history_count, 2);
    assert_true(span_eq(view.history[0], SPAN("first")));
    assert_true(span_eq(view.history[1], SPAN("second")));
    reply_reader_free(&reader);
}

/* Whatever the order of the fields: the newest are kept, oldest first. */
static void test_long_history(void **state)
{
    (void)state;
    enum { STEPS = 456 };
    for (int stride = 1; stride < STEPS; stride += 6) { /* 1, 7, 13, ...: coprime to 457 */
        struct reply_reader *reader = reply_reader_new(1 << 20);
        struct order_view view;
        struct buf text = {0};
        buf_printf(&text, "*%d\r\n+state\r\n+accepted\r\n+version\r\n:%d\r\n", 2 * STEPS + 4,
                   STEPS);
        for (int i = 1, v = stride; i <= STEPS; i++, v = (v + stride) % (STEPS + 1))
            buf_printf(&text, "+h%d\r\n+%d\r\n", v, v);
        assert_int_equal(view_of(reader, buf_cstr(&text), &view), 1);
        assert_int_equal(view.history_count, ORDERS_HISTORY);
        for (int i = 0; i < ORDERS_HISTORY; i++) {
            char expected[16];
            snprintf(expected, sizeof(expected), "%d", STEPS - ORDERS_HISTORY + 1 + i);
            assert_true(span_eq(view.history[i], span_str(expected)));
        }
        buf_free(&text);
        reply_reader_free(&reader);
    }
}

/* ---- against Redis ---- */

struct seen {
    uv_loop_t loop;
    struct test_redis server;
    struct redis *redis;
    bool ready, done;
    bool found;
    struct err err;
    size_t count;
    char text[512];
};

static void on_ready(void *ctx, struct span fingerprint)
{
    (void)fingerprint;
    ((struct seen *)ctx)->ready = true;
}

static void on_lost(void *ctx)
{
    ((struct seen *)ctx)->ready = false;
}

static void on_done(void *ctx, const struct reply *reply, const struct err *err)
{
    struct seen *seen = ctx;
    assert_null(err);
    if (reply_type(reply) == REPLY_ERROR)
        fail_msg("%.*s", SPAN_ARG(reply_span(reply)));
    seen->done = true;
}

static void on_order(void *ctx, const struct order_view *view, const struct err *err)
{
    struct seen *seen = ctx;
    seen->done = true;
    seen->found = view != NULL;
    seen->err = err == NULL ? (struct err){0} : *err;
    if (view != NULL)
        snprintf(seen->text, sizeof(seen->text), "%.*s|%.*s|%lld|%.*s|%zu", SPAN_ARG(view->state),
                 SPAN_ARG(view->worker), (long long)view->version, SPAN_ARG(view->complaint),
                 view->history_count);
}

static void on_queue(void *ctx, const struct span *answers, size_t count, const struct err *err)
{
    struct seen *seen = ctx;
    seen->done = true;
    seen->count = count;
    seen->err = err == NULL ? (struct err){0} : *err;
    seen->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(seen->text);
        snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s ", SPAN_ARG(answers[i]));
    }
}

static void await(struct seen *seen)
{
    assert_true(test_run_until(&seen->loop, &seen->done, PATIENCE_MS));
    seen->done = false;
}

static void command(struct seen *seen, size_t argc, const struct span *argv)
{
    assert_int_equal(redis_command(seen->redis, argv[1], argc, argv, on_done, seen, NULL), 0);
    await(seen);
}

#define COMMAND(seen, ...)                                                            \
    command((seen), sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span), \
            (const struct span[]){__VA_ARGS__})

static void seen_begin(struct seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    test_redis_start(&seen->server, NULL);
    assert_int_equal(uv_loop_init(&seen->loop), 0);
    struct redis_options options = {.target = test_redis_target(&seen->server),
                                    .library = functions_lua,
                                    .on_ready = on_ready,
                                    .on_lost = on_lost,
                                    .ctx = seen};
    seen->redis = redis_new(&seen->loop, &options, NULL);
    assert_true(test_run_until(&seen->loop, &seen->ready, PATIENCE_MS));
}

static void seen_end(struct seen *seen)
{
    redis_close(&seen->redis);
    test_loop_close(&seen->loop);
    test_redis_stop(&seen->server);
}

/* What jiesu_create leaves behind. */
static struct id order_make(struct seen *seen, enum order_queue which, const char *answer)
{
    static int made;
    struct id id;
    char entry[24], entries[KEY_BYTES + 32];
    id_make(&id, SPAN("wy-1"), 1700000000000);
    struct key order = key_order(&id), queue = key_queue(SPAN("wy-1"), SPAN("wang"), which);
    snprintf(entry, sizeof(entry), "%d-0", ++made);
    snprintf(entries, sizeof(entries), "%s %s", queue.text, entry);
    COMMAND(seen, SPAN("HSET"), key_span(&order), SPAN("state"), SPAN("dispatched"),
            SPAN("version"), SPAN("1"), SPAN("worker"), SPAN("wang"), SPAN("answer"),
            span_str(answer), SPAN("entries"), span_str(entries), SPAN("complaint"), SPAN("{}"),
            SPAN("h1"), SPAN("{\"version\":1}"));
    COMMAND(seen, SPAN("XADD"), key_span(&queue), span_str(entry), SPAN("id"), id_span(&id));
    return id;
}

static void make_groups(struct seen *seen)
{
    for (enum order_queue which = 0; which < ORDER_QUEUE_COUNT; which++) {
        const struct key queue = key_queue(SPAN("wy-1"), SPAN("wang"), which);
        COMMAND(seen, SPAN("XGROUP"), SPAN("CREATE"), key_span(&queue), SPAN("workers"), SPAN("0"),
                SPAN("MKSTREAM"));
    }
}

static void test_get(void **state)
{
    (void)state;
    struct seen seen;
    struct id other;
    seen_begin(&seen);
    struct id id = order_make(&seen, QUEUE_ORDINARY, "{\"n\":1}");
    assert_int_equal(orders_get(seen.redis, &id, on_order, &seen, NULL), 0);
    await(&seen);
    assert_true(seen.found);
    assert_string_equal(seen.text, "dispatched|wang|1|{}|1");

    id_make(&other, SPAN("wy-1"), 1700000000000);
    assert_int_equal(orders_get(seen.redis, &other, on_order, &seen, NULL), 0);
    await(&seen);
    assert_false(seen.found);
    assert_int_equal(seen.err.code, ERR_NONE);

    struct key alias = key_alias(&other);
    COMMAND(&seen, SPAN("SET"), key_span(&alias), id_span(&id));
    assert_int_equal(orders_get(seen.redis, &other, on_order, &seen, NULL), 0);
    await(&seen);
    assert_true(seen.found);
    COMMAND(&seen, SPAN("SET"), key_span(&alias), id_span(&other)); /* leads nowhere, once */
    assert_int_equal(orders_get(seen.redis, &other, on_order, &seen, NULL), 0);
    await(&seen);
    assert_false(seen.found);
    COMMAND(&seen, SPAN("SET"), key_span(&alias), SPAN("rubbish"));
    assert_int_equal(orders_get(seen.redis, &other, on_order, &seen, NULL), 0);
    await(&seen);
    assert_int_equal(seen.err.code, ERR_PROTOCOL);

    struct key key = key_order(&id);
    COMMAND(&seen, SPAN("SET"), key_span(&key), SPAN("not a hash"));
    assert_int_equal(orders_get(seen.redis, &id, on_order, &seen, NULL), 0);
    await(&seen);
    assert_false(seen.found);
    assert_int_equal(seen.err.code, ERR_PROTOCOL);
    seen_end(&seen);
}

static void test_queue(void **state)
{
    (void)state;
    struct seen seen;
    seen_begin(&seen);
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 10,
                                       on_queue, &seen, NULL),
                     0);
    await(&seen);
    assert_int_equal(seen.count, 0); /* no queue is an empty queue */
    assert_int_equal(seen.err.code, ERR_NONE);
    make_groups(&seen);
    order_make(&seen, QUEUE_ORDINARY, "a");
    order_make(&seen, QUEUE_SPECIAL, "S");
    order_make(&seen, QUEUE_ORDINARY, "b");
    order_make(&seen, QUEUE_URGENT, "U");
    for (int i = 0; i < 2; i++) { /* reading does not take away */
        assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 10,
                                           on_queue, &seen, NULL),
                         0);
        await(&seen);
        assert_string_equal(seen.text, "U S a b ");
    }
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                       on_queue, &seen, NULL),
                     0);
    await(&seen);
    assert_string_equal(seen.text, "U S ");
    static const struct {
        unsigned queues;
        const char *text;
    } parts[] = {{1U << QUEUE_URGENT, "U "},
                 {1U << QUEUE_SPECIAL, "S "},
                 {1U << QUEUE_ORDINARY, "a b "},
                 {1U << QUEUE_URGENT | 1U << QUEUE_ORDINARY, "U a b "}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), parts[i].queues,
                                           10, on_queue, &seen, NULL),
                         0);
        await(&seen);
        assert_string_equal(seen.text, parts[i].text);
    }
    /* The library is lost: so is the connection, and the next one brings it back. */
    test_redis_ask(&seen.server, "FUNCTION FLUSH SYNC");
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                       on_queue, &seen, NULL),
                     0);
    await(&seen);
    assert_int_equal(seen.err.code, ERR_UNAVAILABLE);
    seen.ready = false;
    assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                       on_queue, &seen, NULL),
                     0);
    await(&seen);
    assert_string_equal(seen.text, "U S ");
    /* A key of another type. */
    struct key urgent = key_queue(SPAN("wy-1"), SPAN("wang"), QUEUE_URGENT);
    COMMAND(&seen, SPAN("SET"), key_span(&urgent), SPAN("x"));
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                       on_queue, &seen, NULL),
                     0);
    await(&seen);
    assert_int_equal(seen.err.code, ERR_PROTOCOL);
    seen_end(&seen);
}

static void on_notices(void *ctx, const struct notice *notices, size_t count, const struct err *err)
{
    struct seen *seen = ctx;
    seen->done = true;
    seen->count = count;
    seen->err.code = err == NULL ? ERR_NONE : err->code;
    seen->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(seen->text);
        snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s/%.*s/%d/%d/%.*s ",
                 SPAN_ARG(notices[i].order), SPAN_ARG(notices[i].step), (int)notices[i].version,
                 (int)notices[i].at, SPAN_ARG(notices[i].note));
    }
}

static void read_notices(struct seen *seen, struct span after, size_t most)
{
    assert_int_equal(
        notices_read(seen->redis, SPAN("wy-1"), SPAN("wang"), after, most, on_notices, seen, NULL),
        0);
    await(seen);
}

static void test_notices(void **state)
{
    (void)state;
    struct seen seen;
    seen_begin(&seen);
    read_notices(&seen, SPAN("0-0"), 10);
    assert_int_equal(seen.count, 0);
    for (int i = 1; i < 4; i++) {
        char words[160];
        snprintf(words, sizeof(words),
                 "XADD jiesu:{wy-1}:notices:wang %d-0 id wy-1.X step warn version %d at %d note {}",
                 i, i + 1, i * 100);
        test_redis_ask(&seen.server, words);
    }
    read_notices(&seen, SPAN("0-0"), 2);
    assert_string_equal(seen.text, "wy-1.X/warn/2/100/{} wy-1.X/warn/3/200/{} ");
    read_notices(&seen, SPAN("2-0"), 10);
    assert_string_equal(seen.text, "wy-1.X/warn/4/300/{} ");
    read_notices(&seen, SPAN("3-0"), 10);
    assert_int_equal(seen.count, 0);
    test_redis_ask(&seen.server, "SET jiesu:{wy-1}:notices:wang x");
    read_notices(&seen, SPAN("0-0"), 10);
    assert_int_equal(seen.err.code, ERR_PROTOCOL);
    static const char *const bad[] = {
        "", "1", "1-", "-1", "1-2-3", "a-1", "99999999999999999999-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(notices_id_valid(span_str(bad[i])));
    assert_true(notices_id_valid(SPAN("18446744073709551615-18446744073709551615")));
    seen_end(&seen);
}

static void test_without_redis(void **state)
{
    (void)state;
    struct seen seen;
    struct id id;
    struct err err;
    seen_begin(&seen);
    id_make(&id, SPAN("wy-1"), 1700000000000);
    assert_int_equal(orders_get(seen.redis, &id, on_order, &seen, NULL), 0);
    test_redis_kill(&seen.server);
    await(&seen);
    assert_false(seen.found);
    assert_int_equal(seen.err.code, ERR_UNAVAILABLE);
    assert_int_equal(orders_get(seen.redis, &id, on_order, &seen, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                       on_queue, &seen, &err),
                     -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    seen_end(&seen);
}

static void test_memory_short(void **state)
{
    (void)state;
    struct seen seen;
    seen_begin(&seen);
    make_groups(&seen);
    struct id id = order_make(&seen, QUEUE_ORDINARY, "a");
    bool whole = false;
    for (uint64_t n = 1; !whole; n++) {
        struct err err = {0};
        assert_true(n < 100);
        assert_true(test_run_until(&seen.loop, &seen.ready, PATIENCE_MS));
        mem_fail_at(n);
        if (orders_get(seen.redis, &id, on_order, &seen, &err) == 0)
            await(&seen);
        if (seen.ready && orders_read_queue(seen.redis, SPAN("wy-1"), SPAN("wang"), ORDERS_ALL, 2,
                                            on_queue, &seen, &err) == 0)
            await(&seen);
        whole = mem_asked() < n;
        mem_fail_at(0);
        assert_true(err.code == ERR_NONE || err.code == ERR_NOMEM || err.code == ERR_UNAVAILABLE);
    }
    assert_string_equal(seen.text, "a ");
    seen_end(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),         cmocka_unit_test(test_long_history),
        cmocka_unit_test(test_get),          cmocka_unit_test(test_queue),
        cmocka_unit_test(test_notices),      cmocka_unit_test(test_without_redis),
        cmocka_unit_test(test_memory_short),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
