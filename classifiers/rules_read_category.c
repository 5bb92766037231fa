/*
 * A file of categories/ is one first-level category. The paths below it become a tree of targets; a
 * level that no rule names, but a path goes through, is made on the way.
 */
#include "classifiers/rules_reader.h"

/* The node for a path of this category, made when new (with `parent` above it). */
static uint32_t category_node(struct rules_reader *r, size_t root, uint32_t parent,
                              struct span path)
{
    const struct rules *rules = rules_builder_rules(r->builder);
    for (size_t i = root; i < rules->target_count; i++)
        if (span_eq(rules->targets[i].name, path))
            return (uint32_t)i;
    struct rules_target target = {.what = EVIDENCE_CATEGORY, .parent = parent};
    if (reader_copy(r, path, &target.name) != 0)
        return RULES_NONE;
    return rules_builder_target(r->builder, &target, r->err);
}

/* Checks "second/third": one or two names, none empty, no blanks at their ends. */
static int check_path(struct rules_reader *r, const struct yaml_node *node, struct span path,
                      size_t max)
{
    size_t levels = 0;
    for (struct span rest = path; rest.ptr != NULL; levels++) {
        struct span name = span_cut(&rest, '/');
        if (name.len == 0 || span_trim(name).len != name.len)
            return yaml_error(r->doc, node, r->err,
                              "“%.*s” has an empty name or a blank beside a “/”; write names with "
                              "one “/” between them",
                              SPAN_ARG(path));
    }
    if (levels > max)
        return yaml_error(r->doc, node, r->err,
                          "“%.*s” has %zu levels, %zu is the most; the category itself is not "
                          "repeated in it",
                          SPAN_ARG(path), levels, max);
    return 0;
}

/* The node of a rule's path below the category, with the nodes between. RULES_NONE on error. */
static uint32_t rule_node(struct rules_reader *r, size_t root, struct span below)
{
    const struct rules *rules = rules_builder_rules(r->builder);
    uint32_t node = (uint32_t)root;
    struct span rest = below;
    while (rest.len != 0 && node != RULES_NONE) {
        struct span name = span_cut(&rest, '/');
        struct span path = arena_printf(rules->arena, "%.*s/%.*s",
                                        SPAN_ARG(rules->targets[node].name), SPAN_ARG(name));
        if (path.ptr == NULL) {
            err_set(r->err, ERR_NOMEM, "out of memory");
            return RULES_NONE;
        }
        node = category_node(r, root, node, path);
    }
    return node;
}

static int read_category_rule(struct rules_reader *r, const struct yaml_node *node, size_t root)
{
    static const char *const known[] = {"path", "sla", "department", READER_PATTERN_KEYS, NULL};
    struct span below;
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        yaml_get_string(r->doc, node, "path", false, &below, r->err) != 0)
        return -1;
    const struct yaml_node *path = yaml_find(node, "path");
    if (path == NULL)
        path = node;
    else if (check_path(r, path, below, RULES_PATH_LEVELS - 1) != 0)
        return -1;
    uint32_t index = rule_node(r, root, below);
    if (index == RULES_NONE)
        return reader_at(r, path);
    struct rules_target *target = &rules_builder_rules(r->builder)->targets[index];
    /* The first level has a place from the start, that of its name. */
    if ((index != root || r->root_ruled) &&
        reader_refuse_twin(r, path, index, EVIDENCE_CATEGORY, target->name) != 0)
        return -1;
    r->root_ruled |= index == root;
    if (reader_place(r, node, &target->rule) != 0 || reader_sla(r, node, &target->sla) != 0 ||
        reader_department(r, node, &target->department) != 0)
        return -1;
    bool says_more = yaml_find(node, "sla") != NULL || yaml_find(node, "department") != NULL;
    return reader_patterns(r, node, index, READER_WEIGHTED | (says_more ? 0 : READER_NEEDED));
}

/* The optional `review:` of a category; what it does not say is review.yaml's. */
static int read_category_review(struct rules_reader *r, const struct yaml_node *root,
                                struct rules_target *target)
{
    static const char *const known[] = {"min_score", "min_margin", NULL};
    const struct yaml_node *map = yaml_find(root, "review");
    if (map == NULL)
        return 0;
    if (yaml_expect_map(r->doc, map, known, r->err) != 0 ||
        yaml_get_number(r->doc, map, "min_score", false, 0, 1000, &target->min_score, r->err) != 0)
        return -1;
    return yaml_get_number(r->doc, map, "min_margin", false, 0, 1, &target->min_margin, r->err);
}

int rules_read_category(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"category", "department", "sla", "review", "rules", NULL};
    const struct yaml_node *list;
    struct rules_target target = {.what = EVIDENCE_CATEGORY,
                                  .parent = RULES_NONE,
                                  .min_score = RULES_REVIEW_DEFAULT,
                                  .min_margin = RULES_REVIEW_DEFAULT};
    struct span name;
    if (reader_rules(r, root, known, &list) != 0 ||
        yaml_get_string(r->doc, root, "category", true, &name, r->err) != 0)
        return -1;
    const struct yaml_node *place = yaml_find(root, "category");
    if (check_path(r, place, name, 1) != 0 ||
        reader_refuse_twin(r, place, 0, EVIDENCE_CATEGORY, name) != 0 ||
        reader_copy(r, name, &target.name) != 0 || reader_place(r, place, &target.rule) != 0 ||
        reader_sla(r, root, &target.sla) != 0 ||
        reader_department(r, root, &target.department) != 0 ||
        read_category_review(r, root, &target) != 0)
        return -1;
    uint32_t index = rules_builder_target(r->builder, &target, r->err);
    if (index == RULES_NONE)
        return reader_at(r, place);
    r->root_ruled = false;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_category_rule(r, yaml_at(list, i), index) != 0)
            return -1;
    return 0;
}
