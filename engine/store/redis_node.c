/*
 * A node is in one of three states: resting (the back-off timer runs), talking (a link is being
 * made or the handshake goes on), ready. Whatever goes wrong in the handshake is handled as a lost
 * connection is: it is told in the log, and tried again later, so a wrong password or an old server
 * heals when someone heals it.
 *
 * The handshake is a list of steps, each a command and a function that judges its reply. A step
 * that does not apply (no password, no db, no library) is passed over:
 *
 *   AUTH     when there is a password
 *   SELECT   when db is not 0
 *   INFO     the run id; a server before 7.0 has no functions and is refused; so is a Cluster node when
 *            we were told of a single server, and the other way round
 *   ROLE     a replica would refuse every write
 *   PING     answered with -LOADING while the data set is being read
 *   VERSION  asks the function library for its version
 *   LOAD     when the library is missing or older than ours. A newer one is left alone: another engine of a
 *            later version works with it, and taking it away would break that one.
 */
#include "engine/store/redis_node.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/base/random.h"

#include <stdio.h>
#include <string.h>

enum node_state { NODE_RESTING, NODE_TALKING, NODE_READY, NODE_CLOSED };

enum { ATTEMPTS_UNTOLD = 4 };

enum node_step {
    STEP_AUTH,
    STEP_SELECT,
    STEP_INFO,
    STEP_ROLE,
    STEP_PING,
    STEP_VERSION,
    STEP_LOAD,
    STEP_READY
};

struct redis_node {
    struct redis_node_options options;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct redis_link *link;
    enum node_state state;
    enum node_step step;
    size_t at;         /* endpoint in use */
    unsigned attempts; /* in a row that did not end in a connection that lasted */
    uint64_t ready_at; /* loop time, ms */
    bool was_ready;    /* once at least */
    int64_t version;   /* of the library */
    char run_id[REDIS_RUN_ID_BYTES];
};

uint32_t redis_backoff_ms(unsigned attempt)
{
    uint32_t ms = LIMIT_REDIS_BACKOFF_MIN_MS;
    while (attempt-- > 0 && ms < LIMIT_REDIS_BACKOFF_MAX_MS)
        ms *= 2;
    if (ms > LIMIT_REDIS_BACKOFF_MAX_MS)
        ms = LIMIT_REDIS_BACKOFF_MAX_MS;
    uint32_t dice;
    random_bytes(&dice, sizeof(dice));
    return ms - dice % (ms / 2 + 1);
}

int64_t redis_library_version(struct span library)
{
    while (library.len > 0) {
        struct span line = span_trim(span_cut(&library, '\n'));
        uint64_t version;
        if (span_starts(line, SPAN("-- version ")) &&
            span_to_u64(span_trim(span_sub(line, 11, line.len)), INT32_MAX, &version) == 0)
            return (int64_t)version;
    }
    return -1;
}

/* ---- losing and resting ---- */

static void node_connect(uv_timer_t *timer);

static void node_rest(struct redis_node *node)
{
    node->state = NODE_RESTING;
    uint32_t ms = redis_backoff_ms(node->attempts++);
    uv_timer_start(&node->timer, node_connect, ms, 0);
}

static void node_down(void *ctx, const struct err *err)
{
    struct redis_node *node = ctx;
    const struct redis_endpoint *at = redis_node_endpoint(node);
    bool was_ready = node->state == NODE_READY;
    redis_link_close(&node->link);
    /* A server that is being started is not there for a moment: that is no news yet. */
    const bool news = was_ready || node->attempts >= ATTEMPTS_UNTOLD;
    log_write(news ? LOG_WARN : LOG_DEBUG, "redis", was_ready ? "lost" : "connect_failed",
              LOG_STR("host", at->host), LOG_INT("port", at->port), LOG_STR("error", err->text));
    if (was_ready) {
        metric_add(METRIC_REDIS_CONNECTED, -1);
        if (uv_now(node->loop) - node->ready_at > LIMIT_REDIS_BACKOFF_MAX_MS)
            node->attempts = 0;
    }
    node->at = (node->at + 1) % node->options.endpoints;
    node_rest(node);
    if (was_ready)
        node->options.on_lost(node->options.ctx);
}

/* ---- the handshake ---- */

static void node_next(struct redis_node *node);

static void node_fail(struct redis_node *node, const struct err *err)
{
    redis_link_fail(node->link, err);
}

static int refused(struct err *err, const char *command, const struct reply *reply)
{
    struct span text = reply_type(reply) == REPLY_ERROR ? reply_span(reply) : SPAN("strange reply");
    return err_set(err, ERR_UNAVAILABLE, "Redis refused %s: %.*s", command, SPAN_ARG(text));
}

/* The value of a line "name:value" of INFO. */
static struct span info_value(struct span info, struct span name)
{
    while (info.len > 0) {
        struct span line = span_trim(span_cut(&info, '\n'));
        if (span_starts(line, name) && line.len > name.len && line.ptr[name.len] == ':')
            return span_sub(line, name.len + 1, line.len);
    }
    return (struct span){0};
}

static int judge_info(struct redis_node *node, const struct reply *reply, struct err *err)
{
    struct span info = reply_span(reply);
    struct span run_id = info_value(info, SPAN("run_id"));
    struct span version = info_value(info, SPAN("redis_version"));
    bool cluster = span_eq(info_value(info, SPAN("redis_mode")), SPAN("cluster"));
    struct span rest = version;
    uint64_t major;
    if (reply_type(reply) != REPLY_STRING || run_id.len == 0 ||
        run_id.len >= sizeof(node->run_id) || span_to_u64(span_cut(&rest, '.'), 1000, &major) != 0)
        return refused(err, "INFO server", reply);
    if (major < 7)
        return err_set(err, ERR_CONFIG, "Redis %.*s is too old: jiesu needs 7.0 or later",
                       SPAN_ARG(version));
    if (cluster && node->options.kind == REDIS_NODE_SINGLE)
        return err_set(
            err, ERR_CONFIG,
            "this Redis is a node of a Cluster: name several of its nodes (host:port,...)");
    if (!cluster && node->options.kind == REDIS_NODE_CLUSTER)
        return err_set(err, ERR_CONFIG, "this Redis is not a node of a Cluster: name only one");
    memcpy(node->run_id, run_id.ptr, run_id.len);
    node->run_id[run_id.len] = '\0';
    return 0;
}

static int judge_version(struct redis_node *node, const struct reply *reply, struct err *err)
{
    struct span text = reply_span(reply);
    if (reply_type(reply) == REPLY_ERROR) {
        if (span_find(text, SPAN("Function not found")) < 0)
            return refused(err, "FCALL_RO jiesu_version", reply);
        return 0;
    }
    int64_t have = reply_integer(reply);
    if (have > node->version)
        return err_set(
            err, ERR_CONFIG,
            "Redis holds the function library jiesu in version %lld, newer than ours (%lld): "
            "upgrade this jiesu",
            (long long)have, (long long)node->version);
    if (have == node->version)
        node->step = STEP_LOAD;
    return 0;
}

static int judge(struct redis_node *node, const struct reply *reply, struct err *err)
{
    static const char *const names[] = {[STEP_AUTH] = "AUTH",
                                        [STEP_SELECT] = "SELECT",
                                        [STEP_PING] = "PING",
                                        [STEP_LOAD] = "FUNCTION LOAD"};
    switch (node->step) {
    case STEP_INFO:
        return judge_info(node, reply, err);
    case STEP_VERSION:
        return judge_version(node, reply, err);
    case STEP_ROLE:
        if (reply_size(reply) == 0)
            return refused(err, "ROLE", reply);
        if (!span_eq(reply_span(reply_at(reply, 0)), SPAN("master")))
            return err_set(err, ERR_UNAVAILABLE, "this Redis is a replica: it takes no writes");
        return 0;
    default:
        return reply_type(reply) == REPLY_ERROR ? refused(err, names[node->step], reply) : 0;
    }
}

static void node_answered(void *ctx, const struct reply *reply, const struct err *err)
{
    struct redis_node *node = ctx;
    struct err why;
    if (err != NULL)
        return; /* node_down follows, or the node is being closed */
    if (judge(node, reply, &why) != 0) {
        node_fail(node, &why);
        return;
    }
    node->step++;
    node_next(node);
}

static bool step_applies(const struct redis_node *node)
{
    const struct redis_target *target = node->options.target;
    bool writer = node->options.kind != REDIS_NODE_LISTENER;
    switch (node->step) {
    case STEP_AUTH:
        return target->password[0] != '\0';
    case STEP_SELECT:
        return target->db != 0 && node->options.kind == REDIS_NODE_SINGLE;
    case STEP_VERSION:
    case STEP_LOAD:
        return node->options.library != NULL;
    default:
        return writer || node->step == STEP_READY;
    }
}

static size_t step_command(const struct redis_node *node, struct span argv[4], char db[16])
{
    const struct redis_target *target = node->options.target;
    size_t n = 0;
    switch (node->step) {
    case STEP_AUTH:
        argv[n++] = SPAN("AUTH");
        if (target->user[0] != '\0')
            argv[n++] = span_str(target->user);
        argv[n++] = span_str(target->password);
        return n;
    case STEP_SELECT:
        argv[n++] = SPAN("SELECT");
        snprintf(db, 16, "%d", target->db);
        argv[n++] = span_str(db);
        return n;
    case STEP_INFO:
        argv[n++] = SPAN("INFO");
        argv[n++] = SPAN("server");
        return n;
    case STEP_ROLE:
        argv[n++] = SPAN("ROLE");
        return n;
    case STEP_VERSION:
        argv[n++] = SPAN("FCALL_RO");
        argv[n++] = SPAN("jiesu_version");
        argv[n++] = SPAN("0");
        return n;
    case STEP_LOAD:
        argv[n++] = SPAN("FUNCTION");
        argv[n++] = SPAN("LOAD");
        argv[n++] = SPAN("REPLACE");
        argv[n++] = span_str(node->options.library);
        return n;
    default:
        argv[n++] = SPAN("PING");
        return n;
    }
}

static void node_become_ready(struct redis_node *node)
{
    const struct redis_endpoint *at = redis_node_endpoint(node);
    node->state = NODE_READY;
    node->ready_at = uv_now(node->loop);
    metric_add(METRIC_REDIS_CONNECTED, 1);
    if (node->was_ready)
        metric_add(METRIC_REDIS_RECONNECTS, 1);
    node->was_ready = true;
    log_write(LOG_INFO, "redis", "ready", LOG_STR("host", at->host), LOG_INT("port", at->port),
              LOG_STR("run_id", node->run_id));
    node->options.on_ready(node->options.ctx);
}

static void node_next(struct redis_node *node)
{
    struct span argv[4];
    char db[16];
    struct err err;
    while (!step_applies(node))
        node->step++;
    if (node->step == STEP_READY) {
        node_become_ready(node);
        return;
    }
    size_t argc = step_command(node, argv, db);
    if (redis_link_send(node->link, argc, argv, node_answered, node, &err) != 0)
        node_fail(node, &err);
}

static void node_up(void *ctx)
{
    struct redis_node *node = ctx;
    node->step = STEP_AUTH;
    node_next(node);
}

static void node_push(void *ctx, const struct reply *reply)
{
    struct redis_node *node = ctx;
    node->options.on_push(node->options.ctx, reply);
}

static void node_connect(uv_timer_t *timer)
{
    struct redis_node *node = timer->data;
    struct err err;
    struct redis_link_options options = {
        .endpoint = *redis_node_endpoint(node),
        .connect_ms = node->options.connect_ms,
        .command_ms = node->options.command_ms,
        .on_up = node_up,
        .on_down = node_down,
        .on_push = node->options.on_push != NULL ? node_push : NULL,
        .ctx = node,
    };
    node->state = NODE_TALKING;
    node->run_id[0] = '\0';
    node->link = redis_link_open(node->loop, &options, &err);
    if (node->link == NULL)
        node_down(node, &err);
}

/* ---- the public side ---- */

struct redis_node *redis_node_new(uv_loop_t *loop, const struct redis_node_options *options,
                                  struct err *err)
{
    int64_t version = 0;
    CHECK(options->endpoints > 0);
    if (options->library != NULL) {
        version = redis_library_version(span_str(options->library));
        if (version < 0) {
            err_set(err, ERR_CONFIG, "the function library has no line \"-- version N\"");
            return NULL;
        }
    }
    struct redis_node *node = mem_zalloc(1, sizeof(*node));
    if (node == NULL) {
        err_set(err, ERR_NOMEM, "no memory for a Redis connection");
        return NULL;
    }
    node->options = *options;
    node->loop = loop;
    node->version = version;
    CHECK(uv_timer_init(loop, &node->timer) == 0);
    node->timer.data = node;
    uv_timer_start(&node->timer, node_connect, 0, 0);
    return node;
}

bool redis_node_ready(const struct redis_node *node)
{
    return node->state == NODE_READY && redis_link_up(node->link);
}

struct span redis_node_run_id(const struct redis_node *node)
{
    return span_str(node->run_id);
}

struct redis_link *redis_node_link(const struct redis_node *node)
{
    return redis_node_ready(node) ? node->link : NULL;
}

const struct redis_endpoint *redis_node_endpoint(const struct redis_node *node)
{
    return &node->options.endpoint[node->at];
}

void redis_node_reset(struct redis_node *node, const struct err *err)
{
    if (node->link != NULL)
        redis_link_fail(node->link, err);
}

static void node_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void redis_node_close(struct redis_node **node)
{
    struct redis_node *gone = *node;
    if (gone == NULL)
        return;
    *node = NULL;
    if (gone->state == NODE_READY)
        metric_add(METRIC_REDIS_CONNECTED, -1);
    gone->state = NODE_CLOSED;
    redis_link_close(&gone->link);
    uv_close((uv_handle_t *)&gone->timer, node_closed);
}
