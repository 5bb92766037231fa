/*
 * commands: the subcommands of jiesu, and the little that they share.
 *
 * A command takes its arguments like a main (argv[0] is its own name) and returns the exit status.
 */
#ifndef JIESU_CLI_COMMANDS_H
#define JIESU_CLI_COMMANDS_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

/* Exit statuses, those of sysexits.h where it has one. */
enum {
    COMMAND_OK = 0,
    COMMAND_FINDING = 1,      /* it ran, and there is something to look at */
    COMMAND_USAGE = 64,       /* the command line is wrong */
    COMMAND_UNAVAILABLE = 69, /* a file or a peer cannot be reached */
    COMMAND_CONFIG = 78       /* the rule set or the configuration is wrong */
};

/* Runs the engine: see `jiesu serve --help`. */
int command_serve(int argc, char **argv);
/* Plays the whole road with simulated people: see `jiesu demo --help`. */
int command_demo(int argc, char **argv);
/* Classifies lines of text: see `jiesu classify --help`. */
int command_classify(int argc, char **argv);
/* Measures the rule set on labelled texts: see `jiesu eval --help`. */
int command_eval(int argc, char **argv);
/* The tools of the rule author: see `jiesu rules --help`. */
int command_rules(int argc, char **argv);
/* Makes a pack of learned weights: see `jiesu learn --help`. */
int command_learn(int argc, char **argv);

/* The folder of the rule set: as given, else $JIESU_RULES, else ./rules, else the installed one. */
const char *command_rules_dir(const char *given);
/* Prints "jiesu <command>: <text>" to stderr and returns status. */
int command_fail(const char *command, int status, const struct err *err);
/* Prints what is wrong with the command line and where help is; returns COMMAND_USAGE. */
int command_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes out to stdout and empties it. 0, or -1 when out failed or stdout did. */
int command_flush(struct buf *out);

#endif
