/*
 * config: the engine's settings: their table, and the three places they come from.
 *
 * One row per setting gives its name, kind, default, bounds and meaning; --help and the README's
 * table come from it. Values are taken in this order, the later one winning: the configuration file
 * ("key value" lines, '#' begins a comment), the environment (JIESU_ and the name in capitals, '-'
 * as '_'), the flags (--name value). Secrets are never values themselves: they are read from files
 * that the settings name.
 */
#ifndef JIESU_APP_CONFIG_H
#define JIESU_APP_CONFIG_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdint.h>
#include <stdio.h>

enum { CONFIG_VALUE_BYTES = 512 };

/* X(constant, name, kind, default, min, max, meaning); min and max are for numbers. */
#define SETTING_TABLE(X)                                                                           \
    X(SETTING_LISTEN, "listen", address, "127.0.0.1:8080", 0, 0,                                   \
      "address:port to serve HTTP on; port 0: the system chooses")                                 \
    X(SETTING_THREADS, "threads", number, "0", 0, 64,                                              \
      "HTTP loops; 0: one per two processors, the rest is for outbox, dispatch and Redis")         \
    X(SETTING_DATA, "data", text, "data", 0, 0,                                                    \
      "folder of the outbox and of the embedded Redis; one engine each")                           \
    X(SETTING_RULES, "rules", text, "", 0, 0,                                                      \
      "folder of the rule set; empty: ./rules, or the installed one")                              \
    X(SETTING_WATCH, "watch", boolean, "no", 0, 0,                                                 \
      "yes: loads the rule set again by itself when its files have changed")                       \
    X(SETTING_LEARNED, "learned", boolean, "yes", 0, 0,                                            \
      "no: classifies with the hand-written rules alone")                                          \
    X(SETTING_REDIS, "redis", text, "", 0, 0,                                                      \
      "unix:PATH, redis://host:port/db, or host:port,host:port,... of a Cluster; empty: embedded") \
    X(SETTING_REDIS_PASSWORD_FILE, "redis-password-file", text, "", 0, 0,                          \
      "file whose first line is Redis' password")                                                  \
    X(SETTING_REPLY_BUDGET_MS, "reply-budget-ms", number, "200", 1, 5000,                          \
      "how long a request waits for Redis before it is answered 202")                              \
    X(SETTING_STOP_MS, "stop-ms", number, "10000", 0, 600000,                                      \
      "at a stop: how long Redis is waited for to confirm what was taken")                         \
    X(SETTING_WEBHOOKS, "webhooks", text, "", 0, 0,                                                \
      "YAML file of the webhook endpoints; empty: none")                                           \
    X(SETTING_LOG_LEVEL, "log-level", level, "info", 0, 0, "debug, info, warn, error or off")      \
    X(SETTING_EXAMPLES, "examples", boolean, "no", 0, 0,                                           \
      "yes: print three curl commands to try when serving begins")                                 \
    X(SETTING_CLOCK_SPEED, "clock-speed", number, "1", 1, 2000,                                    \
      "for demonstrations only: the engine's day runs so many times faster")                       \
    X(SETTING_CLOCK_ORIGIN, "clock-origin", time, "", 0, 0,                                        \
      "for demonstrations only: what the engine's clock shows at clock-began, such as "            \
      "2026-03-02T08:00:00+08:00; empty: the real time")                                           \
    X(SETTING_CLOCK_BEGAN, "clock-began", time, "", 0, 0,                                          \
      "the real time at which it shows that, so that several engines can share a clock; empty: "   \
      "the engine's start")

enum setting {
#define X(constant, name, kind, dflt, min, max, meaning) constant,
    SETTING_TABLE(X)
#undef X
        SETTING_COUNT
};

struct config {
    char values[SETTING_COUNT][CONFIG_VALUE_BYTES];
};

/* All settings at their defaults. */
void config_init(struct config *config);
/* Its name, as in the file and after "--". */
const char *config_name(enum setting setting);
/* Sets one by name, checking its kind and bounds. 0, or -1 and *err that says what it must be. */
int config_set(struct config *config, struct span name, struct span value, struct err *err);
/* Takes a file's text; name is for messages ("jiesu.conf:3: ..."). */
int config_parse(struct config *config, struct span text, const char *name, struct err *err);
/* Reads a file. ERR_IO when it cannot be read, ERR_CONFIG for what is wrong inside. */
int config_file(struct config *config, const char *path, struct err *err);
/* Takes every JIESU_* variable of a NULL-ended environment; an unknown one is an error. */
int config_environ(struct config *config, char *const *environment, struct err *err);
/* Prints the table, for --help. */
void config_help(FILE *out);

const char *config_text(const struct config *config, enum setting setting);
long config_number(const struct config *config, enum setting setting);
int config_bool(const struct config *config, enum setting setting);
/* Milliseconds since the epoch, or `otherwise` when it is empty. */
int64_t config_time(const struct config *config, enum setting setting, int64_t otherwise);

#endif
