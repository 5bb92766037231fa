#include "engine/model/life.h"

#include "engine/base/check.h"
#include "engine/base/names.h"

static const struct {
    const char *name, *text;
} answers[LIFE_ANSWER_COUNT] = {
#define X(constant, answer_name, answer_text) [constant] = {(answer_name), (answer_text)},
    LIFE_TABLE(X)
#undef X
};

const char *life_answer_name(enum life_answer answer)
{
    CHECK(answer < LIFE_ANSWER_COUNT);
    return answers[answer].name;
}

const char *life_answer_text(struct span name)
{
    const int at = NAMES_FIND_BY(answers, name, name);
    return answers[at < 0 ? LIFE_STATE : at].text;
}

void life_begin(struct life *life, int64_t created_at, const int64_t by[CLOCK_COUNT],
                struct span holder)
{
    *life = (struct life){.state = ORDER_DISPATCHED,
                          .version = 1,
                          .created_at = created_at,
                          .last_at = created_at,
                          .queued_at = created_at,
                          .holder = holder};
    for (size_t i = 0; i < CLOCK_COUNT; i++)
        life->clocks[i] = (struct order_clock){.start = created_at, .due = by[i]};
}

void life_prepare(struct life_step *step, const struct process_numbers *numbers)
{
    if (step->step == STEP_RESOLVE || step->step == STEP_RATE)
        step->reopen_by = step->at + numbers->reopen_ms;
    if (step->step == STEP_REOPEN)
        step->resolve_by = step->at + numbers->reopen_resolve_ms;
}

unsigned life_from(const struct life_step *step)
{
    const struct order_rule *rule = order_rule(step->step, step->actor);
    if (rule == NULL)
        return 0;
    /* Once it is resolved there is nothing left to tell the resident. */
    return step->feedback ? rule->from & ORDER_OPEN : rule->from;
}

/* ---- whether ---- */

static struct life_party *find_party(struct life *life, struct span department)
{
    for (size_t i = 0; i < life->party_count; i++) {
        if (span_eq(life->parties[i].department, department))
            return &life->parties[i];
    }
    return NULL;
}

static enum life_answer check_extension(const struct life *life, const struct life_step *step)
{
    const struct order_clock *clock = &life->clocks[step->clock];
    if (step->step != STEP_EXTEND)
        return clock->asked == 0 ? LIFE_ABSENT : LIFE_TAKEN;
    if (clock->due == 0)
        return LIFE_ABSENT;
    return clock->met_at != 0 || clock->extended || clock->asked != 0 ? LIFE_AGAIN : LIFE_TAKEN;
}

static enum life_answer check_parties(struct life *life, const struct life_step *step)
{
    for (size_t i = 0; i < step->party_count; i++) {
        if (find_party(life, step->parties[i].department) != NULL)
            return LIFE_AGAIN;
        if (life->party_count + i >= LIMIT_ORDER_PARTIES)
            return LIFE_LONG;
    }
    return LIFE_TAKEN;
}

/* The caller, or a head when the caller cannot. */
static bool may_rate(const struct life_party *party, const struct life_step *step)
{
    if (party->caller.len == 0 || span_eq(party->caller, step->worker))
        return true;
    return step->actor == ACTOR_HEAD && !span_has_word(step->able, ' ', party->caller);
}

static enum life_answer check_party(struct life *life, const struct life_step *step)
{
    const struct life_party *party = find_party(life, step->department);
    if (party == NULL)
        return LIFE_ABSENT;
    if (step->step == STEP_PARTY_REPORT)
        return party->reported_at != 0 ? LIFE_AGAIN : LIFE_TAKEN;
    if (!may_rate(party, step))
        return LIFE_CALLER;
    if (party->reported_at == 0)
        return LIFE_ABSENT;
    return party->stars != 0 ? LIFE_AGAIN : LIFE_TAKEN;
}

/* Some classes must say why they are late. */
static enum life_answer check_resolve(const struct life *life, const struct life_step *step)
{
    const bool late = order_clock_breached(&life->clocks[CLOCK_RESOLVE], step->at);
    return late && !step->explained && span_has_word(step->explain, ',', life->sla_class)
               ? LIFE_OVERDUE
               : LIFE_TAKEN;
}

/* What a step needs beyond its state. */
static enum life_answer check_needs(struct life *life, const struct life_step *step)
{
    switch (step->step) {
    case STEP_REPORT:
        return life->clocks[CLOCK_REPORT].met_at != 0 ? LIFE_AGAIN : LIFE_TAKEN;
    case STEP_RESOLVE:
        return check_resolve(life, step);
    case STEP_EXTEND:
    case STEP_GRANT:
    case STEP_REFUSE:
        return check_extension(life, step);
    case STEP_WHISTLE:
        return check_parties(life, step);
    case STEP_PARTY_REPORT:
    case STEP_PARTY_RATE:
        return check_party(life, step);
    case STEP_RATE:
        return life->stars != 0 ? LIFE_AGAIN : LIFE_TAKEN;
    case STEP_REOPEN:
        return step->at > life->reopen_by ? LIFE_LATE : LIFE_TAKEN;
    case STEP_RECLOCK:
        return life->provisional ? LIFE_TAKEN : LIFE_ABSENT;
    default:
        return LIFE_TAKEN;
    }
}

static enum life_answer check(struct life *life, const struct life_step *step)
{
    const struct order_rule *rule = order_rule(step->step, step->actor);
    if (rule == NULL || (life_from(step) & 1u << life->state) == 0)
        return LIFE_STATE;
    if (rule->actor == ACTOR_HOLDER && !span_eq(step->worker, life->holder))
        return LIFE_HOLDER;
    if (step->version != 0 && step->version != life->version)
        return LIFE_VERSION;
    if (step->strict && step->at < life->last_at)
        return LIFE_TIME;
    if (order_step_bounded(step->step) && life->version >= LIMIT_ORDER_STEPS)
        return LIFE_LONG;
    return LIFE_TAKEN;
}

/* ---- what comes of it ---- */

static bool returned_too_often(const struct life *life, const struct process_numbers *numbers,
                               const struct life_step *step)
{
    return step->step == STEP_RETURN && life->bounces >= numbers->returns_most;
}

/* The post after the holder's; the last one for who holds none. */
static struct span next_post(const struct life *life)
{
    for (size_t i = 0; i + 1 < life->post_count; i++) {
        if (span_eq(life->posts[i], life->holder))
            return life->posts[i + 1];
    }
    return life->post_count == 0 ? life->holder : life->posts[life->post_count - 1];
}

/* A review gives an order that waits to its first post: when that was all it waited for, and when
 * it turns out to be another matter. Who has accepted it keeps it. */
static bool reroutes(const struct life *life, const struct life_step *step)
{
    return step->step == STEP_REVIEW && life->state == ORDER_DISPATCHED &&
           (life->triage || (step->category.len > 0 && !life->red));
}

static struct span next_holder(const struct life *life, const struct life_step *step, bool decide)
{
    switch (step->step) {
    case STEP_ACCEPT:
        return step->worker;
    case STEP_TRANSFER:
    case STEP_HAND_OVER:
    case STEP_ESCALATE:
        return step->to;
    case STEP_REVIEW:
        return reroutes(life, step) && life->post_count > 0 ? life->posts[0] : life->holder;
    case STEP_RETURN:
        if (decide && life->post_count > 0)
            return life->posts[life->post_count - 1];
        return next_post(life);
    default:
        return life->holder;
    }
}

static void meet(struct life *life, enum sla_clock clock, int64_t at)
{
    if (life->clocks[clock].met_at == 0)
        life->clocks[clock].met_at = at;
}

static void stop_clocks(struct life *life, int64_t at)
{
    for (size_t i = 0; i < CLOCK_COUNT; i++) {
        if (order_clock_runs(&life->clocks[i]))
            life->clocks[i].stopped_at = at;
    }
}

/* A deadline that moved is warned of anew. */
static void move_due(struct life *life, enum sla_clock clock, int64_t due)
{
    if (due == life->clocks[clock].due)
        return;
    life->clocks[clock].due = due;
    life->warned[clock] = WARNING_NONE;
}

static void raise_due(struct life *life, enum sla_clock clock, int64_t due)
{
    if (due > life->clocks[clock].due)
        move_due(life, clock, due);
}

/* New deadlines from the order's creation. What was met stays as it was, what a person or a second
 * attempt moved stays moved; a clock that is no more has nothing left to decide. */
static void set_deadlines(struct life *life, const struct life_step *step)
{
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        struct order_clock *clock = &life->clocks[c];
        if (clock->met_at != 0 || clock->extended || clock->start != life->created_at)
            continue;
        move_due(life, c, step->by[c]);
        if (step->by[c] == 0)
            clock->asked = 0;
    }
    life->provisional = step->provisional;
}

/* A second attempt: the resolve clock starts again, and never ends before it did. What was not
 * done the first time and stopped runs on. */
static void reopen(struct life *life, const struct life_step *step)
{
    struct order_clock *resolve = &life->clocks[CLOCK_RESOLVE];
    resolve->start = step->at;
    resolve->met_at = 0;
    life->warned[CLOCK_RESOLVE] = WARNING_NONE;
    raise_due(life, CLOCK_RESOLVE, step->resolve_by);
    for (size_t i = 0; i < CLOCK_COUNT; i++)
        life->clocks[i].stopped_at = 0;
    life->reopen_by = life->stars = 0;
}

static void decide_extension(struct life *life, const struct life_step *step)
{
    struct order_clock *clock = &life->clocks[step->clock];
    if (step->step == STEP_GRANT) {
        clock->extended = true;
        raise_due(life, step->clock, clock->asked);
    }
    clock->asked = 0;
}

static void whistle(struct life *life, const struct life_step *step)
{
    for (size_t i = 0; i < step->party_count && life->party_count < LIMIT_ORDER_PARTIES; i++) {
        struct life_party *party = &life->parties[life->party_count++];
        *party = step->parties[i];
        party->caller = step->worker;
    }
}

static void party(struct life *life, const struct life_step *step)
{
    struct life_party *party = find_party(life, step->department);
    if (party == NULL)
        return;
    if (step->step == STEP_PARTY_REPORT)
        party->reported_at = step->at;
    else
        party->stars = step->stars;
}

static void resolve(struct life *life, const struct life_step *step)
{
    meet(life, CLOCK_FEEDBACK, step->at);
    meet(life, CLOCK_RESOLVE, step->at);
    life->reopen_by = step->reopen_by;
}

static void warn(struct life *life, const struct life_step *step)
{
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (step->levels[c] > life->warned[c])
            life->warned[c] = step->levels[c];
        if (step->levels[c] > life->warning)
            life->warning = step->levels[c];
    }
    for (size_t i = 0; i < step->late_count; i++) {
        struct life_party *late = find_party(life, step->late[i]);
        if (late != NULL)
            late->late = true;
    }
}

static void escalate(struct life *life, const struct life_step *step)
{
    life->sla_class = step->sla_class;
    life->provisional |= step->provisional;
    raise_due(life, CLOCK_RESOLVE, step->resolve_by);
}

/* What an order was is kept once it is done, but for the label. */
static void review(struct life *life, const struct life_step *step)
{
    if (step->category.len == 0)
        return;
    life->category = step->category;
    if (step->sla_class.len == 0 || life->red || (1u << life->state & ORDER_OPEN) == 0)
        return;
    life->sla_class = step->sla_class;
    set_deadlines(life, step);
}

static void apply_details(struct life *life, const struct life_step *step)
{
    switch (step->step) {
    case STEP_ACCEPT:
        meet(life, CLOCK_RESPOND, step->at);
        break;
    case STEP_ARRIVE:
        meet(life, CLOCK_ARRIVE, step->at);
        break;
    case STEP_REPORT:
        meet(life, CLOCK_REPORT, step->at);
        break;
    case STEP_RESOLVE:
        resolve(life, step);
        break;
    case STEP_RETURN:
        life->bounces++;
        break;
    case STEP_EXTEND:
        life->clocks[step->clock].asked = step->until;
        break;
    case STEP_GRANT:
    case STEP_REFUSE:
        decide_extension(life, step);
        break;
    case STEP_NOTE:
        if (step->feedback)
            meet(life, CLOCK_FEEDBACK, step->at);
        break;
    case STEP_WHISTLE:
        whistle(life, step);
        break;
    case STEP_PARTY_REPORT:
    case STEP_PARTY_RATE:
        party(life, step);
        break;
    case STEP_REVIEW:
        review(life, step);
        break;
    case STEP_RATE:
        life->stars = step->stars;
        life->reopen_by = step->reopen_by;
        break;
    case STEP_REOPEN:
        reopen(life, step);
        break;
    case STEP_WARN:
        warn(life, step);
        break;
    case STEP_ESCALATE:
        escalate(life, step);
        break;
    case STEP_RECLOCK:
        set_deadlines(life, step);
        break;
    default:
        break;
    }
}

/* Whose turn it is, and since when: a chain of posts begins with each step that puts the order into
 * a queue, and goes on with a hand-over. */
static void start_turn(struct life *life, const struct life_step *step, enum order_state to)
{
    const bool given = step->step == STEP_RETURN || step->step == STEP_TRANSFER ||
                       step->step == STEP_REOPEN || step->step == STEP_ESCALATE ||
                       reroutes(life, step);
    if (given)
        life->queued_at = step->at;
    if (step->step == STEP_HAND_OVER)
        life->queued_at = step->queued_at;
    if (given || step->step == STEP_HAND_OVER || to != ORDER_DISPATCHED)
        life->triage = false;
}

void life_apply(struct life *life, const struct process_numbers *numbers,
                const struct life_step *step, enum order_state to, struct span holder)
{
    life->warning = life_warning(life, &numbers->warnings, step->at);
    start_turn(life, step, to);
    apply_details(life, step);
    if (to == ORDER_RESOLVED || order_state_ended(to))
        stop_clocks(life, step->at);
    life->state = to;
    life->holder = holder;
    life->last_at = step->at;
    life->version++;
}

enum life_answer life_take(struct life *life, const struct process_numbers *numbers,
                           struct life_step *step)
{
    enum life_answer answer = check(life, step);
    if (answer == LIFE_TAKEN && step->at < life->last_at)
        step->at = life->last_at;
    if (answer == LIFE_TAKEN)
        answer = check_needs(life, step);
    if (answer != LIFE_TAKEN)
        return answer;
    const struct order_rule *rule = order_rule(step->step, step->actor);
    const bool decide = returned_too_often(life, numbers, step);
    life_apply(life, numbers, step, decide ? ORDER_AWAITING : order_rule_target(rule, life->state),
               next_holder(life, step, decide));
    return LIFE_TAKEN;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

int64_t life_next_due(const struct life *life)
{
    int64_t next = 0;
    if (order_state_ended(life->state))
        return 0;
    if (life->state == ORDER_RESOLVED)
        return life->reopen_by;
    for (size_t i = 0; i < CLOCK_COUNT; i++) {
        if (order_clock_runs(&life->clocks[i]))
            next = sooner(next, life->clocks[i].due);
    }
    for (size_t i = 0; i < life->party_count; i++) {
        if (life->parties[i].reported_at == 0)
            next = sooner(next, life->parties[i].report_by);
    }
    return next;
}

enum warning life_warning(const struct life *life, const struct warning_shares *shares, int64_t now)
{
    enum warning level = life->warning;
    for (size_t i = 0; i < CLOCK_COUNT; i++) {
        const enum warning own = order_clock_warning(&life->clocks[i], shares, now);
        level = own > level ? own : level;
    }
    return level;
}
