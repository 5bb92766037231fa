#include "engine/model/policy.h"

#include "engine/base/arena.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"

#include <stdatomic.h>

struct policy {
    atomic_size_t references;
    struct rules *rules;
    struct directory *directory;
    struct sla *sla;
    struct calendar *calendar;
    struct process *process;
    struct targets *targets;
    int64_t loaded_at;
};

/* The classes that the charter sets limits for. That the classes which rules name exist is checked
 * where their places are known, by rules_load. */
static const char *const needed_classes[] = {"ordinary", "emergency", "disaster"};

static void policy_free(struct policy *policy)
{
    rules_unref(&policy->rules);
    directory_free(&policy->directory);
    sla_free(&policy->sla);
    calendar_free(&policy->calendar);
    process_free(&policy->process);
    targets_free(&policy->targets);
    mem_free(policy);
}

static int check_classes(const struct policy *policy, const char *dir, struct err *err)
{
    for (size_t i = 0; i < sizeof needed_classes / sizeof needed_classes[0]; i++)
        if (!sla_has_class(policy->sla, span_str(needed_classes[i])))
            return err_set(err, ERR_INVALID, "%s/sla.yaml:1:1: class '%s' is missing; add it", dir,
                           needed_classes[i]);
    return 0;
}

static int check_escalations(const struct policy *policy, struct err *err)
{
    for (size_t i = 0; i < process_escalation_count(policy->process); i++) {
        const struct process_escalation *row = process_escalation_at(policy->process, i);
        const bool known = sla_has_class(policy->sla, row->from);
        const struct span name = known ? row->to : row->from;
        if (!known || !sla_has_class(policy->sla, row->to))
            return err_set(err, ERR_INVALID,
                           "%.*s: '%.*s' is not a class of sla.yaml; correct the name or add it",
                           SPAN_ARG(known ? row->to_place : row->from_place), SPAN_ARG(name));
    }
    return 0;
}

static int load_files(struct policy *policy, const char *dir, unsigned parts, struct arena *paths,
                      struct err *err)
{
    struct span sla = arena_printf(paths, "%s/sla.yaml", dir);
    struct span calendar = arena_printf(paths, "%s/calendar.yaml", dir);
    struct span process = arena_printf(paths, "%s/process.yaml", dir);
    struct span targets = arena_printf(paths, "%s/targets.yaml", dir);
    struct span directory = arena_printf(paths, "%s/directory", dir);
    if (sla.ptr == NULL || calendar.ptr == NULL || process.ptr == NULL || targets.ptr == NULL ||
        directory.ptr == NULL)
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", dir);
    if ((policy->calendar = calendar_load(calendar.ptr, err)) == NULL ||
        (policy->sla = sla_load(sla.ptr, err)) == NULL ||
        (policy->process = process_load(process.ptr, err)) == NULL ||
        (policy->targets = targets_load(targets.ptr, err)) == NULL ||
        (policy->directory = directory_load(directory.ptr, err)) == NULL ||
        (policy->rules = rules_load_with(dir, parts, err)) == NULL)
        return -1;
    return check_classes(policy, dir, err) != 0 || check_escalations(policy, err) != 0
               ? -1
               : targets_check(policy->targets, policy->rules, policy->sla, err);
}

static int load_parts(struct policy *policy, const char *dir, unsigned parts, struct err *err)
{
    struct arena *paths = arena_new(4096);
    if (paths == NULL)
        return err_set(err, ERR_NOMEM, "%s: not enough memory to read it", dir);
    const int result = load_files(policy, dir, parts, paths, err);
    arena_free(&paths);
    return result;
}

struct policy *policy_load_with(const char *dir, unsigned parts, struct err *err)
{
    struct policy *policy = mem_zalloc(1, sizeof *policy);
    if (policy == NULL) {
        (void)err_set(err, ERR_NOMEM, "%s: not enough memory to read it", dir);
        return NULL;
    }
    if (load_parts(policy, dir, parts, err) != 0) {
        policy_free(policy);
        return NULL;
    }
    policy->loaded_at = clock_now_ms();
    atomic_init(&policy->references, 1);
    return policy;
}

struct policy *policy_load(const char *dir, struct err *err)
{
    return policy_load_with(dir, RULES_ALL, err);
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
    return policy;
}

bool policy_is_shared(const struct policy *policy)
{
    return atomic_load_explicit(&policy->references, memory_order_acquire) > 1;
}

void policy_unref(struct policy **policy)
{
    struct policy *p = *policy;
    *policy = NULL;
    /* Release what this thread did with it; the last one acquires what all the others did. */
    if (p != NULL && atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) == 1)
        policy_free(p);
}

int64_t policy_loaded_at(const struct policy *policy)
{
    return policy->loaded_at;
}

struct rules *policy_rules(const struct policy *policy)
{
    return policy->rules;
}

const struct directory *policy_directory(const struct policy *policy)
{
    return policy->directory;
}

const struct sla *policy_sla(const struct policy *policy)
{
    return policy->sla;
}

const struct calendar *policy_calendar(const struct policy *policy)
{
    return policy->calendar;
}

const struct process *policy_process(const struct policy *policy)
{
    return policy->process;
}

const struct targets *policy_targets(const struct policy *policy)
{
    return policy->targets;
}
