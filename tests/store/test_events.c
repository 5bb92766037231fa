/*
 * The events of a community, their readers' cursors and leases, and trimming, against a real Redis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/store/events.h"
#include "functions_lua.h"
#include "tests/store/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 5000, TEXT_BYTES = 4096 };

static struct test_redis server;
static uv_loop_t loop;
static struct redis *redis;
static bool ready;

static const struct span c1 = {"c1", 2};

static void on_ready(void *ctx, struct span fingerprint)
{
    (void)ctx;
    (void)fingerprint;
    ready = true;
}

static int set_up(void **state)
{
    struct redis_options options = {.library = functions_lua, .on_ready = on_ready};
    (void)state;
    test_redis_start(&server, NULL);
    assert_int_equal(uv_loop_init(&loop), 0);
    options.target = test_redis_target(&server);
    ready = false;
    redis = redis_new(&loop, &options, NULL);
    assert_non_null(redis);
    assert_true(test_run_until(&loop, &ready, TIMEOUT_MS));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    redis_close(&redis);
    test_loop_close(&loop);
    test_redis_stop(&server);
    return 0;
}

/* What a callback told, as text: events as "version:step@id ", numbers in digits. */
static struct told {
    bool done;
    enum err_code failed;
    char text[TEXT_BYTES];
} told;

static void on_events(void *ctx, const struct event *events, size_t count, const struct err *err)
{
    size_t len = 0;
    (void)ctx;
    told.done = true;
    told.failed = err == NULL ? ERR_NONE : err->code;
    for (size_t i = 0; i < count && len < TEXT_BYTES - 1; i++)
        len += (size_t)snprintf(told.text + len, TEXT_BYTES - len, "%.*s/%lld:%.*s@%.*s ",
                                SPAN_ARG(events[i].order), (long long)events[i].version,
                                SPAN_ARG(events[i].step), SPAN_ARG(events[i].id));
}

static void on_text(void *ctx, struct span text, const struct err *err)
{
    (void)ctx;
    told.done = true;
    told.failed = err == NULL ? ERR_NONE : err->code;
    snprintf(told.text, TEXT_BYTES, "%.*s", SPAN_ARG(text));
}

static void on_number(void *ctx, int64_t number, const struct err *err)
{
    (void)ctx;
    told.done = true;
    told.failed = err == NULL ? ERR_NONE : err->code;
    snprintf(told.text, TEXT_BYTES, "%lld", (long long)number);
}

static void on_trimmed(void *ctx, int64_t left, int64_t removed, const struct err *err)
{
    (void)ctx;
    told.done = true;
    told.failed = err == NULL ? ERR_NONE : err->code;
    snprintf(told.text, TEXT_BYTES, "%lld %lld", (long long)left, (long long)removed);
}

/* Waits for the callback of a call that returned rc; the text that it told. */
static const char *await(int rc)
{
    assert_int_equal(rc, 0);
    assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
    assert_int_equal(told.failed, ERR_NONE);
    return told.text;
}

static void *fresh(void)
{
    told = (struct told){.done = false};
    return NULL;
}

static const char *read_after(const char *after, size_t most)
{
    return await(events_read(redis, c1, span_str(after), most, on_events, fresh(), NULL));
}

static const char *cursor(const char *consumer, bool from_start)
{
    return await(events_cursor(redis, c1, span_str(consumer), from_start, on_text, fresh(), NULL));
}

static const char *move(const char *consumer, const char *from, const char *to)
{
    return await(events_move(redis, c1, span_str(consumer), span_str(from), span_str(to), on_number,
                             fresh(), NULL));
}

static void add(unsigned n)
{
    char words[256];
    snprintf(words, sizeof(words),
             "XADD jiesu:{c1}:events %u-1 order U%u facts "
             "%u\naccept\n17\nworker\n\n\n\n\n\n\nordinary\n1\n entry {}",
             n, n, n);
    test_redis_ask(&server, words);
}

static void test_reading(void **state)
{
    (void)state;
    assert_string_equal(read_after(EVENTS_START, 10), "");
    for (unsigned n = 1; n <= 5; n++)
        add(n);
    assert_string_equal(read_after(EVENTS_START, 2), "U1/1:accept@1-1 U2/2:accept@2-1 ");
    assert_string_equal(read_after("2-1", 2), "U3/3:accept@3-1 U4/4:accept@4-1 ");
    assert_string_equal(read_after("5-1", 2), "");
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(events_time(SPAN("1772413200000-7")), INT64_C(1772413200000));
    assert_int_equal(events_time(SPAN(EVENTS_START)), 0);
    assert_int_equal(events_time(SPAN("")), 0);
    assert_int_equal(events_time(SPAN("x-1")), 0);
}

struct whole {
    bool done;
};

static void on_whole(void *ctx, const struct event *events, size_t count, const struct err *err)
{
    struct whole *whole = ctx;
    assert_null(err);
    assert_int_equal(count, 1);
    const struct event *e = events;
    assert_int_equal(e->version, 3);
    assert_int_equal(e->at, 1700000000123);
    assert_true(e->special);
    const struct span got[] = {e->order, e->step,    e->by,       e->from, e->to,   e->worker,
                               e->entry, e->urgency, e->category, e->kind, e->grid, e->class_name};
    const char *const want[] = {"U",  "return", "worker", "accepted",  "dispatched", "w2",
                                "{}", "red",    "a/b",    "complaint", "g1",         "dispute"};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_true(span_eq(got[i], span_str(want[i])));
    whole->done = true;
}

/* Every field finds its place, also next to one that we do not know. */
static void test_fields(void **state)
{
    (void)state;
    struct whole whole = {.done = false};
    test_redis_ask(&server, "XADD jiesu:{c1}:events 7-0 order U facts "
                            "3\nreturn\n1700000000123\nworker\naccepted\ndispatched\nw2\nred\n"
                            "complaint\ng1\ndispute\n1\na/b entry {} later x");
    assert_int_equal(events_read(redis, c1, SPAN(EVENTS_START), 9, on_whole, &whole, NULL), 0);
    assert_true(test_run_until(&loop, &whole.done, TIMEOUT_MS));

    /* As it was written before version 5. */
    whole.done = false;
    test_redis_ask(&server, "DEL jiesu:{c1}:events");
    test_redis_ask(&server, "XADD jiesu:{c1}:events 7-0 order U version 3 step return at "
                            "1700000000123 by worker from accepted to dispatched worker w2 entry "
                            "{} urgency red category a/b kind complaint grid g1 class dispute "
                            "special 1");
    assert_int_equal(events_read(redis, c1, SPAN(EVENTS_START), 9, on_whole, &whole, NULL), 0);
    assert_true(test_run_until(&loop, &whole.done, TIMEOUT_MS));
}

static void test_cursors(void **state)
{
    (void)state;
    assert_string_equal(cursor("figures", true), EVENTS_START);
    assert_string_equal(cursor("hook:early", false), EVENTS_START);
    add(1);
    add(2);
    assert_string_equal(cursor("hook:late", false), "2-1");
    assert_string_equal(cursor("hook:late", true), "2-1");
    assert_string_equal(move("figures", EVENTS_START, "1-1"), "1");
    assert_string_equal(move("figures", EVENTS_START, "2-1"), "0");
    assert_string_equal(cursor("figures", true), "1-1");
    const struct span kept[] = {SPAN("figures"), SPAN("hook:late")};
    assert_string_equal(await(events_keep_consumers(redis, c1, kept, 2, on_number, fresh(), NULL)),
                        "1");
    assert_string_equal(test_redis_ask(&server, "HEXISTS jiesu:{c1}:cursors hook:early"), "0");
}

static const char *lease(const char *engine)
{
    return await(
        events_lease(redis, c1, SPAN("figures"), span_str(engine), on_number, fresh(), NULL));
}

static const char *release(const char *engine)
{
    return await(
        events_release(redis, c1, SPAN("figures"), span_str(engine), on_number, fresh(), NULL));
}

static void test_leases(void **state)
{
    (void)state;
    assert_string_equal(lease("one"), "1");
    assert_string_equal(lease("one"), "1");
    assert_string_equal(lease("two"), "0");
    release("two");
    assert_string_equal(lease("two"), "0");
    release("one");
    assert_string_equal(lease("two"), "1");
    /* An engine that fell silent loses it. */
    test_redis_ask(&server, "PEXPIRE jiesu:{c1}:lease:figures 1");
    test_run_for(&loop, 20);
    assert_string_equal(lease("one"), "1");
    assert_true(strtol(test_redis_ask(&server, "PTTL jiesu:{c1}:lease:figures"), NULL, 10) > 1000);
}

static const char *trim(size_t kept)
{
    return await(events_trim(redis, c1, kept, on_trimmed, fresh(), NULL));
}

/* What somebody has still to read stays, and so do the newest. */
static void test_trimming(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 600; n++)
        add(n);
    assert_string_equal(trim(10), "600 0"); /* nobody reads: nobody has read it all */
    cursor("figures", true);
    cursor("hook", true);
    move("figures", EVENTS_START, "600-1");
    assert_string_equal(trim(10), "600 0");
    move("hook", EVENTS_START, "8-1");
    assert_string_equal(trim(10), "593 7"); /* the eighth was read, but holds the hook's place */
    assert_string_equal(read_after(EVENTS_START, 1), "U8/8:accept@8-1 ");
    move("hook", "8-1", "600-1");
    assert_string_equal(trim(10), "93 500"); /* so many at a time */
    assert_string_equal(trim(10), "10 83");
    assert_string_equal(trim(10), "10 0");
    assert_string_equal(read_after("599-1", 9), "U600/600:accept@600-1 ");
}

static void on_failed(void *ctx, const struct event *events, size_t count, const struct err *err)
{
    (void)events;
    (void)count;
    assert_non_null(err);
    *(enum err_code *)ctx = err->code;
    told.done = true;
}

/* What is no stream is said; so is a Redis that is not there. */
static void test_failures(void **state)
{
    (void)state;
    enum err_code code = ERR_NONE;
    struct err err = {0};
    test_redis_ask(&server, "SET jiesu:{c1}:events x");
    fresh();
    assert_int_equal(events_read(redis, c1, SPAN(EVENTS_START), 9, on_failed, &code, &err), 0);
    assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
    assert_int_equal(code, ERR_PROTOCOL);
    test_redis_kill(&server);
    fresh();
    if (events_read(redis, c1, SPAN(EVENTS_START), 9, on_failed, &code, &err) == 0) {
        assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
        assert_int_equal(code, ERR_UNAVAILABLE);
    }
    while (events_read(redis, c1, SPAN(EVENTS_START), 9, on_failed, &code, &err) == 0)
        assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
}

/* Each allocation fails once: an error at once or in the callback, never silence. */
static void test_memory(void **state)
{
    (void)state;
    bool whole = false;
    add(1);
    for (uint64_t n = 1; !whole && n < 50; n++) {
        enum err_code code = ERR_NONE;
        fresh();
        mem_fail_at(n);
        const int rc = events_read(redis, c1, SPAN(EVENTS_START), 9, on_events, NULL, NULL);
        if (rc == 0)
            assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
        whole = mem_asked() < n;
        mem_fail_at(0);
        code = rc < 0 ? ERR_NOMEM : told.failed;
        assert_true(whole == (code == ERR_NONE) || code == ERR_NONE);
        if (code == ERR_NONE)
            assert_string_equal(told.text, "U1/1:accept@1-1 ");
        ready = redis_ready(redis); /* a reader without memory gives the connection up */
        assert_true(test_run_until(&loop, &ready, TIMEOUT_MS));
    }
    assert_true(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reading, set_up, tear_down),
        cmocka_unit_test(test_times),
        cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trimming, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
