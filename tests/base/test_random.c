#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDS 4000
#define THREADS 4

/* The first values of splitmix64 for the seed 1234567, as published with its reference code. */
static void test_seeded_generator_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                    UINT64_C(16408922859458223821)};
    struct random r = {.state = 1234567};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_true(random_next(&r) == want[i]);
}

static void test_below_is_uniform(void **state)
{
    (void)state;
    struct random r = {.state = 1};
    for (uint64_t bound = 1; bound <= 20; bound++) {
        uint64_t seen[20] = {0};
        for (int i = 0; i < 20000; i++)
            seen[random_below(&r, bound)]++;
        for (uint64_t v = 0; v < bound; v++) {
            uint64_t mean = 20000 / bound;
            assert_in_range(seen[v], mean * 8 / 10, mean * 12 / 10 + 1);
        }
    }
    /* With 3/4 of 2^64 a plain remainder would fall into the lower third half of the time. */
    uint64_t bound = UINT64_C(3) << 62;
    uint64_t lower = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = random_below(&r, bound);
        assert_true(v < bound);
        lower += v < bound / 3;
    }
    assert_in_range(lower, 3000, 3700);
}

static void test_bytes_fill_exactly(void **state)
{
    (void)state;
    for (size_t len = 0; len < 2000; len += len < 300 ? 1 : 97) {
        unsigned char out[2048] = {0};
        for (int i = 0; i < 4; i++) {
            unsigned char more[2048];
            memset(more, 0, sizeof(more));
            random_bytes(more, len);
            assert_int_equal(more[len], 0);
            for (size_t k = 0; k < len; k++)
                out[k] |= more[k];
        }
        /* Four draws leave a byte zero with probability 2^-32. */
        for (size_t k = 0; k < len; k++)
            assert_int_not_equal(out[k], 0);
    }
}

struct id {
    uint64_t hi, lo;
};

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static void *draw_ids(void *arg)
{
    struct id *ids = arg;
    for (size_t i = 0; i < IDS; i++)
        random_bytes(&ids[i], sizeof(ids[i]));
    return NULL;
}

/* Threads and a forked child draw from blocks of their own: no id comes twice. */
static void test_no_id_comes_twice(void **state)
{
    (void)state;
    static struct id ids[(THREADS + 2) * IDS];
    pthread_t threads[THREADS];
    random_bytes(&ids[0], sizeof(ids[0])); /* the parent's block is in use when it forks */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        draw_ids(ids);
        _exit(write(ends[1], ids, sizeof(ids[0]) * IDS) < 0);
    }
    size_t got = 0;
    while (got < sizeof(ids[0]) * IDS) {
        ssize_t n = read(ends[0], (char *)ids + got, sizeof(ids[0]) * IDS - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_ids, ids + (i + 1) * IDS), 0);
    draw_ids(ids + (THREADS + 1) * IDS);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t count = sizeof(ids) / sizeof(ids[0]);
    qsort(ids, count, sizeof(ids[0]), by_id);
    for (size_t i = 1; i < count; i++)
        assert_memory_not_equal(&ids[i - 1], &ids[i], sizeof(ids[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeded_generator_is_splitmix64),
        cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_bytes_fill_exactly),
        cmocka_unit_test(test_no_id_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
