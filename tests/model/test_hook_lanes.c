/*
 * The lanes of webhook events: each rule alone, and a simulated life of endpoint, Redis and engine in which
 * everything goes wrong, checked against what was promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/model/hook_gate.h"
#include "engine/model/hook_lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct hook_lanes *lanes, int n, int order, int version, bool wanted, bool dead)
{
    char id[32], name[32];
    snprintf(id, sizeof id, "%d-0", n);
    snprintf(name, sizeof name, "ORDER%d", order);
    const struct hook_added added = {.id = span_str(id),
                                     .order = span_str(name),
                                     .data = SPAN("{}"),
                                     .version = version,
                                     .at = n,
                                     .wanted = wanted,
                                     .dead = dead};
    return hook_lanes_add(lanes, &added);
}

static const char *cursor(struct hook_lanes *lanes)
{
    static char text[64];
    struct span id;
    if (!hook_lanes_cursor(lanes, &id))
        return "unmoved";
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(id));
    return text;
}

/* The next to be sent, which must be this. */
static struct hook_item *sent(struct hook_lanes *lanes, int64_t now, const char *id)
{
    struct hook_item *item = NULL;
    assert_int_equal(hook_lanes_next(lanes, true, false, now, &item), HOOK_DO_SEND);
    assert_string_equal(item->id.ptr, id);
    return item;
}

static struct hook_item *buried(struct hook_lanes *lanes, int64_t now, const char *id)
{
    struct hook_item *item = NULL;
    assert_int_equal(hook_lanes_next(lanes, false, false, now, &item), HOOK_DO_BURY);
    assert_string_equal(item->id.ptr, id);
    return item;
}

static void nothing(struct hook_lanes *lanes, int64_t now)
{
    struct hook_item *item = NULL;
    assert_int_equal(hook_lanes_next(lanes, true, false, now, &item), HOOK_DO_NOTHING);
}

static void one_at_a_time_in_each_lane(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(1);
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    assert_int_equal(add(lanes, 2, 1, 2, true, false), 0);
    assert_int_equal(add(lanes, 3, 2, 1, false, false), 0);
    assert_int_equal(add(lanes, 4, 3, 1, true, false), 0);
    assert_int_equal(hook_lanes_waiting(lanes), 3);
    struct hook_item *first = sent(lanes, 0, "1-0"), *other = sent(lanes, 0, "4-0");
    nothing(lanes, 0);
    hook_lanes_delivered(lanes, other);
    assert_string_equal(cursor(lanes), "unmoved");
    hook_lanes_delivered(lanes, first);
    assert_string_equal(cursor(lanes), "1-0");
    assert_true(hook_lanes_oldest(lanes) == 2);
    hook_lanes_delivered(lanes, sent(lanes, 0, "2-0"));
    assert_string_equal(cursor(lanes), "4-0");
    assert_string_equal(cursor(lanes), "unmoved");
    assert_int_equal(hook_lanes_room(lanes), LIMIT_HOOK_WINDOW);
    assert_true(hook_lanes_oldest(lanes) == 0);
    /* What nobody wants moves the cursor by itself. */
    assert_int_equal(add(lanes, 5, 2, 2, false, false), 0);
    assert_string_equal(cursor(lanes), "5-0");
    hook_lanes_free(&lanes);
    assert_null(lanes);
}

static const struct hook_failure own = {.counts = true};

static void it_waits_and_is_buried_in_the_end(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(2);
    int64_t now = 0, longest = 0;
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    assert_int_equal(add(lanes, 2, 1, 2, true, false), 0);
    for (int i = 0; i < LIMIT_HOOK_ATTEMPTS; i++) {
        struct hook_item *item = NULL;
        const int64_t began = now;
        while (hook_lanes_next(lanes, true, false, now, &item) == HOOK_DO_NOTHING)
            now += 10;
        assert_string_equal(item->id.ptr, "1-0");
        assert_true(now - began <= LIMIT_HOOK_BACKOFF_MAX_MS + 10);
        longest = now - began > longest ? now - began : longest;
        struct hook_failure failure = own;
        failure.now = now;
        hook_lanes_failed(lanes, item, &failure);
    }
    assert_true(longest > 10 * LIMIT_HOOK_BACKOFF_MIN_MS);
    struct hook_item *item = buried(lanes, now, "1-0");
    assert_true(item->bury);
    hook_lanes_buried(lanes, item);
    /* The next one follows, as long as there are dead letters. */
    item = buried(lanes, now, "2-0");
    assert_true(item->follow && !item->bury);
    assert_int_equal(add(lanes, 3, 1, 3, true, false), 0);
    hook_lanes_buried(lanes, item);
    item = buried(lanes, now, "3-0");
    hook_lanes_revived(lanes, item);
    hook_lanes_delivered(lanes, sent(lanes, now, "3-0"));
    assert_string_equal(cursor(lanes), "3-0");
    hook_lanes_free(&lanes);
}

static void when_it_is_buried_at_once(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(3);
    const struct hook_failure gone = {.final = true},
                              old = {.today = 2 + LIMIT_HOOK_AGE_S * INT64_C(1000)},
                              young = {.today = 2 + LIMIT_HOOK_AGE_S * INT64_C(1000) - 1};
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    hook_lanes_failed(lanes, sent(lanes, 0, "1-0"), &gone);
    hook_lanes_buried(lanes, buried(lanes, 0, "1-0"));
    assert_int_equal(add(lanes, 2, 2, 1, true, false), 0);
    hook_lanes_failed(lanes, sent(lanes, 0, "2-0"), &young);
    hook_lanes_hurry(lanes, 0);
    hook_lanes_failed(lanes, sent(lanes, 0, "2-0"), &old);
    hook_lanes_buried(lanes, buried(lanes, 0, "2-0"));
    hook_lanes_free(&lanes);
}

/* What fails while the endpoint takes nothing at all is not the event's own fault. */
static void attempts_at_an_endpoint_that_is_down(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(4);
    struct hook_item *item = NULL;
    const struct hook_failure down = {.counts = false};
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    assert_int_equal(add(lanes, 2, 2, 1, true, false), 0);
    for (int i = 0; i < 10 * LIMIT_HOOK_ATTEMPTS; i++) {
        /* A probe does not mind that it is early, and takes turns. */
        assert_int_equal(hook_lanes_next(lanes, true, true, 0, &item), HOOK_DO_SEND);
        hook_lanes_failed(lanes, item, &down);
        assert_int_equal(item->attempts, 0);
    }
    hook_lanes_hurry(lanes, 0);
    struct hook_item *a = NULL, *b = NULL;
    assert_int_equal(hook_lanes_next(lanes, true, false, 0, &a), HOOK_DO_SEND);
    assert_int_equal(hook_lanes_next(lanes, true, false, 0, &b), HOOK_DO_SEND);
    assert_true(a != b);
    hook_lanes_free(&lanes);
}

static void retry_after_is_honoured(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(5);
    struct hook_failure failure = {.counts = true, .wait_ms = 90000};
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    hook_lanes_failed(lanes, sent(lanes, 0, "1-0"), &failure);
    nothing(lanes, 89999);
    failure.wait_ms = INT64_MAX;
    failure.now = 90000;
    hook_lanes_failed(lanes, sent(lanes, 90000, "1-0"), &failure);
    nothing(lanes, 90000 + LIMIT_HOOK_RETRY_AFTER_MS - 1);
    (void)sent(lanes, 90000 + LIMIT_HOOK_RETRY_AFTER_MS, "1-0");
    hook_lanes_free(&lanes);
}

/* One event that is never taken must not hold up the rest of a full window. */
static void a_full_window_moves_on(void **state)
{
    (void)state;
    struct hook_lanes *lanes = hook_lanes_new(6);
    struct hook_item *item = NULL;
    int64_t now = 0;
    assert_int_equal(add(lanes, 1, 1, 1, true, false), 0);
    for (int i = 0; i < LIMIT_HOOK_BLOCKING_ATTEMPTS; i++) {
        while (hook_lanes_next(lanes, true, false, now, &item) == HOOK_DO_NOTHING)
            now += 10;
        struct hook_failure failure = own;
        failure.now = now;
        hook_lanes_failed(lanes, item, &failure);
    }
    now += LIMIT_HOOK_BACKOFF_MAX_MS;
    int n = 2;
    for (; hook_lanes_room(lanes) > 1; n++) {
        assert_int_equal(add(lanes, n, n, 1, true, false), 0);
        item = NULL;
        while (hook_lanes_next(lanes, true, false, now - LIMIT_HOOK_BACKOFF_MAX_MS, &item) ==
               HOOK_DO_SEND)
            hook_lanes_delivered(lanes, item);
    }
    struct hook_item *none = NULL;
    assert_int_equal(hook_lanes_next(lanes, false, false, now, &none), HOOK_DO_NOTHING);
    assert_int_equal(add(lanes, n, n, 1, true, false), 0);
    assert_int_equal(hook_lanes_room(lanes), 0);
    item = buried(lanes, now, "1-0");
    /* No room among the dead letters: it is not asked for again at once. */
    hook_lanes_postpone(lanes, item, now, 1000);
    assert_int_equal(hook_lanes_next(lanes, false, false, now + 999, &none), HOOK_DO_NOTHING);
    hook_lanes_buried(lanes, buried(lanes, now + 1000, "1-0"));
    assert_int_equal(hook_lanes_room(lanes), LIMIT_HOOK_WINDOW - 1);
    hook_lanes_free(&lanes);
}

static void memory_runs_out(void **state)
{
    (void)state;
    uint64_t n = 0;
    for (bool good = false; !good;) {
        mem_fail_at(++n);
        struct hook_lanes *lanes = hook_lanes_new(7);
        good = lanes != NULL && add(lanes, 1, 1, 1, true, false) == 0 &&
               add(lanes, 2, 1, 2, true, false) == 0 && add(lanes, 3, 2, 1, true, false) == 0;
        mem_fail_at(0);
        assert_true(good || lanes == NULL || hook_lanes_waiting(lanes) < 3);
        hook_lanes_free(&lanes);
    }
    assert_true(n > 5);
}

/* ---- the gate ---- */

static void the_gate(void **state)
{
    (void)state;
    struct hook_gate gate;
    int64_t now = 1000;
    hook_gate_init(&gate, 1);
    for (int i = 0; i < LIMIT_HOOK_IN_FLIGHT; i++) {
        assert_true(hook_gate_open(&gate, now));
        hook_gate_began(&gate);
    }
    assert_false(hook_gate_open(&gate, now));
    for (int i = 0; i < LIMIT_HOOK_IN_FLIGHT; i++) {
        assert_int_equal(gate.down, i >= LIMIT_HOOK_DOWN_AFTER);
        assert_false(hook_gate_ended(&gate, false, 0, now));
    }
    /* Down: one at a time, with waits that grow and stay under their bound. */
    int64_t longest = 0;
    for (int i = 0; i < 200; i++) {
        const int64_t began = now;
        while (!hook_gate_open(&gate, now))
            now++;
        longest = now - began > longest ? now - began : longest;
        hook_gate_began(&gate);
        assert_false(hook_gate_open(&gate, now));
        assert_false(hook_gate_ended(&gate, false, 0, now));
    }
    assert_in_range(longest, LIMIT_HOOK_PROBE_MAX_MS / 2, LIMIT_HOOK_PROBE_MAX_MS);
    hook_gate_began(&gate);
    assert_true(hook_gate_ended(&gate, true, 0, now));
    assert_true(!gate.down && hook_gate_open(&gate, now));
    hook_gate_began(&gate);
    assert_false(hook_gate_ended(&gate, true, 0, now));
    /* A wait that was asked for, within its bound. */
    hook_gate_began(&gate);
    assert_false(hook_gate_ended(&gate, false, 7000, now));
    assert_false(hook_gate_open(&gate, now + 6999));
    assert_true(hook_gate_open(&gate, now + 7000));
    hook_gate_began(&gate);
    assert_false(hook_gate_ended(&gate, false, INT64_MAX, now));
    assert_true(hook_gate_open(&gate, now + LIMIT_HOOK_RETRY_AFTER_MS));
}

static void the_jitter_is_full(void **state)
{
    (void)state;
    struct random random = {.state = 9};
    for (uint32_t attempt = 1; attempt < 30; attempt++) {
        int64_t span = 100;
        for (uint32_t i = 2; i < attempt && span < 5000; i++)
            span *= 2;
        span = span < 5000 ? span : 5000;
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 1000; i++) {
            const int64_t wait = hook_backoff(&random, attempt, 100, 5000);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_in_range(least, 0, span / 20);
        assert_in_range(most, span - span / 20, span);
    }
}

/* ---- a whole life ---- */

enum { ORDERS = 40, EVENTS = 1500, UNDER_WAY = 64, STEPS_MOST = 400000 };

/* What Redis has, what the receiver has seen, and what the engine has under way. */
struct world {
    struct random random;
    int order[EVENTS + 1], version[EVENTS + 1];   /* the stream; the n-th has id "n-0" */
    int written, cursor;                          /* in Redis */
    int versions[ORDERS];                         /* of each order, so far */
    int dead[ORDERS][EVENTS], dead_count[ORDERS]; /* dead letters, by version */
    int seen[ORDERS];                             /* newest version the receiver has taken */
    bool taken[ORDERS][EVENTS + 1];
    bool poisoned[ORDERS];
    int health; /* percent of posts that are taken */
    struct hook_lanes *lanes;
    struct hook_gate gate;
    int read;
    int64_t now;
    struct {
        struct hook_item *item;
        int64_t ends;
        bool bury;
    } way[UNDER_WAY];
    int way_count, restarts, letters;
};

static int below(struct world *w, int n)
{
    return (int)random_below(&w->random, (uint64_t)n);
}

static void restart(struct world *w)
{
    hook_lanes_free(&w->lanes);
    w->lanes = hook_lanes_new(random_next(&w->random));
    w->read = w->cursor;
    w->way_count = 0;
    hook_gate_init(&w->gate, random_next(&w->random));
    w->restarts++;
}

static int order_of(const struct hook_item *item)
{
    return atoi(item->order.ptr + 5);
}

/* A post reaches the receiver (or not). True when it is answered 2xx. */
static bool receive(struct world *w, int order, int version)
{
    if (w->poisoned[order] || below(w, 100) >= w->health)
        return false;
    if (!w->taken[order][version]) {
        /* The first time, in order: all before it were taken, or nobody had asked for them. */
        assert_true(version == w->seen[order] + 1);
        w->seen[order] = version;
        w->taken[order][version] = true;
    }
    return true;
}

static void end_bury(struct world *w, struct hook_item *item)
{
    const int order = order_of(item), version = (int)item->version;
    int *count = &w->dead_count[order];
    if (!item->bury && *count == 0) {
        hook_lanes_revived(w->lanes, item);
        return;
    }
    if (*count == 0 || w->dead[order][*count - 1] < version) {
        if (*count > 0)
            assert_int_equal(w->dead[order][*count - 1] + 1, version);
        w->dead[order][(*count)++] = version;
        w->letters++;
    }
    hook_lanes_buried(w->lanes, item);
}

static void end_post(struct world *w, struct hook_item *item)
{
    const int order = order_of(item);
    const bool taken = receive(w, order, (int)item->version);
    if (hook_gate_ended(&w->gate, taken, 0, w->now))
        hook_lanes_hurry(w->lanes, w->now);
    if (taken) {
        hook_lanes_delivered(w->lanes, item);
        return;
    }
    const struct hook_failure failure = {
        .final = below(w, 500) == 0, .counts = !w->gate.down, .now = w->now, .today = item->at};
    hook_lanes_failed(w->lanes, item, &failure);
}

static void end_some(struct world *w)
{
    for (int i = 0; i < w->way_count;) {
        struct hook_item *item = w->way[i].item;
        if (w->way[i].ends > w->now) {
            i++;
            continue;
        }
        const bool bury = w->way[i].bury;
        memmove(&w->way[i], &w->way[i + 1], (size_t)(w->way_count - i - 1) * sizeof w->way[0]);
        w->way_count--;
        if (bury)
            end_bury(w, item);
        else
            end_post(w, item);
    }
}

static void begin_some(struct world *w)
{
    while (w->way_count < UNDER_WAY) {
        struct hook_item *item = NULL;
        const bool open = hook_gate_open(&w->gate, w->now);
        const enum hook_do what = hook_lanes_next(w->lanes, open, w->gate.down, w->now, &item);
        if (what == HOOK_DO_NOTHING)
            return;
        for (int i = 0; i < w->way_count; i++)
            assert_true(order_of(w->way[i].item) != order_of(item));
        if (what == HOOK_DO_SEND) {
            assert_true(open);
            hook_gate_began(&w->gate);
        }
        w->way[w->way_count].item = item;
        w->way[w->way_count].bury = what == HOOK_DO_BURY;
        w->way[w->way_count++].ends = w->now + below(w, what == HOOK_DO_BURY ? 5 : 200);
    }
}

static void read_some(struct world *w)
{
    size_t room = hook_lanes_room(w->lanes);
    bool any_dead = false;
    for (int i = 0; i < ORDERS; i++)
        any_dead = any_dead || w->dead_count[i] > 0;
    for (int i = 0; i < LIMIT_HOOK_PAGE && room > 0 && w->read < w->written; i++, room--) {
        const int n = ++w->read;
        assert_int_equal(add(w->lanes, n, w->order[n], w->version[n], true, any_dead), 0);
    }
}

/* Somebody has the dead letters of an order replayed, as the feed does it: one by one, in order. */
static void replay(struct world *w, int order)
{
    for (int i = 0; i < w->dead_count[order]; i++) {
        const int version = w->dead[order][i];
        if (!w->taken[order][version])
            assert_int_equal(version, w->seen[order] + 1);
        w->seen[order] = version > w->seen[order] ? version : w->seen[order];
        w->taken[order][version] = true;
    }
    w->dead_count[order] = 0;
}

static void something_happens(struct world *w, bool calm)
{
    if (w->written < EVENTS && below(w, 3) == 0) {
        const int n = ++w->written;
        w->order[n] = below(w, ORDERS);
        w->version[n] = ++w->versions[w->order[n]];
    }
    if (calm)
        return;
    if (below(w, 400) == 0)
        w->health = below(w, 3) == 0 ? 0 : below(w, 101);
    if (below(w, 300) == 0)
        w->poisoned[below(w, ORDERS)] = below(w, 3) == 0;
    if (below(w, 700) == 0)
        restart(w);
    if (below(w, 200) == 0)
        replay(w, below(w, ORDERS));
}

static void live(uint64_t seed, int *letters)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->random.state = seed;
    w->health = 80;
    restart(w);
    int steps = 0;
    for (; steps < STEPS_MOST; steps++) {
        const bool calm = w->written == EVENTS;
        struct span to;
        if (calm && w->health != 100) {
            w->health = 100;
            memset(w->poisoned, 0, sizeof w->poisoned);
        }
        w->now += below(w, 50);
        something_happens(w, calm);
        end_some(w);
        if (hook_lanes_cursor(w->lanes, &to)) {
            const int next = atoi(to.ptr);
            assert_true(next > w->cursor && next <= w->read);
            w->cursor = next;
        }
        read_some(w);
        begin_some(w);
        if (calm && w->cursor == EVENTS)
            break;
    }
    assert_true(steps < STEPS_MOST);
    assert_int_equal(hook_lanes_waiting(w->lanes), 0);
    /* Every event was taken, or lies among the dead letters, with all that came after it. */
    for (int order = 0; order < ORDERS; order++) {
        const int first = w->dead_count[order] > 0 ? w->dead[order][0] : w->versions[order] + 1;
        for (int v = 1; v <= w->versions[order]; v++)
            assert_true(w->taken[order][v] || v >= first);
        if (w->dead_count[order] > 0)
            assert_int_equal(w->dead[order][w->dead_count[order] - 1], w->versions[order]);
    }
    *letters += w->letters;
    hook_lanes_free(&w->lanes);
    free(w);
}

static void whole_lives(void **state)
{
    (void)state;
    int letters = 0;
    for (uint64_t seed = 1; seed <= 60; seed++)
        live(seed, &letters);
    assert_true(letters > 100); /* the lives were hard enough */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_in_each_lane),
        cmocka_unit_test(it_waits_and_is_buried_in_the_end),
        cmocka_unit_test(when_it_is_buried_at_once),
        cmocka_unit_test(attempts_at_an_endpoint_that_is_down),
        cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(a_full_window_moves_on),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(the_gate),
        cmocka_unit_test(the_jitter_is_full),
        cmocka_unit_test(whole_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
