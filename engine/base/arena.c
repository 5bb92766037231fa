/*
 * The arena is a kept block, which stays for the next unit of work, and a list of extra blocks,
 * which go back to the heap at the reset. Allocation bumps in the current block; what does not fit
 * there gets a new block, and what is larger than a block gets one of its own while the current one
 * goes on being filled.
 *
 * Under AddressSanitizer the bytes that were not handed out are poisoned, so that a use after reset
 * or past the end of an allocation is found as it would be on the heap.
 */
#include "engine/base/arena.h"

#include "engine/base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

#define ALIGN alignof(max_align_t)

struct block {
    struct block *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *kept;
    struct block *extra;   /* every block but the kept one */
    struct block *current; /* where small allocations go */
    size_t block_size;
    size_t used;
};

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

/* size is a multiple of ALIGN and at most PTRDIFF_MAX. */
static struct block *block_new(size_t size)
{
    struct block *block = mem_alloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
    return block;
}

static void block_free(struct block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
    mem_free(block);
}

static void *block_take(struct block *block, size_t size)
{
    char *at = block->data + block->used;
    ASAN_UNPOISON_MEMORY_REGION(at, size);
    block->used += aligned(size);
    return at;
}

struct arena *arena_new(size_t block_size)
{
    if (block_size > PTRDIFF_MAX / 2)
        return NULL;
    struct arena *arena = mem_zalloc(1, sizeof(*arena));
    if (arena == NULL)
        return NULL;
    arena->block_size = aligned(block_size);
    arena->kept = block_new(arena->block_size);
    if (arena->kept == NULL) {
        mem_free(arena);
        return NULL;
    }
    arena->current = arena->kept;
    return arena;
}

static void free_extra(struct arena *arena)
{
    while (arena->extra != NULL) {
        struct block *block = arena->extra;
        arena->extra = block->next;
        block_free(block);
    }
}

void arena_free(struct arena **arena)
{
    if (*arena == NULL)
        return;
    free_extra(*arena);
    block_free((*arena)->kept);
    mem_free(*arena);
    *arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > PTRDIFF_MAX / 2)
        return NULL;
    size_t room = size == 0 ? ALIGN : aligned(size);
    struct block *block = arena->current;
    if (room > block->size - block->used) {
        block = block_new(room > arena->block_size ? room : arena->block_size);
        if (block == NULL)
            return NULL;
        block->next = arena->extra;
        arena->extra = block;
        if (room < arena->block_size)
            arena->current = block;
    }
    arena->used += size;
    return block_take(block, size == 0 ? 1 : size);
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *at = arena_alloc(arena, bytes);
    if (at != NULL)
        memset(at, 0, bytes);
    return at;
}

struct span arena_copy(struct arena *arena, struct span s)
{
    char *copy = s.len == SIZE_MAX ? NULL : arena_alloc(arena, s.len + 1);
    if (copy == NULL)
        return span_of(NULL, 0);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return span_of(copy, s.len);
}

struct span arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1);
    if (text == NULL)
        return span_of(NULL, 0);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return span_of(text, (size_t)n);
}

void arena_reset(struct arena *arena)
{
    free_extra(arena);
    arena->current = arena->kept;
    arena->kept->used = 0;
    arena->used = 0;
    ASAN_POISON_MEMORY_REGION(arena->kept->data, arena->kept->size);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
