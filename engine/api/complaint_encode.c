/* Complaints, verdicts and orders written as JSON; and a stored complaint with its personal data
 * masked. */
#include "engine/api/complaint_json.h"

#include "engine/api/api_private.h"
#include "engine/http/json_writer.h"
#include "engine/model/pii.h"

#include <math.h>

static void member_if(struct json_writer *w, const char *key, struct span s)
{
    if (s.len > 0)
        json_member_string(w, key, s);
}

void complaint_encode(const struct complaint *complaint, struct buf *out)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    member_if(&w, "title", complaint->title);
    json_member_string(&w, "text", complaint->text);
    json_member_str(&w, "source", source_name(complaint->source));
    if (complaint->has_point || complaint->address.len > 0) {
        json_key(&w, "location");
        json_open_object(&w);
        if (complaint->has_point) {
            json_member_double(&w, "lat", complaint->lat);
            json_member_double(&w, "lon", complaint->lon);
        }
        member_if(&w, "address", complaint->address);
        json_close_object(&w);
    }
    if (complaint->resident_id.len + complaint->resident_name.len + complaint->resident_phone.len >
        0) {
        json_key(&w, "resident");
        json_open_object(&w);
        member_if(&w, "id", complaint->resident_id);
        member_if(&w, "name", complaint->resident_name);
        member_if(&w, "phone", complaint->resident_phone);
        json_close_object(&w);
    }
    api_member_time(&w, "occurred_at", complaint->occurred_at);
    if (complaint->attachment_count > 0) {
        json_key(&w, "attachments");
        json_open_array(&w);
        for (size_t i = 0; i < complaint->attachment_count; i++)
            json_write_string(&w, complaint->attachments[i]);
        json_close_array(&w);
    }
    json_close_object(&w);
}

/* The words are the resident's own, and a regex with a gap may have taken a number with them. */
static void write_evidence(struct json_writer *w, const struct evidence *e, struct buf *scratch)
{
    buf_clear(scratch);
    pii_mask_text(e->place.bytes, scratch);
    if (!buf_ok(scratch))
        w->out->failed = true;
    json_open_object(w);
    json_member_str(w, "for", evidence_for_name(e->what));
    json_member_string(w, "target", e->target);
    json_member_string(w, "rule", e->rule);
    json_member_string(w, "pattern", e->pattern);
    json_member_double(w, "weight", e->weight);
    json_member_str(w, "in", e->place.in_title ? "title" : "text");
    json_member_i64(w, "offset", (int64_t)e->place.offset);
    json_member_string(w, "words", buf_view(scratch));
    json_close_object(w);
}

/* The members of a verdict inside an open object. */
static void write_verdict(struct json_writer *w, const struct verdict *v)
{
    json_member_string_or_null(w, "category", v->category.path);
    json_member_double(w, "score", v->score);
    json_member_double(w, "margin", round(v->margin * 1000) / 1000);
    json_key(w, "secondary");
    json_open_array(w);
    for (size_t i = 0; i < v->secondary_count; i++) {
        json_open_object(w);
        json_member_string(w, "category", v->secondary[i].path);
        json_member_double(w, "score", v->secondary[i].score);
        json_close_object(w);
    }
    json_close_array(w);
    json_member_str(w, "urgency", urgency_name(v->urgency));
    json_member_str(w, "kind", kind_name(v->kind));
    json_key(w, "tags");
    json_open_array(w);
    for (size_t i = 0; i < v->tag_count; i++)
        json_write_string(w, v->tags[i]);
    json_close_array(w);
    json_member_bool(w, "review", v->review);
    if (v->review)
        json_member_string(w, "review_reason", v->review_reason);
    member_if(w, "department", v->department);
    json_member_string(w, "sla", v->sla);
}

static void write_grounds(struct json_writer *w, const struct verdict *v)
{
    struct buf scratch = {0};
    json_key(w, "evidence");
    json_open_array(w);
    for (size_t i = 0; i < v->evidence_count; i++)
        write_evidence(w, &v->evidence[i], &scratch);
    buf_free(&scratch);
    json_close_array(w);
    json_member_string(w, "rule_set", v->rule_set);
}

void verdict_encode(const struct verdict *verdict, struct buf *out)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    write_verdict(&w, verdict);
    write_grounds(&w, verdict);
    json_close_object(&w);
}

static void write_route(struct json_writer *w, const struct route *route)
{
    json_member_string(w, "street", route->street);
    json_member_string(w, "community", route->community);
    json_member_string_or_null(w, "grid", route->grid);
    json_member_string(w, "place", route->grid_name);
    json_key(w, "assignee");
    json_open_object(w);
    json_member_string(w, "id", route->worker);
    json_member_string(w, "name", route->worker_name);
    json_member_string(w, "post", route->post);
    json_close_object(w);
    json_key(w, "route");
    json_open_object(w);
    json_member_str(w, "reason", route_reason_name(route->reason));
    member_if(w, "matched", route->matched);
    json_close_object(w);
}

static void write_deadlines(struct json_writer *w, const struct sla_deadlines *deadlines)
{
    json_key(w, "deadlines");
    json_open_object(w);
    for (enum sla_clock clock = 0; clock < CLOCK_COUNT; clock++)
        api_member_time(w, sla_clock_member(clock), deadlines->by[clock]);
    json_member_bool(w, "provisional", deadlines->provisional);
    json_close_object(w);
}

void order_encode(const struct order *order, struct buf *out)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_string(&w, "id", id_span(&order->id));
    json_member_str(&w, "status", order_state_name(ORDER_DISPATCHED));
    api_member_time(&w, "created_at", order->created_at);
    write_verdict(&w, &order->verdict);
    write_route(&w, &order->route);
    write_deadlines(&w, &order->deadlines);
    write_grounds(&w, &order->verdict);
    json_close_object(&w);
}

/* Which members of what is stored are personal, and how each is masked. */
static void mask_member(struct span key, struct json value, struct json_writer *w,
                        struct buf *scratch);

static void mask_value(struct span key, struct json value, struct json_writer *w,
                       struct buf *scratch)
{
    struct json_iter it;
    struct span name;
    struct json member;
    switch (json_type(value)) {
    case JSON_OBJECT:
        json_open_object(w);
        it = json_iter(value);
        while (json_next(&it, &name, &member))
            mask_member(name, member, w, scratch);
        json_close_object(w);
        break;
    case JSON_ARRAY:
        json_open_array(w);
        it = json_iter(value);
        while (json_next(&it, NULL, &member))
            mask_value(key, member, w, scratch);
        json_close_array(w);
        break;
    case JSON_STRING:
        if (span_eq(key, SPAN("worker")) || span_eq(key, SPAN("holder"))) {
            json_write_string(w, json_string(value)); /* an id of the directory */
            break;
        }
        buf_clear(scratch);
        if (span_eq(key, SPAN("phone")))
            pii_mask_phone(json_string(value), scratch);
        else if (span_eq(key, SPAN("name")) || span_eq(key, SPAN("id")))
            pii_mask_name(json_string(value), scratch);
        else
            pii_mask_text(json_string(value), scratch);
        if (!buf_ok(scratch))
            w->out->failed = true;
        json_write_string(w, buf_view(scratch));
        break;
    case JSON_INTEGER:
    case JSON_NUMBER:
    case JSON_BOOL:
    case JSON_NULL:
        json_write_scalar(w, value);
        break;
    }
}

static void mask_member(struct span key, struct json value, struct json_writer *w,
                        struct buf *scratch)
{
    json_key_text(w, key);
    mask_value(key, value, w, scratch);
}

int stored_mask(struct json_reader *reader, struct span stored, struct buf *out)
{
    struct json root;
    if (json_parse(reader, stored, &root, NULL) < 0)
        return -1;
    struct buf scratch = {0};
    struct json_writer w = json_writer(out);
    mask_value(SPAN(""), root, &w, &scratch);
    buf_free(&scratch);
    return buf_ok(out) ? 0 : -1;
}
