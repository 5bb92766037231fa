/*
 * life: what has become of an order, step by step. Pure: the instant is in the step.
 *
 * The same struct is what a request asks for, what the Redis function is told (record.h) and what
 * an entry of the history says, so a history can be replayed: life_begin, then life_apply for each
 * entry. life_take is the whole rule book in C, and the oracle of the Redis function, which keeps
 * the same rules on the order's hash without knowing them.
 *
 * A clock's deadline only moves by a step that says so: a grant, a reopening, an escalation, a
 * review that changed the class, or the year's calendar. Whenever it does, that clock's own warning
 * begins anew, for a deadline that moved may be missed again; the order's warning never falls.
 */
#ifndef JIESU_MODEL_LIFE_H
#define JIESU_MODEL_LIFE_H

#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "engine/model/clocks.h"
#include "engine/model/order.h"
#include "engine/model/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, name in the conflict, in words) */
#define LIFE_TABLE(X)                                                                             \
    X(LIFE_TAKEN, "taken", "the step was taken")                                                  \
    X(LIFE_STATE, "state", "the order's state does not allow this step")                          \
    X(LIFE_HOLDER, "holder", "only the worker who holds the order may take this step")            \
    X(LIFE_VERSION, "version", "the order has changed since the version that was given")          \
    X(LIFE_TIME, "time", "the step happened before the order's last one")                         \
    X(LIFE_LONG, "long", "the order has had too many steps or departments")                       \
    X(LIFE_AGAIN, "again", "this was done before and is done once only")                          \
    X(LIFE_ABSENT, "absent", "there is nothing that this step could answer")                      \
    X(LIFE_LATE, "late", "the time in which this could be done is over")                          \
    X(LIFE_CALLER, "caller",                                                                      \
      "only who whistled for the department may rate it, and the station head when that one has " \
      "left or is off shift")                                                                     \
    X(LIFE_OVERDUE, "overdue",                                                                    \
      "it is resolved after its deadline: give the written reason for that as overdue_reason")    \
    X(LIFE_REFUSED, "refused", "this request was refused before; send another key for a new one")

enum life_answer {
#define X(constant, name, text) constant,
    LIFE_TABLE(X)
#undef X
        LIFE_ANSWER_COUNT
};
const char *life_answer_name(enum life_answer answer);
/* In words; of a name that is none, general ones. */
const char *life_answer_text(struct span name);

/* A department that was whistled for. */
struct life_party {
    struct span department, caller; /* who whistled for it; empty: that was not kept */
    int64_t report_by, reported_at;
    int64_t stars; /* the caller's, 1 to 5; 0: not rated */
    bool late;     /* it was warned of */
};

/* A step with all that it may carry; what it does not need is zero. Spans borrow. */
struct life_step {
    enum order_step step;
    enum order_actor actor;
    enum sla_clock clock; /* extend, grant, refuse */
    bool strict;          /* `at` must not lie before the last step; else it counts as then */
    bool feedback;        /* note: the resident was told */
    bool explained;       /* resolve: it says why it is late */
    bool provisional;     /* escalate, review, reclock: `by` counts an unpublished year */
    struct span worker;   /* who takes it; empty for the resident and the engine */
    int64_t at;
    int64_t version; /* the version the caller saw, or 0 for any */
    struct span to;  /* transfer, hand_over, escalate: the new holder */
    int64_t until;   /* extend */
    struct life_party parties[LIMIT_ORDER_PARTIES]; /* whistle */
    size_t party_count;
    struct span department; /* party_report, party_rate */
    int64_t stars;          /* party_rate, rate */
    struct span able;       /* party_rate by a head: others who can still rate, "a b" */
    struct span explain;    /* resolve: the classes that are to say why they are late, "a,b" */
    struct span category;   /* review: the corrected one; empty: it was right */
    int64_t reopen_by;      /* resolve, rate: until when the resident may reopen */
    int64_t resolve_by;     /* reopen, escalate: the new deadline */
    /* warn: the levels that rose (WARNING_NONE: not), and the departments that are late. */
    enum warning levels[CLOCK_COUNT];
    struct span late[LIMIT_ORDER_PARTIES];
    size_t late_count;
    int64_t queued_at;       /* hand_over: since when it is the new holder's turn */
    struct span sla_class;   /* escalate, review: the new one */
    int64_t by[CLOCK_COUNT]; /* review, reclock: the deadlines of its class from its creation */
};

struct life {
    enum order_state state;
    int64_t version, created_at, last_at;
    struct span holder;
    struct span posts[DIRECTORY_POSTS]; /* whose turn it is, in order */
    size_t post_count;
    int64_t queued_at; /* since when it is the holder's turn to accept it */
    bool triage;       /* it has waited for a review with the head since it was created */
    bool red;          /* its text was: a review leaves class, deadlines and holder */
    struct span sla_class;
    bool provisional; /* its deadlines count an unpublished year */
    int64_t bounces, reopen_by, stars;
    struct order_clock clocks[CLOCK_COUNT];
    struct life_party parties[LIMIT_ORDER_PARTIES];
    size_t party_count;
    struct span category;             /* as corrected by a review, or empty */
    enum warning warning;             /* the highest up to last_at */
    enum warning warned[CLOCK_COUNT]; /* up to which level each clock's deadline was warned of */
};

/* A new order: dispatched, version 1. The caller sets what else is known of it: posts when steps
 * will be taken, sla_class, provisional, triage, red. */
void life_begin(struct life *life, int64_t created_at, const int64_t by[CLOCK_COUNT],
                struct span holder);
/* Fills in what the policy decides of a step: reopen_by and resolve_by. */
void life_prepare(struct life_step *step, const struct process_numbers *numbers);
/* The states in which the step may be taken by its actor (a bit set), 0: never. */
unsigned life_from(const struct life_step *step);
/* Takes the step if it is allowed. step->at is what counts afterwards (see strict). */
enum life_answer life_take(struct life *life, const struct process_numbers *numbers,
                           struct life_step *step);
/* Applies a step that was taken, as the history tells it. */
void life_apply(struct life *life, const struct process_numbers *numbers,
                const struct life_step *step, enum order_state to, struct span holder);

/* The next instant at which something is due: of the clocks and departments while the order is
 * open; of its closing once it is resolved; 0 when it has ended. */
int64_t life_next_due(const struct life *life);
/* It only rises, also when a deadline was moved or the order reopened. */
enum warning life_warning(const struct life *life, const struct warning_shares *shares,
                          int64_t now);

#endif
