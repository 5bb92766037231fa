/* The only C++ of the engine: see json_shim.h. */
#include "engine/http/json_shim.h"

#include <new>
#include <simdjson.h>

struct json_shim {
    simdjson::dom::parser parser;
    size_t capacity = 0;
};

size_t json_shim_padding(void)
{
    return simdjson::SIMDJSON_PADDING;
}

struct json_shim *json_shim_new(void)
{
    return new (std::nothrow) json_shim;
}

void json_shim_free(struct json_shim *shim)
{
    delete shim;
}

enum json_shim_error json_shim_reserve(struct json_shim *shim, size_t capacity, size_t max_depth)
{
    shim->capacity = 0;
    if (shim->parser.allocate(capacity, max_depth) != simdjson::SUCCESS ||
        shim->parser.doc.allocate(capacity) != simdjson::SUCCESS)
        return JSON_SHIM_NOMEM;
    shim->capacity = capacity;
    return JSON_SHIM_OK;
}

size_t json_shim_capacity(const struct json_shim *shim)
{
    return shim->capacity;
}

static enum json_shim_error translate(simdjson::error_code code)
{
    switch (code) {
    case simdjson::SUCCESS:
        return JSON_SHIM_OK;
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
        return JSON_SHIM_NOMEM;
    case simdjson::DEPTH_ERROR:
        return JSON_SHIM_DEPTH;
    case simdjson::NUMBER_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE:
        return JSON_SHIM_NUMBER;
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
        return JSON_SHIM_STRING;
    case simdjson::UTF8_ERROR:
        return JSON_SHIM_UTF8;
    case simdjson::UNCLOSED_STRING:
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return JSON_SHIM_UNCLOSED;
    case simdjson::EMPTY:
        return JSON_SHIM_EMPTY;
    default:
        return JSON_SHIM_SYNTAX;
    }
}

enum json_shim_error json_shim_parse(struct json_shim *shim, const char *text, size_t len,
                                     const uint64_t **tape, const uint8_t **strings)
{
    auto result = shim->parser.parse(text, len, false);
    if (result.error() != simdjson::SUCCESS)
        return translate(result.error());
    *tape = shim->parser.doc.tape.get();
    *strings = shim->parser.doc.string_buf.get();
    return JSON_SHIM_OK;
}
