/*
 * targets: what the figures are measured against (rules/targets.yaml).
 */
#ifndef JIESU_MODEL_TARGETS_H
#define JIESU_MODEL_TARGETS_H

#include "classifiers/rules.h"
#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/sla.h"

#include <stdbool.h>
#include <stdint.h>

/* X(constant, name in answers): each is a share that must be reached. */
#define TARGET_TABLE(X)                              \
    X(TARGET_ORDERS, "orders_in_time")               \
    X(TARGET_SAFETY, "safety_in_time")               \
    X(TARGET_DISPUTES, "disputes_settled")           \
    X(TARGET_SPECIAL, "satisfaction_special_groups") \
    X(TARGET_ALL, "satisfaction")

enum target {
#define X(constant, name) constant,
    TARGET_TABLE(X)
#undef X
        TARGET_COUNT
};
const char *target_name(enum target target);

struct targets;

/* NULL and *err with file:line:column. The categories and classes are not looked up here. */
struct targets *targets_load(const char *path, struct err *err);
void targets_free(struct targets **targets);
/* 0, or -1 and *err at the first category or class that the rules or the clocks do not have. */
int targets_check(const struct targets *targets, const struct rules *rules, const struct sla *sla,
                  struct err *err);

/* The share that must be reached, 0 to 1. */
double targets_share(const struct targets *targets, enum target target);
/* The mean first response must not be longer. */
int64_t targets_response_ms(const struct targets *targets);
/* A rating of so many stars and more is a satisfied one. */
int64_t targets_satisfied_from(const struct targets *targets);
/* Whether an order of this category and class is a safety hazard, a dispute. */
bool targets_is_safety(const struct targets *targets, struct span category, struct span class_name);
bool targets_is_dispute(const struct targets *targets, struct span category,
                        struct span class_name);

#endif
