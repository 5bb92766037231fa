/*
 * chaos_check: what stands in Redis when all is over: every order, and every entry of every queue.
 */
#ifndef JIESU_CHAOS_CHECK_H
#define JIESU_CHAOS_CHECK_H

#include "engine/base/err.h"
#include "engine/cli/demo_ledger.h"

#include <uv.h>

/* Marks each order (LEDGER_ORDER) and each queue entry (LEDGER_TAKEN) of the Redis at the socket in
 * the ledger, on a loop of its own. 0, or -1 and *err. */
int chaos_check(const char *socket, struct ledger *ledger, struct err *err);

#endif
