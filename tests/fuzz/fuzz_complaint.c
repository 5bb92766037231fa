/*
 * A complaint's JSON: what is taken keeps its limits, and survives being stored and masked; what is
 * refused comes with errors that are JSON.
 */
#include "engine/api/complaint_json.h"
#include "engine/base/check.h"
#include "engine/base/utf.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(struct json_reader *reader, const struct complaint *complaint)
{
    struct buf stored = {0}, masked = {0};
    struct json root;
    CHECK(complaint->text.len > 0 && utf8_length(complaint->text) <= LIMIT_TEXT_CHARS);
    CHECK(utf8_length(complaint->title) <= LIMIT_TITLE_CHARS);
    CHECK(complaint->attachment_count <= LIMIT_ATTACHMENTS);
    complaint_encode(complaint, &stored);
    CHECK(buf_ok(&stored));
    CHECK(json_parse(reader, buf_view(&stored), &root, NULL) == 0);
    CHECK(stored_mask(reader, buf_view(&stored), &masked) == 0);
    CHECK(json_parse(reader, buf_view(&masked), &root, NULL) == 0);
    buf_free(&stored);
    buf_free(&masked);
}

static void check_refused(struct json_reader *reader, const struct buf *errors)
{
    struct buf array = {0};
    struct json root;
    buf_char(&array, '[');
    buf_span(&array, buf_view(errors));
    buf_char(&array, ']');
    CHECK(errors->len > 0);
    CHECK(json_parse(reader, buf_view(&array), &root, NULL) == 0);
    buf_free(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_reader *reader, *second;
    struct json root;
    struct complaint complaint;
    struct buf errors = {0};
    if (reader == NULL) {
        reader = json_reader_new(LIMIT_JSON_DEPTH);
        second = json_reader_new(LIMIT_JSON_DEPTH);
    }
    CHECK(reader != NULL && second != NULL);
    if (json_parse(reader, span_of((const char *)data, size), &root, NULL) == 0) {
        if (complaint_decode(root, &complaint, &errors) == 0)
            check_taken(second, &complaint);
        else
            check_refused(second, &errors);
    }
    buf_free(&errors);
    return 0;
}
