/* What the history keeps of a step, written and read back. Times are milliseconds here. */
#include "engine/api/step_json.h"
#include "engine/http/json_writer.h"

static const char *text_member(enum order_step step)
{
    switch (step) {
    case STEP_RESOLVE:
    case STEP_PARTY_REPORT:
        return "result";
    case STEP_PARTY_RATE:
    case STEP_RATE:
    case STEP_REOPEN:
    case STEP_CANCEL:
        return "comment";
    default:
        return "note";
    }
}

static void member_string(struct json_writer *w, const char *key, struct span s)
{
    if (s.len > 0)
        json_member_string(w, key, s);
}

static void member_number(struct json_writer *w, const char *key, int64_t n)
{
    if (n != 0)
        json_member_i64(w, key, n);
}

static void write_photos(struct json_writer *w, const struct step_body *body)
{
    if (body->photo_count == 0)
        return;
    json_key(w, "photos");
    json_open_array(w);
    for (size_t i = 0; i < body->photo_count; i++)
        json_write_string(w, body->photos[i]);
    json_close_array(w);
}

static void write_parties(struct json_writer *w, const struct life_step *step)
{
    if (step->party_count == 0)
        return;
    json_key(w, "parties");
    json_open_array(w);
    for (size_t i = 0; i < step->party_count; i++) {
        json_open_object(w);
        json_member_string(w, "department", step->parties[i].department);
        json_member_i64(w, "report_by", step->parties[i].report_by);
        json_close_object(w);
    }
    json_close_array(w);
}

/* {"respond":"red"} */
static void write_levels(struct json_writer *w, const struct life_step *step)
{
    bool any = false;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (step->levels[c] == WARNING_NONE)
            continue;
        if (!any) {
            json_key(w, "clocks");
            json_open_object(w);
        }
        any = true;
        json_member_str(w, sla_clock_name(c), warning_name(step->levels[c]));
    }
    if (any)
        json_close_object(w);
}

static void write_late(struct json_writer *w, const struct life_step *step)
{
    if (step->late_count == 0)
        return;
    json_key(w, "departments");
    json_open_array(w);
    for (size_t i = 0; i < step->late_count; i++)
        json_write_string(w, step->late[i]);
    json_close_array(w);
}

/* {"respond_by":1} */
static void write_deadlines(struct json_writer *w, const struct life_step *step)
{
    if (step->step != STEP_RECLOCK && (step->step != STEP_REVIEW || step->sla_class.len == 0))
        return;
    json_key(w, "by");
    json_open_object(w);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        member_number(w, sla_clock_member(c), step->by[c]);
    json_close_object(w);
}

static bool on_a_clock(enum order_step step)
{
    return step == STEP_EXTEND || step == STEP_GRANT || step == STEP_REFUSE;
}

void step_encode_note(const struct step_body *body, struct buf *out)
{
    const struct life_step *step = &body->step;
    const size_t before = out->len;
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    member_string(&w, "reason", body->reason);
    member_string(&w, text_member(step->step), body->text);
    member_string(&w, "overdue_reason", body->overdue_reason);
    write_photos(&w, body);
    if (on_a_clock(step->step))
        json_member_str(&w, "clock", sla_clock_name(step->clock));
    member_number(&w, "until", step->until);
    if (step->feedback)
        json_member_bool(&w, "feedback", true);
    write_parties(&w, step);
    member_string(&w, "department", step->department);
    member_number(&w, "stars", step->stars);
    member_string(&w, "category", step->category);
    member_number(&w, "reopen_by", step->reopen_by);
    member_number(&w, "resolve_by", step->resolve_by);
    write_levels(&w, step);
    write_late(&w, step);
    member_number(&w, "queued_at", step->queued_at);
    member_string(&w, "class", step->sla_class);
    write_deadlines(&w, step);
    if (step->provisional)
        json_member_bool(&w, "provisional", true);
    json_close_object(&w);
    if (buf_ok(out) && out->len == before + 2)
        out->len = before; /* {} */
}

/* ---- read back ---- */

/* A string that outlives the reader's document; empty when there is none. -1 when memory is short. */
static int keep_string(struct arena *arena, struct json object, const char *key, struct span *out)
{
    const struct span s = json_get_string(object, key);
    *out = s.len == 0 ? s : arena_copy(arena, s);
    return s.len > 0 && out->ptr == NULL ? -1 : 0;
}

static int read_parties(struct json note, struct arena *arena, struct life_step *step)
{
    struct json list, party;
    if (!json_get(note, "parties", &list) || json_type(list) != JSON_ARRAY)
        return 0;
    struct json_iter it = json_iter(list);
    while (step->party_count < LIMIT_ORDER_PARTIES && json_next(&it, NULL, &party)) {
        struct life_party *to = &step->parties[step->party_count++];
        to->report_by = json_get_integer(party, "report_by");
        if (keep_string(arena, party, "department", &to->department) < 0)
            return -1;
    }
    return 0;
}

static void read_levels(struct json note, struct life_step *step)
{
    struct json clocks;
    if (!json_get(note, "clocks", &clocks))
        return;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        (void)warning_parse(json_get_string(clocks, sla_clock_name(c)), &step->levels[c]);
}

static int read_late(struct json note, struct arena *arena, struct life_step *step)
{
    struct json list, name;
    if (!json_get(note, "departments", &list) || json_type(list) != JSON_ARRAY)
        return 0;
    struct json_iter it = json_iter(list);
    while (step->late_count < LIMIT_ORDER_PARTIES && json_next(&it, NULL, &name)) {
        struct span *to = &step->late[step->late_count];
        if (json_type(name) != JSON_STRING || json_string(name).len == 0)
            continue;
        *to = arena_copy(arena, json_string(name));
        if (to->ptr == NULL)
            return -1;
        step->late_count++;
    }
    return 0;
}

static void read_deadlines(struct json object, const char *key, int64_t by[CLOCK_COUNT])
{
    struct json times;
    if (!json_get(object, key, &times))
        return;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++)
        by[c] = json_get_integer(times, sla_clock_member(c));
}

static bool is_true(struct json object, const char *key)
{
    struct json value;
    return json_get(object, key, &value) && json_type(value) == JSON_BOOL && json_bool(value);
}

static int read_note(struct json note, struct arena *arena, struct life_step *step)
{
    (void)sla_clock_parse(json_get_string(note, "clock"), &step->clock);
    step->until = json_get_integer(note, "until");
    step->feedback = is_true(note, "feedback");
    step->stars = json_get_integer(note, "stars");
    step->reopen_by = json_get_integer(note, "reopen_by");
    step->resolve_by = json_get_integer(note, "resolve_by");
    step->queued_at = json_get_integer(note, "queued_at");
    step->provisional = is_true(note, "provisional");
    read_levels(note, step);
    read_deadlines(note, "by", step->by);
    if (read_parties(note, arena, step) < 0 || read_late(note, arena, step) < 0 ||
        keep_string(arena, note, "class", &step->sla_class) < 0 ||
        keep_string(arena, note, "department", &step->department) < 0)
        return -1;
    return keep_string(arena, note, "category", &step->category);
}

/* From the entry of its creation. 0, or -1 when memory is short. */
static int begin(struct json entry, struct span holder, struct arena *arena, struct life *life)
{
    int64_t by[CLOCK_COUNT] = {0};
    struct json note;
    read_deadlines(entry, "note", by);
    life_begin(life, json_get_integer(entry, "at"), by, holder);
    if (!json_get(entry, "note", &note))
        return 0;
    life->provisional = is_true(note, "provisional");
    life->triage = is_true(note, "triage");
    life->red = is_true(note, "red");
    return keep_string(arena, note, "class", &life->sla_class);
}

int life_read(struct json_reader *reader, const struct order_view *view,
              const struct process_numbers *numbers, struct arena *arena, struct life *life)
{
    for (size_t i = 0; i < view->history_count; i++) {
        struct json entry, note;
        struct life_step step = {.step = STEP_NOTE};
        enum order_state to;
        struct span holder;
        if (json_parse(reader, view->history[i], &entry, NULL) < 0 ||
            keep_string(arena, entry, "holder", &holder) < 0 ||
            order_state_parse(json_get_string(entry, "to"), &to) < 0)
            return -1;
        if (i == 0) {
            if (begin(entry, holder, arena, life) < 0)
                return -1;
            continue;
        }
        step.at = json_get_integer(entry, "at");
        if (order_step_parse(json_get_string(entry, "step"), &step.step) < 0 ||
            keep_string(arena, entry, "worker", &step.worker) < 0 ||
            (json_get(entry, "note", &note) && read_note(note, arena, &step) < 0))
            return -1;
        life_apply(life, numbers, &step, to, holder);
    }
    return view->history_count > 0 ? 0 : -1;
}
