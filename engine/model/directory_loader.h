/*
 * directory_loader: what reading the directory's files leaves for resolving them
 * (directory_load.c).
 */
#ifndef JIESU_MODEL_DIRECTORY_LOADER_H
#define JIESU_MODEL_DIRECTORY_LOADER_H

#include "classifiers/yaml.h"
#include "engine/model/directory_private.h"

#include <stddef.h>
#include <stdint.h>

enum loader_post_kind { POST_HEAD, POST_A, POST_B, POST_LEADER };

/* A worker named by id for a post. */
struct loader_post {
    struct span id, place;
    enum loader_post_kind kind;
    uint32_t area;  /* which the worker must belong to */
    uint32_t owner; /* the area (POST_HEAD) or grid that gets the worker */
};

/* The area a worker names as its own. */
struct loader_home {
    struct span id, place;
    uint32_t worker;
};

/* A name as the matcher will see it. */
struct loader_name {
    uint16_t *units;
    size_t count;
    uint32_t name;
    struct span place;
};

struct loader {
    struct directory *directory;
    struct directory_list posts, homes, folded; /* of the three above */
    struct arena *scratch;                      /* for the load alone */
    const struct yaml_doc *doc;                 /* being read */
    struct err *err;
};

/* Fills the loader's error; returns -1. */
int loader_no_memory(struct loader *loader);
/* A new zeroed item at the end of the list; NULL and the error when memory is short. */
void *loader_add(struct loader *loader, struct directory_list *list, size_t size);
/* Reads one file into the directory's arrays and the loader's lists. 0, or -1 and the error. */
int loader_read_file(struct loader *loader, const char *path);

#endif
