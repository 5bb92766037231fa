#include "engine/api/waiters.h"

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

enum { BUCKETS = 1024 };

struct waiters {
    struct waiter *buckets[BUCKETS];
    size_t count;
};

struct waiters *waiters_new(void)
{
    return mem_zalloc(1, sizeof(struct waiters));
}

void waiters_free(struct waiters **waiters)
{
    mem_free(*waiters);
    *waiters = NULL;
}

static struct waiter **bucket_of(struct waiters *waiters, struct span channel)
{
    return &waiters->buckets[hash64(channel, hash_seed()) % BUCKETS];
}

int waiters_add(struct waiters *waiters, struct waiter *waiter)
{
    if (waiters->count >= LIMIT_LONG_POLLS)
        return -1;
    struct waiter **bucket = bucket_of(waiters, key_span(&waiter->channel));
    waiter->next = *bucket;
    waiter->link = bucket;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    *bucket = waiter;
    waiters->count++;
    metric_add(METRIC_LONG_POLLS, 1);
    return 0;
}

void waiters_remove(struct waiters *waiters, struct waiter *waiter)
{
    if (waiter->link == NULL)
        return;
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiter->link = NULL;
    waiter->next = NULL;
    waiters->count--;
    metric_add(METRIC_LONG_POLLS, -1);
}

void waiters_wake(struct waiters *waiters, struct span channel)
{
    struct waiter *next;
    for (struct waiter *w = *bucket_of(waiters, channel); w != NULL; w = next) {
        next = w->next;
        if (span_eq(key_span(&w->channel), channel))
            w->wake(w);
    }
}

void waiters_wake_all(struct waiters *waiters)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct waiter *next;
        for (struct waiter *w = waiters->buckets[i]; w != NULL; w = next) {
            next = w->next;
            w->wake(w);
        }
    }
}
