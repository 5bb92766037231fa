/*
 * support_seen: a loop with one client, and what its callbacks have seen.
 */
#ifndef JIESU_TESTS_STORE_SUPPORT_SEEN_H
#define JIESU_TESTS_STORE_SUPPORT_SEEN_H

#include "tests/store/support.h"

struct seen {
    uv_loop_t loop;
    struct redis *redis;
    bool ready, lost;
    int readies, losses;
    char fingerprint[128];
    size_t answered, failed, errors; /* errors: answers that are error replies */
    enum err_code code;              /* of the last failure */
    size_t failed_when_lost;         /* how many had failed when seen_lost came */
    bool all;                        /* answered + failed == expected */
    size_t expected;
    bool out_of_order; /* an integer reply was not the number of the answer */
    char text[256];    /* of the last reply */
};

/* Zeroes it and makes its loop. */
void seen_begin(struct seen *seen);
/* Closes the client and the loop. */
void seen_end(struct seen *seen);

/* Callbacks of a client and of its commands; ctx is the seen. */
void seen_ready(void *ctx, struct span fingerprint);
void seen_lost(void *ctx);
void seen_done(void *ctx, const struct reply *reply, const struct err *err);

#endif
