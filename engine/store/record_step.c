/*
 * A step as a call of jiesu_step: the row of the state machine, and what the step does to the
 * order's hash, in the verbs of functions.lua. The function knows no step by name.
 */
#include "engine/store/record.h"

#include "engine/base/check.h"
#include "engine/store/keys.h"

enum { SCRATCH_BYTES = 8192 };

static void push(struct record *record, struct span arg)
{
    CHECK(record->argc < RECORD_ARGS);
    record->argv[record->argc++] = arg;
}

/* The span of what was appended to scratch since `from`. Room was reserved, so nothing moves. */
static struct span since(const struct buf *scratch, size_t from)
{
    return span_of(scratch->data + from, scratch->len - from);
}

/* The text of printf as an argument. */
#define PUSHF(record, scratch, ...)               \
    do {                                          \
        const size_t before = (scratch)->len;     \
        buf_printf((scratch), __VA_ARGS__);       \
        push((record), since((scratch), before)); \
    } while (0)

static void push_key(struct record *record, struct buf *scratch, struct key key)
{
    const size_t from = scratch->len;
    buf_span(scratch, key_span(&key));
    push(record, since(scratch, from));
}

/* "dispatched,accepted" */
static void push_states(struct record *record, struct buf *scratch, unsigned states)
{
    const size_t from = scratch->len;
    for (unsigned state = 0; state < ORDER_STATE_COUNT; state++) {
        if ((states & 1u << state) == 0)
            continue;
        if (scratch->len > from)
            buf_char(scratch, ',');
        buf_str(scratch, order_state_name((enum order_state)state));
    }
    push(record, since(scratch, from));
}

static struct span holder_rule(const struct order_rule *rule, enum order_step step)
{
    if (step == STEP_ACCEPT)
        return SPAN("taker");
    return rule->actor == ACTOR_HOLDER ? SPAN("holder") : SPAN("any");
}

static struct span queue(const struct life_step *step)
{
    switch (step->step) {
    case STEP_RETURN:
        return SPAN(">");
    case STEP_REOPEN:
        return SPAN("=");
    case STEP_TRANSFER:
    case STEP_ESCALATE:
        return step->to;
    default:
        return SPAN("");
    }
}

/* Into whose queue the order goes. */
static void push_queue(struct record *record, struct buf *scratch, const struct life_step *step)
{
    if (step->step == STEP_HAND_OVER)
        PUSHF(record, scratch, "+%.*s", SPAN_ARG(step->to));
    else
        push(record, queue(step));
}

/* True when something may be due sooner than was thought, or must be thought of again. What merely stops a clock
 * leaves the time of the next look as it is: looking too early costs little. */
static bool moves_due(const struct order_rule *rule, enum order_step step)
{
    return rule->to == ORDER_DISPATCHED || step == STEP_GRANT || step == STEP_WHISTLE ||
           step == STEP_REVIEW;
}

/* When the engine must look at the order next. */
static void push_due(struct record *record, struct buf *scratch, const struct order_rule *rule,
                     const struct record_step *what)
{
    if (rule->to != ORDER_SAME && order_state_ended(rule->to))
        push(record, SPAN(""));
    else if (rule->actor == ACTOR_ENGINE)
        PUSHF(record, scratch, "%lld", (long long)what->due_at);
    else if (rule->to == ORDER_RESOLVED)
        PUSHF(record, scratch, "%lld", (long long)what->step->reopen_by);
    else
        push(record, moves_due(rule, what->step->step) ? SPAN("@") : SPAN("-"));
}

/* ---- what a step does to the hash ---- */

static void verb(struct record *record, const char *name, const char *field, struct span value)
{
    push(record, span_str(name));
    push(record, span_str(field));
    push(record, value);
}

static void verb_number(struct record *record, struct buf *scratch, const char *name,
                        const char *field, int64_t value)
{
    push(record, span_str(name));
    push(record, span_str(field));
    PUSHF(record, scratch, "%lld", (long long)value);
}

static const struct span now = {"@", 1};

/* "asked:resolve" */
static void verb_on_clock(struct record *record, struct buf *scratch, const char *name,
                          const char *prefix, const struct life_step *step, struct span value)
{
    push(record, span_str(name));
    PUSHF(record, scratch, "%s%s", prefix, sla_clock_name(step->clock));
    push(record, value);
}

static void push_extend(struct record *record, struct buf *scratch, const struct life_step *step)
{
    verb(record, "need", sla_clock_member(step->clock), SPAN(""));
    verb(record, "lack", sla_clock_met_member(step->clock), SPAN(""));
    verb_on_clock(record, scratch, "lack", "extended:", step, SPAN(""));
    const size_t from = scratch->len;
    buf_i64(scratch, step->until);
    verb_on_clock(record, scratch, "new", "asked:", step, since(scratch, from));
}

static void push_decision(struct record *record, struct buf *scratch, const struct life_step *step)
{
    verb_on_clock(record, scratch, "need", "asked:", step, SPAN(""));
    if (step->step == STEP_GRANT) {
        const size_t from = scratch->len;
        buf_printf(scratch, "asked:%s", sla_clock_name(step->clock));
        verb(record, "lift", sla_clock_member(step->clock), since(scratch, from));
        verb_on_clock(record, scratch, "set", "extended:", step, now);
    }
    verb_on_clock(record, scratch, "drop", "asked:", step, SPAN(""));
}

/* "number most department", as `party` of functions.lua takes it. */
static void push_party(struct record *record, struct buf *scratch, const char *name, int64_t number,
                       struct span department)
{
    push(record, span_str(name));
    push(record, SPAN("parties"));
    PUSHF(record, scratch, "%lld %d %.*s", (long long)number, (int)LIMIT_ORDER_PARTIES,
          SPAN_ARG(department));
}

/* "called:城管局" */
static void verb_on_party(struct record *record, struct buf *scratch, const char *name,
                          struct span department, struct span value)
{
    push(record, span_str(name));
    PUSHF(record, scratch, "called:%.*s", SPAN_ARG(department));
    push(record, value);
}

static void push_whistle(struct record *record, struct buf *scratch, const struct life_step *step)
{
    for (size_t i = 0; i < step->party_count; i++) {
        const struct life_party *party = &step->parties[i];
        push_party(record, scratch, "open", party->report_by, party->department);
        verb_on_party(record, scratch, "set", party->department, step->worker);
    }
}

/* The caller rates, or a head when the caller is not among those who can. */
static void push_rating(struct record *record, struct buf *scratch, const struct life_step *step)
{
    if (step->actor == ACTOR_HEAD)
        verb_on_party(record, scratch, "except", step->department, step->able);
    else
        verb_on_party(record, scratch, "among", step->department, step->worker);
    push_party(record, scratch, "rate", step->stars, step->department);
}

static void push_resolve(struct record *record, struct buf *scratch, const struct record_step *what)
{
    const struct life_step *step = what->step;
    verb(record, "once", sla_clock_met_member(CLOCK_FEEDBACK), now);
    verb(record, "set", sla_clock_met_member(CLOCK_RESOLVE), now);
    verb_number(record, scratch, "set", "reopen_by", step->reopen_by);
    if (step->explain.len == 0)
        return;
    verb(record, "only", "class", step->explain);
    verb(record, "past", sla_clock_member(CLOCK_RESOLVE), now);
    if (step->explained)
        verb(record, "tell", "", what->street);
    else
        verb(record, "refuse", "", span_str(life_answer_name(LIFE_OVERDUE)));
}

static void push_reopen(struct record *record, struct buf *scratch, const struct life_step *step)
{
    verb(record, "by", "reopen_by", now);
    verb(record, "drop", "reopen_by", SPAN(""));
    verb(record, "drop", "stars", SPAN(""));
    verb(record, "drop", sla_clock_met_member(CLOCK_RESOLVE), SPAN(""));
    verb(record, "drop", "warned:resolve", SPAN(""));
    verb(record, "set", "start:resolve", now);
    verb_number(record, scratch, "raise", sla_clock_member(CLOCK_RESOLVE), step->resolve_by);
}

/* From here on only while the order waits for somebody to accept it. */
static void verb_reroute(struct record *record)
{
    verb(record, "go", "", SPAN("<"));
    verb(record, "set", "queued_at", now);
    verb(record, "drop", "triage", SPAN(""));
}

/* The deadlines of a class, counted from the order's creation. */
static void push_deadlines(struct record *record, struct buf *scratch, const struct life_step *step)
{
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        push(record, SPAN("count"));
        push(record, span_str(sla_clock_member(c)));
        PUSHF(record, scratch, "%lld %s", (long long)step->by[c], sla_clock_met_member(c));
    }
    if (step->provisional)
        verb(record, "set", "provisional", SPAN("1"));
    else
        verb(record, "drop", "provisional", SPAN(""));
}

static void verb_states(struct record *record, struct buf *scratch, unsigned states)
{
    push(record, SPAN("only"));
    push(record, SPAN("state"));
    push_states(record, scratch, states);
}

/* A corrected category changes what the order is, while it is open and not red; and whoever has not accepted it loses
 * it to the first post. A category that was right ends the wait for a review. */
static void push_review(struct record *record, struct buf *scratch, const struct life_step *step)
{
    if (step->category.len == 0) {
        verb(record, "set", "reviewed", SPAN("confirmed"));
        verb(record, "only", "triage", SPAN("1"));
        verb_reroute(record);
        return;
    }
    verb(record, "set", "reviewed", SPAN("corrected"));
    verb(record, "set", "category", step->category);
    verb(record, "not", "urgency", span_str(urgency_name(URGENCY_RED)));
    verb_states(record, scratch, ORDER_OPEN);
    if (step->sla_class.len > 0) {
        verb(record, "set", "class", step->sla_class);
        push_deadlines(record, scratch, step);
    }
    verb_states(record, scratch, 1u << ORDER_DISPATCHED);
    verb_reroute(record);
}

/* Each clock's own level begins anew when its deadline moves; the order's, the highest of all,
 * never falls. */
static void push_warn(struct record *record, struct buf *scratch, const struct life_step *step)
{
    enum warning highest = WARNING_NONE;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (step->levels[c] == WARNING_NONE)
            continue;
        push(record, SPAN("set"));
        PUSHF(record, scratch, "warned:%s", sla_clock_name(c));
        push(record, span_str(warning_name(step->levels[c])));
        highest = step->levels[c] > highest ? step->levels[c] : highest;
    }
    if (highest != WARNING_NONE)
        verb(record, "rise", "warning", span_str(warning_name(highest)));
    for (size_t i = 0; i < step->late_count; i++)
        verb(record, "word", "late", step->late[i]);
}

static void push_escalate(struct record *record, struct buf *scratch, const struct life_step *step)
{
    verb(record, "set", "class", step->sla_class);
    if (step->provisional)
        verb(record, "set", "provisional", SPAN("1"));
    verb_number(record, scratch, "raise", sla_clock_member(CLOCK_RESOLVE), step->resolve_by);
}

/* Whose turn it is, and since when. */
static void push_turn(struct record *record, struct buf *scratch, const struct order_rule *rule,
                      const struct life_step *step)
{
    if (step->step == STEP_HAND_OVER)
        verb_number(record, scratch, "set", "queued_at", step->queued_at);
    else if (rule->to == ORDER_DISPATCHED)
        verb(record, "set", "queued_at", now);
    if (step->step == STEP_HAND_OVER || rule->to != ORDER_SAME)
        verb(record, "drop", "triage", SPAN(""));
}

/* What the steps do that need but a word or two. */
static void push_few(struct record *record, struct buf *scratch, const struct life_step *step)
{
    switch (step->step) {
    case STEP_ACCEPT:
        verb(record, "once", sla_clock_met_member(CLOCK_RESPOND), now);
        break;
    case STEP_ARRIVE:
        verb(record, "once", sla_clock_met_member(CLOCK_ARRIVE), now);
        break;
    case STEP_REPORT:
        verb(record, "new", sla_clock_met_member(CLOCK_REPORT), now);
        break;
    case STEP_RETURN:
        verb(record, "add", "bounces", SPAN("1"));
        break;
    case STEP_NOTE:
        if (step->feedback)
            verb(record, "once", sla_clock_met_member(CLOCK_FEEDBACK), now);
        break;
    case STEP_RATE:
        verb_number(record, scratch, "new", "stars", step->stars);
        verb_number(record, scratch, "set", "reopen_by", step->reopen_by);
        break;
    default:
        break;
    }
}

static void push_verbs(struct record *record, struct buf *scratch, const struct record_step *what)
{
    const struct life_step *step = what->step;
    switch (step->step) {
    case STEP_RESOLVE:
        push_resolve(record, scratch, what);
        break;
    case STEP_EXTEND:
        push_extend(record, scratch, step);
        break;
    case STEP_GRANT:
    case STEP_REFUSE:
        push_decision(record, scratch, step);
        break;
    case STEP_WHISTLE:
        push_whistle(record, scratch, step);
        break;
    case STEP_PARTY_REPORT:
        push_party(record, scratch, "report", 0, step->department);
        break;
    case STEP_PARTY_RATE:
        push_rating(record, scratch, step);
        break;
    case STEP_REVIEW:
        push_review(record, scratch, step);
        break;
    case STEP_WARN:
        push_warn(record, scratch, step);
        break;
    case STEP_ESCALATE:
        push_escalate(record, scratch, step);
        break;
    case STEP_RECLOCK:
        verb(record, "need", "provisional", SPAN(""));
        push_deadlines(record, scratch, step);
        break;
    case STEP_REOPEN:
        push_reopen(record, scratch, step);
        break;
    default:
        push_few(record, scratch, step);
        break;
    }
}

int record_step(struct record *record, const struct record_step *what, struct buf *scratch)
{
    const struct life_step *step = what->step;
    const struct order_rule *rule = order_rule(step->step, step->actor);
    CHECK(rule != NULL);
    if (buf_reserve(scratch, SCRATCH_BYTES) == NULL)
        return -1;
    *record = (struct record){.kind = RECORD_STEP, .id = *what->id};
    const struct span community = id_community(&record->id);
    const bool example = step->step == STEP_REVIEW && step->category.len > 0;
    push(record, SPAN("FCALL"));
    push(record, SPAN("jiesu_step"));
    push(record, example ? SPAN("4") : SPAN("3"));
    push_key(record, scratch, key_order(&record->id));
    push_key(record, scratch, key_due(community));
    push_key(record, scratch, key_events(community));
    if (example)
        push_key(record, scratch, key_examples(community));
    push(record, span_str(order_step_name(step->step)));
    push(record, what->step_id);
    push(record, span_str(order_actor_name(rule->actor)));
    push(record, step->worker);
    push(record, holder_rule(rule, step->step));
    push_states(record, scratch, life_from(step));
    push(record, rule->to == ORDER_SAME ? SPAN("") : span_str(order_state_name(rule->to)));
    PUSHF(record, scratch, "%lld", (long long)step->at);
    push(record, step->strict ? SPAN("1") : SPAN(""));
    PUSHF(record, scratch, "%lld", (long long)step->version);
    if (order_step_bounded(step->step))
        PUSHF(record, scratch, "%d", (int)LIMIT_ORDER_STEPS);
    else
        push(record, SPAN(""));
    push_queue(record, scratch, step);
    if (step->step == STEP_RETURN)
        PUSHF(record, scratch, "bounces %lld %s", (long long)what->returns_most,
              order_state_name(ORDER_AWAITING));
    else
        push(record, SPAN(""));
    push_due(record, scratch, rule, what);
    push(record, what->note);
    push(record, what->tell);
    push_turn(record, scratch, rule, step);
    push_verbs(record, scratch, what);
    return buf_ok(scratch) ? 0 : -1;
}
