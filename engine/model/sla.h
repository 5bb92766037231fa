/*
 * sla: how long each step of an order may take, by class (rules/sla.yaml).
 *
 * A class has up to four clocks. A duration is minutes, hours or days of the clock on the wall, or
 * working days of the calendar.
 */
#ifndef JIESU_MODEL_SLA_H
#define JIESU_MODEL_SLA_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/calendar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, key in sla.yaml, member of the answer) */
#define CLOCK_TABLE(X)                        \
    X(CLOCK_RESPOND, "respond", "respond_by") \
    X(CLOCK_ARRIVE, "arrive", "arrive_by")    \
    X(CLOCK_REPORT, "report", "report_by")    \
    X(CLOCK_RESOLVE, "resolve", "resolve_by")

enum sla_clock {
#define X(constant, key, member) constant,
    CLOCK_TABLE(X)
#undef X
        CLOCK_COUNT
};

const char *sla_clock_member(enum sla_clock clock);

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
/* The earliest deadline, or 0. */
int64_t sla_next_due(const struct sla_deadlines *deadlines);

#endif
