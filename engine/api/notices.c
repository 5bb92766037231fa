/*
 * GET /v1/workers/{id}/notices?after=&most=: what a worker is told besides its queue. The answer's `after` is
 * given with the next request, and then only what came since is answered: "<community>:<id>", one for each stream
 * that has notices, with commas between them.
 *
 * The streams of a street's triage are read one after the other; most have one.
 */
#include "engine/store/notices.h"
#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/api/worker_areas.h"
#include "engine/base/limits.h"

static const struct span beginning = {"0-0", 3};

struct reading {
    struct api *api;
    struct http_exchange *x;
    struct worker_areas where;
    struct span *after; /* of each area */
    size_t area, left;  /* the one that is read; how many more notices may be answered */
    struct buf list, scratch;
    struct json_writer w;
};

static void end(struct reading *reading)
{
    buf_free(&reading->list);
    buf_free(&reading->scratch);
}

static void answer(struct reading *reading)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    buf_clear(&reading->scratch);
    for (size_t i = 0; i < reading->where.count; i++) {
        if (span_eq(reading->after[i], beginning))
            continue;
        buf_printf(&reading->scratch, "%s%.*s:%.*s", reading->scratch.len > 0 ? "," : "",
                   SPAN_ARG(reading->where.areas[i]), SPAN_ARG(reading->after[i]));
    }
    json_close_array(&reading->w);
    json_open_object(&w);
    json_member_string(&w, "worker", reading->where.worker);
    json_key(&w, "notices");
    json_write_raw(&w, buf_view(&reading->list));
    json_member_string(&w, "after", buf_view(&reading->scratch));
    json_close_object(&w);
    if (!buf_ok(&reading->list) || !buf_ok(&reading->scratch))
        out.failed = true;
    struct http_exchange *x = reading->x;
    end(reading);
    api_respond_json(x, 200, &out);
}

/* What people wrote is masked, as in an order's history. */
static void write_notice(struct reading *reading, const struct notice *notice)
{
    struct json_writer *w = &reading->w;
    json_open_object(w);
    json_member_string(w, "order", notice->order);
    json_member_string(w, "step", notice->step);
    json_member_i64(w, "version", notice->version);
    api_member_time(w, "at", notice->at);
    buf_clear(&reading->scratch);
    if (notice->note.len > 0 &&
        stored_mask(reading->api->json, notice->note, &reading->scratch) == 0) {
        json_key(w, "note");
        json_write_raw(w, buf_view(&reading->scratch));
    }
    json_close_object(w);
}

static void read_area(struct reading *reading);

static void on_notices(void *ctx, const struct notice *notices, size_t count, const struct err *err)
{
    struct reading *reading = ctx;
    if (err != NULL) {
        struct http_exchange *x = reading->x;
        end(reading);
        api_problem(x, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        write_notice(reading, &notices[i]);
    if (count > 0) {
        reading->after[reading->area] =
            arena_copy(http_request(reading->x)->arena, notices[count - 1].id);
        if (reading->after[reading->area].ptr == NULL)
            reading->list.failed = true;
    }
    reading->left -= count;
    reading->area++;
    read_area(reading);
}

static void read_area(struct reading *reading)
{
    struct err err = {0};
    if (reading->area == reading->where.count || reading->left == 0) {
        answer(reading);
    } else if (notices_read(reading->api->redis, reading->where.areas[reading->area],
                            reading->where.worker, reading->after[reading->area], reading->left,
                            on_notices, reading, &err) < 0) {
        struct http_exchange *x = reading->x;
        end(reading);
        api_problem(x, &err);
    }
}

/* "<community>:<id>,..." 0, or -1 when it is of another form. What the worker has no part in any more is passed over.
 */
static int read_after(struct reading *reading, struct span text)
{
    for (size_t i = 0; i < reading->where.count; i++)
        reading->after[i] = beginning;
    while (text.len > 0) {
        struct span id = span_cut(&text, ',');
        const struct span area = span_cut(&id, ':');
        if (!notices_id_valid(id))
            return -1;
        for (size_t i = 0; i < reading->where.count; i++) {
            if (span_eq(reading->where.areas[i], area))
                reading->after[i] = id;
        }
    }
    return 0;
}

void workers_notices(struct http_exchange *x, void *ctx)
{
    const struct http_request *r = http_request(x);
    const int64_t most = api_query_number(r, "most", LIMIT_QUEUE_PAGE, LIMIT_QUEUE_PAGE);
    struct reading *reading = arena_zalloc(r->arena, 1, sizeof(*reading));
    if (reading == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    reading->api = ctx;
    reading->x = x;
    reading->left = most < 1 ? 0 : (size_t)most;
    if (worker_areas_find(ctx, x, &reading->where) < 0)
        return;
    reading->after = arena_zalloc(r->arena, reading->where.count, sizeof(*reading->after));
    if (reading->after == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    if (most < 1 || read_after(reading, http_query(r, "after")) < 0) {
        (void)api_bad_query(x, "after is what the answer before said, most a number from 1 to 100");
        return;
    }
    reading->w = json_writer(&reading->list);
    json_open_array(&reading->w);
    read_area(reading);
}
