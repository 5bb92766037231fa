#include "tests/chaos/chaos_workers.h"

#include "engine/base/mem.h"
#include "engine/http/client.h"

#include <stdio.h>

enum {
    ANSWER_MS = 8000,
    RETRY_MS = 40,
    IDLE_MS = 5,
    ID_ROOM = 64,
    NAME_ROOM = 40,
    JOBS = 256, /* orders that wait to be taken up */
    SCRIPT_STEPS = 4
};

/* What is done with an order; they take turns. */
static const struct script {
    struct {
        const char *step, *details;
    } steps[SCRIPT_STEPS];
} scripts[] = {
    {{{"accept", ""}, {"arrive", ""}, {"resolve", ",\"result\":\"办好了\""}}},
    {{{"return", ",\"reason\":\"not_my_grid\""}}},
    {{{"accept", ""}, {"return", ",\"reason\":\"no_capacity\""}}},
    {{{"accept", ""},
      {"report", ""},
      {"note", ",\"note\":\"看过了\",\"feedback\":true"},
      {"resolve", ""}}},
};

enum { SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

struct job {
    char order[ID_ROOM], worker[NAME_ROOM];
};

struct worker {
    struct chaos_workers *all;
    struct http_client *http;
    uv_timer_t timer;
    struct job job;
    const struct script *script; /* NULL: idle */
    size_t at;                   /* the step in hand */
    bool refused;                /* it was, and the order is asked why */
};

struct chaos_workers {
    struct chaos_workers_options options;
    struct job jobs[JOBS];
    size_t first, waiting;
    uint64_t taken, contradictions;
    struct worker *workers;
    size_t open_timers;
    bool finishing, closing;
};

static void on_response(void *ctx, const struct http_response *response);

static void post(struct worker *w)
{
    char path[ID_ROOM + 48], headers[192], body[256];
    const char *step = w->script->steps[w->at].step;
    (void)snprintf(path, sizeof(path), "/v1/orders/%s/%s", w->job.order, step);
    const int headers_len = snprintf(
        headers, sizeof(headers),
        "Content-Type: application/json\r\nIdempotency-Key: chaos-%s-%zu\r\n", w->job.order, w->at);
    const int body_len = snprintf(body, sizeof(body), "{\"worker\":\"%s\"%s}", w->job.worker,
                                  w->script->steps[w->at].details);
    (void)http_client_send(w->http, "POST", path, span_of(headers, (size_t)headers_len),
                           span_of(body, (size_t)body_len), on_response, w);
}

static void on_looked(void *ctx, const struct http_response *response);

static void look(struct worker *w)
{
    char path[ID_ROOM + 48];
    (void)snprintf(path, sizeof(path), "/v1/orders/%s", w->job.order);
    (void)http_client_send(w->http, "GET", path, SPAN(""), SPAN(""), on_looked, w);
}

static void on_timer(uv_timer_t *timer);

static void wait_for(struct worker *w, uint64_t ms)
{
    (void)uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    struct chaos_workers *all = w->all;
    if (w->script == NULL && !all->finishing && all->waiting > 0) {
        w->job = all->jobs[all->first];
        all->first = (all->first + 1) % JOBS;
        all->waiting--;
        w->script = &scripts[all->taken++ % SCRIPTS];
        w->at = 0;
    }
    if (w->script != NULL && w->refused)
        look(w);
    else if (w->script != NULL)
        post(w);
    else
        wait_for(w, IDLE_MS);
}

static void acknowledged(struct worker *w)
{
    (void)ledger_mark(w->all->options.ledger, span_str(w->job.order), LEDGER_STEP_ACKNOWLEDGED);
    w->at++;
    if (w->at == SCRIPT_STEPS || w->script->steps[w->at].step == NULL)
        w->script = NULL;
    wait_for(w, 0);
}

static void contradicted(struct worker *w, const struct http_response *response)
{
    w->all->contradictions++;
    (void)fprintf(stderr, "order %s: %s was answered %d: %.*s\n", w->job.order,
                  w->script->steps[w->at].step, response->status,
                  SPAN_ARG(span_sub(response->body, 0, 400)));
}

static void give_up(struct worker *w)
{
    w->refused = false;
    w->script = NULL;
    wait_for(w, 0);
}

static void on_response(void *ctx, const struct http_response *response)
{
    struct worker *w = ctx;
    const int status = response->status;
    if (w->all->closing)
        return;
    if (status == 200) {
        acknowledged(w);
    } else if (status == 0 || status == 202 || status == 503) {
        wait_for(w, RETRY_MS);
    } else if (status == 409) {
        w->refused = true;
        wait_for(w, 0);
    } else {
        contradicted(w, response);
        give_up(w);
    }
}

/* The order as it is, of which a step was refused: the engine must have given it to somebody else. */
static void on_looked(void *ctx, const struct http_response *response)
{
    struct worker *w = ctx;
    const int status = response->status;
    if (w->all->closing)
        return;
    if (status == 0 || status == 503) {
        wait_for(w, RETRY_MS);
        return;
    }
    if (status != 200 || (span_find(response->body, SPAN("\"step\":\"hand_over\"")) < 0 &&
                          span_find(response->body, SPAN("\"step\":\"escalate\"")) < 0))
        contradicted(w, response);
    give_up(w);
}

void chaos_workers_offer(struct chaos_workers *workers, struct span order, struct span worker)
{
    if (workers->waiting == JOBS || order.len >= ID_ROOM || worker.len >= NAME_ROOM)
        return;
    struct job *job = &workers->jobs[(workers->first + workers->waiting++) % JOBS];
    (void)snprintf(job->order, sizeof(job->order), "%.*s", SPAN_ARG(order));
    (void)snprintf(job->worker, sizeof(job->worker), "%.*s", SPAN_ARG(worker));
}

uint64_t chaos_workers_contradictions(const struct chaos_workers *workers)
{
    return workers->contradictions;
}

bool chaos_workers_finish(struct chaos_workers *workers)
{
    workers->finishing = true;
    for (size_t i = 0; i < workers->options.workers; i++) {
        if (workers->workers[i].script != NULL)
            return false;
    }
    return true;
}

static int open_workers(struct chaos_workers *all)
{
    for (size_t i = 0; i < all->options.workers; i++) {
        struct worker *w = &all->workers[i];
        w->all = all;
        w->http = http_client_new(all->options.loop, "127.0.0.1", all->options.port, ANSWER_MS);
        if (w->http == NULL)
            return -1;
        (void)uv_timer_init(all->options.loop, &w->timer);
        w->timer.data = w;
        all->open_timers++;
        wait_for(w, i);
    }
    return 0;
}

struct chaos_workers *chaos_workers_start(const struct chaos_workers_options *options,
                                          struct err *err)
{
    struct chaos_workers *all = mem_zalloc(1, sizeof(*all));
    if (all != NULL) {
        all->options = *options;
        all->workers = mem_zalloc(options->workers, sizeof(*all->workers));
    }
    if (all == NULL || all->workers == NULL || open_workers(all) < 0) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        chaos_workers_close(&all);
    }
    return all;
}

static void free_all(struct chaos_workers *all)
{
    mem_free(all->workers);
    mem_free(all);
}

static void on_closed(uv_handle_t *handle)
{
    struct chaos_workers *all = ((struct worker *)handle->data)->all;
    if (--all->open_timers == 0)
        free_all(all);
}

void chaos_workers_close(struct chaos_workers **workers)
{
    struct chaos_workers *all = *workers;
    *workers = NULL;
    if (all == NULL)
        return;
    all->closing = true;
    const size_t timers = all->open_timers;
    for (size_t i = 0; all->workers != NULL && i < all->options.workers; i++) {
        if (all->workers[i].http != NULL)
            http_client_close(&all->workers[i].http);
    }
    if (timers == 0)
        free_all(all);
    for (size_t i = 0; i < timers; i++)
        uv_close((uv_handle_t *)&all->workers[i].timer, on_closed);
}
