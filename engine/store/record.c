/*
 * The durable form, all numbers little-endian:
 *
 *   4  length of the whole      1  version (1)      1  kind      1  keyed      1  length of the id
 *   n  id                       16 claim            16 body      4  argc
 *   argc times: 4 length, n bytes
 *   8  XXH3 of all that stands before
 *
 * The length in front and the checksum behind refuse what is cut, what is run together and what is
 * rotten. A change of meaning takes a new version; a reader refuses versions that it does not know,
 * because a record that is understood wrongly is worse than a start that is refused.
 */
#include "engine/store/record.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/store/keys.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT_VERSION = 1, HEAD_BYTES = 8, TAIL_BYTES = 8, HASH_BYTES = 16, LENGTH_BYTES = 4 };
enum { CREATE_KEYS = 4, CREATE_FIXED = 4, FIRST_KEY = 3, SCRATCH_BYTES = 4096 };
static const uint64_t checksum_seed = UINT64_C(0x6a69657375); /* "jiesu" */

/* --- building calls ------------------------------------------------------------------------- */

static void push(struct record *record, struct span arg)
{
    CHECK(record->argc < RECORD_ARGS);
    record->argv[record->argc++] = arg;
}

static void push_field(struct record *record, const char *name, struct span value)
{
    push(record, span_str(name));
    push(record, value);
}

/* The span of what was appended to scratch since `from`. Room was reserved, so nothing moves. */
static struct span since(const struct buf *scratch, size_t from)
{
    return span_of(scratch->data + from, scratch->len - from);
}

static struct span keep_key(struct buf *scratch, const struct key *key)
{
    size_t from = scratch->len;
    buf_span(scratch, key_span(key));
    return since(scratch, from);
}

static struct span keep_number(struct buf *scratch, int64_t n)
{
    size_t from = scratch->len;
    buf_i64(scratch, n);
    return since(scratch, from);
}

static void push_key(struct record *record, struct buf *scratch, struct key key)
{
    push(record, keep_key(scratch, &key));
}

/* The first line of the order's history, with what it began with. Names of the directory and of classes need no
 * escaping (id_name_valid). */
static struct span first_history(struct buf *scratch, const struct record_order *order)
{
    size_t from = scratch->len;
    buf_printf(scratch,
               "{\"version\":1,\"step\":\"create\",\"from\":null,\"to\":\"%s\",\"at\":%lld,"
               "\"by\":\"%s\",\"holder\":\"%.*s\",\"note\":{",
               order_state_name(ORDER_DISPATCHED), (long long)order->created_at,
               order_actor_name(ACTOR_ENGINE), SPAN_ARG(order->worker));
    const char *comma = "";
    for (enum sla_clock clock = 0; clock < CLOCK_COUNT; clock++) {
        if (order->deadlines->by[clock] == 0)
            continue;
        buf_printf(scratch, "%s\"%s\":%lld", comma, sla_clock_member(clock),
                   (long long)order->deadlines->by[clock]);
        comma = ",";
    }
    if (order->class_name.len > 0)
        buf_printf(scratch, "%s\"class\":\"%.*s\"", comma, SPAN_ARG(order->class_name));
    if (order->deadlines->provisional)
        buf_str(scratch, ",\"provisional\":true");
    if (order->triage)
        buf_str(scratch, ",\"triage\":true");
    if (span_eq(order->urgency, span_str(urgency_name(URGENCY_RED))))
        buf_str(scratch, ",\"red\":true");
    buf_str(scratch, "}}");
    return since(scratch, from);
}

/* What a worker's backend reads from the queue; the rest is in the order's hash. `id` comes first:
 * the function library relies on it. Returns how many fields. */
static int64_t push_entry(struct record *record, const struct record_order *order,
                          struct span created_at, struct span respond_by)
{
    size_t before = record->argc;
    push_field(record, "id", id_span(order->id));
    push_field(record, "urgency", order->urgency);
    push_field(record, "category", order->category);
    push_field(record, "kind", order->kind);
    push_field(record, "grid", order->grid);
    push_field(record, "created_at", created_at);
    if (respond_by.len > 0)
        push_field(record, "respond_by", respond_by);
    if (order->special)
        push_field(record, "special", SPAN("1"));
    return (int64_t)(record->argc - before) / 2;
}

/* "a b leader head" */
static struct span keep_posts(struct buf *scratch, const struct record_order *order)
{
    size_t from = scratch->len;
    for (size_t i = 0; i < order->post_count; i++) {
        if (i > 0)
            buf_char(scratch, ' ');
        buf_span(scratch, order->posts[i]);
    }
    return since(scratch, from);
}

/* "a,b" */
static struct span keep_tags(struct buf *scratch, const struct record_order *order)
{
    size_t from = scratch->len;
    for (size_t i = 0; i < order->tag_count; i++) {
        if (i > 0)
            buf_char(scratch, ',');
        buf_span(scratch, order->tags[i]);
    }
    return since(scratch, from);
}

/* What only some orders have. */
static void push_some(struct record *record, const char *name, struct span value)
{
    if (value.len > 0)
        push_field(record, name, value);
}

static void push_hash(struct record *record, const struct record_order *order,
                      struct span created_at, const struct span by[CLOCK_COUNT],
                      struct buf *scratch)
{
    push_field(record, "state", span_str(order_state_name(ORDER_DISPATCHED)));
    push_field(record, "version", SPAN("1"));
    push_field(record, "worker", order->worker);
    push_field(record, "grid", order->grid);
    push_field(record, "urgency", order->urgency);
    push_field(record, "category", order->category);
    push_field(record, "kind", order->kind);
    push_field(record, "class", order->class_name);
    push_field(record, "created_at", created_at);
    push_field(record, "queued_at", created_at);
    push_field(record, "posts", keep_posts(scratch, order));
    push_some(record, "department", order->department);
    push_some(record, "street", order->street);
    push_some(record, "tags", keep_tags(scratch, order));
    push_some(record, "special", order->special ? SPAN("1") : SPAN(""));
    push_some(record, "triage", order->triage ? SPAN("1") : SPAN(""));
    push_some(record, "urgent", order->urgent ? SPAN("1") : SPAN(""));
    push_some(record, "provisional", order->deadlines->provisional ? SPAN("1") : SPAN(""));
    for (int clock = 0; clock < CLOCK_COUNT; clock++) {
        if (by[clock].len > 0)
            push_field(record, sla_clock_member((enum sla_clock)clock), by[clock]);
    }
    push_field(record, "answer", order->answer);
    push_field(record, "complaint", order->complaint);
    push_field(record, "h1", first_history(scratch, order));
}

int record_create(struct record *record, const struct record_order *order, struct buf *scratch)
{
    if (buf_reserve(scratch, SCRATCH_BYTES) == NULL)
        return -1;
    *record = (struct record){.kind = RECORD_CREATE, .id = *order->id};
    struct span community = id_community(&record->id);
    struct span by[CLOCK_COUNT] = {{0}};
    for (int clock = 0; clock < CLOCK_COUNT; clock++) {
        if (order->deadlines->by[clock] != 0)
            by[clock] = keep_number(scratch, order->deadlines->by[clock]);
    }
    struct span created_at = keep_number(scratch, order->created_at);

    push(record, SPAN("FCALL"));
    push(record, SPAN("jiesu_create"));
    _Static_assert(CREATE_KEYS == 4, "said here in text, and in record_claim_create");
    push(record, SPAN("4"));
    push_key(record, scratch, key_order(&record->id));
    push_key(record, scratch,
             key_queue(community, order->worker, order_queue(order->urgent, order->special)));
    push_key(record, scratch, key_due(community));
    push_key(record, scratch, key_events(community));
    push_key(record, scratch, key_wake(community, order->worker));
    push(record, id_ulid(order->id));
    push(record, order->due_at == 0 ? SPAN("") : keep_number(scratch, order->due_at));
    size_t count_at = record->argc;
    push(record, SPAN(""));
    int64_t fields = push_entry(record, order, created_at, by[CLOCK_RESPOND]);
    record->argv[count_at] = keep_number(scratch, fields);
    push_hash(record, order, created_at, by, scratch);
    return buf_ok(scratch) ? 0 : -1;
}

void record_claim(const struct record *record, const struct id *id, struct record_claim *claim)
{
    char body[HASH_HEX_BYTES];
    claim->key = key_claim(record->claim);
    int len = snprintf(claim->value, sizeof(claim->value), "%s/%s", id->text,
                       hash128_hex(record->body, body));
    CHECK(len > 0 && (size_t)len < sizeof(claim->value));
    len = snprintf(claim->ttl, sizeof(claim->ttl), "%d", (int)LIMIT_IDEMPOTENCY_TTL_S);
    CHECK(len > 0 && (size_t)len < sizeof(claim->ttl));
    const struct span argv[RECORD_CLAIM_ARGS] = {
        SPAN("SET"), key_span(&claim->key), span_str(claim->value), SPAN("NX"), SPAN("GET"),
        SPAN("EX"),  span_str(claim->ttl)};
    memcpy(claim->argv, argv, sizeof(argv));
}

size_t record_claim_create(const struct record *record, const struct record_claim *claim,
                           struct span argv[RECORD_CLAIM_CREATE_ARGS])
{
    const size_t key_end = FIRST_KEY + CREATE_KEYS;
    size_t argc = 0;
    if (record->kind != RECORD_CREATE || record->argc <= key_end ||
        !span_eq(record->argv[FIRST_KEY - 1], SPAN("4")))
        return 0;
    argv[argc++] = record->argv[0];
    argv[argc++] = SPAN("jiesu_claim");
    argv[argc++] = SPAN("5");
    for (size_t i = FIRST_KEY; i < key_end; i++)
        argv[argc++] = record->argv[i];
    argv[argc++] = key_span(&claim->key);
    for (size_t i = key_end; i < record->argc; i++)
        argv[argc++] = record->argv[i];
    argv[argc++] = span_str(claim->value);
    argv[argc++] = span_str(claim->ttl);
    return argc;
}

int record_claim_read(struct span value, const struct hash128 *body, struct id *id, bool *same)
{
    char hex[HASH_HEX_BYTES];
    const ptrdiff_t slash = span_find(value, SPAN("/"));
    if (slash < 0 || id_parse(span_sub(value, 0, (size_t)slash), id) < 0)
        return -1;
    *same =
        span_eq(span_sub(value, (size_t)slash + 1, value.len), span_str(hash128_hex(*body, hex)));
    return 0;
}

/* --- the durable form ----------------------------------------------------------------------- */

static char *put32(char *to, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        *to++ = (char)(uint8_t)(n >> (8 * i));
    return to;
}

static char *put64(char *to, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        *to++ = (char)(uint8_t)(n >> (8 * i));
    return to;
}

static char *put_bytes(char *to, struct span s)
{
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    return to + s.len;
}

size_t record_size(const struct record *record)
{
    size_t size =
        HEAD_BYTES + id_span(&record->id).len + 2 * HASH_BYTES + LENGTH_BYTES + TAIL_BYTES;
    for (size_t i = 0; i < record->argc; i++)
        size += LENGTH_BYTES + record->argv[i].len;
    CHECK(size <= UINT32_MAX); /* bodies are bounded far below (limits.h) */
    return size;
}

void record_write(const struct record *record, char *out)
{
    struct span id = id_span(&record->id);
    char *at = put32(out, (uint32_t)record_size(record));
    *at++ = FORMAT_VERSION;
    *at++ = (char)record->kind;
    *at++ = (char)record->keyed;
    *at++ = (char)id.len;
    at = put_bytes(at, id);
    at = put64(put64(at, record->claim.hi), record->claim.lo);
    at = put64(put64(at, record->body.hi), record->body.lo);
    at = put32(at, (uint32_t)record->argc);
    for (size_t i = 0; i < record->argc; i++)
        at = put_bytes(put32(at, (uint32_t)record->argv[i].len), record->argv[i]);
    put64(at, hash64(span_of(out, (size_t)(at - out)), checksum_seed));
}

int record_encode(const struct record *record, struct buf *out)
{
    size_t size = record_size(record);
    char *to = buf_reserve(out, size);
    if (to == NULL)
        return -1;
    record_write(record, to);
    out->len += size;
    return 0;
}

/* Reads from the front of a span; past its end it gives zeros and remembers that. */
struct cursor {
    struct span rest;
    bool cut;
};

static struct span take(struct cursor *c, size_t n)
{
    if (n > c->rest.len) {
        c->cut = true;
        return span_of(NULL, 0);
    }
    struct span s = span_of(c->rest.ptr, n);
    c->rest = span_of(c->rest.ptr + n, c->rest.len - n);
    return s;
}

static uint64_t take_number(struct cursor *c, size_t bytes)
{
    struct span s = take(c, bytes);
    uint64_t n = 0;
    if (s.len > 0)
        memcpy(&n, s.ptr, s.len);
    return le64toh(n);
}

/* What a record has dozens of, before each argument. */
static size_t take_length(struct cursor *c)
{
    const struct span s = take(c, LENGTH_BYTES);
    uint32_t n = 0;
    if (s.len == LENGTH_BYTES)
        memcpy(&n, s.ptr, LENGTH_BYTES);
    return le32toh(n);
}

static struct hash128 take_hash(struct cursor *c)
{
    struct hash128 h;
    h.hi = take_number(c, 8);
    h.lo = take_number(c, 8);
    return h;
}

/* The whole is there and its checksum is right. */
static bool intact(struct span bytes)
{
    if (bytes.len < HEAD_BYTES + TAIL_BYTES)
        return false;
    struct cursor c = {.rest = bytes};
    if (take_length(&c) != bytes.len)
        return false;
    struct span covered = span_sub(bytes, 0, bytes.len - TAIL_BYTES);
    c.rest = span_sub(bytes, covered.len, bytes.len);
    return take_number(&c, TAIL_BYTES) == hash64(covered, checksum_seed);
}

int record_decode(struct span bytes, struct record *record, struct err *err)
{
    if (!intact(bytes))
        return err_set(err, ERR_PROTOCOL, "a record of %zu bytes is cut or damaged", bytes.len);
    return record_view(bytes, record, err);
}

int record_view(struct span bytes, struct record *record, struct err *err)
{
    CHECK(bytes.len >= HEAD_BYTES + TAIL_BYTES);
    struct cursor c = {.rest = span_sub(bytes, LENGTH_BYTES, bytes.len - TAIL_BYTES)};
    uint64_t version = take_number(&c, 1);
    if (version != FORMAT_VERSION)
        return err_set(err, ERR_PROTOCOL, "a record of format %u: this program reads format %d",
                       (unsigned)version, FORMAT_VERSION);
    uint64_t kind = take_number(&c, 1);
    record->kind = kind == RECORD_CREATE ? RECORD_CREATE : RECORD_STEP;
    record->keyed = take_number(&c, 1) != 0;
    struct span id = take(&c, (size_t)take_number(&c, 1));
    record->claim = take_hash(&c);
    record->body = take_hash(&c);
    record->argc = take_length(&c);
    if (c.cut || id_parse(id, &record->id) < 0 || kind < RECORD_CREATE || kind > RECORD_STEP ||
        record->argc < 4 || record->argc > RECORD_ARGS)
        return err_set(err, ERR_PROTOCOL, "a record that makes no sense");
    for (size_t i = 0; i < record->argc; i++)
        record->argv[i] = take(&c, take_length(&c));
    if (c.cut || c.rest.len > 0)
        return err_set(err, ERR_PROTOCOL, "a record whose arguments do not fit its length");
    return 0;
}

/* --- looking into calls --------------------------------------------------------------------- */

struct span record_key(const struct record *record)
{
    return record->argv[FIRST_KEY];
}

struct span record_answer(const struct record *record)
{
    size_t first = FIRST_KEY + CREATE_KEYS + CREATE_FIXED;
    if (record->kind != RECORD_CREATE)
        return span_of(NULL, 0);
    for (size_t i = first; i + 1 < record->argc; i += 2) {
        if (span_eq(record->argv[i], SPAN("answer")))
            return record->argv[i + 1];
    }
    return span_of(NULL, 0);
}

/* Appends s to out with every `from` replaced by `to`. */
static void append_replaced(struct buf *out, struct span s, struct span from, struct span to)
{
    for (ptrdiff_t at; (at = span_find(s, from)) >= 0;) {
        buf_span(out, span_sub(s, 0, (size_t)at));
        buf_span(out, to);
        s = span_sub(s, (size_t)at + from.len, s.len);
    }
    buf_span(out, s);
}

int record_rename(const struct record *record, const struct id *id, struct record *out,
                  struct buf *scratch)
{
    CHECK(record->kind == RECORD_CREATE);
    CHECK(span_eq(id_community(&record->id), id_community(id)));
    struct span from = id_ulid(&record->id), to = id_ulid(id);
    CHECK(from.len == to.len); /* so lengths stay, and the room is known */
    buf_clear(scratch);
    if (buf_reserve(scratch, record_size(record)) == NULL)
        return -1;
    *out = *record;
    out->id = *id;
    for (size_t i = 0; i < record->argc; i++) {
        if (span_find(record->argv[i], from) < 0)
            continue;
        size_t start = scratch->len;
        append_replaced(scratch, record->argv[i], from, to);
        out->argv[i] = since(scratch, start);
    }
    return buf_ok(scratch) ? 0 : -1;
}
