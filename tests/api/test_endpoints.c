/* The webhooks file: what is taken, and each mistake with its place and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/api/endpoints.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[96];

static void write_file(const char *name, const char *text)
{
    char full[128];
    (void)snprintf(full, sizeof full, "%s/%s", folder, name);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/jiesu-endpoints-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/hooks.yaml", folder);
    write_file("secret", "0123456789abcdef\nsecond line\n");
    write_file("short", "0123456789abcde\n");
    write_file("empty", "");
    write_file("ca.pem", "any\n");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"secret", "short", "empty", "ca.pem", "hooks.yaml"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char full[128];
        (void)snprintf(full, sizeof full, "%s/%s", folder, names[i]);
        (void)unlink(full);
    }
    return rmdir(folder);
}

static struct endpoints *parse(const char *text, struct err *err)
{
    return endpoints_parse(span_str(text), path, err);
}

static const char whole[] = "webhooks:\n"
                            "  - name: mini-program\n"
                            "    url: https://hooks.example.cn/jiesu\n"
                            "    secret_file: secret\n"
                            "    events: [dispatched, resolved]\n"
                            "    allow_private: yes\n"
                            "    ca_file: ca.pem\n"
                            "    timeout_ms: 2500\n"
                            "  - name: other\n"
                            "    url: http://10.0.0.1:8080/\n"
                            "    secret_file: secret\n";

static void what_is_taken(void **state)
{
    (void)state;
    struct err err = {0};
    char ca[128];
    struct endpoints *endpoints = parse(whole, &err);
    if (endpoints == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(endpoints_count(endpoints), 2);
    const struct endpoint *e = endpoints_find(endpoints, SPAN("mini-program"));
    assert_ptr_equal(e, endpoints_at(endpoints, 0));
    assert_string_equal(e->url.ptr, "https://hooks.example.cn/jiesu");
    assert_true(span_eq(e->secret, SPAN("0123456789abcdef")));
    assert_int_equal(e->events, 1u << HOOK_DISPATCHED | 1u << HOOK_RESOLVED);
    assert_true(e->allow_private);
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    assert_string_equal(e->ca_file.ptr, ca);
    assert_int_equal(e->timeout_ms, 2500);
    e = endpoints_at(endpoints, 1);
    assert_int_equal(e->events, (1u << HOOK_TYPE_COUNT) - 1);
    assert_false(e->allow_private);
    assert_int_equal(e->ca_file.len, 0);
    assert_int_equal(e->timeout_ms, LIMIT_HOOK_TOTAL_MS);
    assert_null(endpoints_find(endpoints, SPAN("mini")));
    endpoints_free(&endpoints);
    assert_null(endpoints);
    assert_int_equal(endpoints_count(NULL), 0);
    assert_null(endpoints_find(NULL, SPAN("x")));
}

/* Held by two, and freed with the second. */
static void references(void **state)
{
    (void)state;
    struct err err = {0};
    write_file("hooks.yaml", "webhooks: []\n");
    const int64_t before = clock_steady_ms();
    struct endpoints *first = endpoints_load(path, &err), *second = endpoints_ref(first);
    assert_ptr_equal(first, second);
    endpoints_free(&first);
    assert_null(first);
    assert_true(endpoints_read_ms(second) >= before);
    assert_true(endpoints_read_ms(second) <= clock_steady_ms());
    endpoints_free(&second);
    assert_null(endpoints_ref(NULL));
}

/* What a post goes by, and what it carries. */
static void ways(void **state)
{
    (void)state;
    const struct endpoint was = {
        .name = SPAN("a"), .url = SPAN("http://a/"), .ca_file = SPAN("x"), .timeout_ms = 500};
    struct endpoint is = was;
    is.secret = SPAN("another");
    is.events = 1;
    assert_true(endpoint_same_way(&was, &is));
    is.url = SPAN("http://a/b");
    assert_false(endpoint_same_way(&was, &is));
    is = was;
    is.ca_file = SPAN("");
    assert_false(endpoint_same_way(&was, &is));
    is = was;
    is.allow_private = true;
    assert_false(endpoint_same_way(&was, &is));
    is = was;
    is.timeout_ms++;
    assert_false(endpoint_same_way(&was, &is));
}

/* The first file of its kind that somebody writes may be empty of endpoints, and paths may be absolute. */
static void from_a_file(void **state)
{
    (void)state;
    struct err err = {0};
    char text[256];
    write_file("hooks.yaml", "webhooks: []\n");
    struct endpoints *endpoints = endpoints_load(path, &err);
    assert_non_null(endpoints);
    assert_int_equal(endpoints_count(endpoints), 0);
    endpoints_free(&endpoints);
    (void)snprintf(text, sizeof text,
                   "webhooks:\n  - name: a\n    url: http://a/\n    secret_file: %s/secret\n",
                   folder);
    write_file("hooks.yaml", text);
    endpoints = endpoints_load(path, &err);
    assert_non_null(endpoints);
    endpoints_free(&endpoints);
    assert_int_equal(unlink(path), 0);
    assert_null(endpoints_load(path, &err));
    assert_int_equal(err.code, ERR_IO);
}

/* One endpoint with a line replaced (or, by NULL, left out). */
static const char *with(const char *key, const char *instead)
{
    static const char *const lines[] = {"name: a", "url: http://a/", "secret_file: secret"};
    static char text[4096];
    size_t len = (size_t)snprintf(text, sizeof text, "webhooks:\n  -\n");
    bool found = false;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const bool is = strncmp(lines[i], key, strlen(key)) == 0;
        found = found || is;
        if (!is || instead != NULL)
            len += (size_t)snprintf(text + len, sizeof text - len, "    %s\n",
                                    is ? instead : lines[i]);
    }
    if (!found && instead != NULL)
        (void)snprintf(text + len, sizeof text - len, "    %s\n", instead);
    return text;
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *key, *instead, *place, *what;
    } rows[] = {
        {"name", NULL, ":3:5: ", "the key \"name\" is missing"},
        {"name", "name: A B", ":3:11: ", "is no name; use 1 to 32 of a-z 0-9 _ -"},
        {"url", NULL, ":3:5: ", "the key \"url\" is missing"},
        {"url", "url: ftp://a/", ":4:10: ", "write http://HOST/PATH"},
        {"url", "url: a.example.cn/x", ":4:10: ", "write http://HOST/PATH"},
        {"url", "url: https://user:word@a/", ":4:10: ", "without user and password"},
        {"secret_file", NULL, ":3:5: ", "the key \"secret_file\" is missing"},
        {"secret_file", "secret_file: none", ":5:18: ", "No such file"},
        {"secret_file", "secret_file: short", ":5:18: ", "16 to 512 bytes"},
        {"secret_file", "secret_file: empty", ":5:18: ", "16 to 512 bytes"},
        {"events", "events: resolved", ":6:13: ", ""},
        {"events", "events: []", ":6:13: ", "leave it out for all"},
        {"events", "events: [dispatched, resolve]",
         ":6:26: ", "the events are dispatched, accepted, arrived, resolved"},
        {"events", "events: [closed, closed]", ":6:22: ", "twice"},
        {"events", "events: [[closed]]", ":6:14: ", "no such event"},
        {"allow_private", "allow_private: maybe", ":6:20: ", ""},
        {"ca_file", "ca_file: none.pem", ":6:14: ", "No such file"},
        {"timeout_ms", "timeout_ms: 99", ":6:17: ", "100"},
        {"timeout_ms", "timeout_ms: 60001", ":6:17: ", "60000"},
        {"secret:", "secret: abc", ":6:5: ", "secret"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        assert_null(parse(with(rows[i].key, rows[i].instead), &err));
        if (strncmp(err.text, path, strlen(path)) != 0 || strstr(err.text, rows[i].place) == NULL ||
            strstr(err.text, rows[i].what) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        assert_null(strstr(err.text, "0123456789"));
    }
}

static void the_whole_file(void **state)
{
    (void)state;
    struct err err = {0};
    static const struct {
        const char *text, *what;
    } rows[] = {{"hooks: []\n", ":1:1: "},
                {"{}\n", "'webhooks' is missing"},
                {"webhooks: x\n", ":1:11: "},
                {"webhooks: [1]\n", ":1:12: "},
                {"webhooks: [\n", ":"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(parse(rows[i].text, &err));
        if (strstr(err.text, rows[i].what) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
    struct buf text = {0};
    buf_str(&text, "webhooks:\n");
    for (int i = 0; i <= LIMIT_HOOKS; i++)
        buf_printf(&text, "  - {name: n%d, url: 'http://a/', secret_file: secret}\n", i);
    assert_null(parse(buf_cstr(&text), &err));
    assert_non_null(strstr(err.text, "at most 16"));
    buf_clear(&text);
    buf_str(&text, "webhooks:\n");
    for (int i = 0; i < 2; i++)
        buf_str(&text, "  - {name: same, url: 'http://a/', secret_file: secret}\n");
    assert_null(parse(buf_cstr(&text), &err));
    assert_non_null(strstr(err.text, "'same' is given twice"));
    buf_free(&text);
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct endpoints *endpoints = NULL;
    for (uint64_t n = 1; endpoints == NULL; n++) {
        struct err err = {0};
        mem_fail_at(n);
        endpoints = parse(whole, &err);
        mem_fail_at(0);
        assert_true(endpoints != NULL || err.code != ERR_NONE);
    }
    endpoints_free(&endpoints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken),   cmocka_unit_test(from_a_file),
        cmocka_unit_test(references),      cmocka_unit_test(ways),
        cmocka_unit_test(mistakes),        cmocka_unit_test(the_whole_file),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
