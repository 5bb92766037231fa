/*
 * One round reads the two hashes of every community, a window at a time, into a fresh load, which
 * then takes the old one's place: a worker's orders may lie in several communities (a street's
 * triage holds those of all), so only a whole round is a picture. A round that fails leaves the old
 * picture standing. The directory may be another one after a reload; a round keeps the one it began
 * with.
 *
 * Who is missing is told once: the ids of the places that were unstaffed at the last look are kept,
 * as the hashes of their names, and compared with those of this look.
 */
#include "engine/app/duty.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "engine/store/keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, FAST_LOOK_MS = 100, WINDOW = 64 };

/* Places that were found without staff, by the hash of kind and id. */
struct places {
    uint64_t *items;
    size_t count, capacity;
};

struct duty {
    struct duty_options options;
    struct redis *redis;
    uv_timer_t look;
    struct places before, now;
    uint64_t grids, stations; /* found at this look */
    bool short_of_memory;     /* this look is not whole */

    /* The round under way. */
    struct policy *policy; /* NULL: none */
    struct load *fresh;
    size_t next, waiting; /* the next community; replies to come */
    bool failed;
};

/* ---- who is on shift ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool stood_before(const struct duty *duty, uint64_t place)
{
    return duty->before.count > 0 && bsearch(&place, duty->before.items, duty->before.count,
                                             sizeof *duty->before.items, compare) != NULL;
}

static void on_place(void *ctx, struct span id, bool is_grid)
{
    struct duty *duty = ctx;
    struct places *now = &duty->now;
    const uint64_t place = hash64(id, is_grid);
    duty->grids += is_grid;
    duty->stations += !is_grid;
    if (now->count == now->capacity) {
        const size_t capacity = now->capacity == 0 ? 64 : now->capacity * 2;
        uint64_t *items = mem_resize(now->items, capacity, sizeof *items);
        if (items == NULL) {
            duty->short_of_memory = true;
            return;
        }
        now->items = items;
        now->capacity = capacity;
    }
    now->items[now->count++] = place;
    if (!stood_before(duty, place))
        log_write(LOG_WARN, "duty", "nobody_on_shift", LOG_STR("place", is_grid ? "grid" : "desk"),
                  LOG_SPAN("id", id));
}

/* How many of the places of the last look are not among those of this one. */
static size_t count_ended(const struct duty *duty)
{
    size_t ended = 0;
    for (size_t i = 0; i < duty->before.count; i++)
        ended += duty->now.count == 0 ||
                 bsearch(&duty->before.items[i], duty->now.items, duty->now.count,
                         sizeof *duty->now.items, compare) == NULL;
    return ended;
}

static void look_at_shifts(struct duty *duty)
{
    struct policy *policy = duty->options.policy(duty->options.ctx);
    duty->now.count = 0;
    duty->grids = duty->stations = 0;
    duty->short_of_memory = false;
    directory_unstaffed(policy_directory(policy), clock_now_ms(), on_place, duty);
    policy_unref(&policy);
    metric_set(METRIC_UNSTAFFED_GRIDS, (int64_t)duty->grids);
    metric_set(METRIC_UNSTAFFED_DESKS, (int64_t)duty->stations);
    if (duty->short_of_memory)
        return;
    if (duty->now.count > 1)
        qsort(duty->now.items, duty->now.count, sizeof *duty->now.items, compare);
    const size_t ended = count_ended(duty);
    if (ended > 0)
        log_write(LOG_INFO, "duty", "on_shift_again", LOG_INT("places", ended));
    const struct places before = duty->before;
    duty->before = duty->now;
    duty->now = before;
}

/* ---- what everybody has ---- */

static void send_window(struct duty *duty);

static void end_round(struct duty *duty)
{
    if (!duty->failed)
        load_replace(duty->options.load, &duty->fresh);
    load_free(&duty->fresh);
    policy_unref(&duty->policy);
}

/* [worker, number, worker, number, ...] */
static void on_hash(struct duty *duty, const struct reply *reply, bool is_open)
{
    for (size_t i = 0; i + 1 < reply_size(reply); i += 2) {
        const int64_t n = reply_integer(reply_at(reply, i + 1));
        const struct load_of of = {.open = is_open ? n : 0, .last_at = is_open ? 0 : n};
        load_add(duty->fresh, reply_span(reply_at(reply, i)), of);
    }
}

static void on_reply(struct duty *duty, const struct reply *reply, const struct err *err,
                     bool is_open)
{
    duty->waiting--;
    if (err != NULL || reply_type(reply) != REPLY_ARRAY)
        duty->failed = true;
    else
        on_hash(duty, reply, is_open);
    if (duty->waiting == 0)
        send_window(duty);
}

static void on_open(void *ctx, const struct reply *reply, const struct err *err)
{
    on_reply(ctx, reply, err, true);
}

static void on_idle(void *ctx, const struct reply *reply, const struct err *err)
{
    on_reply(ctx, reply, err, false);
}

static void ask(struct duty *duty, const struct key *key, redis_done *done)
{
    const struct span argv[] = {SPAN("HGETALL"), key_span(key)};
    if (redis_command(duty->redis, argv[1], 2, argv, done, duty, NULL) < 0)
        duty->failed = true;
    else
        duty->waiting++;
}

static void send_window(struct duty *duty)
{
    const struct directory *directory = policy_directory(duty->policy);
    const size_t count = directory_area_count(directory);
    for (size_t n = 0; n < WINDOW && duty->next < count && !duty->failed; n++) {
        struct span community, street;
        directory_area_at(directory, duty->next++, &community, &street);
        const struct key open = key_open(community), idle = key_idle(community);
        ask(duty, &open, on_open);
        ask(duty, &idle, on_idle);
    }
    if (duty->waiting == 0)
        end_round(duty);
}

static void on_look(uv_timer_t *timer)
{
    struct duty *duty = timer->data;
    look_at_shifts(duty);
    if (duty->policy != NULL || !redis_ready(duty->redis))
        return;
    duty->fresh = load_new();
    if (duty->fresh == NULL)
        return;
    duty->policy = duty->options.policy(duty->options.ctx);
    duty->next = 0;
    duty->failed = false;
    send_window(duty);
}

/* ---- beginning and end ---- */

struct duty *duty_start(const struct duty_options *options, struct err *err)
{
    struct duty *duty = mem_zalloc(1, sizeof *duty);
    if (duty == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    duty->options = *options;
    const struct redis_options redis = {.target = options->target};
    duty->redis = redis_new(options->loop, &redis, err);
    if (duty->redis == NULL) {
        mem_free(duty);
        return NULL;
    }
    const uint64_t every = clock_stretch_ms(1) == 1 ? LOOK_MS : FAST_LOOK_MS;
    CHECK(uv_timer_init(options->loop, &duty->look) == 0);
    duty->look.data = duty;
    (void)uv_timer_start(&duty->look, on_look, 0, every);
    return duty;
}

static void on_closed(uv_handle_t *handle)
{
    struct duty *duty = handle->data;
    mem_free(duty->before.items);
    mem_free(duty->now.items);
    mem_free(duty);
}

void duty_close(struct duty **dutyp)
{
    struct duty *duty = *dutyp;
    *dutyp = NULL;
    if (duty == NULL)
        return;
    redis_close(&duty->redis); /* ends the round under way, which has failed */
    uv_close((uv_handle_t *)&duty->look, on_closed);
}
