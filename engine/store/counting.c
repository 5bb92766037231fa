/*
 * An order's line in its field `counted` is what it has added to the figures so far. The batch takes
 * the difference to what it adds now, for each order, sorts all differences by day, by what they
 * are kept by, row and metric, and adds up those that are alike; so however many orders a batch
 * has, each number in Redis is written once.
 */
#include "engine/store/counting.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/model/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fields that are read of an order, before those of its clocks. */
#define FIELD_TABLE(X)                  \
    X(FIELD_COUNTED, "counted")         \
    X(FIELD_STATE, "state")             \
    X(FIELD_VERSION, "version")         \
    X(FIELD_CREATED_AT, "created_at")   \
    X(FIELD_LAST_AT, "last_at")         \
    X(FIELD_GRID, "grid")               \
    X(FIELD_WORKER, "worker")           \
    X(FIELD_CATEGORY, "category")       \
    X(FIELD_KIND, "kind")               \
    X(FIELD_CLASS, "class")             \
    X(FIELD_STARS, "stars")             \
    X(FIELD_SPECIAL, "special")         \
    X(FIELD_PROVISIONAL, "provisional") \
    X(FIELD_RESTARTED, "start:resolve")

enum field {
#define X(constant, name) constant,
    FIELD_TABLE(X)
#undef X
        FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
#define X(constant, name) [constant] = (name),
    FIELD_TABLE(X)
#undef X
};

enum {
    LOOK_ARGS = 9 + FIELD_COUNT + 2 * CLOCK_COUNT,
    HEAD = 3,       /* of the reply: cursor, next, lag; then the orders */
    FIXED_ARGS = 9, /* of the call, besides orders, keys and numbers */
    NUMBER_BYTES = 24,
    ITEMS_FIRST = 512
};

static struct span consumer(void)
{
    return SPAN("figures");
}

static struct span number(struct arena *arena, int64_t n)
{
    return arena_printf(arena, "%lld", (long long)n);
}

static struct span copy_key(struct arena *arena, struct key key)
{
    return arena_copy(arena, key_span(&key));
}

/* ---- looking ---- */

int counting_look(struct arena *arena, struct span community, int64_t now, struct counting *out)
{
    *out = (struct counting){.key = key_cursors(community)};
    out->argv = arena_zalloc(arena, LOOK_ARGS, sizeof(*out->argv));
    if (out->argv == NULL)
        return -1;
    const struct span head[] = {SPAN("FCALL"),
                                SPAN("jiesu_uncounted"),
                                SPAN("3"),
                                copy_key(arena, key_events(community)),
                                copy_key(arena, key_cursors(community)),
                                copy_key(arena, key_lapse(community)),
                                consumer(),
                                number(arena, now),
                                number(arena, LIMIT_FIGURES_BATCH)};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
        if (head[i].ptr == NULL)
            return -1;
        out->argv[out->argc++] = head[i];
    }
    for (size_t i = 0; i < FIELD_COUNT; i++)
        out->argv[out->argc++] = span_str(field_names[i]);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        out->argv[out->argc++] = span_str(sla_clock_member(c));
        out->argv[out->argc++] = span_str(sla_clock_met_member(c));
    }
    CHECK(out->argc == LOOK_ARGS);
    return 0;
}

/* ---- an order as it was found ---- */

/* The i-th field: the ULID comes first. */
static const struct reply *value(const struct reply *found, size_t i)
{
    return reply_at(found, 1 + i);
}

static void read_clocks(const struct reply *found, struct figures_order *order)
{
    const int64_t last_at = reply_integer(value(found, FIELD_LAST_AT));
    const int64_t restarted = reply_integer(value(found, FIELD_RESTARTED));
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        struct order_clock *clock = &order->clocks[c];
        clock->start = c == CLOCK_RESOLVE && restarted != 0 ? restarted : order->created_at;
        clock->due = reply_integer(value(found, FIELD_COUNT + 2 * (size_t)c));
        clock->met_at = reply_integer(value(found, FIELD_COUNT + 2 * (size_t)c + 1));
    }
    /* What was not met by then stopped when the order was done or cancelled: its last step. */
    int64_t stopped_at = 0;
    if ((1u << order->state & ORDER_DONE) != 0)
        stopped_at = order->clocks[CLOCK_RESOLVE].met_at;
    else if (order->state == ORDER_CANCELLED)
        stopped_at = last_at;
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (order_clock_runs(&order->clocks[c]))
            order->clocks[c].stopped_at = stopped_at;
    }
}

/* 1, 0 when there is no such order any more, -1 when it is none. */
static int read_order(const struct reply *found, struct figures_order *order)
{
    const struct span state = reply_span(value(found, FIELD_STATE));
    if (reply_size(found) != 1 + FIELD_COUNT + 2 * CLOCK_COUNT)
        return -1;
    *order = (struct figures_order){.version = reply_integer(value(found, FIELD_VERSION)),
                                    .created_at = reply_integer(value(found, FIELD_CREATED_AT)),
                                    .grid = reply_span(value(found, FIELD_GRID)),
                                    .worker = reply_span(value(found, FIELD_WORKER)),
                                    .category = reply_span(value(found, FIELD_CATEGORY)),
                                    .kind = reply_span(value(found, FIELD_KIND)),
                                    .class_name = reply_span(value(found, FIELD_CLASS)),
                                    .stars = reply_integer(value(found, FIELD_STARS))};
    if (state.len == 0)
        return 0;
    if (order_state_parse(state, &order->state) < 0)
        return -1;
    order->special = span_eq(reply_span(value(found, FIELD_SPECIAL)), SPAN("1"));
    order->provisional = span_eq(reply_span(value(found, FIELD_PROVISIONAL)), SPAN("1"));
    order->reopened = reply_span(value(found, FIELD_RESTARTED)).len > 0;
    read_clocks(found, order);
    order->responded_at = order->clocks[CLOCK_RESPOND].met_at;
    return 1;
}

/* ---- the batch ---- */

struct sum {
    int32_t day;
    enum figures_by by;
    struct span row;
    unsigned metric;
    int64_t count;
};

/* What is said of one order. */
struct entry {
    struct span key, before, after, lapse;
};

struct batch {
    struct arena *arena;
    struct entry *entries;
    size_t entry_count;
    struct sum *sums;
    size_t sum_count, sum_room;
    struct buf text;
    bool failed;
};

static void add_sum(void *ctx, int32_t day, enum figures_by by, struct span row, unsigned metric,
                    int64_t count)
{
    struct batch *batch = ctx;
    if (batch->sum_count == batch->sum_room) {
        const size_t room = batch->sum_room == 0 ? ITEMS_FIRST : 2 * batch->sum_room;
        struct sum *sums = arena_zalloc(batch->arena, room, sizeof(*sums));
        if (sums == NULL) {
            batch->failed = true;
            return;
        }
        if (batch->sum_count > 0)
            memcpy(sums, batch->sums, batch->sum_count * sizeof(*sums));
        batch->sums = sums;
        batch->sum_room = room;
    }
    batch->sums[batch->sum_count++] = (struct sum){day, by, row, metric, count};
}

/* What was put into the batch's buf, kept. */
static struct span keep_text(struct batch *batch)
{
    const struct span none = {NULL, 0};
    const struct span kept =
        buf_ok(&batch->text) ? arena_copy(batch->arena, buf_view(&batch->text)) : none;
    batch->failed |= kept.ptr == NULL;
    buf_clear(&batch->text);
    return kept;
}

/* What an order has added cannot be taken away when it cannot be read: a newer engine wrote it. */
static void add_order(struct batch *batch, const struct reply *found, struct span community,
                      const struct targets *targets, int64_t now)
{
    struct entry *entry = &batch->entries[batch->entry_count++];
    const struct span before = reply_span(value(found, FIELD_COUNTED));
    struct figures_order order;
    struct figures_part old, new;
    int64_t lapse = 0;
    buf_printf(&batch->text, "jiesu:{%.*s}:order:%.*s", SPAN_ARG(community),
               SPAN_ARG(reply_span(reply_at(found, 0))));
    *entry = (struct entry){.key = keep_text(batch), .before = before, .after = before};
    const int there = read_order(found, &order);
    if (there == 0) {
        entry->after = span_of(NULL, 0);
    } else if (there < 0 || (before.len > 0 && figures_part_read(before, &old) < 0)) {
        log_write(LOG_ERROR, "figures", "unreadable", LOG_SPAN("key", entry->key),
                  LOG_STR("error", "what this order has added to the figures was written by "
                                   "another version of the engine; it is left as it is"));
        batch->entry_count -= before.len == 0;
    } else {
        figures_of(&order, targets, now, &new, &lapse);
        figures_change(before.len > 0 ? &old : NULL, &new, add_sum, batch);
        figures_part_write(&new, &batch->text);
        entry->after = keep_text(batch);
        if (lapse != 0)
            entry->lapse = number(batch->arena, lapse);
    }
}

static int compare_sums(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->by != y->by)
        return x->by < y->by ? -1 : 1;
    const int rows = span_cmp(x->row, y->row);
    if (rows != 0)
        return rows;
    return x->metric == y->metric ? 0 : x->metric < y->metric ? -1 : 1;
}

/* Sorts, and adds up those that are alike. Sums of 0 stay: see add_to of functions.lua. */
static void add_up(struct batch *batch)
{
    size_t kept = 0;
    if (batch->sum_count == 0)
        return;
    qsort(batch->sums, batch->sum_count, sizeof(*batch->sums), compare_sums);
    for (size_t i = 1; i < batch->sum_count; i++) {
        if (compare_sums(&batch->sums[kept], &batch->sums[i]) == 0)
            batch->sums[kept].count += batch->sums[i].count;
        else
            batch->sums[++kept] = batch->sums[i];
    }
    batch->sum_count = kept + 1;
}

/* ---- the call ---- */

static bool same_hash(const struct sum *a, const struct sum *b)
{
    return a->day == b->day && a->by == b->by;
}

static size_t count_hashes(const struct batch *batch)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->sum_count; i++)
        n += i == 0 || !same_hash(&batch->sums[i - 1], &batch->sums[i]);
    return n;
}

static void push(struct batch *batch, struct counting *out, struct span arg)
{
    batch->failed |= arg.ptr == NULL && arg.len > 0;
    out->argv[out->argc++] = arg;
}

static void push_number(struct batch *batch, struct counting *out, int64_t n)
{
    const struct span text = number(batch->arena, n);
    batch->failed |= text.ptr == NULL;
    push(batch, out, text);
}

static void push_stat_key(struct batch *batch, struct counting *out, struct span community,
                          const struct sum *sum)
{
    const struct span by = sum->by == FIGURES_ALL ? SPAN("") : span_str(figures_by_name(sum->by));
    const struct span key = copy_key(batch->arena, key_stat(community, sum->day, by));
    batch->failed |= key.ptr == NULL;
    push(batch, out, key);
}

/* "metric", or "row metric" where there are rows. */
static void push_sum(struct batch *batch, struct counting *out, const struct sum *sum)
{
    if (sum->by != FIGURES_ALL) {
        buf_span(&batch->text, sum->row);
        buf_char(&batch->text, ' ');
    }
    figures_metric_write(sum->metric, &batch->text);
    push(batch, out, keep_text(batch));
    push_number(batch, out, sum->count);
}

/* All sums, each hash's with their number before them. */
static void push_sums(struct batch *batch, struct counting *out)
{
    for (size_t first = 0, last; first < batch->sum_count; first = last) {
        for (last = first + 1; last < batch->sum_count; last++) {
            if (!same_hash(&batch->sums[first], &batch->sums[last]))
                break;
        }
        push_number(batch, out, (int64_t)(last - first));
        for (size_t i = first; i < last; i++)
            push_sum(batch, out, &batch->sums[i]);
    }
}

static int write_call(struct batch *batch, struct span community, const struct reply *found,
                      struct counting *out)
{
    const size_t hashes = count_hashes(batch);
    const size_t most = FIXED_ARGS + 4 * batch->entry_count + 2 * hashes + 2 * batch->sum_count;
    out->argv = arena_zalloc(batch->arena, most, sizeof(*out->argv));
    if (out->argv == NULL)
        return -1;
    push(batch, out, SPAN("FCALL"));
    push(batch, out, SPAN("jiesu_count"));
    push_number(batch, out, (int64_t)(2 + batch->entry_count + hashes));
    push(batch, out, copy_key(batch->arena, key_cursors(community)));
    push(batch, out, copy_key(batch->arena, key_lapse(community)));
    for (size_t i = 0; i < batch->entry_count; i++)
        push(batch, out, batch->entries[i].key);
    for (size_t i = 0; i < batch->sum_count; i++) {
        if (i == 0 || !same_hash(&batch->sums[i - 1], &batch->sums[i]))
            push_stat_key(batch, out, community, &batch->sums[i]);
    }
    push(batch, out, consumer());
    push(batch, out, reply_span(reply_at(found, 0)));
    push(batch, out, reply_span(reply_at(found, 1)));
    push_number(batch, out, (int64_t)batch->entry_count);
    for (size_t i = 0; i < batch->entry_count; i++) {
        push(batch, out, batch->entries[i].before);
        push(batch, out, batch->entries[i].after);
        push(batch, out, batch->entries[i].lapse);
    }
    push_sums(batch, out);
    CHECK(out->argc == most);
    return batch->failed ? -1 : 0;
}

int counting_count(struct arena *arena, struct span community, const struct reply *found,
                   const struct targets *targets, int64_t now, struct counting *out,
                   struct err *err)
{
    struct batch batch = {.arena = arena};
    const size_t orders = reply_size(found) < HEAD ? 0 : reply_size(found) - HEAD;
    *out = (struct counting){.key = key_cursors(community), .orders = orders};
    if (reply_type(found) != REPLY_ARRAY || reply_size(found) < HEAD)
        return err_set(err, ERR_PROTOCOL, "Redis: figures: %.*s", SPAN_ARG(reply_span(found)));
    out->lag_ms = reply_integer(reply_at(found, 2));
    if (orders == 0 && span_eq(reply_span(reply_at(found, 0)), reply_span(reply_at(found, 1))))
        return 0;
    batch.entries = arena_zalloc(arena, orders + 1, sizeof(*batch.entries));
    int result = batch.entries == NULL ? -1 : 1;
    for (size_t i = 0; result == 1 && i < orders; i++)
        add_order(&batch, reply_at(found, HEAD + i), community, targets, now);
    if (result == 1) {
        add_up(&batch);
        result = batch.failed || write_call(&batch, community, found, out) < 0 ? -1 : 1;
    }
    buf_free(&batch.text);
    return result == 1 ? 1 : err_set(err, ERR_NOMEM, "no memory to count %zu orders", orders);
}
