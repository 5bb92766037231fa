/*
 * regex_private: what compiling (regex.c) and searching (regex_search.c) share. The two are the one
 * place that knows PCRE2.
 */
#ifndef JIESU_CLASSIFIERS_REGEX_PRIVATE_H
#define JIESU_CLASSIFIERS_REGEX_PRIVATE_H

#include "classifiers/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 16
#include <pcre2.h>

#include <stdbool.h>

struct regex {
    pcre2_code *code;
    bool
        is_long; /* one step may read the whole text: it has `*`, `+`, a large {,} or a reference */
    bool looks_ahead;
    bool is_compiled; /* to machine code */
};

/* Time since a beginning. Half of a budget is told by the steady clock; only when that is over, the
 * thread's own time is asked, which costs a system call: a thread that had to wait for the processor
 * has used little of it, and gets the other half. */
struct regex_watch {
    uint64_t steady, own;
    bool on_own;
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *jit_stack;
    struct regex_clock clock;
    struct regex_watch text; /* since the first search in a text */
    bool timed;              /* regex_scratch_begin was called: the text has a budget */
    bool started;            /* and a search has started it */
    bool over;               /* and it was found to be over */
    size_t unwatched;        /* the most that searches may have cost since the clock was read */
    size_t steps;            /* the context's limit; 0: not set */
};

#endif
