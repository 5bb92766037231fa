#include "engine/store/letters.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/store/keys.h"

#include <stdio.h>

enum { NUMBER_BYTES = 24, CONSUMER_BYTES = 64 };

/* A command under way: who is to be told, and of what kind a good answer is. */
struct call {
    union {
        events_text *text;
        events_number *number;
        letters_got *letters;
        letters_marked *marked;
        letters_stated *stated;
    } got;
    void *ctx;
    void (*tell)(const struct call *call, const struct reply *reply, const struct err *err);
    enum reply_type type;
};

static void on_answer(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct call call = *(struct call *)ctx;
    struct err why;
    mem_free(ctx);
    if (err == NULL && reply_type(reply) != call.type) {
        (void)err_set(&why, ERR_PROTOCOL, "Redis: dead letters: %.*s", SPAN_ARG(reply_span(reply)));
        err = &why;
    }
    call.tell(&call, reply, err);
}

static int send_call(struct redis *redis, const struct key *key, size_t argc,
                     const struct span *argv, const struct call *call, struct err *err)
{
    struct call *kept = mem_alloc(sizeof *kept);
    if (kept == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the dead letters");
    *kept = *call;
    if (redis_command(redis, key_span(key), argc, argv, on_answer, kept, err) == 0)
        return 0;
    mem_free(kept);
    return -1;
}

static void tell_text(const struct call *call, const struct reply *reply, const struct err *err)
{
    call->got.text(call->ctx, err == NULL ? reply_span(reply) : SPAN(""), err);
}

static void tell_number(const struct call *call, const struct reply *reply, const struct err *err)
{
    call->got.number(call->ctx, err == NULL ? reply_integer(reply) : 0, err);
}

static struct call number_call(events_number *got, void *ctx)
{
    return (struct call){.got.number = got, .ctx = ctx, .tell = tell_number, .type = REPLY_INTEGER};
}

static struct span number(char out[NUMBER_BYTES], int64_t n)
{
    (void)snprintf(out, NUMBER_BYTES, "%lld", (long long)n);
    return span_str(out);
}

static struct span consumer(char out[CONSUMER_BYTES], struct span hook)
{
    (void)snprintf(out, CONSUMER_BYTES, "hook:%.*s", SPAN_ARG(hook));
    return span_str(out);
}

int letters_begin(struct redis *redis, struct span community, struct span hook, int64_t age_ms,
                  events_text *got, void *ctx, struct err *err)
{
    char age[NUMBER_BYTES], who[CONSUMER_BYTES];
    const struct key key = key_cursors(community);
    const struct span argv[] = {SPAN("FCALL"),  SPAN("jiesu_hook_begin"), SPAN("1"),
                                key_span(&key), consumer(who, hook),      number(age, age_ms)};
    const struct call call = {.got.text = got, .ctx = ctx, .tell = tell_text, .type = REPLY_STRING};
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

int letters_end(struct redis *redis, struct span community, struct span hook, events_number *got,
                void *ctx, struct err *err)
{
    char who[CONSUMER_BYTES];
    const struct key key = key_cursors(community);
    const struct span argv[] = {SPAN("HDEL"), key_span(&key), consumer(who, hook)};
    const struct call call = {
        .got.number = got, .ctx = ctx, .tell = tell_number, .type = REPLY_INTEGER};
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

/* ---- in and out ---- */

int letters_bury(struct redis *redis, struct span community, struct span hook,
                 const struct letter *letter, bool force, events_number *got, void *ctx,
                 struct err *err)
{
    char most[NUMBER_BYTES], version[NUMBER_BYTES], attempts[NUMBER_BYTES], at[NUMBER_BYTES];
    const struct key dead = key_dead(community, hook), orders = key_dead_orders(community, hook);
    const struct span argv[] = {SPAN("FCALL"),
                                SPAN("jiesu_bury"),
                                SPAN("2"),
                                key_span(&dead),
                                key_span(&orders),
                                number(most, LIMIT_HOOK_DEAD),
                                force ? SPAN("1") : SPAN("0"),
                                letter->order,
                                number(version, letter->version),
                                SPAN("event"),
                                letter->event,
                                SPAN("order"),
                                letter->order,
                                SPAN("version"),
                                span_str(version),
                                SPAN("body"),
                                letter->body,
                                SPAN("reason"),
                                letter->reason,
                                SPAN("attempts"),
                                number(attempts, letter->attempts),
                                SPAN("at"),
                                number(at, letter->at)};
    const struct call call = number_call(got, ctx);
    return send_call(redis, &dead, sizeof argv / sizeof *argv, argv, &call, err);
}

int letters_remove(struct redis *redis, struct span community, struct span hook, struct span order,
                   struct span id, events_number *got, void *ctx, struct err *err)
{
    const struct key dead = key_dead(community, hook), orders = key_dead_orders(community, hook),
                     marks = key_dead_replay(community, hook);
    const struct span argv[] = {SPAN("FCALL"),     SPAN("jiesu_unbury"), SPAN("3"), key_span(&dead),
                                key_span(&orders), key_span(&marks),     order,     id};
    const struct call call = number_call(got, ctx);
    return send_call(redis, &dead, sizeof argv / sizeof *argv, argv, &call, err);
}

static struct letter read_letter(const struct reply *entry)
{
    struct letter letter = {.id = reply_span(reply_at(entry, 0))};
    const struct reply *fields = reply_at(entry, 1);
    for (size_t i = 0; fields != NULL && i + 1 < reply_size(fields); i += 2) {
        const struct span name = reply_span(reply_at(fields, i));
        const struct reply *value = reply_at(fields, i + 1);
        if (span_eq(name, SPAN("event")))
            letter.event = reply_span(value);
        else if (span_eq(name, SPAN("order")))
            letter.order = reply_span(value);
        else if (span_eq(name, SPAN("version")))
            letter.version = reply_integer(value);
        else if (span_eq(name, SPAN("body")))
            letter.body = reply_span(value);
        else if (span_eq(name, SPAN("reason")))
            letter.reason = reply_span(value);
        else if (span_eq(name, SPAN("attempts")))
            letter.attempts = reply_integer(value);
        else if (span_eq(name, SPAN("at")))
            letter.at = reply_integer(value);
    }
    return letter;
}

static void tell_letters(const struct call *call, const struct reply *reply, const struct err *err)
{
    const size_t count = err == NULL ? reply_size(reply) : 0;
    struct err why;
    struct letter *letters = mem_alloc((count + 1) * sizeof *letters);
    if (letters == NULL && err == NULL) {
        (void)err_set(&why, ERR_NOMEM, "no memory for %zu dead letters", count);
        err = &why;
    }
    for (size_t i = 0; letters != NULL && i < count; i++)
        letters[i] = read_letter(reply_at(reply, i));
    call->got.letters(call->ctx, letters, err == NULL ? count : 0, err);
    mem_free(letters);
}

int letters_read(struct redis *redis, struct span community, struct span hook, struct span after,
                 size_t most, letters_got *got, void *ctx, struct err *err)
{
    char from[EVENTS_ID_BYTES + 1], count[NUMBER_BYTES];
    const struct key key = key_dead(community, hook);
    CHECK(after.len < EVENTS_ID_BYTES);
    (void)snprintf(from, sizeof from, "(%.*s", SPAN_ARG(after));
    const struct span argv[] = {SPAN("XRANGE"), key_span(&key), span_str(from),
                                SPAN("+"),      SPAN("COUNT"),  number(count, (int64_t)most)};
    const struct call call = {
        .got.letters = got, .ctx = ctx, .tell = tell_letters, .type = REPLY_ARRAY};
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

/* ---- marks ---- */

int letters_replay(struct redis *redis, struct span community, struct span hook, struct span order,
                   events_number *got, void *ctx, struct err *err)
{
    const struct key orders = key_dead_orders(community, hook),
                     marks = key_dead_replay(community, hook);
    const struct span argv[] = {SPAN("FCALL"),     SPAN("jiesu_hook_replay"), SPAN("2"),
                                key_span(&orders), key_span(&marks),          order};
    const struct call call = number_call(got, ctx);
    return send_call(redis, &orders, sizeof argv / sizeof *argv, argv, &call, err);
}

static void tell_marked(const struct call *call, const struct reply *reply, const struct err *err)
{
    const size_t count = err == NULL ? reply_size(reply) : 0;
    struct err why;
    struct span *orders = mem_alloc((count + 1) * sizeof *orders);
    if (orders == NULL && err == NULL) {
        (void)err_set(&why, ERR_NOMEM, "no memory for %zu complaints", count);
        err = &why;
    }
    for (size_t i = 0; orders != NULL && i < count; i++)
        orders[i] = reply_span(reply_at(reply, i));
    call->got.marked(call->ctx, orders, err == NULL ? count : 0, err);
    mem_free(orders);
}

int letters_marks(struct redis *redis, struct span community, struct span hook, size_t most,
                  letters_marked *got, void *ctx, struct err *err)
{
    char count[NUMBER_BYTES];
    const struct key key = key_dead_replay(community, hook);
    const struct span argv[] = {SPAN("SRANDMEMBER"), key_span(&key), number(count, (int64_t)most)};
    const struct call call = {
        .got.marked = got, .ctx = ctx, .tell = tell_marked, .type = REPLY_ARRAY};
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

int letters_unmark(struct redis *redis, struct span community, struct span hook, struct span order,
                   events_number *got, void *ctx, struct err *err)
{
    const struct key key = key_dead_replay(community, hook);
    const struct span argv[] = {SPAN("SREM"), key_span(&key), order};
    const struct call call = number_call(got, ctx);
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

/* ---- state ---- */

int letters_tell(struct redis *redis, struct span community, struct span hook, struct span json,
                 events_text *got, void *ctx, struct err *err)
{
    char ms[NUMBER_BYTES];
    const struct key key = key_hook(community, hook);
    const struct span argv[] = {SPAN("SET"), key_span(&key), json, SPAN("PX"),
                                number(ms, LIMIT_HOOK_STATE_MS)};
    const struct call call = {.got.text = got, .ctx = ctx, .tell = tell_text, .type = REPLY_STATUS};
    return send_call(redis, &key, sizeof argv / sizeof *argv, argv, &call, err);
}

static void tell_state(const struct call *call, const struct reply *reply, const struct err *err)
{
    struct letters_state state = {.letters = 0};
    if (err == NULL) {
        state.json = reply_span(reply_at(reply, 0));
        state.letters = reply_integer(reply_at(reply, 1));
        state.complaints = reply_integer(reply_at(reply, 2));
        state.marked = reply_integer(reply_at(reply, 3));
        state.newest = reply_span(reply_at(reply, 4));
        state.cursor = reply_span(reply_at(reply, 5));
        state.engine = reply_span(reply_at(reply, 6));
    }
    call->got.stated(call->ctx, &state, err);
}

int letters_state(struct redis *redis, struct span community, struct span hook, letters_stated *got,
                  void *ctx, struct err *err)
{
    char who[CONSUMER_BYTES];
    const struct span name = consumer(who, hook);
    const struct key state = key_hook(community, hook), dead = key_dead(community, hook),
                     orders = key_dead_orders(community, hook),
                     marks = key_dead_replay(community, hook), events = key_events(community),
                     cursors = key_cursors(community), lease = key_lease(community, name);
    const struct span argv[] = {SPAN("FCALL"),
                                SPAN("jiesu_hook_state"),
                                SPAN("7"),
                                key_span(&state),
                                key_span(&dead),
                                key_span(&orders),
                                key_span(&marks),
                                key_span(&events),
                                key_span(&cursors),
                                key_span(&lease),
                                name};
    const struct call call = {
        .got.stated = got, .ctx = ctx, .tell = tell_state, .type = REPLY_ARRAY};
    return send_call(redis, &state, sizeof argv / sizeof *argv, argv, &call, err);
}
