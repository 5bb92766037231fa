/*
 * engine: the whole of jiesu in one process: start, serve, stop.
 */
#ifndef JIESU_APP_ENGINE_H
#define JIESU_APP_ENGINE_H

#include "engine/app/config.h"
#include "engine/base/err.h"

/* Starts everything in order (rules, Redis, outbox, HTTP loops), serves until SIGTERM or SIGINT, and stops
 * everything in the opposite order: no new requests, those in flight answered, records dispatched, the
 * embedded Redis last. 0 after a clean stop, -1 and *err when it could not start: ERR_CONFIG for what the operator
 * must change, anything else for what the system refused. Call once, on the main thread. */
int engine_run(const struct config *config, struct err *err);

#endif
