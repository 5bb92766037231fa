/*
 * process: the numbers, the reason codes, who is told of what, and where an order goes that nobody
 * finishes (rules/process.yaml).
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
    int64_t handover_turns;    /* the time to respond is so many turns of one post each */
    struct warning_shares warnings;
};

/* X(constant, name in the file). Who is told of a warning. */
#define TELL_TABLE(X)        \
    X(TELL_HOLDER, "holder") \
    X(TELL_LEADER, "leader") \
    X(TELL_HEAD, "head")

enum tell {
#define X(constant, name) constant,
    TELL_TABLE(X)
#undef X
        TELL_COUNT
};

/* An order of class `from` that is open at its resolve deadline becomes one of class `to`, at the
 * station head or with the street's triage. Spans borrow from the process. */
struct process_escalation {
    struct span from, to;
    bool street;
    struct span from_place, to_place; /* "file:line:column" of each, for messages */
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

/* Who is told of a warning of that level: a bit set, 1u << TELL_HOLDER and so on. */
unsigned process_tell(const struct process *process, enum warning level);
/* What becomes of a class when nobody finishes it in time; NULL: nothing. No class comes round to
 * itself. */
const struct process_escalation *process_escalation(const struct process *process,
                                                    struct span from);
size_t process_escalation_count(const struct process *process);
const struct process_escalation *process_escalation_at(const struct process *process, size_t i);

#endif
