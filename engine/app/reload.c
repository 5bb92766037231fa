#include "engine/app/reload.h"

#include "classifiers/rules_files.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <signal.h>
#include <string.h>

enum { RETIRED_LOOK_MS = 200 };

/* A policy that was replaced, until nobody else holds it. */
struct retired {
    struct retired *next;
    struct policy *policy;
};

/* What one round does: compile always, or only when the files have changed. */
enum round_kind { ROUND_COMPILE, ROUND_LOOK };

struct reload {
    struct reload_options options;
    uv_mutex_t lock; /* of policy, endpoints and waiting */
    struct policy *policy;
    struct endpoints *endpoints;
    struct api_reload *waiting; /* newest first */
    uv_async_t asked;
    uv_signal_t hangup;
    uv_timer_t watch, look;
    bool wanted; /* by a signal or a request since the round under way began */

    uv_work_t round; /* its fields belong to the pool's thread while busy */
    bool busy, closing;
    enum round_kind kind;
    struct api_reload *answers; /* whom the round under way will answer */
    struct policy *made;
    struct endpoints *made_endpoints;
    bool unchanged;
    struct err err;
    char seen_id[RULES_ID_BYTES]; /* of the files that were compiled last, good or not */

    struct retired *retired;
    uv_work_t sweep;
    struct retired *swept; /* belongs to the pool's thread while sweeping */
    bool sweeping;
    int handles; /* still to be closed */
};

static void begin(struct reload *r, enum round_kind kind);
static void close_when_idle(struct reload *r);

/* ---- the policy in force ---- */

struct policy *reload_policy(void *ctx)
{
    struct reload *r = ctx;
    uv_mutex_lock(&r->lock);
    struct policy *policy = policy_ref(r->policy);
    uv_mutex_unlock(&r->lock);
    return policy;
}

struct endpoints *reload_endpoints(void *ctx)
{
    struct reload *r = ctx;
    uv_mutex_lock(&r->lock);
    struct endpoints *endpoints = endpoints_ref(r->endpoints);
    uv_mutex_unlock(&r->lock);
    return endpoints;
}

static void on_swept(uv_work_t *work, int status)
{
    struct reload *r = work->data;
    (void)status;
    r->sweeping = false;
    close_when_idle(r);
}

static void sweep(uv_work_t *work)
{
    struct reload *r = work->data;
    while (r->swept != NULL) {
        struct retired *first = r->swept;
        r->swept = first->next;
        policy_unref(&first->policy);
        mem_free(first);
    }
}

/* Hands to the pool what nobody else holds any more. */
static void on_look(uv_timer_t *timer)
{
    struct reload *r = timer->data;
    if (r->sweeping)
        return;
    for (struct retired **at = &r->retired; *at != NULL;) {
        struct retired *one = *at;
        if (policy_is_shared(one->policy)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        one->next = r->swept;
        r->swept = one;
    }
    if (r->retired == NULL)
        (void)uv_timer_stop(&r->look);
    r->sweeping = r->swept != NULL;
    if (r->sweeping)
        CHECK(uv_queue_work(r->options.loop, &r->sweep, sweep, on_swept) == 0);
}

static void retire(struct reload *r, struct policy *policy)
{
    struct retired *one = mem_alloc(sizeof *one);
    if (one == NULL) {
        policy_unref(&policy); /* the last request that holds it pays for freeing it */
        return;
    }
    *one = (struct retired){.next = r->retired, .policy = policy};
    r->retired = one;
    (void)uv_timer_start(&r->look, on_look, RETIRED_LOOK_MS, RETIRED_LOOK_MS);
}

static void put_in_force(struct reload *r, struct policy *policy)
{
    uv_mutex_lock(&r->lock);
    struct policy *before = r->policy;
    r->policy = policy;
    uv_mutex_unlock(&r->lock);
    if (before != NULL)
        retire(r, before);
}

static void put_endpoints(struct reload *r, struct endpoints *endpoints)
{
    uv_mutex_lock(&r->lock);
    struct endpoints *before = r->endpoints;
    r->endpoints = endpoints;
    uv_mutex_unlock(&r->lock);
    endpoints_free(&before);
    log_write(LOG_INFO, "hooks", "loaded", LOG_INT("endpoints", endpoints_count(endpoints)));
    if (r->options.on_endpoints != NULL)
        r->options.on_endpoints(r->options.ctx);
}

/* ---- a round, on the pool ---- */

/* A hash over the files as they stand. What cannot be read is an edit under way, or something that
 * compiling will name; it has an id of its own, so that it is compiled once. */
static void files_id(const char *dir, unsigned parts, char id[RULES_ID_BYTES])
{
    struct rules_files files;
    struct err ignored = {0};
    if (rules_files_read(&files, dir, &ignored) == 0)
        rules_files_id(&files, parts, id);
    else
        (void)snprintf(id, RULES_ID_BYTES, "unreadable");
    rules_files_free(&files);
}

/* The files are hashed before they are read again to be compiled: an edit between the two is seen at
 * the next look. */
static void work(uv_work_t *work)
{
    struct reload *r = work->data;
    char id[RULES_ID_BYTES];
    files_id(r->options.dir, r->options.parts, id);
    r->unchanged = strcmp(id, r->seen_id) == 0;
    if (r->kind == ROUND_LOOK && r->unchanged)
        return;
    memcpy(r->seen_id, id, sizeof id);
    r->made = policy_load_with(r->options.dir, r->options.parts, &r->err);
    if (r->made != NULL && r->kind == ROUND_COMPILE && r->options.webhooks[0] != '\0') {
        r->made_endpoints = endpoints_load(r->options.webhooks, &r->err);
        if (r->made_endpoints == NULL) {
            policy_unref(&r->made);
            r->seen_id[0] = '\0'; /* the rules themselves may be good: a look may find them */
        }
    }
    if (r->made != NULL)
        r->unchanged = span_eq(rules_id(policy_rules(r->made)), rules_id(policy_rules(r->policy)));
}

/* ---- a round's end, on the loop ---- */

static void answer(struct reload *r)
{
    while (r->answers != NULL) {
        struct api_reload *request = r->answers;
        r->answers = request->next;
        request->err = r->err;
        request->changed = r->err.code == ERR_NONE && !r->unchanged;
        request->policy = reload_policy(r);
        mailbox_post(request->mailbox, &request->item);
    }
}

static void tell(const struct reload *r)
{
    if (r->err.code != ERR_NONE) {
        metric_add(METRIC_RULES_REFUSED, 1);
        log_write(LOG_ERROR, "rules", "refused", LOG_STR("error", r->err.text),
                  LOG_SPAN("in_force", rules_id(policy_rules(r->policy))));
    } else if (r->made != NULL) {
        metric_add(METRIC_RULES_RELOADS, 1);
        log_write(LOG_INFO, "rules", r->unchanged ? "loaded_unchanged" : "loaded",
                  LOG_SPAN("rule_set", rules_id(policy_rules(r->made))));
    }
}

static void on_round(uv_work_t *work, int status)
{
    struct reload *r = work->data;
    (void)status;
    r->busy = false;
    tell(r);
    if (r->made != NULL) {
        put_in_force(r, r->made);
        r->made = NULL;
    }
    if (r->made_endpoints != NULL) {
        put_endpoints(r, r->made_endpoints);
        r->made_endpoints = NULL;
    }
    answer(r);
    if (r->wanted && !r->closing)
        begin(r, ROUND_COMPILE);
    close_when_idle(r);
}

static void begin(struct reload *r, enum round_kind kind)
{
    uv_mutex_lock(&r->lock);
    r->answers = r->waiting;
    r->waiting = NULL;
    uv_mutex_unlock(&r->lock);
    r->busy = true;
    r->wanted = false;
    r->unchanged = false;
    r->err = (struct err){.code = ERR_NONE};
    r->kind = r->answers != NULL ? ROUND_COMPILE : kind;
    CHECK(uv_queue_work(r->options.loop, &r->round, work, on_round) == 0);
}

static void want(struct reload *r)
{
    r->wanted = true;
    if (!r->busy && !r->closing)
        begin(r, ROUND_COMPILE);
}

static void on_asked(uv_async_t *handle)
{
    want(handle->data);
}

static void on_hangup(uv_signal_t *handle, int signum)
{
    (void)signum;
    want(handle->data);
}

static void on_watch(uv_timer_t *timer)
{
    struct reload *r = timer->data;
    if (!r->busy && !r->closing)
        begin(r, ROUND_LOOK);
}

void reload_ask(void *ctx, struct api_reload *request)
{
    struct reload *r = ctx;
    uv_mutex_lock(&r->lock);
    request->next = r->waiting;
    r->waiting = request;
    uv_mutex_unlock(&r->lock);
    (void)uv_async_send(&r->asked);
}

/* ---- beginning and end ---- */

static void open_handles(struct reload *r)
{
    CHECK(uv_mutex_init(&r->lock) == 0);
    CHECK(uv_async_init(r->options.loop, &r->asked, on_asked) == 0);
    CHECK(uv_signal_init(r->options.loop, &r->hangup) == 0);
    CHECK(uv_timer_init(r->options.loop, &r->watch) == 0);
    CHECK(uv_timer_init(r->options.loop, &r->look) == 0);
    r->handles = 4;
    r->asked.data = r->hangup.data = r->watch.data = r->look.data = r;
    r->round.data = r->sweep.data = r;
}

struct reload *reload_new(const struct reload_options *options, struct err *err)
{
    struct endpoints *endpoints = NULL;
    if (options->webhooks[0] != '\0') {
        endpoints = endpoints_load(options->webhooks, err);
        if (endpoints == NULL)
            return NULL;
    }
    struct policy *policy = policy_load_with(options->dir, options->parts, err);
    if (policy == NULL) {
        endpoints_free(&endpoints);
        return NULL;
    }
    struct reload *r = mem_zalloc(1, sizeof *r);
    if (r == NULL) {
        policy_unref(&policy);
        endpoints_free(&endpoints);
        (void)err_set(err, ERR_NOMEM, "%s: not enough memory to read it", options->dir);
        return NULL;
    }
    r->options = *options;
    r->policy = policy;
    r->endpoints = endpoints;
    files_id(options->dir, options->parts, r->seen_id);
    open_handles(r);
    return r;
}

void reload_start(struct reload *r, bool watch)
{
    (void)uv_signal_start(&r->hangup, on_hangup, SIGHUP);
    if (watch)
        (void)uv_timer_start(&r->watch, on_watch, LIMIT_RULES_WATCH_MS, LIMIT_RULES_WATCH_MS);
}

static void free_all(struct reload *r)
{
    while (r->retired != NULL) {
        struct retired *first = r->retired;
        r->retired = first->next;
        policy_unref(&first->policy);
        mem_free(first);
    }
    policy_unref(&r->policy);
    endpoints_free(&r->endpoints);
    uv_mutex_destroy(&r->lock);
    mem_free(r);
}

static void on_closed(uv_handle_t *handle)
{
    struct reload *r = handle->data;
    if (--r->handles == 0)
        free_all(r);
}

/* What the pool is doing for us ends before anything it uses is freed. */
static void close_when_idle(struct reload *r)
{
    if (!r->closing || r->busy || r->sweeping)
        return;
    uv_close((uv_handle_t *)&r->asked, on_closed);
    uv_close((uv_handle_t *)&r->hangup, on_closed);
    uv_close((uv_handle_t *)&r->watch, on_closed);
    uv_close((uv_handle_t *)&r->look, on_closed);
}

void reload_close(struct reload **reload)
{
    struct reload *r = *reload;
    *reload = NULL;
    if (r == NULL)
        return;
    r->closing = true;
    (void)uv_timer_stop(&r->look);
    (void)uv_timer_stop(&r->watch);
    close_when_idle(r);
}
