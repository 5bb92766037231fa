/*
 * sweep: how late the engines warn, with many orders open.
 *
 * For each size a Redis like the embedded one is filled with so many open orders by real
 * jiesu_create calls, and two engines are started on it. Each order has one clock (24 hours to be
 * resolved) and one post, so the one thing that will happen to it is its blue warning, at half of
 * that time; its creation is dated back so that this instant lies in the window. The instants of all
 * orders are spread evenly: over --window seconds, or over longer when that would be more than
 * --per-s of them a second (of a million orders not all are warned of in the time that is watched,
 * which is always --window seconds).
 *
 * Lateness is counted from the instant of the warning to when Redis wrote it: the time in the id of
 * its event. The events are read while it goes on, and counted by order, clock and level: none may
 * come twice, and none may be missing of those whose instant has come.
 *
 * An id's last digits number the order, so that an event tells by itself what it is about.
 */

#include "bench/shared/bare.h"
#include "bench/shared/calls.h"
#include "bench/shared/engine.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hist.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/cli/file.h"
#include "engine/http/json.h"
#include "engine/http/json_writer.h"
#include "engine/model/policy.h"
#include "engine/store/events.h"
#include "engine/store/keys.h"
#include "engine/store/record.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FINDING = 1, EXIT_BAD_USAGE = 64, EXIT_UNAVAILABLE_ = 69 };
enum {
    SIZES_MAX = 8,
    ORDERS_MAX = 10000000,
    AREAS_MAX = 64,
    SEED_CHUNK = 4096,     /* calls made and pushed at a time */
    SAMPLE = 4096,         /* creations that are timed before */
    INDEX_DIGITS = 8,      /* of base 32, at the end of an id */
    START_MS = 8000,       /* for two engines to start, after the orders are there */
    LOOK_MS = 100,         /* between two readings of the events */
    PAGE = 1000,           /* events read at a time */
    GRACE_MS = 60000,      /* for what is late, after the window */
    AFTER_MS = 3000,       /* watched on when all came: what comes twice comes late */
    RESOLVE_MS = 86400000, /* the one clock */
    LEVELS = WARNING_COUNT - 1
};
static const struct span digits = {"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 32}; /* Crockford's */

static const char help[] =
    "sweep [options]: how late two engines warn, with many orders open\n"
    "\n"
    "  --sizes N,N,...  open orders (10000,100000,1000000)\n"
    "  --window S       seconds that are watched (60)\n"
    "  --per-s N        warnings a second at the most (2000)\n"
    "  --rules DIR      the rule set (rules)\n"
    "  --jiesu FILE     the engine (../jiesu beside this tool)\n"
    "  --out FILE       write the figures there as JSON\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 good, 1 a warning came twice or not at all, 64 usage, 69 it could not be\n"
    "measured.\n";

struct options {
    const char *rules, *jiesu, *out;
    uint64_t sizes[SIZES_MAX], window, per_s;
    size_t size_count;
};

/* What came of one size. */
struct result {
    uint64_t open, due, fired, twice, missed, others, early;
    double seed_s, spread_s;
    double p50_ms, p99_ms, p999_ms, max_ms;
    double engines_cpu, redis_cpu; /* of one processor, while it was watched */
};

struct watched {
    int64_t due;
    uint16_t came; /* a bit for each clock and level */
};

struct sweep {
    const struct options *options;
    const struct policy *policy;
    struct json_reader *json;
    struct watched *orders;
    uint64_t open;
    int64_t base, spread_ms; /* the first instant; from it to the last */
    struct span areas[AREAS_MAX];
    char last[AREAS_MAX][44]; /* the event read last */
    size_t area_count;
    struct hist *late;
    struct result *result;
    struct redis_target target;
    char work[64];
};

/* --- the orders ------------------------------------------------------------------------------ */

/* An id of that community whose last digits are the number. */
static void number_id(struct id *id, struct span community, int64_t at, uint64_t number)
{
    id_make(id, community, at);
    char *end = id->text + id_span(id).len;
    for (int i = 1; i <= INDEX_DIGITS; i++, number /= 32)
        end[-i] = digits.ptr[number % 32];
}

/* The other way; UINT64_MAX when it is none of ours. */
static uint64_t id_number(struct span ulid)
{
    uint64_t number = 0;
    for (size_t i = ulid.len - INDEX_DIGITS; ulid.len == ID_ULID_BYTES && i < ulid.len; i++) {
        const ptrdiff_t digit = span_find_char(digits, ulid.ptr[i]);
        if (digit < 0)
            return UINT64_MAX;
        number = number * 32 + (uint64_t)digit;
    }
    return ulid.len == ID_ULID_BYTES ? number : UINT64_MAX;
}

/* Dates an order back so that its blue warning comes at that instant; the instant itself, which
 * rounding may have moved. */
static int64_t date_back(const struct policy *policy, int64_t instant, struct order_clock *clock)
{
    const struct warning_shares *shares = &process_numbers(policy_process(policy))->warnings;
    const int64_t start = instant - (int64_t)(shares->from[WARNING_BLUE] * (double)RESOLVE_MS);
    *clock = (struct order_clock){.start = start, .due = start + RESOLVE_MS};
    return order_clock_warns_at(clock, shares, WARNING_BLUE);
}

static int add_order(struct sweep *s, uint64_t number, int64_t instant, struct calls *calls,
                     struct buf *scratch)
{
    const struct directory *directory = policy_directory(s->policy);
    struct span worker, community;
    struct order_clock clock;
    struct id id;
    struct record record;
    char answer[ID_BYTES + 16];
    directory_worker_at(directory, (size_t)(number % directory_worker_count(directory)), &worker,
                        &community);
    const int64_t due = date_back(s->policy, instant, &clock);
    number_id(&id, community, clock.start, number);
    const int n = snprintf(answer, sizeof(answer), "{\"id\":\"%s\"}", id.text);
    const struct sla_deadlines deadlines = {.by = {[CLOCK_RESOLVE] = clock.due}};
    const struct record_order order = {.id = &id,
                                       .worker = worker,
                                       .posts = &worker,
                                       .post_count = 1,
                                       .urgency = span_str(urgency_name(URGENCY_BLUE)),
                                       .category = SPAN("城乡建设/市政管理"),
                                       .kind = span_str(kind_name(KIND_COMPLAINT)),
                                       .class_name = SPAN("ordinary"),
                                       .created_at = clock.start,
                                       .due_at = due,
                                       .deadlines = &deadlines,
                                       .answer = span_of(answer, (size_t)n),
                                       .complaint = SPAN("{\"text\":\"路灯不亮\"}")};
    if (number < s->open)
        s->orders[number] = (struct watched){.due = due};
    buf_clear(scratch);
    if (record_create(&record, &order, scratch) < 0)
        return -1;
    return calls_add(calls, record.argc, record.argv);
}

static int check_created(void *ctx, size_t i, const struct reply *reply, struct err *err)
{
    (void)ctx;
    if (reply_size(reply) > 0 && span_eq(reply_span(reply_at(reply, 0)), SPAN("created")))
        return 0;
    return err_set(err, ERR_PROTOCOL, "Redis answered creation %zu with: %.*s", i,
                   SPAN_ARG(reply_span(reply)));
}

static int check_good(void *ctx, size_t i, const struct reply *reply, struct err *err)
{
    (void)ctx;
    (void)i;
    return reply_type(reply) != REPLY_ERROR
               ? 0
               : err_set(err, ERR_PROTOCOL, "Redis: %.*s", SPAN_ARG(reply_span(reply)));
}

/* Creates orders number from..to, whose instants begin at s->base. */
static int create_orders(struct sweep *s, struct calls_pipe *pipe, uint64_t from, uint64_t to,
                         double *seconds, struct err *err)
{
    struct calls calls = {.count = 0};
    struct buf scratch = {0};
    int result = 0;
    const uint64_t begin = clock_steady_ns();
    while (from < to && result == 0) {
        const uint64_t end = to - from < SEED_CHUNK ? to : from + SEED_CHUNK;
        calls_clear(&calls);
        for (; from < end && result == 0; from++) {
            const int64_t instant =
                s->base + (int64_t)((double)from / (double)s->open * (double)s->spread_ms);
            result = add_order(s, from, instant, &calls, &scratch);
        }
        result = result < 0 ? err_set(err, ERR_NOMEM, "out of memory")
                            : calls_push(pipe, &calls, LIMIT_DISPATCH_WINDOW, check_created, NULL,
                                         NULL, err);
    }
    *seconds = (double)(clock_steady_ns() - begin) / 1e9;
    calls_free(&calls);
    buf_free(&scratch);
    return result;
}

/* The first instant comes when so many orders have been created, and two engines have started: by
 * the time that others took, and half of that more. */
static int64_t base_after(uint64_t orders, uint64_t others, double seconds)
{
    return clock_now_ms() + START_MS + (int64_t)(seconds * 1500 * (double)orders / (double)others);
}

/* Times some creations, and forgets them. */
static int time_sample(struct sweep *s, struct calls_pipe *pipe, double *seconds, struct err *err)
{
    struct calls forget = {.count = 0};
    const struct span argv[] = {SPAN("FLUSHALL"), SPAN("SYNC")};
    s->base = clock_now_ms();
    int result = create_orders(s, pipe, ORDERS_MAX, ORDERS_MAX + SAMPLE, seconds, err);
    if (result == 0)
        result = calls_add(&forget, 2, argv) < 0
                     ? err_set(err, ERR_NOMEM, "out of memory")
                     : calls_push(pipe, &forget, 1, check_good, NULL, NULL, err);
    calls_free(&forget);
    return result;
}

/* Creates all orders. Those whose instants lie behind the window come first: how long they take
 * tells well when the window can begin. */
static int seed(struct sweep *s, struct calls_pipe *pipe, struct err *err)
{
    const double part = (double)s->options->window * 1000 / (double)s->spread_ms;
    const uint64_t within = (uint64_t)(part * (double)s->open);
    double sample_s = 0, behind_s = 0, within_s = 0;
    if (time_sample(s, pipe, &sample_s, err) < 0)
        return -1;
    s->base = base_after(s->open, SAMPLE, sample_s);
    if (within < s->open) {
        if (create_orders(s, pipe, within, s->open, &behind_s, err) < 0)
            return -1;
        s->base = base_after(within, s->open - within, behind_s);
    }
    const int result = create_orders(s, pipe, 0, within, &within_s, err);
    s->result->seed_s = behind_s + within_s;
    return result;
}

/* --- the events ------------------------------------------------------------------------------ */

/* One level of one clock rose. */
static void count_level(struct sweep *s, struct watched *order, enum sla_clock clock,
                        enum warning level, int64_t at)
{
    const uint16_t bit = (uint16_t)(1u << ((int)clock * LEVELS + (int)level - 1));
    const bool wanted = clock == CLOCK_RESOLVE && level == WARNING_BLUE;
    if ((order->came & bit) != 0) {
        s->result->twice++;
        return;
    }
    order->came |= bit;
    s->result->others += !wanted;
    if (!wanted)
        return;
    s->result->fired++;
    s->result->early += at < order->due;
    hist_record(s->late, at < order->due ? 0 : (uint64_t)(at - order->due));
}

/* {"note":{"clocks":{"resolve":"blue"}},...} */
static int take_event(struct sweep *s, const struct event *event, int64_t at, struct err *err)
{
    struct json root, note, clocks, value;
    const uint64_t number = id_number(event->order);
    enum warning level;
    if (span_eq(event->step, SPAN("create")))
        return 0;
    if (number >= s->open || !span_eq(event->step, SPAN("warn"))) {
        s->result->others++;
        return 0;
    }
    if (json_parse(s->json, event->entry, &root, err) < 0)
        return -1;
    if (!json_get(root, "note", &note) || !json_get(note, "clocks", &clocks))
        return err_set(err, ERR_PROTOCOL, "a warning names no clocks");
    for (enum sla_clock clock = 0; clock < CLOCK_COUNT; clock++) {
        if (json_get(clocks, sla_clock_name(clock), &value) && json_type(value) == JSON_STRING &&
            warning_parse(json_string(value), &level) == 0 && level != WARNING_NONE)
            count_level(s, &s->orders[number], clock, level, at);
    }
    return 0;
}

/* A page of one community's events: the i-th call asked for that of the i-th. */
static int take_page(void *ctx, size_t i, const struct reply *reply, struct err *err)
{
    struct sweep *s = ctx;
    if (reply_type(reply) == REPLY_ERROR)
        return err_set(err, ERR_PROTOCOL, "Redis: %.*s", SPAN_ARG(reply_span(reply)));
    for (size_t e = 0; e < reply_size(reply); e++) {
        struct event event;
        event_read(reply_at(reply, e), &event);
        (void)snprintf(s->last[i], sizeof(s->last[i]), "%.*s", SPAN_ARG(event.id));
        if (take_event(s, &event, events_time(event.id), err) < 0)
            return -1;
    }
    return 0;
}

/* Reads one page of each community. */
static int read_events(struct sweep *s, struct calls_pipe *pipe, struct err *err)
{
    struct calls calls = {.count = 0};
    char from[48], most[16];
    int result = 0;
    (void)snprintf(most, sizeof(most), "%d", PAGE);
    for (size_t i = 0; i < s->area_count && result == 0; i++) {
        const struct key key = key_events(s->areas[i]);
        (void)snprintf(from, sizeof(from), "(%s", s->last[i]);
        const struct span argv[] = {SPAN("XRANGE"), key_span(&key), span_str(from),
                                    SPAN("+"),      SPAN("COUNT"),  span_str(most)};
        result = calls_add(&calls, sizeof(argv) / sizeof(argv[0]), argv);
    }
    result = result < 0 ? err_set(err, ERR_NOMEM, "out of memory")
                        : calls_push(pipe, &calls, calls.count, take_page, s, NULL, err);
    calls_free(&calls);
    return result;
}

/* --- watching -------------------------------------------------------------------------------- */

static uint64_t count_due(const struct sweep *s, int64_t until, uint64_t *missed)
{
    const uint16_t bit = (uint16_t)(1u << ((int)CLOCK_RESOLVE * LEVELS + WARNING_BLUE - 1));
    uint64_t due = 0;
    *missed = 0;
    for (uint64_t i = 0; i < s->open; i++) {
        due += s->orders[i].due < until;
        *missed += s->orders[i].due < until && (s->orders[i].came & bit) == 0;
    }
    return due;
}

/* Reads the events until the window is over and all that was due in it came. */
static int watch(struct sweep *s, struct calls_pipe *pipe, struct err *err)
{
    const int64_t until = s->base + (int64_t)s->options->window * 1000;
    int64_t end = until + GRACE_MS;
    bool waiting = true;
    while (clock_now_ms() < end) {
        if (read_events(s, pipe, err) < 0)
            return -1;
        if (waiting && clock_now_ms() > until) {
            s->result->due = count_due(s, until, &s->result->missed);
            waiting = s->result->missed > 0;
            if (!waiting)
                end = clock_now_ms() + AFTER_MS;
        }
        (void)usleep(LOOK_MS * 1000);
    }
    s->result->due = count_due(s, until, &s->result->missed);
    return 0;
}

/* Where the events end now: all that comes later is the engines'. */
static void mark_events(struct sweep *s)
{
    for (size_t i = 0; i < s->area_count; i++)
        (void)snprintf(s->last[i], sizeof(s->last[i]), "%" PRId64 "-0", clock_now_ms());
}

static int start_engines(const struct sweep *s, struct engine_process engines[2], struct err *err)
{
    char dir[PATH_MAX], redis[REDIS_HOST_BYTES + 8];
    (void)snprintf(redis, sizeof(redis), "unix:%s", s->target.host[0]);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(dir, sizeof(dir), "%s/engine%d", s->work, i);
        const struct engine_options options = {
            .program = s->options->jiesu, .dir = dir, .rules = s->options->rules, .redis = redis};
        if (engine_start(&engines[i], &options, err) < 0)
            return -1;
    }
    return clock_now_ms() < s->base
               ? 0
               : err_set(err, ERR_TIMEOUT, "the engines started after the first warning was due");
}

static void take_figures(struct sweep *s, double engines_s, double redis_s, int64_t took_ms)
{
    struct result *r = s->result;
    r->p50_ms = (double)hist_quantile(s->late, 0.5);
    r->p99_ms = (double)hist_quantile(s->late, 0.99);
    r->p999_ms = (double)hist_quantile(s->late, 0.999);
    r->max_ms = (double)hist_max(s->late);
    r->engines_cpu = engines_s * 1000 / (double)took_ms;
    r->redis_cpu = redis_s * 1000 / (double)took_ms;
}

static int watch_engines(struct sweep *s, struct calls_pipe *pipe, pid_t redis, struct err *err)
{
    struct engine_process engines[2] = {{.pid = 0}, {.pid = 0}};
    int result = start_engines(s, engines, err);
    while (result == 0 && clock_now_ms() < s->base)
        (void)usleep(LOOK_MS * 1000);
    const double engines_s = process_cpu_s(engines[0].pid) + process_cpu_s(engines[1].pid),
                 redis_s = process_cpu_s(redis);
    const int64_t begin = clock_steady_ms();
    if (result == 0)
        result = watch(s, pipe, err);
    take_figures(s, process_cpu_s(engines[0].pid) + process_cpu_s(engines[1].pid) - engines_s,
                 process_cpu_s(redis) - redis_s, clock_steady_ms() - begin + 1);
    engine_stop(&engines[0]);
    engine_stop(&engines[1]);
    return result;
}

static int measure(void *ctx, const struct redis_target *target, pid_t pid, struct err *err)
{
    struct sweep *s = ctx;
    s->target = *target;
    struct calls_pipe *pipe = calls_pipe_open(target, err);
    int result = pipe == NULL ? -1 : seed(s, pipe, err);
    if (result == 0) {
        (void)fprintf(stderr, "sweep: %" PRIu64 " orders in %.1f s; the first is due in %.1f s\n",
                      s->open, s->result->seed_s, (double)(s->base - clock_now_ms()) / 1000);
        mark_events(s);
        result = watch_engines(s, pipe, pid, err);
    }
    calls_pipe_close(&pipe);
    return result;
}

/* --- sizes ----------------------------------------------------------------------------------- */

static int run_size(struct sweep *s, uint64_t open, struct result *result, struct err *err)
{
    char dir[PATH_MAX];
    const double spread = (double)open / (double)s->options->per_s;
    (void)snprintf(dir, sizeof(dir), "%s/redis", s->work);
    *result = (struct result){.open = open};
    result->spread_s = spread > (double)s->options->window ? spread : (double)s->options->window;
    s->result = result;
    s->open = open;
    s->spread_ms = (int64_t)(result->spread_s * 1000);
    s->orders = mem_zalloc(open, sizeof(*s->orders));
    if (s->orders == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    hist_reset(s->late);
    const int done = bare_run(dir, measure, s, err);
    mem_free(s->orders);
    s->orders = NULL;
    if (done == 0)
        folder_remove(dir);
    for (int i = 0; done == 0 && i < 2; i++) {
        (void)snprintf(dir, sizeof(dir), "%s/engine%d", s->work, i);
        folder_remove(dir);
    }
    return done;
}

static int find_areas(struct sweep *s, struct err *err)
{
    const struct directory *directory = policy_directory(s->policy);
    for (size_t i = 0; i < directory_worker_count(directory); i++) {
        struct span worker, community;
        size_t at = 0;
        directory_worker_at(directory, i, &worker, &community);
        while (at < s->area_count && !span_eq(s->areas[at], community))
            at++;
        if (at == AREAS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d communities", (int)AREAS_MAX);
        if (at == s->area_count)
            s->areas[s->area_count++] = community;
    }
    return s->area_count > 0 ? 0 : err_set(err, ERR_INVALID, "the directory has no workers");
}

static int run(struct sweep *s, struct result results[SIZES_MAX], struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(s->work, sizeof(s->work), "%.30s/jiesu-sweep-XXXXXX",
                   tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(s->work) == NULL)
        return err_set(err, ERR_IO, "%s: %s", s->work, strerror(errno));
    struct policy *policy = policy_load(s->options->rules, err);
    int result = -1;
    s->policy = policy;
    s->json = json_reader_new(LIMIT_JSON_DEPTH);
    s->late = hist_new();
    if (s->json == NULL || s->late == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else if (policy != NULL)
        result = find_areas(s, err);
    for (size_t i = 0; i < s->options->size_count && result == 0; i++)
        result = run_size(s, s->options->sizes[i], &results[i], err);
    hist_free(&s->late);
    json_reader_free(&s->json);
    policy_unref(&policy);
    folder_remove(s->work);
    return result;
}

/* --- the report ------------------------------------------------------------------------------ */

static void print_report(const struct options *o, const struct result *results)
{
    printf("two engines on one Redis, watched for %" PRIu64 " s; lateness of warnings in ms\n\n",
           o->window);
    printf("      open    a second   fired       p50       p99     p99.9       max   twice   missed"
           "   engines   Redis\n");
    for (size_t i = 0; i < o->size_count; i++) {
        const struct result *r = &results[i];
        printf("%10" PRIu64 "  %10.0f  %6" PRIu64 "  %8.0f  %8.0f  %8.0f  %8.0f  %6" PRIu64
               "   %6" PRIu64 "     %3.0f %%   %3.0f %%\n",
               r->open, (double)r->open / r->spread_s, r->fired, r->p50_ms, r->p99_ms, r->p999_ms,
               r->max_ms, r->twice, r->missed, r->engines_cpu * 100, r->redis_cpu * 100);
        if (r->others + r->early > 0)
            printf("            other steps of the engine: %" PRIu64
                   ", warnings before their time: %" PRIu64 "\n",
                   r->others, r->early);
    }
    printf("\n(p99 <= 1000 ms at 100,000; nothing twice, nothing missed)\n");
}

static void write_result(struct json_writer *w, const struct result *r)
{
    json_open_object(w);
    json_member_i64(w, "open", (int64_t)r->open);
    json_member_double(w, "due_per_s", (double)r->open / r->spread_s);
    json_member_i64(w, "due", (int64_t)r->due);
    json_member_i64(w, "fired", (int64_t)r->fired);
    json_member_i64(w, "twice", (int64_t)r->twice);
    json_member_i64(w, "missed", (int64_t)r->missed);
    json_member_i64(w, "early", (int64_t)r->early);
    json_member_i64(w, "other_steps", (int64_t)r->others);
    json_member_double(w, "p50_ms", r->p50_ms);
    json_member_double(w, "p99_ms", r->p99_ms);
    json_member_double(w, "p999_ms", r->p999_ms);
    json_member_double(w, "max_ms", r->max_ms);
    json_member_double(w, "engines_cpu", r->engines_cpu);
    json_member_double(w, "redis_cpu", r->redis_cpu);
    json_member_double(w, "seed_s", r->seed_s);
    json_close_object(w);
}

static int write_json(const struct options *o, const struct result *results, struct err *err)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    if (o->out == NULL)
        return 0;
    json_open_object(&w);
    json_member_i64(&w, "engines", 2);
    json_member_i64(&w, "window_s", (int64_t)o->window);
    json_key(&w, "sizes");
    json_open_array(&w);
    for (size_t i = 0; i < o->size_count; i++)
        write_result(&w, &results[i]);
    json_close_array(&w);
    json_close_object(&w);
    buf_char(&out, '\n');
    const int result = buf_ok(&out) ? file_replace(o->out, buf_view(&out), err)
                                    : err_set(err, ERR_NOMEM, "out of memory");
    buf_free(&out);
    return result;
}

static bool all_well(const struct options *o, const struct result *results)
{
    for (size_t i = 0; i < o->size_count; i++)
        if (results[i].twice > 0 || results[i].missed > 0)
            return false;
    return true;
}

/* --- the command line ------------------------------------------------------------------------ */

static const struct option known[] = {
    {"sizes", required_argument, NULL, 's'}, {"window", required_argument, NULL, 'w'},
    {"per-s", required_argument, NULL, 'p'}, {"rules", required_argument, NULL, 'R'},
    {"jiesu", required_argument, NULL, 'j'}, {"out", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};

static int take_sizes(struct options *o, struct span list)
{
    o->size_count = 0;
    while (list.len > 0) {
        uint64_t size;
        if (o->size_count == SIZES_MAX ||
            span_to_u64(span_cut(&list, ','), ORDERS_MAX, &size) < 0 || size == 0)
            return -1;
        o->sizes[o->size_count++] = size;
    }
    return o->size_count > 0 ? 0 : -1;
}

static int take_option(struct options *o, int c)
{
    switch (c) {
    case 's':
        return take_sizes(o, span_str(optarg));
    case 'w':
        return span_to_u64(span_str(optarg), 3600, &o->window);
    case 'p':
        return span_to_u64(span_str(optarg), 1000000, &o->per_s);
    case 'R':
        o->rules = optarg;
        return 0;
    case 'j':
        o->jiesu = optarg;
        return 0;
    case 'o':
        o->out = optarg;
        return 0;
    default:
        return -1;
    }
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    struct result results[SIZES_MAX] = {{.open = 0}};
    char program[PATH_MAX];
    struct options o = {.rules = "rules",
                        .jiesu = engine_program(program, sizeof(program)),
                        .window = 60,
                        .per_s = 2000,
                        .sizes = {10000, 100000, 1000000},
                        .size_count = 3};
    int bad = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? EXIT_UNAVAILABLE_ : 0;
        bad |= take_option(&o, c);
    }
    if (bad != 0 || optind < argc || o.window == 0 || o.per_s == 0) {
        (void)fprintf(stderr, "sweep: options not understood; try sweep --help\n");
        return EXIT_BAD_USAGE;
    }
    log_set_level(LOG_ERROR); /* the first attempts come before the socket is there */
    struct err err = {0};
    sweep.options = &o;
    if (run(&sweep, results, &err) < 0) {
        (void)fprintf(stderr, "sweep: %s\n", err.text);
        return EXIT_UNAVAILABLE_;
    }
    print_report(&o, results);
    if (write_json(&o, results, &err) < 0) {
        (void)fprintf(stderr, "sweep: %s\n", err.text);
        return EXIT_UNAVAILABLE_;
    }
    return all_well(&o, results) ? 0 : EXIT_FINDING;
}
