/*
 * GET /v1/orders/{id}: a work order for staff: how it stands, what it was made of, its clocks, and
 * a page of its history.
 */
#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/api/lookup.h"
#include "engine/api/step_json.h"
#include "engine/base/clock.h"
#include "engine/http/json_writer.h"

#include <math.h>

enum { HISTORY_PAGE = 100 };

static void write_clock(struct json_writer *w, const struct order_clock *clock,
                        const struct warning_shares *shares, int64_t now)
{
    json_open_object(w);
    api_member_time(w, "due", clock->due);
    api_member_time(w, "met_at", clock->met_at);
    api_member_time(w, "asked_until", clock->asked);
    json_member_double(w, "share", round(order_clock_share(clock, now) * 1000) / 1000);
    json_member_str(w, "warning", warning_name(order_clock_warning(clock, shares, now)));
    json_member_bool(w, "breached", order_clock_breached(clock, now));
    json_member_bool(w, "extended", clock->extended);
    json_close_object(w);
}

static void write_clocks(struct json_writer *w, const struct life *life,
                         const struct warning_shares *shares, int64_t now)
{
    json_key(w, "clocks");
    json_open_object(w);
    for (enum sla_clock c = 0; c < CLOCK_COUNT; c++) {
        if (life->clocks[c].due == 0)
            continue;
        json_key(w, sla_clock_name(c));
        write_clock(w, &life->clocks[c], shares, now);
    }
    json_close_object(w);
}

static void write_parties(struct json_writer *w, const struct life *life)
{
    if (life->party_count == 0)
        return;
    json_key(w, "parties");
    json_open_array(w);
    for (size_t i = 0; i < life->party_count; i++) {
        const struct life_party *party = &life->parties[i];
        json_open_object(w);
        json_member_string(w, "department", party->department);
        if (party->caller.len > 0)
            json_member_string(w, "caller", party->caller);
        api_member_time(w, "report_by", party->report_by);
        api_member_time(w, "reported_at", party->reported_at);
        if (party->late)
            json_member_bool(w, "late", true);
        if (party->stars != 0)
            json_member_i64(w, "stars", party->stars);
        json_close_object(w);
    }
    json_close_array(w);
}

static void write_life(struct api *api, const struct life *life, struct json_writer *w)
{
    struct policy *policy = api->options.policy(api->options.ctx);
    const struct process_numbers *numbers = process_numbers(policy_process(policy));
    const int64_t now = clock_now_ms();
    json_member_str(w, "warning", warning_name(life_warning(life, &numbers->warnings, now)));
    if (life->sla_class.len > 0)
        json_member_string(w, "class", life->sla_class);
    json_member_bool(w, "provisional", life->provisional);
    write_clocks(w, life, &numbers->warnings, now);
    policy_unref(&policy);
    write_parties(w, life);
    api_member_time(w, "next_due", life_next_due(life));
    if (life->bounces > 0)
        json_member_i64(w, "returns", life->bounces);
    api_member_allowed(w, false, span_str(order_state_name(life->state)));
}

/* A page of the history, its texts masked: the newest, or those from a version on. */
static int write_history(struct api *api, const struct order_view *view, uint64_t from,
                         struct json_writer *w)
{
    const size_t count = view->history_count;
    size_t first = count > HISTORY_PAGE ? count - HISTORY_PAGE : 0;
    struct buf masked = {0};
    int result = 0;
    if (from > 0)
        first = from - 1 < count ? (size_t)from - 1 : count;
    json_key(w, "history");
    json_open_array(w);
    for (size_t i = first; i < count && i < first + HISTORY_PAGE && result == 0; i++) {
        buf_clear(&masked);
        result = stored_mask(api->json, view->history[i], &masked);
        if (result == 0)
            json_write_raw(w, buf_view(&masked));
    }
    json_close_array(w);
    buf_free(&masked);
    return result;
}

static int write_order(struct api *api, struct http_exchange *x, const struct order_view *view,
                       struct buf *out)
{
    struct arena *arena = http_request(x)->arena;
    const struct span page = http_query(http_request(x), "history_from");
    struct life *life = arena_zalloc(arena, 1, sizeof(*life));
    struct policy *policy = api->options.policy(api->options.ctx);
    struct buf masked = {0};
    uint64_t from = 0;
    (void)span_to_u64(page, INT64_MAX, &from);
    int result = life == NULL || life_read(api->json, view, process_numbers(policy_process(policy)),
                                           arena, life) < 0
                     ? -1
                     : stored_mask(api->json, view->complaint, &masked);
    policy_unref(&policy);
    if (result == 0) {
        struct json_writer w = json_writer(out);
        json_open_object(&w);
        json_member_string(&w, "id", id_span(&view->id));
        json_member_string(&w, "status", view->state);
        json_member_i64(&w, "version", view->version);
        json_member_string(&w, "worker", view->worker);
        json_member_string(&w, "category", view->category);
        write_life(api, life, &w);
        json_key(&w, "dispatch");
        json_write_raw(&w, view->answer);
        json_key(&w, "complaint");
        json_write_raw(&w, buf_view(&masked));
        result = write_history(api, view, from, &w);
        json_close_object(&w);
    }
    buf_free(&masked);
    return result;
}

void orders_get_one(struct http_exchange *x, void *ctx)
{
    const struct span page = http_query(http_request(x), "history_from");
    uint64_t from = 0;
    if (page.ptr != NULL && (span_to_u64(page, INT64_MAX, &from) < 0 || from == 0)) {
        (void)api_bad_query(x, "history_from is a version, a number from 1");
        return;
    }
    lookup_order(ctx, x, write_order);
}
