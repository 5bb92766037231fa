#include "engine/api/endpoints.h"

#include "classifiers/yaml.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/http/sender.h"
#include "engine/model/id.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_BYTES = 4096, SECRET_BYTES_MIN = 16, TIMEOUT_MS_MIN = 100, TIMEOUT_MS_MAX = 60000 };

struct endpoints {
    struct arena *arena;
    atomic_size_t references;
    int64_t read_ms;
    size_t count;
    struct endpoint list[LIMIT_HOOKS];
};

/* One file that is being read. */
struct reading {
    struct endpoints *endpoints;
    const struct yaml_doc *doc;
    struct span folder; /* with its '/'; empty: the working directory */
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "not enough memory to read the webhooks file");
}

static int keep(struct reading *r, struct span text, struct span *out)
{
    *out = arena_copy(r->endpoints->arena, text);
    return out->ptr == NULL ? no_memory(r->err) : 0;
}

static int read_name(struct reading *r, const struct yaml_node *map, struct endpoint *e)
{
    struct span name;
    if (yaml_get_string(r->doc, map, "name", true, &name, r->err) < 0)
        return -1;
    const struct yaml_node *node = yaml_find(map, "name");
    if (!id_name_valid(name))
        return yaml_error(r->doc, node, r->err, "'%.*s' is no name; use 1 to %d of a-z 0-9 _ -",
                          SPAN_ARG(name), ID_COMMUNITY_BYTES);
    if (endpoints_find(r->endpoints, name) != NULL)
        return yaml_error(r->doc, node, r->err, "'%.*s' is given twice; rename one",
                          SPAN_ARG(name));
    return keep(r, name, &e->name);
}

static int read_url(struct reading *r, const struct yaml_node *map, struct endpoint *e)
{
    struct span url;
    if (yaml_get_string(r->doc, map, "url", true, &url, r->err) < 0)
        return -1;
    if (!sender_url_valid(url))
        return yaml_error(r->doc, yaml_find(map, "url"), r->err,
                          "it is no URL to post to; write http://HOST/PATH or https://HOST/PATH, "
                          "without user and password");
    return keep(r, url, &e->url);
}

/* The path a member names, in the arena; empty when there is no such member. */
static int read_path(struct reading *r, const struct yaml_node *map, const char *key, bool required,
                     struct span *out)
{
    struct span path;
    if (yaml_get_string(r->doc, map, key, required, &path, r->err) < 0)
        return -1;
    *out = (struct span){NULL, 0};
    if (path.len == 0)
        return 0;
    const struct span folder = path.ptr[0] == '/' ? SPAN("") : r->folder;
    *out = arena_printf(r->endpoints->arena, "%.*s%.*s", SPAN_ARG(folder), SPAN_ARG(path));
    return out->ptr == NULL ? no_memory(r->err) : 0;
}

static int read_secret(struct reading *r, const struct yaml_node *map, struct endpoint *e)
{
    char line[LIMIT_HOOK_SECRET_BYTES + 2];
    struct span path;
    if (read_path(r, map, "secret_file", true, &path) < 0)
        return -1;
    const struct yaml_node *node = yaml_find(map, "secret_file");
    FILE *file = fopen(path.ptr, "re");
    if (file == NULL)
        return yaml_error(r->doc, node, r->err, "%s: %s; it must name a readable file", path.ptr,
                          strerror(errno));
    const bool got = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    const size_t len = got ? strcspn(line, "\r\n") : 0;
    if (len < SECRET_BYTES_MIN || len > LIMIT_HOOK_SECRET_BYTES)
        return yaml_error(r->doc, node, r->err,
                          "%s: its first line must be the secret, %d to %d bytes; "
                          "`openssl rand -hex 32` makes a good one",
                          path.ptr, SECRET_BYTES_MIN, LIMIT_HOOK_SECRET_BYTES);
    return keep(r, span_of(line, len), &e->secret);
}

static int read_authorities(struct reading *r, const struct yaml_node *map, struct endpoint *e)
{
    if (read_path(r, map, "ca_file", false, &e->ca_file) < 0)
        return -1;
    if (e->ca_file.len > 0 && access(e->ca_file.ptr, R_OK) < 0)
        return yaml_error(r->doc, yaml_find(map, "ca_file"), r->err,
                          "%s: %s; it must name a readable file", e->ca_file.ptr, strerror(errno));
    return 0;
}

static int read_event(struct reading *r, const struct yaml_node *node, struct endpoint *e)
{
    enum hook_type type;
    if (hook_type_parse(yaml_text(node), &type) < 0) {
        struct span known = SPAN("");
        for (enum hook_type t = 0; t < HOOK_TYPE_COUNT && known.ptr != NULL; t++)
            known = arena_printf(r->endpoints->arena, "%.*s%s%s", SPAN_ARG(known),
                                 t == 0 ? "" : ", ", hook_type_word(t));
        return yaml_error(r->doc, node, r->err, "there is no such event; the events are %.*s",
                          SPAN_ARG(known));
    }
    if ((e->events & 1u << type) != 0)
        return yaml_error(r->doc, node, r->err, "'%s' is given twice; remove one",
                          hook_type_word(type));
    e->events |= 1u << type;
    return 0;
}

static int read_events(struct reading *r, const struct yaml_node *map, struct endpoint *e)
{
    const struct yaml_node *list = yaml_find(map, "events");
    if (list == NULL) {
        e->events = (1u << HOOK_TYPE_COUNT) - 1;
        return 0;
    }
    if (yaml_expect_list(r->doc, list, r->err) < 0)
        return -1;
    if (yaml_size(list) == 0)
        return yaml_error(r->doc, list, r->err, "it names no event; leave it out for all of them");
    for (size_t i = 0; i < yaml_size(list); i++) {
        if (read_event(r, yaml_at(list, i), e) < 0)
            return -1;
    }
    return 0;
}

static int read_endpoint(struct reading *r, const struct yaml_node *map)
{
    static const char *const known[] = {"name",          "url",     "secret_file", "events",
                                        "allow_private", "ca_file", "timeout_ms",  NULL};
    struct endpoint e = {.timeout_ms = LIMIT_HOOK_TOTAL_MS};
    int64_t timeout = LIMIT_HOOK_TOTAL_MS;
    if (yaml_expect_map(r->doc, map, known, r->err) < 0 || read_name(r, map, &e) < 0 ||
        read_url(r, map, &e) < 0 || read_secret(r, map, &e) < 0 || read_events(r, map, &e) < 0 ||
        yaml_get_bool(r->doc, map, "allow_private", false, &e.allow_private, r->err) < 0 ||
        read_authorities(r, map, &e) < 0 ||
        yaml_get_int(r->doc, map, "timeout_ms", false, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, &timeout,
                     r->err) < 0)
        return -1;
    e.timeout_ms = (uint32_t)timeout;
    r->endpoints->list[r->endpoints->count++] = e;
    return 0;
}

static int read_all(struct reading *r)
{
    static const char *const known[] = {"webhooks", NULL};
    const struct yaml_node *root = yaml_root(r->doc), *list;
    if (yaml_expect_map(r->doc, root, known, r->err) < 0)
        return -1;
    list = yaml_find(root, "webhooks");
    if (list == NULL)
        return yaml_error(r->doc, root, r->err, "'webhooks' is missing; it lists the endpoints");
    if (yaml_expect_list(r->doc, list, r->err) < 0)
        return -1;
    if (yaml_size(list) > LIMIT_HOOKS)
        return yaml_error(r->doc, list, r->err, "there are %zu endpoints; at most %d can be",
                          yaml_size(list), LIMIT_HOOKS);
    for (size_t i = 0; i < yaml_size(list); i++) {
        if (read_endpoint(r, yaml_at(list, i)) < 0)
            return -1;
    }
    return 0;
}

/* Takes the document. */
static struct endpoints *read_doc(struct yaml_doc *doc, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    struct endpoints *endpoints = mem_zalloc(1, sizeof *endpoints);
    struct reading r = {.endpoints = endpoints,
                        .doc = doc,
                        .folder = span_of(path, slash == NULL ? 0 : (size_t)(slash - path) + 1),
                        .err = err};
    if (endpoints != NULL) {
        atomic_init(&endpoints->references, 1);
        endpoints->read_ms = clock_steady_ms();
        endpoints->arena = arena_new(ARENA_BYTES);
    }
    if (endpoints == NULL || endpoints->arena == NULL) {
        (void)no_memory(err);
        endpoints_free(&endpoints);
    } else if (read_all(&r) < 0) {
        endpoints_free(&endpoints);
    }
    yaml_free(&doc);
    return endpoints;
}

struct endpoints *endpoints_load(const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    return doc == NULL ? NULL : read_doc(doc, path, err);
}

struct endpoints *endpoints_parse(struct span text, const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_parse(text, path, err);
    return doc == NULL ? NULL : read_doc(doc, path, err);
}

struct endpoints *endpoints_ref(struct endpoints *endpoints)
{
    if (endpoints != NULL)
        (void)atomic_fetch_add_explicit(&endpoints->references, 1, memory_order_relaxed);
    return endpoints;
}

int64_t endpoints_read_ms(const struct endpoints *endpoints)
{
    return endpoints->read_ms;
}

bool endpoint_same_way(const struct endpoint *a, const struct endpoint *b)
{
    return span_eq(a->url, b->url) && span_eq(a->ca_file, b->ca_file) &&
           a->allow_private == b->allow_private && a->timeout_ms == b->timeout_ms;
}

void endpoints_free(struct endpoints **endpointsp)
{
    struct endpoints *endpoints = *endpointsp;
    *endpointsp = NULL;
    if (endpoints == NULL ||
        atomic_fetch_sub_explicit(&endpoints->references, 1, memory_order_acq_rel) > 1)
        return;
    if (endpoints->arena != NULL)
        arena_free(&endpoints->arena);
    mem_free(endpoints);
}

size_t endpoints_count(const struct endpoints *endpoints)
{
    return endpoints == NULL ? 0 : endpoints->count;
}

const struct endpoint *endpoints_at(const struct endpoints *endpoints, size_t i)
{
    CHECK(i < endpoints->count);
    return &endpoints->list[i];
}

const struct endpoint *endpoints_find(const struct endpoints *endpoints, struct span name)
{
    for (size_t i = 0; i < endpoints_count(endpoints); i++) {
        if (span_eq(endpoints->list[i].name, name))
            return &endpoints->list[i];
    }
    return NULL;
}
