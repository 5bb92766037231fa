/*
 * A turn is the time that one post has to accept an order: the shorter of the times to respond and
 * to arrive, divided by `handover: turns` of process.yaml (15 minutes: 5 each). queued_at is when
 * the present holder's turn began. It is set back to the end of the former turn when the engine
 * comes late, so that the chain keeps its pace, and an engine that was away for an hour gives the
 * order to the post whose turn it is by then, in one step.
 *
 * Who is off shift loses their turn at once when a later post is on shift; otherwise it runs its
 * time, and so somebody always has the order. Shifts begin and end on whole minutes, which is how
 * watch_next finds when that will be.
 */
#include "engine/model/watch.h"

#include "engine/base/clock.h"

static const struct process_numbers *numbers_of(const struct policy *policy)
{
    return process_numbers(policy_process(policy));
}

static bool is_open(const struct life *life)
{
    return (1u << life->state & ORDER_OPEN) != 0;
}

static struct life_step engine_step(enum order_step step, const struct watch_order *order,
                                    int64_t now)
{
    return (struct life_step){
        .step = step, .actor = ACTOR_ENGINE, .at = now, .version = order->life.version};
}

/* ---- deadlines ---- */

static struct sla_deadlines deadlines_from(const struct policy *policy, struct span class,
                                           int64_t from)
{
    return sla_deadlines(policy_sla(policy), policy_calendar(policy), class, from);
}

/* Fills `by` when the years that its deadlines were counted with are all published by now. */
static bool year_came(const struct watch_order *order, const struct policy *policy, int64_t now,
                      int64_t by[CLOCK_COUNT])
{
    const struct life *life = &order->life;
    if (!life->provisional || !is_open(life))
        return false;
    const struct sla_deadlines counted = deadlines_from(policy, life->sla_class, life->created_at);
    for (size_t c = 0; c < CLOCK_COUNT; c++) {
        /* A late escalation was given its days from then on: they are not taken back. */
        const bool given = life->clocks[c].due > now && counted.by[c] <= now;
        by[c] = given ? life->clocks[c].due : counted.by[c];
    }
    return !counted.provisional;
}

/* ---- escalation ---- */

static const struct process_escalation *escalation_of(const struct watch_order *order,
                                                      const struct policy *policy)
{
    return is_open(&order->life) && order_clock_runs(&order->life.clocks[CLOCK_RESOLVE])
               ? process_escalation(policy_process(policy), order->life.sla_class)
               : NULL;
}

/* Its days count from when the complaint came (or came again), like those of the class before; when
 * they are over already, from now. */
static void escalate(const struct watch_order *order, const struct policy *policy,
                     const struct process_escalation *row, struct life_step *step)
{
    const struct span community = id_community(&order->id);
    const int64_t start = order->life.clocks[CLOCK_RESOLVE].start;
    struct sla_deadlines counted = deadlines_from(policy, row->to, start);
    if (counted.by[CLOCK_RESOLVE] <= step->at)
        counted = deadlines_from(policy, row->to, step->at);
    step->sla_class = row->to;
    step->resolve_by = counted.by[CLOCK_RESOLVE];
    step->provisional = counted.provisional;
    step->to = row->street ? directory_triage(policy_directory(policy), community, step->at)
                           : directory_head(policy_directory(policy), community);
    if (step->to.len == 0) /* the place is no more in the directory */
        step->to = order->life.holder;
}

/* ---- hand-over ---- */

static int64_t turn_of(const struct life *life, const struct process_numbers *numbers)
{
    int64_t shortest = 0;
    for (enum sla_clock c = CLOCK_RESPOND; c <= CLOCK_ARRIVE; c++) {
        const struct order_clock *clock = &life->clocks[c];
        const int64_t time = clock->due - clock->start;
        if (clock->due != 0 && (shortest == 0 || time < shortest))
            shortest = time;
    }
    if (shortest == 0)
        shortest = life->clocks[CLOCK_RESOLVE].due - life->clocks[CLOCK_RESOLVE].start;
    shortest /= numbers->handover_turns;
    return shortest > 0 ? shortest : 1;
}

/* The holder's place among the posts; one before the last for who has none, as with a return. */
static size_t post_of(const struct life *life)
{
    for (size_t i = 0; i < life->post_count; i++) {
        if (span_eq(life->posts[i], life->holder))
            return i;
    }
    return life->post_count >= 2 ? life->post_count - 2 : 0;
}

/* True when there is somebody after the holder: who has the head's office is the last. */
static bool has_next(const struct watch_order *order, const struct directory *directory)
{
    const struct life *life = &order->life;
    if (life->state != ORDER_DISPATCHED || life->post_count == 0 ||
        span_eq(life->posts[life->post_count - 1], life->holder))
        return false;
    return directory_office(directory, life->holder, id_community(&order->id)) != OFFICE_HEAD;
}

/* The first post after the i-th that is on shift; at last the last one. */
static size_t next_post(const struct life *life, const struct directory *directory, size_t i,
                        int64_t now)
{
    do
        i++;
    while (i + 1 < life->post_count && !directory_on_duty(directory, life->posts[i], now));
    return i < life->post_count ? i : life->post_count - 1;
}

/* The holder is off shift, and a later post is not. */
static bool loses_turn(const struct life *life, const struct directory *directory, int64_t now)
{
    if (directory_on_duty(directory, life->holder, now))
        return false;
    const size_t next = next_post(life, directory, post_of(life), now);
    return directory_on_duty(directory, life->posts[next], now);
}

static int64_t turn_ends(const struct life *life, const struct policy *policy)
{
    return life->queued_at + turn_of(life, numbers_of(policy));
}

static bool hand_over(const struct watch_order *order, const struct policy *policy,
                      struct life_step *step)
{
    const struct directory *directory = policy_directory(policy);
    const struct life *life = &order->life;
    if (!has_next(order, directory))
        return false;
    const int64_t turn = turn_of(life, numbers_of(policy));
    const int64_t turns = (step->at - life->queued_at) / turn;
    size_t post = post_of(life);
    if (turns <= 0 && !loses_turn(life, directory, step->at))
        return false;
    step->queued_at = step->at;
    if (turns <= 0)
        post = next_post(life, directory, post, step->at);
    for (int64_t n = 1; n <= turns && post + 1 < life->post_count; n++) {
        post = next_post(life, directory, post, step->at);
        step->queued_at = life->queued_at + n * turn;
    }
    step->to = life->posts[post];
    return true;
}

/* When the order goes to the next post, not after `until`. */
static int64_t hand_over_at(const struct watch_order *order, const struct policy *policy,
                            int64_t now, int64_t until)
{
    const struct directory *directory = policy_directory(policy);
    const int64_t ends = turn_ends(&order->life, policy);
    if (loses_turn(&order->life, directory, now))
        return now;
    until = ends < until ? ends : until;
    for (int64_t at = now - now % CLOCK_MINUTE_MS + CLOCK_MINUTE_MS; at < until;
         at += CLOCK_MINUTE_MS) {
        if (loses_turn(&order->life, directory, at))
            return at;
    }
    return until;
}

/* ---- warnings ---- */

static bool warn(const struct watch_order *order, const struct policy *policy,
                 struct life_step *step)
{
    const struct life *life = &order->life;
    const struct warning_shares *shares = &numbers_of(policy)->warnings;
    bool any = false;
    for (size_t c = 0; c < CLOCK_COUNT; c++) {
        if (!order_clock_runs(&life->clocks[c]))
            continue;
        const enum warning level = order_clock_warning(&life->clocks[c], shares, step->at);
        if (level > life->warned[c]) {
            step->levels[c] = level;
            any = true;
        }
    }
    for (size_t i = 0; i < life->party_count; i++) {
        const struct life_party *party = &life->parties[i];
        if (party->reported_at == 0 && !party->late && party->report_by <= step->at)
            step->late[step->late_count++] = party->department;
    }
    return any || step->late_count > 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b != 0 && b < a ? b : a;
}

static int64_t warn_at(const struct life *life, const struct warning_shares *shares, int64_t next)
{
    for (size_t c = 0; c < CLOCK_COUNT; c++) {
        if (order_clock_runs(&life->clocks[c]) && life->warned[c] < WARNING_RED)
            next =
                sooner(next, order_clock_warns_at(&life->clocks[c], shares, life->warned[c] + 1));
    }
    for (size_t i = 0; i < life->party_count; i++) {
        const struct life_party *party = &life->parties[i];
        if (party->reported_at == 0 && !party->late)
            next = sooner(next, party->report_by);
    }
    return next;
}

/* ---- together ---- */

int watch_step(const struct watch_order *order, const struct policy *policy, int64_t now,
               struct life_step *step)
{
    const struct life *life = &order->life;
    if (life->state == ORDER_RESOLVED) {
        *step = engine_step(STEP_CLOSE, order, now);
        return now >= life->reopen_by;
    }
    if (!is_open(life))
        return 0;
    *step = engine_step(STEP_RECLOCK, order, now);
    if (year_came(order, policy, now, step->by))
        return 1;
    const struct process_escalation *row = escalation_of(order, policy);
    *step = engine_step(STEP_ESCALATE, order, now);
    if (row != NULL && now >= life->clocks[CLOCK_RESOLVE].due) {
        escalate(order, policy, row, step);
        return 1;
    }
    *step = engine_step(STEP_HAND_OVER, order, now);
    if (hand_over(order, policy, step))
        return 1;
    *step = engine_step(STEP_WARN, order, now);
    return warn(order, policy, step);
}

int64_t watch_next(const struct watch_order *order, const struct policy *policy, int64_t now)
{
    const struct life *life = &order->life;
    int64_t by[CLOCK_COUNT];
    if (life->state == ORDER_RESOLVED)
        return life->reopen_by;
    if (!is_open(life))
        return 0;
    if (year_came(order, policy, now, by))
        return now;
    int64_t next = now + WATCH_LOOK_MS;
    if (escalation_of(order, policy) != NULL)
        next = sooner(next, life->clocks[CLOCK_RESOLVE].due);
    next = warn_at(life, &numbers_of(policy)->warnings, next);
    if (has_next(order, policy_directory(policy)))
        next = hand_over_at(order, policy, now, next);
    return next;
}

/* ---- who is told ---- */

static void add(struct span out[WATCH_TELL_MOST], size_t *count, struct span worker)
{
    if (worker.len == 0 || *count == WATCH_TELL_MOST)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (span_eq(out[i], worker))
            return;
    }
    out[(*count)++] = worker;
}

/* The highest level of a warning; a department that is late is as bad as a breach. */
static enum warning level_of(const struct life_step *step)
{
    enum warning level = step->late_count > 0 ? WARNING_RED : WARNING_NONE;
    for (size_t c = 0; c < CLOCK_COUNT; c++)
        level = step->levels[c] > level ? step->levels[c] : level;
    return level;
}

size_t watch_tell(const struct life_step *step, const struct watch_order *order,
                  const struct policy *policy, struct span out[WATCH_TELL_MOST])
{
    const struct directory *directory = policy_directory(policy);
    const struct life *life = &order->life;
    const struct span head = directory_head(directory, id_community(&order->id));
    size_t count = 0;
    if (step->step == STEP_WARN) {
        const unsigned who = process_tell(policy_process(policy), level_of(step));
        if ((who & 1u << TELL_HOLDER) != 0)
            add(out, &count, life->holder);
        if ((who & 1u << TELL_LEADER) != 0)
            add(out, &count, directory_leader(directory, order->grid));
        if ((who & 1u << TELL_HEAD) != 0)
            add(out, &count, head);
    } else if (step->step == STEP_ESCALATE) {
        add(out, &count, step->to);
        add(out, &count, head);
        add(out, &count, life->holder);
    } else if (step->step == STEP_RETURN && life->bounces >= numbers_of(policy)->returns_most) {
        add(out, &count, head);
    }
    return count;
}

/* ---- reviews ---- */

struct class_search {
    struct span path, class;
};

static void on_category(void *ctx, struct span path, struct span sla)
{
    struct class_search *search = ctx;
    if (span_eq(path, search->path))
        search->class = sla;
}

void watch_review(struct life_step *step, const struct policy *policy, int64_t created_at)
{
    struct class_search search = {.path = step->category};
    if (step->step != STEP_REVIEW || step->category.len == 0)
        return;
    rules_each_category(policy_rules(policy), on_category, &search);
    const struct sla_deadlines counted = deadlines_from(policy, search.class, created_at);
    step->sla_class = search.class;
    step->provisional = counted.provisional;
    for (size_t c = 0; c < CLOCK_COUNT; c++)
        step->by[c] = counted.by[c];
}
