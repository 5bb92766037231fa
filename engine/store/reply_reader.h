/*
 * reply_reader: bytes from Redis in, replies out; the only place that includes hiredis.
 */
#ifndef JIESU_STORE_REPLY_READER_H
#define JIESU_STORE_REPLY_READER_H

#include "engine/base/err.h"
#include "engine/store/reply.h"

#include <stddef.h>

/* What stands behind reply.h. */
struct reply {
    enum reply_type type;
    size_t len; /* bytes of text, or number of items */
    union {
        const char *text;
        int64_t integer;
        struct reply *items;
    } of;
};

struct reply_reader;

/* limit: most bytes one reply may take. NULL when memory is short. */
struct reply_reader *reply_reader_new(size_t limit);
void reply_reader_free(struct reply_reader **reader);
/* Takes bytes as they arrived; they are copied. 0, or -1 and *err (ERR_NOMEM, ERR_LIMIT), after
 * which the reader is of no more use. */
int reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t len, struct err *err);
/* The next whole reply: 1 with *reply, valid until the next call; 0 when more bytes are needed; -1
 * and *err (ERR_PROTOCOL, ERR_LIMIT, ERR_NOMEM), after which the reader is of no more use. */
int reply_reader_next(struct reply_reader *reader, const struct reply **reply, struct err *err);

#endif
