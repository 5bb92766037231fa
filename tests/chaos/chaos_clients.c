#include "tests/chaos/chaos_clients.h"

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/http/client.h"
#include "engine/http/json.h"

#include <stdio.h>

enum {
    ANSWER_MS = 8000,
    RETRY_MS = 40,
    THINK_MS = 4,
    REPEAT_ONE_IN = 10,
    ID_ROOM = 64,
    KEYS_MAX = 1000000,
    ALIASES_MAX = 100000
};

struct key_state {
    char id[ID_ROOM]; /* empty until acknowledged */
};

/* A second id of a key; see chaos_clients_aliases. */
struct alias {
    size_t key;
    char id[ID_ROOM];
};

struct client {
    struct chaos_clients *all;
    struct http_client *http;
    uv_timer_t timer;
    size_t key; /* in hand */
    bool busy;  /* a key is in hand and not yet answered for good */
};

struct chaos_clients {
    struct chaos_clients_options options;
    struct random random;
    struct json_reader *json;
    struct key_state *keys;
    struct alias *aliases;
    size_t alias_count, aliases_asked, aliases_led;
    struct client *clients;
    size_t key_count, busy;
    uint64_t acknowledged, created, contradictions, retries;
    size_t open_timers;
    bool finishing, asking, closing;
};

static void on_response(void *ctx, const struct http_response *response);

static void post(struct client *c)
{
    struct chaos_clients *all = c->all;
    char headers[128];
    const int len =
        snprintf(headers, sizeof(headers),
                 "Content-Type: application/json\r\nIdempotency-Key: chaos-%016llx-%zu\r\n",
                 (unsigned long long)all->options.seed, c->key);
    const size_t text = c->key % demo_texts_count(all->options.texts);
    (void)http_client_send(c->http, "POST", "/v1/complaints", span_of(headers, (size_t)len),
                           demo_texts_at(all->options.texts, text), on_response, c);
}

static void on_timer(uv_timer_t *timer)
{
    struct client *c = timer->data;
    struct chaos_clients *all = c->all;
    if (c->busy) {
        post(c);
        return;
    }
    if (all->finishing || all->key_count == KEYS_MAX)
        return;
    const bool repeat = all->key_count > 100 && random_below(&all->random, REPEAT_ONE_IN) == 0;
    c->key = repeat ? (size_t)random_below(&all->random, all->key_count) : all->key_count++;
    c->busy = true;
    all->busy++;
    post(c);
}

static void wait_for(struct client *c, uint64_t ms)
{
    (void)uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void contradiction(struct chaos_clients *all, const char *what, size_t key, int status,
                          struct span body)
{
    all->contradictions++;
    (void)fprintf(stderr, "key %zu: %s (%d): %.*s\n", key, what, status,
                  SPAN_ARG(span_sub(body, 0, 400)));
}

static void tell_order(const struct chaos_clients *all, struct json root, struct span id)
{
    struct json assignee, worker;
    if (json_get(root, "assignee", &assignee) && json_get(assignee, "id", &worker) &&
        json_type(worker) == JSON_STRING)
        all->options.on_order(all->options.ctx, id, json_string(worker));
}

static void acknowledge(struct client *c, const struct http_response *response)
{
    struct chaos_clients *all = c->all;
    struct key_state *key = &all->keys[c->key];
    struct json root, id;
    if (json_parse(all->json, response->body, &root, NULL) < 0 || !json_get(root, "id", &id) ||
        json_type(id) != JSON_STRING || json_string(id).len >= ID_ROOM) {
        contradiction(all, "an acknowledgement without an id", c->key, response->status,
                      response->body);
        return;
    }
    if (key->id[0] == '\0') {
        (void)snprintf(key->id, sizeof(key->id), "%.*s", SPAN_ARG(json_string(id)));
        (void)ledger_mark(all->options.ledger, json_string(id), LEDGER_ACKNOWLEDGED);
        all->acknowledged++;
        all->created += response->status == 201;
        if (response->status == 201)
            tell_order(all, root, json_string(id));
    } else if (span_eq(span_str(key->id), json_string(id))) {
        return;
    } else if (response->status == 202 && all->alias_count < ALIASES_MAX) {
        struct alias *alias = &all->aliases[all->alias_count++];
        alias->key = c->key;
        (void)snprintf(alias->id, sizeof(alias->id), "%.*s", SPAN_ARG(json_string(id)));
    } else {
        contradiction(all, "a second order for one key", c->key, response->status, response->body);
    }
}

static void on_response(void *ctx, const struct http_response *response)
{
    struct client *c = ctx;
    struct chaos_clients *all = c->all;
    const int status = response->status;
    if (all->closing)
        return;
    if (status == 0 || status == 409 || status == 503) {
        all->retries++;
        wait_for(c, RETRY_MS);
        return;
    }
    if (status == 201 || status == 202)
        acknowledge(c, response);
    else
        contradiction(all, "an answer nobody should get", c->key, status, response->body);
    c->busy = false;
    all->busy--;
    wait_for(c, random_below(&all->random, 2 * THINK_MS));
}

/* ---- aliases, at the end ---- */

static void on_alias(void *ctx, const struct http_response *response);

static void ask_alias(struct chaos_clients *all)
{
    char path[ID_ROOM + 32];
    if (all->aliases_asked == all->alias_count)
        return;
    (void)snprintf(path, sizeof(path), "/v1/complaints/%s", all->aliases[all->aliases_asked].id);
    (void)http_client_send(all->clients[0].http, "GET", path, SPAN(""), SPAN(""), on_alias, all);
}

static void on_alias(void *ctx, const struct http_response *response)
{
    struct chaos_clients *all = ctx;
    const struct alias *alias = &all->aliases[all->aliases_asked];
    struct json root, id;
    if (all->closing)
        return;
    if (response->status == 0 || response->status == 503) {
        ask_alias(all);
        return;
    }
    if (response->status == 200 && json_parse(all->json, response->body, &root, NULL) == 0 &&
        json_get(root, "id", &id) && json_type(id) == JSON_STRING &&
        span_eq(json_string(id), span_str(all->keys[alias->key].id)))
        all->aliases_led++;
    else
        contradiction(all, "an id that was given out leads nowhere", alias->key, response->status,
                      response->body);
    all->aliases_asked++;
    ask_alias(all);
}

uint64_t chaos_clients_aliases(const struct chaos_clients *clients)
{
    return clients->alias_count;
}

static int open_clients(struct chaos_clients *all)
{
    for (size_t i = 0; i < all->options.clients; i++) {
        struct client *c = &all->clients[i];
        c->all = all;
        c->http = http_client_new(all->options.loop, "127.0.0.1", all->options.port, ANSWER_MS);
        if (c->http == NULL)
            return -1;
        (void)uv_timer_init(all->options.loop, &c->timer);
        c->timer.data = c;
        all->open_timers++;
        wait_for(c, i);
    }
    return 0;
}

struct chaos_clients *chaos_clients_start(const struct chaos_clients_options *options,
                                          struct err *err)
{
    struct chaos_clients *all = mem_zalloc(1, sizeof(*all));
    if (all != NULL) {
        all->options = *options;
        all->random.state = options->seed;
        all->json = json_reader_new(LIMIT_JSON_DEPTH);
        all->keys = mem_zalloc(KEYS_MAX, sizeof(*all->keys));
        all->aliases = mem_zalloc(ALIASES_MAX, sizeof(*all->aliases));
        all->clients = mem_zalloc(options->clients, sizeof(*all->clients));
    }
    if (all == NULL || all->json == NULL || all->keys == NULL || all->aliases == NULL ||
        all->clients == NULL || open_clients(all) < 0) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        chaos_clients_close(&all);
    }
    return all;
}

uint64_t chaos_clients_acknowledged(const struct chaos_clients *clients)
{
    return clients->acknowledged;
}

uint64_t chaos_clients_created(const struct chaos_clients *clients)
{
    return clients->created;
}

uint64_t chaos_clients_contradictions(const struct chaos_clients *clients)
{
    return clients->contradictions;
}

uint64_t chaos_clients_retries(const struct chaos_clients *clients)
{
    return clients->retries;
}

bool chaos_clients_finish(struct chaos_clients *clients)
{
    clients->finishing = true;
    if (clients->busy > 0)
        return false;
    if (!clients->asking) {
        clients->asking = true;
        ask_alias(clients);
    }
    return clients->aliases_asked == clients->alias_count;
}

static void free_all(struct chaos_clients *all)
{
    json_reader_free(&all->json);
    mem_free(all->keys);
    mem_free(all->aliases);
    mem_free(all->clients);
    mem_free(all);
}

static void on_closed(uv_handle_t *handle)
{
    struct chaos_clients *all = ((struct client *)handle->data)->all;
    if (--all->open_timers == 0)
        free_all(all);
}

void chaos_clients_close(struct chaos_clients **clients)
{
    struct chaos_clients *all = *clients;
    *clients = NULL;
    if (all == NULL)
        return;
    all->closing = true;
    const size_t timers = all->open_timers;
    for (size_t i = 0; all->clients != NULL && i < all->options.clients; i++) {
        if (all->clients[i].http != NULL)
            http_client_close(&all->clients[i].http);
    }
    if (timers == 0)
        free_all(all);
    for (size_t i = 0; i < timers; i++)
        uv_close((uv_handle_t *)&all->clients[i].timer, on_closed);
}
