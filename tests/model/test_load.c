#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/model/load.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void the_least_loaded_is_chosen(void **state)
{
    (void)state;
    static const struct {
        struct load_of equals[4];
        size_t count, chosen;
    } rows[] = {
        {{{0, 0}}, 1, 0},
        /* fewest open */
        {{{3, 0}, {2, 9}, {2, 10}}, 3, 1},
        {{{1, 5}, {0, 50}}, 2, 1},
        /* then longest idle; who never had one is idle longest */
        {{{1, 30}, {1, 10}, {1, 20}}, 3, 1},
        {{{1, 30}, {1, 0}, {1, 20}}, 3, 1},
        /* then the first */
        {{{2, 7}, {2, 7}, {2, 7}, {2, 7}}, 4, 0},
        {{{9, 1}, {2, 7}, {2, 7}}, 3, 1},
        /* a count that Redis has wrong is no reason to stumble */
        {{{0, 0}, {-1, 0}}, 2, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(load_choose(rows[i].equals, rows[i].count), rows[i].chosen);
}

static void check(const struct load *load, const char *worker, int64_t open, int64_t last_at)
{
    const struct load_of of = load_get(load, span_str(worker));
    assert_int_equal(of.open, open);
    assert_int_equal(of.last_at, last_at);
}

static void what_is_given_is_added(void **state)
{
    (void)state;
    struct load *load = load_new();
    check(NULL, "w-1", 0, 0);
    check(load, "w-1", 0, 0);
    load_add(load, SPAN("w-1"), (struct load_of){1, 100});
    load_add(load, SPAN("w-1"), (struct load_of){1, 90});
    load_add(load, SPAN("w-2"), (struct load_of){.last_at = 5});
    check(load, "w-1", 2, 100);
    check(load, "w-2", 0, 5);
    /* no worker has such an id */
    load_add(load, SPAN(""), (struct load_of){1, 1});
    load_add(load, SPAN("w-2345678901234567890123456789012"), (struct load_of){1, 1});
    load_add(NULL, SPAN("w-1"), (struct load_of){1, 1});
    check(load, "", 0, 0);
    check(load, "w-2345678901234567890123456789012", 0, 0);

    struct load *fresh = load_new();
    load_add(fresh, SPAN("w-3"), (struct load_of){7, 1});
    load_replace(load, &fresh);
    assert_null(fresh);
    check(load, "w-1", 0, 0);
    check(load, "w-3", 7, 1);
    load_free(&load);
    assert_null(load);
    load_free(&load);
}

/* Against a plain array. */
static void property_many_workers(void **state)
{
    (void)state;
    enum { WORKERS = 1000, ADDITIONS = 20000 };
    static struct load_of want[WORKERS];
    struct random random = {4};
    struct load *load = load_new();
    char id[16];
    for (size_t i = 0; i < ADDITIONS; i++) {
        const size_t w = random_below(&random, WORKERS);
        const struct load_of more = {(int64_t)random_below(&random, 5),
                                     (int64_t)random_below(&random, 1000)};
        (void)snprintf(id, sizeof id, "w-%zu", w);
        load_add(load, span_str(id), more);
        want[w].open += more.open;
        if (more.last_at > want[w].last_at)
            want[w].last_at = more.last_at;
    }
    for (size_t w = 0; w < WORKERS; w++) {
        (void)snprintf(id, sizeof id, "w-%zu", w);
        check(load, id, want[w].open, want[w].last_at);
    }
    load_free(&load);
}

static void *give(void *ctx)
{
    for (int i = 0; i < 5000; i++) {
        load_add(ctx, SPAN("w-1"), (struct load_of){1, i});
        (void)load_get(ctx, SPAN("w-2"));
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct load *load = load_new();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give, load), 0);
    for (int i = 0; i < 100; i++) {
        struct load *fresh = load_new();
        load_add(fresh, SPAN("w-2"), (struct load_of){i, i});
        load_replace(load, &fresh);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    check(load, "w-2", 99, 99);
    assert_true(load_get(load, SPAN("w-1")).open <= 20000);
    load_free(&load);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at(n);
        struct load *load = load_new();
        char id[16];
        for (int i = 0; load != NULL && i < 100; i++) {
            (void)snprintf(id, sizeof id, "w-%d", i);
            load_add(load, span_str(id), (struct load_of){1, 1});
        }
        const bool all_came = mem_asked() < n;
        mem_fail_at(0);
        if (load != NULL) /* what could not be added then can be now */
            load_add(load, SPAN("w-x"), (struct load_of){1, 1});
        if (load != NULL)
            check(load, "w-x", 1, 1);
        load_free(&load);
        if (all_came)
            break;
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_loaded_is_chosen), cmocka_unit_test(what_is_given_is_added),
        cmocka_unit_test(property_many_workers),      cmocka_unit_test(threads_share_it),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
