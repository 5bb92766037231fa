#include "engine/store/orders.h"

#include "engine/base/mem.h"
#include "engine/store/keys.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- decoding ---- */

/* One entry of the history: field h<version>. */
struct entry {
    uint64_t version;
    struct span json;
};

static void view_set(struct order_view *view, struct span name, const struct reply *value)
{
    const struct {
        const char *name;
        struct span *to;
    } texts[] = {
        {"state", &view->state},     {"worker", &view->worker},       {"grid", &view->grid},
        {"urgency", &view->urgency}, {"kind", &view->kind},           {"category", &view->category},
        {"answer", &view->answer},   {"complaint", &view->complaint},
    };
    if (span_eq(name, SPAN("version")))
        view->version = reply_integer(value);
    else if (span_eq(name, SPAN("created_at")))
        view->created_at = reply_integer(value);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (span_eq(name, span_str(texts[i].name)))
            *texts[i].to = reply_span(value);
}

/* Puts an entry in its place; the oldest goes when there are too many. */
static size_t history_insert(struct entry *history, size_t count, struct entry entry)
{
    size_t at = count;
    while (at > 0 && history[at - 1].version > entry.version)
        at--;
    if (count == ORDERS_HISTORY) {
        if (at == 0)
            return count;
        memmove(&history[0], &history[1], (at - 1) * sizeof(entry));
        history[at - 1] = entry;
        return count;
    }
    memmove(&history[at + 1], &history[at], (count - at) * sizeof(entry));
    history[at] = entry;
    return count + 1;
}

int order_view_read(const struct reply *reply, struct order_view *view)
{
    struct entry history[ORDERS_HISTORY];
    size_t count = 0;
    memset(view, 0, sizeof(*view));
    if (reply_type(reply) != REPLY_ARRAY || reply_size(reply) % 2 != 0)
        return -1;
    if (reply_size(reply) == 0)
        return 0;
    for (size_t i = 0; i + 1 < reply_size(reply); i += 2) {
        struct span name = reply_span(reply_at(reply, i));
        const struct reply *value = reply_at(reply, i + 1);
        struct entry entry = {.json = reply_span(value)};
        if (name.len > 1 && name.ptr[0] == 'h' &&
            span_to_u64(span_sub(name, 1, name.len), INT64_MAX, &entry.version) == 0)
            count = history_insert(history, count, entry);
        else
            view_set(view, name, value);
    }
    view->history_count = count;
    for (size_t i = 0; i < count; i++)
        view->history[i] = history[i].json;
    return view->state.len > 0 && view->version > 0 ? 1 : -1;
}

/* ---- one order ---- */

struct get {
    struct redis *redis;
    struct id id;
    bool aliased; /* id came from an alias: there is not another one behind it */
    orders_got *got;
    void *ctx;
};

static void get_finish(struct get *get, const struct order_view *view, const struct err *err)
{
    orders_got *got = get->got;
    void *ctx = get->ctx;
    mem_free(get);
    got(ctx, view, err);
}

static void get_refused(struct get *get, const char *what, const struct reply *reply)
{
    struct err err;
    struct span text = reply_type(reply) == REPLY_ERROR ? reply_span(reply) : SPAN("strange reply");
    err_set(&err, ERR_PROTOCOL, "Redis: %s: %.*s", what, SPAN_ARG(text));
    get_finish(get, NULL, &err);
}

static int get_ask(struct get *get, redis_done *done, struct span verb, const struct key *key,
                   struct err *err)
{
    struct span argv[] = {verb, key_span(key)};
    return redis_command(get->redis, key_span(key), 2, argv, done, get, err);
}

static void get_hash(void *ctx, const struct reply *reply, const struct err *err);

static void get_alias(void *ctx, const struct reply *reply, const struct err *err)
{
    struct get *get = ctx;
    struct err why;
    if (err != NULL || reply_type(reply) == REPLY_NIL) {
        get_finish(get, NULL, err);
        return;
    }
    if (reply_type(reply) != REPLY_STRING || id_parse(reply_span(reply), &get->id) != 0) {
        get_refused(get, "alias of an order", reply);
        return;
    }
    get->aliased = true;
    struct key key = key_order(&get->id);
    if (get_ask(get, get_hash, SPAN("HGETALL"), &key, &why) != 0)
        get_finish(get, NULL, &why);
}

static void get_hash(void *ctx, const struct reply *reply, const struct err *err)
{
    struct get *get = ctx;
    struct order_view view;
    struct err why;
    if (err != NULL) {
        get_finish(get, NULL, err);
        return;
    }
    int rc = order_view_read(reply, &view);
    if (rc < 0) {
        get_refused(get, "order", reply);
    } else if (rc == 1 || get->aliased) {
        view.id = get->id;
        get_finish(get, rc == 1 ? &view : NULL, NULL);
    } else {
        struct key key = key_alias(&get->id);
        if (get_ask(get, get_alias, SPAN("GET"), &key, &why) != 0)
            get_finish(get, NULL, &why);
    }
}

int orders_get(struct redis *redis, const struct id *id, orders_got *got, void *ctx,
               struct err *err)
{
    struct get *get = mem_alloc(sizeof(*get));
    if (get == NULL)
        return err_set(err, ERR_NOMEM, "no memory to read an order");
    *get = (struct get){.redis = redis, .id = *id, .got = got, .ctx = ctx};
    struct key key = key_order(id);
    if (get_ask(get, get_hash, SPAN("HGETALL"), &key, err) != 0) {
        mem_free(get);
        return -1;
    }
    return 0;
}

/* ---- a worker's queue ---- */

struct queue {
    orders_queue *got;
    void *ctx;
};

static void queue_answered(void *ctx, const struct reply *reply, const struct err *err)
{
    struct queue queue = *(struct queue *)ctx;
    struct err why;
    mem_free(ctx);
    if (err == NULL && reply_type(reply) != REPLY_ARRAY) {
        err_set(&why, ERR_PROTOCOL, "Redis: queue of a worker: %.*s", SPAN_ARG(reply_span(reply)));
        err = &why;
    }
    if (err != NULL) {
        queue.got(queue.ctx, NULL, 0, err);
        return;
    }
    size_t count = reply_size(reply);
    struct span *answers = mem_alloc((count == 0 ? 1 : count) * sizeof(*answers));
    if (answers == NULL) {
        err_set(&why, ERR_NOMEM, "no memory for the queue of a worker");
        queue.got(queue.ctx, NULL, 0, &why);
        return;
    }
    for (size_t i = 0; i < count; i++)
        answers[i] = reply_span(reply_at(reply, i));
    queue.got(queue.ctx, answers, count, NULL);
    mem_free(answers);
}

int orders_read_queue(struct redis *redis, struct span community, struct span worker,
                      unsigned queues, size_t most, orders_queue *got, void *ctx, struct err *err)
{
    char count[24], number[24];
    struct key keys[ORDER_QUEUE_COUNT];
    struct span argv[3 + ORDER_QUEUE_COUNT + 2];
    size_t argc = 3;
    struct queue *queue = mem_alloc(sizeof(*queue));
    if (queue == NULL)
        return err_set(err, ERR_NOMEM, "no memory to read the queue of a worker");
    *queue = (struct queue){got, ctx};
    for (size_t which = ORDER_QUEUE_COUNT; which-- > 0;) {
        if ((queues & 1U << which) == 0)
            continue;
        keys[which] = key_queue(community, worker, (enum order_queue)which);
        argv[argc++] = key_span(&keys[which]);
    }
    snprintf(count, sizeof(count), "%zu", argc - 3);
    snprintf(number, sizeof(number), "%zu", most);
    argv[0] = SPAN("FCALL");
    argv[1] = SPAN("jiesu_queue");
    argv[2] = span_str(count);
    argv[argc++] = worker;
    argv[argc++] = span_str(number);
    if (redis_command(redis, argv[3], argc, argv, queue_answered, queue, err) != 0) {
        mem_free(queue);
        return -1;
    }
    return 0;
}
