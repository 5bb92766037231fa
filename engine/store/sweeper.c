/*
 * A timer asks for what is due in each community (jiesu_due), unless the last answer is still being dealt
 * with. The answer holds what must be known of each order, so a look costs one more command: jiesu_defer when
 * nothing is to be done yet, or a step. When a full answer has been dealt with the next is asked for at once; so
 * the timer bounds how late a look may be, not how many there are.
 *
 * Time here is clock_now_ms, which may run fast in a demonstration; only the timer is real.
 */
#include "engine/store/sweeper.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/model/watch.h"
#include "engine/store/keys.h"
#include "engine/store/order_life.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER_BYTES = 24, STEP_ID_BYTES = 32, DUE_ARGS = 7 + ORDER_LIFE_FIELDS };

/* A community, or a street for its triage. They stay once they are known: what left the directory may still have
 * open orders. */
struct area {
    struct sweeper *sweeper;
    char name[ID_COMMUNITY_BYTES + 1];
    bool wanted, asking; /* what is due there is to be asked for, or has been */
    size_t looks;        /* under way */
    int64_t due;         /* due and not taken, at the last answer */
};

/* One order that was due. */
struct look {
    struct look *prev, *next;
    struct area *area;
    struct id id;
    int64_t version, due;
    enum order_step step;
    struct ticket *ticket;
};

struct sweeper {
    struct sweeper_options options;
    struct redis *redis;
    struct mailbox *mailbox;
    uv_timer_t timer;
    struct policy *seen; /* whose areas are known */
    struct area **areas;
    size_t area_count, next; /* the area to be asked for next */
    size_t asked;            /* for so many of them an answer is to come */
    struct look looks;       /* a ring of those under way */
    size_t look_count;
    char step_id[STEP_ID_BYTES]; /* of the step that is being made, like all this */
    struct buf note, tell, scratch;
    bool stopped, behind;
};

static void ask_on(struct sweeper *s);

/* ---- looks ---- */

static struct look *look_begin(struct area *area, const struct id *id, int64_t due)
{
    struct sweeper *s = area->sweeper;
    struct look *look = mem_alloc(sizeof(*look));
    if (look == NULL)
        return NULL; /* it is due again when the claim is over */
    *look = (struct look){
        .prev = &s->looks, .next = s->looks.next, .area = area, .id = *id, .due = due};
    look->next->prev = look;
    s->looks.next = look;
    area->looks++;
    s->look_count++;
    metric_add(METRIC_SWEEP_FLIGHT, 1);
    return look;
}

static void look_free(struct look *look)
{
    struct sweeper *s = look->area->sweeper;
    look->prev->next = look->next;
    look->next->prev = look->prev;
    look->area->looks--;
    s->look_count--;
    metric_add(METRIC_SWEEP_FLIGHT, -1);
    mem_free(look);
}

static void look_end(struct look *look)
{
    struct area *area = look->area;
    look_free(look);
    if (area->looks == 0)
        ask_on(area->sweeper);
}

/* Nothing more is known here: it is due again when the claim is over. */
static void on_deferred(void *ctx, const struct reply *reply, const struct err *err)
{
    struct look *look = ctx;
    if (err == NULL && reply_type(reply) == REPLY_ERROR)
        log_write(LOG_ERROR, "sweeper", "defer_refused", LOG_STR("order", look->id.text),
                  LOG_SPAN("error", reply_span(reply)));
    look_end(look);
}

/* The next look is at that time (0: never), if the order is still as it was seen; else at once. */
static void defer(struct look *look, int64_t at)
{
    struct sweeper *s = look->area->sweeper;
    char version[NUMBER_BYTES], when[NUMBER_BYTES] = "", now[NUMBER_BYTES];
    const struct key order = key_order(&look->id), due = key_due(id_community(&look->id));
    (void)snprintf(version, sizeof(version), "%lld", (long long)look->version);
    (void)snprintf(now, sizeof(now), "%lld", (long long)clock_now_ms());
    if (at != 0)
        (void)snprintf(when, sizeof(when), "%lld", (long long)at);
    const struct span argv[] = {SPAN("FCALL"),     SPAN("jiesu_defer"), SPAN("2"),
                                key_span(&order),  key_span(&due),      id_ulid(&look->id),
                                span_str(version), span_str(when),      span_str(now)};
    if (redis_command(s->redis, key_span(&order), sizeof(argv) / sizeof(argv[0]), argv, on_deferred,
                      look, NULL) < 0)
        look_end(look);
}

/* ---- steps ---- */

static enum metric metric_of(enum order_step step)
{
    switch (step) {
    case STEP_CLOSE:
        return METRIC_SWEEP_CLOSE;
    case STEP_HAND_OVER:
        return METRIC_SWEEP_HAND_OVER;
    case STEP_ESCALATE:
        return METRIC_SWEEP_ESCALATE;
    case STEP_RECLOCK:
        return METRIC_SWEEP_RECLOCK;
    default:
        return METRIC_SWEEP_WARN;
    }
}

static void on_settled(void *ctx, const struct outcome *outcome)
{
    struct look *look = ctx;
    ticket_release(&look->ticket);
    switch (outcome->code) {
    case OUTCOME_DONE: {
        const int64_t late = clock_now_ms() - look->due;
        metric_add(metric_of(look->step), 1);
        metric_time(METRIC_HIST_SWEEP, late > 0 ? (uint64_t)late * 1000000 : 0);
        look_end(look);
        break;
    }
    case OUTCOME_CONFLICT:
        metric_add(METRIC_SWEEP_MISSED, 1);
        /* It has changed, and is due now; were it not, it must come again all the same. */
        defer(look, clock_now_ms() + clock_stretch_ms(LIMIT_SWEEP_CLAIM_MS));
        break;
    case OUTCOME_REPLAYED:
        metric_add(METRIC_SWEEP_MISSED, 1);
        look_end(look);
        break;
    default:
        log_write(LOG_ERROR, "sweeper", "step_failed", LOG_STR("order", look->id.text),
                  LOG_STR("step", order_step_name(look->step)), LOG_INT("outcome", outcome->code));
        look_end(look);
        break;
    }
}

/* What watch_step decided, as a record. Its parts are in the sweeper's buffers. 0, or -1. */
static int make_record(struct sweeper *s, const struct watch_order *order,
                       const struct policy *policy, const struct life_step *step,
                       struct record *record)
{
    struct watch_order after = *order;
    struct life_step taken = *step;
    struct span told[WATCH_TELL_MOST];
    const enum life_answer answer =
        life_take(&after.life, process_numbers(policy_process(policy)), &taken);
    if (answer != LIFE_TAKEN) {
        log_write(LOG_ERROR, "sweeper", "step_not_allowed", LOG_STR("order", order->id.text),
                  LOG_STR("step", order_step_name(step->step)),
                  LOG_STR("error", life_answer_name(answer)));
        return -1;
    }
    buf_clear(&s->note);
    buf_clear(&s->tell);
    buf_clear(&s->scratch);
    s->options.write_note(step, &s->note);
    const size_t count = watch_tell(step, order, policy, told);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(&s->tell, ' ');
        buf_span(&s->tell, told[i]);
    }
    (void)snprintf(s->step_id, sizeof(s->step_id), "e%lld", (long long)order->life.version);
    const struct record_step what = {.id = &order->id,
                                     .step_id = span_str(s->step_id),
                                     .step = step,
                                     .note = buf_view(&s->note),
                                     .tell = buf_view(&s->tell),
                                     .due_at = watch_next(&after, policy, step->at)};
    return buf_ok(&s->note) && buf_ok(&s->tell) ? record_step(record, &what, &s->scratch) : -1;
}

static void take(struct look *look, const struct watch_order *order, const struct policy *policy,
                 const struct life_step *step)
{
    struct sweeper *s = look->area->sweeper;
    struct record record;
    look->step = step->step;
    if (make_record(s, order, policy, step, &record) < 0 ||
        dispatcher_submit(s->options.dispatcher, s->mailbox, &record, on_settled, look,
                          &look->ticket, NULL) < 0)
        look_end(look);
}

/* ---- what is due ---- */

static int64_t number(const struct reply *reply)
{
    return reply == NULL ? 0 : reply_integer(reply);
}

/* {ulid, due, {value, ...}} */
static int read_order(const struct area *area, const struct reply *item, struct watch_order *order)
{
    struct span values[ORDER_LIFE_FIELDS];
    struct id id;
    char text[ID_BYTES + 1];
    if (reply_size(item) != 3 || reply_size(reply_at(item, 2)) != ORDER_LIFE_FIELDS)
        return -1;
    for (size_t i = 0; i < ORDER_LIFE_FIELDS; i++)
        values[i] = reply_span(reply_at(reply_at(item, 2), i));
    const int len = snprintf(text, sizeof(text), "%s.%.*s", area->name,
                             SPAN_ARG(reply_span(reply_at(item, 0))));
    if (len < 0 || (size_t)len >= sizeof(text) || id_parse(span_of(text, (size_t)len), &id) < 0)
        return -1;
    return order_life_read(&id, values, order);
}

static void look_at(struct area *area, const struct reply *item, const struct policy *policy,
                    int64_t now)
{
    struct watch_order order;
    struct life_step step;
    metric_add(METRIC_SWEEP_LOOKS, 1);
    if (read_order(area, item, &order) < 0) {
        log_write(LOG_ERROR, "sweeper", "order_not_understood", LOG_STR("community", area->name),
                  LOG_SPAN("order", reply_span(reply_at(item, 0))));
        return;
    }
    struct look *look = look_begin(area, &order.id, number(reply_at(item, 1)));
    if (look == NULL)
        return;
    look->version = order.life.version;
    if (watch_step(&order, policy, now, &step) == 1)
        take(look, &order, policy, &step);
    else
        defer(look, watch_next(&order, policy, now));
}

/* Tells operations once when it begins to be behind, and when it is no more. */
static void note_behind(struct sweeper *s, const struct area *area, int64_t late)
{
    const bool behind = late > clock_stretch_ms(LIMIT_SWEEP_BEHIND_MS);
    if (behind && !s->behind)
        log_write(LOG_WARN, "sweeper", "behind", LOG_STR("community", area->name),
                  LOG_INT("late_ms", late), LOG_INT("orders", area->due));
    if (behind)
        s->behind = true;
}

static void note_due(struct sweeper *s)
{
    int64_t due = 0;
    for (size_t i = 0; i < s->area_count; i++)
        due += s->areas[i]->due;
    metric_set(METRIC_SWEEP_DUE, due);
    if (s->behind && due == 0) {
        log_write(LOG_INFO, "sweeper", "caught_up");
        s->behind = false;
    }
}

/* {count, order, ...} */
static void on_due(void *ctx, const struct reply *reply, const struct err *err)
{
    struct area *area = ctx;
    struct sweeper *s = area->sweeper;
    area->asking = false;
    s->asked--;
    if (err != NULL)
        return;
    if (reply_type(reply) != REPLY_ARRAY || reply_size(reply) == 0) {
        log_write(LOG_ERROR, "sweeper", "reply_not_understood", LOG_STR("community", area->name),
                  LOG_SPAN("error", reply_span(reply)));
        return;
    }
    const size_t count = reply_size(reply) - 1;
    const int64_t now = clock_now_ms(), waiting = number(reply_at(reply, 0)) - (int64_t)count;
    struct policy *policy = s->options.policy(s->options.ctx);
    area->due = waiting > 0 ? waiting : 0;
    area->wanted = area->due > 0;
    if (count > 0)
        note_behind(s, area, now - number(reply_at(reply_at(reply, 1), 1)));
    area->looks++; /* so that none of them is the last before all have begun */
    for (size_t i = 1; i <= count; i++)
        look_at(area, reply_at(reply, i), policy, now);
    area->looks--;
    policy_unref(&policy);
    ask_on(s);
}

static void ask(struct area *area)
{
    struct sweeper *s = area->sweeper;
    char now[NUMBER_BYTES], until[NUMBER_BYTES], most[NUMBER_BYTES];
    const int64_t at = clock_now_ms(), claimed = at + clock_stretch_ms(LIMIT_SWEEP_CLAIM_MS);
    const struct key due = key_due(span_str(area->name));
    (void)snprintf(now, sizeof(now), "%lld", (long long)at);
    (void)snprintf(until, sizeof(until), "%lld", (long long)claimed);
    (void)snprintf(most, sizeof(most), "%d", LIMIT_SWEEP_BATCH);
    struct span argv[DUE_ARGS] = {SPAN("FCALL"), SPAN("jiesu_due"), SPAN("1"),     key_span(&due),
                                  span_str(now), span_str(until),   span_str(most)};
    for (size_t i = 0; i < ORDER_LIFE_FIELDS; i++)
        argv[DUE_ARGS - ORDER_LIFE_FIELDS + i] = order_life_field(i);
    if (redis_command(s->redis, key_span(&due), DUE_ARGS, argv, on_due, area, NULL) < 0)
        return;
    area->wanted = false;
    area->asking = true;
    s->asked++;
}

/* Asks for what is due in one area after the other, as long as there is room for what they may answer. */
static void ask_on(struct sweeper *s)
{
    for (size_t n = 0; n < s->area_count && !s->stopped; n++) {
        if (s->look_count + (s->asked + 1) * LIMIT_SWEEP_BATCH > LIMIT_SWEEP_FLIGHT)
            return;
        struct area *area = s->areas[s->next];
        s->next = (s->next + 1) % s->area_count;
        if (area->wanted && !area->asking && area->looks == 0)
            ask(area);
    }
}

/* ---- areas ---- */

static bool knows(const struct sweeper *s, struct span name)
{
    for (size_t i = 0; i < s->area_count; i++) {
        if (span_eq(span_str(s->areas[i]->name), name))
            return true;
    }
    return false;
}

/* 0, or -1 when memory is short. */
static int add_area(struct sweeper *s, struct span name)
{
    struct area **areas = mem_resize(s->areas, s->area_count + 1, sizeof(struct area *));
    if (areas == NULL)
        return -1;
    s->areas = areas;
    struct area *area = mem_zalloc(1, sizeof(*area));
    if (area == NULL)
        return -1;
    CHECK(name.len < sizeof(area->name));
    memcpy(area->name, name.ptr, name.len);
    area->sweeper = s;
    s->areas[s->area_count++] = area;
    return 0;
}

/* Another policy may have another directory. */
static void learn_areas(struct sweeper *s)
{
    struct policy *policy = s->options.policy(s->options.ctx);
    int result = 0;
    if (policy != s->seen) {
        const struct directory *directory = policy_directory(policy);
        for (size_t i = 0; i < directory_area_count(directory) && result == 0; i++) {
            struct span area, street;
            directory_area_at(directory, i, &area, &street);
            if (!knows(s, area))
                result = add_area(s, area);
        }
    }
    if (policy == s->seen || result < 0) {
        policy_unref(&policy); /* once more at the next look */
        return;
    }
    policy_unref(&s->seen);
    s->seen = policy;
}

static void on_timer(uv_timer_t *timer)
{
    struct sweeper *s = timer->data;
    if (!redis_ready(s->redis))
        return;
    learn_areas(s);
    for (size_t i = 0; i < s->area_count; i++)
        s->areas[i]->wanted = true;
    ask_on(s);
    note_due(s);
}

/* ---- life ---- */

static void sweeper_free(struct sweeper *s)
{
    for (size_t i = 0; i < s->area_count; i++)
        mem_free(s->areas[i]);
    mem_free(s->areas);
    policy_unref(&s->seen);
    buf_free(&s->note);
    buf_free(&s->tell);
    buf_free(&s->scratch);
    mem_free(s);
}

static void on_closed(uv_handle_t *handle)
{
    sweeper_free(handle->data);
}

struct sweeper *sweeper_new(uv_loop_t *loop, const struct sweeper_options *options, struct err *err)
{
    struct sweeper *s = mem_zalloc(1, sizeof(*s));
    if (s == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for the sweeper");
        return NULL;
    }
    s->options = *options;
    s->looks.prev = s->looks.next = &s->looks;
    const struct redis_options redis = {.target = options->target, .library = options->library};
    s->mailbox = mailbox_new(loop, err);
    if (s->mailbox != NULL)
        s->redis = redis_new(loop, &redis, err);
    if (s->redis == NULL) {
        if (s->mailbox != NULL)
            mailbox_close(&s->mailbox);
        sweeper_free(s);
        return NULL;
    }
    CHECK(uv_timer_init(loop, &s->timer) == 0);
    s->timer.data = s;
    CHECK(uv_timer_start(&s->timer, on_timer, LIMIT_SWEEP_MS, LIMIT_SWEEP_MS) == 0);
    return s;
}

void sweeper_stop(struct sweeper *s)
{
    s->stopped = true;
    (void)uv_timer_stop(&s->timer);
}

void sweeper_close(struct sweeper **sweeper)
{
    struct sweeper *s = *sweeper;
    if (s == NULL)
        return;
    *sweeper = NULL;
    sweeper_stop(s);
    redis_close(&s->redis); /* ends the looks that wait for it */
    while (s->looks.next != &s->looks) {
        struct look *look = s->looks.next;
        ticket_release(&look->ticket);
        look_free(look);
    }
    mailbox_close(&s->mailbox);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}
