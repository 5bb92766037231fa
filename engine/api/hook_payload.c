#include "engine/api/hook_payload.h"

#include "engine/base/clock.h"
#include "engine/http/json_writer.h"
#include "engine/model/order.h"

/* A note that was written to the resident. */
static bool is_feedback(struct json_reader *json, struct span entry)
{
    struct json root, note, feedback;
    return json_parse(json, entry, &root, NULL) == 0 && json_type(root) == JSON_OBJECT &&
           json_get(root, "note", &note) && json_type(note) == JSON_OBJECT &&
           json_get(note, "feedback", &feedback);
}

void hook_event_id(struct span community, const struct event *event, struct buf *out)
{
    buf_span(out, community);
    buf_char(out, '.');
    buf_span(out, event->order);
    buf_char(out, '.');
    buf_i64(out, event->version);
    buf_char(out, '.');
    buf_span(out, event->step);
}

int hook_payload(struct json_reader *json, struct span community, const struct event *event,
                 enum hook_type *type, struct buf *out)
{
    char time[CLOCK_RFC3339_BYTES];
    enum order_state state;
    struct buf id = {0};
    const bool note = span_eq(event->step, SPAN("note"));
    if (hook_type_of_step(event->step, note && is_feedback(json, event->entry), type) < 0 ||
        order_state_parse(event->to, &state) < 0)
        return 0;
    hook_event_id(community, event, &id);
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_string(&w, "id", buf_view(&id));
    json_member_str(&w, "type", hook_type_name(*type));
    buf_clear(&id);
    buf_span(&id, community);
    buf_char(&id, '.');
    buf_span(&id, event->order);
    json_member_string(&w, "complaint", buf_view(&id));
    json_member_i64(&w, "version", event->version);
    json_member_str(&w, "status", order_state_name(state));
    json_member_str(&w, "progress", order_state_progress(state));
    json_member_str(&w, "at", clock_format(event->at, time));
    json_close_object(&w);
    const bool good = buf_ok(&id) && buf_ok(out);
    buf_free(&id);
    return good ? 1 : -1;
}
