#include "engine/cli/demo_crew.h"

#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/store/keys.h"

#include <stdio.h>

enum { LOOK_MS = 20, TAKE_AT_ONCE = 100 };

/* The streams that a worker has in one community. */
struct desk {
    struct demo_crew *crew;
    size_t index; /* of the worker */
    struct span id;
    struct key queues[ORDER_QUEUE_COUNT];
    bool joined;  /* its consumer groups exist */
    bool reading; /* an XREADGROUP is under way */
};

struct demo_crew {
    struct demo_crew_options options;
    struct redis *redis;
    uv_timer_t look;
    struct desk *desks;
    size_t count;
    /* The SCAN under way. */
    void (*on_order)(void *ctx, struct span id);
    void (*on_counted)(void *ctx, const struct err *err);
    void *count_ctx;
};

static void ignore(void *ctx, const struct reply *reply, const struct err *err)
{
    (void)ctx;
    (void)reply;
    (void)err;
}

/* A group that exists already (BUSYGROUP) is as good as a new one. */
static void on_joined(void *ctx, const struct reply *reply, const struct err *err)
{
    struct desk *w = ctx;
    (void)reply;
    w->joined = err == NULL;
}

static void join(struct desk *w)
{
    for (size_t i = 0; i < ORDER_QUEUE_COUNT; i++) {
        const struct span argv[] = {SPAN("XGROUP"),  SPAN("CREATE"), key_span(&w->queues[i]),
                                    SPAN("workers"), SPAN("0"),      SPAN("MKSTREAM")};
        (void)redis_command(w->crew->redis, argv[2], sizeof(argv) / sizeof(argv[0]), argv,
                            i + 1 < ORDER_QUEUE_COUNT ? ignore : on_joined, w, NULL);
    }
}

static enum order_queue queue_of(const struct desk *w, struct span stream)
{
    enum order_queue queue = QUEUE_ORDINARY;
    while (queue < QUEUE_URGENT && !span_eq(stream, key_span(&w->queues[queue])))
        queue++;
    return queue;
}

/* [entry id, [field, value, ...]]: the order's id is the value of "id". */
static void find(struct desk *w, enum order_queue queue, const struct reply *entry)
{
    const struct reply *fields = reply_at(entry, 1);
    for (size_t i = 0; i + 1 < reply_size(fields); i += 2) {
        if (!span_eq(reply_span(reply_at(fields, i)), SPAN("id")))
            continue;
        w->crew->options.on_queued(w->crew->options.ctx, reply_span(reply_at(fields, i + 1)),
                                   w->index, queue);
    }
}

static void on_read(void *ctx, const struct reply *reply, const struct err *err)
{
    struct desk *w = ctx;
    w->reading = false;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY)
        return;
    for (size_t s = 0; s < reply_size(reply); s++) {
        const struct reply *stream = reply_at(reply, s);
        const struct reply *entries = reply_at(stream, 1);
        for (size_t i = 0; i < reply_size(entries); i++)
            find(w, queue_of(w, reply_span(reply_at(stream, 0))), reply_at(entries, i));
    }
}

static void read_queue(struct desk *w)
{
    char most[16];
    (void)snprintf(most, sizeof(most), "%d", TAKE_AT_ONCE);
    const struct span argv[] = {SPAN("XREADGROUP"),
                                SPAN("GROUP"),
                                SPAN("workers"),
                                w->id,
                                SPAN("COUNT"),
                                span_str(most),
                                SPAN("STREAMS"),
                                key_span(&w->queues[QUEUE_URGENT]),
                                key_span(&w->queues[QUEUE_SPECIAL]),
                                key_span(&w->queues[QUEUE_ORDINARY]),
                                SPAN(">"),
                                SPAN(">"),
                                SPAN(">")};
    w->reading = redis_command(w->crew->redis, key_span(&w->queues[QUEUE_URGENT]),
                               sizeof(argv) / sizeof(argv[0]), argv, on_read, w, NULL) == 0;
}

static void on_look(uv_timer_t *timer)
{
    struct demo_crew *crew = timer->data;
    if (!redis_ready(crew->redis))
        return;
    for (size_t i = 0; i < crew->count; i++) {
        struct desk *w = &crew->desks[i];
        if (!w->joined)
            join(w);
        else if (!w->reading)
            read_queue(w);
    }
}

/* True when the worker of that home may find orders of the area in a queue. */
static bool works_for(const struct directory *directory, struct span home, size_t area,
                      struct span *community)
{
    struct span street;
    directory_area_at(directory, area, community, &street);
    return span_eq(*community, home) || span_eq(street, home);
}

/* Fills the desks, or with none to fill only counts them. */
static size_t seat_workers(struct demo_crew *crew, struct desk *desks)
{
    const struct directory *directory = crew->options.directory;
    size_t count = 0;
    for (size_t i = 0; i < directory_worker_count(directory); i++) {
        struct span id, home, community;
        directory_worker_at(directory, i, &id, &home);
        for (size_t area = 0; area < directory_area_count(directory); area++) {
            if (!works_for(directory, home, area, &community))
                continue;
            if (desks != NULL) {
                desks[count] = (struct desk){.crew = crew, .index = i, .id = id};
                for (enum order_queue queue = 0; queue < ORDER_QUEUE_COUNT; queue++)
                    desks[count].queues[queue] = key_queue(community, id, queue);
            }
            count++;
        }
    }
    return count;
}

struct demo_crew *demo_crew_start(const struct demo_crew_options *options, struct err *err)
{
    struct demo_crew *crew = mem_zalloc(1, sizeof(*crew));
    if (crew == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    crew->options = *options;
    crew->count = seat_workers(crew, NULL);
    crew->desks = mem_zalloc(crew->count, sizeof(*crew->desks));
    const struct redis_options redis = {.target = options->target};
    if (crew->desks == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        mem_free(crew);
        return NULL;
    }
    crew->redis = redis_new(options->loop, &redis, err);
    if (crew->redis == NULL) {
        mem_free(crew->desks);
        mem_free(crew);
        return NULL;
    }
    (void)seat_workers(crew, crew->desks);
    (void)uv_timer_init(options->loop, &crew->look);
    crew->look.data = crew;
    (void)uv_timer_start(&crew->look, on_look, 0, LOOK_MS);
    return crew;
}

/* ---- counting orders ---- */

static int scan(struct demo_crew *crew, struct span cursor, struct err *err);

static void found(struct demo_crew *crew, struct span key)
{
    struct id id;
    if (key_parse_order(key, &id) == 0)
        crew->on_order(crew->count_ctx, id_span(&id));
}

static void on_scanned(void *ctx, const struct reply *reply, const struct err *err)
{
    struct demo_crew *crew = ctx;
    struct err failure = {0};
    if (err != NULL) {
        crew->on_counted(crew->count_ctx, err);
        return;
    }
    if (reply_type(reply) != REPLY_ARRAY) {
        (void)err_set(&failure, ERR_PROTOCOL, "SCAN: %.*s", SPAN_ARG(reply_span(reply)));
        crew->on_counted(crew->count_ctx, &failure);
        return;
    }
    const struct reply *keys = reply_at(reply, 1);
    for (size_t i = 0; i < reply_size(keys); i++)
        found(crew, reply_span(reply_at(keys, i)));
    const struct span cursor = reply_span(reply_at(reply, 0));
    if (span_eq(cursor, SPAN("0")))
        crew->on_counted(crew->count_ctx, NULL);
    else if (scan(crew, cursor, &failure) < 0)
        crew->on_counted(crew->count_ctx, &failure);
}

static int scan(struct demo_crew *crew, struct span cursor, struct err *err)
{
    const struct span argv[] = {SPAN("SCAN"),  cursor,
                                SPAN("MATCH"), SPAN("jiesu:{*}:order:*"),
                                SPAN("COUNT"), SPAN("1000")};
    return redis_command(crew->redis, SPAN(""), sizeof(argv) / sizeof(argv[0]), argv, on_scanned,
                         crew, err);
}

int demo_crew_count_orders(struct demo_crew *crew, void (*on_order)(void *ctx, struct span id),
                           void (*on_finished)(void *ctx, const struct err *err), void *ctx,
                           struct err *err)
{
    crew->on_order = on_order;
    crew->on_counted = on_finished;
    crew->count_ctx = ctx;
    return scan(crew, SPAN("0"), err);
}

/* ---- end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct demo_crew *crew = handle->data;
    mem_free(crew->desks);
    mem_free(crew);
}

void demo_crew_close(struct demo_crew **crewp)
{
    struct demo_crew *crew = *crewp;
    *crewp = NULL;
    if (crew == NULL)
        return;
    redis_close(&crew->redis);
    uv_close((uv_handle_t *)&crew->look, on_closed);
}
