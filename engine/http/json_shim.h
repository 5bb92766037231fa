/*
 * json_shim: what json.c needs of simdjson, as C.
 *
 * simdjson's parser leaves its result as a "tape" of 64-bit words and a block of decoded strings
 * (the format is described in simdjson's doc/tape.md and has been stable since 0.3). The shim hands
 * out both; json.c walks them. No exception leaves the shim and no C++ type is named here.
 */
#ifndef JIESU_HTTP_JSON_SHIM_H
#define JIESU_HTTP_JSON_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_shim;

enum json_shim_error {
    JSON_SHIM_OK,
    JSON_SHIM_NOMEM,
    JSON_SHIM_DEPTH,
    JSON_SHIM_NUMBER,
    JSON_SHIM_STRING,
    JSON_SHIM_UTF8,
    JSON_SHIM_UNCLOSED,
    JSON_SHIM_EMPTY,
    JSON_SHIM_SYNTAX
};

/* Bytes that must be readable (any value) behind the text given to json_shim_parse. */
size_t json_shim_padding(void);
/* NULL when memory is short. */
struct json_shim *json_shim_new(void);
void json_shim_free(struct json_shim *shim);
/* Makes room for texts of up to capacity bytes, giving back what was held before. The last result
 * is lost. JSON_SHIM_OK or JSON_SHIM_NOMEM; after a failure the capacity is 0. */
enum json_shim_error json_shim_reserve(struct json_shim *shim, size_t capacity, size_t max_depth);
size_t json_shim_capacity(const struct json_shim *shim);
/* Parses text, len <= capacity. On success *tape and *strings are valid until the next call. */
enum json_shim_error json_shim_parse(struct json_shim *shim, const char *text, size_t len,
                                     const uint64_t **tape, const uint8_t **strings);

#ifdef __cplusplus
}
#endif

#endif
