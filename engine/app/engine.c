/*
 * Threads: the main one runs the dispatcher, the sweeper, the embedded Redis' supervision and the signals
 * on one uv loop; each HTTP loop is a thread of its own; the outbox has its writer thread.
 *
 * Starting goes up the floors, stopping comes down again:
 *   serving → (signal) → HTTP servers stop: nothing new, what is in flight is answered
 *           → the sweeper looks at no more orders
 *           → dispatcher stops: what was taken is committed, and confirmed by Redis if it can be
 *           → HTTP loops end (until then the dispatcher posted results to them)
 *           → the embedded Redis stops, last, so that nothing it was told is cut short.
 */
#include "engine/app/engine.h"

#include "engine/api/step_json.h"
#include "engine/app/duty.h"
#include "engine/app/hooks.h"
#include "engine/app/http_loop.h"
#include "engine/app/redis_child.h"
#include "engine/app/reload.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/store/projector.h"
#include "engine/store/sweeper.h"
#include "functions_lua.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HOST_BYTES = 128,
    CONSUMER_BYTES = 48,
    LOG_FLUSH_MS = 1000,
    ENGINE_ID_BYTES = 48,
    FILES = LIMIT_HTTP_CONNECTIONS + 1024 /* and what is not a taken connection */
};

struct engine {
    const struct config *config;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    uv_async_t loop_stopped; /* an HTTP loop's server has stopped */
    uv_timer_t log_flush;
    bool handles_open;

    struct reload *reload;
    struct redis_target target;
    struct redis_child *child; /* NULL when Redis is not ours */
    struct dispatcher *dispatcher;
    struct hooks *hooks; /* NULL without a webhooks file */
    /* Who reads the events: the endpoints of the file as it is, and as it was before. */
    char consumer_names[2][LIMIT_HOOKS][CONSUMER_BYTES];
    size_t consumer_counts[2];
    struct span consumers[2 * LIMIT_HOOKS + 1];
    struct sweeper *sweeper;
    struct load *load; /* what the workers have: duty reads it, the HTTP loops use it */
    struct duty *duty;
    struct projector *projector; /* of the figures */
    char id[ENGINE_ID_BYTES];    /* for leases: no other engine has it */
    struct http_loop *loops[LIMIT_THREADS];
    size_t loop_count;
    atomic_size_t loops_stopped;
    atomic_bool accepting;
    bool stopping, dispatcher_stopping;
    char host[HOST_BYTES];
    int port;
};

/* ---- what the HTTP loops ask ---- */

static struct policy *current_policy(void *ctx)
{
    return reload_policy(((struct engine *)ctx)->reload);
}

static struct endpoints *current_endpoints(void *ctx)
{
    return reload_endpoints(((struct engine *)ctx)->reload);
}

static void ask_reload(void *ctx, struct api_reload *request)
{
    reload_ask(((struct engine *)ctx)->reload, request);
}

static bool is_accepting(void *ctx)
{
    return atomic_load_explicit(&((struct engine *)ctx)->accepting, memory_order_relaxed);
}

/* ---- stopping ---- */

static void close_handles(struct engine *e)
{
    if (!e->handles_open)
        return;
    e->handles_open = false;
    /* Without its handle a signal would end us at once, a moment before we end with 0. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    uv_close((uv_handle_t *)&e->terminate, NULL);
    uv_close((uv_handle_t *)&e->interrupt, NULL);
    uv_close((uv_handle_t *)&e->loop_stopped, NULL);
    uv_close((uv_handle_t *)&e->log_flush, NULL);
    reload_close(&e->reload);
}

static void on_child_stopped(void *ctx)
{
    struct engine *e = ctx;
    redis_child_free(&e->child);
    close_handles(e);
}

static void stop_child(struct engine *e)
{
    if (e->child != NULL)
        redis_child_stop(e->child, on_child_stopped, e);
    else
        close_handles(e);
}

static void on_dispatcher_stopped(void *ctx)
{
    struct engine *e = ctx;
    for (size_t i = 0; i < e->loop_count; i++)
        http_loop_join(&e->loops[i]);
    e->loop_count = 0;
    hooks_stop(&e->hooks);
    duty_close(&e->duty);
    projector_close(&e->projector);
    sweeper_close(&e->sweeper);
    dispatcher_free(&e->dispatcher);
    stop_child(e);
}

static void stop_dispatcher(struct engine *e)
{
    if (e->dispatcher_stopping)
        return;
    e->dispatcher_stopping = true;
    if (e->sweeper != NULL)
        sweeper_stop(e->sweeper);
    if (e->dispatcher != NULL)
        dispatcher_stop(e->dispatcher, (uint32_t)config_number(e->config, SETTING_STOP_MS),
                        on_dispatcher_stopped, e);
    else
        stop_child(e);
}

static void on_loop_stopped(uv_async_t *handle)
{
    struct engine *e = handle->data;
    if (e->stopping && atomic_load(&e->loops_stopped) == e->loop_count)
        stop_dispatcher(e);
}

static void tell_loop_stopped(void *ctx)
{
    struct engine *e = ctx;
    atomic_fetch_add(&e->loops_stopped, 1);
    (void)uv_async_send(&e->loop_stopped);
}

static void stop(struct engine *e)
{
    if (e->stopping)
        return;
    e->stopping = true;
    atomic_store(&e->accepting, false);
    for (size_t i = 0; i < e->loop_count; i++)
        http_loop_stop(e->loops[i]);
    if (e->loop_count == 0)
        stop_dispatcher(e);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    log_write(LOG_INFO, "app", "stopping", LOG_INT("signal", signum));
    stop(handle->data);
}

/* ---- starting ---- */

static void on_log_flush(uv_timer_t *timer)
{
    (void)timer;
    log_flush();
}

static void open_handles(struct engine *e)
{
    CHECK(uv_signal_init(&e->loop, &e->terminate) == 0);
    CHECK(uv_signal_init(&e->loop, &e->interrupt) == 0);
    CHECK(uv_async_init(&e->loop, &e->loop_stopped, on_loop_stopped) == 0);
    CHECK(uv_timer_init(&e->loop, &e->log_flush) == 0);
    e->terminate.data = e->interrupt.data = e->loop_stopped.data = e;
    e->handles_open = true;
    (void)uv_signal_start(&e->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&e->interrupt, on_signal, SIGINT);
    (void)uv_timer_start(&e->log_flush, on_log_flush, LOG_FLUSH_MS, LOG_FLUSH_MS);
}

/* The first line of the file, without its line end. */
static int read_secret(const char *path, char *out, size_t size, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, ERR_CONFIG, "%s: %s; redis-password-file must name a readable file",
                       path, strerror(errno));
    char line[REDIS_SECRET_BYTES + 2];
    const bool got = fgets(line, sizeof(line), file) != NULL;
    (void)fclose(file);
    const size_t len = got ? strcspn(line, "\r\n") : 0;
    if (len == 0 || len >= size)
        return err_set(err, ERR_CONFIG, "%s: its first line must be the password, 1 to %zu bytes",
                       path, size - 1);
    memcpy(out, line, len);
    out[len] = '\0';
    return 0;
}

static int open_redis(struct engine *e, struct err *err)
{
    const char *where = config_text(e->config, SETTING_REDIS);
    const char *secret = config_text(e->config, SETTING_REDIS_PASSWORD_FILE);
    if (where[0] == '\0') {
        e->child = redis_child_start(&e->loop, config_text(e->config, SETTING_DATA), NULL, err);
        if (e->child == NULL)
            return -1;
        redis_child_target(e->child, &e->target);
        return 0;
    }
    if (redis_target_parse(span_str(where), &e->target, err) < 0)
        return err_prefix(err, "redis");
    if (secret[0] == '\0')
        return 0;
    return read_secret(secret, e->target.password, sizeof(e->target.password), err);
}

static int open_dispatcher(struct engine *e, struct err *err)
{
    char path[CONFIG_VALUE_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/outbox.db", config_text(e->config, SETTING_DATA));
    const struct dispatcher_options options = {
        .outbox_path = path, .target = e->target, .library = functions_lua};
    e->dispatcher = dispatcher_new(&e->loop, &options, err);
    return e->dispatcher == NULL ? -1 : 0;
}

/* Before anything is taken: a new endpoint is told what happens from now on. */
static int open_hooks(struct engine *e, struct err *err)
{
    if (config_text(e->config, SETTING_WEBHOOKS)[0] == '\0')
        return 0;
    const struct hooks_options options = {.endpoints = current_endpoints,
                                          .target = e->target,
                                          .library = functions_lua,
                                          .policy = current_policy,
                                          .ctx = e};
    e->hooks = hooks_start(&options, err);
    return e->hooks == NULL ? -1 : 0;
}

/* Who reads the events: the figures, and each endpoint. Those of the file before are kept once
 * more, for the deliverer may be ending with them. How many there are. */
static size_t name_consumers(struct engine *e)
{
    struct endpoints *endpoints = reload_endpoints(e->reload);
    size_t count = 0;
    memcpy(e->consumer_names[1], e->consumer_names[0], sizeof(e->consumer_names[0]));
    e->consumer_counts[1] = e->consumer_counts[0];
    e->consumer_counts[0] = endpoints_count(endpoints);
    for (size_t i = 0; i < endpoints_count(endpoints); i++)
        (void)snprintf(e->consumer_names[0][i], sizeof(e->consumer_names[0][i]), "hook:%.*s",
                       SPAN_ARG(endpoints_at(endpoints, i)->name));
    endpoints_free(&endpoints);
    e->consumers[count++] = SPAN("figures");
    for (size_t was = 0; was < 2; was++) {
        for (size_t i = 0; i < e->consumer_counts[was]; i++)
            e->consumers[count++] = span_str(e->consumer_names[was][i]);
    }
    return count;
}

static void on_endpoints(void *ctx)
{
    struct engine *e = ctx;
    const size_t count = name_consumers(e);
    if (e->projector != NULL)
        projector_keep(e->projector, e->consumers, count);
}

static int open_projector(struct engine *e, struct err *err)
{
    const size_t consumers = name_consumers(e);
    (void)snprintf(e->id, sizeof(e->id), "%ld-%016llx", (long)getpid(),
                   (unsigned long long)hash_seed());
    const struct projector_options options = {.loop = &e->loop,
                                              .target = e->target,
                                              .library = functions_lua,
                                              .engine = e->id,
                                              .policy = current_policy,
                                              .ctx = e,
                                              .consumers = e->consumers,
                                              .consumer_count = consumers};
    e->projector = projector_new(&options, err);
    return e->projector == NULL ? -1 : 0;
}

static void write_note(const struct life_step *step, struct buf *out)
{
    const struct step_body body = {.step = *step};
    step_encode_note(&body, out);
}

static int open_sweeper(struct engine *e, struct err *err)
{
    const struct sweeper_options options = {.dispatcher = e->dispatcher,
                                            .target = e->target,
                                            .library = functions_lua,
                                            .policy = current_policy,
                                            .ctx = e,
                                            .write_note = write_note};
    e->sweeper = sweeper_new(&e->loop, &options, err);
    return e->sweeper == NULL ? -1 : 0;
}

/* "127.0.0.1:8080" or "[::1]:8080"; its form was checked by config. */
static void split_address(struct engine *e)
{
    const char *text = config_text(e->config, SETTING_LISTEN);
    const char *colon = strrchr(text, ':');
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && len >= 2 && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    (void)snprintf(e->host, sizeof(e->host), "%.*s", (int)len, text);
    uint64_t port = 0;
    CHECK(span_to_u64(span_str(colon + 1), 65535, &port) == 0);
    e->port = (int)port;
}

static int open_duty(struct engine *e, struct err *err)
{
    e->load = load_new();
    if (e->load == NULL)
        return err_set(err, ERR_NOMEM, "out of memory at start");
    const struct duty_options options = {
        .loop = &e->loop, .target = e->target, .load = e->load, .policy = current_policy, .ctx = e};
    e->duty = duty_start(&options, err);
    return e->duty == NULL ? -1 : 0;
}

static size_t thread_count(const struct config *config)
{
    long n = config_number(config, SETTING_THREADS);
    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    return n < 1 ? 1 : n > LIMIT_THREADS ? LIMIT_THREADS : (size_t)n;
}

static int open_loops(struct engine *e, struct err *err)
{
    struct http_loop_options options = {
        .host = e->host,
        .drain_ms = LIMIT_HTTP_DRAIN_MS,
        .api = {.dispatcher = e->dispatcher,
                .load = e->load,
                .target = e->target,
                .library = functions_lua,
                .endpoints = current_endpoints,
                .policy = current_policy,
                .accepting = is_accepting,
                .reload = ask_reload,
                .ctx = e,
                .reply_budget_ms = (uint32_t)config_number(e->config, SETTING_REPLY_BUDGET_MS)},
        .on_stopped = tell_loop_stopped,
        .ctx = e};
    split_address(e);
    for (size_t i = 0; i < thread_count(e->config); i++) {
        options.port = e->port;
        e->loops[i] = http_loop_start(&options, err);
        if (e->loops[i] == NULL)
            return -1;
        e->loop_count++;
        e->port = http_loop_port(e->loops[i]); /* the others share the port the first one got */
    }
    return 0;
}

static void announce(const struct engine *e)
{
    char redis[REDIS_HOST_BYTES + 8];
    (void)snprintf(redis, sizeof(redis), "unix:%s", e->target.host[0]);
    struct policy *policy = reload_policy(e->reload);
    log_write(LOG_INFO, "app", "listening", LOG_STR("version", JIESU_VERSION),
              LOG_STR("host", e->host), LOG_INT("port", e->port), LOG_INT("threads", e->loop_count),
              LOG_STR("redis", e->child != NULL ? redis : config_text(e->config, SETTING_REDIS)),
              LOG_SPAN("rule_set", rules_id(policy_rules(policy))), LOG_INT("pid", getpid()));
    policy_unref(&policy);
    if (!config_bool(e->config, SETTING_EXAMPLES))
        return;
    const bool v6 = strchr(e->host, ':') != NULL;
    char url[HOST_BYTES + 24];
    (void)snprintf(url, sizeof(url), "http://%s%s%s:%d", v6 ? "[" : "", e->host, v6 ? "]" : "",
                   e->port);
    printf("jiesu serves on %s. Three things to try:\n\n"
           "  curl -s %s/v1/complaints -H 'Content-Type: application/json' \\\n"
           "    -d '{\"text\":\"碧湖花园3栋楼道堆满杂物，消防通道堵了\"}' |\n"
           "    tee /tmp/jiesu-answer.json\n"
           "  curl -s \"%s/v1/workers/$(jq -r .assignee.id /tmp/jiesu-answer.json)/queue?wait=5\"\n"
           "  curl -s %s/metrics\n\n"
           "Stop it with Ctrl-C.\n",
           url, url, url, url);
    (void)fflush(stdout);
}

/* The usual soft limit of 1,024 descriptors would end our connections long before our own limit. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES)
        return;
    files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < FILES)
        log_write(LOG_WARN, "app", "few_files", LOG_INT("limit", files.rlim_cur),
                  LOG_INT("wanted", FILES),
                  LOG_STR("error", "fewer connections can be taken than http_connections says"));
}

static int start(struct engine *e, struct err *err)
{
    const char *data = config_text(e->config, SETTING_DATA);
    if (mkdir(data, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "data: %s: %s", data, strerror(errno));
    const struct reload_options reload = {
        .loop = &e->loop,
        .dir = config_text(e->config, SETTING_RULES),
        .parts = config_bool(e->config, SETTING_LEARNED) ? RULES_ALL : RULES_HAND,
        .webhooks = config_text(e->config, SETTING_WEBHOOKS),
        .on_endpoints = on_endpoints,
        .ctx = e};
    e->reload = reload_new(&reload, err);
    if (e->reload == NULL) {
        if (err->code != ERR_NOMEM)
            err->code = ERR_CONFIG;
        return -1;
    }
    open_handles(e);
    reload_start(e->reload, config_bool(e->config, SETTING_WATCH));
    if (open_redis(e, err) < 0 || open_dispatcher(e, err) < 0 || open_sweeper(e, err) < 0 ||
        open_duty(e, err) < 0 || open_projector(e, err) < 0 || open_hooks(e, err) < 0)
        return -1;
    atomic_store(&e->accepting, true);
    if (open_loops(e, err) < 0)
        return -1;
    announce(e);
    return 0;
}

/* Before anything asks the time. */
static void set_clock(const struct config *config)
{
    char origin[CLOCK_RFC3339_BYTES], began[CLOCK_RFC3339_BYTES];
    const int speed = (int)config_number(config, SETTING_CLOCK_SPEED);
    const int64_t began_ms = config_time(config, SETTING_CLOCK_BEGAN, clock_real_ms());
    const int64_t origin_ms = config_time(config, SETTING_CLOCK_ORIGIN, began_ms);
    if (speed == 1 && origin_ms == began_ms)
        return;
    clock_run_fast(speed, began_ms, origin_ms);
    log_write(LOG_WARN, "app", "clock_not_real", LOG_INT("speed", speed),
              LOG_STR("shows", clock_format(origin_ms, origin)),
              LOG_STR("at", clock_format(began_ms, began)),
              LOG_STR("error", "clock-speed and clock-origin are for demonstrations only: no "
                               "deadline of this engine is real"));
}

int engine_run(const struct config *config, struct err *err)
{
    static struct engine engine; /* one per process; large */
    struct engine *e = &engine;
    enum log_level level = LOG_INFO;
    memset(e, 0, sizeof(*e));
    e->config = config;
    /* A peer that went away and a file that may not grow are errors of a write, not reasons to die. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)log_parse_level(span_str(config_text(config, SETTING_LOG_LEVEL)), &level);
    log_set_level(level);
    set_clock(config);
    raise_file_limit();
    if (metric_init() < 0 || uv_loop_init(&e->loop) < 0)
        return err_set(err, ERR_NOMEM, "out of memory at start");

    const int result = start(e, err);
    if (result < 0)
        stop(e);
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);

    CHECK(uv_loop_close(&e->loop) == 0);
    load_free(&e->load);
    if (result == 0)
        log_write(LOG_INFO, "app", "stopped", LOG_INT("code", 0));
    log_flush();
    metric_free();
    return result;
}
