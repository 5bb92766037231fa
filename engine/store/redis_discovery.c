/*
 * Each question has a connection of its own, closed after the answer: it is rare, and no other
 * traffic then stands in its way. Seeds and the masters of the last map are asked in turn, until
 * one answers.
 */
#include "engine/store/redis_discovery.h"

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/redis_node.h"

struct redis_discovery {
    struct redis_discovery_options options;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct redis_link *link; /* while a question is under way */
    unsigned attempts;
    size_t turn;
    struct redis_slots slots; /* the last map that was read */
};

static void discovery_begin(uv_timer_t *timer);

static void discovery_wait(struct redis_discovery *d)
{
    uint32_t ms = d->attempts == 0 ? 0 : redis_backoff_ms(d->attempts - 1);
    d->attempts++;
    uv_timer_start(&d->timer, discovery_begin, ms, 0);
}

static void discovery_failed(void *ctx, const struct err *err)
{
    struct redis_discovery *d = ctx;
    log_write(LOG_WARN, "redis", "cluster_map_failed", LOG_STR("error", err->text));
    redis_link_close(&d->link);
    discovery_wait(d);
}

/* Seeds first, then the masters we know. */
static struct redis_endpoint candidate(struct redis_discovery *d)
{
    const struct redis_target *target = d->options.target;
    size_t i = d->turn++ % (target->count + d->slots.masters);
    if (i >= target->count)
        return d->slots.master[i - target->count];
    return redis_target_endpoint(target, i);
}

static void got_auth(void *ctx, const struct reply *reply, const struct err *err)
{
    struct redis_discovery *d = ctx;
    struct err why;
    if (err != NULL || reply_type(reply) != REPLY_ERROR)
        return;
    err_set(&why, ERR_UNAVAILABLE, "Redis refused AUTH: %.*s", SPAN_ARG(reply_span(reply)));
    redis_link_fail(d->link, &why);
}

static void got_slots(void *ctx, const struct reply *reply, const struct err *err)
{
    struct redis_discovery *d = ctx;
    struct err why;
    if (err != NULL)
        return; /* discovery_failed follows, or it is being closed */
    struct redis_endpoint asked = *redis_link_endpoint(d->link);
    if (redis_slots_read(reply, &asked, &d->slots, &why) != 0) {
        d->slots.masters = 0;
        redis_link_fail(d->link, &why);
        return;
    }
    redis_link_close(&d->link);
    d->options.on_map(d->options.ctx, &d->slots);
}

static void discovery_up(void *ctx)
{
    struct redis_discovery *d = ctx;
    const struct redis_target *target = d->options.target;
    static const struct span question[] = {{"CLUSTER", 7}, {"SLOTS", 5}};
    struct span auth[3] = {SPAN("AUTH")};
    size_t n = 1;
    struct err err;
    int rc = 0;
    if (target->user[0] != '\0')
        auth[n++] = span_str(target->user);
    auth[n++] = span_str(target->password);
    if (target->password[0] != '\0')
        rc = redis_link_send(d->link, n, auth, got_auth, d, &err);
    if (rc == 0)
        rc = redis_link_send(d->link, 2, question, got_slots, d, &err);
    if (rc != 0)
        redis_link_fail(d->link, &err);
}

static void discovery_begin(uv_timer_t *timer)
{
    struct redis_discovery *d = timer->data;
    struct err err;
    struct redis_link_options options = {
        .endpoint = candidate(d),
        .connect_ms = d->options.connect_ms,
        .command_ms = d->options.command_ms,
        .on_up = discovery_up,
        .on_down = discovery_failed,
        .ctx = d,
    };
    d->link = redis_link_open(d->loop, &options, &err);
    if (d->link == NULL)
        discovery_failed(d, &err);
}

struct redis_discovery *
redis_discovery_new(uv_loop_t *loop, const struct redis_discovery_options *options, struct err *err)
{
    struct redis_discovery *d = mem_zalloc(1, sizeof(*d));
    if (d == NULL) {
        err_set(err, ERR_NOMEM, "no memory for the map of the Redis Cluster");
        return NULL;
    }
    d->options = *options;
    d->loop = loop;
    CHECK(uv_timer_init(loop, &d->timer) == 0);
    d->timer.data = d;
    redis_discovery_ask(d);
    return d;
}

void redis_discovery_ask(struct redis_discovery *d)
{
    if (d->link == NULL && !uv_is_active((uv_handle_t *)&d->timer))
        discovery_wait(d);
}

void redis_discovery_settle(struct redis_discovery *d)
{
    d->attempts = 0;
}

static void discovery_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void redis_discovery_close(struct redis_discovery **discovery)
{
    struct redis_discovery *gone = *discovery;
    if (gone == NULL)
        return;
    *discovery = NULL;
    redis_link_close(&gone->link);
    uv_close((uv_handle_t *)&gone->timer, discovery_closed);
}
