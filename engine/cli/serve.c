/* `jiesu serve`: reads the configuration and runs the engine until it is told to stop. */
#include "engine/app/config.h"
#include "engine/app/engine.h"
#include "engine/cli/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static void print_help(void)
{
    (void)fputs(
        "jiesu serve [--config FILE] [--SETTING VALUE ...]\n"
        "\n"
        "Takes complaints by HTTP, classifies and dispatches them, until SIGTERM or SIGINT.\n"
        "Settings come from FILE (lines \"setting value\"), then from the environment\n"
        "(JIESU_SETTING, '-' as '_'), then from the flags; the later wins:\n"
        "\n",
        stdout);
    config_help(stdout);
    (void)fputs("\nExit status: 0 after a clean stop, 64 usage, 69 something it needs cannot be "
                "had, 78 the\n"
                "configuration or the rule set is wrong.\n",
                stdout);
}

/* getopt's table: one option per setting, and --config and --help. val is the setting plus one. */
static void fill_options(struct option options[SETTING_COUNT + 3])
{
    for (int i = 0; i < SETTING_COUNT; i++)
        options[i] = (struct option){config_name((enum setting)i), required_argument, NULL, i + 1};
    options[SETTING_COUNT] = (struct option){"config", required_argument, NULL, 'c' + 256};
    options[SETTING_COUNT + 1] = (struct option){"help", no_argument, NULL, 'h' + 256};
    options[SETTING_COUNT + 2] = (struct option){NULL, 0, NULL, 0};
}

/* The first pass over the flags: only --config and --help count; -1 to go on, else the exit status.
 */
static int find_file(int argc, char **argv, const struct option *options, const char **file)
{
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c' + 256)
            *file = optarg;
        if (c == 'h' + 256) {
            print_help();
            return COMMAND_OK;
        }
        if (c == '?')
            return command_usage("serve", "an option is not known or lacks its value");
    }
    if (optind < argc)
        return command_usage("serve", "\"%s\" is too much", argv[optind]);
    return -1;
}

static int configure(struct config *config, int argc, char **argv)
{
    struct option options[SETTING_COUNT + 3];
    struct err err = {0};
    const char *file = NULL;
    fill_options(options);
    const int status = find_file(argc, argv, options, &file);
    if (status >= 0)
        return status;
    config_init(config);
    if (file != NULL && config_file(config, file, &err) < 0)
        return command_fail("serve", err.code == ERR_IO ? COMMAND_UNAVAILABLE : COMMAND_CONFIG,
                            &err);
    if (config_environ(config, environ, &err) < 0)
        return command_fail("serve", COMMAND_CONFIG, &err);
    optind = 1;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c <= SETTING_COUNT &&
            config_set(config, span_str(options[c - 1].name), span_str(optarg), &err) < 0) {
            (void)err_prefix(&err, "--%s", options[c - 1].name);
            return command_fail("serve", COMMAND_USAGE, &err);
        }
    }
    if (config_text(config, SETTING_RULES)[0] == '\0' &&
        config_set(config, SPAN("rules"), span_str(command_rules_dir(NULL)), &err) < 0)
        return command_fail("serve", COMMAND_CONFIG, &err);
    return -1;
}

int command_serve(int argc, char **argv)
{
    static struct config config;
    struct err err = {0};
    const int status = configure(&config, argc, argv);
    if (status >= 0)
        return status;
    if (engine_run(&config, &err) == 0)
        return COMMAND_OK;
    return command_fail("serve",
                        err.code == ERR_CONFIG || err.code == ERR_INVALID || err.code == ERR_SYNTAX
                            ? COMMAND_CONFIG
                            : COMMAND_UNAVAILABLE,
                        &err);
}
