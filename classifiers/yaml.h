/*
 * yaml: a strict reader of the YAML files in rules/.
 *
 * The one place that knows libyaml. It gives a tree whose nodes know their line and column. Strict:
 * UTF-8 only (a byte order mark at the beginning is skipped), one document, no directives, anchors,
 * aliases or tags, keys are plain texts, no key twice in a map, no tab before the first character
 * of a line, no control characters; bounded in depth (LIMIT_YAML_DEPTH), nodes (LIMIT_YAML_NODES)
 * and bytes (LIMIT_RULE_FILE_BYTES). All scalars are strings here, also `~` and `no`; a key without
 * a value has the empty string. The typed getters say what is wrong and where. Errors read
 * "file:line:column: what; what to do", for people who do not program; those of a getter stand at
 * the value, or at the map in which a key is missing.
 */
#ifndef JIESU_CLASSIFIERS_YAML_H
#define JIESU_CLASSIFIERS_YAML_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct yaml_doc;
struct yaml_node;

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

/* Reads a file. NULL and *err (ERR_IO, ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM). The document keeps a copy
 * of what it needs. */
struct yaml_doc *yaml_load(const char *path, struct err *err);
/* Reads from memory; name stands for the path in messages. */
struct yaml_doc *yaml_parse(struct span text, const char *name, struct err *err);
/* Frees the document and all its nodes. Its symbol has a name of its own, because libyaml exports a
 * yaml_free, and ours would stand in for it inside libyaml. */
void yaml_free(struct yaml_doc **doc) __asm__("jiesu_yaml_free");

const struct yaml_node *yaml_root(const struct yaml_doc *doc);
const char *yaml_file(const struct yaml_doc *doc);
enum yaml_kind yaml_kind(const struct yaml_node *node);
int yaml_line(const struct yaml_node *node);   /* from 1 */
int yaml_column(const struct yaml_node *node); /* from 1, in characters */
/* Elements of a list or members of a map; 0 for a scalar. */
size_t yaml_size(const struct yaml_node *node);
/* The i-th element of a list, or the value of the i-th member of a map. */
const struct yaml_node *yaml_at(const struct yaml_node *node, size_t i);
/* The i-th key of a map: a scalar node. */
const struct yaml_node *yaml_key_at(const struct yaml_node *node, size_t i);
/* The value of a key, or NULL. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);
/* The text of a scalar; empty for others. Valid as long as the document. */
struct span yaml_text(const struct yaml_node *node);

/* Fills *err with ERR_INVALID and "file:line:column: message"; returns -1. */
int yaml_error(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Checks that node is a map whose keys are all in the NULL-ended list `known`. 0, or -1 naming the
 * first unknown key, its place, and the known ones. */
int yaml_expect_map(const struct yaml_doc *doc, const struct yaml_node *node,
                    const char *const *known, struct err *err);
int yaml_expect_list(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err);
/* A member that must be a non-empty scalar. required: its absence is an error, else *out is empty.
 */
int yaml_get_string(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                    bool required, struct span *out, struct err *err);
/* A decimal integer in [min, max]; absent and not required: *out is left alone. */
int yaml_get_int(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                 bool required, int64_t min, int64_t max, int64_t *out, struct err *err);
/* true, false, yes or no; absence as above. */
int yaml_get_bool(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                  bool required, bool *out, struct err *err);
/* A decimal number in [min, max]; absence as above. */
int yaml_get_number(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                    bool required, double min, double max, double *out, struct err *err);

#endif
