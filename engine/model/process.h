/*
 * process: the numbers and the reason codes of an order's life (rules/process.yaml).
 */
#ifndef JIESU_MODEL_PROCESS_H
#define JIESU_MODEL_PROCESS_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/clocks.h"
#include "engine/model/order.h"

#include <stdbool.h>
#include <stdint.h>

struct process;

struct process_numbers {
    int64_t returns_most;      /* bounces; the next one asks for a decision */
    int64_t reopen_ms;         /* how long after it was done an order may be reopened */
    int64_t reopen_resolve_ms; /* and how long the second attempt may take */
    int64_t extension_ms;      /* how far away an extended deadline may lie */
    int64_t capacity;          /* open orders from which on A's new ones go to B */
    struct warning_shares warnings;
};

/* NULL and *err with file:line:column. */
struct process *process_load(const char *path, struct err *err);
void process_free(struct process **process);
const struct process_numbers *process_numbers(const struct process *process);
/* True when the step must say why: the file has reasons for it. */
bool process_asks_why(const struct process *process, enum order_step step);
bool process_has_reason(const struct process *process, enum order_step step, struct span code);
/* The codes of the step, "a, b, c", for messages; empty when it needs none. */
struct span process_reasons(const struct process *process, enum order_step step);

#endif
