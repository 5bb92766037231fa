#include "engine/model/targets.h"

#include "classifiers/yaml.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"

enum { ARENA_BYTES = 4096, MINUTES_MAX = 1440, STARS = 5 };

/* A category or a class that is named, and where. */
struct name {
    struct span text, place;
    struct name *next;
};

/* Orders of certain categories or classes. */
struct group {
    struct name *categories, *classes;
};

struct targets {
    struct arena *arena;
    double shares[TARGET_COUNT];
    int64_t response_ms, satisfied_from;
    struct group safety, disputes;
};

static const char *const names[TARGET_COUNT] = {
#define X(constant, name) [constant] = (name),
    TARGET_TABLE(X)
#undef X
};

const char *target_name(enum target target)
{
    CHECK(target < TARGET_COUNT);
    return names[target];
}

double targets_share(const struct targets *targets, enum target target)
{
    CHECK(target < TARGET_COUNT);
    return targets->shares[target];
}

int64_t targets_response_ms(const struct targets *targets)
{
    return targets->response_ms;
}

int64_t targets_satisfied_from(const struct targets *targets)
{
    return targets->satisfied_from;
}

/* ---- what belongs to a group ---- */

/* The path is the category or lies below it. */
static bool within(struct span path, struct span category)
{
    return span_starts(path, category) &&
           (path.len == category.len || path.ptr[category.len] == '/');
}

static bool belongs(const struct group *group, struct span category, struct span class_name)
{
    for (const struct name *n = group->categories; n != NULL; n = n->next) {
        if (within(category, n->text))
            return true;
    }
    for (const struct name *n = group->classes; n != NULL; n = n->next) {
        if (span_eq(class_name, n->text))
            return true;
    }
    return false;
}

bool targets_is_safety(const struct targets *targets, struct span category, struct span class_name)
{
    return belongs(&targets->safety, category, class_name);
}

bool targets_is_dispute(const struct targets *targets, struct span category, struct span class_name)
{
    return belongs(&targets->disputes, category, class_name);
}

struct search {
    struct span category;
    bool found;
};

static void on_category(void *ctx, struct span path, struct span sla)
{
    struct search *search = ctx;
    (void)sla;
    search->found |= within(path, search->category);
}

static int check_group(const struct group *group, const struct rules *rules, const struct sla *sla,
                       struct err *err)
{
    for (const struct name *n = group->categories; n != NULL; n = n->next) {
        struct search search = {.category = n->text};
        rules_each_category(rules, on_category, &search);
        if (!search.found)
            return err_set(err, ERR_INVALID, "%.*s: there is no category '%.*s'; correct its path",
                           SPAN_ARG(n->place), SPAN_ARG(n->text));
    }
    for (const struct name *n = group->classes; n != NULL; n = n->next) {
        if (!sla_has_class(sla, n->text))
            return err_set(err, ERR_INVALID, "%.*s: sla.yaml has no class '%.*s'; correct its name",
                           SPAN_ARG(n->place), SPAN_ARG(n->text));
    }
    return 0;
}

int targets_check(const struct targets *targets, const struct rules *rules, const struct sla *sla,
                  struct err *err)
{
    return check_group(&targets->safety, rules, sla, err) != 0 ||
                   check_group(&targets->disputes, rules, sla, err) != 0
               ? -1
               : 0;
}

/* ---- reading ---- */

static int get_share(const struct yaml_doc *doc, const struct yaml_node *map, const char *key,
                     double *out, struct err *err)
{
    if (yaml_get_number(doc, map, key, true, 0, 100, out, err) != 0)
        return -1;
    *out /= 100;
    return 0;
}

/* A list of names; absent: empty. */
static int get_names(struct targets *targets, const struct yaml_doc *doc,
                     const struct yaml_node *map, const char *key, struct name **out,
                     struct err *err)
{
    const struct yaml_node *list = yaml_find(map, key);
    if (list == NULL)
        return 0;
    if (yaml_expect_list(doc, list, err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *node = yaml_at(list, i);
        struct name *name = arena_zalloc(targets->arena, 1, sizeof(*name));
        if (yaml_kind(node) != YAML_SCALAR || yaml_text(node).len == 0)
            return yaml_error(doc, node, err, "must be a name; write it without brackets");
        if (name != NULL) {
            name->text = arena_copy(targets->arena, yaml_text(node));
            name->place = arena_printf(targets->arena, "%s:%d:%d", yaml_file(doc), yaml_line(node),
                                       yaml_column(node));
        }
        if (name == NULL || name->text.ptr == NULL || name->place.ptr == NULL)
            return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc));
        name->next = *out;
        *out = name;
    }
    return 0;
}

/* A section that must be there. */
static const struct yaml_node *section(const struct yaml_doc *doc, const char *key,
                                       const char *const *known, struct err *err)
{
    const struct yaml_node *root = yaml_root(doc), *map = yaml_find(root, key);
    if (map == NULL) {
        (void)yaml_error(doc, root, err, "'%s' is missing; add it as FORMAT.md shows", key);
        return NULL;
    }
    return yaml_expect_map(doc, map, known, err) != 0 ? NULL : map;
}

static int read_group(struct targets *targets, const struct yaml_doc *doc, const char *key,
                      const char *share, double *out, struct group *group, struct err *err)
{
    const char *const known[] = {share, "categories", "classes", NULL};
    const struct yaml_node *map = section(doc, key, known, err);
    if (map == NULL || get_share(doc, map, share, out, err) != 0 ||
        get_names(targets, doc, map, "categories", &group->categories, err) != 0 ||
        get_names(targets, doc, map, "classes", &group->classes, err) != 0)
        return -1;
    if (group->categories == NULL && group->classes == NULL)
        return yaml_error(doc, map, err, "name at least one category or class");
    return 0;
}

static int read_satisfaction(struct targets *targets, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"from_stars", "special_groups", "all", NULL};
    const struct yaml_node *map = section(doc, "satisfaction", known, err);
    if (map == NULL ||
        yaml_get_int(doc, map, "from_stars", true, 1, STARS, &targets->satisfied_from, err) != 0 ||
        get_share(doc, map, "special_groups", &targets->shares[TARGET_SPECIAL], err) != 0)
        return -1;
    return get_share(doc, map, "all", &targets->shares[TARGET_ALL], err);
}

static int read_targets(struct targets *targets, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {
        "first_response_minutes", "orders_in_time", "safety", "disputes", "satisfaction", NULL};
    const struct yaml_node *root = yaml_root(doc);
    double *shares = targets->shares;
    if (yaml_expect_map(doc, root, known, err) != 0 ||
        yaml_get_int(doc, root, "first_response_minutes", true, 1, MINUTES_MAX,
                     &targets->response_ms, err) != 0 ||
        get_share(doc, root, "orders_in_time", &shares[TARGET_ORDERS], err) != 0 ||
        read_group(targets, doc, "safety", "in_time", &shares[TARGET_SAFETY], &targets->safety,
                   err) != 0 ||
        read_group(targets, doc, "disputes", "settled", &shares[TARGET_DISPUTES],
                   &targets->disputes, err) != 0)
        return -1;
    targets->response_ms *= CLOCK_MINUTE_MS;
    return read_satisfaction(targets, doc, err);
}

struct targets *targets_load(const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    if (doc == NULL)
        return NULL;
    struct targets *targets = mem_zalloc(1, sizeof *targets);
    if (targets != NULL)
        targets->arena = arena_new(ARENA_BYTES);
    if (targets == NULL || targets->arena == NULL) {
        err_set(err, ERR_NOMEM, "%s: not enough memory to read it", path);
        targets_free(&targets);
    } else if (read_targets(targets, doc, err) != 0) {
        targets_free(&targets);
    }
    yaml_free(&doc);
    return targets;
}

void targets_free(struct targets **targets)
{
    if (*targets == NULL)
        return;
    arena_free(&(*targets)->arena);
    mem_free(*targets);
    *targets = NULL;
}
