/*
 * Fuzzes the JSON reader: parses, walks every value, writes what it found, and reads that again:
 * the second writing must equal the first.
 */
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/utf.h"
#include "engine/http/json.h"
#include "engine/http/json_writer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct json_writer *w, struct json value);

static void write_members(struct json_writer *w, struct json value)
{
    struct json_iter iter = json_iter(value);
    struct json member;
    struct span key;
    while (json_next(&iter, &key, &member) == 1) {
        if (iter.object) {
            /* A name may hold NUL, which json_key cannot write: names are written as values. */
            json_open_array(w);
            CHECK(utf8_valid(key));
            json_write_string(w, key);
        }
        write_value(w, member);
        if (iter.object)
            json_close_array(w);
    }
}

static void write_value(struct json_writer *w, struct json value)
{
    struct json ignored;
    CHECK(json_type_name(json_type(value)) != NULL);
    switch (json_type(value)) {
    case JSON_STRING:
        CHECK(utf8_valid(json_string(value)));
        json_write_scalar(w, value);
        break;
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_INTEGER:
    case JSON_NUMBER:
        json_write_scalar(w, value);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        json_get(value, "a", &ignored);
        json_open_array(w);
        write_members(w, value);
        json_close_array(w);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_reader *reader;
    if (reader == NULL) {
        /* Twice the depth: members of an object are written as arrays of two. */
        reader = json_reader_new(2 * LIMIT_JSON_DEPTH + 2);
        CHECK(reader != NULL);
    }
    struct json root;
    struct err err;
    if (json_parse(reader, span_of((const char *)data, size), &root, &err) != 0) {
        CHECK(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
        return 0;
    }
    struct buf once = {.limit = 0}, twice = {.limit = 0};
    struct json_writer w = json_writer(&once);
    write_value(&w, root);
    CHECK(buf_ok(&once));
    if (json_parse(reader, buf_view(&once), &root, &err) == 0) {
        w = json_writer(&twice);
        write_value(&w, root);
        CHECK(span_eq(buf_view(&once), buf_view(&twice)));
    } else {
        CHECK(err.code == ERR_LIMIT);
    }
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
