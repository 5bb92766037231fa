/*
 * demo_agenda: what will happen in the demo, the earliest first.
 */
#ifndef JIESU_CLI_DEMO_AGENDA_H
#define JIESU_CLI_DEMO_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum demo_act_kind {
    ACT_LOOK, /* a worker looks at an order in the queue */
    ACT_ACCEPT,
    ACT_RETURN,
    ACT_ARRIVE,
    ACT_REPORT,
    ACT_RESOLVE,
    ACT_REVIEW, /* a station head's */
    ACT_DECIDE,
    ACT_RATE, /* the resident's */
    ACT_REOPEN
};

struct demo_act {
    int64_t at;      /* by the demo's clock */
    uint64_t serial; /* given by the agenda: what was planned first comes first */
    enum demo_act_kind kind;
    uint32_t order, worker;
    int stars;
};

struct demo_agenda;

/* NULL when memory is short. */
struct demo_agenda *demo_agenda_new(void);
void demo_agenda_free(struct demo_agenda **agenda);
/* 0, or -1 when memory is short. */
int demo_agenda_add(struct demo_agenda *agenda, const struct demo_act *act);
/* Takes the first act that is due by now: true and *act. */
bool demo_agenda_take(struct demo_agenda *agenda, int64_t now, struct demo_act *act);
size_t demo_agenda_count(const struct demo_agenda *agenda);

#endif
