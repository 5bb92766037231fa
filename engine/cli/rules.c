/*
 * `jiesu rules`: the tools of those who write the rules. Each is a row of `tools`; the flags are one
 * table for all, of which each takes the letters that it names.
 */
#include "engine/cli/rules.h"

#include "engine/cli/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct rules_command *const tools[] = {
    &rules_command_check,    &rules_command_test,    &rules_command_explain,
    &rules_command_coverage, &rules_command_suggest, &rules_command_diff,
};
enum { TOOLS = sizeof tools / sizeof *tools };

static const struct option flags[] = {
    {"rules", required_argument, NULL, 'r'},  {"data", required_argument, NULL, 'd'},
    {"title", required_argument, NULL, 't'},  {"colour", required_argument, NULL, 'c'},
    {"color", required_argument, NULL, 'c'},  {"top", required_argument, NULL, 'n'},
    {"weight", required_argument, NULL, 'w'}, {"show", required_argument, NULL, 's'},
    {"notes", no_argument, NULL, 'o'},        {"no-learned", no_argument, NULL, 'L'},
    {"no-hand", no_argument, NULL, 'H'},      {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};

static int print_help(FILE *out)
{
    bool failed =
        fputs("jiesu rules COMMAND [OPTION ...]\n"
              "\n"
              "Tools for those who write the rules; rules/FORMAT.md says how rules are written.\n"
              "\n",
              out) < 0;
    for (size_t i = 0; i < TOOLS; i++)
        failed |= fprintf(out, "  %-10s %s\n", tools[i]->name, tools[i]->what) < 0;
    failed |= fputs("\njiesu rules COMMAND --help tells more.\n", out) < 0;
    return failed ? COMMAND_UNAVAILABLE : COMMAND_OK;
}

/* A whole number of a flag. 0, or COMMAND_USAGE. */
static int parse_number(const struct rules_call *call, const char *flag, long min, long max,
                        long *out)
{
    char *end;
    long n = strtol(optarg, &end, 10);
    if (end == optarg || *end != '\0' || n < min || n > max)
        return command_usage(call->command, "--%s must be a number from %ld to %ld", flag, min,
                             max);
    *out = n;
    return 0;
}

static int parse_colour(struct rules_call *call)
{
    if (strcmp(optarg, "always") == 0)
        call->colour = true;
    else if (strcmp(optarg, "never") == 0)
        call->colour = false;
    else if (strcmp(optarg, "auto") != 0)
        return command_usage(call->command, "--color must be always, never or auto");
    return 0;
}

/* Takes one flag in. 0, or the exit status. */
static int take_flag(struct rules_call *call, int flag)
{
    switch (flag) {
    case 'r':
        call->rules = optarg;
        return 0;
    case 'd':
        call->data = optarg;
        return 0;
    case 't':
        call->title = optarg;
        return 0;
    case 'c':
        return parse_colour(call);
    case 'n':
        return parse_number(call, "top", 1, 1000, &call->top);
    case 'w':
        return parse_number(call, "weight", 1, 20, &call->weight);
    case 's':
        return parse_number(call, "show", 0, 100000, &call->show);
    case 'o':
        call->notes = true;
        return 0;
    case 'L':
        call->parts &= ~(unsigned)RULES_LEARNED;
        return 0;
    case 'H':
        call->parts &= ~(unsigned)RULES_HAND;
        return 0;
    case 'j':
        call->json = true;
        return 0;
    default:
        return command_usage(call->command, "that option is not understood");
    }
}

static int run_tool(const struct rules_command *tool, int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof name, "rules %s", tool->name);
    struct rules_call call = {
        .command = name, .parts = RULES_ALL, .colour = isatty(STDOUT_FILENO) == 1};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        if (c == 'h')
            return fputs(tool->help, stdout) < 0 ? COMMAND_UNAVAILABLE : COMMAND_OK;
        int status = c == '?' || strchr(tool->flags, c) == NULL
                         ? command_usage(name, "that option is not understood")
                         : take_flag(&call, c);
        if (status != 0)
            return status;
    }
    call.rest = argv + optind;
    call.rest_count = argc - optind;
    if (call.rest_count < tool->rest_min)
        return command_usage(name, "%s is missing", tool->rest_name);
    if (call.rest_count > tool->rest_max)
        return command_usage(name, "“%s” is one argument too many", call.rest[tool->rest_max]);
    return tool->run(&call);
}

int command_rules(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0)
        return print_help(stdout);
    for (size_t i = 0; i < TOOLS; i++)
        if (strcmp(argv[1], tools[i]->name) == 0)
            return run_tool(tools[i], argc - 1, argv + 1);
    return command_usage("rules", "there is no command “%s”", argv[1]);
}

/* --- what they share --- */

int tools_open(const struct rules_call *call, const char *dir, struct rules **rules,
               struct rules_scratch **scratch)
{
    struct err err = {0};
    *scratch = NULL;
    *rules = rules_load_with(command_rules_dir(dir), call->parts, &err);
    if (*rules == NULL)
        return command_fail(call->command, COMMAND_CONFIG, &err);
    *scratch = rules_scratch_new();
    if (*scratch != NULL)
        return 0;
    rules_unref(rules);
    err_set(&err, ERR_NOMEM, "out of memory");
    return command_fail(call->command, COMMAND_UNAVAILABLE, &err);
}

void tools_close(struct rules **rules, struct rules_scratch **scratch)
{
    rules_scratch_free(scratch);
    if (*rules != NULL)
        rules_unref(rules);
}

int tools_finish(const char *command, struct buf *out, int status)
{
    struct err err = {0};
    int flushed = command_flush(out);
    buf_free(out);
    if (flushed == 0)
        return status;
    err_set(&err, ERR_IO, "the answer cannot be written");
    return command_fail(command, COMMAND_UNAVAILABLE, &err);
}

void tools_counted(struct buf *out, size_t n, const char *noun)
{
    buf_printf(out, "%zu %s%s", n, noun, n == 1 ? "" : "s");
}
