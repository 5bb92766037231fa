/*
 * hook_type: the changes of a complaint that are told to webhook endpoints, and their names.
 *
 * Not every step is told: what happens among the staff only (warnings, orders handed over, a
 * department's report) is no news for a resident.
 */
#ifndef JIESU_MODEL_HOOK_TYPE_H
#define JIESU_MODEL_HOOK_TYPE_H

#include "engine/base/span.h"

#include <stdbool.h>

/* X(constant, name, the step as the event stream names it, for people) */
#define HOOK_TYPE_TABLE(X)                                                                      \
    X(HOOK_DISPATCHED, "complaint.dispatched", "create", "an order was made and given out")     \
    X(HOOK_ACCEPTED, "complaint.accepted", "accept", "a worker took it")                        \
    X(HOOK_ARRIVED, "complaint.arrived", "arrive", "the worker is there")                       \
    X(HOOK_RESOLVED, "complaint.resolved", "resolve", "it is done")                             \
    X(HOOK_CLOSED, "complaint.closed", "close", "nothing more was said about it")               \
    X(HOOK_RETURNED, "complaint.returned", "return", "it was given back; another will take it") \
    X(HOOK_TRANSFERRED, "complaint.transferred", "transfer", "another was given it")            \
    X(HOOK_ESCALATED, "complaint.escalated", "escalate", "the station or street took it over")  \
    X(HOOK_EXTENDED, "complaint.extended", "grant", "more time was granted")                    \
    X(HOOK_FEEDBACK, "complaint.feedback", "note", "a note was written to the resident")        \
    X(HOOK_RATED, "complaint.rated", "rate", "the resident rated it")                           \
    X(HOOK_REOPENED, "complaint.reopened", "reopen", "the resident was not content")            \
    X(HOOK_CANCELLED, "complaint.cancelled", "cancel", "it was withdrawn")

enum hook_type {
#define X(constant, name, step, text) constant,
    HOOK_TYPE_TABLE(X)
#undef X
        HOOK_TYPE_COUNT
};

const char *hook_type_name(enum hook_type type);
/* The name after "complaint.", as the webhooks file has it. */
const char *hook_type_word(enum hook_type type);
/* By that name: 0 and *out, or -1. */
int hook_type_parse(struct span word, enum hook_type *out);
/* The type of a step of the event stream; -1 when it is not told. A note is told only when it is
 * feedback to the resident. */
int hook_type_of_step(struct span step, bool feedback, enum hook_type *out);

#endif
