/*
 * A client is a set of nodes (one, for a single server) and a list of the calls that wait. Every
 * call has an object here, so that a call can be answered by someone else than the connection it
 * was written to: by a redirection to another node, or by the client when it stops being ready.
 *
 * Ready. The client is ready when every slot has a master and every master's connection is. There
 * is one function that decides this, redis_update, and it runs after everything that could change
 * it. Not ready any more means: every call that waits is called back with an error (a reply that
 * still comes is dropped), then on_lost. So after on_lost nothing is pending, and the order of what
 * is sent again is the caller's.
 *
 * "Not done" (reply_not_done) is handled as a loss of that node: the call fails, the connection is
 * reset, and the back-off grows while it happens again. The other way, retrying one call here while
 * later ones pass it, would break the order.
 *
 * Cluster. MOVED and ASK mean that a call was not carried out, so it may be written again, to the
 * node that was named. That node is ready as a rule (a slot went from one master to another); when
 * it is not, or the call was sent around too often, the map is stale: the client is not ready until
 * a new map was read. Calls of one slot that is just moving may overtake each other; the calls of
 * one key that are already on their way do not, since they are redirected in the order they were
 * sent.
 */
#include "engine/store/redis.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/redis_call.h"
#include "engine/store/redis_discovery.h"
#include "engine/store/redis_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOVES = 5, FINGERPRINT_BYTES = 65 };

struct redis {
    struct redis_options options;
    uv_loop_t *loop;
    uv_timer_t anchor; /* never started: its closing frees us after the current callbacks */
    char *library;
    struct redis_node *node[REDIS_MASTERS];
    size_t nodes;
    uint16_t slot[REDIS_SLOTS];        /* index into node; Cluster only */
    struct redis_discovery *discovery; /* Cluster only */
    bool mapped;                       /* every slot has a node, as far as we know */
    bool ready, closing;
    char fingerprint[FINGERPRINT_BYTES];
    struct redis_calls calls; /* that wait */
    struct buf scratch;       /* a command being formatted; Cluster only */
};

/* ---- ready or not ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The run id of a single server; of a Cluster, a hash over the run ids of all masters in order. */
static void fingerprint_make(const struct redis *redis, char out[FINGERPRINT_BYTES])
{
    char ids[REDIS_MASTERS][REDIS_RUN_ID_BYTES];
    const char *order[REDIS_MASTERS];
    char all[REDIS_MASTERS * REDIS_RUN_ID_BYTES];
    size_t len = 0;
    if (redis->discovery == NULL) {
        snprintf(out, FINGERPRINT_BYTES, "%.*s", SPAN_ARG(redis_node_run_id(redis->node[0])));
        return;
    }
    for (size_t i = 0; i < redis->nodes; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%.*s", SPAN_ARG(redis_node_run_id(redis->node[i])));
        order[i] = ids[i];
    }
    qsort(order, redis->nodes, sizeof(order[0]), compare_ids);
    for (size_t i = 0; i < redis->nodes; i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s\n", order[i]);
    struct hash128 h = hash128(span_of(all, len));
    hash128_hex(h, out);
}

static bool nodes_ready(const struct redis *redis)
{
    for (size_t i = 0; i < redis->nodes; i++)
        if (!redis_node_ready(redis->node[i]))
            return false;
    return redis->mapped;
}

static void redis_lose(struct redis *redis)
{
    redis->ready = false;
    redis_calls_abandon(&redis->calls);
    if (!redis->closing && redis->options.on_lost != NULL)
        redis->options.on_lost(redis->options.ctx);
}

/* Decides anew whether the client is ready, and tells. */
static void redis_update(struct redis *redis)
{
    char fingerprint[FINGERPRINT_BYTES] = "";
    if (redis->closing)
        return;
    bool now = nodes_ready(redis);
    if (now)
        fingerprint_make(redis, fingerprint);
    if (redis->ready && (!now || strcmp(fingerprint, redis->fingerprint) != 0))
        redis_lose(redis);
    if (redis->closing)
        return;
    if (now && !redis->ready) {
        redis->ready = true;
        memcpy(redis->fingerprint, fingerprint, sizeof(fingerprint));
        if (redis->discovery != NULL)
            redis_discovery_settle(redis->discovery);
        if (redis->options.on_ready != NULL)
            redis->options.on_ready(redis->options.ctx, span_str(redis->fingerprint));
    } else if (!now && redis->discovery != NULL) {
        redis_discovery_ask(redis->discovery);
    }
}

static void on_node_change(void *ctx)
{
    redis_update(ctx);
}

/* The map cannot be trusted: not ready until another was read. */
static void redis_distrust(struct redis *redis)
{
    if (redis->closing)
        return;
    redis->mapped = false;
    redis_update(redis);
}

/* ---- the nodes of a Cluster ---- */

static struct redis_node *node_make(struct redis *redis, const struct redis_endpoint *at,
                                    enum redis_node_kind kind, struct err *err)
{
    struct redis_node_options options = {
        .target = &redis->options.target,
        .endpoint = {*at},
        .endpoints = 1,
        .kind = kind,
        .library = redis->library,
        .connect_ms = redis->options.connect_ms,
        .command_ms = redis->options.command_ms,
        .on_ready = on_node_change,
        .on_lost = on_node_change,
        .ctx = redis,
    };
    return redis_node_new(redis->loop, &options, err);
}

static struct redis_node *node_find(const struct redis *redis, const struct redis_endpoint *at)
{
    for (size_t i = 0; i < redis->nodes; i++)
        if (redis_endpoint_eq(redis_node_endpoint(redis->node[i]), at))
            return redis->node[i];
    return NULL;
}

/* Closes the nodes that are not in `kept`; what waits on them fails. */
static void nodes_close_others(struct redis *redis, struct redis_node *const *kept, size_t count)
{
    struct redis_node *gone[REDIS_MASTERS];
    size_t n = 0;
    for (size_t i = 0; i < redis->nodes; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found = found || kept[k] == redis->node[i];
        if (!found)
            gone[n++] = redis->node[i];
    }
    for (size_t i = 0; i < count; i++)
        redis->node[i] = kept[i];
    redis->nodes = count;
    while (n > 0)
        redis_node_close(&gone[--n]);
}

static bool node_is_ours(const struct redis *redis, const struct redis_node *node)
{
    for (size_t i = 0; i < redis->nodes; i++)
        if (redis->node[i] == node)
            return true;
    return false;
}

/* Finds or makes a node for every master of the map. -1 when memory is short: then nothing has
 * changed. */
static int nodes_want(struct redis *redis, const struct redis_slots *slots,
                      struct redis_node **wanted, struct err *err)
{
    for (size_t i = 0; i < slots->masters; i++) {
        wanted[i] = node_find(redis, &slots->master[i]);
        if (wanted[i] == NULL)
            wanted[i] = node_make(redis, &slots->master[i], REDIS_NODE_CLUSTER, err);
        if (wanted[i] != NULL)
            continue;
        while (i-- > 0)
            if (!node_is_ours(redis, wanted[i]))
                redis_node_close(&wanted[i]);
        return -1;
    }
    return 0;
}

static void on_map(void *ctx, const struct redis_slots *slots)
{
    struct redis *redis = ctx;
    struct redis_node *wanted[REDIS_MASTERS];
    struct err err;
    if (nodes_want(redis, slots, wanted, &err) != 0) {
        log_write(LOG_ERROR, "redis", "cluster_map_failed", LOG_STR("error", err.text));
        redis_distrust(redis);
        return;
    }
    redis->mapped = slots->complete;
    memcpy(redis->slot, slots->owner, sizeof(redis->slot));
    if (redis->ready)
        redis_discovery_settle(redis->discovery);
    nodes_close_others(redis, wanted, slots->masters);
    redis_update(redis);
}

/* ---- answers ---- */

static void call_answer(void *ctx, const struct reply *reply, const struct err *err);

/* Redis did not do it: the call fails and the node's connection is made anew, after a while. */
static void call_refused(struct redis_call *call, const struct reply *reply)
{
    struct redis *redis = call->redis;
    struct redis_node *node = call->node;
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "Redis cannot do it now: %.*s", SPAN_ARG(reply_span(reply)));
    redis_call_finish(call, NULL, &err);
    if (!redis->closing && node_is_ours(redis, node))
        redis_node_reset(node, &err);
}

static void ignore_answer(void *ctx, const struct reply *reply, const struct err *err)
{
    (void)ctx;
    (void)reply;
    (void)err;
}

static int call_resend(struct redis_call *call, const struct redis_redirect *to, struct err *err)
{
    static const struct span asking = {"*1\r\n$6\r\nASKING\r\n", 16};
    struct redis *redis = call->redis;
    struct redis_node *node = node_find(redis, &to->to);
    struct redis_link *link = node == NULL ? NULL : redis_node_link(node);
    if (link == NULL || call->moves++ == MOVES)
        return err_set(err, ERR_UNAVAILABLE, "the Redis Cluster is being rearranged");
    if (to->ask && redis_link_send_raw(link, asking, ignore_answer, NULL, err) != 0)
        return -1;
    if (redis_link_send_raw(link, span_of(call->command, call->len), call_answer, call, err) != 0)
        return -1;
    call->node = node;
    if (!to->ask) {
        for (size_t i = 0; i < redis->nodes; i++)
            if (redis->node[i] == node)
                redis->slot[to->slot] = (uint16_t)i;
        redis_discovery_ask(redis->discovery);
    }
    return 0;
}

static void call_redirect(struct redis_call *call, const struct redis_redirect *to)
{
    struct redis *redis = call->redis;
    struct err err;
    if (call_resend(call, to, &err) == 0)
        return;
    redis_call_finish(call, NULL, &err);
    redis_distrust(redis);
}

static void call_answer(void *ctx, const struct reply *reply, const struct err *err)
{
    struct redis_call *call = ctx;
    struct redis_redirect to;
    if (call->calls == NULL) {
        mem_free(call);
        return;
    }
    if (err != NULL || reply_type(reply) != REPLY_ERROR)
        redis_call_finish(call, reply, err);
    else if (call->len > 0 &&
             redis_redirect_read(reply_span(reply), redis_node_endpoint(call->node), &to) == 1)
        call_redirect(call, &to);
    else if (reply_not_done(reply))
        call_refused(call, reply);
    else
        redis_call_finish(call, reply, NULL);
}

/* ---- the public side ---- */

static struct redis_call *call_send_single(struct redis *redis, size_t argc,
                                           const struct span *argv, struct err *err)
{
    struct redis_call *call = mem_alloc(sizeof(*call));
    if (call == NULL) {
        err_set(err, ERR_NOMEM, "no memory for a Redis command");
        return NULL;
    }
    call->node = redis->node[0];
    call->moves = 0;
    call->len = 0;
    if (redis_link_send(redis_node_link(call->node), argc, argv, call_answer, call, err) != 0) {
        mem_free(call);
        return NULL;
    }
    return call;
}

static struct redis_call *call_send_cluster(struct redis *redis, struct span key, size_t argc,
                                            const struct span *argv, struct err *err)
{
    buf_clear(&redis->scratch);
    redis_format(&redis->scratch, argc, argv);
    struct span text = buf_view(&redis->scratch);
    struct redis_call *call = buf_ok(&redis->scratch) ? mem_alloc(sizeof(*call) + text.len) : NULL;
    if (call == NULL) {
        err_set(err, ERR_NOMEM, "no memory for a Redis command");
        return NULL;
    }
    call->node = redis->node[redis->slot[redis_slot(key)]];
    call->moves = 0;
    call->len = text.len;
    memcpy(call->command, text.ptr, text.len);
    if (redis_link_send_raw(redis_node_link(call->node), text, call_answer, call, err) != 0) {
        mem_free(call);
        return NULL;
    }
    return call;
}

int redis_command(struct redis *redis, struct span key, size_t argc, const struct span *argv,
                  redis_done *done, void *ctx, struct err *err)
{
    if (!redis_ready(redis))
        return err_set(err, ERR_UNAVAILABLE, "Redis is not ready");
    if (redis->calls.count >= LIMIT_REDIS_QUEUE)
        return err_set(err, ERR_LIMIT, "%d commands wait for Redis already", LIMIT_REDIS_QUEUE);
    struct redis_call *call = redis->discovery == NULL
                                  ? call_send_single(redis, argc, argv, err)
                                  : call_send_cluster(redis, key, argc, argv, err);
    if (call == NULL)
        return -1;
    call->redis = redis;
    call->done = done;
    call->ctx = ctx;
    redis_calls_add(&redis->calls, call);
    return 0;
}

bool redis_ready(const struct redis *redis)
{
    return redis->ready && nodes_ready(redis);
}

bool redis_is_cluster(const struct redis *redis)
{
    return redis->options.target.cluster;
}

size_t redis_pending(const struct redis *redis)
{
    return redis->calls.count;
}

static int redis_begin(struct redis *redis, struct err *err)
{
    const struct redis_target *target = &redis->options.target;
    if (!target->cluster) {
        struct redis_endpoint at = redis_target_endpoint(target, 0);
        redis->mapped = true;
        redis->node[0] = node_make(redis, &at, REDIS_NODE_SINGLE, err);
        redis->nodes = redis->node[0] != NULL ? 1 : 0;
        return redis->node[0] != NULL ? 0 : -1;
    }
    struct redis_discovery_options options = {
        .target = target,
        .connect_ms = redis->options.connect_ms,
        .command_ms = redis->options.command_ms,
        .on_map = on_map,
        .ctx = redis,
    };
    redis->discovery = redis_discovery_new(redis->loop, &options, err);
    return redis->discovery != NULL ? 0 : -1;
}

struct redis *redis_new(uv_loop_t *loop, const struct redis_options *options, struct err *err)
{
    struct redis *redis = mem_zalloc(1, sizeof(*redis));
    if (redis == NULL) {
        err_set(err, ERR_NOMEM, "no memory for a Redis client");
        return NULL;
    }
    redis->loop = loop;
    redis->options = *options;
    if (options->connect_ms == 0)
        redis->options.connect_ms = LIMIT_REDIS_CONNECT_MS;
    if (options->command_ms == 0)
        redis->options.command_ms = LIMIT_REDIS_COMMAND_MS;
    CHECK(uv_timer_init(loop, &redis->anchor) == 0);
    redis->anchor.data = redis;
    int rc = 0;
    if (options->library != NULL) {
        redis->library = mem_strndup(options->library, strlen(options->library));
        if (redis->library == NULL)
            rc = err_set(err, ERR_NOMEM, "no memory for the function library");
    }
    if (rc == 0)
        rc = redis_begin(redis, err);
    if (rc != 0)
        redis_close(&redis);
    return redis;
}

static void redis_closed(uv_handle_t *handle)
{
    struct redis *redis = handle->data;
    mem_free(redis->library);
    buf_free(&redis->scratch);
    mem_free(redis);
}

void redis_close(struct redis **redis)
{
    struct redis *gone = *redis;
    if (gone == NULL)
        return;
    *redis = NULL;
    gone->closing = true;
    gone->ready = false;
    redis_calls_abandon(&gone->calls);
    for (size_t i = 0; i < gone->nodes; i++)
        redis_node_close(&gone->node[i]);
    gone->nodes = 0;
    redis_discovery_close(&gone->discovery);
    uv_close((uv_handle_t *)&gone->anchor, redis_closed);
}
