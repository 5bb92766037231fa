/*
 * Any bytes are a tree or an error with a place. In a tree every key is found again, every node has
 * a place, and the getters end in a value or an error.
 */
#include "classifiers/yaml.h"
#include "engine/base/check.h"
#include "engine/base/utf.h"

#include <string.h>

static void visit(const struct yaml_doc *doc, const struct yaml_node *node);

static void visit_map(const struct yaml_doc *doc, const struct yaml_node *map)
{
    static const char *const known[] = {"a", "名", NULL};
    yaml_expect_map(doc, map, known, NULL);
    for (size_t i = 0; i < yaml_size(map); i++) {
        const struct yaml_node *key = yaml_key_at(map, i);
        struct span name = yaml_text(key);
        CHECK(yaml_kind(key) == YAML_SCALAR && name.len > 0);
        CHECK(yaml_find(map, name.ptr) == yaml_at(map, i));
        struct span text;
        int64_t integer = 0;
        double number = 0;
        bool yes = false;
        yaml_get_string(doc, map, name.ptr, true, &text, NULL);
        CHECK(yaml_get_int(doc, map, name.ptr, true, -9, 9, &integer, NULL) != 0 ||
              (integer >= -9 && integer <= 9));
        CHECK(yaml_get_number(doc, map, name.ptr, true, 0, 1, &number, NULL) != 0 ||
              (number >= 0 && number <= 1));
        yaml_get_bool(doc, map, name.ptr, true, &yes, NULL);
        visit(doc, yaml_at(map, i));
    }
}

static void visit(const struct yaml_doc *doc, const struct yaml_node *node)
{
    CHECK(yaml_line(node) >= 1 && yaml_column(node) >= 1);
    CHECK(utf8_valid(yaml_text(node)));
    if (yaml_kind(node) == YAML_MAP)
        visit_map(doc, node);
    for (size_t i = 0; yaml_kind(node) == YAML_LIST && i < yaml_size(node); i++)
        visit(doc, yaml_at(node, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {.code = ERR_NONE};
    struct yaml_doc *doc = yaml_parse(span_of((const char *)data, size), "f", &err);
    if (doc == NULL) {
        CHECK(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
        CHECK(strncmp(err.text, "f:", 2) == 0 && err.text[2] >= '1' && err.text[2] <= '9');
        CHECK(utf8_valid(span_str(err.text)));
        return 0;
    }
    visit(doc, yaml_root(doc));
    yaml_free(&doc);
    return 0;
}
