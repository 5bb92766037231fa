#include "engine/base/arena.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

/* Random sizes around the block size: pieces keep what was written to them and are aligned. */
static void test_pieces_do_not_overlap(void **state)
{
    (void)state;
    struct random r = {.state = 11};
    struct arena *arena = arena_new(256);
    assert_non_null(arena);
    for (int round = 0; round < 50; round++) {
        unsigned char *piece[100];
        size_t size[100];
        size_t total = 0;
        for (size_t i = 0; i < 100; i++) {
            size[i] = (size_t)random_below(&r, i % 10 == 0 ? 2000 : 90);
            piece[i] = arena_alloc(arena, size[i]);
            assert_non_null(piece[i]);
            assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
            memset(piece[i], (int)i, size[i]);
            total += size[i];
        }
        assert_int_equal(arena_used(arena), total);
        for (size_t i = 0; i < 100; i++)
            for (size_t k = 0; k < size[i]; k++)
                assert_int_equal(piece[i][k], i);
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
    arena_free(&arena);
    assert_null(arena);
    arena_free(&arena);
}

static void test_reset_keeps_one_block_and_no_more(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1024);
    char *first = arena_alloc(arena, 100);
    arena_alloc(arena, 100000);
    for (int i = 0; i < 100; i++)
        arena_alloc(arena, 500);
    arena_reset(arena);
    mem_fail_at(UINT64_MAX);
    assert_ptr_equal(arena_alloc(arena, 1024), first);
    assert_int_equal(mem_asked(), 0);
    arena_alloc(arena, 1);
    assert_int_equal(mem_asked(), 1);
    mem_fail_at(0);
    arena_free(&arena);
}

/* Far more is taken over all rounds than may stay resident (a sanitizer may hold back 256 MiB). */
static void test_reset_gives_memory_back(void **state)
{
    (void)state;
    const size_t size = (size_t)16 << 20;
    struct arena *arena = arena_new(4096);
    uint64_t before = mem_resident();
    for (int round = 0; round < 40; round++) {
        volatile char *piece = arena_alloc(arena, size);
        assert_non_null((void *)piece);
        for (size_t at = 0; at < size; at += 4096)
            piece[at] = 1;
        arena_reset(arena);
    }
    assert_true(mem_resident() < before + 25 * size);
    arena_free(&arena);
}

static void test_a_large_piece_leaves_the_block_in_use(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1024);
    char *first = arena_alloc(arena, 16);
    arena_alloc(arena, 5000);
    char *second = arena_alloc(arena, 16);
    assert_ptr_equal(second, first + 16);
    arena_free(&arena);
}

static void test_copies_and_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    struct span copy = arena_copy(arena, span_of("网格员到场", 6));
    assert_int_equal(copy.len, 6);
    assert_string_equal(copy.ptr, "网格");
    struct span empty = arena_copy(arena, span_of(NULL, 0));
    assert_int_equal(empty.len, 0);
    assert_string_equal(empty.ptr, "");
    struct span text = arena_printf(arena, "%0200d|%s", 7, "x");
    assert_int_equal(text.len, 202);
    assert_string_equal(text.ptr + 199, "7|x");
    int *zeroed = arena_zalloc(arena, 50, sizeof(int));
    for (int i = 0; i < 50; i++)
        assert_int_equal(zeroed[i], 0);
    arena_free(&arena);
}

static void test_impossible_sizes_are_shortness(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, (size_t)PTRDIFF_MAX));
    assert_null(arena_zalloc(arena, SIZE_MAX / 2, 4));
    assert_null(arena_copy(arena, span_of("x", SIZE_MAX)).ptr);
    assert_null(arena_new(SIZE_MAX));
    assert_non_null(arena_alloc(arena, 1));
    arena_free(&arena);
}

static int build(struct arena **out)
{
    *out = arena_new(128);
    if (*out == NULL || arena_alloc(*out, 100) == NULL || arena_alloc(*out, 100) == NULL ||
        arena_zalloc(*out, 10, 100) == NULL || arena_copy(*out, SPAN("abc")).ptr == NULL)
        return -1;
    return arena_printf(*out, "%0300d", 1).ptr == NULL ? -1 : 0;
}

static void test_every_failing_allocation_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (;; n++) {
        struct arena *arena;
        mem_fail_at(n);
        int result = build(&arena);
        int passed = mem_asked() < n;
        mem_fail_at(0);
        arena_free(&arena);
        assert_int_equal(result, passed ? 0 : -1);
        if (passed)
            break;
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_reset_keeps_one_block_and_no_more),
        cmocka_unit_test(test_reset_gives_memory_back),
        cmocka_unit_test(test_a_large_piece_leaves_the_block_in_use),
        cmocka_unit_test(test_copies_and_texts),
        cmocka_unit_test(test_impossible_sizes_are_shortness),
        cmocka_unit_test(test_every_failing_allocation_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
