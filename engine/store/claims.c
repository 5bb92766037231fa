/*
 * A table with chains under one mutex; only requests with an Idempotency-Key come here. The keys
 * are 128-bit hashes made by us of what strangers choose, so the chains are found by a hash of that
 * with the process' seed.
 */
#include "engine/store/claims.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"

#include <pthread.h>

enum { FIRST_CHAINS = 1024 }; /* a power of two, as is every size after it */

struct claim {
    struct claim *next;
    struct hash128 claim, body;
    struct id id;
    /* The first request's ticket while it is in memory; NULL: that request is over and may have
     * been answered 202. */
    struct ticket *first;
    struct ticket *joined;
};

struct claims {
    pthread_mutex_t mutex;
    struct claim **chains;
    size_t size, count;
};

static bool same(struct hash128 a, struct hash128 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

static struct claim **chain_of(const struct claims *claims, struct hash128 claim)
{
    uint64_t h = hash64(span_of((const char *)&claim, sizeof(claim)), hash_seed());
    return &claims->chains[h & (claims->size - 1)];
}

/* The place that points to the claim, or to the end of its chain. */
static struct claim **find(const struct claims *claims, struct hash128 claim)
{
    struct claim **at = chain_of(claims, claim);
    while (*at != NULL && !same((*at)->claim, claim))
        at = &(*at)->next;
    return at;
}

struct claims *claims_new(struct err *err)
{
    struct claims *claims = mem_zalloc(1, sizeof(*claims));
    struct claim **chains = mem_zalloc(FIRST_CHAINS, sizeof(struct claim *));
    if (claims == NULL || chains == NULL) {
        mem_free(claims);
        mem_free(chains);
        err_set(err, ERR_NOMEM, "no memory for the table of idempotency keys");
        return NULL;
    }
    claims->chains = chains;
    claims->size = FIRST_CHAINS;
    CHECK(pthread_mutex_init(&claims->mutex, NULL) == 0);
    return claims;
}

static void drop_joined(struct claim *claim)
{
    while (claim->joined != NULL) {
        struct ticket *ticket = claim->joined;
        claim->joined = ticket->next;
        ticket_drop(ticket);
    }
}

void claims_free(struct claims **claims_p)
{
    struct claims *claims = *claims_p;
    if (claims == NULL)
        return;
    for (size_t i = 0; i < claims->size; i++) {
        while (claims->chains[i] != NULL) {
            struct claim *claim = claims->chains[i];
            claims->chains[i] = claim->next;
            drop_joined(claim);
            mem_free(claim);
        }
    }
    pthread_mutex_destroy(&claims->mutex);
    mem_free(claims->chains);
    mem_free(claims);
    *claims_p = NULL;
}

/* Doubles the table when it is full; goes on with longer chains when memory is short. */
static void grow(struct claims *claims)
{
    if (claims->count < claims->size)
        return;
    struct claim **old = claims->chains;
    size_t old_size = claims->size;
    struct claim **chains = mem_zalloc(old_size * 2, sizeof(struct claim *));
    if (chains == NULL)
        return;
    claims->chains = chains;
    claims->size = old_size * 2;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct claim *claim = old[i];
            old[i] = claim->next;
            struct claim **chain = chain_of(claims, claim->claim);
            claim->next = *chain;
            *chain = claim;
        }
    }
    mem_free(old);
}

/* Adds one at the end of its chain. NULL when memory is short. */
static struct claim *add(struct claims *claims, struct hash128 key, struct hash128 body,
                         const struct id *id)
{
    grow(claims);
    struct claim *claim = mem_zalloc(1, sizeof(*claim));
    if (claim == NULL)
        return NULL;
    claim->claim = key;
    claim->body = body;
    claim->id = *id;
    *find(claims, key) = claim;
    claims->count++;
    return claim;
}

/* The key is known: join its record, or say why not. */
static int meet(struct claim *claim, struct ticket *ticket, struct err *err)
{
    if (!same(claim->body, ticket->body))
        return err_set(err, ERR_INVALID, "the Idempotency-Key was used with another body");
    if (claim->first != NULL && !(ticket_released(claim->first) && ticket_committed(claim->first)))
        return err_set(err, ERR_CONFLICT, "a request with this Idempotency-Key is in progress");
    ticket->id = claim->id;
    atomic_store(&ticket->committed, true);
    ticket->next = claim->joined;
    claim->joined = ticket;
    return 0;
}

int claims_enter(struct claims *claims, struct ticket *ticket, struct err *err)
{
    int result = 1;
    pthread_mutex_lock(&claims->mutex);
    struct claim *claim = *find(claims, ticket->claim);
    if (claim != NULL) {
        result = meet(claim, ticket, err);
    } else {
        claim = add(claims, ticket->claim, ticket->body, &ticket->id);
        if (claim != NULL)
            claim->first = ticket;
        else
            result = err_set(err, ERR_NOMEM, "no memory for an idempotency key");
    }
    pthread_mutex_unlock(&claims->mutex);
    return result;
}

int claims_load(struct claims *claims, const struct record *record)
{
    pthread_mutex_lock(&claims->mutex);
    bool ok = *find(claims, record->claim) != NULL ||
              add(claims, record->claim, record->body, &record->id) != NULL;
    pthread_mutex_unlock(&claims->mutex);
    return ok ? 0 : -1;
}

void claims_forget_ticket(struct claims *claims, const struct ticket *ticket)
{
    pthread_mutex_lock(&claims->mutex);
    struct claim *claim = *find(claims, ticket->claim);
    if (claim != NULL && claim->first == ticket)
        claim->first = NULL;
    pthread_mutex_unlock(&claims->mutex);
}

struct ticket *claims_take(struct claims *claims, struct hash128 key, const struct id *id)
{
    struct ticket *joined = NULL;
    pthread_mutex_lock(&claims->mutex);
    struct claim **at = find(claims, key);
    struct claim *claim = *at;
    if (claim != NULL && span_eq(id_span(&claim->id), id_span(id))) {
        *at = claim->next;
        claims->count--;
        joined = claim->joined;
        mem_free(claim);
    }
    pthread_mutex_unlock(&claims->mutex);
    return joined;
}

size_t claims_count(struct claims *claims)
{
    pthread_mutex_lock(&claims->mutex);
    size_t count = claims->count;
    pthread_mutex_unlock(&claims->mutex);
    return count;
}
