/*
 * order: a work order, and the state machine of its life.
 *
 * The table below is the only place that knows who may take which step in which state, and where it
 * leads. The engine hands the row to Redis with the step, where it is checked and applied in one
 * call (record.h); life.h plays the same rows on a history.
 */
#ifndef JIESU_MODEL_ORDER_H
#define JIESU_MODEL_ORDER_H

#include "classifiers/verdict.h"
#include "engine/base/span.h"
#include "engine/model/complaint.h"
#include "engine/model/directory.h"
#include "engine/model/id.h"
#include "engine/model/sla.h"

#include <stdbool.h>
#include <stdint.h>

/* X(constant, name, what a resident reads) */
#define ORDER_STATE_TABLE(X)                                                 \
    X(ORDER_DISPATCHED, "dispatched", "已派单，等待网格员接单")              \
    X(ORDER_ACCEPTED, "accepted", "网格员已接单，正在处理")                  \
    X(ORDER_ARRIVED, "arrived", "网格员已到现场，正在处理")                  \
    X(ORDER_AWAITING, "awaiting_decision", "社区工作站正在为您安排办理人员") \
    X(ORDER_RESOLVED, "resolved", "已办结")                                  \
    X(ORDER_CLOSED, "closed", "已结案")                                      \
    X(ORDER_CANCELLED, "cancelled", "已撤销")

enum order_state {
#define X(constant, name, chinese) constant,
    ORDER_STATE_TABLE(X)
#undef X
        ORDER_STATE_COUNT
};

/* X(constant, name) */
#define ORDER_STEP_TABLE(X)              \
    X(STEP_ACCEPT, "accept")             \
    X(STEP_ARRIVE, "arrive")             \
    X(STEP_REPORT, "report")             \
    X(STEP_RESOLVE, "resolve")           \
    X(STEP_CLOSE, "close")               \
    X(STEP_RETURN, "return")             \
    X(STEP_TRANSFER, "transfer")         \
    X(STEP_EXTEND, "extend")             \
    X(STEP_GRANT, "grant")               \
    X(STEP_REFUSE, "refuse")             \
    X(STEP_NOTE, "note")                 \
    X(STEP_WHISTLE, "whistle")           \
    X(STEP_PARTY_REPORT, "party_report") \
    X(STEP_PARTY_RATE, "party_rate")     \
    X(STEP_REVIEW, "review")             \
    X(STEP_RATE, "rate")                 \
    X(STEP_REOPEN, "reopen")             \
    X(STEP_CANCEL, "cancel")             \
    X(STEP_WARN, "warn")                 \
    X(STEP_HAND_OVER, "hand_over")       \
    X(STEP_ESCALATE, "escalate")         \
    X(STEP_RECLOCK, "reclock")

enum order_step {
#define X(constant, name) constant,
    ORDER_STEP_TABLE(X)
#undef X
        ORDER_STEP_COUNT
};

/* X(constant, name in the history, who that is). A member is any worker of the order's community;
 * the holder is the one whose queue or hands it is in; a leader leads a grid of the community; the
 * head is the station head or one of the street's triage. */
#define ORDER_ACTOR_TABLE(X)                                       \
    X(ACTOR_MEMBER, "worker", "a worker of the order's community") \
    X(ACTOR_HOLDER, "worker", "the worker who holds the order")    \
    X(ACTOR_LEADER, "leader", "a grid leader of the community")    \
    X(ACTOR_HEAD, "station", "the station head")                   \
    X(ACTOR_RESIDENT, "resident", "the resident")                  \
    X(ACTOR_ENGINE, "engine", "the engine")

enum order_actor {
#define X(constant, name, who) constant,
    ORDER_ACTOR_TABLE(X)
#undef X
        ORDER_ACTOR_COUNT
};

/* Bit sets of states. */
enum {
    ORDER_WORKED = 1u << ORDER_ACCEPTED | 1u << ORDER_ARRIVED,
    ORDER_ASSIGNED = 1u << ORDER_DISPATCHED | ORDER_WORKED,
    ORDER_OPEN = ORDER_ASSIGNED | 1u << ORDER_AWAITING,
    ORDER_DONE = 1u << ORDER_RESOLVED | 1u << ORDER_CLOSED
};

/* The same state as before. */
#define ORDER_SAME ORDER_STATE_COUNT

/* X(step, who may take it, in which states, the state it leads to) */
#define ORDER_RULE_TABLE(X)                                                   \
    X(STEP_ACCEPT, ACTOR_MEMBER, 1u << ORDER_DISPATCHED, ORDER_ACCEPTED)      \
    X(STEP_ARRIVE, ACTOR_HOLDER, 1u << ORDER_ACCEPTED, ORDER_ARRIVED)         \
    X(STEP_REPORT, ACTOR_HOLDER, ORDER_WORKED, ORDER_SAME)                    \
    X(STEP_RESOLVE, ACTOR_HOLDER, ORDER_WORKED, ORDER_RESOLVED)               \
    X(STEP_CLOSE, ACTOR_HEAD, 1u << ORDER_RESOLVED, ORDER_CLOSED)             \
    X(STEP_CLOSE, ACTOR_ENGINE, 1u << ORDER_RESOLVED, ORDER_CLOSED)           \
    X(STEP_RETURN, ACTOR_HOLDER, ORDER_ASSIGNED, ORDER_DISPATCHED)            \
    X(STEP_TRANSFER, ACTOR_LEADER, ORDER_ASSIGNED, ORDER_DISPATCHED)          \
    X(STEP_TRANSFER, ACTOR_HEAD, ORDER_OPEN, ORDER_DISPATCHED)                \
    X(STEP_EXTEND, ACTOR_HOLDER, ORDER_WORKED, ORDER_SAME)                    \
    X(STEP_GRANT, ACTOR_HEAD, ORDER_OPEN, ORDER_SAME)                         \
    X(STEP_REFUSE, ACTOR_HEAD, ORDER_OPEN, ORDER_SAME)                        \
    X(STEP_NOTE, ACTOR_MEMBER, ORDER_OPEN | 1u << ORDER_RESOLVED, ORDER_SAME) \
    X(STEP_WHISTLE, ACTOR_LEADER, ORDER_ASSIGNED, ORDER_SAME)                 \
    X(STEP_WHISTLE, ACTOR_HEAD, ORDER_OPEN, ORDER_SAME)                       \
    X(STEP_PARTY_REPORT, ACTOR_MEMBER, ORDER_OPEN, ORDER_SAME)                \
    X(STEP_PARTY_RATE, ACTOR_LEADER, ORDER_OPEN | ORDER_DONE, ORDER_SAME)     \
    X(STEP_REVIEW, ACTOR_HEAD, ORDER_OPEN | ORDER_DONE, ORDER_SAME)           \
    X(STEP_RATE, ACTOR_RESIDENT, ORDER_DONE, ORDER_CLOSED)                    \
    X(STEP_REOPEN, ACTOR_RESIDENT, ORDER_DONE, ORDER_DISPATCHED)              \
    X(STEP_CANCEL, ACTOR_RESIDENT, 1u << ORDER_DISPATCHED, ORDER_CANCELLED)   \
    X(STEP_CANCEL, ACTOR_HEAD, ORDER_OPEN, ORDER_CANCELLED)                   \
    X(STEP_WARN, ACTOR_ENGINE, ORDER_OPEN, ORDER_SAME)                        \
    X(STEP_HAND_OVER, ACTOR_ENGINE, 1u << ORDER_DISPATCHED, ORDER_SAME)       \
    X(STEP_ESCALATE, ACTOR_ENGINE, ORDER_OPEN, ORDER_DISPATCHED)              \
    X(STEP_RECLOCK, ACTOR_ENGINE, ORDER_OPEN, ORDER_SAME)

struct order_rule {
    enum order_step step;
    enum order_actor actor;
    unsigned from;       /* bit set of states */
    enum order_state to; /* ORDER_SAME: none */
};

const char *order_state_name(enum order_state state);
/* In plain Chinese, for the resident. */
const char *order_state_progress(enum order_state state);
int order_state_parse(struct span name, enum order_state *out);
/* No deadline runs any more. */
bool order_state_ended(enum order_state state);
const char *order_step_name(enum order_step step);
int order_step_parse(struct span name, enum order_step *out);
const char *order_actor_name(enum order_actor actor);
/* The same in words, for messages. */
const char *order_actor_words(enum order_actor actor);

/* The rule under which an actor takes a step, or NULL when it may not in any state. For staff give
 * the highest office: a head may do what leaders and members may; whether somebody is the holder is
 * asked when the step is applied, so a rule of the holder's is found for all staff. */
const struct order_rule *order_rule(enum order_step step, enum order_actor actor);
/* The least actor among staff who may take the step; ORDER_ACTOR_COUNT when staff may not. */
enum order_actor order_step_needs(enum order_step step);
bool order_rule_allows(const struct order_rule *rule, enum order_state state);
enum order_state order_rule_target(const struct order_rule *rule, enum order_state state);
/* True when staff (or the resident) may take the step in that state at all. */
bool order_step_allowed(enum order_step step, bool resident, enum order_state state);
/* A step that may be taken without end: it is refused once the history is long
 * (LIMIT_ORDER_STEPS), so that what ends an order always has room. The engine's own are not: each
 * answers something that happens a few times only. */
bool order_step_bounded(enum order_step step);

/* Which of a worker's queues an order waits in, for as long as it lives; a higher one is read
 * before a lower, and within one the order of arrival counts. */
enum order_queue { QUEUE_ORDINARY, QUEUE_SPECIAL, QUEUE_URGENT, ORDER_QUEUE_COUNT };

/* The queue of an order with these marks (see struct order). functions.lua says the same of the two
 * fields of the order's hash. */
enum order_queue order_queue(bool urgent, bool special);

/* All that is decided about a complaint at ingest. Spans borrow from the complaint, the verdict and
 * the policy. */
struct order {
    struct id id;
    const struct complaint *complaint;
    struct verdict verdict;
    struct route route;
    struct sla_deadlines deadlines;
    int64_t created_at;
    bool triage;  /* it waits for a review with the head, not with its first post */
    bool special; /* it is about somebody of a special group (rules/tags.yaml) */
    bool urgent;  /* red, or special at yellow or above */
};

#endif
