#include "engine/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

static void test_the_nth_allocation_fails_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 5; n++) {
        mem_fail_at(n);
        for (uint64_t i = 1; i <= 6; i++) {
            void *p = mem_alloc(10);
            assert_true((p == NULL) == (i == n));
            mem_free(p);
        }
        assert_int_equal(mem_asked(), 6);
        mem_fail_at(0);
    }
    void *p = mem_alloc(1);
    assert_non_null(p);
    mem_free(p);
    assert_int_equal(mem_asked(), 6);
}

static void test_every_door_can_fail(void **state)
{
    (void)state;
    mem_fail_at(1);
    assert_null(mem_alloc(1));
    mem_fail_at(1);
    assert_null(mem_zalloc(1, 1));
    mem_fail_at(1);
    assert_null(mem_strndup("abc", 3));
    mem_fail_at(0);
    char *kept = mem_strndup("abc", 3);
    mem_fail_at(1);
    assert_null(mem_resize(kept, 1000, 1));
    mem_fail_at(0);
    assert_string_equal(kept, "abc");
    mem_free(kept);
}

static void test_overflow_is_shortness(void **state)
{
    (void)state;
    assert_null(mem_zalloc(SIZE_MAX / 2, 3));
    char *kept = mem_strndup("abc", 2);
    assert_string_equal(kept, "ab");
    assert_null(mem_resize(kept, SIZE_MAX / 2, 3));
    assert_string_equal(kept, "ab");
    assert_null(mem_strndup(kept, SIZE_MAX));
    mem_free(kept);
}

static void test_zero_sizes_give_memory(void **state)
{
    (void)state;
    void *a = mem_alloc(0), *b = mem_zalloc(0, 8), *c = mem_resize(NULL, 0, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    c = mem_resize(c, 0, 1);
    assert_non_null(c);
    char *empty = mem_strndup(NULL, 0);
    assert_string_equal(empty, "");
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(empty);
    mem_free(NULL);
}

static void test_zalloc_is_zeroed_and_resize_keeps(void **state)
{
    (void)state;
    unsigned char *p = mem_zalloc(100, 10);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 1000);
    p = mem_resize(p, 1000, 100);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 7);
    mem_free(p);
}

static void test_resident_grows_with_touched_memory(void **state)
{
    (void)state;
    const size_t size = (size_t)64 << 20;
    uint64_t before = mem_resident();
    assert_true(before > 100000);
    volatile char *p = mem_alloc(size);
    assert_non_null((void *)p);
    for (size_t i = 0; i < size; i += 4096)
        p[i] = 1;
    assert_true(mem_resident() >= before + size / 2);
    mem_free((void *)p);
}

static void test_allocator_is_the_one_that_is_linked(void **state)
{
    (void)state;
    const char *truth = dlsym(RTLD_DEFAULT, "mallctl") != NULL ? "jemalloc" : "libc";
    assert_string_equal(mem_allocator(), truth);
}

static void test_arrays_grow(void **state)
{
    (void)state;
    size_t capacity = 0, moves = 0;
    int *items = NULL;
    for (size_t count = 0; count < 100; count++) {
        size_t before = capacity;
        int *grown = mem_grow(items, &capacity, count, 3, sizeof *items);
        assert_non_null(grown);
        items = grown;
        moves += capacity != before;
        assert_true(capacity > count);
        items[count] = (int)count;
    }
    assert_int_equal(capacity, 192);
    assert_int_equal(moves, 7);
    mem_fail_at(1);
    assert_ptr_equal(mem_grow(items, &capacity, 100, 3, sizeof *items), items);
    assert_null(mem_grow(items, &capacity, 192, 3, sizeof *items));
    mem_fail_at(0);
    assert_int_equal(capacity, 192);
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    capacity = SIZE_MAX / 2 + 1;
    assert_null(mem_grow(items, &capacity, capacity, 3, sizeof *items));
    assert_int_equal(capacity, SIZE_MAX / 2 + 1);
    mem_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nth_allocation_fails_once),
        cmocka_unit_test(test_every_door_can_fail),
        cmocka_unit_test(test_overflow_is_shortness),
        cmocka_unit_test(test_zero_sizes_give_memory),
        cmocka_unit_test(test_zalloc_is_zeroed_and_resize_keeps),
        cmocka_unit_test(test_resident_grows_with_touched_memory),
        cmocka_unit_test(test_allocator_is_the_one_that_is_linked),
        cmocka_unit_test(test_arrays_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
