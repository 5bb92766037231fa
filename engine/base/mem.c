/*
 * The counters behind mem_fail_at are two process-wide atomics. While no failure is armed an
 * allocation pays one relaxed load of a line that nobody writes; counting begins only with
 * mem_fail_at.
 */
#include "engine/base/mem.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic uint64_t fail_at; /* 0: off, nothing is counted */
static _Atomic uint64_t asked;

/* Counts one allocation and tells whether it is the one to fail. */
static bool must_fail(void)
{
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (__builtin_expect(at == 0, 1))
        return false;
    return atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1 == at;
}

void *mem_alloc(size_t size)
{
    if (must_fail())
        return NULL;
    return malloc(size == 0 ? 1 : size);
}

void *mem_zalloc(size_t count, size_t size)
{
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return calloc(1, bytes == 0 ? 1 : bytes);
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(ptr, bytes == 0 ? 1 : bytes);
}

void *mem_grow(void *items, size_t *capacity, size_t count, size_t first, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? first : *capacity * 2;
    if (wanted <= *capacity)
        return NULL;
    void *grown = mem_resize(items, wanted, size);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

char *mem_strndup(const char *str, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = mem_alloc(len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, str, len);
    copy[len] = '\0';
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_fail_at(uint64_t n)
{
    if (n == 0) {
        atomic_store(&fail_at, 0);
        return;
    }
    atomic_store(&asked, 0);
    atomic_store(&fail_at, n);
}

uint64_t mem_asked(void)
{
    return atomic_load(&asked);
}

uint64_t mem_resident(void)
{
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    char text[128];
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* "total resident shared ...", in pages */
    const char *at = strchr(text, ' ');
    return at == NULL ? 0 : strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

const char *mem_allocator(void)
{
    return JIESU_MALLOC;
}
