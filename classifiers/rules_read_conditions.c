/*
 * conditions.yaml and negations.yaml. The names of all conditions are taken first, so that each may
 * name any other.
 */
#include "classifiers/rules_reader.h"
#include "engine/base/limits.h"

static int name_condition(struct rules_reader *r, const struct yaml_node *node)
{
    static const char *const known[] = {"name", "any", "all", "none", "near", NULL};
    struct span name, copy, place;
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        yaml_get_string(r->doc, node, "name", true, &name, r->err) != 0)
        return -1;
    const struct yaml_node *at = yaml_find(node, "name");
    uint32_t twin = rules_builder_find_condition(r->builder, name);
    if (twin != RULES_NONE)
        return yaml_error(r->doc, at, r->err, "“%.*s” is a condition already, at %.*s; rename one",
                          SPAN_ARG(name),
                          SPAN_ARG(rules_builder_rules(r->builder)->conditions[twin].place));
    if (yaml_size(node) < 2)
        return yaml_error(r->doc, node, r->err,
                          "the condition “%.*s” says nothing; add any, all, none or near",
                          SPAN_ARG(name));
    if (reader_copy(r, name, &copy) != 0 || reader_place(r, node, &place) != 0)
        return -1;
    if (rules_builder_condition(r->builder, copy, place, r->err) == RULES_NONE)
        return reader_at(r, node);
    return 0;
}

/* An item that is a map: one of regex, title, text, condition. */
static int read_item_map(struct rules_reader *r, const struct yaml_node *node)
{
    static const char *const known[] = {"regex", "title", "text", "condition", NULL};
    if (yaml_expect_map(r->doc, node, known, r->err) != 0)
        return -1;
    if (yaml_size(node) != 1 || yaml_kind(yaml_at(node, 0)) != YAML_SCALAR ||
        yaml_text(yaml_at(node, 0)).len == 0)
        return yaml_error(r->doc, node, r->err,
                          "write one thing here, as in {regex: '..'}, {title: 词}, {text: 词} or "
                          "{condition: 名字}");
    const struct yaml_node *value = yaml_at(node, 0);
    struct span key = yaml_text(yaml_key_at(node, 0)), text = yaml_text(value);
    int done;
    if (span_eq(key, SPAN("regex"))) {
        struct span place;
        if (reader_place(r, value, &place) != 0)
            return -1;
        done = rules_builder_item_regex(r->builder, text, place, r->err);
    } else if (span_eq(key, SPAN("condition"))) {
        uint32_t condition;
        if (reader_condition(r, value, &condition) != 0)
            return -1;
        done = rules_builder_item_condition(r->builder, condition, r->err);
    } else {
        enum rules_scope scope = span_eq(key, SPAN("title")) ? RULES_TITLE : RULES_TEXT;
        done = rules_builder_item_word(r->builder, text, scope, 0, r->err);
    }
    return done == 0 ? 0 : reader_at(r, value);
}

static int read_items(struct rules_reader *r, const struct yaml_node *list)
{
    if (yaml_expect_list(r->doc, list, r->err) != 0)
        return -1;
    if (yaml_size(list) == 0)
        return yaml_error(r->doc, list, r->err, "the list is empty; add a word or remove the line");
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        if (yaml_kind(item) == YAML_MAP) {
            if (read_item_map(r, item) != 0)
                return -1;
            continue;
        }
        if (yaml_kind(item) != YAML_SCALAR)
            return yaml_error(r->doc, item, r->err,
                              "this must be a word, or one of {regex: '..'}, {title: 词}, "
                              "{text: 词}, {condition: 名字}");
        if (rules_builder_item_word(r->builder, yaml_text(item), RULES_ANYWHERE, 0, r->err) != 0)
            return reader_at(r, item);
    }
    return 0;
}

/* One list of words of `near`. */
static int read_near_list(struct rules_reader *r, const struct yaml_node *list, uint32_t index)
{
    if (reader_words(r, list) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (rules_builder_item_word(r->builder, yaml_text(yaml_at(list, i)), RULES_ANYWHERE, index,
                                    r->err) != 0)
            return reader_at(r, yaml_at(list, i));
    return 0;
}

static int read_near(struct rules_reader *r, const struct yaml_node *node, uint32_t condition)
{
    static const char *const known[] = {"within", "of", NULL};
    int64_t within = 0;
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        yaml_get_int(r->doc, node, "within", true, 0, LIMIT_NEAR_UNITS, &within, r->err) != 0)
        return -1;
    const struct yaml_node *of = yaml_find(node, "of");
    if (of == NULL)
        return yaml_error(r->doc, node, r->err,
                          "“of” is missing; write  of: [[停车, 车位], [打架, 争执]]");
    if (yaml_expect_list(r->doc, of, r->err) != 0)
        return -1;
    size_t lists = yaml_size(of);
    if (lists < 2 || lists > LIMIT_NEAR_LISTS)
        return yaml_error(r->doc, of, r->err, "near takes 2 to %d lists of words; this has %zu",
                          LIMIT_NEAR_LISTS, lists);
    if (rules_builder_part(r->builder, condition, RULES_PART_NEAR, (uint32_t)lists,
                           (uint32_t)within, r->err) != 0)
        return reader_at(r, node);
    for (size_t i = 0; i < lists; i++)
        if (read_near_list(r, yaml_at(of, i), (uint32_t)i) != 0)
            return -1;
    return 0;
}

static int read_parts(struct rules_reader *r, const struct yaml_node *node, uint32_t condition)
{
    static const struct {
        const char *key;
        enum rules_part_for what;
    } keys[] = {{"any", RULES_PART_ANY}, {"all", RULES_PART_ALL}, {"none", RULES_PART_NONE}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct yaml_node *list = yaml_find(node, keys[i].key);
        if (list == NULL)
            continue;
        if (rules_builder_part(r->builder, condition, keys[i].what, 0, 0, r->err) != 0)
            return reader_at(r, list);
        if (read_items(r, list) != 0)
            return -1;
    }
    const struct yaml_node *near = yaml_find(node, "near");
    return near == NULL ? 0 : read_near(r, near, condition);
}

int rules_read_conditions(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"conditions", NULL};
    if (yaml_expect_map(r->doc, root, known, r->err) != 0)
        return -1;
    const struct yaml_node *list = yaml_find(root, "conditions");
    if (list == NULL)
        return yaml_error(r->doc, root, r->err,
                          "“conditions” is missing; add  conditions:  and a list below it");
    if (yaml_expect_list(r->doc, list, r->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (name_condition(r, yaml_at(list, i)) != 0)
            return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_parts(r, yaml_at(list, i), (uint32_t)i) != 0)
            return -1;
    uint32_t bad = 0;
    if (rules_builder_end_conditions(r->builder, &bad, r->err) != 0)
        return reader_at(r, yaml_find(yaml_at(list, bad), "name"));
    return 0;
}

/* --- negations.yaml --- */

static int read_negation_words(struct rules_reader *r, const struct yaml_node *list, uint32_t mask)
{
    if (reader_words(r, list) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (rules_builder_negation(r->builder, yaml_text(yaml_at(list, i)), mask, r->err) != 0)
            return reader_at(r, yaml_at(list, i));
    return 0;
}

/* `before` or `after`, which may be missing. */
static int read_window(struct rules_reader *r, const struct yaml_node *root, const char *key,
                       uint32_t mask, uint32_t *within)
{
    static const char *const known[] = {"within", "words", NULL};
    const struct yaml_node *node = yaml_find(root, key);
    int64_t units = 0;
    if (node == NULL)
        return 0;
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        yaml_get_int(r->doc, node, "within", true, 0, LIMIT_NEGATION_UNITS, &units, r->err) != 0)
        return -1;
    *within = (uint32_t)units;
    const struct yaml_node *words = yaml_find(node, "words");
    if (words == NULL)
        return yaml_error(r->doc, node, r->err, "“words” is missing; add  words:  and a list");
    return read_negation_words(r, words, mask);
}

int rules_read_negations(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"before", "after", "except", NULL};
    struct rules *rules = rules_builder_rules(r->builder);
    if (yaml_expect_map(r->doc, root, known, r->err) != 0 ||
        read_window(r, root, "before", RULES_NEGATES_BEFORE, &rules->negates_before) != 0 ||
        read_window(r, root, "after", RULES_NEGATES_AFTER, &rules->negates_after) != 0)
        return -1;
    const struct yaml_node *except = yaml_find(root, "except");
    return except == NULL ? 0 : read_negation_words(r, except, RULES_NEGATES_NOT);
}
