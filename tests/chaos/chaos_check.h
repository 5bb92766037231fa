/*
 * chaos_check: what stands in Redis when all is over: every order, and the queues that it names.
 */
#ifndef JIESU_CHAOS_CHECK_H
#define JIESU_CHAOS_CHECK_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"

#include <uv.h>

/* Marks each order (LEDGER_ORDER) of the Redis at the socket in the ledger, that it was accepted or
 * stands in the queues that it names (LEDGER_TAKEN), and the workers' steps (LEDGER_STEP), on a loop of
 * its own. 0, or -1 and *err. */
int chaos_check(const char *socket, struct ledger *ledger, struct err *err);

#endif
