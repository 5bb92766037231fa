/*
 * json: a reader of JSON text (RFC 8259), over simdjson.
 *
 * json_parse checks the whole text first (grammar, UTF-8, no duplicate-key check) and then hands
 * out values that borrow from the reader: they stay valid until the next json_parse on it. A reader
 * is for one thread. simdjson itself is C++; one shim file (json_shim.cc) holds all of it, and no
 * exception leaves it.
 */
#ifndef JIESU_HTTP_JSON_H
#define JIESU_HTTP_JSON_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_reader;

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER, /* fits int64 */
    JSON_NUMBER,  /* any other number, as a double */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value inside the reader's last document; copied freely. Opaque but for its size. */
struct json {
    const void *doc;
    size_t at;
};

/* Walks the members of an object or the elements of an array. */
struct json_iter {
    const void *doc;
    size_t at, end;
    bool object;
};

/* NULL when memory is short. max_depth: LIMIT_JSON_DEPTH for requests. */
struct json_reader *json_reader_new(size_t max_depth);
void json_reader_free(struct json_reader **reader);

/* Parses text (copied with padding inside). 0 and *root, or -1 and *err (ERR_SYNTAX with what is
 * wrong, ERR_LIMIT when nested too deeply, ERR_NOMEM). The text of *err never quotes the input. */
int json_parse(struct json_reader *reader, struct span text, struct json *root, struct err *err);

enum json_type json_type(struct json value);
/* The name of a type as used in messages: "a string", "an object", ... */
const char *json_type_name(enum json_type type);
/* The decoded string (escapes resolved); only for JSON_STRING. May hold NUL bytes. */
struct span json_string(struct json value);
int64_t json_integer(struct json value); /* only for JSON_INTEGER */
double json_number(struct json value);   /* for JSON_INTEGER and JSON_NUMBER */
bool json_bool(struct json value);       /* only for JSON_BOOL */

/* Only for JSON_ARRAY and JSON_OBJECT. */
struct json_iter json_iter(struct json value);
/* 1 and the next member, or 0 at the end. *key is set for objects; it may be NULL for arrays. */
int json_next(struct json_iter *iter, struct span *key, struct json *value);
/* The member named key: 1 and *value, or 0 when there is none (or value is no object). */
int json_get(struct json value, const char *key, struct json *out);
/* The integer that is the member named key; 0 when there is none or it is something else. */
int64_t json_get_integer(struct json value, const char *key);
/* The same for a string; empty. */
struct span json_get_string(struct json value, const char *key);

#endif
