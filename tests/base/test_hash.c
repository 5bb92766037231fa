#include "engine/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* hash128 is stored, so its values must never change: these are XXH3's published ones. */
static void test_published_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t h64, hi, lo;
    } rows[] = {
        {"", 0x2d06800538d394c2, 0x99aa06d3014798d8, 0x6001c324468d497f},
        {"a", 0xe6c632b61e964e1f, 0xa96faf705af16834, 0xe6c632b61e964e1f},
        {"abc", 0x78af5f94892f3950, 0x06b05ab6733a6185, 0x78af5f94892f3950},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hash128 h = hash128(span_str(rows[i].text));
        assert_true(hash64(span_str(rows[i].text), 0) == rows[i].h64);
        assert_true(h.hi == rows[i].hi && h.lo == rows[i].lo);
    }
    struct hash128 none = hash128(span_of(NULL, 0));
    assert_true(none.hi == rows[0].hi && none.lo == rows[0].lo);
}

static void test_every_byte_and_the_seed_count(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof(text));
    for (size_t len = 1; len <= sizeof(text); len += 13) {
        uint64_t plain = hash64(span_of(text, len), 1);
        assert_true(hash64(span_of(text, len), 2) != plain);
        for (size_t at = 0; at < len; at++) {
            text[at] ^= 1;
            assert_true(hash64(span_of(text, len), 1) != plain);
            text[at] ^= 1;
        }
        assert_true(hash64(span_of(text, len), 1) == plain);
    }
}

/* A fresh process draws another seed; the same process keeps its own. */
static void test_seed_is_drawn_once_per_process(void **state)
{
    (void)state;
    uint64_t seeds[2];
    for (int i = 0; i < 2; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            uint64_t seed = hash_seed();
            _exit(hash_seed() == seed && write(ends[1], &seed, sizeof(seed)) == sizeof(seed) ? 0
                                                                                             : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &seeds[i], sizeof(seeds[i])), sizeof(seeds[i]));
        close(ends[0]);
        close(ends[1]);
    }
    assert_true(seeds[0] != seeds[1]);
    assert_true(hash_seed() == hash_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_every_byte_and_the_seed_count),
        cmocka_unit_test(test_seed_is_drawn_once_per_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
