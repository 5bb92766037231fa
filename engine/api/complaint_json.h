/*
 * complaint_json: complaints and orders as JSON.
 *
 * Decoding is strict: every unknown, repeated or mistyped member is named, with what was expected;
 * never with what was sent, which may be personal.
 */
#ifndef JIESU_API_COMPLAINT_JSON_H
#define JIESU_API_COMPLAINT_JSON_H

#include "engine/base/buf.h"
#include "engine/http/json.h"
#include "engine/model/complaint.h"
#include "engine/model/order.h"

/* Fills *complaint from an object. 0; or -1 and *errors, a JSON array of {"field","problem"} (at
 * most 32), or -1 with failed *errors when memory is short. Spans borrow from the reader. */
int complaint_decode(struct json root, struct complaint *complaint, struct buf *errors);

/* Appends {"field":...,"problem":...} to an array of errors, with its comma. */
void complaint_error(struct buf *errors, struct span field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* True for an https URL of at most LIMIT_ATTACHMENT_BYTES. */
bool complaint_url_valid(struct span s);

/* What the resident sent, as JSON, with personal data in the clear: it is stored for the worker. */
void complaint_encode(const struct complaint *complaint, struct buf *out);
/* What is stored of an order (complaint_encode's output, or an entry of its history with the note in
 * it) with all personal data masked. 0, or -1 when it cannot be read. The reader's last document is
 * replaced. */
int stored_mask(struct json_reader *reader, struct span stored, struct buf *out);

/* The answer to the backend: everything the engine decided, with the evidence. */
void order_encode(const struct order *order, struct buf *out);
/* The verdict alone (POST /v1/classify, jiesu classify --json). */
void verdict_encode(const struct verdict *verdict, struct buf *out);

#endif
