/*
 * A node of kind LISTENER and a table of channels with their counts. Once the node is ready every
 * reply on its connection is a push: confirmations of SUBSCRIBE, messages, pongs; only messages
 * matter here.
 *
 * Any node of a Cluster passes on what was published on any other, so the seeds are tried in turn.
 */
#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/store/redis_node.h"

#include <string.h>

enum { TABLE_FIRST = 64 };

struct channel {
    struct channel *next; /* of the same bucket */
    uint64_t hash;
    size_t count;
    size_t len;
    char name[];
};

struct redis_listener {
    struct redis_target target;
    void (*on_message)(void *, struct span, struct span);
    void (*on_reset)(void *);
    void *ctx;
    uv_timer_t anchor; /* never started: its closing frees us after the current callbacks */
    struct redis_node *node;
    struct channel **bucket;
    size_t buckets; /* a power of two */
    size_t channels;
};

static struct channel **channel_find(const struct redis_listener *listener, struct span name,
                                     uint64_t hash)
{
    struct channel **at = &listener->bucket[hash & (listener->buckets - 1)];
    while (*at != NULL && ((*at)->hash != hash || !span_eq(span_of((*at)->name, (*at)->len), name)))
        at = &(*at)->next;
    return at;
}

/* Doubles the table; when memory is short it stays as it is, only slower. */
static void table_grow(struct redis_listener *listener)
{
    size_t size = listener->buckets * 2;
    struct channel **bucket = mem_zalloc(size, sizeof(struct channel *));
    if (bucket == NULL)
        return;
    for (size_t i = 0; i < listener->buckets; i++) {
        while (listener->bucket[i] != NULL) {
            struct channel *channel = listener->bucket[i];
            listener->bucket[i] = channel->next;
            channel->next = bucket[channel->hash & (size - 1)];
            bucket[channel->hash & (size - 1)] = channel;
        }
    }
    mem_free(listener->bucket);
    listener->bucket = bucket;
    listener->buckets = size;
}

/* While there is no connection this does nothing: all channels are told when there is one. */
static void tell(struct redis_listener *listener, struct span verb, struct span name)
{
    struct span argv[] = {verb, name};
    struct err err;
    struct redis_link *link = redis_node_link(listener->node);
    if (link != NULL && redis_link_send(link, 2, argv, NULL, NULL, &err) != 0)
        redis_node_reset(listener->node, &err);
}

static void on_ready(void *ctx)
{
    struct redis_listener *listener = ctx;
    for (size_t i = 0; i < listener->buckets; i++)
        for (struct channel *c = listener->bucket[i]; c != NULL; c = c->next)
            tell(listener, SPAN("SUBSCRIBE"), span_of(c->name, c->len));
    listener->on_reset(listener->ctx);
}

static void on_lost(void *ctx)
{
    (void)ctx; /* the node connects again, and then on_reset tells */
}

static void on_push(void *ctx, const struct reply *reply)
{
    struct redis_listener *listener = ctx;
    if (reply_size(reply) == 3 && span_eq(reply_span(reply_at(reply, 0)), SPAN("message")))
        listener->on_message(listener->ctx, reply_span(reply_at(reply, 1)),
                             reply_span(reply_at(reply, 2)));
}

struct redis_listener *redis_listener_new(uv_loop_t *loop, const struct redis_target *target,
                                          void (*on_message)(void *, struct span, struct span),
                                          void (*on_reset_fn)(void *), void *ctx, struct err *err)
{
    struct redis_listener *listener = mem_zalloc(1, sizeof(*listener));
    struct channel **bucket = mem_zalloc(TABLE_FIRST, sizeof(struct channel *));
    if (listener == NULL || bucket == NULL) {
        mem_free(listener);
        mem_free(bucket);
        err_set(err, ERR_NOMEM, "no memory for a Redis listener");
        return NULL;
    }
    *listener = (struct redis_listener){.target = *target,
                                        .on_message = on_message,
                                        .on_reset = on_reset_fn,
                                        .ctx = ctx,
                                        .bucket = bucket,
                                        .buckets = TABLE_FIRST};
    CHECK(uv_timer_init(loop, &listener->anchor) == 0);
    listener->anchor.data = listener;
    struct redis_node_options options = {
        .target = &listener->target,
        .endpoints = target->count,
        .kind = REDIS_NODE_LISTENER,
        .connect_ms = LIMIT_REDIS_CONNECT_MS,
        .command_ms = LIMIT_REDIS_COMMAND_MS,
        .on_ready = on_ready,
        .on_lost = on_lost,
        .on_push = on_push,
        .ctx = listener,
    };
    for (size_t i = 0; i < target->count; i++)
        options.endpoint[i] = redis_target_endpoint(target, i);
    listener->node = redis_node_new(loop, &options, err);
    if (listener->node == NULL)
        redis_listener_close(&listener);
    return listener;
}

int redis_listener_subscribe(struct redis_listener *listener, struct span name)
{
    uint64_t hash = hash64(name, hash_seed());
    struct channel **at = channel_find(listener, name, hash);
    if (*at != NULL) {
        (*at)->count++;
        return 0;
    }
    struct channel *channel = mem_alloc(sizeof(*channel) + name.len);
    if (channel == NULL)
        return -1;
    *channel = (struct channel){.hash = hash, .count = 1, .len = name.len};
    memcpy(channel->name, name.ptr, name.len);
    *at = channel;
    if (++listener->channels > listener->buckets)
        table_grow(listener);
    tell(listener, SPAN("SUBSCRIBE"), name);
    return 0;
}

void redis_listener_unsubscribe(struct redis_listener *listener, struct span name)
{
    struct channel **at = channel_find(listener, name, hash64(name, hash_seed()));
    struct channel *channel = *at;
    CHECK(channel != NULL);
    if (--channel->count > 0)
        return;
    tell(listener, SPAN("UNSUBSCRIBE"), name);
    *at = channel->next;
    listener->channels--;
    mem_free(channel);
}

static void listener_closed(uv_handle_t *handle)
{
    struct redis_listener *listener = handle->data;
    for (size_t i = 0; i < listener->buckets; i++) {
        while (listener->bucket[i] != NULL) {
            struct channel *channel = listener->bucket[i];
            listener->bucket[i] = channel->next;
            mem_free(channel);
        }
    }
    mem_free(listener->bucket);
    mem_free(listener);
}

void redis_listener_close(struct redis_listener **listener)
{
    struct redis_listener *gone = *listener;
    if (gone == NULL)
        return;
    *listener = NULL;
    redis_node_close(&gone->node);
    uv_close((uv_handle_t *)&gone->anchor, listener_closed);
}
