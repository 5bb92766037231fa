/*
 * Each reader is handed one document and gives the builder what it says. Order matters: sla.yaml
 * is read first, because every `sla:` elsewhere must name one of its classes; then the conditions,
 * which rules name.
 */
#include "classifiers/rules_read.h"

#include "classifiers/rules_reader.h"

enum { TAG_BYTES = 32 };

static int get_urgency(struct rules_reader *r, const struct yaml_node *map, const char *key,
                       enum urgency *out)
{
    struct span name;
    if (yaml_get_string(r->doc, map, key, true, &name, r->err) != 0)
        return -1;
    if (urgency_parse(name, out) != 0)
        return yaml_error(r->doc, yaml_find(map, key), r->err,
                          "“%.*s” is not a level; write red, yellow or blue", SPAN_ARG(name));
    return 0;
}

static int get_kind(struct rules_reader *r, const struct yaml_node *map, const char *key,
                    enum kind *out)
{
    struct span name;
    if (yaml_get_string(r->doc, map, key, true, &name, r->err) != 0)
        return -1;
    if (kind_parse(name, out) != 0)
        return yaml_error(r->doc, yaml_find(map, key), r->err,
                          "“%.*s” is not a kind; write complaint, help, enquiry, suggestion or "
                          "report",
                          SPAN_ARG(name));
    return 0;
}

static int read_unless_conditions(struct rules_reader *r, const struct yaml_node *rule)
{
    const struct yaml_node *list = yaml_find(rule, "unless_conditions");
    if (list == NULL)
        return 0;
    if (reader_words(r, list) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        uint32_t condition;
        if (reader_condition(r, yaml_at(list, i), &condition) != 0)
            return -1;
        if (rules_builder_unless_condition(r->builder, condition, r->err) != 0)
            return reader_at(r, yaml_at(list, i));
    }
    return 0;
}

/* `unless` and `unless_conditions` of the newest target. */
static int read_unless(struct rules_reader *r, const struct yaml_node *rule)
{
    const struct yaml_node *list = yaml_find(rule, "unless");
    if (list == NULL)
        return read_unless_conditions(r, rule);
    if (reader_words(r, list) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *regex = yaml_at(list, i);
        struct span place;
        if (reader_place(r, regex, &place) != 0)
            return -1;
        if (rules_builder_unless(r->builder, yaml_text(regex), place, r->err) != 0)
            return reader_at(r, regex);
    }
    return read_unless_conditions(r, rule);
}

static int read_urgency_rule(struct rules_reader *r, const struct yaml_node *node)
{
    static const char *const known[] = {
        "level", "sla", READER_PATTERN_KEYS, "unless", "unless_conditions", NULL};
    enum urgency level;
    struct rules_target target = {.what = EVIDENCE_URGENCY, .parent = RULES_NONE};
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        get_urgency(r, node, "level", &level) != 0 || reader_place(r, node, &target.rule) != 0 ||
        reader_sla(r, node, &target.sla) != 0)
        return -1;
    target.value = (int)level;
    target.name = span_str(urgency_name(level));
    uint32_t index = rules_builder_target(r->builder, &target, r->err);
    if (index == RULES_NONE)
        return reader_at(r, node);
    if (read_unless(r, node) != 0)
        return -1;
    return reader_patterns(r, node, index, READER_NEEDED | READER_NEGATABLE);
}

static int read_urgency(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"default", "rules", NULL};
    const struct yaml_node *list;
    if (reader_rules(r, root, known, &list) != 0 ||
        get_urgency(r, root, "default", &rules_builder_rules(r->builder)->urgency_default) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_urgency_rule(r, yaml_at(list, i)) != 0)
            return -1;
    return 0;
}

static int read_kind_rule(struct rules_reader *r, const struct yaml_node *node)
{
    static const char *const known[] = {"kind", READER_PATTERN_KEYS, NULL};
    enum kind kind;
    struct rules_target target = {.what = EVIDENCE_KIND, .parent = RULES_NONE};
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 || get_kind(r, node, "kind", &kind) != 0)
        return -1;
    target.value = (int)kind;
    target.name = span_str(kind_name(kind));
    if (reader_refuse_twin(r, yaml_find(node, "kind"), 0, EVIDENCE_KIND, target.name) != 0 ||
        reader_place(r, node, &target.rule) != 0)
        return -1;
    uint32_t index = rules_builder_target(r->builder, &target, r->err);
    if (index == RULES_NONE)
        return reader_at(r, node);
    return reader_patterns(r, node, index, READER_NEEDED | READER_WEIGHTED);
}

static int read_kinds(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"default", "rules", NULL};
    const struct yaml_node *list;
    if (reader_rules(r, root, known, &list) != 0 ||
        get_kind(r, root, "default", &rules_builder_rules(r->builder)->kind_default) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_kind_rule(r, yaml_at(list, i)) != 0)
            return -1;
    return 0;
}

static bool is_tag(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
              s.ptr[i] == '_'))
            return false;
    return s.len != 0 && s.len <= TAG_BYTES;
}

static int read_tag_rule(struct rules_reader *r, const struct yaml_node *node)
{
    static const char *const known[] = {
        "tag", "name", READER_PATTERN_KEYS, "unless", "unless_conditions", NULL};
    struct rules_target target = {.what = EVIDENCE_TAG, .parent = RULES_NONE};
    struct span tag, name;
    if (yaml_expect_map(r->doc, node, known, r->err) != 0 ||
        yaml_get_string(r->doc, node, "tag", true, &tag, r->err) != 0 ||
        yaml_get_string(r->doc, node, "name", true, &name, r->err) != 0)
        return -1;
    const struct yaml_node *place = yaml_find(node, "tag");
    if (!is_tag(tag))
        return yaml_error(r->doc, place, r->err,
                          "“%.*s” is not a tag; write at most %d of a-z, 0-9 and _", SPAN_ARG(tag),
                          TAG_BYTES);
    if (reader_refuse_twin(r, place, 0, EVIDENCE_TAG, tag) != 0 ||
        reader_copy(r, tag, &target.name) != 0 || reader_place(r, node, &target.rule) != 0)
        return -1;
    uint32_t index = rules_builder_target(r->builder, &target, r->err);
    if (index == RULES_NONE)
        return reader_at(r, node);
    if (read_unless(r, node) != 0)
        return -1;
    return reader_patterns(r, node, index, READER_NEEDED);
}

static int read_tags(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"rules", NULL};
    const struct yaml_node *list;
    if (reader_rules(r, root, known, &list) != 0)
        return -1;
    if (yaml_size(list) > VERDICT_TAGS)
        return yaml_error(r->doc, yaml_at(list, VERDICT_TAGS), r->err,
                          "there are more than %d tags; merge some", VERDICT_TAGS);
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_tag_rule(r, yaml_at(list, i)) != 0)
            return -1;
    return 0;
}
static int read_review(struct rules_reader *r, const struct yaml_node *root)
{
    static const char *const known[] = {"min_score", "min_margin", NULL};
    struct rules *rules = rules_builder_rules(r->builder);
    if (yaml_expect_map(r->doc, root, known, r->err) != 0 ||
        yaml_get_number(r->doc, root, "min_score", true, 0, 1000, &rules->min_score, r->err) != 0)
        return -1;
    return yaml_get_number(r->doc, root, "min_margin", true, 0, 1, &rules->min_margin, r->err);
}

/* Only the names of the classes matter here; the clocks are engine/model/sla's. */
static int check_sla(struct rules_reader *r)
{
    const struct yaml_node *root = yaml_root(r->doc);
    if (yaml_kind(root) != YAML_MAP || yaml_find(root, "classes") == NULL)
        return yaml_error(r->doc, root, r->err,
                          "“classes” is missing; add  classes:  and a list below it");
    const struct yaml_node *classes = yaml_find(root, "classes");
    if (yaml_expect_list(r->doc, classes, r->err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(classes); i++) {
        const struct yaml_node *row = yaml_at(classes, i);
        struct span name;
        if (yaml_kind(row) != YAML_MAP)
            return yaml_error(r->doc, row, r->err, "a class must start with  - name: ...");
        if (yaml_get_string(r->doc, row, "name", true, &name, r->err) != 0)
            return -1;
    }
    struct span fallback;
    if (yaml_get_string(r->doc, root, "default", true, &fallback, r->err) != 0)
        return -1;
    if (reader_find_sla(r, fallback) == NULL)
        return yaml_error(r->doc, yaml_find(root, "default"), r->err,
                          "“%.*s” is not one of the classes; use one of their names",
                          SPAN_ARG(fallback));
    return reader_copy(r, fallback, &rules_builder_rules(r->builder)->sla_default);
}

static int missing(const struct rules_reader *r, const char *name)
{
    return err_set(r->err, ERR_NOT_FOUND,
                   "%s is missing from the rule set; add it as rules/FORMAT.md shows", name);
}

/* The files at the top of the folder. Those without a reader are read by engine/model, or before
 * the others. */
static const struct {
    const char *name;
    rules_read_doc *read;
    bool required;
} top_files[] = {
    {"calendar.yaml", NULL, false},       {"sla.yaml", NULL, true},
    {"process.yaml", NULL, false},        {"targets.yaml", NULL, false},
    {"negations.yaml", NULL, false},      {"conditions.yaml", NULL, false},
    {"urgency.yaml", read_urgency, true}, {"kinds.yaml", read_kinds, true},
    {"tags.yaml", read_tags, true},       {"review.yaml", read_review, true},
};
enum { TOP_FILES = sizeof top_files / sizeof *top_files };

/* A file whose name is not known would silently do nothing. */
static int refuse_strangers(const struct rules_reader *r)
{
    for (size_t i = 0; i < r->files->count; i++) {
        const struct rules_file *file = &r->files->list[i];
        bool known = span_find_char(file->name, '/') >= 0;
        for (size_t k = 0; k < TOP_FILES; k++)
            known |= span_eq(file->name, span_str(top_files[k].name));
        if (!known)
            return err_set(
                r->err, ERR_INVALID,
                "%s: no such rule file is known; move it to categories/ or directory/, or "
                "correct its name (calendar, sla, process, targets, negations, conditions, "
                "urgency, kinds, tags, review)",
                file->path);
    }
    return 0;
}

/* Reads a file that need not be there. */
static int read_optional(struct rules_reader *r, const char *name, rules_read_doc *read)
{
    const struct rules_file *file = rules_files_find(r->files, name);
    return file == NULL ? 0 : reader_doc(r, file, read);
}

static int read_categories(struct rules_reader *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->files->count; i++) {
        const struct rules_file *file = &r->files->list[i];
        if (!span_starts(file->name, SPAN("categories/")))
            continue;
        if (reader_doc(r, file, rules_read_category) != 0)
            return -1;
        count++;
    }
    return count == 0 ? missing(r, "categories/*.yaml") : 0;
}

static int read_pack(struct rules_reader *r, const struct rules_file *file)
{
    struct span name;
    struct learned *learned = learned_parse(file->text, file->path, r->err);
    if (learned == NULL)
        return -1;
    if (reader_copy(r, file->name, &name) != 0) {
        learned_free(&learned);
        return -1;
    }
    int line;
    if (rules_builder_learned(r->builder, learned, name, &line, r->err) == 0)
        return 0;
    return r->err->code == ERR_NOMEM ? -1 : err_prefix(r->err, "%s:%d", file->path, line);
}

/* The categories are there already: a pack's labels must be among them. */
static int read_learned(struct rules_reader *r)
{
    const struct rules_file *pack = NULL;
    for (size_t i = 0; i < r->files->count; i++) {
        const struct rules_file *file = &r->files->list[i];
        if (!span_starts(file->name, SPAN("learned/")))
            continue;
        if (pack != NULL)
            return err_set(r->err, ERR_INVALID,
                           "%s: there is another pack of learned weights, %s; keep one", file->path,
                           pack->path);
        pack = file;
    }
    return pack == NULL ? 0 : read_pack(r, pack);
}

static int read_all(struct rules_reader *r)
{
    if (check_sla(r) != 0 || read_optional(r, "negations.yaml", rules_read_negations) != 0 ||
        read_optional(r, "conditions.yaml", rules_read_conditions) != 0 ||
        read_categories(r) != 0 || read_learned(r) != 0)
        return -1;
    for (size_t i = 0; i < TOP_FILES; i++) {
        const struct rules_file *file = rules_files_find(r->files, top_files[i].name);
        if (top_files[i].read == NULL)
            continue;
        if (file == NULL)
            return missing(r, top_files[i].name);
        if (reader_doc(r, file, top_files[i].read) != 0)
            return -1;
    }
    return 0;
}

int rules_read(struct rules_builder *builder, const struct rules_files *files, struct err *err)
{
    struct rules_reader r = {.builder = builder, .files = files, .err = err};
    if (refuse_strangers(&r) != 0)
        return -1;
    r.file = rules_files_find(files, "sla.yaml");
    if (r.file == NULL)
        return missing(&r, "sla.yaml");
    struct yaml_doc *sla = yaml_parse(r.file->text, r.file->path, err);
    if (sla == NULL)
        return -1;
    r.doc = r.sla = sla;
    int done = read_all(&r);
    yaml_free(&sla);
    return done;
}
