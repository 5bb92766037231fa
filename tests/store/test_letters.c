/* The dead letters of a webhook endpoint, against a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/store/letters.h"
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

static const struct span c1 = {"c1", 2}, hook = {"mini", 4};

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

static int empty(void **state)
{
    (void)state;
    (void)test_redis_ask(&server, "FLUSHALL");
    return 0;
}

/* ---- what callbacks told ---- */

static struct told {
    bool done;
    enum err_code failed;
    int64_t number;
    char text[TEXT_BYTES];
} told;

static void begin(void)
{
    told = (struct told){.done = false};
}

static void end(int rc)
{
    assert_int_equal(rc, 0);
    assert_true(test_run_until(&loop, &told.done, TIMEOUT_MS));
}

static void note(const struct err *err)
{
    told.done = true;
    told.failed = err == NULL ? ERR_NONE : err->code;
}

static void on_number(void *ctx, int64_t number, const struct err *err)
{
    (void)ctx;
    note(err);
    told.number = number;
}

static void on_text(void *ctx, struct span text, const struct err *err)
{
    (void)ctx;
    note(err);
    snprintf(told.text, sizeof told.text, "%.*s", SPAN_ARG(text));
}

static void say(const char *format, struct span text, int64_t number)
{
    const size_t len = strlen(told.text);
    snprintf(told.text + len, sizeof told.text - len, format, SPAN_ARG(text), (long long)number);
}

static void on_letters(void *ctx, const struct letter *letters, size_t count, const struct err *err)
{
    (void)ctx;
    note(err);
    for (size_t i = 0; i < count; i++)
        say("%.*s.%lld ", letters[i].order, letters[i].version);
    if (ctx != NULL && count > 0)
        snprintf(ctx, EVENTS_ID_BYTES, "%.*s", SPAN_ARG(letters[0].id));
}

static void on_marked(void *ctx, const struct span *orders, size_t count, const struct err *err)
{
    (void)ctx;
    note(err);
    for (size_t i = 0; i < count; i++)
        say("%.*s %lld", orders[i], (int64_t)count);
}

static int64_t bury(const char *order, int version, bool force)
{
    const struct letter letter = {.event = SPAN("c1.x.1.accept"),
                                  .order = span_str(order),
                                  .version = version,
                                  .body = SPAN("{\"id\":1}"),
                                  .reason = SPAN("HTTP 500"),
                                  .attempts = 3,
                                  .at = 42};
    begin();
    end(letters_bury(redis, c1, hook, &letter, force, on_number, NULL, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    return told.number;
}

static const char *list(char *first)
{
    begin();
    end(letters_read(redis, c1, hook, SPAN(EVENTS_START), 100, on_letters, first, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    return told.text;
}

static int64_t drop(const char *order, const char *id)
{
    begin();
    end(letters_remove(redis, c1, hook, span_str(order), span_str(id), on_number, NULL, NULL));
    return told.number;
}

static int64_t replay(const char *order)
{
    begin();
    end(letters_replay(redis, c1, hook, span_str(order), on_number, NULL, NULL));
    return told.number;
}

static const char *marks(void)
{
    begin();
    end(letters_marks(redis, c1, hook, 10, on_marked, NULL, NULL));
    return told.text;
}

/* ---- tests ---- */

static void in_and_out(void **state)
{
    char first[EVENTS_ID_BYTES];
    (void)state;
    assert_int_equal(bury("A", 1, false), 0); /* A has none */
    assert_string_equal(list(NULL), "");
    assert_int_equal(bury("A", 1, true), 1);
    assert_int_equal(bury("A", 2, false), 1);
    assert_int_equal(bury("B", 7, true), 1);
    assert_int_equal(bury("A", 3, false), 1);
    /* Said again after a crash: it is there once. */
    assert_int_equal(bury("A", 2, false), 1);
    assert_int_equal(bury("A", 3, true), 1);
    assert_string_equal(list(first), "A.1 A.2 B.7 A.3 ");
    assert_string_equal(test_redis_ask(&server, "HGET jiesu:{c1}:dead:mini:orders A"), "3 3");
    assert_int_equal(drop("A", first), 2);
    assert_int_equal(drop("A", first), 2); /* again */
    assert_string_equal(list(first), "A.2 B.7 A.3 ");
    assert_int_equal(drop("A", first), 1);
    assert_string_equal(list(first), "B.7 A.3 ");
    assert_int_equal(drop("B", first), 0);
    assert_int_equal(bury("B", 8, false), 0);
    list(first);
    assert_int_equal(drop("A", first), 0);
    assert_string_equal(test_redis_ask(&server, "EXISTS jiesu:{c1}:dead:mini:orders"), "0");
}

static void marked_for_replay(void **state)
{
    char first[EVENTS_ID_BYTES];
    (void)state;
    assert_int_equal(replay(""), 0);
    assert_int_equal(replay("A"), 0);
    assert_string_equal(marks(), "");
    assert_int_equal(bury("A", 1, true), 1);
    assert_int_equal(bury("B", 1, true), 1);
    assert_int_equal(replay("A"), 1);
    assert_string_equal(marks(), "A 1");
    begin();
    end(letters_unmark(redis, c1, hook, SPAN("A"), on_number, NULL, NULL));
    assert_int_equal(told.number, 1);
    assert_string_equal(marks(), "");
    assert_int_equal(replay(""), 2);
    list(first);
    assert_int_equal(drop("A", first), 0); /* and with its last letter its mark */
    assert_string_equal(marks(), "B 1");
}

static void on_state(void *ctx, const struct letters_state *s, const struct err *err)
{
    (void)ctx;
    note(err);
    snprintf(told.text, sizeof told.text, "%.*s|%lld|%lld|%lld|%.*s|%.*s|%.*s", SPAN_ARG(s->json),
             (long long)s->letters, (long long)s->complaints, (long long)s->marked,
             SPAN_ARG(s->newest), SPAN_ARG(s->cursor), SPAN_ARG(s->engine));
}

static const char *ask_state(void)
{
    begin();
    end(letters_state(redis, c1, hook, on_state, NULL, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    return told.text;
}

static void its_state(void **state)
{
    (void)state;
    assert_string_equal(ask_state(), "|0|0|0|||");
    assert_int_equal(bury("A", 1, true), 1);
    assert_int_equal(bury("A", 2, true), 1);
    assert_int_equal(replay(""), 1);
    begin();
    end(letters_tell(redis, c1, hook, SPAN("{\"down\":true}"), on_text, NULL, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    (void)test_redis_ask(&server, "XADD jiesu:{c1}:events 5-1 a 1");
    (void)test_redis_ask(&server, "HSET jiesu:{c1}:cursors hook:mini 4-0");
    (void)test_redis_ask(&server, "SET jiesu:{c1}:lease:hook:mini e1");
    assert_string_equal(ask_state(), "{\"down\":true}|2|1|1|5-1|4-0|e1");
    assert_true(atoi(test_redis_ask(&server, "PTTL jiesu:{c1}:hook:mini")) > 0);
}

static void where_it_begins(void **state)
{
    (void)state;
    begin();
    end(letters_begin(redis, c1, hook, 5000, on_text, NULL, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    const long long begun = atoll(told.text), now = atoll(test_redis_ask(&server, "TIME"));
    assert_true(begun > (now - 10) * 1000 && begun <= now * 1000 - 3000);
    assert_string_equal(test_redis_ask(&server, "HGET jiesu:{c1}:cursors hook:mini"), told.text);
    /* It stands where it stood. */
    (void)test_redis_ask(&server, "HSET jiesu:{c1}:cursors hook:mini 7-7");
    begin();
    end(letters_begin(redis, c1, hook, 5000, on_text, NULL, NULL));
    assert_string_equal(told.text, "7-7");
    begin();
    end(letters_end(redis, c1, hook, on_number, NULL, NULL));
    assert_int_equal(told.failed, ERR_NONE);
    assert_int_equal(atoi(test_redis_ask(&server, "HEXISTS jiesu:{c1}:cursors hook:mini")), 0);
}

static void what_is_in_the_way(void **state)
{
    (void)state;
    (void)test_redis_ask(&server, "SET jiesu:{c1}:dead:mini x");
    const struct letter letter = {.order = SPAN("A"), .version = 1};
    begin();
    end(letters_bury(redis, c1, hook, &letter, true, on_number, NULL, NULL));
    assert_int_equal(told.failed, ERR_PROTOCOL);
    begin();
    end(letters_read(redis, c1, hook, SPAN(EVENTS_START), 1, on_letters, NULL, NULL));
    assert_int_equal(told.failed, ERR_PROTOCOL);
}

static void memory_runs_out(void **state)
{
    (void)state;
    int rc = -1;
    for (uint64_t n = 1; rc < 0; n++) {
        struct err err = {0};
        begin();
        mem_fail_at(n);
        rc = letters_state(redis, c1, hook, on_state, NULL, &err);
        mem_fail_at(0);
        assert_true(rc == 0 || err.code == ERR_NOMEM);
    }
    end(rc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_and_out, empty),
        cmocka_unit_test_setup(marked_for_replay, empty),
        cmocka_unit_test_setup(its_state, empty),
        cmocka_unit_test_setup(where_it_begins, empty),
        cmocka_unit_test_setup(what_is_in_the_way, empty),
        cmocka_unit_test_setup(memory_runs_out, empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
