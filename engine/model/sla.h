/*
 * sla: how long each step of an order may take, by class (rules/sla.yaml).
 *
 * A class has up to five clocks. A duration is minutes, hours or days of the clock on the wall, or
 * working days of the calendar. Every class has a resolve clock, so that an open order always has
 * a next deadline.
 */
#ifndef JIESU_MODEL_SLA_H
#define JIESU_MODEL_SLA_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/calendar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, key in sla.yaml, deadline and the time it was met, as members of answers and as fields
 * of an order's hash) */
#define CLOCK_TABLE(X)                                          \
    X(CLOCK_RESPOND, "respond", "respond_by", "responded_at")   \
    X(CLOCK_ARRIVE, "arrive", "arrive_by", "arrived_at")        \
    X(CLOCK_REPORT, "report", "report_by", "reported_at")       \
    X(CLOCK_FEEDBACK, "feedback", "feedback_by", "feedback_at") \
    X(CLOCK_RESOLVE, "resolve", "resolve_by", "resolved_at")

enum sla_clock {
#define X(constant, key, by, met) constant,
    CLOCK_TABLE(X)
#undef X
        CLOCK_COUNT
};

/* The clock's name ("respond"), its deadline's ("respond_by") and that of when it was met. */
const char *sla_clock_name(enum sla_clock clock);
const char *sla_clock_member(enum sla_clock clock);
const char *sla_clock_met_member(enum sla_clock clock);
int sla_clock_parse(struct span name, enum sla_clock *out);

struct sla;

struct sla_deadlines {
    int64_t by[CLOCK_COUNT]; /* instants; 0: the class has no such clock */
    bool provisional;        /* counted with an unpublished year */
};

struct sla *sla_load(const char *path, struct err *err);
void sla_free(struct sla **sla);
/* True when the class exists. */
bool sla_has_class(const struct sla *sla, struct span class_name);
/* The deadlines of an order of that class (the default class when it is unknown) received at
 * `from`. */
struct sla_deadlines sla_deadlines(const struct sla *sla, const struct calendar *calendar,
                                   struct span class_name, int64_t from);
/* The classes of which an order that is resolved late must say why (`overdue_reason: true`),
 * "a,b"; it borrows from sla. */
struct span sla_explained(const struct sla *sla);
/* The earliest deadline, or 0. */
int64_t sla_next_due(const struct sla_deadlines *deadlines);

#endif
