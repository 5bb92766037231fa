#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/store/redis_slots.h"
#include "engine/store/reply_reader.h"

#include <string.h>

static const struct redis_endpoint asked = {.host = "10.1.1.1", .port = 7000};
static struct redis_slots slots;

/* Known values: the specification's check value and those that Redis' documentation gives. */
static void test_slot_of_a_key(void **state)
{
    (void)state;
    assert_int_equal(redis_slot(SPAN("123456789")), 0x31c3);
    assert_int_equal(redis_slot(SPAN("foo")), 12182);
    assert_int_equal(redis_slot(SPAN("")), 0);
    assert_int_equal(redis_slot(SPAN("{user1000}.following")), redis_slot(SPAN("user1000")));
    assert_int_equal(redis_slot(SPAN("jiesu:{wy-1}:order:X")), redis_slot(SPAN("{wy-1}")));
    assert_int_equal(redis_slot(SPAN("foo{}{bar}")), 8363); /* an empty tag is none */
    assert_int_equal(redis_slot(SPAN("foo{{bar}}zap")), redis_slot(SPAN("{bar")));
    assert_int_equal(redis_slot(SPAN("foo{bar}{zap}")), redis_slot(SPAN("bar")));
    assert_int_not_equal(redis_slot(SPAN("foo{bar")), redis_slot(SPAN("bar")));
}

static int read_map(const char *text, struct err *err)
{
    struct reply_reader *reader = reply_reader_new(1 << 20);
    const struct reply *reply = NULL;
    assert_int_equal(reply_reader_feed(reader, text, strlen(text), NULL), 0);
    assert_int_equal(reply_reader_next(reader, &reply, NULL), 1);
    int rc = redis_slots_read(reply, &asked, &slots, err);
    reply_reader_free(&reader);
    return rc;
}

static void test_map(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(read_map("*3\r\n"
                              "*4\r\n:0\r\n:5460\r\n"
                              "*4\r\n$8\r\n10.0.0.1\r\n:7001\r\n$2\r\nid\r\n*0\r\n"
                              "*3\r\n$8\r\n10.0.0.9\r\n:7009\r\n$2\r\nid\r\n"
                              "*3\r\n:5461\r\n:16382\r\n*2\r\n$0\r\n\r\n:7002\r\n"
                              "*3\r\n:16383\r\n:16383\r\n*2\r\n$8\r\n10.0.0.1\r\n:7001\r\n",
                              &err),
                     0);
    assert_true(slots.complete);
    assert_int_equal(slots.masters, 2);
    assert_string_equal(slots.master[0].host, "10.0.0.1");
    assert_int_equal(slots.master[0].port, 7001);
    assert_string_equal(slots.master[1].host, "10.1.1.1"); /* the one we asked */
    assert_int_equal(slots.owner[5460], 0);
    assert_int_equal(slots.owner[5461], 1);
    assert_int_equal(slots.owner[16383], 0);

    assert_int_equal(read_map("*1\r\n*3\r\n:1\r\n:16383\r\n*2\r\n$1\r\nh\r\n:7001\r\n", &err), 0);
    assert_false(slots.complete);
    assert_int_equal(slots.owner[0], REDIS_NO_MASTER);
    assert_int_equal(read_map("*0\r\n", &err), 0);
    assert_false(slots.complete);
}

static void test_strange_maps(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-ERR This instance has cluster support disabled\r\n",
        "+OK\r\n",
        "*1\r\n+OK\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:7001\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\nh\r\n:7001\r\n",
        "*1\r\n*3\r\n:2\r\n:1\r\n*2\r\n$1\r\nh\r\n:7001\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\nh\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n+h\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err err = {0};
        assert_int_equal(read_map(texts[i], &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
    }
}

static void test_redirects(void **state)
{
    (void)state;
    struct redis_redirect to;
    assert_int_equal(redis_redirect_read(SPAN("MOVED 3999 127.0.0.1:6381"), &asked, &to), 1);
    assert_false(to.ask);
    assert_int_equal(to.slot, 3999);
    assert_string_equal(to.to.host, "127.0.0.1");
    assert_int_equal(to.to.port, 6381);
    assert_int_equal(redis_redirect_read(SPAN("ASK 16383 ::1:6381"), &asked, &to), 1);
    assert_true(to.ask);
    assert_string_equal(to.to.host, "::1");
    assert_int_equal(redis_redirect_read(SPAN("MOVED 1 :7005"), &asked, &to), 1);
    assert_string_equal(to.to.host, "10.1.1.1");
    assert_int_equal(redis_redirect_read(SPAN("ERR no"), &asked, &to), 0);
    assert_int_equal(redis_redirect_read(SPAN("MOVEDX 1 :7005"), &asked, &to), 0);
    assert_int_equal(redis_redirect_read(SPAN("MOVED"), &asked, &to), -1);
    assert_int_equal(redis_redirect_read(SPAN("MOVED 16384 h:1"), &asked, &to), -1);
    assert_int_equal(redis_redirect_read(SPAN("MOVED 1 h"), &asked, &to), -1);
    assert_int_equal(redis_redirect_read(SPAN("MOVED 1 h:"), &asked, &to), -1);
    assert_int_equal(redis_redirect_read(SPAN("MOVED 1 h:0"), &asked, &to), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_of_a_key),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_strange_maps),
        cmocka_unit_test(test_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
