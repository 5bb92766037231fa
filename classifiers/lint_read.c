/*
 * The rule set has compiled, so its form is right; what is read here are the words and names in it,
 * with their places. A key that is not known here holds nothing to look at.
 */
#include "classifiers/lint_private.h"
#include "classifiers/regex_fold.h"
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <string.h>

int lint_no_memory(struct lint *lint)
{
    return err_set(lint->err, ERR_NOMEM, "out of memory while checking the rule set");
}

void *lint_grow(struct lint *lint, void *list, size_t *capacity, size_t count, size_t size)
{
    void *grown = mem_grow(list, capacity, count, 64, size);
    if (grown != NULL)
        return grown;
    lint_no_memory(lint);
    return list;
}

static struct lint_place place_of(const struct lint *lint, const struct yaml_node *node)
{
    return (struct lint_place){
        .file = lint->file, .line = yaml_line(node), .column = yaml_column(node)};
}

static int copy(struct lint *lint, struct span s, struct span *out)
{
    *out = arena_copy(lint->arena, s);
    return out->ptr == NULL ? lint_no_memory(lint) : 0;
}

/* Folds a keyword into the arena. */
static int fold_word(struct lint *lint, struct span word, uint16_t **units, size_t *count)
{
    uint16_t folded[LIMIT_KEYWORD_UNITS];
    ptrdiff_t n = text_fold(word, folded, LIMIT_KEYWORD_UNITS, lint->err);
    if (n < 0)
        return -1;
    *units = arena_zalloc(lint->arena, (size_t)n + 1, sizeof **units);
    if (*units == NULL)
        return lint_no_memory(lint);
    memcpy(*units, folded, (size_t)n * sizeof **units);
    *count = (size_t)n;
    return 0;
}

static int fold_regex(struct lint *lint, struct span regex, uint16_t **units, size_t *count)
{
    struct regex_folded folded = {.units = NULL};
    int done = regex_fold(regex, &folded, lint->err);
    if (done == 0) {
        *units = arena_zalloc(lint->arena, folded.count + 1, sizeof **units);
        *count = folded.count;
        if (*units == NULL)
            done = lint_no_memory(lint);
        else
            memcpy(*units, folded.units, folded.count * sizeof **units);
    }
    regex_folded_free(&folded);
    return done;
}

/* Adds a pattern; the node is its word. */
static int add_pattern(struct lint *lint, const struct yaml_node *node, struct lint_pattern pattern)
{
    pattern.place = place_of(lint, node);
    int done = pattern.regex ? fold_regex(lint, yaml_text(node), &pattern.units, &pattern.count)
                             : fold_word(lint, yaml_text(node), &pattern.units, &pattern.count);
    if (done != 0 || copy(lint, yaml_text(node), &pattern.text) != 0 || !LINT_ROOM(lint, patterns))
        return -1;
    lint->patterns.list[lint->patterns.count++] = pattern;
    return 0;
}

static int add_patterns(struct lint *lint, const struct yaml_node *list,
                        struct lint_pattern pattern)
{
    for (size_t i = 0; i < yaml_size(list); i++)
        if (yaml_kind(yaml_at(list, i)) == YAML_SCALAR &&
            add_pattern(lint, yaml_at(list, i), pattern) != 0)
            return -1;
    return 0;
}

/* Adds the names of a list; reference holds what they share. */
static int add_references(struct lint *lint, const struct yaml_node *list,
                          struct lint_reference reference)
{
    reference.rule = lint->rules.count - 1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        reference.place = place_of(lint, yaml_at(list, i));
        if (copy(lint, yaml_text(yaml_at(list, i)), &reference.name) != 0 ||
            !LINT_ROOM(lint, references))
            return -1;
        lint->references.list[lint->references.count++] = reference;
    }
    return 0;
}

static int weight_of(const struct yaml_node *key)
{
    struct span text = yaml_text(key);
    bool negative = span_starts(text, SPAN("-"));
    uint64_t n = 0;
    (void)span_to_u64(span_sub(text, negative, text.len), INT16_MAX, &n);
    return negative ? -(int)n : (int)n;
}

static const struct {
    const char *key;
    bool regex;
    enum lint_where where;
} pattern_keys[] = {
    {"keywords", false, LINT_ANYWHERE},  {"title_keywords", false, LINT_TITLE},
    {"text_keywords", false, LINT_TEXT}, {"regexes", true, LINT_ANYWHERE},
    {"title_regexes", true, LINT_TITLE}, {"text_regexes", true, LINT_TEXT},
};
enum { PATTERN_KEYS = sizeof pattern_keys / sizeof *pattern_keys };

/* Words of a rule: a list, or a map from weights to lists. */
static int read_patterns(struct lint *lint, const struct yaml_node *rule)
{
    for (size_t k = 0; k < PATTERN_KEYS; k++) {
        const struct yaml_node *node = yaml_find(rule, pattern_keys[k].key);
        struct lint_pattern pattern = {.rule = lint->rules.count - 1,
                                       .regex = pattern_keys[k].regex,
                                       .where = pattern_keys[k].where,
                                       .weight = 1};
        if (node == NULL)
            continue;
        if (yaml_kind(node) == YAML_LIST && add_patterns(lint, node, pattern) != 0)
            return -1;
        for (size_t i = 0; yaml_kind(node) == YAML_MAP && i < yaml_size(node); i++) {
            pattern.weight = weight_of(yaml_key_at(node, i));
            if (add_patterns(lint, yaml_at(node, i), pattern) != 0)
                return -1;
        }
    }
    return 0;
}

static int read_conditions_of(struct lint *lint, const struct yaml_node *rule)
{
    const struct yaml_node *node = yaml_find(rule, "conditions");
    const struct yaml_node *unless = yaml_find(rule, "unless_conditions");
    struct lint_reference reference = {.weight = 1};
    if (node != NULL && yaml_kind(node) == YAML_LIST && add_references(lint, node, reference) != 0)
        return -1;
    for (size_t i = 0; node != NULL && yaml_kind(node) == YAML_MAP && i < yaml_size(node); i++) {
        reference.weight = weight_of(yaml_key_at(node, i));
        if (add_references(lint, yaml_at(node, i), reference) != 0)
            return -1;
    }
    reference = (struct lint_reference){.weight = 1, .unless = true};
    return unless == NULL ? 0 : add_references(lint, unless, reference);
}

/* Adds a rule whose name and level are known, and reads its words. */
static int add_rule(struct lint *lint, const struct yaml_node *node, struct lint_rule rule)
{
    const struct yaml_node *unless = yaml_find(node, "unless");
    const struct yaml_node *sla = yaml_find(node, "sla");
    const struct yaml_node *negatable = yaml_find(node, "negatable");
    rule.place = place_of(lint, node);
    rule.negatable = rule.what == EVIDENCE_URGENCY;
    if (negatable != NULL)
        rule.negatable = span_eq(yaml_text(negatable), SPAN("yes")) ||
                         span_eq(yaml_text(negatable), SPAN("true"));
    rule.conditions = yaml_find(node, "conditions") != NULL;
    rule.unless = unless != NULL || yaml_find(node, "unless_conditions") != NULL;
    if ((sla != NULL && copy(lint, yaml_text(sla), &rule.sla) != 0) || !LINT_ROOM(lint, rules))
        return -1;
    lint->rules.list[lint->rules.count++] = rule;
    struct lint_pattern pattern = {
        .rule = lint->rules.count - 1, .regex = true, .unless = true, .weight = 1};
    if (unless != NULL && add_patterns(lint, unless, pattern) != 0)
        return -1;
    if (read_conditions_of(lint, node) != 0)
        return -1;
    return read_patterns(lint, node);
}

/* --- the files --- */

static int read_category(struct lint *lint, const struct yaml_node *root)
{
    const struct yaml_node *category = yaml_find(root, "category");
    const struct yaml_node *list = yaml_find(root, "rules");
    struct span first;
    if (category == NULL || list == NULL)
        return 0;
    if (copy(lint, yaml_text(category), &first) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *path = yaml_find(yaml_at(list, i), "path");
        struct lint_rule rule = {.what = EVIDENCE_CATEGORY, .name = first, .first = first};
        if (path != NULL)
            rule.name =
                arena_printf(lint->arena, "%.*s/%.*s", SPAN_ARG(first), SPAN_ARG(yaml_text(path)));
        if (rule.name.ptr == NULL)
            return lint_no_memory(lint);
        if (add_rule(lint, yaml_at(list, i), rule) != 0)
            return -1;
    }
    return 0;
}

/* urgency.yaml, kinds.yaml, tags.yaml: `key` holds the name of a rule. */
static int read_list(struct lint *lint, const struct yaml_node *root, enum evidence_for what,
                     const char *key)
{
    const struct yaml_node *list = yaml_find(root, "rules");
    for (size_t i = 0; list != NULL && i < yaml_size(list); i++) {
        const struct yaml_node *name = yaml_find(yaml_at(list, i), key);
        struct lint_rule rule = {.what = what};
        enum urgency level = URGENCY_BLUE;
        if (name == NULL || copy(lint, yaml_text(name), &rule.name) != 0)
            return name == NULL ? 0 : -1;
        if (what == EVIDENCE_URGENCY && urgency_parse(rule.name, &level) == 0)
            rule.level = (int)level;
        if (add_rule(lint, yaml_at(list, i), rule) != 0)
            return -1;
    }
    return 0;
}

static int read_urgency(struct lint *lint, const struct yaml_node *root)
{
    const struct yaml_node *given = yaml_find(root, "default");
    enum urgency level = URGENCY_BLUE;
    if (given != NULL)
        (void)urgency_parse(yaml_text(given), &level);
    lint->urgency_default = (int)level;
    return read_list(lint, root, EVIDENCE_URGENCY, "level");
}

static int read_kinds(struct lint *lint, const struct yaml_node *root)
{
    return read_list(lint, root, EVIDENCE_KIND, "kind");
}

static int read_tags(struct lint *lint, const struct yaml_node *root)
{
    return read_list(lint, root, EVIDENCE_TAG, "tag");
}

static int read_review(struct lint *lint, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_find(root, "min_score");
    if (node != NULL)
        (void)span_to_double(yaml_text(node), &lint->min_score);
    return 0;
}

/* A word, or {regex|title|text|condition: ...}. */
static int read_item(struct lint *lint, const struct yaml_node *node, enum lint_part part)
{
    struct lint_item item = {
        .condition = lint->conditions.count - 1, .part = part, .pattern = LINT_NONE};
    struct lint_pattern pattern = {.rule = LINT_NONE, .weight = 1};
    const struct yaml_node *word = node;
    if (yaml_kind(node) == YAML_MAP && yaml_size(node) == 1) {
        struct span key = yaml_text(yaml_key_at(node, 0));
        word = yaml_at(node, 0);
        item.names_condition = span_eq(key, SPAN("condition"));
        pattern.regex = span_ends(key, SPAN("regex"));
        pattern.where = span_starts(key, SPAN("title"))  ? LINT_TITLE
                        : span_starts(key, SPAN("text")) ? LINT_TEXT
                                                         : LINT_ANYWHERE;
    }
    if (yaml_kind(word) != YAML_SCALAR)
        return 0;
    if (copy(lint, yaml_text(word), &item.name) != 0 || !LINT_ROOM(lint, items))
        return -1;
    if (!item.names_condition) {
        item.pattern = lint->patterns.count;
        if (add_pattern(lint, word, pattern) != 0)
            return -1;
    }
    lint->items.list[lint->items.count++] = item;
    return 0;
}

static int read_items(struct lint *lint, const struct yaml_node *list, enum lint_part part)
{
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *node = yaml_at(list, i);
        int done = yaml_kind(node) == YAML_LIST ? read_items(lint, node, part)
                                                : read_item(lint, node, part);
        if (done != 0)
            return -1;
    }
    return 0;
}

static int read_condition(struct lint *lint, const struct yaml_node *node)
{
    static const char *const parts[] = {
        [PART_ANY] = "any", [PART_ALL] = "all", [PART_NONE] = "none", [PART_NEAR] = "near"};
    const struct yaml_node *name = yaml_find(node, "name");
    struct lint_condition condition = {.place = place_of(lint, node)};
    if (name == NULL)
        return 0;
    if (copy(lint, yaml_text(name), &condition.name) != 0 || !LINT_ROOM(lint, conditions))
        return -1;
    lint->conditions.list[lint->conditions.count++] = condition;
    for (enum lint_part part = PART_ANY; part <= PART_NEAR; part++) {
        const struct yaml_node *list = yaml_find(node, parts[part]);
        if (list != NULL && part == PART_NEAR && yaml_kind(list) == YAML_MAP)
            list = yaml_find(list, "of");
        if (list != NULL && read_items(lint, list, part) != 0)
            return -1;
    }
    return 0;
}

static int read_conditions(struct lint *lint, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_find(root, "conditions");
    for (size_t i = 0; list != NULL && i < yaml_size(list); i++)
        if (read_condition(lint, yaml_at(list, i)) != 0)
            return -1;
    return 0;
}

static int read_negations(struct lint *lint, const struct yaml_node *root)
{
    static const char *const keys[] = {"before", "after", "except"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const struct yaml_node *list = yaml_find(root, keys[k]);
        if (list != NULL && yaml_kind(list) == YAML_MAP)
            list = yaml_find(list, "words");
        for (size_t i = 0; list != NULL && i < yaml_size(list); i++) {
            struct lint_negation negation = {.place = place_of(lint, yaml_at(list, i)),
                                             .exception = k == 2};
            if (fold_word(lint, yaml_text(yaml_at(list, i)), &negation.units, &negation.count) !=
                    0 ||
                !LINT_ROOM(lint, negations))
                return -1;
            lint->negations.list[lint->negations.count++] = negation;
        }
    }
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct lint *lint, const struct yaml_node *root);
} top_files[] = {
    {"urgency.yaml", read_urgency},
    {"kinds.yaml", read_kinds},
    {"tags.yaml", read_tags},
    {"review.yaml", read_review},
    {"conditions.yaml", read_conditions},
    {"negations.yaml", read_negations},
};

static int read_file(struct lint *lint, const struct rules_file *file,
                     int (*read)(struct lint *lint, const struct yaml_node *root))
{
    struct yaml_doc *doc = yaml_parse(file->text, file->path, lint->err);
    if (doc == NULL)
        return -1;
    lint->file = file;
    int done = read(lint, yaml_root(doc));
    yaml_free(&doc);
    return done;
}

int lint_read(struct lint *lint, const struct rules_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct rules_file *file = &files->list[i];
        int (*read)(struct lint * lint, const struct yaml_node *root) = NULL;
        if (span_starts(file->name, SPAN("categories/")))
            read = read_category;
        for (size_t k = 0; k < sizeof top_files / sizeof *top_files; k++)
            if (span_eq(file->name, span_str(top_files[k].name)))
                read = top_files[k].read;
        if (read != NULL && read_file(lint, file, read) != 0)
            return -1;
    }
    return 0;
}
