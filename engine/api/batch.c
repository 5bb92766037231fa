#include "engine/api/batch.h"

#include "engine/api/api_private.h"
#include "engine/api/ndjson.h"
#include "engine/base/limits.h"
#include "engine/http/json_writer.h"

#include <stdio.h>

enum { SLICE = 32 };

struct batch {
    struct mailbox_item turn; /* posted to our own loop for the next slice */
    struct api *api;
    struct http_exchange *x;
    const struct batch_kind *kind;
    struct ndjson rest; /* lines not yet begun */
    char *lines;        /* capacity as counted beforehand */
    uint32_t *numbers;  /* line number of each, from 1 */
    size_t begun, settled, capacity;
};

struct api *batch_api(const struct batch *batch)
{
    return batch->api;
}

struct http_exchange *batch_exchange(const struct batch *batch)
{
    return batch->x;
}

static void *line_at(const struct batch *batch, size_t i)
{
    return batch->lines + i * batch->kind->line_bytes;
}

static bool settled(const struct batch *batch, size_t i)
{
    return batch->kind->result(line_at(batch, i)).status != 0;
}

static void write_line(struct buf *out, uint32_t number, const struct batch_result *result)
{
    struct json_writer w = json_writer(out);
    char type[64];
    json_open_object(&w);
    json_member_i64(&w, "line", number);
    json_member_i64(&w, "status", result->status);
    if (result->status < 300) {
        if (result->replayed)
            json_member_bool(&w, "replayed", true);
        json_key(&w, "order");
        json_write_raw(&w, result->body);
    } else {
        (void)snprintf(type, sizeof(type), "urn:jiesu:problem:%s", result->problem);
        json_key(&w, "problem");
        json_open_object(&w);
        json_member_str(&w, "type", type);
        json_member_string(&w, "detail", result->detail);
        if (result->extra.len > 0) {
            buf_char(out, ',');
            buf_span(out, result->extra);
        }
        json_close_object(&w);
    }
    json_close_object(&w);
    buf_char(out, '\n');
}

static void answer(struct batch *batch)
{
    struct buf out = {0};
    for (size_t i = 0; i < batch->begun; i++) {
        const struct batch_result result = batch->kind->result(line_at(batch, i));
        write_line(&out, batch->numbers[i], &result);
    }
    if (buf_ok(&out))
        http_respond(batch->x, 200, "application/x-ndjson", buf_view(&out));
    else
        http_unavailable(batch->x, 1, "out of memory; retry with the same Idempotency-Key");
    buf_free(&out);
}

static bool complete(const struct batch *batch)
{
    return batch->begun == batch->capacity && batch->settled == batch->begun;
}

void batch_line_done(struct batch *batch)
{
    batch->settled++;
    if (complete(batch))
        answer(batch);
}

/* Ends every line whose time is over; the last one to end answers, and the batch is gone. */
static void on_late(struct http_exchange *x, void *ctx)
{
    struct batch *batch = ctx;
    size_t open = batch->begun - batch->settled;
    for (size_t i = 0; i < batch->begun && open > 0; i++) {
        if (settled(batch, i))
            continue;
        open--;
        const bool last = batch->settled + 1 == batch->capacity;
        if (flight_expire(batch->kind->flight(line_at(batch, i))) && last)
            return;
    }
    http_wait(x, FLIGHT_ASK_AGAIN_MS, on_late, batch);
}

static void begin_line(struct batch *batch, struct span json)
{
    const size_t i = batch->begun++;
    batch->numbers[i] = batch->rest.line;
    batch->kind->begin(batch, line_at(batch, i), json, batch->rest.line);
    if (settled(batch, i))
        batch->settled++;
}

static void on_turn(struct mailbox_item *item)
{
    struct batch *batch = (struct batch *)(void *)item;
    struct span line;
    for (size_t n = 0; n < SLICE && ndjson_next(&batch->rest, &line); n++)
        begin_line(batch, line);
    if (complete(batch))
        answer(batch);
    else if (batch->begun < batch->capacity)
        mailbox_post(batch->api->mailbox, &batch->turn);
    else
        http_wait(batch->x, batch->api->options.reply_budget_ms, on_late, batch);
}

static struct batch *batch_new(struct api *api, struct http_exchange *x,
                               const struct batch_kind *kind, size_t count)
{
    struct arena *arena = http_request(x)->arena;
    struct batch *batch = arena_zalloc(arena, 1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->turn.handle = on_turn;
    batch->api = api;
    batch->x = x;
    batch->kind = kind;
    batch->rest = ndjson_of(http_request(x)->body);
    batch->lines = arena_zalloc(arena, count, kind->line_bytes);
    batch->numbers = arena_zalloc(arena, count, sizeof(*batch->numbers));
    batch->capacity = count;
    return batch->lines == NULL || batch->numbers == NULL ? NULL : batch;
}

void batch_start(struct api *api, struct http_exchange *x, const struct batch_kind *kind)
{
    const size_t count = ndjson_count(http_request(x)->body);
    struct hash128 unused;
    if (count == 0 || count > LIMIT_BATCH_LINES) {
        http_problem(x, count == 0 ? 400 : 413, "batch-lines",
                     arena_printf(http_request(x)->arena,
                                  "a batch has 1 to %d lines, each one %s as a JSON object",
                                  LIMIT_BATCH_LINES, kind->what),
                     (struct span){NULL, 0});
        return;
    }
    if (api_idempotency(x, 0, &unused) < 0)
        return;
    struct batch *batch = batch_new(api, x, kind, count);
    if (batch == NULL)
        http_unavailable(x, 1, "out of memory; try again");
    else
        on_turn(&batch->turn);
}
