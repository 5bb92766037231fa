#include "classifiers/rules.h"

#include "classifiers/rules_build.h"
#include "classifiers/rules_files.h"
#include "classifiers/rules_private.h"
#include "classifiers/rules_read.h"
#include "engine/base/check.h"

/* A path without a department or an SLA class takes that of the level above it; a first level
 * without limits for review takes review.yaml's. A parent stands
 * before its children, so one pass is enough. */
static void inherit(struct rules *rules)
{
    for (size_t i = 0; i < rules->target_count; i++) {
        struct rules_target *target = &rules->targets[i];
        if (target->what != EVIDENCE_CATEGORY)
            continue;
        const struct rules_target *above =
            target->parent == RULES_NONE ? NULL : &rules->targets[target->parent];
        if (target->sla.len == 0)
            target->sla = above == NULL ? rules->sla_default : above->sla;
        if (target->department.len == 0 && above != NULL)
            target->department = above->department;
        if (above == NULL && target->min_score < 0)
            target->min_score = rules->min_score;
        if (above == NULL && target->min_margin < 0)
            target->min_margin = rules->min_margin;
    }
}

struct rules *rules_compile(const struct rules_files *files, unsigned parts, struct err *err)
{
    struct rules_builder *builder = rules_builder_new(parts, err);
    if (builder == NULL)
        return NULL;
    struct rules *rules = NULL;
    if (rules_read(builder, files, err) == 0)
        rules = rules_builder_freeze(builder, err);
    rules_builder_free(&builder);
    if (rules != NULL) {
        inherit(rules);
        rules_files_id(files, RULES_ALL & ~parts, rules->id);
    }
    return rules;
}

struct rules *rules_load(const char *dir, struct err *err)
{
    return rules_load_with(dir, RULES_ALL, err);
}

struct rules *rules_load_with(const char *dir, unsigned parts, struct err *err)
{
    struct err ignored;
    struct rules_files files;
    struct rules *rules = NULL;
    if (err == NULL)
        err = &ignored;
    err->code = ERR_NONE;
    if (rules_files_read(&files, dir, err) == 0)
        rules = rules_compile(&files, parts, err);
    rules_files_free(&files);
    return rules;
}

struct rules *rules_ref(struct rules *rules)
{
    unsigned before = atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    CHECK(before != 0);
    return rules;
}

void rules_unref(struct rules **rules)
{
    struct rules *r = *rules;
    *rules = NULL;
    if (r == NULL)
        return;
    /* What any thread did with the snapshot happens before the last one frees it. */
    unsigned before = atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel);
    CHECK(before != 0);
    if (before == 1)
        rules_destroy(r);
}

struct span rules_id(const struct rules *rules)
{
    return span_of(rules->id, RULES_ID_BYTES - 1);
}

struct rules_count rules_count(const struct rules *rules)
{
    size_t unfiltered = 0;
    for (size_t i = 0; i < rules->gate_count; i++)
        unfiltered += rules->gates[i].sets == 0 && !rules->gates[i].spared;
    return (struct rules_count){
        .categories = rules->category_count,
        .keywords = rules->keyword_count,
        .regexes = rules->gate_count,
        .ngrams = rules->learned == NULL ? 0 : learned_ngram_count(rules->learned),
        .regexes_unfiltered = unfiltered};
}

void rules_each_category(const struct rules *rules,
                         void (*on_category)(void *ctx, struct span path, struct span sla),
                         void *ctx)
{
    for (size_t i = 0; i < rules->target_count; i++)
        if (rules->targets[i].what == EVIDENCE_CATEGORY)
            on_category(ctx, rules->targets[i].name, rules->targets[i].sla);
}

void rules_each_rule(const struct rules *rules,
                     void (*on_rule)(void *ctx, const struct rules_rule *rule), void *ctx)
{
    for (size_t i = 0; i < rules->target_count; i++) {
        const struct rules_target *t = &rules->targets[i];
        const struct rules_counter *counter = &rules->counters[i];
        if (t->rule.len == 0)
            continue;
        struct rules_rule rule = {
            .rule = t->rule,
            .name = t->name,
            .what = t->what,
            .hits = atomic_load_explicit(&counter->hits, memory_order_relaxed),
            .nanoseconds = atomic_load_explicit(&counter->nanoseconds, memory_order_relaxed),
            .regexes_off = atomic_load_explicit(&counter->regexes_off, memory_order_relaxed)};
        on_rule(ctx, &rule);
    }
}
