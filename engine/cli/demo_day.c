/*
 * Everything that will happen stands in an agenda; a timer carries out what is due. What a person does is drawn when the act before it was acknowledged, from a generator that
 * belongs to the order and is seeded by its complaint's number, so that the same complaints have the
 * same lives as far as the engine's own timing allows.
 *
 * The demo's idea of an order may lag behind the engine's, which hands orders over and escalates
 * them by itself: a step that does not fit any more is answered 409 (or 403), and the person lets
 * it be.
 */
#include "engine/cli/demo_day.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/cli/demo_agenda.h"
#include "engine/cli/demo_orders.h"
#include "engine/cli/demo_plan.h"

#include <stdio.h>

enum {
    TICK_MS = 5,
    PATH_MOST = 128,
    BODY_MOST = 256,
    LOOK_AGAIN_MS = 15 * 60000, /* who is away looks into the queue so much later */
    DECIDE_MS = 10 * 60000,
    REVIEW_MS = 3 * 60000,
    STUBBORN = 100 /* one complaint in so many is handed back by all */
};

/* One step that was asked for and not answered yet. */
struct asked {
    struct demo_day *day;
    struct asked *next, **link;
    struct demo_act act;
};

struct demo_day {
    struct demo_day_options options;
    uv_timer_t tick;
    struct demo_orders *orders;
    struct demo_agenda *agenda;
    struct asked *asked;
    size_t too_late;
    bool stopped;
};

static void fail(struct demo_day *day, enum err_code code, const char *text)
{
    struct err err = {0};
    (void)err_set(&err, code, "%s", text);
    day->options.on_error(day->options.ctx, &err);
}

static struct span community_of(const struct demo_order *order)
{
    struct span rest = span_str(order->id);
    return span_cut(&rest, '.');
}

/* ---- what will happen ---- */

static void plan(struct demo_day *day, enum demo_act_kind kind, int64_t after_ms,
                 const struct demo_act *model)
{
    struct demo_act act = *model;
    act.kind = kind;
    act.at = clock_now_ms() + after_ms;
    if (!day->stopped && demo_agenda_add(day->agenda, &act) < 0)
        fail(day, ERR_NOMEM, "out of memory");
}

static struct demo_order *order_of(struct demo_day *day, const struct demo_act *act)
{
    return demo_orders_at(day->orders, act->order);
}

static bool is_gentle(const struct demo_day *day)
{
    return clock_now_ms() >= day->options.evening;
}

static struct span worker_id(const struct demo_day *day, uint32_t worker)
{
    struct span id, community;
    directory_worker_at(day->options.directory, worker, &id, &community);
    return id;
}

/* ---- what follows from an acknowledged step ---- */

static void after_accept(struct demo_day *day, struct demo_order *order, const struct demo_act *act)
{
    const struct demo_work work = demo_plan_work(&order->random,
                                                 (struct demo_case){.urgent = order->urgent,
                                                                    .disaster = order->disaster,
                                                                    .quarrel = order->quarrel},
                                                 is_gentle(day));
    order->state = DEMO_ORDER_HELD;
    if (work.return_ms > 0)
        plan(day, ACT_RETURN, work.return_ms, act);
    if (work.arrive_ms > 0)
        plan(day, ACT_ARRIVE, work.arrive_ms, act);
    if (work.report_ms > 0)
        plan(day, ACT_REPORT, work.report_ms, act);
    if (work.resolve_ms > 0)
        plan(day, ACT_RESOLVE, work.resolve_ms, act);
}

static void after_resolve(struct demo_day *day, struct demo_order *order,
                          const struct demo_act *act)
{
    const struct demo_verdict verdict = demo_plan_verdict(&order->random, order->reopened);
    struct demo_act next = *act;
    order->state = DEMO_ORDER_DONE;
    next.stars = verdict.stars;
    if (verdict.reply == REPLY_RATE)
        plan(day, ACT_RATE, verdict.after_ms, &next);
    if (verdict.reply == REPLY_REOPEN)
        plan(day, ACT_REOPEN, verdict.after_ms, &next);
}

static void after_return(struct demo_day *day, struct demo_order *order, const struct demo_act *act,
                         struct span status)
{
    order->state = DEMO_ORDER_WAITING;
    order->returns++;
    if (span_eq(status, SPAN("awaiting_decision")))
        plan(day, ACT_DECIDE, DECIDE_MS, act);
}

static void after(struct demo_day *day, const struct demo_act *act, struct span status)
{
    struct demo_order *order = order_of(day, act);
    const bool accepted = act->kind == ACT_ACCEPT && !order->taken;
    order->taken = order->taken || accepted;
    day->options.on_step(day->options.ctx, span_str(order->id), accepted);
    switch (act->kind) {
    case ACT_ACCEPT:
        after_accept(day, order, act);
        break;
    case ACT_RESOLVE:
        after_resolve(day, order, act);
        break;
    case ACT_RETURN:
        after_return(day, order, act, status);
        break;
    case ACT_DECIDE:
        order->stubborn = false;
        break;
    case ACT_REOPEN:
        order->reopened = true;
        order->state = DEMO_ORDER_WAITING;
        break;
    case ACT_REVIEW:
        order->review = false;
        plan(day, ACT_LOOK, LOOK_AGAIN_MS,
             act); /* by then somebody else has taken it, or ought to */
        break;
    case ACT_LOOK:
    case ACT_ARRIVE:
    case ACT_REPORT:
    case ACT_RATE:
        break;
    }
}

/* The engine knows better how the order stands. */
static void too_late(struct demo_day *day, const struct demo_act *act, struct span state)
{
    struct demo_order *order = order_of(day, act);
    day->too_late++;
    if (span_eq(state, SPAN("accepted")) || span_eq(state, SPAN("arrived")))
        order->state = DEMO_ORDER_HELD;
    else if (span_eq(state, SPAN("resolved")) || span_eq(state, SPAN("closed")))
        order->state = DEMO_ORDER_DONE;
    if (act->kind == ACT_REVIEW) /* it went on without */
        order->review = false;
    if (order->state == DEMO_ORDER_WAITING && act->kind != ACT_ARRIVE && act->kind != ACT_RESOLVE)
        plan(day, ACT_LOOK, LOOK_AGAIN_MS, act);
}

static void forget(struct asked *asked)
{
    *asked->link = asked->next;
    if (asked->next != NULL)
        asked->next->link = asked->link;
    mem_free(asked);
}

static void on_answer(void *ctx, int status, struct span body)
{
    struct asked *asked = ctx;
    struct demo_day *day = asked->day;
    const struct demo_act act = asked->act;
    struct json root, value;
    struct span state = SPAN("");
    forget(asked);
    const char *name = status == 409 ? "state" : "status";
    if (json_parse(day->options.json, body, &root, NULL) == 0 && json_get(root, name, &value) &&
        json_type(value) == JSON_STRING)
        state = json_string(value);
    if (status == 200) {
        after(day, &act, state);
    } else if (status == 409 || status == 403) {
        too_late(day, &act, state);
    } else {
        struct err err = {0};
        (void)err_set(&err, ERR_PROTOCOL, "a step was refused with %d: %.*s", status,
                      SPAN_ARG(span_sub(body, 0, 300)));
        day->options.on_error(day->options.ctx, &err);
    }
}

/* ---- carrying out ---- */

static void ask(struct demo_day *day, const struct demo_act *act, const char *place,
                const char *step, const char *body)
{
    char path[PATH_MOST];
    struct asked *asked = mem_alloc(sizeof *asked);
    if (asked == NULL) {
        fail(day, ERR_NOMEM, "out of memory");
        return;
    }
    *asked = (struct asked){.day = day, .next = day->asked, .link = &day->asked, .act = *act};
    if (asked->next != NULL)
        asked->next->link = &asked->next;
    day->asked = asked;
    (void)snprintf(path, sizeof path, "/v1/%s/%s/%s", place, order_of(day, act)->id, step);
    if (demo_steps_post(day->options.steps, path, span_str(body), on_answer, asked) < 0) {
        forget(asked);
        fail(day, ERR_NOMEM, "out of memory");
    }
}

static void ask_worker(struct demo_day *day, const struct demo_act *act, const char *step,
                       const char *more)
{
    char body[BODY_MOST];
    (void)snprintf(body, sizeof body, "{\"worker\":\"%.*s\"%s}",
                   SPAN_ARG(worker_id(day, act->worker)), more);
    ask(day, act, "orders", step, body);
}

/* The station head gives it to somebody of the community who is on shift and not the head, or keeps
 * it. */
static void decide(struct demo_day *day, const struct demo_act *act)
{
    const struct directory *directory = day->options.directory;
    const struct span community = community_of(order_of(day, act));
    const struct span head = directory_head(directory, community);
    struct span to = head, id, home;
    char body[BODY_MOST];
    for (size_t i = 0; i < directory_worker_count(directory); i++) {
        directory_worker_at(directory, i, &id, &home);
        if (span_eq(home, community) && !span_eq(id, head) &&
            directory_on_duty(directory, id, clock_now_ms())) {
            to = id;
            break;
        }
    }
    (void)snprintf(body, sizeof body,
                   "{\"worker\":\"%.*s\",\"to\":\"%.*s\",\"reason\":\"decision\"}", SPAN_ARG(head),
                   SPAN_ARG(to));
    ask(day, act, "orders", "transfer", body);
}

/* What a worker does about an order that lies in the queue. */
static void look(struct demo_day *day, const struct demo_act *act)
{
    struct demo_order *order = order_of(day, act);
    const struct span worker = worker_id(day, act->worker);
    const int64_t now = clock_now_ms();
    if (!order->known) { /* the resident's backend is still waiting for its answer */
        plan(day, ACT_LOOK, clock_stretch_ms(TICK_MS), act);
        return;
    }
    if (order->state == DEMO_ORDER_DONE)
        return;
    if (!directory_on_duty(day->options.directory, worker, now) ||
        (!is_gentle(day) && demo_plan_absent(act->worker, now - day->options.morning))) {
        plan(day, ACT_LOOK, LOOK_AGAIN_MS, act);
        return;
    }
    const struct demo_answer answer = demo_plan_answer(&order->random, is_gentle(day));
    if (order->review &&
        directory_office(day->options.directory, worker, community_of(order)) == OFFICE_HEAD)
        plan(day, ACT_REVIEW, REVIEW_MS, act);
    else if (order->stubborn || (answer.will == WILL_RETURN && order->returns == 0))
        plan(day, ACT_RETURN, answer.after_ms, act);
    else
        plan(day, ACT_ACCEPT, answer.after_ms, act);
}

static void carry_out(struct demo_day *day, const struct demo_act *act)
{
    const struct demo_order *order = order_of(day, act);
    char body[BODY_MOST];
    switch (act->kind) {
    case ACT_LOOK:
        look(day, act);
        break;
    case ACT_ACCEPT:
        if (order->state == DEMO_ORDER_WAITING)
            ask_worker(day, act, "accept", "");
        break;
    case ACT_RETURN:
        ask_worker(day, act, "return", ",\"reason\":\"not_my_grid\"");
        break;
    case ACT_ARRIVE:
        ask_worker(day, act, "arrive", "");
        break;
    case ACT_REPORT:
        ask_worker(day, act, "report", "");
        break;
    case ACT_RESOLVE:
        ask_worker(day, act, "resolve", ",\"result\":\"已到场处理\"");
        break;
    case ACT_REVIEW:
        ask_worker(day, act, "review", "");
        break;
    case ACT_DECIDE:
        decide(day, act);
        break;
    case ACT_RATE:
        (void)snprintf(body, sizeof body, "{\"stars\":%d}", act->stars);
        ask(day, act, "complaints", "rate", body);
        break;
    case ACT_REOPEN:
        ask(day, act, "complaints", "reopen", "{\"reason\":\"not_solved\"}");
        break;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct demo_day *day = timer->data;
    struct demo_act act;
    while (!day->stopped && demo_agenda_take(day->agenda, clock_now_ms(), &act))
        carry_out(day, &act);
}

/* ---- what comes from outside ---- */

static bool is_string(struct json answer, const char *name, const char *text)
{
    struct json value;
    return json_get(answer, name, &value) && json_type(value) == JSON_STRING &&
           span_eq(json_string(value), span_str(text));
}

/* The number of the order with this id; -1 when memory is short. */
static int number_of(struct demo_day *day, struct span id, uint32_t *number)
{
    if (demo_orders_find(day->orders, id, number) == 0)
        return 0;
    fail(day, ERR_NOMEM, "out of memory");
    return -1;
}

void demo_day_order(struct demo_day *day, size_t i, struct span id, const struct json *answer)
{
    uint32_t number;
    struct json review;
    if (number_of(day, id, &number) < 0)
        return;
    struct demo_order *order = demo_orders_at(day->orders, number);
    order->known = true;
    order->random = (struct random){i + 1};
    order->stubborn = i % STUBBORN == STUBBORN / 2;
    if (answer == NULL)
        return;
    order->urgent = is_string(*answer, "urgency", "red");
    order->disaster = is_string(*answer, "sla", "disaster");
    order->quarrel = is_string(*answer, "sla", "dispute");
    order->review = json_get(*answer, "review", &review) && json_type(review) == JSON_BOOL &&
                    json_bool(review) && !order->urgent;
}

void demo_day_queued(struct demo_day *day, struct span id, size_t worker)
{
    struct demo_act act = {.worker = (uint32_t)worker};
    if (number_of(day, id, &act.order) < 0)
        return;
    struct demo_order *order = order_of(day, &act);
    if (order->state == DEMO_ORDER_HELD) /* the engine escalated it, or this was read late */
        order->state = DEMO_ORDER_WAITING;
    plan(day, ACT_LOOK, 0, &act);
}

struct demo_day_count demo_day_count(const struct demo_day *day)
{
    struct demo_day_count count = {.orders = demo_orders_count(day->orders),
                                   .too_late = day->too_late};
    for (uint32_t i = 0; i < count.orders; i++) {
        const struct demo_order *order = demo_orders_at(day->orders, i);
        count.untaken += !order->taken;
        count.open += order->state != DEMO_ORDER_DONE;
    }
    return count;
}

bool demo_day_over(const struct demo_day *day)
{
    return demo_agenda_count(day->agenda) == 0 && day->asked == NULL &&
           demo_day_count(day).open == 0;
}

void demo_day_stop(struct demo_day *day)
{
    day->stopped = true;
}

static void free_day(struct demo_day *day)
{
    while (day->asked != NULL)
        forget(day->asked);
    demo_orders_free(&day->orders);
    demo_agenda_free(&day->agenda);
    mem_free(day);
}

struct demo_day *demo_day_start(const struct demo_day_options *options, struct err *err)
{
    struct demo_day *day = mem_zalloc(1, sizeof *day);
    if (day != NULL) {
        day->options = *options;
        day->orders = demo_orders_new();
        day->agenda = demo_agenda_new();
    }
    if (day == NULL || day->orders == NULL || day->agenda == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        if (day != NULL)
            free_day(day);
        return NULL;
    }
    (void)uv_timer_init(options->loop, &day->tick);
    day->tick.data = day;
    (void)uv_timer_start(&day->tick, on_tick, TICK_MS, TICK_MS);
    return day;
}

static void on_closed(uv_handle_t *handle)
{
    free_day(handle->data);
}

void demo_day_close(struct demo_day **dayp)
{
    struct demo_day *day = *dayp;
    *dayp = NULL;
    if (day == NULL)
        return;
    day->stopped = true;
    uv_close((uv_handle_t *)&day->tick, on_closed);
}
