/*
 * mem: the one door to the heap.
 *
 * Every function returns NULL when memory is short; the caller handles it. Tests can make the n-th
 * allocation fail (mem_fail_at) to walk every such path. The allocator behind it is jemalloc, or
 * libc with MALLOC=libc; both are reached by the standard names.
 */
#ifndef JIESU_BASE_MEM_H
#define JIESU_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Returns size bytes, uninitialised, to be freed by mem_free; NULL when short. 0 counts as 1. */
void *mem_alloc(size_t size);
/* Returns count * size zeroed bytes; NULL when short or when the product overflows. */
void *mem_zalloc(size_t count, size_t size);
/* As realloc over count * size: NULL when short or on overflow, and then ptr is still valid. */
void *mem_resize(void *ptr, size_t count, size_t size);
/* Makes room for one item more in an array that holds count of size bytes each: twice the room, or
 * first when it has none. Returns the array, which may have moved; NULL when short or on overflow,
 * and then items and *capacity are as they were. */
void *mem_grow(void *items, size_t *capacity, size_t count, size_t first, size_t size);
/* Returns a NUL-terminated copy of len bytes; NULL when short. */
char *mem_strndup(const char *str, size_t len);
/* Frees; NULL is allowed. */
void mem_free(void *ptr);

/* Makes the n-th allocation from now (1 = the next) fail, once, in this process, and counts from
 * there; 0 ends both, UINT64_MAX only counts. */
void mem_fail_at(uint64_t n);
/* How many allocations were asked for since the last mem_fail_at(n > 0), until mem_fail_at(0). */
uint64_t mem_asked(void);

/* Resident set size of this process in bytes, from /proc/self/statm; 0 when unknown. */
uint64_t mem_resident(void);
/* Name of the allocator: "jemalloc" or "libc". */
const char *mem_allocator(void);

#endif
