/*
 * demo_texts: the complaints of a file as the JSON bodies that a mini-program backend would post.
 */
#ifndef JIESU_CLI_DEMO_TEXTS_H
#define JIESU_CLI_DEMO_TEXTS_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>

struct demo_texts;

/* Reads a TSV file with a header line: text or body is required; title, source, kind, community,
 * grid, lat, lon and address are taken when they are there, other columns are not. NULL and *err
 * with path:line. */
struct demo_texts *demo_texts_load(const char *path, struct err *err);
void demo_texts_free(struct demo_texts **texts);
size_t demo_texts_count(const struct demo_texts *texts);
/* The i-th body. */
struct span demo_texts_at(const struct demo_texts *texts, size_t i);

#endif
