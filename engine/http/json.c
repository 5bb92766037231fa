/*
 * The reader keeps a padded copy of the text and simdjson's tape (see json_shim.h). A value is an
 * index into the tape, so it costs nothing to copy and there is no tree to build or to free.
 *
 * The tape: word 0 is the root and the value starts at 1. The top byte of a word is its kind. '{'
 * and '[' hold in their low 32 bits the index of the word after their closing one. 'l', 'u' and 'd'
 * are followed by one word of int64, uint64 or double. '"' holds the offset of a string: four bytes
 * of length, then the bytes. 't', 'f' and 'n' stand alone. In an object each value is preceded by
 * its name as a '"' word.
 *
 * Two things are stricter than simdjson 3.0: a lone surrogate in a \u escape is refused (3.0 may
 * write it as bytes that are not UTF-8), and a text of more than 2 GiB is too long. A number that
 * fits neither 64 bits nor a double is refused, as simdjson does.
 */
#include "engine/http/json.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "engine/http/json_shim.h"

#include <string.h>

enum {
    CAPACITY_MIN = 4096, /* smallest text the reader makes room for */
    CAPACITY_KEPT =
        1024 * 1024, /* a reader grown beyond this shrinks when small texts come again */
};

struct json_reader {
    struct json_shim *shim;
    char *text; /* capacity + padding bytes */
    size_t text_capacity;
    size_t max_depth;
    const uint64_t *tape;
    const uint8_t *strings;
};

struct json_reader *json_reader_new(size_t max_depth)
{
    struct json_reader *reader = mem_zalloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->max_depth = max_depth;
    reader->shim = json_shim_new();
    if (reader->shim == NULL) {
        mem_free(reader);
        return NULL;
    }
    return reader;
}

void json_reader_free(struct json_reader **reader)
{
    if (*reader == NULL)
        return;
    json_shim_free((*reader)->shim);
    mem_free((*reader)->text);
    mem_free(*reader);
    *reader = NULL;
}

/* Room for len bytes: powers of two, so that a reader settles after a few texts. 0 or -1. */
static int reader_reserve(struct json_reader *reader, size_t len)
{
    size_t held = json_shim_capacity(reader->shim);
    bool shrink = held > CAPACITY_KEPT && len <= CAPACITY_KEPT / 16;
    if (reader->text != NULL && len <= held && len <= reader->text_capacity && !shrink)
        return 0;
    size_t capacity = CAPACITY_MIN;
    while (capacity < len)
        capacity *= 2;
    mem_free(reader->text);
    reader->text_capacity = 0;
    /* One level more than allowed, as simdjson counts the document itself. */
    if ((reader->text = mem_alloc(capacity + json_shim_padding())) == NULL ||
        json_shim_reserve(reader->shim, capacity, reader->max_depth + 1) != JSON_SHIM_OK)
        return -1;
    reader->text_capacity = capacity;
    return 0;
}

static int reader_error(enum json_shim_error error, size_t max_depth, struct err *err)
{
    switch (error) {
    case JSON_SHIM_NOMEM:
        return err_set(err, ERR_NOMEM, "not enough memory to read the JSON text");
    case JSON_SHIM_DEPTH:
        return err_set(err, ERR_LIMIT, "JSON is nested deeper than %zu levels", max_depth);
    case JSON_SHIM_NUMBER:
        return err_set(err, ERR_SYNTAX, "JSON holds a number that is malformed or out of range");
    case JSON_SHIM_STRING:
        return err_set(err, ERR_SYNTAX,
                       "JSON holds a string with a bad escape or a raw control character");
    case JSON_SHIM_UTF8:
        return err_set(err, ERR_SYNTAX, "JSON is not valid UTF-8");
    case JSON_SHIM_UNCLOSED:
        return err_set(err, ERR_SYNTAX, "JSON ends inside a string, an array or an object");
    case JSON_SHIM_EMPTY:
        return err_set(err, ERR_SYNTAX, "JSON text is empty");
    default:
        return err_set(err, ERR_SYNTAX, "JSON does not follow its grammar");
    }
}

static uint8_t word_kind(const struct json_reader *reader, size_t at)
{
    return (uint8_t)(reader->tape[at] >> 56);
}

static struct span word_string(const struct json_reader *reader, size_t at)
{
    const uint8_t *p = reader->strings + (reader->tape[at] & UINT64_C(0x00ffffffffffffff));
    uint32_t len;
    memcpy(&len, p, sizeof(len));
    return span_of((const char *)p + sizeof(len), len);
}

/* Index of the word behind the value at `at`. */
static size_t word_next(const struct json_reader *reader, size_t at)
{
    switch (word_kind(reader, at)) {
    case '{':
    case '[':
        return (uint32_t)reader->tape[at];
    case 'l':
    case 'u':
    case 'd':
        return at + 2;
    default:
        return at + 1;
    }
}

/* Every decoded string is UTF-8: only a \u escape can have made it otherwise. */
static bool strings_are_utf8(const struct json_reader *reader)
{
    size_t end = (uint32_t)reader->tape[0];
    for (size_t at = 1; at < end;) {
        uint8_t kind = word_kind(reader, at);
        if (kind == '"' && !utf8_valid(word_string(reader, at)))
            return false;
        at += kind == 'l' || kind == 'u' || kind == 'd' ? 2 : 1;
    }
    return true;
}

/* Looks for "\\u". Backslashes are rare in our texts, so memchr runs through most of it. */
static bool has_unicode_escape(struct span text)
{
    for (size_t at = 0; at < text.len;) {
        const char *found = memchr(text.ptr + at, '\\', text.len - at);
        if (found == NULL)
            return false;
        at = (size_t)(found - text.ptr) + 1;
        if (at < text.len && text.ptr[at] == 'u')
            return true;
    }
    return false;
}

int json_parse(struct json_reader *reader, struct span text, struct json *root, struct err *err)
{
    reader->tape = NULL;
    if (text.len > INT32_MAX)
        return err_set(err, ERR_LIMIT, "JSON text is longer than 2 GiB");
    if (text.len == 0)
        return reader_error(JSON_SHIM_EMPTY, 0, err);
    if (reader_reserve(reader, text.len) != 0)
        return reader_error(JSON_SHIM_NOMEM, 0, err);
    memcpy(reader->text, text.ptr, text.len);
    memset(reader->text + text.len, 0, json_shim_padding());

    enum json_shim_error error =
        json_shim_parse(reader->shim, reader->text, text.len, &reader->tape, &reader->strings);
    if (error != JSON_SHIM_OK)
        return reader_error(error, reader->max_depth, err);
    if (has_unicode_escape(text) && !strings_are_utf8(reader))
        return reader_error(JSON_SHIM_STRING, 0, err);
    *root = (struct json){reader, 1};
    return 0;
}

enum json_type json_type(struct json value)
{
    switch (word_kind(value.doc, value.at)) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 'l':
        return JSON_INTEGER;
    case 'u':
    case 'd':
        return JSON_NUMBER;
    case 't':
    case 'f':
        return JSON_BOOL;
    default:
        return JSON_NULL;
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "true or false", [JSON_INTEGER] = "an integer",
        [JSON_NUMBER] = "a number", [JSON_STRING] = "a string",    [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object"};
    return names[type];
}

struct span json_string(struct json value)
{
    CHECK(json_type(value) == JSON_STRING);
    return word_string(value.doc, value.at);
}

static uint64_t number_word(struct json value)
{
    const struct json_reader *reader = value.doc;
    return reader->tape[value.at + 1];
}

int64_t json_integer(struct json value)
{
    CHECK(json_type(value) == JSON_INTEGER);
    return (int64_t)number_word(value);
}

double json_number(struct json value)
{
    uint64_t word = number_word(value);
    uint8_t kind = word_kind(value.doc, value.at);
    CHECK(kind == 'l' || kind == 'u' || kind == 'd');
    if (kind == 'l')
        return (double)(int64_t)word;
    if (kind == 'u')
        return (double)word;
    double d;
    memcpy(&d, &word, sizeof(d));
    return d;
}

bool json_bool(struct json value)
{
    CHECK(json_type(value) == JSON_BOOL);
    return word_kind(value.doc, value.at) == 't';
}

struct json_iter json_iter(struct json value)
{
    enum json_type type = json_type(value);
    CHECK(type == JSON_ARRAY || type == JSON_OBJECT);
    size_t end = word_next(value.doc, value.at) - 1;
    return (struct json_iter){value.doc, value.at + 1, end, type == JSON_OBJECT};
}

int json_next(struct json_iter *iter, struct span *key, struct json *value)
{
    if (iter->at >= iter->end)
        return 0;
    if (iter->object) {
        if (key != NULL)
            *key = word_string(iter->doc, iter->at);
        iter->at++;
    }
    *value = (struct json){iter->doc, iter->at};
    iter->at = word_next(iter->doc, iter->at);
    return 1;
}

int json_get(struct json value, const char *key, struct json *out)
{
    if (json_type(value) != JSON_OBJECT)
        return 0;
    struct span wanted = span_str(key), name = {NULL, 0};
    struct json_iter iter = json_iter(value);
    struct json member;
    while (json_next(&iter, &name, &member) == 1) {
        if (span_eq(name, wanted)) {
            *out = member;
            return 1;
        }
    }
    return 0;
}

int64_t json_get_integer(struct json value, const char *key)
{
    struct json member;
    return json_get(value, key, &member) && json_type(member) == JSON_INTEGER ? json_integer(member)
                                                                              : 0;
}

struct span json_get_string(struct json value, const char *key)
{
    struct json member;
    return json_get(value, key, &member) && json_type(member) == JSON_STRING
               ? json_string(member)
               : (struct span){NULL, 0};
}
