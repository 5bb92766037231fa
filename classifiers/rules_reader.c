#include "classifiers/rules_reader.h"

enum { WEIGHT_MAX = 20 };

int reader_at(const struct rules_reader *r, const struct yaml_node *node)
{
    if (r->err->code == ERR_NOMEM)
        return -1;
    return err_prefix(r->err, "%s:%d:%d", r->file->path, yaml_line(node), yaml_column(node));
}

int reader_doc(struct rules_reader *r, const struct rules_file *file, rules_read_doc *read)
{
    struct yaml_doc *doc = yaml_parse(file->text, file->path, r->err);
    if (doc == NULL)
        return -1;
    r->file = file;
    r->doc = doc;
    int done = read(r, yaml_root(doc));
    yaml_free(&doc);
    return done;
}

int reader_copy(struct rules_reader *r, struct span s, struct span *out)
{
    *out = rules_builder_string(r->builder, s, r->err);
    return out->ptr == NULL ? -1 : 0;
}

int reader_words(struct rules_reader *r, const struct yaml_node *list)
{
    if (yaml_expect_list(r->doc, list, r->err) != 0)
        return -1;
    if (yaml_size(list) == 0)
        return yaml_error(r->doc, list, r->err, "the list is empty; add a word or remove the line");
    for (size_t i = 0; i < yaml_size(list); i++)
        if (yaml_kind(yaml_at(list, i)) != YAML_SCALAR || yaml_text(yaml_at(list, i)).len == 0)
            return yaml_error(r->doc, yaml_at(list, i), r->err,
                              "this must be a word; put words that hold , : # [ ] { } in quotes");
    return 0;
}

enum pattern_type { KEYWORD, REGEX, CONDITION };

static const struct pattern_key {
    const char *key;
    enum pattern_type type;
    enum rules_scope scope;
} pattern_keys[] = {
    {"keywords", KEYWORD, RULES_ANYWHERE},     {"title_keywords", KEYWORD, RULES_TITLE},
    {"text_keywords", KEYWORD, RULES_TEXT},    {"regexes", REGEX, RULES_ANYWHERE},
    {"title_regexes", REGEX, RULES_TITLE},     {"text_regexes", REGEX, RULES_TEXT},
    {"conditions", CONDITION, RULES_ANYWHERE},
};
enum { PATTERN_KEYS = sizeof pattern_keys / sizeof *pattern_keys };

/* What the patterns of one rule have in common. */
struct pattern_rule {
    uint32_t target;
    bool negatable;
};

int reader_condition(struct rules_reader *r, const struct yaml_node *node, uint32_t *condition)
{
    *condition = rules_builder_find_condition(r->builder, yaml_text(node));
    if (*condition != RULES_NONE)
        return 0;
    return yaml_error(r->doc, node, r->err,
                      "“%.*s” is not a condition of conditions.yaml; use one of its names or add "
                      "it there",
                      SPAN_ARG(yaml_text(node)));
}

/* Adds one word to the target of a rule. */
static int read_word(struct rules_reader *r, const struct yaml_node *word,
                     const struct pattern_rule *rule, int weight, const struct pattern_key *key)
{
    struct rules_pattern pattern = {.text = yaml_text(word),
                                    .line = yaml_line(word),
                                    .column = yaml_column(word),
                                    .weight = weight * RULES_SCORE_ONE,
                                    .scope = key->scope,
                                    .negatable = rule->negatable};
    uint32_t condition;
    int done;
    if (key->type == KEYWORD) {
        done = rules_builder_keyword(r->builder, rule->target, &pattern, r->err);
    } else if (key->type == REGEX) {
        if (reader_place(r, word, &pattern.place) != 0)
            return -1;
        done = rules_builder_regex(r->builder, rule->target, &pattern, r->err);
    } else {
        if (reader_condition(r, word, &condition) != 0)
            return -1;
        pattern.negatable = false;
        done = rules_builder_use_condition(r->builder, rule->target, condition, &pattern, r->err);
    }
    return done == 0 ? 0 : reader_at(r, word);
}

/* Adds every word of a list. */
static int read_words(struct rules_reader *r, const struct yaml_node *list,
                      const struct pattern_rule *rule, int weight, const struct pattern_key *key)
{
    if (reader_words(r, list) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_word(r, yaml_at(list, i), rule, weight, key) != 0)
            return -1;
    return 0;
}

/* A weight: an integer from -20 to 20, not 0. */
static int parse_weight(const struct rules_reader *r, const struct yaml_node *key, int *weight)
{
    struct span text = yaml_text(key);
    bool negative = span_starts(text, SPAN("-"));
    uint64_t n;
    if (span_to_u64(span_sub(text, negative, text.len), WEIGHT_MAX, &n) != 0 || n == 0)
        return yaml_error(r->doc, key, r->err,
                          "“%.*s” is not a weight; write a whole number from -%d to %d, not 0",
                          SPAN_ARG(text), WEIGHT_MAX, WEIGHT_MAX);
    *weight = negative ? -(int)n : (int)n;
    return 0;
}

/* A map from weight to a list of words. */
static int read_weighted(struct rules_reader *r, const struct yaml_node *map,
                         const struct pattern_rule *rule, const struct pattern_key *key)
{
    if (yaml_kind(map) != YAML_MAP)
        return yaml_error(r->doc, map, r->err,
                          "this must give a weight to each list of words, as in  3: [路灯, 井盖]");
    for (size_t i = 0; i < yaml_size(map); i++) {
        int weight = 0;
        if (parse_weight(r, yaml_key_at(map, i), &weight) != 0 ||
            read_words(r, yaml_at(map, i), rule, weight, key) != 0)
            return -1;
    }
    return 0;
}

int reader_patterns(struct rules_reader *r, const struct yaml_node *rule, uint32_t target,
                    unsigned how)
{
    bool any = false;
    struct pattern_rule into = {target, (how & READER_NEGATABLE) != 0};
    if (yaml_get_bool(r->doc, rule, "negatable", false, &into.negatable, r->err) != 0)
        return -1;
    for (size_t i = 0; i < PATTERN_KEYS; i++) {
        const struct yaml_node *node = yaml_find(rule, pattern_keys[i].key);
        if (node == NULL)
            continue;
        any = true;
        int done = (how & READER_WEIGHTED) != 0 ? read_weighted(r, node, &into, &pattern_keys[i])
                                                : read_words(r, node, &into, 1, &pattern_keys[i]);
        if (done != 0)
            return -1;
    }
    if (!any && (how & READER_NEEDED) != 0)
        return yaml_error(
            r->doc, rule, r->err,
            "this rule has no keywords and no regexes or conditions; add some or remove the "
            "rule");
    int line = 0, column = 0;
    if (rules_builder_end_rule(r->builder, &line, &column, r->err) != 0)
        return err_prefix(r->err, "%s:%d:%d", r->file->path, line, column);
    return 0;
}

const struct yaml_node *reader_find_sla(const struct rules_reader *r, struct span name)
{
    const struct yaml_node *classes = yaml_find(yaml_root(r->sla), "classes");
    for (size_t i = 0; i < yaml_size(classes); i++) {
        const struct yaml_node *row = yaml_at(classes, i);
        if (span_eq(yaml_text(yaml_find(row, "name")), name))
            return row;
    }
    return NULL;
}

int reader_sla(struct rules_reader *r, const struct yaml_node *map, struct span *out)
{
    struct span name;
    if (yaml_get_string(r->doc, map, "sla", false, &name, r->err) != 0)
        return -1;
    if (name.len == 0)
        return 0;
    if (reader_find_sla(r, name) == NULL)
        return yaml_error(r->doc, yaml_find(map, "sla"), r->err,
                          "“%.*s” is not a class of sla.yaml; use one of its names or add it there",
                          SPAN_ARG(name));
    return reader_copy(r, name, out);
}

int reader_department(struct rules_reader *r, const struct yaml_node *map, struct span *out)
{
    struct span name;
    if (yaml_get_string(r->doc, map, "department", false, &name, r->err) != 0)
        return -1;
    return name.len == 0 ? 0 : reader_copy(r, name, out);
}

int reader_place(struct rules_reader *r, const struct yaml_node *node, struct span *out)
{
    *out = arena_printf(rules_builder_rules(r->builder)->arena, "%.*s:%d", SPAN_ARG(r->file->name),
                        yaml_line(node));
    return out->ptr == NULL ? err_set(r->err, ERR_NOMEM, "out of memory") : 0;
}

int reader_rules(struct rules_reader *r, const struct yaml_node *root, const char *const *known,
                 const struct yaml_node **list)
{
    if (yaml_expect_map(r->doc, root, known, r->err) != 0)
        return -1;
    *list = yaml_find(root, "rules");
    if (*list == NULL)
        return yaml_error(r->doc, root, r->err,
                          "“rules” is missing; add  rules:  and a list below it");
    return yaml_expect_list(r->doc, *list, r->err);
}

int reader_refuse_twin(struct rules_reader *r, const struct yaml_node *node, size_t from,
                       enum evidence_for what, struct span name)
{
    const struct rules *rules = rules_builder_rules(r->builder);
    for (size_t i = from; i < rules->target_count; i++) {
        const struct rules_target *t = &rules->targets[i];
        if (t->what == what && t->rule.len != 0 && span_eq(t->name, name))
            return yaml_error(r->doc, node, r->err,
                              "“%.*s” has a rule already, at %.*s; put both into one",
                              SPAN_ARG(name), SPAN_ARG(t->rule));
    }
    return 0;
}
