/*
 * support: folders of rule files for tests, and the instants they talk about.
 */
#ifndef JIESU_TESTS_MODEL_SUPPORT_H
#define JIESU_TESTS_MODEL_SUPPORT_H

#include "engine/base/span.h"

#include <stdint.h>

struct folder {
    char path[64];
};

/* A new empty folder under /tmp. */
struct folder folder_new(void);
/* Writes text to a file of it, whose name may stand in one sub-folder ("directory/a.yaml"). */
void folder_write(const struct folder *folder, const char *name, const char *text);
/* The path of a file of it; valid until the next call. */
const char *folder_path(const struct folder *folder, const char *name);
/* Removes it with all that is in it. */
void folder_remove(struct folder *folder);

/* The instant of a Shanghai time "2025-01-28 08:30". */
int64_t at(const char *text);
/* Fails the test unless the span holds the text. */
#define assert_span(span, text) assert_span_at((span), (text), __FILE__, __LINE__)
void assert_span_at(struct span span, const char *text, const char *file, int line);
/* Fails the test unless text contains part. */
#define assert_contains(text, part) assert_contains_at((text), (part), __FILE__, __LINE__)
void assert_contains_at(const char *text, const char *part, const char *file, int line);

/* A street with two communities, four grids and their workers. */
extern const char sample_directory[];
/* Another street with one community. */
extern const char second_directory[];
extern const char sample_sla[];
extern const char sample_calendar[];
extern const char sample_process[];
extern const char sample_targets[];
/* Writes a whole rule set with the samples. */
void folder_write_rules(const struct folder *folder);

#endif
