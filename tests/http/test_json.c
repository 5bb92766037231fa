/* The reader and the writer of JSON, and both against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"
#include "engine/http/json.h"
#include "engine/http/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json parse_ok(struct json_reader *reader, const char *text)
{
    struct json root;
    struct err err = {.code = ERR_NONE};
    assert_int_equal(json_parse(reader, span_str(text), &root, &err), 0);
    return root;
}

static void test_reads_each_type(void **state)
{
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    struct json v;
    (void)state;
    struct json root = parse_ok(reader, " {\"n\":null,\"t\":true,\"f\":false,\"i\":-42,\"d\":2.5,"
                                        "\"s\":\"x\",\"a\":[1,[2],{\"k\":3}],\"o\":{},"
                                        "\"min\":-9223372036854775808,\"u\":18446744073709551615,"
                                        "\"e\":1e3,\"z\":[]} ");
    assert_int_equal(json_type(root), JSON_OBJECT);
    assert_int_equal(json_get(root, "n", &v), 1);
    assert_int_equal(json_type(v), JSON_NULL);
    assert_int_equal(json_get(root, "t", &v), 1);
    assert_true(json_bool(v));
    assert_int_equal(json_get(root, "f", &v), 1);
    assert_false(json_bool(v));
    assert_int_equal(json_get(root, "i", &v), 1);
    assert_int_equal(json_integer(v), -42);
    assert_true(json_number(v) == -42.0);
    assert_int_equal(json_get(root, "d", &v), 1);
    assert_int_equal(json_type(v), JSON_NUMBER);
    assert_true(json_number(v) == 2.5);
    assert_int_equal(json_get(root, "s", &v), 1);
    assert_true(span_eq(json_string(v), SPAN("x")));
    assert_int_equal(json_get(root, "min", &v), 1);
    assert_true(json_integer(v) == INT64_MIN);
    assert_int_equal(json_get(root, "u", &v), 1);
    assert_int_equal(json_type(v), JSON_NUMBER);
    assert_true(json_number(v) == 18446744073709551615.0);
    assert_int_equal(json_get(root, "e", &v), 1);
    assert_true(json_number(v) == 1000.0);
    assert_int_equal(json_get(root, "missing", &v), 0);
    assert_int_equal(json_get(root, "z", &v), 1);
    struct json_iter iter = json_iter(v);
    assert_int_equal(json_next(&iter, NULL, &v), 0);
    assert_int_equal(json_get(root, "a", &v), 1);
    assert_int_equal(json_get(v, "k", &v), 0);
    json_reader_free(&reader);
    assert_null(reader);
}

static void test_iterates_in_order(void **state)
{
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    struct json v, inner;
    struct span key;
    (void)state;
    struct json root = parse_ok(reader, "{\"a\":[1,2,3],\"b\":{\"x\":1},\"c\":\"end\"}");
    struct json_iter members = json_iter(root);
    assert_int_equal(json_next(&members, &key, &v), 1);
    assert_true(span_eq(key, SPAN("a")));
    int64_t sum = 0;
    struct json_iter elements = json_iter(v);
    while (json_next(&elements, NULL, &inner) == 1)
        sum = sum * 10 + json_integer(inner);
    assert_int_equal(sum, 123);
    assert_int_equal(json_next(&members, &key, &v), 1);
    assert_true(span_eq(key, SPAN("b")));
    assert_int_equal(json_next(&members, &key, &v), 1);
    assert_true(span_eq(key, SPAN("c")));
    assert_int_equal(json_next(&members, &key, &v), 0);
    assert_int_equal(json_next(&members, &key, &v), 0);
    json_reader_free(&reader);
}

static void test_decodes_escapes(void **state)
{
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    (void)state;
    struct json root = parse_ok(reader, "\"a\\u0000b\\n\\\"\\\\\\/\\ud83d\\ude00\\u6c34\"");
    static const char wanted[] = "a\0b\n\"\\/\xf0\x9f\x98\x80\xe6\xb0\xb4";
    assert_true(span_eq(json_string(root), span_of(wanted, sizeof(wanted) - 1)));
    json_reader_free(&reader);
}

static void test_refuses_what_is_no_json(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
    } bad[] = {
        {"", ERR_SYNTAX},
        {"   ", ERR_SYNTAX},
        {"{", ERR_SYNTAX},
        {"}", ERR_SYNTAX},
        {"{\"a\":1,}", ERR_SYNTAX},
        {"[1,]", ERR_SYNTAX},
        {"[1 2]", ERR_SYNTAX},
        {"{\"a\" 1}", ERR_SYNTAX},
        {"{a:1}", ERR_SYNTAX},
        {"'a'", ERR_SYNTAX},
        {"nul", ERR_SYNTAX},
        {"nulll", ERR_SYNTAX},
        {"tru", ERR_SYNTAX},
        {"NaN", ERR_SYNTAX},
        {"Infinity", ERR_SYNTAX},
        {"01", ERR_SYNTAX},
        {"+1", ERR_SYNTAX},
        {"1.", ERR_SYNTAX},
        {".5", ERR_SYNTAX},
        {"1e", ERR_SYNTAX},
        {"0x10", ERR_SYNTAX},
        {"1e999", ERR_SYNTAX},
        {"123456789012345678901234567890", ERR_SYNTAX},
        {"\"a", ERR_SYNTAX},
        {"\"a\nb\"", ERR_SYNTAX},
        {"\"\\x\"", ERR_SYNTAX},
        {"\"\\u12g4\"", ERR_SYNTAX},
        {"\"\\ud800\"", ERR_SYNTAX},
        {"\"\\udc00\"", ERR_SYNTAX},
        {"\"\\ud800\\u0041\"", ERR_SYNTAX},
        {"\"\\ud800\\ud800\"", ERR_SYNTAX},
        {"{\"\\udfff\":1}", ERR_SYNTAX},
        {"\"\xff\"", ERR_SYNTAX},
        {"\"\xc0\xaf\"", ERR_SYNTAX},
        {"\"\xed\xa0\x80\"", ERR_SYNTAX},
        {"1 2", ERR_SYNTAX},
        {"{} {}", ERR_SYNTAX},
        {"// c\n1", ERR_SYNTAX},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", ERR_LIMIT},
    };
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json root;
        struct err err = {.code = ERR_NONE};
        if (json_parse(reader, span_str(bad[i].text), &root, &err) != -1 || err.code != bad[i].code)
            fail_msg("%s: code %d, text %s", bad[i].text, err.code, err.text);
        assert_true(strlen(err.text) > 0);
    }
    /* A NUL in the text is a byte like any other that does not belong there. */
    struct json root;
    assert_int_equal(json_parse(reader, span_of("1\0", 2), &root, NULL), -1);
    parse_ok(reader, "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]");
    json_reader_free(&reader);
}

static void test_deep_nesting_is_refused_quickly(void **state)
{
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    struct json root;
    struct err err;
    (void)state;
    size_t len = 1000000;
    char *text = malloc(len);
    memset(text, '[', len / 2);
    memset(text + len / 2, ']', len / 2);
    assert_int_equal(json_parse(reader, span_of(text, len), &root, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    free(text);
    /* The reader is as good as new, and has given the large memory back. */
    root = parse_ok(reader, "[7]");
    json_reader_free(&reader);
}

/* A random value written by the writer; what it should read back as is followed along by compare.
 */
static void write_random(struct json_writer *w, struct random *r, int depth)
{
    static const char *const pieces[] = {
        "水管", "a\"b", "\\", "\n\t\r\b\f", "\x01\x1f", "\x7f", "", "\xf0\x9f\x98\x80", "/", "é"};
    uint64_t kind = random_below(r, depth > 0 ? 8 : 6);
    char text[64] = "";
    switch (kind) {
    case 0:
        json_write_null(w);
        break;
    case 1:
        json_write_bool(w, random_below(r, 2) == 1);
        break;
    case 2:
        json_write_i64(w, (int64_t)random_next(r));
        break;
    case 3: {
        uint64_t bits = random_next(r);
        double d;
        memcpy(&d, &bits, sizeof(d));
        json_write_double(w, isfinite(d) ? d : 0.1);
        break;
    }
    case 4:
    case 5:
        for (uint64_t n = random_below(r, 4); n > 0; n--)
            strcat(text, pieces[random_below(r, sizeof(pieces) / sizeof(pieces[0]))]);
        json_write_str(w, text);
        break;
    case 6:
        json_open_array(w);
        for (uint64_t n = random_below(r, 5); n > 0; n--)
            write_random(w, r, depth - 1);
        json_close_array(w);
        break;
    default:
        json_open_object(w);
        for (uint64_t n = random_below(r, 5); n > 0; n--) {
            json_key_text(w, span_str(pieces[n]));
            write_random(w, r, depth - 1);
        }
        json_close_object(w);
    }
}

/* Writes a parsed value again. */
static void rewrite(struct json_writer *w, struct json v)
{
    struct json_iter iter;
    struct json inner;
    struct span key;
    switch (json_type(v)) {
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_INTEGER:
    case JSON_NUMBER:
    case JSON_STRING:
        json_write_scalar(w, v);
        break;
    case JSON_ARRAY:
        json_open_array(w);
        iter = json_iter(v);
        while (json_next(&iter, NULL, &inner) == 1)
            rewrite(w, inner);
        json_close_array(w);
        break;
    case JSON_OBJECT:
        json_open_object(w);
        iter = json_iter(v);
        while (json_next(&iter, &key, &inner) == 1) {
            json_key_text(w, key);
            rewrite(w, inner);
        }
        json_close_object(w);
        break;
    }
}

static void test_what_is_written_reads_back(void **state)
{
    struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
    struct random r = {.state = 20240601};
    struct buf once = {0}, twice = {0};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct json root;
        struct err err = {.code = ERR_NONE};
        buf_clear(&once);
        buf_clear(&twice);
        struct json_writer w = json_writer(&once);
        write_random(&w, &r, 4);
        if (json_parse(reader, buf_view(&once), &root, &err) != 0)
            fail_msg("%s: %.*s", err.text, SPAN_ARG(buf_view(&once)));
        w = json_writer(&twice);
        rewrite(&w, root);
        if (!span_eq(buf_view(&once), buf_view(&twice)))
            fail_msg("%.*s became %.*s", SPAN_ARG(buf_view(&once)), SPAN_ARG(buf_view(&twice)));
    }
    buf_free(&once);
    buf_free(&twice);
    json_reader_free(&reader);
}

static void assert_written(struct buf *out, const char *wanted)
{
    assert_true(buf_ok(out));
    assert_string_equal(buf_cstr(out), wanted);
    buf_free(out);
}

static void test_writes(void **state)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    (void)state;
    json_open_object(&w);
    json_member_str(&w, "s", "a\"\\\n\x01\x1f\x7f水");
    json_member_str(&w, "null", NULL);
    json_member_i64(&w, "i", INT64_MIN);
    json_member_double(&w, "d", 0.1);
    json_member_double(&w, "-0", -0.0);
    json_member_double(&w, "inf", INFINITY);
    json_member_double(&w, "nan", NAN);
    json_member_bool(&w, "b", true);
    json_key(&w, "raw");
    json_write_raw(&w, SPAN("[1,2]"));
    json_key(&w, "a");
    json_open_array(&w);
    json_open_array(&w);
    json_close_array(&w);
    json_write_null(&w);
    json_open_object(&w);
    json_close_object(&w);
    json_close_array(&w);
    json_member_string(&w, "nul", span_of("\0", 1));
    json_close_object(&w);
    assert_written(&out,
                   "{\"s\":\"a\\\"\\\\\\n\\u0001\\u001f\x7f水\",\"null\":null,"
                   "\"i\":-9223372036854775808,\"d\":0.1,\"-0\":-0.0,\"inf\":null,\"nan\":null,"
                   "\"b\":true,\"raw\":[1,2],\"a\":[[],null,{}],\"nul\":\"\\u0000\"}");
}

static void test_writes_utf8_whatever_it_is_given(void **state)
{
    struct random r = {.state = 7};
    struct json_reader *reader = json_reader_new(4);
    struct buf out = {0};
    (void)state;
    struct json_writer w = json_writer(&out);
    json_write_str(&w, "a\xff\xe6\xb0z\xed\xa0\x80");
    assert_written(&out, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"
                         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    for (int i = 0; i < 5000; i++) {
        char bytes[24];
        for (size_t k = 0; k < sizeof(bytes); k++)
            bytes[k] = (char)(random_below(&r, 2) == 0 ? random_below(&r, 256)
                                                       : 0x80 + random_below(&r, 0x78));
        struct json root;
        buf_clear(&out);
        w = json_writer(&out);
        json_write_string(&w, span_of(bytes, random_below(&r, sizeof(bytes) + 1)));
        assert_true(utf8_valid(buf_view(&out)));
        assert_int_equal(json_parse(reader, buf_view(&out), &root, NULL), 0);
    }
    buf_free(&out);
    json_reader_free(&reader);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct json root;
        struct err err = {.code = ERR_NONE};
        mem_fail_at(n);
        struct json_reader *reader = json_reader_new(LIMIT_JSON_DEPTH);
        int parsed = reader == NULL ? -1 : json_parse(reader, SPAN("[1]"), &root, &err);
        bool all = mem_asked() < n;
        mem_fail_at(0);
        if (reader != NULL && parsed != 0) {
            assert_int_equal(err.code, ERR_NOMEM);
            root = parse_ok(reader, "[2]");
        }
        json_reader_free(&reader);
        if (all) {
            assert_int_equal(parsed, 0);
            break;
        }
        assert_int_equal(parsed, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_each_type),
        cmocka_unit_test(test_iterates_in_order),
        cmocka_unit_test(test_decodes_escapes),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_deep_nesting_is_refused_quickly),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_writes_utf8_whatever_it_is_given),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
