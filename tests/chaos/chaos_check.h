/*
 * chaos_check: what stands in Redis when all is over: every order, the queues that it names, and
 * every entry of every queue.
 */
#ifndef JIESU_CHAOS_CHECK_H
#define JIESU_CHAOS_CHECK_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"

#include <stdint.h>
#include <uv.h>

/* The entries of all queues; stale: those that do not belong to an order which waits and names them.
 * Every entry is handed to whoever reads the queue as a stream, so there must be none of these. */
struct chaos_queues {
    uint64_t entries, stale;
};

/* Marks each order (LEDGER_ORDER) of the Redis at the socket in the ledger, that it was accepted or
 * stands in the queues that it names (LEDGER_TAKEN), and the workers' steps (LEDGER_STEP), and
 * counts what the queues hold, on a loop of its own. 0, or -1 and *err. */
int chaos_check(const char *socket, struct ledger *ledger, struct chaos_queues *queues,
                struct err *err);

#endif
