/*
 * GET /v1/workers/{id}/queue?wait=25: what a worker has not accepted yet, what is urgent first,
 * then what is about special groups; a long poll.
 *
 * A poll that finds nothing waits for a message on the worker's wake channel, which the function
 * that queues an order publishes. A message between our reading and our subscription's taking
 * effect would be missed, so a waiting poll also looks again after RECHECK_FIRST_MS and then every
 * RECHECK_MS: a bound on the delay in a rare race, not the way orders are usually noticed.
 *
 * A worker has a queue in its community. The triage of a street has one in each community of the
 * street, too: they are read one after the other, first what is urgent in all of them, then what is
 * about special groups in all of them.
 */
#include "engine/api/api_private.h"
#include "engine/api/worker_areas.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/store/orders.h"

enum { RECHECK_FIRST_MS = 100, RECHECK_MS = 5000 };

struct poll;

/* The wake channel of one area. */
struct ear {
    struct waiter waiter; /* first */
    struct poll *poll;
};

struct poll {
    struct api *api;
    struct http_exchange *x;
    struct worker_areas where;
    struct ear *ears;
    size_t ear_count; /* subscribed */
    size_t most;
    int64_t until; /* steady ms; 0: do not wait */
    size_t part;   /* of this look: the streams that are read next */
    size_t found;
    struct buf list; /* what was found, a JSON array */
    struct json_writer w;
    bool reading; /* a read is under way */
    bool again;   /* woken while reading */
    bool looked;  /* has read at least once */
    bool gone;    /* the client went away: answer after the read */
};

static void look(struct poll *poll);

static void leave(struct poll *poll)
{
    for (size_t i = 0; i < poll->ear_count; i++) {
        waiters_remove(poll->api->waiters, &poll->ears[i].waiter);
        redis_listener_unsubscribe(poll->api->listener, key_span(&poll->ears[i].waiter.channel));
    }
    poll->ear_count = 0;
}

static void answer(struct poll *poll)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    leave(poll);
    json_open_object(&w);
    json_member_string(&w, "worker", poll->where.worker);
    json_key(&w, "orders");
    json_write_raw(&w, poll->found > 0 ? buf_view(&poll->list) : SPAN("[]"));
    json_close_object(&w);
    if (!buf_ok(&poll->list))
        out.failed = true;
    buf_free(&poll->list);
    api_respond_json(poll->x, 200, &out);
}

static void answer_error(struct poll *poll, const struct err *err)
{
    leave(poll);
    buf_free(&poll->list);
    api_problem(poll->x, err);
}

static void on_recheck(struct http_exchange *x, void *ctx)
{
    (void)x;
    look(ctx);
}

/* Nothing is there yet: wait on, or answer that nothing is. */
static void park(struct poll *poll)
{
    const int64_t left = poll->until - clock_steady_ms();
    if (left <= 0 || poll->gone || poll->api->draining) {
        answer(poll);
        return;
    }
    const int64_t recheck = poll->looked ? RECHECK_MS : RECHECK_FIRST_MS;
    poll->looked = true;
    http_wait(poll->x, (uint32_t)(left < recheck ? left : recheck), on_recheck, poll);
}

static size_t part_count(const struct poll *poll)
{
    return poll->where.count == 1 ? 1 : ORDER_QUEUE_COUNT * poll->where.count;
}

static void read_part(struct poll *poll);

static void on_queue(void *ctx, const struct span *answers, size_t count, const struct err *err)
{
    struct poll *poll = ctx;
    poll->reading = false;
    if (err != NULL) {
        answer_error(poll, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        json_write_raw(&poll->w, answers[i]);
    poll->found += count;
    poll->part++;
    if (poll->part < part_count(poll) && poll->found < poll->most) {
        read_part(poll);
    } else if (poll->found > 0) {
        json_close_array(&poll->w);
        answer(poll);
    } else if (poll->again) {
        look(poll);
    } else {
        park(poll);
    }
}

static void read_part(struct poll *poll)
{
    const size_t count = poll->where.count;
    const unsigned queues = count == 1 ? ORDERS_ALL : 1U << (QUEUE_URGENT - poll->part / count);
    struct err err = {0};
    if (orders_read_queue(poll->api->redis, poll->where.areas[poll->part % count],
                          poll->where.worker, queues, poll->most - poll->found, on_queue, poll,
                          &err) < 0)
        answer_error(poll, &err);
    else
        poll->reading = true;
}

static void look(struct poll *poll)
{
    if (poll->reading) {
        poll->again = true;
        return;
    }
    poll->again = false;
    poll->part = poll->found = 0;
    buf_clear(&poll->list);
    poll->w = json_writer(&poll->list);
    json_open_array(&poll->w);
    read_part(poll);
}

/* A look may end the poll, and with it all its waiters; of several none but the woken one may be removed now. */
static void on_wake(struct waiter *waiter)
{
    struct poll *poll = ((struct ear *)(void *)waiter)->poll;
    if (poll->ear_count == 1 || poll->reading)
        look(poll);
    else
        http_wait(poll->x, 0, on_recheck, poll);
}

static void on_gone(struct http_exchange *x, void *ctx)
{
    struct poll *poll = ctx;
    (void)x;
    poll->gone = true;
    if (!poll->reading)
        answer(poll);
}

/* Waits on the worker's channels. 0, or -1 when there is no room. */
static int subscribe(struct poll *poll)
{
    const size_t count = poll->where.count;
    poll->ears = arena_zalloc(http_request(poll->x)->arena, count, sizeof(*poll->ears));
    if (poll->ears == NULL)
        return -1;
    for (; poll->ear_count < count; poll->ear_count++) {
        struct ear *ear = &poll->ears[poll->ear_count];
        ear->poll = poll;
        ear->waiter.channel = key_wake(poll->where.areas[poll->ear_count], poll->where.worker);
        ear->waiter.wake = on_wake;
        if (waiters_add(poll->api->waiters, &ear->waiter) < 0)
            return -1;
        if (redis_listener_subscribe(poll->api->listener, key_span(&ear->waiter.channel)) < 0) {
            waiters_remove(poll->api->waiters, &ear->waiter);
            return -1;
        }
    }
    http_on_gone(poll->x, on_gone, poll);
    return 0;
}

void workers_queue(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    const struct http_request *r = http_request(x);
    const int64_t wait = api_query_number(r, "wait", LIMIT_LONG_POLL_S, 0);
    const int64_t most = api_query_number(r, "most", LIMIT_QUEUE_PAGE, LIMIT_QUEUE_PAGE);
    if (wait < 0 || most < 1) {
        (void)api_bad_query(x, "wait is a number of seconds from 0 to 60, most one from 1 to 100");
        return;
    }
    struct poll *poll = arena_zalloc(r->arena, 1, sizeof(*poll));
    if (poll == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    poll->api = api;
    poll->x = x;
    poll->most = (size_t)most;
    if (worker_areas_find(api, x, &poll->where) < 0)
        return;
    if (wait > 0 && !api->draining) {
        poll->until = clock_steady_ms() + wait * CLOCK_SECOND_MS;
        if (subscribe(poll) < 0) {
            leave(poll);
            http_unavailable(x, 5, "too many long polls wait here");
            return;
        }
    }
    look(poll);
}
