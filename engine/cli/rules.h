/*
 * rules: what the commands of `jiesu rules` share: their flags, a rule set with its scratch, and how
 * a verdict is shown.
 */
#ifndef JIESU_CLI_RULES_H
#define JIESU_CLI_RULES_H

#include "classifiers/rules.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>

/* What the command line says. A command knows some of the flags only. */
struct rules_call {
    const char *command; /* "rules check" */
    const char *rules, *data, *title;
    unsigned parts; /* of rules_load_with */
    bool json, notes, colour;
    long top, weight, show;
    char **rest; /* rest_count arguments that are no flags */
    int rest_count;
};

/* A command: argv[0] is its name. */
struct rules_command {
    const char *name; /* "check" */
    const char *what; /* for jiesu rules --help */
    const char *help;
    const char *flags; /* the letters of its flags: rules.c */
    int rest_min, rest_max;
    const char *rest_name; /* for messages, such as "a text" */
    int (*run)(const struct rules_call *call);
};

extern const struct rules_command rules_command_check;
extern const struct rules_command rules_command_test;
extern const struct rules_command rules_command_explain;
extern const struct rules_command rules_command_coverage;
extern const struct rules_command rules_command_suggest;
extern const struct rules_command rules_command_diff;

/* The lines of every help. */
#define RULES_HELP_RULES                                                                      \
    "  --rules DIR  the folder of the rule set (JIESU_RULES, else ./rules, else " JIESU_SHARE \
    "/rules)\n"
#define RULES_HELP_PARTS                           \
    "  --no-learned without the learned weights\n" \
    "  --no-hand    without the hand-written rules for categories\n"
#define RULES_HELP_TAIL             \
    "  --json       for programs\n" \
    "  --help       this text\n"    \
    "\n"

/* Loads the rule set of folder dir, with the parts that the call asks for, and makes a scratch. 0;
 * or the exit status, after saying why. */
int tools_open(const struct rules_call *call, const char *dir, struct rules **rules,
               struct rules_scratch **scratch);
void tools_close(struct rules **rules, struct rules_scratch **scratch);

/* Writes out to stdout. Returns status, or COMMAND_UNAVAILABLE after saying that it failed. */
int tools_finish(const char *command, struct buf *out, int status);

/* Appends n and its noun, which gets an s when n is not 1. */
void tools_counted(struct buf *out, size_t n, const char *noun);

#endif
