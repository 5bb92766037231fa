/*
 * hook_payload: what a webhook endpoint is told of an event: JSON for the mini-program's backend.
 *
 *   {"id":"<community>.<ulid>.<version>.<step>","type":"complaint.accepted","complaint":"<community>.<ulid>",
 *    "version":2,"status":"accepted","progress":"网格员已接单，正在处理","at":"2026-03-01T08:30:00+08:00"}
 *
 * It holds nothing about staff or resident, and nothing that anybody wrote: who wants more asks
 * GET /v1/complaints/{id}. The same event has the same id and the same body whenever it is told.
 */
#ifndef JIESU_API_HOOK_PAYLOAD_H
#define JIESU_API_HOOK_PAYLOAD_H

#include "engine/base/buf.h"
#include "engine/http/json.h"
#include "engine/model/hook_type.h"
#include "engine/store/events.h"

/* 1 and the body appended to *out, and its *type; 0 when the event is not told to anyone outside; -1
 * when memory is short. An event that cannot be read is not told. */
int hook_payload(struct json_reader *json, struct span community, const struct event *event,
                 enum hook_type *type, struct buf *out);
/* Appends the event's id. */
void hook_event_id(struct span community, const struct event *event, struct buf *out);

#endif
