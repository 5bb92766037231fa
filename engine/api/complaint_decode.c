/*
 * Decoding is driven by one table: a row per member, with the function that takes it. Each function
 * checks type, size and form, and says in words what it wants; a mistake in one member does not
 * hide those in others.
 */
#include "engine/api/complaint_json.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/utf.h"
#include "engine/http/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERRORS_MAX = 32, FIELD_SHOWN_BYTES = 64 };

struct decode {
    struct complaint *complaint;
    struct buf *errors;
    size_t error_count;
};

void complaint_error(struct buf *errors, struct span field, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (errors->len > 0)
        buf_char(errors, ',');
    struct json_writer w = json_writer(errors);
    json_open_object(&w);
    json_member_string(&w, "field", span_sub(field, 0, FIELD_SHOWN_BYTES));
    json_member_str(&w, "problem", text);
    json_close_object(&w);
}

static void refuse(struct decode *d, const char *field, const char *problem)
{
    if (d->error_count++ < ERRORS_MAX)
        complaint_error(d->errors, span_str(field), "%s", problem);
}

static bool is_control(unsigned char c, bool line_breaks)
{
    const bool allowed = line_breaks && (c == '\n' || c == '\r' || c == '\t');
    return (c < 0x20 && !allowed) || c == 0x7F;
}

/* True when one of eight bytes is below 0x20 or is 0x7F. A byte's high bit tells so exactly for the
 * first such byte, and nothing is told when there is none: enough for "any". */
static bool any_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t del = word ^ ones * 0x7F;
    return ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & ones * 0x80) != 0;
}

static bool has_control(struct span s, bool line_breaks)
{
    size_t i = 0;
    while (i < s.len) {
        uint64_t word;
        if (s.len - i >= sizeof(word)) {
            memcpy(&word, s.ptr + i, sizeof(word));
            if (!any_control(word)) {
                i += sizeof(word);
                continue;
            }
        }
        if (is_control((unsigned char)s.ptr[i++], line_breaks))
            return true;
    }
    return false;
}

/* A string of at most max characters without control characters. */
static void take_string(struct decode *d, const char *field, struct json value, size_t max,
                        bool line_breaks, struct span *out)
{
    if (json_type(value) != JSON_STRING) {
        if (d->error_count++ < ERRORS_MAX)
            complaint_error(d->errors, span_str(field), "must be a string, not %s",
                            json_type_name(json_type(value)));
        return;
    }
    const struct span s = json_string(value);
    if (s.len > max && utf8_length(s) > max) { /* a character has a byte at least */
        if (d->error_count++ < ERRORS_MAX)
            complaint_error(d->errors, span_str(field), "must have at most %zu characters", max);
    } else if (has_control(s, line_breaks)) {
        refuse(d, field, "must not hold control characters");
    } else {
        *out = s;
    }
}

static void take_text(struct decode *d, const char *field, struct json value)
{
    struct span s = {NULL, 0};
    const size_t before = d->error_count;
    take_string(d, field, value, LIMIT_TEXT_CHARS, true, &s);
    if (d->error_count == before && utf8_is_blank(s))
        refuse(d, field, "must not be blank");
    d->complaint->text = s;
}

static void take_title(struct decode *d, const char *field, struct json value)
{
    take_string(d, field, value, LIMIT_TITLE_CHARS, true, &d->complaint->title);
}

static void take_kind(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) == JSON_STRING && kind_parse(json_string(value), &d->complaint->kind) == 0)
        d->complaint->has_kind = true;
    else
        refuse(d, field, "must be complaint, help, enquiry, suggestion or report");
}

static void take_source(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) != JSON_STRING ||
        source_parse(json_string(value), &d->complaint->source) < 0)
        refuse(d, field, "must be miniprogram, hotline, app, web, grid or sensor");
}

/* The form of an id in the directory; whether it exists is the pipeline's business. */
static void take_name(struct decode *d, const char *field, struct json value, struct span *out)
{
    if (json_type(value) == JSON_STRING && id_name_valid(json_string(value)))
        *out = json_string(value);
    else
        refuse(d, field, "must be an id of the directory: 1 to 32 of a-z, 0-9, '_' and '-'");
}

static void take_community(struct decode *d, const char *field, struct json value)
{
    take_name(d, field, value, &d->complaint->community);
}

static void take_grid(struct decode *d, const char *field, struct json value)
{
    take_name(d, field, value, &d->complaint->grid);
}

static void take_degrees(struct decode *d, const char *field, struct json value, double most,
                         double *out, bool *given)
{
    const enum json_type type = json_type(value);
    if (type == JSON_INTEGER || type == JSON_NUMBER) {
        const double degrees = json_number(value);
        if (degrees >= -most && degrees <= most) {
            *out = degrees;
            *given = true;
            return;
        }
    }
    if (d->error_count++ < ERRORS_MAX)
        complaint_error(d->errors, span_str(field), "must be a number from -%.0f to %.0f", most,
                        most);
}

static void unknown_member(struct decode *d, const char *parent, struct span key)
{
    char name[FIELD_SHOWN_BYTES * 2];
    (void)snprintf(name, sizeof(name), "%s%s%.*s", parent, parent[0] == '\0' ? "" : ".",
                   (int)span_sub(key, 0, FIELD_SHOWN_BYTES).len, key.ptr);
    if (d->error_count++ < ERRORS_MAX)
        complaint_error(d->errors, span_str(name), "is not a known field");
}

static void take_location(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) != JSON_OBJECT) {
        refuse(d, field, "must be an object with lat, lon and address");
        return;
    }
    struct complaint *c = d->complaint;
    bool lat = false, lon = false, saw_lat = false, saw_lon = false, saw_address = false;
    struct json_iter it = json_iter(value);
    struct span key;
    struct json member;
    while (json_next(&it, &key, &member)) {
        if (span_eq(key, SPAN("lat")) && !saw_lat) {
            saw_lat = true;
            take_degrees(d, "location.lat", member, 90, &c->lat, &lat);
        } else if (span_eq(key, SPAN("lon")) && !saw_lon) {
            saw_lon = true;
            take_degrees(d, "location.lon", member, 180, &c->lon, &lon);
        } else if (span_eq(key, SPAN("address")) && !saw_address) {
            saw_address = true;
            take_string(d, "location.address", member, LIMIT_ADDRESS_CHARS, false, &c->address);
        } else {
            unknown_member(d, "location", key);
        }
    }
    if (saw_lat != saw_lon)
        refuse(d, field, "must have both lat and lon, or neither");
    c->has_point = lat && lon;
}

static void take_resident(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) != JSON_OBJECT) {
        refuse(d, field, "must be an object with id, name and phone");
        return;
    }
    struct {
        const char *key, *field;
        struct span *out;
        bool seen;
    } members[] = {{"id", "resident.id", &d->complaint->resident_id, false},
                   {"name", "resident.name", &d->complaint->resident_name, false},
                   {"phone", "resident.phone", &d->complaint->resident_phone, false}};
    struct json_iter it = json_iter(value);
    struct span key;
    struct json member;
    while (json_next(&it, &key, &member)) {
        bool known = false;
        for (size_t i = 0; i < 3 && !known; i++) {
            if (!span_eq(key, span_str(members[i].key)) || members[i].seen)
                continue;
            known = members[i].seen = true;
            take_string(d, members[i].field, member, LIMIT_RESIDENT_FIELD_CHARS, false,
                        members[i].out);
        }
        if (!known)
            unknown_member(d, "resident", key);
    }
}

static void take_occurred_at(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) != JSON_STRING ||
        clock_parse(json_string(value), &d->complaint->occurred_at) < 0)
        refuse(d, field, "must be an RFC 3339 time such as 2026-03-01T08:30:00+08:00");
}

bool complaint_url_valid(struct span s)
{
    if (!span_starts(s, SPAN("https://")) || s.len <= sizeof("https://") - 1 ||
        s.len > LIMIT_ATTACHMENT_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7F)
            return false;
    }
    return s.ptr[sizeof("https://") - 1] != '/';
}

static void take_attachments(struct decode *d, const char *field, struct json value)
{
    if (json_type(value) != JSON_ARRAY) {
        refuse(d, field, "must be an array of https URLs");
        return;
    }
    struct complaint *c = d->complaint;
    struct json_iter it = json_iter(value);
    struct json element;
    while (json_next(&it, NULL, &element)) {
        if (c->attachment_count == LIMIT_ATTACHMENTS) {
            refuse(d, field, "must have at most 9 URLs");
            return;
        }
        if (json_type(element) != JSON_STRING || !complaint_url_valid(json_string(element))) {
            refuse(d, field, "must hold https URLs only, each at most 1024 bytes of ASCII");
            return;
        }
        c->attachments[c->attachment_count++] = json_string(element);
    }
}

static const struct {
    const char *name;
    void (*take)(struct decode *d, const char *field, struct json value);
} members[] = {
    {"text", take_text},
    {"title", take_title},
    {"kind", take_kind},
    {"source", take_source},
    {"community", take_community},
    {"grid", take_grid},
    {"location", take_location},
    {"resident", take_resident},
    {"occurred_at", take_occurred_at},
    {"attachments", take_attachments},
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static void take_member(struct decode *d, struct span key, struct json value, bool seen[MEMBERS])
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!span_eq(key, span_str(members[i].name)))
            continue;
        if (seen[i]) {
            refuse(d, members[i].name, "is given more than once");
        } else {
            seen[i] = true;
            members[i].take(d, members[i].name, value);
        }
        return;
    }
    unknown_member(d, "", key);
}

int complaint_decode(struct json root, struct complaint *complaint, struct buf *errors)
{
    *complaint = (struct complaint){.source = SOURCE_MINIPROGRAM};
    struct decode d = {.complaint = complaint, .errors = errors};
    buf_clear(errors);
    if (json_type(root) != JSON_OBJECT) {
        complaint_error(errors, SPAN(""), "the body must be a JSON object, not %s",
                        json_type_name(json_type(root)));
        return -1;
    }
    bool seen[MEMBERS] = {false};
    struct json_iter it = json_iter(root);
    struct span key;
    struct json value;
    while (json_next(&it, &key, &value))
        take_member(&d, key, value, seen);
    if (!seen[0])
        refuse(&d, "text", "is required: what the resident wrote, 1 to 8000 characters");
    return d.error_count == 0 ? 0 : -1;
}
