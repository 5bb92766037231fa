/*
 * policy: everything in rules/ as one frozen snapshot: rule set, directory, clocks, calendar,
 * process and targets.
 *
 * They are loaded and swapped together, so no request sees half of a change. Cross-checks (every
 * SLA class a rule names exists, ...) happen here.
 */
#ifndef JIESU_MODEL_POLICY_H
#define JIESU_MODEL_POLICY_H

#include "classifiers/rules.h"
#include "engine/base/err.h"
#include "engine/model/calendar.h"
#include "engine/model/directory.h"
#include "engine/model/process.h"
#include "engine/model/sla.h"
#include "engine/model/targets.h"

#include <stdbool.h>
#include <stdint.h>

struct policy;

/* NULL and *err with file:line:column when anything is wrong. */
struct policy *policy_load(const char *dir, struct err *err);
/* The same with only these parts of the rules (rules_load_with). */
struct policy *policy_load_with(const char *dir, unsigned parts, struct err *err);
struct policy *policy_ref(struct policy *policy);
/* True when the caller's reference is not the only one. */
bool policy_is_shared(const struct policy *policy);
void policy_unref(struct policy **policy);

/* When it was loaded: milliseconds since 1970. */
int64_t policy_loaded_at(const struct policy *policy);
struct rules *policy_rules(const struct policy *policy);
const struct directory *policy_directory(const struct policy *policy);
const struct sla *policy_sla(const struct policy *policy);
const struct calendar *policy_calendar(const struct policy *policy);
const struct process *policy_process(const struct policy *policy);
const struct targets *policy_targets(const struct policy *policy);

#endif
