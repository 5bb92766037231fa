/*
 * GET /v1/workers/{id}/queue?wait=25: what a worker has not accepted yet, urgent first; a long
 * poll.
 *
 * A poll that finds nothing waits for a message on the worker's wake channel, which the function
 * that queues an order publishes. A message between our reading and our subscription's taking
 * effect would be missed, so a waiting poll also looks again after RECHECK_FIRST_MS and then every
 * RECHECK_MS: a bound on the delay in a rare race, not the way orders are usually noticed.
 */
#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/http/json_writer.h"
#include "engine/store/orders.h"

enum { RECHECK_FIRST_MS = 100, RECHECK_MS = 5000 };

struct poll {
    struct waiter waiter;
    struct api *api;
    struct http_exchange *x;
    struct span worker, community;
    size_t most;
    int64_t until; /* steady ms; 0: do not wait */
    bool subscribed;
    bool reading; /* a read is under way */
    bool again;   /* woken while reading */
    bool looked;  /* has read at least once */
    bool gone;    /* the client went away: answer after the read */
};

static void look(struct poll *poll);

static void leave(struct poll *poll)
{
    waiters_remove(poll->api->waiters, &poll->waiter);
    if (poll->subscribed)
        redis_listener_unsubscribe(poll->api->listener, key_span(&poll->waiter.channel));
    poll->subscribed = false;
}

static void answer(struct poll *poll, const struct span *answers, size_t count)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    leave(poll);
    json_open_object(&w);
    json_member_string(&w, "worker", poll->worker);
    json_key(&w, "orders");
    json_open_array(&w);
    for (size_t i = 0; i < count; i++)
        json_write_raw(&w, answers[i]);
    json_close_array(&w);
    json_close_object(&w);
    api_respond_json(poll->x, 200, &out);
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
        answer(poll, NULL, 0);
        return;
    }
    const int64_t recheck = poll->looked ? RECHECK_MS : RECHECK_FIRST_MS;
    poll->looked = true;
    http_wait(poll->x, (uint32_t)(left < recheck ? left : recheck), on_recheck, poll);
}

static void on_queue(void *ctx, const struct span *answers, size_t count, const struct err *err)
{
    struct poll *poll = ctx;
    poll->reading = false;
    if (err != NULL) {
        leave(poll);
        api_problem(poll->x, err);
    } else if (count > 0) {
        answer(poll, answers, count);
    } else if (poll->again) {
        poll->again = false;
        look(poll);
    } else {
        park(poll);
    }
}

static void look(struct poll *poll)
{
    struct err err = {0};
    if (poll->reading) {
        poll->again = true;
        return;
    }
    if (orders_read_queue(poll->api->redis, poll->community, poll->worker, poll->most, on_queue,
                          poll, &err) < 0) {
        leave(poll);
        api_problem(poll->x, &err);
        return;
    }
    poll->reading = true;
}

static void on_wake(struct waiter *waiter)
{
    look((struct poll *)(void *)waiter);
}

static void on_gone(struct http_exchange *x, void *ctx)
{
    struct poll *poll = ctx;
    (void)x;
    poll->gone = true;
    if (!poll->reading)
        answer(poll, NULL, 0);
}

/* A query parameter as a number in [0, max]; dflt when it is absent. -1 when it is bad. */
static int64_t number(const struct http_request *r, const char *name, uint64_t max, int64_t dflt)
{
    const struct span value = http_query(r, name);
    uint64_t n = 0;
    if (value.ptr == NULL)
        return dflt;
    return span_to_u64(value, max, &n) < 0 ? -1 : (int64_t)n;
}

/* Waits on the worker's channel. 0, or -1 when there is no room. */
static int subscribe(struct poll *poll)
{
    poll->waiter.channel = key_wake(poll->community, poll->worker);
    poll->waiter.wake = on_wake;
    if (waiters_add(poll->api->waiters, &poll->waiter) < 0)
        return -1;
    if (redis_listener_subscribe(poll->api->listener, key_span(&poll->waiter.channel)) < 0) {
        waiters_remove(poll->api->waiters, &poll->waiter);
        return -1;
    }
    poll->subscribed = true;
    http_on_gone(poll->x, on_gone, poll);
    return 0;
}

/* Copies the worker's id and community: the policy may be swapped while the poll waits. */
static int find_worker(struct poll *poll, struct span id)
{
    struct arena *arena = http_request(poll->x)->arena;
    struct policy *policy = poll->api->options.policy(poll->api->options.ctx);
    const struct span community = directory_worker_community(policy_directory(policy), id);
    if (community.len > 0) {
        poll->community = arena_copy(arena, community);
        poll->worker = arena_copy(arena, id);
    }
    policy_unref(&policy);
    if (community.len == 0) {
        api_not_found(poll->x, "there is no such worker in the directory");
        return -1;
    }
    if (poll->community.ptr == NULL || poll->worker.ptr == NULL) {
        http_unavailable(poll->x, 1, "out of memory; try again");
        return -1;
    }
    return 0;
}

void workers_queue(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    const struct http_request *r = http_request(x);
    const int64_t wait = number(r, "wait", LIMIT_LONG_POLL_S, 0);
    const int64_t most = number(r, "most", LIMIT_QUEUE_PAGE, LIMIT_QUEUE_PAGE);
    if (wait < 0 || most < 1) {
        http_problem(x, 400, "query",
                     SPAN("wait is a number of seconds from 0 to 60, most one from 1 to 100"),
                     (struct span){NULL, 0});
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
    if (find_worker(poll, r->params[0]) < 0)
        return;
    if (wait > 0 && !api->draining) {
        poll->until = clock_steady_ms() + wait * CLOCK_SECOND_MS;
        if (subscribe(poll) < 0) {
            http_unavailable(x, 5, "too many long polls wait here");
            return;
        }
    }
    look(poll);
}
