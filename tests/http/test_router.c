/* The table of routes: which row a path finds, what its parameters are, what Allow says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/http/head.h"
#include "engine/http/router.h"

static const struct http_route routes[] = {
    {.method = HTTP_GET_, .pattern = "/"},
    {.method = HTTP_GET_, .pattern = "/v1/orders"},
    {.method = HTTP_GET_, .pattern = "/v1/orders/latest"},
    {.method = HTTP_GET_, .pattern = "/v1/orders/{id}"},
    {.method = HTTP_DELETE_, .pattern = "/v1/orders/{id}"},
    {.method = HTTP_POST_, .pattern = "/v1/orders/{id}/accept"},
    {.method = HTTP_GET_, .pattern = "/v1/{a}/x/{b}/{c}"},
};

static void test_finds(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        enum http_routing result;
        int row;
        const char *first, *allow;
    } cases[] = {
        {HTTP_GET_, "/", HTTP_ROUTE_FOUND, 0, NULL, NULL},
        {HTTP_GET_, "/v1/orders", HTTP_ROUTE_FOUND, 1, NULL, NULL},
        {HTTP_GET_, "/v1/orders/", HTTP_ROUTE_UNKNOWN, 0, NULL, NULL},
        {HTTP_GET_, "/v1/orders/latest", HTTP_ROUTE_FOUND, 2, NULL, NULL},
        {HTTP_GET_, "/v1/orders/c1.01ARZ", HTTP_ROUTE_FOUND, 3, "c1.01ARZ", NULL},
        {HTTP_HEAD_, "/v1/orders/c1", HTTP_ROUTE_FOUND, 3, "c1", NULL},
        {HTTP_DELETE_, "/v1/orders/latest", HTTP_ROUTE_FOUND, 4, "latest", NULL},
        {HTTP_POST_, "/v1/orders/c1/accept", HTTP_ROUTE_FOUND, 5, "c1", NULL},
        {HTTP_POST_, "/v1/orders/a%2Fb/accept", HTTP_ROUTE_FOUND, 5, "a/b", NULL},
        {HTTP_POST_, "/v1/orders/%E6%B0%B4/accept", HTTP_ROUTE_FOUND, 5, "水", NULL},
        {HTTP_GET_, "/v1/orde%72s", HTTP_ROUTE_FOUND, 1, NULL, NULL},
        {HTTP_POST_, "/v1/orders//accept", HTTP_ROUTE_UNKNOWN, 0, NULL, NULL},
        {HTTP_POST_, "/v1/orders/c1/accept/", HTTP_ROUTE_UNKNOWN, 0, NULL, NULL},
        {HTTP_POST_, "/v1/orders/c1", HTTP_ROUTE_METHOD, 0, NULL, "GET, HEAD, DELETE"},
        {HTTP_GET_, "/v1/orders/c1/accept", HTTP_ROUTE_METHOD, 0, NULL, "POST"},
        {HTTP_OTHER_, "/", HTTP_ROUTE_METHOD, 0, NULL, "GET, HEAD"},
        {HTTP_GET_, "/v1/a/x/b/c", HTTP_ROUTE_FOUND, 6, "a", NULL},
        {HTTP_GET_, "*", HTTP_ROUTE_UNKNOWN, 0, NULL, NULL},
        {HTTP_GET_, "//", HTTP_ROUTE_UNKNOWN, 0, NULL, NULL},
    };
    struct arena *arena = arena_new(1024);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span params[HTTP_PARAMS] = {{NULL, 0}};
        const struct http_route *route = NULL;
        unsigned allow;
        enum http_routing got =
            http_route_find(routes, sizeof(routes) / sizeof(routes[0]), cases[i].method,
                            span_str(cases[i].path), arena, params, &route, &allow);
        if (got != cases[i].result)
            fail_msg("%s: %d", cases[i].path, (int)got);
        if (got == HTTP_ROUTE_FOUND)
            assert_int_equal(route - routes, cases[i].row);
        if (cases[i].first != NULL)
            assert_true(span_eq(params[0], span_str(cases[i].first)));
        if (cases[i].allow != NULL)
            assert_true(span_eq(http_allow_text(allow, arena), span_str(cases[i].allow)));
    }
    arena_free(&arena);
}

static void test_unescapes(void **state)
{
    static const struct {
        const char *text, *decoded;
        int result, plus;
    } cases[] = {
        {"plain", "plain", 1, 0}, {"a+b", "a+b", 1, 0},      {"a+b", "a b", 1, 1},
        {"%41%42", "AB", 1, 0},   {"%e6%b0%b4", "水", 1, 0}, {"%2f", "/", 1, 0},
        {"%", NULL, 0, 0},        {"%4", NULL, 0, 0},        {"%4g", NULL, 0, 0},
        {"a%", NULL, 0, 0},       {"%00", NULL, 0, 0},       {"%ff", NULL, 0, 0},
        {"%c0%af", NULL, 0, 0},   {"%ed%a0%80", NULL, 0, 0},
    };
    struct arena *arena = arena_new(1024);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span out;
        int got = http_unescape(span_str(cases[i].text), cases[i].plus, arena, &out);
        if (got != cases[i].result || (got == 1 && !span_eq(out, span_str(cases[i].decoded))))
            fail_msg("%s: %d", cases[i].text, got);
    }
    arena_free(&arena);
}

static void test_query(void **state)
{
    struct arena *arena = arena_new(1024);
    struct http_request r = {.query = SPAN("a=1&b=x%20y+z&c&=e&d=&a=2&%61b=3"), .arena = arena};
    (void)state;
    assert_true(span_eq(http_query(&r, "a"), SPAN("1")));
    assert_true(span_eq(http_query(&r, "b"), SPAN("x y z")));
    assert_true(span_eq(http_query(&r, "ab"), SPAN("3")));
    assert_int_equal(http_query(&r, "c").len, 0);
    assert_non_null(http_query(&r, "c").ptr);
    assert_int_equal(http_query(&r, "d").len, 0);
    assert_non_null(http_query(&r, "d").ptr);
    assert_null(http_query(&r, "e").ptr);
    r.query = span_of(NULL, 0);
    assert_null(http_query(&r, "a").ptr);
    arena_free(&arena);
}

static void test_headers(void **state)
{
    struct http_header headers[] = {{SPAN("Content-TYPE"), SPAN("Application/JSON; charset=utf-8")},
                                    {SPAN("X-Empty"), {NULL, 0}},
                                    {SPAN("x-two"), SPAN("1")},
                                    {SPAN("X-Two"), SPAN("2")}};
    struct http_request r = {.headers = headers, .header_count = 4};
    (void)state;
    assert_true(http_is_type(&r, "application/json"));
    assert_false(http_is_type(&r, "application/jso"));
    assert_true(span_eq(http_header(&r, "X-TWO"), SPAN("1")));
    assert_non_null(http_header(&r, "x-empty").ptr);
    assert_int_equal(http_header(&r, "x-empty").len, 0);
    assert_null(http_header(&r, "missing").ptr);
    r.header_count = 0;
    assert_false(http_is_type(&r, "application/json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_unescapes),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
