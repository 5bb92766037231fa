/*
 * arena: memory of one unit of work, freed in one reset.
 *
 * Allocation is a bump; there is no free of a single piece. arena_reset keeps one block for the
 * next unit of work and returns the rest to the heap, so that one large request leaves nothing
 * behind.
 */
#ifndef JIESU_BASE_ARENA_H
#define JIESU_BASE_ARENA_H

#include "engine/base/span.h"

#include <stddef.h>

struct arena;

/* A new arena whose kept block has block_size bytes; NULL when memory is short. */
struct arena *arena_new(size_t block_size);
/* Frees the arena and all that came from it, and sets *arena to NULL. */
void arena_free(struct arena **arena);
/* size bytes aligned for any type, uninitialised; NULL when memory is short. */
void *arena_alloc(struct arena *arena, size_t size);
/* count * size zeroed bytes; NULL when short or on overflow. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);
/* A NUL-terminated copy of the span; .ptr is NULL when memory is short. */
struct span arena_copy(struct arena *arena, struct span s);
/* A formatted, NUL-terminated string; .ptr is NULL when memory is short. */
struct span arena_printf(struct arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Forgets every allocation. */
void arena_reset(struct arena *arena);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

#endif
