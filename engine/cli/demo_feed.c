#include "engine/cli/demo_feed.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/cli/demo_plan.h"
#include "engine/http/client.h"

#include <stdio.h>

enum { ANSWER_MS = 10000, RETRY_MS = 100, HEADERS_BYTES = 160 };

struct resident {
    struct demo_feed *feed;
    struct http_client *client;
    uv_timer_t again;
    size_t at; /* the complaint in hand */
    uint64_t started_ns;
};

struct demo_feed {
    struct demo_feed_options options;
    struct resident *residents;
    struct hist *latency;
    uint64_t run; /* tells this run's keys from others' */
    size_t next, done;
    uint64_t retries;
    size_t open_timers;
    bool closing;
};

static void post(struct resident *r);

static void on_due(uv_timer_t *timer)
{
    struct resident *r = timer->data;
    r->started_ns = clock_steady_ns();
    post(r);
}

/* Takes the next complaint, and posts it when its time of the day comes. */
static void take_next(struct resident *r)
{
    struct demo_feed *feed = r->feed;
    if (feed->next >= demo_texts_count(feed->options.texts))
        return;
    r->at = feed->next++;
    const int64_t at =
        feed->options.morning +
        demo_plan_arrival(r->at, demo_texts_count(feed->options.texts), feed->options.most_ms);
    const int64_t wait = (at - clock_now_ms()) / clock_stretch_ms(1);
    if (wait > 0)
        (void)uv_timer_start(&r->again, on_due, (uint64_t)wait, 0);
    else
        on_due(&r->again);
}

static void on_again(uv_timer_t *timer)
{
    post(timer->data);
}

static void on_response(void *ctx, const struct http_response *response)
{
    struct resident *r = ctx;
    struct demo_feed *feed = r->feed;
    const int status = response->status;
    if (feed->closing)
        return;
    if (status == 0 || status == 409 || status == 503) {
        feed->retries++;
        (void)uv_timer_start(&r->again, on_again, RETRY_MS, 0);
        return;
    }
    hist_record(feed->latency, clock_steady_ns() - r->started_ns);
    feed->done++;
    if (status == 201 || status == 202)
        feed->options.on_answer(feed->options.ctx, r->at, status, response->body);
    else
        feed->options.on_refused(feed->options.ctx, r->at, status, response->body);
    if (feed->done == demo_texts_count(feed->options.texts))
        feed->options.on_finished(feed->options.ctx);
    else
        take_next(r);
}

static void post(struct resident *r)
{
    const struct demo_feed *feed = r->feed;
    char headers[HEADERS_BYTES];
    const int len =
        snprintf(headers, sizeof(headers),
                 "Content-Type: application/json\r\nIdempotency-Key: demo-%016llx-%zu\r\n",
                 (unsigned long long)feed->run, r->at);
    if (http_client_send(r->client, "POST", "/v1/complaints", span_of(headers, (size_t)len),
                         demo_texts_at(feed->options.texts, r->at), on_response, r) < 0)
        (void)uv_timer_start(&r->again, on_again, RETRY_MS, 0);
}

static int open_residents(struct demo_feed *feed)
{
    const struct demo_feed_options *o = &feed->options;
    for (size_t i = 0; i < o->residents; i++) {
        struct resident *r = &feed->residents[i];
        r->feed = feed;
        r->client = http_client_new(o->loop, o->host, o->port, ANSWER_MS);
        if (r->client == NULL)
            return -1;
        (void)uv_timer_init(o->loop, &r->again);
        r->again.data = r;
        feed->open_timers++;
    }
    return 0;
}

struct demo_feed *demo_feed_start(const struct demo_feed_options *options, struct err *err)
{
    struct demo_feed *feed = mem_zalloc(1, sizeof(*feed));
    if (feed != NULL) {
        feed->options = *options;
        feed->latency = hist_new();
        feed->residents = mem_zalloc(options->residents, sizeof(*feed->residents));
        random_bytes(&feed->run, sizeof(feed->run));
    }
    if (feed == NULL || feed->latency == NULL || feed->residents == NULL ||
        open_residents(feed) < 0) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        demo_feed_close(&feed);
        return NULL;
    }
    for (size_t i = 0; i < options->residents; i++)
        take_next(&feed->residents[i]);
    return feed;
}

size_t demo_feed_done(const struct demo_feed *feed)
{
    return feed->done;
}

const struct hist *demo_feed_latency(const struct demo_feed *feed)
{
    return feed->latency;
}

uint64_t demo_feed_retries(const struct demo_feed *feed)
{
    return feed->retries;
}

static void free_feed(struct demo_feed *feed)
{
    hist_free(&feed->latency);
    mem_free(feed->residents);
    mem_free(feed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct demo_feed *feed = ((struct resident *)handle->data)->feed;
    if (--feed->open_timers == 0)
        free_feed(feed);
}

void demo_feed_close(struct demo_feed **feedp)
{
    struct demo_feed *feed = *feedp;
    *feedp = NULL;
    if (feed == NULL)
        return;
    feed->closing = true;
    for (size_t i = 0; feed->residents != NULL && i < feed->options.residents; i++) {
        if (feed->residents[i].client != NULL)
            http_client_close(&feed->residents[i].client);
    }
    if (feed->open_timers == 0) {
        free_feed(feed);
        return;
    }
    for (size_t i = feed->open_timers; i-- > 0;)
        uv_close((uv_handle_t *)&feed->residents[i].again, on_timer_closed);
}
