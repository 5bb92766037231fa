#include "classifiers/yaml.h"

#include "classifiers/yaml_private.h"
#include "engine/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
    return doc->root;
}

const char *yaml_file(const struct yaml_doc *doc)
{
    return doc->name;
}

enum yaml_kind yaml_kind(const struct yaml_node *node)
{
    return node->kind;
}

int yaml_line(const struct yaml_node *node)
{
    return node->line;
}

int yaml_column(const struct yaml_node *node)
{
    return node->column;
}

size_t yaml_size(const struct yaml_node *node)
{
    return node->size;
}

const struct yaml_node *yaml_at(const struct yaml_node *node, size_t i)
{
    CHECK(i < node->size);
    return node->items[node->kind == YAML_MAP ? node->size + i : i];
}

const struct yaml_node *yaml_key_at(const struct yaml_node *node, size_t i)
{
    CHECK(node->kind == YAML_MAP && i < node->size);
    return node->items[i];
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    struct span wanted = span_str(key);
    size_t from = 0;
    size_t to = map->kind == YAML_MAP ? map->size : 0;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        uint32_t i = map->sorted[middle];
        int order = span_cmp(wanted, map->items[i]->text);
        if (order == 0)
            return map->items[map->size + i];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

struct span yaml_text(const struct yaml_node *node)
{
    return node->text;
}

int yaml_error(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err,
               const char *fmt, ...)
{
    char message[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return yaml_fail(doc->name, node->line, node->column, err, ERR_INVALID, "%s", message);
}

/* What a node is, for messages. */
static const char *kind_word(const struct yaml_node *node)
{
    static const char *const words[] = {
        [YAML_SCALAR] = "a text", [YAML_LIST] = "a list", [YAML_MAP] = "a map of keys"};
    return node->kind == YAML_SCALAR && node->text.len == 0 ? "nothing" : words[node->kind];
}

static bool is_known(struct span key, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (span_eq(key, span_str(*known)))
            return true;
    }
    return false;
}

static int unknown_key(const struct yaml_doc *doc, const struct yaml_node *key,
                       const char *const *known, struct err *err)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; known[i] != NULL && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", known[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    struct span shown = yaml_shown(key->text);
    return yaml_error(doc, key, err, "the key \"%.*s\" is not known here; the known keys are: %s",
                      SPAN_ARG(shown), list);
}

int yaml_expect_map(const struct yaml_doc *doc, const struct yaml_node *node,
                    const char *const *known, struct err *err)
{
    if (node->kind != YAML_MAP) {
        bool wide = span_find(node->text, SPAN("：")) >= 0;
        bool close = span_find_char(node->text, ':') >= 0;
        return yaml_error(doc, node, err, "lines of \"key: value\" are expected here, not %s%s",
                          kind_word(node),
                          wide    ? "; a full-width \"：\" is not \": \""
                          : close ? "; write a space after the \":\""
                                  : "");
    }
    for (size_t i = 0; i < node->size; i++) {
        if (!is_known(node->items[i]->text, known))
            return unknown_key(doc, node->items[i], known, err);
    }
    return 0;
}

int yaml_expect_list(const struct yaml_doc *doc, const struct yaml_node *node, struct err *err)
{
    if (node->kind != YAML_LIST)
        return yaml_error(doc, node, err,
                          "a list is expected here, not %s; write lines that begin with \"- \", "
                          "or [a, b]",
                          kind_word(node));
    return 0;
}

/* The scalar under key: 1 and *out, 0 when it is absent and may be, -1 and *err. */
static int get_scalar(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                      bool required, const char *what, const struct yaml_node **out,
                      struct err *err)
{
    const struct yaml_node *node = yaml_find(map, key);
    if (node == NULL && !required)
        return 0;
    if (node == NULL) {
        yaml_error(doc, map, err, "the key \"%s\" is missing here; add \"%s: ...\"", key, key);
        return -1;
    }
    if (node->kind != YAML_SCALAR || node->text.len == 0) {
        yaml_error(doc, node, err, "\"%s\" must be %s, not %s", key, what, kind_word(node));
        return -1;
    }
    *out = node;
    return 1;
}

int yaml_get_string(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                    bool required, struct span *out, struct err *err)
{
    const struct yaml_node *node = NULL;
    int found = get_scalar(doc, map, key, required, "a text", &node, err);
    if (found < 0)
        return -1;
    *out = found == 0 ? SPAN("") : node->text;
    return 0;
}

int yaml_get_int(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                 bool required, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    const struct yaml_node *node = NULL;
    int found = get_scalar(doc, map, key, required, "a whole number", &node, err);
    if (found <= 0)
        return found;
    bool negative = span_starts(node->text, SPAN("-"));
    struct span digits = span_sub(node->text, negative ? 1 : 0, node->text.len);
    uint64_t magnitude = 0;
    bool number = span_to_u64(digits, INT64_MAX, &magnitude) == 0;
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (!number || value < min || value > max) {
        struct span shown = yaml_shown(node->text);
        return yaml_error(doc, node, err,
                          "\"%s\" must be a whole number from %lld to %lld, not \"%.*s\"", key,
                          (long long)min, (long long)max, SPAN_ARG(shown));
    }
    *out = value;
    return 0;
}

int yaml_get_bool(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                  bool required, bool *out, struct err *err)
{
    const struct yaml_node *node = NULL;
    int found = get_scalar(doc, map, key, required, "yes or no", &node, err);
    if (found <= 0)
        return found;
    bool yes = span_eq(node->text, SPAN("true")) || span_eq(node->text, SPAN("yes"));
    bool no = span_eq(node->text, SPAN("false")) || span_eq(node->text, SPAN("no"));
    if (!yes && !no) {
        struct span shown = yaml_shown(node->text);
        return yaml_error(doc, node, err,
                          "\"%s\" must be yes or no (or true or false), not \"%.*s\"", key,
                          SPAN_ARG(shown));
    }
    *out = yes;
    return 0;
}

int yaml_get_number(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                    bool required, double min, double max, double *out, struct err *err)
{
    const struct yaml_node *node = NULL;
    int found = get_scalar(doc, map, key, required, "a number", &node, err);
    if (found <= 0)
        return found;
    double value = 0;
    if (span_to_double(node->text, &value) != 0 || value < min || value > max) {
        struct span shown = yaml_shown(node->text);
        return yaml_error(doc, node, err, "\"%s\" must be a number from %g to %g, not \"%.*s\"",
                          key, min, max, SPAN_ARG(shown));
    }
    *out = value;
    return 0;
}
