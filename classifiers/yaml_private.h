/*
 * yaml_private: the tree of yaml.h, shared by its reader (yaml.c) and its getters (yaml_get.c), and
 * the messages of both (yaml_problem.c).
 */
#ifndef JIESU_CLASSIFIERS_YAML_PRIVATE_H
#define JIESU_CLASSIFIERS_YAML_PRIVATE_H

#include "classifiers/yaml.h"
#include "engine/base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct yaml_parser_s; /* libyaml's */

struct yaml_node {
    enum yaml_kind kind;
    int line, column;
    struct span text; /* of a scalar */
    size_t size;
    struct yaml_node *
        *items;       /* of a list: size elements; of a map: size keys, then their size values */
    uint32_t *sorted; /* of a map: its members, ordered by key */
    struct yaml_node
        *next; /* while its list or map is being read: the next element, key or value */
};

struct yaml_doc {
    struct arena *arena; /* holds the nodes, their texts and the name */
    const char *name;
    struct yaml_node *root;
};

/* Fills *err with code and "file:line:column: message"; returns -1. */
int yaml_fail(const char *name, int line, int column, struct err *err, enum err_code code,
              const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Fills *err with ERR_NOMEM for the file; returns -1. */
int yaml_no_memory(const char *name, struct err *err);
/* Looks for what must not be in the bytes at all. 0, or -1 and *err. */
int yaml_check_bytes(struct span text, const char *name, struct err *err);
/* Fills *err with what libyaml's parser stopped at in the text; returns -1. */
int yaml_parser_problem(const struct yaml_parser_s *parser, const char *name, struct span text,
                        struct err *err);
/* At most the first characters of a text, to be shown in a message. */
struct span yaml_shown(struct span text);

#endif
