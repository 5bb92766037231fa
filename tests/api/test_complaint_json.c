/* Complaints as JSON: what is taken, what is refused and how each mistake is named, what is stored
 * and masked. */
#include "engine/api/complaint_json.h"
#include "engine/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct json_reader *reader;

static int set_up(void **state)
{
    (void)state;
    reader = json_reader_new(LIMIT_JSON_DEPTH);
    return reader == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_reader_free(&reader);
    return 0;
}

static int decode(const char *text, struct complaint *complaint, struct buf *errors)
{
    struct json root;
    struct err err = {0};
    if (json_parse(reader, span_str(text), &root, &err) < 0)
        fail_msg("not JSON: %s: %s", text, err.text);
    return complaint_decode(root, complaint, errors);
}

/* Each body, and the fields that must be named, in order, with what must be said of the first. */
static const struct {
    const char *body, *fields, *problem;
} refused[] = {
    {"{}", "text", "is required"},
    {"[]", "", "must be a JSON object, not an array"},
    {"\"x\"", "", "must be a JSON object, not a string"},
    {"{\"text\":1}", "text", "must be a string, not"},
    {"{\"text\":null}", "text", "must be a string, not null"},
    {"{\"text\":\"\"}", "text", "must not be blank"},
    {"{\"text\":\" \\n\\t\xE3\x80\x80\"}", "text", "must not be blank"},
    {"{\"text\":\"a\\u0000b\"}", "text", "control"},
    {"{\"text\":\"a\\u001bb\"}", "text", "control"},
    {"{\"text\":\"a\",\"text\":\"b\"}", "text", "more than once"},
    {"{\"text\":\"a\",\"Text\":\"b\"}", "Text", "not a known field"},
    {"{\"text\":\"a\",\"title\":[]}", "title", "must be a string, not an array"},
    {"{\"text\":\"a\",\"kind\":\"rant\"}", "kind", "must be complaint, help"},
    {"{\"text\":\"a\",\"kind\":7}", "kind", "must be complaint, help"},
    {"{\"text\":\"a\",\"source\":\"fax\"}", "source", "must be miniprogram"},
    {"{\"text\":\"a\",\"community\":\"A B\"}", "community", "must be an id"},
    {"{\"text\":\"a\",\"community\":\"\"}", "community", "must be an id"},
    {"{\"text\":\"a\",\"grid\":{}}", "grid", "must be an id"},
    {"{\"text\":\"a\",\"location\":\"x\"}", "location", "must be an object"},
    {"{\"text\":\"a\",\"location\":{\"lat\":1}}", "location", "both lat and lon"},
    {"{\"text\":\"a\",\"location\":{\"lat\":91,\"lon\":1}}", "location.lat", "from -90 to 90"},
    {"{\"text\":\"a\",\"location\":{\"lat\":1,\"lon\":-180.5}}", "location.lon", "-180 to 180"},
    {"{\"text\":\"a\",\"location\":{\"lat\":\"1\",\"lon\":1}}", "location.lat", "a number"},
    {"{\"text\":\"a\",\"location\":{\"lat\":1,\"lon\":1,\"lat\":2}}", "location.lat",
     "not a known"},
    {"{\"text\":\"a\",\"location\":{\"address\":1,\"x\":2}}", "location.address location.x",
     "string"},
    {"{\"text\":\"a\",\"resident\":[]}", "resident", "must be an object"},
    {"{\"text\":\"a\",\"resident\":{\"phone\":1,\"age\":2}}", "resident.phone resident.age",
     "string"},
    {"{\"text\":\"a\",\"occurred_at\":\"yesterday\"}", "occurred_at", "RFC 3339"},
    {"{\"text\":\"a\",\"occurred_at\":\"2026-02-30T00:00:00Z\"}", "occurred_at", "RFC 3339"},
    {"{\"text\":\"a\",\"attachments\":\"https://a\"}", "attachments", "must be an array"},
    {"{\"text\":\"a\",\"attachments\":[\"http://a\"]}", "attachments", "https URLs only"},
    {"{\"text\":\"a\",\"attachments\":[\"https://\"]}", "attachments", "https URLs only"},
    {"{\"text\":\"a\",\"attachments\":[\"https:///x\"]}", "attachments", "https URLs only"},
    {"{\"text\":\"a\",\"attachments\":[\"https://a b\"]}", "attachments", "https URLs only"},
    {"{\"x\":1,\"y\":2}", "x y text", "not a known field"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct complaint complaint;
        struct buf errors = {0}, array = {0}, fields = {0};
        struct json root, element, value;
        assert_int_equal(decode(refused[i].body, &complaint, &errors), -1);
        buf_char(&array, '[');
        buf_span(&array, buf_view(&errors));
        buf_char(&array, ']');
        assert_int_equal(json_parse(reader, buf_view(&array), &root, NULL), 0);
        struct json_iter it = json_iter(root);
        bool first = true;
        while (json_next(&it, NULL, &element)) {
            if (!first)
                buf_char(&fields, ' ');
            assert_true(json_get(element, "field", &value));
            buf_span(&fields, json_string(value));
            assert_true(json_get(element, "problem", &value));
            if (first && span_find(json_string(value), span_str(refused[i].problem)) < 0)
                fail_msg("%s: \"%.*s\" does not say \"%s\"", refused[i].body,
                         SPAN_ARG(json_string(value)), refused[i].problem);
            first = false;
        }
        assert_string_equal(buf_cstr(&fields), refused[i].fields);
        buf_free(&errors);
        buf_free(&array);
        buf_free(&fields);
    }
}

static void test_taken_whole(void **state)
{
    (void)state;
    struct complaint c;
    struct buf errors = {0};
    assert_int_equal(
        decode("{\"text\":\"路灯\\n不亮\",\"title\":\"t\",\"kind\":\"咨询\",\"source\":\"sensor\","
               "\"community\":\"bihu\",\"grid\":\"bihu-01\",\"location\":{\"lat\":28,\"lon\":112.5,"
               "\"address\":\"湖滨路\"},\"resident\":{\"id\":\"r\",\"name\":\"n\",\"phone\":\"1\"},"
               "\"occurred_at\":\"2026-03-01T08:30:00+08:00\",\"attachments\":[\"https://a/b\"]}",
               &c, &errors),
        0);
    assert_true(span_eq(c.text, SPAN("路灯\n不亮")));
    assert_true(c.has_kind && c.kind == KIND_ENQUIRY);
    assert_int_equal(c.source, SOURCE_SENSOR);
    assert_true(c.has_point && c.lat == 28 && c.lon == 112.5);
    assert_true(span_eq(c.address, SPAN("湖滨路")));
    assert_true(span_eq(c.resident_phone, SPAN("1")));
    assert_int_equal(c.attachment_count, 1);
    assert_true(c.occurred_at == INT64_C(1772325000000));
    buf_free(&errors);
}

static void test_least(void **state)
{
    (void)state;
    struct complaint c;
    struct buf errors = {0};
    assert_int_equal(decode("{\"text\":\"x\"}", &c, &errors), 0);
    assert_int_equal(c.source, SOURCE_MINIPROGRAM);
    assert_false(c.has_kind);
    assert_false(c.has_point);
    assert_int_equal(c.occurred_at, 0);
    buf_free(&errors);
}

/* A JSON body whose text has n characters of three bytes. */
static void write_text(struct buf *out, size_t n)
{
    buf_clear(out);
    buf_str(out, "{\"text\":\"");
    for (size_t i = 0; i < n; i++)
        buf_str(out, "长");
    buf_str(out, "\"}");
}

static void test_lengths_count_characters(void **state)
{
    (void)state;
    struct complaint c;
    struct buf body = {0}, errors = {0};
    write_text(&body, LIMIT_TEXT_CHARS);
    assert_int_equal(decode(buf_cstr(&body), &c, &errors), 0);
    write_text(&body, LIMIT_TEXT_CHARS + 1);
    assert_int_equal(decode(buf_cstr(&body), &c, &errors), -1);
    buf_free(&body);
    buf_free(&errors);
}

static void test_attachments_are_bounded(void **state)
{
    (void)state;
    for (int n = LIMIT_ATTACHMENTS; n <= LIMIT_ATTACHMENTS + 1; n++) {
        struct complaint c;
        struct buf body = {0}, errors = {0};
        buf_str(&body, "{\"text\":\"x\",\"attachments\":[");
        for (int i = 0; i < n; i++)
            buf_str(&body, i == 0 ? "\"https://a\"" : ",\"https://a\"");
        buf_str(&body, "]}");
        assert_int_equal(decode(buf_cstr(&body), &c, &errors), n == LIMIT_ATTACHMENTS ? 0 : -1);
        buf_free(&body);
        buf_free(&errors);
    }
}

static void test_errors_are_bounded(void **state)
{
    (void)state;
    struct complaint c;
    struct buf body = {0}, errors = {0};
    buf_str(&body, "{");
    for (int i = 0; i < 1000; i++)
        buf_printf(&body, "%s\"field%d\":1", i == 0 ? "" : ",", i);
    buf_str(&body, "}");
    assert_int_equal(decode(buf_cstr(&body), &c, &errors), -1);
    assert_true(errors.len > 0 && errors.len < 8192);
    buf_free(&body);
    buf_free(&errors);
}

static void test_stored_complaint_is_masked(void **state)
{
    (void)state;
    struct complaint c;
    struct buf errors = {0}, stored = {0}, masked = {0};
    assert_int_equal(
        decode("{\"text\":\"请打13800001234找我\",\"title\":\"急\",\"location\":{\"lat\":28.5,"
               "\"lon\":112.25,\"address\":\"湖滨路\"},\"resident\":{\"id\":\"openid-77\","
               "\"name\":\"欧阳测试\",\"phone\":\"13800005678\"}}",
               &c, &errors),
        0);
    complaint_encode(&c, &stored);
    assert_true(buf_ok(&stored));
    assert_true(span_find(buf_view(&stored), SPAN("13800005678")) >= 0);
    assert_int_equal(stored_mask(reader, buf_view(&stored), &masked), 0);
    assert_true(span_find(buf_view(&masked), SPAN("13800005678")) < 0);
    assert_true(span_find(buf_view(&masked), SPAN("13800001234")) < 0);
    assert_true(span_find(buf_view(&masked), SPAN("欧阳测试")) < 0);
    assert_true(span_find(buf_view(&masked), SPAN("openid-77")) < 0);
    assert_true(span_find(buf_view(&masked), SPAN("湖滨路")) >= 0);
    assert_true(span_find(buf_view(&masked), SPAN("28.5")) >= 0);
    buf_free(&errors);
    buf_free(&stored);
    buf_free(&masked);
}

static void test_history_is_masked(void **state)
{
    (void)state;
    const struct span stored =
        SPAN("{\"version\":2,\"step\":\"resolve\",\"at\":1763769600123,\"worker\":\"w-20251122\","
             "\"note\":{\"result\":\"已联系13800001234\"}}");
    struct buf masked = {0};
    assert_int_equal(stored_mask(reader, stored, &masked), 0);
    assert_string_equal(
        buf_cstr(&masked),
        "{\"version\":2,\"step\":\"resolve\",\"at\":1763769600123,\"worker\":\"w-20251122\","
        "\"note\":{\"result\":\"已联系138****1234\"}}");
    buf_free(&masked);
}

static void test_evidence_is_masked(void **state)
{
    (void)state;
    struct verdict verdict = {.evidence_count = 1};
    verdict.evidence[0].place.bytes = SPAN("着火了，打13800001234，快来");
    struct buf out = {0};
    verdict_encode(&verdict, &out);
    assert_true(span_find(buf_view(&out), SPAN("\"words\":\"着火了，打138****1234，快来\"")) >= 0);
    buf_free(&out);
}

/* Masking with the n-th allocation failing: it fails cleanly, or gives the whole answer. */
static void test_masking_without_memory(void **state)
{
    (void)state;
    const struct span stored = SPAN("{\"text\":\"13800001234\",\"resident\":{\"name\":\"n\"}}");
    for (uint64_t n = 1;; n++) {
        struct buf masked = {0};
        mem_fail_at(n);
        const int result = stored_mask(reader, stored, &masked);
        const bool passed = mem_asked() < n;
        mem_fail_at(0);
        if (result == 0)
            assert_true(span_find(buf_view(&masked), SPAN("13800001234")) < 0);
        else
            assert_false(passed);
        buf_free(&masked);
        if (passed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken_whole),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_lengths_count_characters),
        cmocka_unit_test(test_attachments_are_bounded),
        cmocka_unit_test(test_errors_are_bounded),
        cmocka_unit_test(test_stored_complaint_is_masked),
        cmocka_unit_test(test_history_is_masked),
        cmocka_unit_test(test_evidence_is_masked),
        cmocka_unit_test(test_masking_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
