/* jiesu: one binary, a subcommand each. */
#include "engine/cli/commands.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"serve", command_serve, "take complaints by HTTP, classify and dispatch them"},
    {"demo", command_demo, "the whole road with simulated residents and grid workers"},
    {"classify", command_classify, "classify lines of text"},
    {"eval", command_eval, "measure the rule set on labelled texts"},
    {"learn", command_learn, "learn weights of n-grams from labelled texts"},
    {"rules", command_rules, "tools for the rule author: check, test, explain and more"},
};

static void print_help(FILE *out)
{
    (void)fputs("jiesu: complaint classification and dispatch\n\n"
                "usage: jiesu COMMAND [OPTION ...]\n\n",
                out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
    (void)fputs("\njiesu COMMAND --help tells more; jiesu --version the version.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return COMMAND_OK;
    }
    const int last = argc - 1;
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[last], "--version") == 0) {
        (void)puts("jiesu " JIESU_VERSION);
        return COMMAND_OK;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "jiesu: there is no command \"%s\"; see jiesu --help\n", argv[1]);
    return COMMAND_USAGE;
}
