#include "tests/chaos/chaos_check.h"

#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/model/order.h"
#include "engine/store/keys.h"
#include "engine/store/redis.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 60000, PAGE = 1000, ENTRY_ID_BYTES = 64, READERS = 64 };

/* More steps than the workers of a run take on one order. */
#define HISTORY "h2", "h3", "h4", "h5", "h6", "h7"

struct check {
    uv_loop_t loop;
    uv_timer_t patience;
    struct redis *redis;
    struct ledger *ledger;
    size_t open; /* commands under way */
    struct id *orders;
    size_t order_count, order_next;
    bool done;
    struct err err;
};

static void finish(struct check *c)
{
    if (c->done)
        return;
    c->done = true;
    uv_stop(&c->loop);
}

static void fail(struct check *c, const char *what)
{
    if (c->err.code == ERR_NONE)
        (void)err_set(&c->err, ERR_PROTOCOL, "%s", what);
    finish(c);
}

static void ended(struct check *c)
{
    if (--c->open == 0)
        finish(c);
}

static void mark(struct check *c, const struct id *id, enum ledger_mark mark)
{
    if (ledger_mark(c->ledger, id_span(id), mark) < 0)
        fail(c, "out of memory");
}

/* Reads orders, one after the other; READERS of them work at a time. */
struct reader {
    struct check *check;
    struct id id;
};

static void read_next(struct reader *reader);

/* What does not wait in a queue was taken from it. Each step stands in the history, once. */
static void on_order(void *ctx, const struct reply *reply, const struct err *err)
{
    struct reader *reader = ctx;
    struct check *c = reader->check;
    enum order_state state;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY ||
        order_state_parse(reply_span(reply_at(reply, 0)), &state) < 0) {
        fail(c, err != NULL ? err->text : "an order that cannot be read");
        mem_free(reader);
        return;
    }
    mark(c, &reader->id, LEDGER_ORDER);
    if (state != ORDER_DISPATCHED && state != ORDER_AWAITING)
        mark(c, &reader->id, LEDGER_TAKEN);
    int64_t version = 1;
    for (size_t i = 2; i < reply_size(reply); i++) {
        if (reply_type(reply_at(reply, i)) == REPLY_NIL)
            continue;
        mark(c, &reader->id, LEDGER_STEP);
        version++;
    }
    if (version != reply_integer(reply_at(reply, 1)))
        fail(c, "a history that is not as long as its order's version says");
    read_next(reader);
    ended(c);
}

static void read_next(struct reader *reader)
{
    struct check *c = reader->check;
    if (c->order_next == c->order_count) {
        mem_free(reader);
        return;
    }
    reader->id = c->orders[c->order_next++];
    const struct key key = key_order(&reader->id);
    const char *const fields[] = {"state", "version", HISTORY};
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    struct span argv[2 + FIELDS] = {SPAN("HMGET"), key_span(&key)};
    for (size_t i = 0; i < FIELDS; i++)
        argv[2 + i] = span_str(fields[i]);
    c->open++;
    if (redis_command(c->redis, argv[1], 2 + FIELDS, argv, on_order, reader, &c->err) < 0) {
        mem_free(reader);
        finish(c);
    }
}

static void read_orders(struct check *c)
{
    for (size_t i = 0; i < READERS && !c->done; i++) {
        struct reader *reader = mem_zalloc(1, sizeof(*reader));
        if (reader == NULL) {
            fail(c, "out of memory");
            return;
        }
        reader->check = c;
        read_next(reader);
    }
}

/* A queue is read a page at a time: it may hold more than one reply may. */
struct page {
    struct check *check;
    struct key key;
    char from[ENTRY_ID_BYTES]; /* "-", or "(" and the last id seen */
};

static void read_page(struct page *page);

static void on_entries(void *ctx, const struct reply *reply, const struct err *err)
{
    struct page *page = ctx;
    struct check *c = page->check;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY) {
        fail(c, err != NULL ? err->text : "XRANGE");
        mem_free(page);
        return;
    }
    const size_t count = reply_size(reply);
    for (size_t i = 0; i < count; i++) {
        const struct reply *fields = reply_at(reply_at(reply, i), 1);
        for (size_t f = 0; f + 1 < reply_size(fields); f += 2) {
            if (span_eq(reply_span(reply_at(fields, f)), SPAN("id")) &&
                ledger_mark(c->ledger, reply_span(reply_at(fields, f + 1)), LEDGER_TAKEN) < 0)
                fail(c, "a queue entry without an order's id");
        }
    }
    if (count == PAGE) {
        (void)snprintf(page->from, sizeof(page->from), "(%.*s",
                       SPAN_ARG(reply_span(reply_at(reply_at(reply, count - 1), 0))));
        read_page(page);
    } else {
        mem_free(page);
    }
    ended(c);
}

static void read_page(struct page *page)
{
    const struct span argv[] = {SPAN("XRANGE"), key_span(&page->key), span_str(page->from),
                                SPAN("+"),      SPAN("COUNT"),        SPAN("1000")};
    page->check->open++;
    if (redis_command(page->check->redis, argv[1], sizeof(argv) / sizeof(argv[0]), argv, on_entries,
                      page, &page->check->err) < 0) {
        mem_free(page);
        finish(page->check);
    }
}

static void read_queue(struct check *c, struct span key)
{
    struct page *page = mem_zalloc(1, sizeof(*page));
    if (page == NULL || key.len >= KEY_BYTES) {
        fail(c, "out of memory, or a key that is too long");
        mem_free(page);
        return;
    }
    page->check = c;
    memcpy(page->key.text, key.ptr, key.len);
    page->key.len = key.len;
    (void)snprintf(page->from, sizeof(page->from), "-");
    read_page(page);
}

static void on_keys(void *ctx, const struct reply *reply, const struct err *err)
{
    struct check *c = ctx;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY) {
        fail(c, err != NULL ? err->text : "KEYS");
        return;
    }
    c->orders = mem_alloc((reply_size(reply) + 1) * sizeof(*c->orders));
    if (c->orders == NULL) {
        fail(c, "out of memory");
        return;
    }
    for (size_t i = 0; i < reply_size(reply); i++) {
        const struct span key = reply_span(reply_at(reply, i));
        if (key_parse_order(key, &c->orders[c->order_count]) == 0) {
            c->order_count++;
        } else if (span_find(key, SPAN("}:q:")) >= 0) {
            read_queue(c, key);
        }
    }
    read_orders(c);
    ended(c);
}

static void on_ready(void *ctx, struct span fingerprint)
{
    struct check *c = ctx;
    const struct span argv[] = {SPAN("KEYS"), SPAN("jiesu:*")};
    (void)fingerprint;
    c->open++;
    if (redis_command(c->redis, argv[1], 2, argv, on_keys, c, &c->err) < 0)
        finish(c);
}

static void on_patience(uv_timer_t *timer)
{
    fail(timer->data, "Redis does not answer the check");
}

int chaos_check(const char *socket, struct ledger *ledger, struct err *err)
{
    static struct check check;
    struct check *c = &check;
    *c = (struct check){.ledger = ledger};
    struct redis_options options = {.on_ready = on_ready, .ctx = c, .command_ms = PATIENCE_MS};
    options.target = (struct redis_target){.unix_socket = true, .count = 1};
    (void)snprintf(options.target.host[0], REDIS_HOST_BYTES, "%s", socket);
    (void)uv_loop_init(&c->loop);
    (void)uv_timer_init(&c->loop, &c->patience);
    c->patience.data = c;
    (void)uv_timer_start(&c->patience, on_patience, PATIENCE_MS, 0);
    c->redis = redis_new(&c->loop, &options, &c->err);
    if (c->redis != NULL) {
        (void)uv_run(&c->loop, UV_RUN_DEFAULT);
        redis_close(&c->redis);
    }
    uv_close((uv_handle_t *)&c->patience, NULL);
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&c->loop);
    mem_free(c->orders);
    if (c->err.code == ERR_NONE)
        return 0;
    if (err != NULL)
        *err = c->err;
    return -1;
}
