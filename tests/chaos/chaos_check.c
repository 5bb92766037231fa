#include "tests/chaos/chaos_check.h"

#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/model/order.h"
#include "engine/store/keys.h"
#include "engine/store/redis.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 60000, ENTRIES_ROOM = 1024, READERS = 64, FROM_BYTES = 64 };

/* More steps than the workers of a run and the engine take on one order. */
#define HISTORY                                                                               \
    "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9", "h10", "h11", "h12", "h13", "h14", "h15", \
        "h16", "h17", "h18", "h19", "h20", "h21", "h22", "h23", "h24"

/* One page of a queue, seen together with the orders' hashes: Redis does nothing else meanwhile, so
 * an order that the engine hands over just then is not mistaken. An entry is good only when it names
 * an order of this community that waits to be accepted, and that order names this entry; else it is
 * stale. -> {id of the last entry of a full page or '', entries, stale ones} */
static const char read_page_lua[] =
    "local queue, from, most = KEYS[1], ARGV[1], tonumber(ARGV[2])\n"
    "local page = redis.call('XRANGE', queue, from, '+', 'COUNT', most)\n"
    "local prefix, community = string.match(queue, '^(jiesu:{([^}]*)}:)q:')\n"
    "local stale = 0\n"
    "for _, entry in ipairs(page) do\n"
    "  local id, own = nil, false\n"
    "  for i = 1, #entry[2], 2 do\n"
    "    if entry[2][i] == 'id' then id = entry[2][i + 1] end\n"
    "  end\n"
    "  local of, ulid = string.match(id or '', '^(.*)%.([^.]*)$')\n"
    "  if ulid and of == community then\n"
    "    local held = redis.call('HMGET', prefix .. 'order:' .. ulid, 'state', 'entries')\n"
    "    local names, pair = ' ' .. (held[2] or '') .. ' ', ' ' .. queue .. ' ' .. entry[1] .. ' "
    "'\n"
    "    own = (held[1] == 'dispatched' or held[1] == 'awaiting_decision') and\n"
    "      string.find(names, pair, 1, true)\n"
    "  end\n"
    "  if not own then stale = stale + 1 end\n"
    "end\n"
    "return {#page == most and page[most][1] or '', #page, stale}\n";

struct check {
    uv_loop_t loop;
    uv_timer_t patience;
    struct redis *redis;
    struct ledger *ledger;
    struct chaos_queues queues;
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
    bool waits;          /* to be accepted */
    size_t named, found; /* of its queue entries, so far */
    char entries[ENTRIES_ROOM];
    struct span rest; /* of the entries, to be looked at */
};

static void read_next(struct reader *reader);
static void read_entry(struct reader *reader);

/* An order that waits stands in each queue that it names, once; one that does not in none. (What stands
 * in a queue and is not named by its order is found from the other side, see read_page.) */
static void on_entry(void *ctx, const struct reply *reply, const struct err *err)
{
    struct reader *reader = ctx;
    struct check *c = reader->check;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY) {
        fail(c, err != NULL ? err->text : "XRANGE");
        mem_free(reader);
        return;
    }
    reader->found += reply_size(reply);
    if (!reader->waits && reply_size(reply) > 0)
        mark(c, &reader->id, LEDGER_TAKEN);
    read_entry(reader);
    ended(c);
}

/* "jiesu:{<community>}:q:<worker>" of any of the worker's queues. */
static struct span worker_of(struct span queue)
{
    static const char *const classes[] = {":urgent", ":special"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (span_ends(queue, span_str(classes[i])))
            return span_sub(queue, 0, queue.len - strlen(classes[i]));
    }
    return queue;
}

/* A worker has an order in one of its queues only. */
static bool named_before(const struct reader *reader, struct span queue)
{
    struct span list = span_of(reader->entries, (size_t)(queue.ptr - reader->entries));
    while (list.len > 0) {
        if (span_eq(worker_of(span_cut(&list, ' ')), worker_of(queue)))
            return true;
    }
    return false;
}

static void read_entry(struct reader *reader)
{
    struct check *c = reader->check;
    if (reader->rest.len == 0) {
        if (reader->waits && reader->named > 0 && reader->found == reader->named)
            mark(c, &reader->id, LEDGER_TAKEN);
        read_next(reader);
        return;
    }
    const struct span queue = span_cut(&reader->rest, ' '), entry = span_cut(&reader->rest, ' ');
    const struct span argv[] = {SPAN("XRANGE"), queue, entry, entry};
    if (named_before(reader, queue))
        mark(c, &reader->id, LEDGER_TAKEN);
    reader->named++;
    c->open++;
    if (redis_command(c->redis, queue, sizeof(argv) / sizeof(argv[0]), argv, on_entry, reader,
                      &c->err) < 0) {
        mem_free(reader);
        finish(c);
    }
}

/* Each step of a worker stands in the history, once; the engine takes its own. */
static void count_steps(struct reader *reader, const struct reply *history, size_t first)
{
    int64_t version = 1;
    for (size_t i = first; i < reply_size(history); i++) {
        const struct span step = reply_span(reply_at(history, i));
        if (step.len == 0)
            continue;
        if (span_find(step, SPAN("\"by\":\"engine\"")) < 0)
            mark(reader->check, &reader->id, LEDGER_STEP);
        version++;
    }
    if (version != reply_integer(reply_at(history, 1)))
        fail(reader->check, "a history that is not as long as its order's version says");
}

/* {state, version, entries, step, ...} */
static void on_order(void *ctx, const struct reply *reply, const struct err *err)
{
    struct reader *reader = ctx;
    struct check *c = reader->check;
    enum order_state state;
    const struct span entries = err == NULL ? reply_span(reply_at(reply, 2)) : SPAN("");
    if (err != NULL || reply_type(reply) != REPLY_ARRAY || entries.len > ENTRIES_ROOM ||
        order_state_parse(reply_span(reply_at(reply, 0)), &state) < 0) {
        fail(c, err != NULL ? err->text : "an order that cannot be read");
        mem_free(reader);
        return;
    }
    mark(c, &reader->id, LEDGER_ORDER);
    reader->waits = state == ORDER_DISPATCHED || state == ORDER_AWAITING;
    if (!reader->waits) /* it was taken from its queues */
        mark(c, &reader->id, LEDGER_TAKEN);
    count_steps(reader, reply, 3);
    if (entries.len > 0)
        memcpy(reader->entries, entries.ptr, entries.len);
    reader->rest = span_of(reader->entries, entries.len);
    reader->named = reader->found = 0;
    read_entry(reader);
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
    const char *const fields[] = {"state", "version", "entries", HISTORY};
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

/* Queues are read from their side, too: a worker's backend that reads them sees each entry, whoever
 * names it. A queue is read a page at a time: it may hold more than one reply may. */
struct page {
    struct check *check;
    struct key queue;
    char from[FROM_BYTES]; /* "-", or "(" and the last id seen */
};

static void read_page(struct page *page);

static void on_page(void *ctx, const struct reply *reply, const struct err *err)
{
    struct page *page = ctx;
    struct check *c = page->check;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY || reply_size(reply) != 3) {
        fail(c, err != NULL ? err->text : "a queue that cannot be read");
        mem_free(page);
        return;
    }
    const struct span last = reply_span(reply_at(reply, 0));
    c->queues.entries += (uint64_t)reply_integer(reply_at(reply, 1));
    c->queues.stale += (uint64_t)reply_integer(reply_at(reply, 2));
    if (last.len > 0) {
        (void)snprintf(page->from, sizeof(page->from), "(%.*s", SPAN_ARG(last));
        read_page(page);
    } else {
        mem_free(page);
    }
    ended(c);
}

static void read_page(struct page *page)
{
    struct check *c = page->check;
    const struct span argv[] = {SPAN("EVAL"),           span_str(read_page_lua), SPAN("1"),
                                key_span(&page->queue), span_str(page->from),    SPAN("1000")};
    c->open++;
    if (redis_command(c->redis, argv[3], sizeof(argv) / sizeof(argv[0]), argv, on_page, page,
                      &c->err) < 0) {
        mem_free(page);
        finish(c);
    }
}

static void read_queue(struct check *c, struct span queue)
{
    struct page *page = mem_zalloc(1, sizeof(*page));
    if (page == NULL || queue.len >= KEY_BYTES) {
        fail(c, "out of memory, or a key that is too long");
        mem_free(page);
        return;
    }
    page->check = c;
    memcpy(page->queue.text, queue.ptr, queue.len);
    page->queue.len = queue.len;
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
        if (key_parse_order(key, &c->orders[c->order_count]) == 0)
            c->order_count++;
        else if (span_find(key, SPAN("}:q:")) >= 0)
            read_queue(c, key);
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

int chaos_check(const char *socket, struct ledger *ledger, struct chaos_queues *queues,
                struct err *err)
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
    *queues = c->queues;
    if (c->err.code == ERR_NONE)
        return 0;
    if (err != NULL)
        *err = c->err;
    return -1;
}
