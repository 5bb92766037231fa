#include "engine/store/events.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/store/keys.h"

#include <stdio.h>

/* Removed by one call: it must not hold Redis up. */
enum { TRIM_STEP = 500, NUMBER_BYTES = 24, CONSUMERS = 64 };

/* A command under way: who is to be told, and of what kind the answer is. */
struct call {
    const char *what;
    union {
        events_got *events;
        events_text *text;
        events_number *number;
        events_trimmed *trimmed;
    } got;
    void *ctx;
    void (*tell)(const struct call *call, const struct reply *reply, const struct err *err);
    enum reply_type type; /* of a good answer */
};

static void on_answer(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct call call = *(struct call *)ctx;
    struct err why;
    mem_free(ctx);
    if (err == NULL && reply_type(reply) != call.type) {
        err_set(&why, ERR_PROTOCOL, "Redis: %s: %.*s", call.what, SPAN_ARG(reply_span(reply)));
        err = &why;
    }
    call.tell(&call, reply, err);
}

static int send_call(struct redis *redis, const struct key *key, size_t argc,
                     const struct span *argv, const struct call *call, struct err *err)
{
    struct call *kept = mem_alloc(sizeof(*kept));
    if (kept == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %s", call->what);
    *kept = *call;
    if (redis_command(redis, key_span(key), argc, argv, on_answer, kept, err) == 0)
        return 0;
    mem_free(kept);
    return -1;
}

/* ---- reading ---- */

/* The first part of the id. */
int64_t events_time(struct span id)
{
    uint64_t ms = 0;
    return span_to_u64(span_cut(&id, '-'), INT64_MAX / 2, &ms) == 0 ? (int64_t)ms : 0;
}

/* The lines of the field `facts`, in the order in which functions.lua writes them. */
enum fact {
    FACT_VERSION,
    FACT_STEP,
    FACT_AT,
    FACT_BY,
    FACT_FROM,
    FACT_TO,
    FACT_WORKER,
    FACT_URGENCY,
    FACT_KIND,
    FACT_GRID,
    FACT_CLASS,
    FACT_SPECIAL,
    FACT_CATEGORY, /* the last one has all that is left */
    FACT_COUNT
};

/* 0 for what is no number: the create of an order that has no time. */
static int64_t number_of(struct span digits)
{
    uint64_t value;
    return span_to_u64(digits, INT64_MAX, &value) == 0 ? (int64_t)value : 0;
}

static void facts_read(struct span facts, struct event *event)
{
    struct span at[FACT_COUNT];
    for (size_t i = 0; i < FACT_CATEGORY; i++)
        at[i] = span_cut(&facts, '\n');
    at[FACT_CATEGORY] = facts;
    event->version = number_of(at[FACT_VERSION]);
    event->step = at[FACT_STEP];
    event->at = number_of(at[FACT_AT]);
    event->by = at[FACT_BY];
    event->from = at[FACT_FROM];
    event->to = at[FACT_TO];
    event->worker = at[FACT_WORKER];
    event->urgency = at[FACT_URGENCY];
    event->kind = at[FACT_KIND];
    event->grid = at[FACT_GRID];
    event->class_name = at[FACT_CLASS];
    event->special = span_eq(at[FACT_SPECIAL], SPAN("1"));
    event->category = at[FACT_CATEGORY];
}

/* An event of an engine before version 5 says each fact in a field of its own. */
static void old_fact(struct event *event, struct span name, struct span value)
{
    const struct {
        struct span name;
        struct span *to;
    } texts[] = {
        {SPAN("step"), &event->step},         {SPAN("by"), &event->by},
        {SPAN("from"), &event->from},         {SPAN("to"), &event->to},
        {SPAN("worker"), &event->worker},     {SPAN("urgency"), &event->urgency},
        {SPAN("category"), &event->category}, {SPAN("kind"), &event->kind},
        {SPAN("grid"), &event->grid},         {SPAN("class"), &event->class_name},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (span_eq(name, texts[i].name))
            *texts[i].to = value;
    }
    if (span_eq(name, SPAN("version")))
        event->version = number_of(value);
    else if (span_eq(name, SPAN("at")))
        event->at = number_of(value);
    else if (span_eq(name, SPAN("special")))
        event->special = span_eq(value, SPAN("1"));
}

void event_read(const struct reply *entry, struct event *event)
{
    const struct reply *fields = reply_at(entry, 1);
    *event = (struct event){.id = reply_span(reply_at(entry, 0))};
    for (size_t i = 0; fields != NULL && i + 1 < reply_size(fields); i += 2) {
        const struct span name = reply_span(reply_at(fields, i));
        const struct span value = reply_span(reply_at(fields, i + 1));
        if (span_eq(name, SPAN("order")))
            event->order = value;
        else if (span_eq(name, SPAN("entry")))
            event->entry = value;
        else if (span_eq(name, SPAN("facts")))
            facts_read(value, event);
        else
            old_fact(event, name, value);
    }
}

static void tell_events(const struct call *call, const struct reply *reply, const struct err *err)
{
    const size_t count = err == NULL ? reply_size(reply) : 0;
    struct event *events = err == NULL ? mem_alloc((count + 1) * sizeof(*events)) : NULL;
    struct err why;
    if (err == NULL && events == NULL) {
        err_set(&why, ERR_NOMEM, "no memory for %zu events", count);
        err = &why;
    }
    if (err != NULL) {
        call->got.events(call->ctx, NULL, 0, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        event_read(reply_at(reply, i), &events[i]);
    call->got.events(call->ctx, events, count, NULL);
    mem_free(events);
}

int events_read(struct redis *redis, struct span community, struct span after, size_t most,
                events_got *got, void *ctx, struct err *err)
{
    char from[EVENTS_ID_BYTES + 1], number[NUMBER_BYTES];
    const struct key key = key_events(community);
    CHECK(after.len < EVENTS_ID_BYTES && most > 0 && most <= LIMIT_EVENTS_PAGE);
    snprintf(from, sizeof(from), "(%.*s", SPAN_ARG(after));
    snprintf(number, sizeof(number), "%zu", most);
    const struct span argv[] = {SPAN("XRANGE"), key_span(&key), span_str(from),
                                SPAN("+"),      SPAN("COUNT"),  span_str(number)};
    const struct call call = {.what = "events of a community",
                              .got.events = got,
                              .ctx = ctx,
                              .tell = tell_events,
                              .type = REPLY_ARRAY};
    return send_call(redis, &key, sizeof(argv) / sizeof(argv[0]), argv, &call, err);
}

/* ---- cursors and leases ---- */

static void tell_text(const struct call *call, const struct reply *reply, const struct err *err)
{
    call->got.text(call->ctx, err == NULL ? reply_span(reply) : span_of(NULL, 0), err);
}

static void tell_number(const struct call *call, const struct reply *reply, const struct err *err)
{
    call->got.number(call->ctx, err == NULL ? reply_integer(reply) : 0, err);
}

int events_cursor(struct redis *redis, struct span community, struct span consumer, bool from_start,
                  events_text *got, void *ctx, struct err *err)
{
    const struct key cursors = key_cursors(community), events = key_events(community);
    const struct span argv[] = {SPAN("FCALL"),
                                SPAN("jiesu_cursor"),
                                SPAN("2"),
                                key_span(&cursors),
                                key_span(&events),
                                consumer,
                                from_start ? SPAN(EVENTS_START) : SPAN("$")};
    const struct call call = {.what = "cursor of the events",
                              .got.text = got,
                              .ctx = ctx,
                              .tell = tell_text,
                              .type = REPLY_STRING};
    return send_call(redis, &cursors, sizeof(argv) / sizeof(argv[0]), argv, &call, err);
}

/* A function on one key that answers a number. */
static int call_number(struct redis *redis, struct span function, const struct key *key,
                       size_t count, const struct span *args, events_number *got, void *ctx,
                       struct err *err)
{
    struct span argv[4 + CONSUMERS] = {SPAN("FCALL"), function, SPAN("1"), key_span(key)};
    if (count > CONSUMERS)
        return err_set(err, ERR_LIMIT, "more than %d consumers of events", CONSUMERS);
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = args[i];
    const struct call call = {.what = "bookkeeping of the events",
                              .got.number = got,
                              .ctx = ctx,
                              .tell = tell_number,
                              .type = REPLY_INTEGER};
    return send_call(redis, key, 4 + count, argv, &call, err);
}

int events_move(struct redis *redis, struct span community, struct span consumer, struct span from,
                struct span to, events_number *got, void *ctx, struct err *err)
{
    const struct key key = key_cursors(community);
    const struct span args[] = {consumer, from, to};
    return call_number(redis, SPAN("jiesu_move"), &key, 3, args, got, ctx, err);
}

int events_keep_consumers(struct redis *redis, struct span community, const struct span *consumers,
                          size_t count, events_number *got, void *ctx, struct err *err)
{
    const struct key key = key_cursors(community);
    return call_number(redis, SPAN("jiesu_consumers"), &key, count, consumers, got, ctx, err);
}

static int call_lease(struct redis *redis, struct span community, struct span consumer,
                      struct span engine, int64_t ms, events_number *got, void *ctx,
                      struct err *err)
{
    char number[NUMBER_BYTES];
    const struct key key = key_lease(community, consumer);
    snprintf(number, sizeof(number), "%lld", (long long)ms);
    const struct span args[] = {engine, span_str(number)};
    return call_number(redis, SPAN("jiesu_lease"), &key, 2, args, got, ctx, err);
}

int events_lease(struct redis *redis, struct span community, struct span consumer,
                 struct span engine, events_number *got, void *ctx, struct err *err)
{
    return call_lease(redis, community, consumer, engine, LIMIT_EVENTS_LEASE_MS, got, ctx, err);
}

int events_release(struct redis *redis, struct span community, struct span consumer,
                   struct span engine, events_number *got, void *ctx, struct err *err)
{
    return call_lease(redis, community, consumer, engine, 0, got, ctx, err);
}

/* ---- trimming ---- */

static void tell_trimmed(const struct call *call, const struct reply *reply, const struct err *err)
{
    call->got.trimmed(call->ctx, err == NULL ? reply_integer(reply_at(reply, 0)) : 0,
                      err == NULL ? reply_integer(reply_at(reply, 1)) : 0, err);
}

int events_trim(struct redis *redis, struct span community, size_t kept, events_trimmed *got,
                void *ctx, struct err *err)
{
    char keep[NUMBER_BYTES], most[NUMBER_BYTES];
    const struct key events = key_events(community), cursors = key_cursors(community);
    snprintf(keep, sizeof(keep), "%zu", kept);
    snprintf(most, sizeof(most), "%d", TRIM_STEP);
    const struct span argv[] = {SPAN("FCALL"),     SPAN("jiesu_trim"), SPAN("2"),
                                key_span(&events), key_span(&cursors), span_str(keep),
                                span_str(most)};
    const struct call call = {.what = "trimming the events",
                              .got.trimmed = got,
                              .ctx = ctx,
                              .tell = tell_trimmed,
                              .type = REPLY_ARRAY};
    return send_call(redis, &events, sizeof(argv) / sizeof(argv[0]), argv, &call, err);
}
