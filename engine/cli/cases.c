#include "engine/cli/cases.h"

#include "classifiers/verdict.h"
#include "classifiers/yaml.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CASES_ARENA_BYTES = 65536 };

struct cases {
    struct arena *arena; /* what the cases borrow from */
    struct test_case *list;
    size_t count, capacity;
};

/* The file being read. */
struct reader {
    struct cases *cases;
    const struct yaml_doc *doc;
    const char *file;
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while reading the cases");
}

struct cases *cases_new(struct err *err)
{
    struct cases *cases = mem_zalloc(1, sizeof *cases);
    if (cases != NULL)
        cases->arena = arena_new(CASES_ARENA_BYTES);
    if (cases == NULL || cases->arena == NULL) {
        cases_free(&cases);
        no_memory(err);
    }
    return cases;
}

void cases_free(struct cases **cases)
{
    if (*cases == NULL)
        return;
    arena_free(&(*cases)->arena);
    mem_free((*cases)->list);
    mem_free(*cases);
    *cases = NULL;
}

size_t cases_count(const struct cases *cases)
{
    return cases->count;
}

const struct test_case *cases_at(const struct cases *cases, size_t i)
{
    return &cases->list[i];
}

/* --- one case --- */

static int copy(const struct reader *r, struct span s, struct span *out)
{
    *out = arena_copy(r->cases->arena, s);
    return out->ptr == NULL ? no_memory(r->err) : 0;
}

static int read_string(const struct reader *r, const struct yaml_node *map, const char *key,
                       bool required, struct span *out)
{
    struct span s;
    if (yaml_get_string(r->doc, map, key, required, &s, r->err) != 0)
        return -1;
    return s.len == 0 ? 0 : copy(r, s, out);
}

static int read_name(const struct reader *r, const struct yaml_node *node, struct case_name *out)
{
    out->line = yaml_line(node);
    out->column = yaml_column(node);
    return copy(r, yaml_text(node), &out->name);
}

static int read_path(const struct reader *r, const struct yaml_node *map, const char *key,
                     struct case_name *out)
{
    struct span s;
    if (yaml_get_string(r->doc, map, key, false, &s, r->err) != 0)
        return -1;
    return s.len == 0 ? 0 : read_name(r, yaml_find(map, key), out);
}

static int read_names(const struct reader *r, const struct yaml_node *map, const char *key,
                      struct case_name out[CASE_NAMES], size_t *count)
{
    const struct yaml_node *list = yaml_find(map, key);
    if (list == NULL)
        return 0;
    if (yaml_expect_list(r->doc, list, r->err) != 0)
        return -1;
    if (yaml_size(list) == 0 || yaml_size(list) > CASE_NAMES)
        return yaml_error(r->doc, list, r->err,
                          "“%s” must list 1 to %d tags; write them as in  %s: [special_group]", key,
                          CASE_NAMES, key);
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *node = yaml_at(list, i);
        if (yaml_kind(node) != YAML_SCALAR || yaml_text(node).len == 0)
            return yaml_error(r->doc, node, r->err, "this must be a tag of tags.yaml");
        if (read_name(r, node, &out[*count]) != 0)
            return -1;
        (*count)++;
    }
    return 0;
}

static int read_urgency(const struct reader *r, const struct yaml_node *map, int *out)
{
    struct span name;
    enum urgency urgency;
    if (yaml_get_string(r->doc, map, "urgency", false, &name, r->err) != 0)
        return -1;
    if (name.len == 0)
        return 0;
    if (urgency_parse(name, &urgency) != 0)
        return yaml_error(r->doc, yaml_find(map, "urgency"), r->err,
                          "“%.*s” is not a level; write red, yellow or blue", SPAN_ARG(name));
    *out = (int)urgency;
    return 0;
}

static int read_kind(const struct reader *r, const struct yaml_node *map, int *out)
{
    struct span name;
    enum kind kind;
    if (yaml_get_string(r->doc, map, "kind", false, &name, r->err) != 0)
        return -1;
    if (name.len == 0)
        return 0;
    if (kind_parse(name, &kind) != 0)
        return yaml_error(r->doc, yaml_find(map, "kind"), r->err,
                          "“%.*s” is not a kind; write complaint, help, enquiry, suggestion or "
                          "report",
                          SPAN_ARG(name));
    *out = (int)kind;
    return 0;
}

static int read_review(const struct reader *r, const struct yaml_node *map, int *out)
{
    bool review = false;
    if (yaml_get_bool(r->doc, map, "review", false, &review, r->err) != 0)
        return -1;
    if (yaml_find(map, "review") != NULL)
        *out = review;
    return 0;
}

/* Whether a case looks at anything; one that does not would pass whatever the rules say. */
static bool expects_something(const struct test_case *c)
{
    return c->path.name.len != 0 || c->not_path.name.len != 0 || c->urgency != CASE_ANY ||
           c->kind != CASE_ANY || c->review != CASE_ANY || c->reason.len != 0 ||
           c->tag_count != 0 || c->no_tag_count != 0;
}

static int read_case(const struct reader *r, const struct yaml_node *node, struct test_case *c)
{
    static const char *const known[] = {"text", "title",   "path",   "not_path", "urgency", "kind",
                                        "tags", "no_tags", "review", "reason",   NULL};
    *c = (struct test_case){.file = r->file,
                            .line = yaml_line(node),
                            .urgency = CASE_ANY,
                            .kind = CASE_ANY,
                            .review = CASE_ANY};
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        read_string(r, node, "text", true, &c->text) != 0 ||
        read_string(r, node, "title", false, &c->title) != 0 ||
        read_path(r, node, "path", &c->path) != 0 ||
        read_path(r, node, "not_path", &c->not_path) != 0 ||
        read_urgency(r, node, &c->urgency) != 0 || read_kind(r, node, &c->kind) != 0 ||
        read_review(r, node, &c->review) != 0 ||
        read_string(r, node, "reason", false, &c->reason) != 0 ||
        read_names(r, node, "tags", c->tags, &c->tag_count) != 0 ||
        read_names(r, node, "no_tags", c->no_tags, &c->no_tag_count) != 0)
        return -1;
    if (!expects_something(c))
        return yaml_error(r->doc, node, r->err,
                          "this case expects nothing; add  path:  or another expectation");
    return 0;
}

/* --- files --- */

static int read_root(const struct reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"cases", NULL};
    struct cases *cases = r->cases;
    if (yaml_expect_map(r->doc, root, known, r->err) != 0)
        return -1;
    const struct yaml_node *list = yaml_find(root, "cases");
    if (list == NULL)
        return yaml_error(r->doc, root, r->err,
                          "“cases” is missing; add  cases:  and a list below it");
    if (yaml_expect_list(r->doc, list, r->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        struct test_case *more =
            mem_grow(cases->list, &cases->capacity, cases->count, 64, sizeof *more);
        if (more == NULL)
            return no_memory(r->err);
        cases->list = more;
        if (read_case(r, yaml_at(list, i), &cases->list[cases->count]) != 0)
            return -1;
        cases->count++;
    }
    return 0;
}

int cases_add_file(struct cases *cases, const char *path, struct err *err)
{
    struct reader r = {.cases = cases, .err = err};
    r.file = arena_copy(cases->arena, span_str(path)).ptr;
    if (r.file == NULL)
        return no_memory(err);
    struct yaml_doc *doc = yaml_load(path, err);
    if (doc == NULL)
        return -1;
    r.doc = doc;
    int done = read_root(&r, yaml_root(doc));
    yaml_free(&doc);
    return done;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths of the *.yaml of a folder, ordered. 0, or -1 and *err. */
static int list_folder(struct cases *cases, const char *folder, DIR *dir, const char **paths,
                       size_t *count, struct err *err)
{
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct span name = span_str(entry->d_name);
        bool misnamed = span_ends(name, SPAN(".yml"));
        if (entry->d_name[0] == '.' || (!misnamed && !span_ends(name, SPAN(".yaml"))))
            continue;
        if (misnamed)
            return err_set(err, ERR_INVALID, "%s/%s: would not be read; rename it to end in .yaml",
                           folder, entry->d_name);
        if (*count == LIMIT_RULE_FILES)
            return err_set(err, ERR_LIMIT, "%s: there are more than %d files; merge some", folder,
                           LIMIT_RULE_FILES);
        paths[*count] = arena_printf(cases->arena, "%s/%s", folder, entry->d_name).ptr;
        if (paths[*count] == NULL)
            return no_memory(err);
        (*count)++;
    }
    if (*count > 1)
        qsort(paths, *count, sizeof *paths, by_name);
    return 0;
}

int cases_add_folder(struct cases *cases, const char *rules, struct err *err)
{
    const char *folder = arena_printf(cases->arena, "%s/cases", rules).ptr;
    const char **paths = arena_zalloc(cases->arena, LIMIT_RULE_FILES, sizeof *paths);
    size_t count = 0;
    if (folder == NULL || paths == NULL)
        return no_memory(err);
    DIR *dir = opendir(folder);
    if (dir == NULL && errno == ENOENT)
        return 0;
    if (dir == NULL)
        return err_set(err, ERR_IO, "%s: cannot be opened: %s; make it readable", folder,
                       strerror(errno));
    int done = list_folder(cases, folder, dir, paths, &count, err);
    closedir(dir);
    for (size_t i = 0; done == 0 && i < count; i++)
        done = cases_add_file(cases, paths[i], err);
    return done;
}
