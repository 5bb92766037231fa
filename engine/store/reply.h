/*
 * reply: a view of one Redis reply, so that nobody above the client sees hiredis.
 */
#ifndef JIESU_STORE_REPLY_H
#define JIESU_STORE_REPLY_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply; /* borrowed from the client for the length of a callback */

enum reply_type { REPLY_NIL, REPLY_STRING, REPLY_STATUS, REPLY_ERROR, REPLY_INTEGER, REPLY_ARRAY };

enum reply_type reply_type(const struct reply *reply);
/* The bytes of a string, status or error; empty for others. */
struct span reply_span(const struct reply *reply);
/* The value of an integer, or of a string of digits; 0 for others. */
int64_t reply_integer(const struct reply *reply);
/* Elements of an array; 0 for others. */
size_t reply_size(const struct reply *reply);
/* The i-th element; NULL when there is none. */
const struct reply *reply_at(const struct reply *reply, size_t i);
/* True for an error reply that says: not done, and it may work later (out of memory, cannot write
 * its AOF, busy with a script, loading, a replica, a Cluster that is being repaired, ...; also when
 * the function library is gone, which a new connection loads again). */
bool reply_not_done(const struct reply *reply);

#endif
