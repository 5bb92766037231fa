#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/store/redis.h"

#include <stdio.h>
#include <string.h>

static struct redis_target good(const char *text)
{
    struct redis_target target;
    struct err err = {0};
    if (redis_target_parse(span_str(text), &target, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(target.password, "");
    return target;
}

static void bad(const char *text)
{
    struct redis_target target;
    struct err err = {0};
    if (redis_target_parse(span_str(text), &target, &err) != -1)
        fail_msg("%s was taken", text);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "Redis address"));
    assert_null(strstr(err.text, "hunter2"));
}

static void expect_host(const char *text, const char *host, int port, const char *user, int db)
{
    struct redis_target target = good(text);
    assert_false(target.unix_socket);
    assert_false(target.cluster);
    assert_int_equal(target.count, 1);
    assert_string_equal(target.host[0], host);
    assert_int_equal(target.port[0], port);
    assert_string_equal(target.user, user);
    assert_int_equal(target.db, db);
}

static void test_single(void **state)
{
    (void)state;
    expect_host("localhost:6380", "localhost", 6380, "", 0);
    expect_host(" 10.0.0.1:1 ", "10.0.0.1", 1, "", 0);
    expect_host("[::1]:65535", "::1", 65535, "", 0);
    expect_host("redis://h", "h", 6379, "", 0);
    expect_host("redis://h/", "h", 6379, "", 0);
    expect_host("redis://h:7000/15", "h", 7000, "", 15);
    expect_host("redis://jiesu@h", "h", 6379, "jiesu", 0);
    expect_host("redis://jiesu@[fe80::1]:7/2", "fe80::1", 7, "jiesu", 2);
}

static void test_unix(void **state)
{
    (void)state;
    struct redis_target target = good("unix:/run/redis/redis.sock");
    assert_true(target.unix_socket);
    assert_int_equal(target.count, 1);
    assert_string_equal(target.host[0], "/run/redis/redis.sock");
    char path[256] = "unix:/";
    memset(path + 6, 'p', 106);
    assert_true(good(path).unix_socket); /* 107 bytes: the kernel's limit */
    path[112] = 'p';
    bad(path);
}

static void test_cluster(void **state)
{
    (void)state;
    struct redis_target target = good("a:1,b:2, [::1]:3");
    assert_true(target.cluster);
    assert_int_equal(target.count, 3);
    assert_string_equal(target.host[1], "b");
    assert_string_equal(target.host[2], "::1");
    assert_int_equal(target.port[2], 3);
    char many[256] = "";
    for (int i = 0; i < REDIS_SEEDS; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%sh:%d", i > 0 ? "," : "",
                 i + 1);
    assert_int_equal(good(many).count, REDIS_SEEDS);
    strcat(many, ",h:99");
    bad(many);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "localhost",
        "h:",
        "h:0",
        "h:65536",
        "h:6379x",
        ":6379",
        "unix:",
        "redis://",
        "[::1:6379",
        "[::1]x6379",
        "a:1,",
        ",a:1",
        "a:1,,b:2",
        "redis://h/x",
        "redis://h/-1",
        "user@h:1",
        "redis://@h",
        "redis://u:hunter2@h",
        "redis://:hunter2@h:6379/1",
        "u:hunter2@h:6379",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bad(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
