/*
 * names: the place of a name in a table.
 */
#ifndef JIESU_BASE_NAMES_H
#define JIESU_BASE_NAMES_H

#include "engine/base/span.h"

#include <stddef.h>

/* The index of the row whose name is this, or -1. first: the name (a const char *, never NULL) of
 * the first row; stride: bytes from one row's to the next one's. */
int names_find(const void *first, size_t count, size_t stride, struct span name);

/* The same for a table whose rows are names, or structs that have one in the member. */
#define NAMES_FIND(table, name) \
    names_find((table), sizeof(table) / sizeof(*(table)), sizeof(*(table)), (name))
#define NAMES_FIND_BY(table, member, name) \
    names_find(&(table)->member, sizeof(table) / sizeof(*(table)), sizeof(*(table)), (name))

#endif
