/*
 * json_writer: writes JSON into a buf. It puts the commas, escapes strings (RFC 8259, bytes that
 * are not UTF-8 become U+FFFD) and CHECKs that what is opened is closed. Failure is the buf's
 * (buf_ok).
 */
#ifndef JIESU_HTTP_JSON_WRITER_H
#define JIESU_HTTP_JSON_WRITER_H

#include "engine/base/buf.h"
#include "engine/http/json.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer {
    struct buf *out;
    uint32_t depth;
    bool comma; /* the next value needs a comma before it */
    bool after_key;
};

struct json_writer json_writer(struct buf *out);
void json_open_object(struct json_writer *w);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w);
void json_close_array(struct json_writer *w);
/* The name of the member whose value is written next: one that the program knows, with nothing to
 * escape. */
void json_key(struct json_writer *w, const char *key);
/* Any other name. */
void json_key_text(struct json_writer *w, struct span key);
void json_write_string(struct json_writer *w, struct span s);
void json_write_str(struct json_writer *w, const char *s); /* NULL writes null */
void json_write_i64(struct json_writer *w, int64_t n);
void json_write_double(struct json_writer *w,
                       double d); /* shortest form that reads back; not finite: null */
void json_write_bool(struct json_writer *w, bool b);
void json_write_null(struct json_writer *w);
/* A parsed value that is neither array nor object. */
void json_write_scalar(struct json_writer *w, struct json value);
/* A value that is already JSON text. */
void json_write_raw(struct json_writer *w, struct span json);
/* Key and value in one call. */
void json_member_string(struct json_writer *w, const char *key, struct span s);
void json_member_string_or_null(struct json_writer *w, const char *key,
                                struct span s); /* empty: null */
void json_member_str(struct json_writer *w, const char *key, const char *s);
void json_member_i64(struct json_writer *w, const char *key, int64_t n);
void json_member_double(struct json_writer *w, const char *key, double d);
void json_member_bool(struct json_writer *w, const char *key, bool b);

#endif
