/*
 * Two tables drive it: a row per member, with the function that takes it; and a row per step, with
 * the members it must and may have.
 */
#include "engine/api/complaint_json.h"
#include "engine/api/step_json.h"
#include "engine/base/clock.h"
#include "engine/base/utf.h"

#include <string.h>

struct decode {
    const struct step_frame *frame;
    struct step_body *body;
    struct buf *errors;
};

typedef void take_member(struct decode *d, struct span field, struct json value);

static take_member take_worker, take_version, take_at, take_text, take_reason, take_photos, take_to,
    take_clock, take_until, take_parties, take_department, take_stars, take_category, take_feedback,
    take_overdue_reason, take_order, take_step;

/* X(bit, name, function). `at` stands before what is compared with it. */
#define MEMBER_TABLE(X)                                 \
    X(MEMBER_ORDER, "order", take_order)                \
    X(MEMBER_STEP, "step", take_step)                   \
    X(MEMBER_AT, "at", take_at)                         \
    X(MEMBER_WORKER, "worker", take_worker)             \
    X(MEMBER_VERSION, "version", take_version)          \
    X(MEMBER_REASON, "reason", take_reason)             \
    X(MEMBER_NOTE, "note", take_text)                   \
    X(MEMBER_RESULT, "result", take_text)               \
    X(MEMBER_COMMENT, "comment", take_text)             \
    X(MEMBER_PHOTOS, "photos", take_photos)             \
    X(MEMBER_TO, "to", take_to)                         \
    X(MEMBER_CLOCK, "clock", take_clock)                \
    X(MEMBER_UNTIL, "until", take_until)                \
    X(MEMBER_PARTIES, "parties", take_parties)          \
    X(MEMBER_DEPARTMENT, "department", take_department) \
    X(MEMBER_STARS, "stars", take_stars)                \
    X(MEMBER_CATEGORY, "category", take_category)       \
    X(MEMBER_FEEDBACK, "feedback", take_feedback)       \
    X(MEMBER_OVERDUE_REASON, "overdue_reason", take_overdue_reason)

enum member {
#define X(bit, name, take) bit,
    MEMBER_TABLE(X)
#undef X
        MEMBER_COUNT
};

static const struct {
    const char *name;
    take_member *take;
} members[MEMBER_COUNT] = {
#define X(bit, member_name, take_it) [bit] = {(member_name), (take_it)},
    MEMBER_TABLE(X)
#undef X
};

#define BIT(name) (1u << MEMBER_##name)

/* Beside `worker`, `version` and `at`, and `reason` where process.yaml asks for one. */
static const struct {
    unsigned must, may;
} wanted[ORDER_STEP_COUNT] = {
    [STEP_ACCEPT] = {0, BIT(NOTE)},
    [STEP_ARRIVE] = {0, BIT(NOTE) | BIT(PHOTOS)},
    [STEP_REPORT] = {0, BIT(NOTE) | BIT(PHOTOS)},
    [STEP_RESOLVE] = {0, BIT(RESULT) | BIT(PHOTOS) | BIT(OVERDUE_REASON)},
    [STEP_CLOSE] = {0, BIT(NOTE)},
    [STEP_RETURN] = {0, BIT(NOTE)},
    [STEP_TRANSFER] = {BIT(TO), BIT(NOTE)},
    [STEP_EXTEND] = {BIT(CLOCK) | BIT(UNTIL), BIT(NOTE)},
    [STEP_GRANT] = {BIT(CLOCK), BIT(NOTE)},
    [STEP_REFUSE] = {BIT(CLOCK), BIT(NOTE)},
    [STEP_NOTE] = {BIT(NOTE), BIT(PHOTOS) | BIT(FEEDBACK)},
    [STEP_WHISTLE] = {BIT(PARTIES), BIT(NOTE)},
    [STEP_PARTY_REPORT] = {BIT(DEPARTMENT), BIT(RESULT)},
    [STEP_PARTY_RATE] = {BIT(DEPARTMENT) | BIT(STARS), BIT(COMMENT)},
    [STEP_REVIEW] = {0, BIT(CATEGORY) | BIT(NOTE)},
    [STEP_RATE] = {BIT(STARS), BIT(COMMENT)},
    [STEP_REOPEN] = {0, BIT(COMMENT)},
    [STEP_CANCEL] = {0, BIT(COMMENT)},
};

static void take_order(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_STRING)
        d->body->order = json_string(value);
    else
        complaint_error(d->errors, field, "must be an order's id");
}

/* Read before the rest, to know which row applies (frame->step). */
static void take_step(struct decode *d, struct span field, struct json value)
{
    (void)d;
    (void)field;
    (void)value;
}

/* An RFC 3339 time. 0, or -1 and an error. */
static int read_time(struct decode *d, struct span field, struct json value, int64_t *out)
{
    if (json_type(value) == JSON_STRING && clock_parse(json_string(value), out) == 0)
        return 0;
    complaint_error(d->errors, field, "must be an RFC 3339 time such as 2026-03-01T08:30:00+08:00");
    return -1;
}

static void take_at(struct decode *d, struct span field, struct json value)
{
    if (read_time(d, field, value, &d->body->step.at) < 0)
        return;
    d->body->step.strict = true;
    if (d->body->step.at > d->frame->now)
        complaint_error(d->errors, field, "must not lie in the future");
}

static void take_id(struct decode *d, struct span field, struct json value, struct span *out)
{
    if (json_type(value) == JSON_STRING && id_name_valid(json_string(value)))
        *out = json_string(value);
    else
        complaint_error(d->errors, field, "must be a worker's id");
}

static void take_worker(struct decode *d, struct span field, struct json value)
{
    take_id(d, field, value, &d->body->step.worker);
}

static void take_to(struct decode *d, struct span field, struct json value)
{
    take_id(d, field, value, &d->body->step.to);
}

static void take_version(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_INTEGER && json_integer(value) > 0)
        d->body->step.version = json_integer(value);
    else
        complaint_error(d->errors, field, "must be the version you saw, an integer from 1");
}

static void take_text(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_STRING && json_string(value).len > 0 &&
        utf8_length(json_string(value)) <= LIMIT_NOTE_CHARS)
        d->body->text = json_string(value);
    else
        complaint_error(d->errors, field, "must be a string of 1 to %d characters",
                        LIMIT_NOTE_CHARS);
}

static void take_overdue_reason(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_STRING && !utf8_is_blank(json_string(value)) &&
        utf8_length(json_string(value)) <= LIMIT_NOTE_CHARS) {
        d->body->overdue_reason = json_string(value);
        d->body->step.explained = true;
    } else {
        complaint_error(d->errors, field, "must say in 1 to %d characters why it is late",
                        LIMIT_NOTE_CHARS);
    }
}

static void take_reason(struct decode *d, struct span field, struct json value)
{
    const struct process *process = policy_process(d->frame->policy);
    if (json_type(value) == JSON_STRING &&
        process_has_reason(process, d->frame->step, json_string(value)))
        d->body->reason = json_string(value);
    else
        complaint_error(d->errors, field, "must be one of: %.*s",
                        SPAN_ARG(process_reasons(process, d->frame->step)));
}

static void take_photos(struct decode *d, struct span field, struct json value)
{
    struct json element;
    if (json_type(value) != JSON_ARRAY) {
        complaint_error(d->errors, field, "must be an array of https URLs");
        return;
    }
    struct json_iter it = json_iter(value);
    while (json_next(&it, NULL, &element)) {
        if (d->body->photo_count == LIMIT_ATTACHMENTS || json_type(element) != JSON_STRING ||
            !complaint_url_valid(json_string(element))) {
            complaint_error(d->errors, field,
                            "must hold at most %d https URLs, each at most %d bytes of ASCII",
                            LIMIT_ATTACHMENTS, LIMIT_ATTACHMENT_BYTES);
            return;
        }
        d->body->photos[d->body->photo_count++] = json_string(element);
    }
}

static void take_clock(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) != JSON_STRING ||
        sla_clock_parse(json_string(value), &d->body->step.clock) < 0)
        complaint_error(d->errors, field, "must be respond, arrive, report, feedback or resolve");
}

static void take_until(struct decode *d, struct span field, struct json value)
{
    const int64_t most = process_numbers(policy_process(d->frame->policy))->extension_ms;
    struct life_step *step = &d->body->step;
    if (read_time(d, field, value, &step->until) < 0)
        return;
    if (step->until <= step->at || step->until > step->at + most)
        complaint_error(d->errors, field, "must be later than now, and at most %d days",
                        (int)(most / CLOCK_DAY_MS));
}

/* A department's name: words of a person's, so its size and characters are all that is checked. */
static int read_department(struct decode *d, struct span field, struct json value, struct span *out)
{
    bool good = json_type(value) == JSON_STRING && json_string(value).len > 0 &&
                utf8_length(json_string(value)) <= LIMIT_PARTY_CHARS;
    for (size_t i = 0; good && i < json_string(value).len; i++)
        good = (unsigned char)json_string(value).ptr[i] > ' ';
    if (!good) {
        complaint_error(d->errors, field, "must be a department's name: 1 to %d characters",
                        LIMIT_PARTY_CHARS);
        return -1;
    }
    *out = json_string(value);
    return 0;
}

static void take_department(struct decode *d, struct span field, struct json value)
{
    (void)read_department(d, field, value, &d->body->step.department);
}

static void take_party(struct decode *d, struct span field, struct json value)
{
    struct life_step *step = &d->body->step;
    struct life_party party = {.report_by = 0};
    struct json department, report_by;
    if (!json_get(value, "department", &department) || !json_get(value, "report_by", &report_by)) {
        complaint_error(d->errors, field, "must hold objects with department and report_by");
        return;
    }
    if (read_department(d, SPAN("parties.department"), department, &party.department) < 0 ||
        read_time(d, SPAN("parties.report_by"), report_by, &party.report_by) < 0)
        return;
    if (party.report_by <= step->at)
        complaint_error(d->errors, SPAN("parties.report_by"), "must be later than now");
    for (size_t i = 0; i < step->party_count; i++) {
        if (span_eq(step->parties[i].department, party.department))
            complaint_error(d->errors, SPAN("parties.department"), "is given more than once");
    }
    step->parties[step->party_count++] = party;
}

static void take_parties(struct decode *d, struct span field, struct json value)
{
    struct json element;
    size_t count = 0;
    if (json_type(value) == JSON_ARRAY) {
        struct json_iter it = json_iter(value);
        while (json_next(&it, NULL, &element))
            count++;
    }
    if (count == 0 || count > STEP_PARTIES) {
        complaint_error(d->errors, field, "must be an array of 1 to %d departments", STEP_PARTIES);
        return;
    }
    struct json_iter it = json_iter(value);
    while (json_next(&it, NULL, &element))
        take_party(d, field, element);
}

static void take_stars(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_INTEGER && json_integer(value) >= 1 && json_integer(value) <= 5)
        d->body->step.stars = json_integer(value);
    else
        complaint_error(d->errors, field, "must be an integer from 1 to 5");
}

struct category_search {
    struct span path;
    bool found;
};

static void on_category(void *ctx, struct span path, struct span sla)
{
    struct category_search *search = ctx;
    (void)sla;
    search->found |= span_eq(path, search->path);
}

static void take_category(struct decode *d, struct span field, struct json value)
{
    struct category_search search = {.found = false};
    if (json_type(value) == JSON_STRING) {
        search.path = json_string(value);
        rules_each_category(policy_rules(d->frame->policy), on_category, &search);
    }
    if (search.found)
        d->body->step.category = search.path;
    else
        complaint_error(d->errors, field, "must be the path of a category of the rules");
}

static void take_feedback(struct decode *d, struct span field, struct json value)
{
    if (json_type(value) == JSON_BOOL)
        d->body->step.feedback = json_bool(value);
    else
        complaint_error(d->errors, field, "must be true when the resident was told, or false");
}

static unsigned must_have(const struct step_frame *frame)
{
    const bool why = process_asks_why(policy_process(frame->policy), frame->step);
    return wanted[frame->step].must | (frame->resident ? 0 : BIT(WORKER)) |
           (frame->line ? BIT(ORDER) | BIT(STEP) : 0) | (why ? BIT(REASON) : 0);
}

int step_decode(struct json root, const struct step_frame *frame, struct step_body *body,
                struct buf *errors)
{
    const unsigned must = must_have(frame);
    const unsigned may =
        must | wanted[frame->step].may | BIT(AT) | (frame->resident ? 0 : BIT(VERSION));
    struct decode d = {.frame = frame, .body = body, .errors = errors};
    struct json values[MEMBER_COUNT], value;
    struct json_iter it = json_iter(root);
    struct span key;
    unsigned given = 0;
    *body = (struct step_body){.step = {.step = frame->step, .at = frame->now}};
    while (json_next(&it, &key, &value)) {
        unsigned m = 0;
        while (m < MEMBER_COUNT && !span_eq(key, span_str(members[m].name)))
            m++;
        if (m == MEMBER_COUNT || (may & 1u << m) == 0 || (given & 1u << m) != 0) {
            complaint_error(errors, key, "is not a field of this step, or is given more than once");
            continue;
        }
        given |= 1u << m;
        values[m] = value;
    }
    for (unsigned m = 0; m < MEMBER_COUNT; m++) {
        if ((given & 1u << m) != 0)
            members[m].take(&d, span_str(members[m].name), values[m]);
        else if ((must & 1u << m) != 0)
            complaint_error(errors, span_str(members[m].name), "is required");
    }
    return buf_ok(errors) && errors->len == 0 ? 0 : -1;
}
