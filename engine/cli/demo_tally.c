#include "engine/cli/demo_tally.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/http/json.h"
#include "engine/store/events.h"

#include <stdbool.h>
#include <stdio.h>

enum { LOOK_MS = 50, AT_ONCE = 500 };

/* The stream of one community. */
struct stream {
    struct demo_tally *tally;
    struct span community;
    char after[EVENTS_ID_BYTES];
    bool reading;
};

struct demo_tally {
    struct demo_tally_options options;
    struct redis *redis;
    uv_timer_t look;
    struct stream *streams;
    size_t count;
    struct demo_hour hours[DEMO_TALLY_HOURS];
};

static void count_levels(struct demo_tally *tally, struct demo_hour *hour, struct span entry)
{
    struct json root, note, clocks, value;
    enum warning level;
    if (json_parse(tally->options.json, entry, &root, NULL) < 0 || !json_get(root, "note", &note))
        return;
    if (json_get(note, "clocks", &clocks) && json_type(clocks) == JSON_OBJECT) {
        struct json_iter it = json_iter(clocks);
        struct span name;
        while (json_next(&it, &name, &value)) {
            if (json_type(value) == JSON_STRING && warning_parse(json_string(value), &level) == 0)
                hour->warned[level]++;
        }
    }
    if (json_get(note, "departments", &value) && json_type(value) == JSON_ARRAY) {
        struct json_iter it = json_iter(value);
        while (json_next(&it, NULL, &clocks))
            hour->warned[WARNING_RED]++;
    }
}

static void count_event(struct demo_tally *tally, const struct event *event)
{
    const int64_t since = event->at - tally->options.morning;
    const int64_t n = since < 0 ? 0 : since / CLOCK_HOUR_MS;
    struct demo_hour *hour = &tally->hours[n < DEMO_TALLY_HOURS ? n : DEMO_TALLY_HOURS - 1];
    enum order_step step;
    if (span_eq(event->step, SPAN("create")))
        hour->created++;
    else if (order_step_parse(event->step, &step) == 0)
        hour->steps[step]++;
    if (span_eq(event->step, SPAN("warn")))
        count_levels(tally, hour, event->entry);
}

static void read_more(struct stream *stream);

static void on_events(void *ctx, const struct event *events, size_t count, const struct err *err)
{
    struct stream *stream = ctx;
    stream->reading = false;
    if (err != NULL || count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        count_event(stream->tally, &events[i]);
    (void)snprintf(stream->after, sizeof stream->after, "%.*s", SPAN_ARG(events[count - 1].id));
    if (count == AT_ONCE)
        read_more(stream);
}

static void read_more(struct stream *stream)
{
    stream->reading = events_read(stream->tally->redis, stream->community, span_str(stream->after),
                                  AT_ONCE, on_events, stream, NULL) == 0;
}

static void on_look(uv_timer_t *timer)
{
    struct demo_tally *tally = timer->data;
    for (size_t i = 0; i < tally->count && redis_ready(tally->redis); i++) {
        if (!tally->streams[i].reading)
            read_more(&tally->streams[i]);
    }
}

struct demo_tally *demo_tally_start(const struct demo_tally_options *options, struct err *err)
{
    struct demo_tally *tally = mem_zalloc(1, sizeof *tally);
    const struct redis_options redis = {.target = options->target};
    const size_t count = directory_area_count(options->directory);
    struct span street;
    if (tally != NULL)
        tally->streams = mem_zalloc(count, sizeof *tally->streams);
    if (tally == NULL || tally->streams == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        mem_free(tally);
        return NULL;
    }
    tally->options = *options;
    tally->count = count;
    for (size_t i = 0; i < count; i++) {
        struct stream *stream = &tally->streams[i];
        stream->tally = tally;
        (void)snprintf(stream->after, sizeof stream->after, "%s", EVENTS_START);
        directory_area_at(options->directory, i, &stream->community, &street);
    }
    tally->redis = redis_new(options->loop, &redis, err);
    if (tally->redis == NULL) {
        mem_free(tally->streams);
        mem_free(tally);
        return NULL;
    }
    (void)uv_timer_init(options->loop, &tally->look);
    tally->look.data = tally;
    (void)uv_timer_start(&tally->look, on_look, 0, LOOK_MS);
    return tally;
}

const struct demo_hour *demo_tally_hour(const struct demo_tally *tally, size_t hour)
{
    return &tally->hours[hour < DEMO_TALLY_HOURS ? hour : DEMO_TALLY_HOURS - 1];
}

static void on_closed(uv_handle_t *handle)
{
    struct demo_tally *tally = handle->data;
    mem_free(tally->streams);
    mem_free(tally);
}

void demo_tally_close(struct demo_tally **tallyp)
{
    struct demo_tally *tally = *tallyp;
    *tallyp = NULL;
    if (tally == NULL)
        return;
    redis_close(&tally->redis);
    uv_close((uv_handle_t *)&tally->look, on_closed);
}
