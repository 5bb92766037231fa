#include "engine/model/process.h"

#include "classifiers/yaml.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/names.h"
#include "engine/model/id.h"

#include <stddef.h>
#include <string.h>

enum {
    RETURNS_MAX = 100,
    DAYS_MAX = 366,
    HOURS_MAX = 8784,
    OPEN_MAX = 100000,
    TURNS_MAX = 20,
    ESCALATIONS_MAX = 100,
    ARENA_BYTES = 4096
};

struct process {
    struct arena *arena;
    struct process_numbers numbers;
    struct span reasons[ORDER_STEP_COUNT]; /* "a, b, c" */
    unsigned tell[WARNING_COUNT];
    struct process_escalation *escalations;
    size_t escalation_count;
};

static const char *const tell_names[TELL_COUNT] = {
#define X(constant, name) [constant] = (name),
    TELL_TABLE(X)
#undef X
};

const struct process_numbers *process_numbers(const struct process *process)
{
    return &process->numbers;
}

bool process_asks_why(const struct process *process, enum order_step step)
{
    CHECK(step < ORDER_STEP_COUNT);
    return process->reasons[step].len > 0;
}

struct span process_reasons(const struct process *process, enum order_step step)
{
    CHECK(step < ORDER_STEP_COUNT);
    return process->reasons[step];
}

bool process_has_reason(const struct process *process, enum order_step step, struct span code)
{
    struct span rest = process_reasons(process, step);
    while (rest.len > 0) {
        if (span_eq(span_trim(span_cut(&rest, ',')), code))
            return true;
    }
    return false;
}

unsigned process_tell(const struct process *process, enum warning level)
{
    CHECK(level < WARNING_COUNT);
    return process->tell[level];
}

const struct process_escalation *process_escalation(const struct process *process, struct span from)
{
    for (size_t i = 0; i < process->escalation_count; i++) {
        if (span_eq(process->escalations[i].from, from))
            return &process->escalations[i];
    }
    return NULL;
}

size_t process_escalation_count(const struct process *process)
{
    return process->escalation_count;
}

const struct process_escalation *process_escalation_at(const struct process *process, size_t i)
{
    CHECK(i < process->escalation_count);
    return &process->escalations[i];
}

/* The numbers: where each stands, its bounds and its unit. */
static const struct {
    const char *section, *key;
    int64_t most, unit;
    size_t at; /* in struct process_numbers */
} numbers[] = {
    {"returns", "most", RETURNS_MAX, 1, offsetof(struct process_numbers, returns_most)},
    {"reopen", "days", DAYS_MAX, CLOCK_DAY_MS, offsetof(struct process_numbers, reopen_ms)},
    {"reopen", "resolve_hours", HOURS_MAX, CLOCK_HOUR_MS,
     offsetof(struct process_numbers, reopen_resolve_ms)},
    {"extension", "days", DAYS_MAX, CLOCK_DAY_MS, offsetof(struct process_numbers, extension_ms)},
    {"capacity", "open", OPEN_MAX, 1, offsetof(struct process_numbers, capacity)},
    {"handover", "turns", TURNS_MAX, 1, offsetof(struct process_numbers, handover_turns)},
};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

static int read_number(struct process *process, const struct yaml_doc *doc, size_t n,
                       struct err *err)
{
    const char *known[NUMBERS + 1] = {NULL};
    const struct yaml_node *root = yaml_root(doc), *map = yaml_find(root, numbers[n].section);
    int64_t *out = (int64_t *)(void *)((char *)&process->numbers + numbers[n].at);
    for (size_t i = 0, k = 0; i < NUMBERS; i++) {
        if (strcmp(numbers[i].section, numbers[n].section) == 0)
            known[k++] = numbers[i].key;
    }
    if (map == NULL)
        return yaml_error(doc, root, err, "'%s' is missing; add it as FORMAT.md shows",
                          numbers[n].section);
    if (yaml_expect_map(doc, map, known, err) != 0 ||
        yaml_get_int(doc, map, numbers[n].key, true, 1, numbers[n].most, out, err) != 0)
        return -1;
    *out *= numbers[n].unit;
    return 0;
}

static int read_warnings(struct process *process, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"blue", "yellow", "red", NULL};
    const struct yaml_node *map = yaml_find(yaml_root(doc), "warnings");
    double before = 0;
    if (map == NULL)
        return yaml_error(doc, yaml_root(doc), err, "'warnings' is missing; add it");
    if (yaml_expect_map(doc, map, known, err) != 0)
        return -1;
    for (enum warning w = WARNING_BLUE; w < WARNING_COUNT; w++) {
        double *share = &process->numbers.warnings.from[w];
        if (yaml_get_number(doc, map, warning_name(w), true, 0.01, 10, share, err) != 0)
            return -1;
        if (*share < before)
            return yaml_error(doc, yaml_find(map, warning_name(w)), err,
                              "the levels must rise: blue, yellow, red");
        before = *share;
    }
    return 0;
}

static int read_tell_list(struct process *process, const struct yaml_doc *doc,
                          const struct yaml_node *list, enum warning level, struct err *err)
{
    if (yaml_expect_list(doc, list, err) != 0)
        return -1;
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct span name = yaml_text(yaml_at(list, i));
        const int t = NAMES_FIND(tell_names, name);
        if (t < 0)
            return yaml_error(doc, yaml_at(list, i), err,
                              "'%.*s' is nobody who could be told; write holder, leader or head",
                              SPAN_ARG(name));
        if ((process->tell[level] & 1u << t) != 0)
            return yaml_error(doc, yaml_at(list, i), err, "'%.*s' is given twice; remove one",
                              SPAN_ARG(name));
        process->tell[level] |= 1u << t;
    }
    return 0;
}

/* A breach that its station does not hear of would be nobody's. */
static int read_tell(struct process *process, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"blue", "yellow", "red", NULL};
    const struct yaml_node *map = yaml_find(yaml_root(doc), "tell");
    if (map == NULL)
        return yaml_error(doc, yaml_root(doc), err, "'tell' is missing; add it");
    if (yaml_expect_map(doc, map, known, err) != 0)
        return -1;
    for (enum warning w = WARNING_BLUE; w < WARNING_COUNT; w++) {
        const struct yaml_node *list = yaml_find(map, warning_name(w));
        if (list == NULL)
            return yaml_error(doc, map, err, "'%s' is missing; add who is told then, or []",
                              warning_name(w));
        if (read_tell_list(process, doc, list, w, err) != 0)
            return -1;
    }
    if ((process->tell[WARNING_RED] & 1u << TELL_HEAD) == 0)
        return yaml_error(doc, yaml_find(map, "red"), err,
                          "the station head must be told of red; add head");
    return 0;
}

/* A class with the place where it is named. */
static int read_class(struct process *process, const struct yaml_doc *doc,
                      const struct yaml_node *map, const char *key, struct span *name,
                      struct span *place, struct err *err)
{
    struct span text;
    if (yaml_get_string(doc, map, key, true, &text, err) != 0)
        return -1;
    const struct yaml_node *node = yaml_find(map, key);
    if (!id_name_valid(text))
        return yaml_error(doc, node, err, "'%.*s' is no class name; use 1 to %d of a-z 0-9 _ -",
                          SPAN_ARG(text), ID_COMMUNITY_BYTES);
    *name = arena_copy(process->arena, text);
    *place = arena_printf(process->arena, "%s:%d:%d", yaml_file(doc), yaml_line(node),
                          yaml_column(node));
    return name->ptr == NULL || place->ptr == NULL
               ? err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc))
               : 0;
}

/* True when the steps from `to` on lead back to `from`. There is one step from each class. */
static bool comes_round(const struct process *process, const struct process_escalation *row)
{
    struct span class = row->to;
    for (size_t i = 0; i <= process->escalation_count; i++) {
        if (span_eq(class, row->from))
            return true;
        const struct process_escalation *next = process_escalation(process, class);
        if (next == NULL)
            return false;
        class = next->to;
    }
    return true;
}

static int read_escalation(struct process *process, const struct yaml_doc *doc,
                           const struct yaml_node *map, struct err *err)
{
    static const char *const known[] = {"from", "to", "at", NULL};
    struct process_escalation *row = &process->escalations[process->escalation_count];
    struct span at;
    if (yaml_expect_map(doc, map, known, err) != 0 ||
        read_class(process, doc, map, "from", &row->from, &row->from_place, err) != 0 ||
        read_class(process, doc, map, "to", &row->to, &row->to_place, err) != 0 ||
        yaml_get_string(doc, map, "at", true, &at, err) != 0)
        return -1;
    row->street = span_eq(at, SPAN("street"));
    if (!row->street && !span_eq(at, SPAN("station")))
        return yaml_error(doc, yaml_find(map, "at"), err,
                          "'%.*s' is no place to go to; write station or street", SPAN_ARG(at));
    if (process_escalation(process, row->from) != NULL)
        return yaml_error(doc, yaml_find(map, "from"), err,
                          "class '%.*s' is escalated twice; remove one", SPAN_ARG(row->from));
    if (comes_round(process, row))
        return yaml_error(doc, yaml_find(map, "to"), err,
                          "'%.*s' comes round to '%.*s' again; end the circle", SPAN_ARG(row->to),
                          SPAN_ARG(row->from));
    process->escalation_count++;
    return 0;
}

static int read_escalations(struct process *process, const struct yaml_doc *doc, struct err *err)
{
    const struct yaml_node *list = yaml_find(yaml_root(doc), "escalation");
    if (list == NULL)
        return yaml_error(doc, yaml_root(doc), err,
                          "'escalation' is missing; add its list, or [] for none");
    if (yaml_expect_list(doc, list, err) != 0)
        return -1;
    if (yaml_size(list) > ESCALATIONS_MAX)
        return yaml_error(doc, list, err, "more than %d rows; join some", ESCALATIONS_MAX);
    process->escalations =
        arena_zalloc(process->arena, yaml_size(list) + 1, sizeof *process->escalations);
    if (process->escalations == NULL)
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc));
    for (size_t i = 0; i < yaml_size(list); i++) {
        if (read_escalation(process, doc, yaml_at(list, i), err) != 0)
            return -1;
    }
    return 0;
}

static int read_reason(struct process *process, const struct yaml_doc *doc,
                       const struct yaml_node *map, enum order_step step, struct err *err)
{
    static const char *const known[] = {"code", "title", NULL};
    struct span code, title, *list = &process->reasons[step];
    if (yaml_expect_map(doc, map, known, err) != 0 ||
        yaml_get_string(doc, map, "code", true, &code, err) != 0 ||
        yaml_get_string(doc, map, "title", true, &title, err) != 0)
        return -1;
    if (!id_name_valid(code))
        return yaml_error(doc, yaml_find(map, "code"), err,
                          "'%.*s' is no code; use 1 to %d of a-z 0-9 _ -", SPAN_ARG(code),
                          ID_COMMUNITY_BYTES);
    if (process_has_reason(process, step, code))
        return yaml_error(doc, yaml_find(map, "code"), err, "'%.*s' is given twice; remove one",
                          SPAN_ARG(code));
    *list = arena_printf(process->arena, "%.*s%s%.*s", SPAN_ARG(*list), list->len > 0 ? ", " : "",
                         SPAN_ARG(code));
    return list->ptr == NULL
               ? err_set(err, ERR_NOMEM, "%s: not enough memory to read it", yaml_file(doc))
               : 0;
}

static int read_reasons(struct process *process, const struct yaml_doc *doc, struct err *err)
{
    const struct yaml_node *map = yaml_find(yaml_root(doc), "reasons");
    if (map == NULL || yaml_kind(map) != YAML_MAP)
        return yaml_error(doc, map == NULL ? yaml_root(doc) : map, err,
                          "'reasons' must be a map from a step to its list of reasons");
    for (size_t i = 0; i < yaml_size(map); i++) {
        const struct yaml_node *key = yaml_key_at(map, i), *list = yaml_at(map, i);
        enum order_step step;
        if (order_step_parse(yaml_text(key), &step) < 0)
            return yaml_error(doc, key, err, "'%.*s' is no step of an order; correct its name",
                              SPAN_ARG(yaml_text(key)));
        if (yaml_expect_list(doc, list, err) != 0)
            return -1;
        for (size_t r = 0; r < yaml_size(list); r++) {
            if (read_reason(process, doc, yaml_at(list, r), step, err) != 0)
                return -1;
        }
    }
    if (!process_asks_why(process, STEP_RETURN))
        return yaml_error(doc, map, err, "a return must say why; add reasons for 'return'");
    return 0;
}

static int read_process(struct process *process, const struct yaml_doc *doc, struct err *err)
{
    static const char *const known[] = {"returns",  "reopen", "extension",  "capacity", "handover",
                                        "warnings", "tell",   "escalation", "reasons",  NULL};
    if (yaml_expect_map(doc, yaml_root(doc), known, err) != 0)
        return -1;
    for (size_t n = 0; n < NUMBERS; n++) {
        if (read_number(process, doc, n, err) != 0)
            return -1;
    }
    if (read_warnings(process, doc, err) != 0 || read_tell(process, doc, err) != 0 ||
        read_escalations(process, doc, err) != 0)
        return -1;
    return read_reasons(process, doc, err);
}

struct process *process_load(const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    if (doc == NULL)
        return NULL;
    struct process *process = mem_zalloc(1, sizeof *process);
    if (process != NULL)
        process->arena = arena_new(ARENA_BYTES);
    if (process == NULL || process->arena == NULL) {
        err_set(err, ERR_NOMEM, "%s: not enough memory to read it", path);
        process_free(&process);
    } else if (read_process(process, doc, err) != 0) {
        process_free(&process);
    }
    yaml_free(&doc);
    return process;
}

void process_free(struct process **process)
{
    if (*process == NULL)
        return;
    arena_free(&(*process)->arena);
    mem_free(*process);
    *process = NULL;
}
