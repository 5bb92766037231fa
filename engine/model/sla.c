#include "engine/model/sla.h"

#include "classifiers/yaml.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/names.h"
#include "engine/model/id.h"

#include <string.h>

/* X(constant, suffix in the file, milliseconds or 0 for working days, most of them) */
#define UNIT_TABLE(X)                               \
    X(UNIT_MINUTES, "min", CLOCK_MINUTE_MS, 527040) \
    X(UNIT_HOURS, "h", CLOCK_HOUR_MS, 8784)         \
    X(UNIT_WORKDAYS, "wd", 0, 250)                  \
    X(UNIT_DAYS, "d", CLOCK_DAY_MS, 366)

enum unit {
#define X(constant, suffix, ms, most) constant,
    UNIT_TABLE(X)
#undef X
        UNIT_COUNT
};

static const struct {
    const char *suffix;
    int64_t ms;
    uint64_t most;
} units[UNIT_COUNT] = {
#define X(constant, unit_suffix, unit_ms, unit_most) \
    [constant] = {(unit_suffix), (unit_ms), (unit_most)},
    UNIT_TABLE(X)
#undef X
};

static const struct {
    const char *key, *member, *met;
} clocks[CLOCK_COUNT] = {
#define X(constant, clock_key, clock_member, clock_met) \
    [constant] = {(clock_key), (clock_member), (clock_met)},
    CLOCK_TABLE(X)
#undef X
};

struct duration {
    int count; /* 0: no such clock */
    enum unit unit;
};

struct class
{
    char name[ID_COMMUNITY_BYTES + 1];
    struct duration clock[CLOCK_COUNT];
};

struct sla {
    struct class *classes;
    size_t count;
    size_t fallback; /* index of the default class */
    struct buf explained;
};

const char *sla_clock_name(enum sla_clock clock)
{
    CHECK(clock < CLOCK_COUNT);
    return clocks[clock].key;
}

const char *sla_clock_member(enum sla_clock clock)
{
    CHECK(clock < CLOCK_COUNT);
    return clocks[clock].member;
}

const char *sla_clock_met_member(enum sla_clock clock)
{
    CHECK(clock < CLOCK_COUNT);
    return clocks[clock].met;
}

int sla_clock_parse(struct span name, enum sla_clock *out)
{
    const int at = NAMES_FIND_BY(clocks, key, name);
    if (at < 0)
        return -1;
    *out = (enum sla_clock)at;
    return 0;
}

static const struct class *find_class(const struct sla *sla, struct span name)
{
    for (size_t i = 0; i < sla->count; i++)
        if (span_eq(span_str(sla->classes[i].name), name))
            return &sla->classes[i];
    return NULL;
}

bool sla_has_class(const struct sla *sla, struct span class_name)
{
    return find_class(sla, class_name) != NULL;
}

struct span sla_explained(const struct sla *sla)
{
    return buf_view(&sla->explained);
}

static int64_t deadline(const struct duration *duration, const struct calendar *calendar,
                        int64_t from, bool *provisional)
{
    if (duration->count == 0)
        return 0;
    if (duration->unit == UNIT_WORKDAYS)
        return calendar_add_workdays(calendar, from, duration->count, provisional);
    return from + duration->count * units[duration->unit].ms;
}

struct sla_deadlines sla_deadlines(const struct sla *sla, const struct calendar *calendar,
                                   struct span class_name, int64_t from)
{
    const struct class *class = find_class(sla, class_name);
    if (class == NULL)
        class = &sla->classes[sla->fallback];
    struct sla_deadlines deadlines = {.provisional = false};
    for (size_t i = 0; i < CLOCK_COUNT; i++)
        deadlines.by[i] = deadline(&class->clock[i], calendar, from, &deadlines.provisional);
    return deadlines;
}

int64_t sla_next_due(const struct sla_deadlines *deadlines)
{
    int64_t next = 0;
    for (size_t i = 0; i < CLOCK_COUNT; i++)
        if (deadlines->by[i] != 0 && (next == 0 || deadlines->by[i] < next))
            next = deadlines->by[i];
    return next;
}

/* Reads "15min": a count and a unit with nothing between. 0, or -1 when it is none. */
static int parse_duration(struct span text, struct duration *out)
{
    for (unsigned i = 0; i < UNIT_COUNT; i++) {
        struct span suffix = span_str(units[i].suffix);
        uint64_t count;
        if (!span_ends(text, suffix) ||
            span_to_u64(span_sub(text, 0, text.len - suffix.len), units[i].most, &count) != 0 ||
            count == 0)
            continue;
        *out = (struct duration){.count = (int)count, .unit = (enum unit)i};
        return 0;
    }
    return -1;
}

static int read_clocks(const struct yaml_doc *doc, const struct yaml_node *map, struct class *class,
                       struct err *err)
{
    for (size_t i = 0; i < CLOCK_COUNT; i++) {
        struct span text;
        if (yaml_get_string(doc, map, clocks[i].key, false, &text, err) != 0)
            return -1;
        if (text.len == 0)
            continue;
        if (parse_duration(text, &class->clock[i]) != 0)
            return yaml_error(doc, yaml_find(map, clocks[i].key), err,
                              "'%.*s' is no duration; write a whole number and its unit, as 15min "
                              "(up to 527040), 24h (8784), 2d (366) or 5wd (working days, 250)",
                              SPAN_ARG(text));
    }
    if (class->clock[CLOCK_RESOLVE].count == 0)
        return yaml_error(doc, map, err,
                          "class '%s' has no resolve; every order needs a last deadline",
                          class->name);
    return 0;
}

static int read_class(struct sla *sla, const struct yaml_doc *doc, const struct yaml_node *map,
                      struct err *err)
{
    static const char *const known[] = {"name",     "title",   "respond",        "arrive", "report",
                                        "feedback", "resolve", "overdue_reason", NULL};
    struct class *class = &sla->classes[sla->count];
    struct span name, title;
    bool explained = false;
    if (yaml_expect_map(doc, map, known, err) != 0 ||
        yaml_get_string(doc, map, "name", true, &name, err) != 0 ||
        yaml_get_string(doc, map, "title", false, &title, err) != 0 ||
        yaml_get_bool(doc, map, "overdue_reason", false, &explained, err) != 0)
        return -1;
    if (!id_name_valid(name))
        return yaml_error(doc, yaml_find(map, "name"), err,
                          "'%.*s' is no class name; use 1 to %d of a-z 0-9 _ -", SPAN_ARG(name),
                          ID_COMMUNITY_BYTES);
    if (sla_has_class(sla, name))
        return yaml_error(doc, yaml_find(map, "name"), err,
                          "class '%.*s' is defined twice; rename or remove one", SPAN_ARG(name));
    memcpy(class->name, name.ptr, name.len);
    if (read_clocks(doc, map, class, err) != 0)
        return -1;
    if (explained)
        buf_printf(&sla->explained, "%s%s", sla->explained.len > 0 ? "," : "", class->name);
    if (!buf_ok(&sla->explained))
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc));
    sla->count++;
    return 0;
}

static int read_sla(struct sla *sla, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"default", "classes", NULL};
    const struct yaml_node *root = yaml_root(doc);
    struct span fallback;
    if (yaml_expect_map(doc, root, known, err) != 0 ||
        yaml_get_string(doc, root, "default", true, &fallback, err) != 0)
        return -1;
    const struct yaml_node *list = yaml_find(root, "classes");
    if (list == NULL || yaml_kind(list) != YAML_LIST || yaml_size(list) == 0)
        return yaml_error(doc, list == NULL ? root : list, err,
                          "'classes' must be a list with at least one class");
    sla->classes = mem_zalloc(yaml_size(list), sizeof *sla->classes);
    if (sla->classes == NULL)
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc));
    for (size_t i = 0; i < yaml_size(list); i++)
        if (read_class(sla, doc, yaml_at(list, i), err) != 0)
            return -1;
    const struct class *class = find_class(sla, fallback);
    if (class == NULL)
        return yaml_error(doc, yaml_find(root, "default"), err,
                          "the default class '%.*s' is not defined; add it to classes",
                          SPAN_ARG(fallback));
    sla->fallback = (size_t)(class - sla->classes);
    return 0;
}

struct sla *sla_load(const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    if (doc == NULL)
        return NULL;
    struct sla *sla = mem_zalloc(1, sizeof *sla);
    if (sla == NULL)
        err_set(err, ERR_NOMEM, "%s: not enough memory to read it", path);
    else if (read_sla(sla, doc, err) != 0)
        sla_free(&sla);
    yaml_free(&doc);
    return sla;
}

void sla_free(struct sla **sla)
{
    if (*sla == NULL)
        return;
    mem_free((*sla)->classes);
    buf_free(&(*sla)->explained);
    mem_free(*sla);
    *sla = NULL;
}
