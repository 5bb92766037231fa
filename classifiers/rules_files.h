/*
 * rules_files: the files of a rule set, read once.
 *
 * What is hashed into the rule set's id is what is compiled: every file is read one time, and both
 * work on those bytes.
 */
#ifndef JIESU_CLASSIFIERS_RULES_FILES_H
#define JIESU_CLASSIFIERS_RULES_FILES_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

enum { RULES_ID_BYTES = 17 }; /* 16 hex digits and a NUL */

struct rules_file {
    const char *path; /* as it is opened, for messages */
    struct span name; /* below the folder: "categories/jiaoyu.yaml" */
    struct span text;
};

/* Ordered by name. */
struct rules_files {
    struct arena *arena;
    struct rules_file *list;
    size_t count, capacity;
};

/* Reads every *.yaml of the folder itself, of categories/ and of directory/, and every *.tsv of
 * learned/; the last two may be missing. 0, or -1 and *err (ERR_IO, ERR_LIMIT, ERR_INVALID for a file that the engine would not read,
 * ERR_NOMEM). Either way the caller ends with rules_files_free. */
int rules_files_read(struct rules_files *files, const char *dir, struct err *err);
void rules_files_free(struct rules_files *files);
/* The file of that name, or NULL. */
const struct rules_file *rules_files_find(const struct rules_files *files, const char *name);
/* A hash over names and contents, and over a seed. */
void rules_files_id(const struct rules_files *files, uint64_t seed, char out[RULES_ID_BYTES]);

#endif
