/* An open-addressing table of worker ids, grown at two thirds full, behind a lock that is held for
 * one look-up or one addition at a time. */
#include "engine/model/load.h"

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/model/id.h"

#include <pthread.h>
#include <string.h>

enum { LOAD_START = 64 };

struct entry {
    char worker[ID_COMMUNITY_BYTES + 1]; /* empty: free */
    struct load_of of;
};

struct load {
    pthread_mutex_t *lock;
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t count;
};

struct load *load_new(void)
{
    struct load *load = mem_zalloc(1, sizeof *load);
    if (load == NULL)
        return NULL;
    load->capacity = LOAD_START;
    load->entries = mem_zalloc(load->capacity, sizeof *load->entries);
    load->lock = mem_alloc(sizeof *load->lock);
    if (load->entries == NULL || load->lock == NULL) {
        mem_free(load->entries);
        mem_free(load->lock);
        mem_free(load);
        return NULL;
    }
    CHECK(pthread_mutex_init(load->lock, NULL) == 0);
    return load;
}

void load_free(struct load **load)
{
    if (*load == NULL)
        return;
    CHECK(pthread_mutex_destroy((*load)->lock) == 0);
    mem_free((*load)->lock);
    mem_free((*load)->entries);
    mem_free(*load);
    *load = NULL;
}

/* The entry of a worker, or the free one where it belongs. */
static struct entry *slot_of(struct entry *entries, size_t capacity, struct span worker)
{
    size_t i = (size_t)hash64(worker, 0) & (capacity - 1);
    while (entries[i].worker[0] != '\0' && !span_eq(span_str(entries[i].worker), worker))
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

static int grow(struct load *load)
{
    const size_t capacity = load->capacity * 2;
    struct entry *entries = mem_zalloc(capacity, sizeof *entries);
    if (entries == NULL)
        return -1;
    for (size_t i = 0; i < load->capacity; i++) {
        const struct entry *old = &load->entries[i];
        if (old->worker[0] != '\0')
            *slot_of(entries, capacity, span_str(old->worker)) = *old;
    }
    mem_free(load->entries);
    load->entries = entries;
    load->capacity = capacity;
    return 0;
}

struct load_of load_get(const struct load *load, struct span worker)
{
    if (load == NULL)
        return (struct load_of){0};
    CHECK(pthread_mutex_lock(load->lock) == 0);
    const struct load_of of = slot_of(load->entries, load->capacity, worker)->of;
    CHECK(pthread_mutex_unlock(load->lock) == 0);
    return of;
}

static void add(struct load *load, struct span worker, struct load_of more)
{
    if (load->count * 3 >= load->capacity * 2 && grow(load) < 0)
        return;
    struct entry *entry = slot_of(load->entries, load->capacity, worker);
    if (entry->worker[0] == '\0') {
        memcpy(entry->worker, worker.ptr, worker.len);
        load->count++;
    }
    entry->of.open += more.open;
    if (more.last_at > entry->of.last_at)
        entry->of.last_at = more.last_at;
}

void load_add(struct load *load, struct span worker, struct load_of more)
{
    if (load == NULL || worker.len == 0 || worker.len > ID_COMMUNITY_BYTES)
        return;
    CHECK(pthread_mutex_lock(load->lock) == 0);
    add(load, worker, more);
    CHECK(pthread_mutex_unlock(load->lock) == 0);
}

void load_replace(struct load *load, struct load **fresh)
{
    struct load *other = *fresh;
    CHECK(pthread_mutex_lock(load->lock) == 0);
    struct entry *entries = load->entries;
    load->entries = other->entries;
    load->capacity = other->capacity;
    load->count = other->count;
    CHECK(pthread_mutex_unlock(load->lock) == 0);
    other->entries = entries;
    load_free(fresh);
}

size_t load_choose(const struct load_of *equals, size_t count)
{
    size_t best = 0;
    CHECK(count > 0);
    for (size_t i = 1; i < count; i++) {
        const struct load_of *one = &equals[i], *b = &equals[best];
        if (one->open < b->open || (one->open == b->open && one->last_at < b->last_at))
            best = i;
    }
    return best;
}
