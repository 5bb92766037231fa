/*
 * The reader: bytes become events (libyaml), events become a tree.
 *
 * What libyaml would let through or explain badly is looked for beforehand (yaml_problem.c). The
 * tree is built with an explicit stack, so nesting costs no stack of ours.
 */
#include "classifiers/yaml.h"

#include "classifiers/yaml_private.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

enum { ARENA_BLOCK = 64 * 1024 };

/* A list or map whose end has not come yet. */
struct open_node {
    struct yaml_node *node;
    struct yaml_node *first, *last; /* its elements, or its keys and values in turn */
    size_t count;
};

struct reader {
    yaml_parser_t parser;
    struct yaml_doc *doc;
    struct span text;
    struct open_node open[LIMIT_YAML_DEPTH];
    size_t depth;
    size_t nodes;
    struct err *err;
};

static int no_memory(struct reader *r)
{
    return yaml_no_memory(r->doc->name, r->err);
}

static int fail_at(struct reader *r, const yaml_mark_t *mark, enum err_code code, const char *what)
{
    return yaml_fail(r->doc->name, (int)mark->line + 1, (int)mark->column + 1, r->err, code, "%s",
                     what);
}

static struct yaml_node *new_node(struct reader *r, enum yaml_kind kind, const yaml_event_t *event)
{
    if (r->nodes == LIMIT_YAML_NODES) {
        yaml_fail(r->doc->name, (int)event->start_mark.line + 1, (int)event->start_mark.column + 1,
                  r->err, ERR_LIMIT, "more than %d values in one file; split it", LIMIT_YAML_NODES);
        return NULL;
    }
    struct yaml_node *node = arena_zalloc(r->doc->arena, 1, sizeof *node);
    if (node == NULL) {
        no_memory(r);
        return NULL;
    }
    r->nodes++;
    node->kind = kind;
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    return node;
}

static bool key_expected(const struct reader *r)
{
    const struct open_node *top = r->depth == 0 ? NULL : &r->open[r->depth - 1];
    return top != NULL && top->node->kind == YAML_MAP && top->count % 2 == 0;
}

/* Puts a node where it belongs: into the open list or map, or at the root. */
static int place_node(struct reader *r, struct yaml_node *node, const yaml_event_t *event)
{
    if (key_expected(r) && node->kind != YAML_SCALAR)
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "a key must be a plain text; put it in quotes when it holds [ ] { }");
    if (key_expected(r) && node->text.len == 0)
        return fail_at(r, &event->start_mark, ERR_SYNTAX, "a key is missing before this \":\"");
    if (r->depth == 0) {
        r->doc->root = node;
        return 0;
    }
    struct open_node *top = &r->open[r->depth - 1];
    if (top->last == NULL)
        top->first = node;
    else
        top->last->next = node;
    top->last = node;
    top->count++;
    return 0;
}

static int on_scalar(struct reader *r, const yaml_event_t *event)
{
    struct span text = span_of((const char *)event->data.scalar.value, event->data.scalar.length);
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return fail_at(r, &event->start_mark, ERR_SYNTAX, "a text cannot hold \\0; remove it");
    struct yaml_node *node = new_node(r, YAML_SCALAR, event);
    if (node == NULL)
        return -1;
    node->text = arena_copy(r->doc->arena, text);
    if (node->text.ptr == NULL)
        return no_memory(r);
    return place_node(r, node, event);
}

static int on_start(struct reader *r, enum yaml_kind kind, const yaml_event_t *event)
{
    if (r->depth == LIMIT_YAML_DEPTH)
        return yaml_fail(r->doc->name, (int)event->start_mark.line + 1,
                         (int)event->start_mark.column + 1, r->err, ERR_LIMIT,
                         "more than %d lists and maps inside each other", LIMIT_YAML_DEPTH);
    struct yaml_node *node = new_node(r, kind, event);
    if (node == NULL || place_node(r, node, event) != 0)
        return -1;
    r->open[r->depth++] = (struct open_node){.node = node};
    return 0;
}

/* Orders members by key, equal keys as they stand in the file. */
static int compare_members(const void *left, const void *right, void *ctx)
{
    const struct yaml_node *map = ctx;
    uint32_t i = *(const uint32_t *)left;
    uint32_t j = *(const uint32_t *)right;
    int order = span_cmp(map->items[i]->text, map->items[j]->text);
    return order != 0 ? order : (i > j) - (i < j);
}

/* Refuses the first key, in the order of the file, that stands there already. */
static int check_duplicates(struct reader *r, const struct yaml_node *map)
{
    const struct yaml_node *again = NULL;
    const struct yaml_node *before = NULL;
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 1; i < map->size; i++) {
        const struct yaml_node *a = map->items[map->sorted[i - 1]];
        const struct yaml_node *b = map->items[map->sorted[i]];
        if (map->sorted[i] < lowest && span_eq(a->text, b->text)) {
            lowest = map->sorted[i];
            before = a;
            again = b;
        }
    }
    if (again == NULL)
        return 0;
    struct span key = yaml_shown(again->text);
    return yaml_fail(r->doc->name, again->line, again->column, r->err, ERR_SYNTAX,
                     "the key \"%.*s\" stands already at line %d, column %d; keep one of them",
                     SPAN_ARG(key), before->line, before->column);
}

/* The end of a list or map: its elements move from the chain to an array. */
static int on_end(struct reader *r)
{
    struct open_node *top = &r->open[--r->depth];
    struct yaml_node *node = top->node;
    bool map = node->kind == YAML_MAP;
    node->size = map ? top->count / 2 : top->count;
    if (top->count == 0)
        return 0;
    node->items = arena_zalloc(r->doc->arena, top->count, sizeof(struct yaml_node *));
    node->sorted = map ? arena_zalloc(r->doc->arena, node->size, sizeof(uint32_t)) : NULL;
    if (node->items == NULL || (map && node->sorted == NULL))
        return no_memory(r);
    struct yaml_node *child = top->first;
    for (size_t i = 0; child != NULL; i++, child = child->next)
        node->items[map ? i / 2 + (i % 2) * node->size : i] = child;
    if (!map)
        return 0;
    for (uint32_t i = 0; i < node->size; i++)
        node->sorted[i] = i;
    qsort_r(node->sorted, node->size, sizeof *node->sorted, compare_members, node);
    return check_duplicates(r, node);
}

static int check_decoration(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                            const yaml_char_t *tag)
{
    if (anchor != NULL)
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "an anchor (&name) is not allowed; put a text that begins with & in quotes");
    if (tag != NULL)
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "a tag (!name) is not allowed; put a text that begins with ! in quotes");
    return 0;
}

static int on_document(struct reader *r, const yaml_event_t *event)
{
    if (r->doc->root != NULL)
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "a second document begins here; a file holds one, so remove this \"---\"");
    if (event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "directives (%YAML, %TAG) are not allowed; remove the line");
    return 0;
}

static int on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(r, event);
    case YAML_ALIAS_EVENT:
        return fail_at(r, &event->start_mark, ERR_SYNTAX,
                       "an alias (*name) is not allowed; put a text that begins with * in quotes");
    case YAML_SCALAR_EVENT:
        if (check_decoration(r, event, event->data.scalar.anchor, event->data.scalar.tag) != 0)
            return -1;
        return on_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        if (check_decoration(r, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag) != 0)
            return -1;
        return on_start(r, YAML_LIST, event);
    case YAML_MAPPING_START_EVENT:
        if (check_decoration(r, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag) != 0)
            return -1;
        return on_start(r, YAML_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(r);
    default:
        return 0;
    }
}

static int read_events(struct reader *r)
{
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text.ptr, r->text.len);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&r->parser, &event) == 0)
            return yaml_parser_problem(&r->parser, r->doc->name, r->text, r->err);
        int done = on_event(r, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (done != 0)
            return -1;
    }
    if (r->doc->root == NULL)
        return yaml_fail(r->doc->name, 1, 1, r->err, ERR_SYNTAX, "the file is empty");
    return 0;
}

static int read_tree(struct reader *r)
{
    if (span_starts(r->text, SPAN("\xEF\xBB\xBF")))
        r->text = span_sub(r->text, 3, r->text.len);
    if (r->text.len > LIMIT_RULE_FILE_BYTES)
        return yaml_fail(r->doc->name, 1, 1, r->err, ERR_LIMIT,
                         "the file has more than %d bytes; split it", LIMIT_RULE_FILE_BYTES);
    if (yaml_check_bytes(r->text, r->doc->name, r->err) != 0)
        return -1;
    if (yaml_parser_initialize(&r->parser) == 0)
        return no_memory(r);
    int done = read_events(r);
    yaml_parser_delete(&r->parser);
    return done;
}

struct yaml_doc *yaml_parse(struct span text, const char *name, struct err *err)
{
    struct yaml_doc *doc = mem_zalloc(1, sizeof *doc);
    if (doc != NULL)
        doc->arena = arena_new(ARENA_BLOCK);
    if (doc != NULL && doc->arena != NULL)
        doc->name = arena_copy(doc->arena, span_str(name)).ptr;
    if (doc == NULL || doc->name == NULL) {
        yaml_no_memory(name, err);
        yaml_free(&doc);
        return NULL;
    }
    struct reader reader = {.doc = doc, .text = text, .err = err};
    if (text.ptr == NULL)
        reader.text = SPAN("");
    if (read_tree(&reader) != 0)
        yaml_free(&doc);
    return doc;
}

/* Reads fd to its end, or to one byte over the limit, which yaml_parse will refuse. */
static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    ssize_t got = 1;
    while (got > 0 && out->len <= LIMIT_RULE_FILE_BYTES + 3) {
        char *to = buf_reserve(out, 64 * 1024);
        if (to == NULL)
            return yaml_no_memory(path, err);
        do
            got = read(fd, to, 64 * 1024);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return err_set(err, ERR_IO, "%s: cannot read it: %s", path, strerror(errno));
        out->len += (size_t)got;
    }
    return 0;
}

struct yaml_doc *yaml_load(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, ERR_IO, "%s: cannot open it: %s", path, strerror(errno));
        return NULL;
    }
    struct buf bytes = {.limit = 0};
    struct yaml_doc *doc = NULL;
    if (read_all(fd, path, &bytes, err) == 0)
        doc = yaml_parse(buf_view(&bytes), path, err);
    buf_free(&bytes);
    close(fd);
    return doc;
}

void yaml_free(struct yaml_doc **doc)
{
    if (*doc == NULL)
        return;
    if ((*doc)->arena != NULL)
        arena_free(&(*doc)->arena);
    mem_free(*doc);
    *doc = NULL;
}
