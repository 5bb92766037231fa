/*
 * `jiesu demo`: a day of a street, end to end and in fast time, and the count that matters.
 *
 * It starts an engine with its embedded Redis, whose clock runs some thousand times as fast as the
 * real one, and has the same clock itself. From eight in the morning on it posts complaints over
 * HTTP as residents' backends would; grid workers find the orders in the Redis streams with plain
 * Redis commands, and accept, hand back, arrive and resolve over HTTP, each when it is time, some
 * late. In the afternoon of the next day everybody stops; then what was acknowledged is compared with what
 * the engine's histories say. It exits 1 when anything is lost, doubled or forgotten.
 */
#include "engine/app/config.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/cli/demo_play.h"
#include "engine/cli/demo_tally.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "jiesu demo [--rules DIR] [--data FILE.tsv] [--residents N] [--speed N] [--hours N]\n"
    "\n"
    "Plays a day of a street in fast time: starts an engine with a Redis of its own, posts\n"
    "complaints to it over HTTP, lets simulated grid workers find the orders in their Redis "
    "queues\n"
    "and take each step of their lives, and shows what became of them. Ends by itself.\n"
    "\n"
    "  --data FILE    complaints to replay: a TSV file with a header line and the column text or\n"
    "                 body, and optionally title, kind, source, community, grid, lat, lon, "
    "address\n"
    "                 (the demo's own otherwise)\n"
    "  --rules DIR    the folder of the rule set\n"
    "  --residents N  how many can post at the same time (1 to 256) [16]\n"
    "  --speed N      how many times faster than the real one the demo's clock runs (60 to 2000)\n"
    "                 [1800: half an hour in a second]\n"
    "  --hours N      how long a day is played, from 08:00 on (4 to 48) [32]\n"
    "  --help         this text\n"
    "\n"
    "Exit status: 0 when nothing was lost, doubled or forgotten, 1 when it was, 64 usage, 69 the\n"
    "engine could not be started or ended by itself, 78 the rule set is wrong, 128 and the "
    "signal's\n"
    "number when one stopped it.\n";

enum {
    RESIDENTS = 16,
    RESIDENTS_MAX = 256,
    SPEED = 1800,
    SPEED_MIN = 60,
    HOURS = 32, /* to four in the afternoon of the next day */
    HOURS_MIN = 4
};

struct demo {
    const char *data;
    struct policy *policy;
    struct demo_texts *texts;
    struct demo_play_options options;
};

static int parse(struct demo *d, int argc, char **argv)
{
    static const struct option options[] = {{"rules", required_argument, NULL, 'r'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"residents", required_argument, NULL, 'n'},
                                            {"speed", required_argument, NULL, 's'},
                                            {"hours", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint64_t n = RESIDENTS, speed = SPEED, hours = HOURS;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            d->options.rules = optarg;
            break;
        case 'd':
            d->data = optarg;
            break;
        case 'n':
            if (span_to_u64(span_str(optarg), RESIDENTS_MAX, &n) < 0 || n == 0)
                return command_usage("demo", "--residents must be a number from 1 to %d",
                                     RESIDENTS_MAX);
            break;
        case 's':
            if (span_to_u64(span_str(optarg), CLOCK_SPEED_MAX, &speed) < 0 || speed < SPEED_MIN)
                return command_usage("demo", "--speed must be a number from %d to %d", SPEED_MIN,
                                     CLOCK_SPEED_MAX);
            break;
        case 'o':
            if (span_to_u64(span_str(optarg), DEMO_TALLY_HOURS, &hours) < 0 || hours < HOURS_MIN)
                return command_usage("demo", "--hours must be a number from %d to %d", HOURS_MIN,
                                     DEMO_TALLY_HOURS);
            break;
        case 'h':
            (void)fputs(help, stdout);
            return -1;
        default:
            return command_usage("demo", "an option is not known or lacks its value");
        }
    }
    if (optind < argc)
        return command_usage("demo", "\"%s\" is too much", argv[optind]);
    d->options.residents = (size_t)n;
    d->options.speed = (int)speed;
    d->options.hours = (int)hours;
    d->options.rules = command_rules_dir(d->options.rules);
    return 0;
}

static int load(struct demo *d)
{
    struct err err = {0};
    char own[CONFIG_VALUE_BYTES];
    (void)snprintf(own, sizeof(own), "%s/cases/demo.tsv", d->options.rules);
    d->policy = policy_load(d->options.rules, &err);
    if (d->policy == NULL)
        return command_fail("demo", COMMAND_CONFIG, &err);
    d->texts = demo_texts_load(d->data == NULL ? own : d->data, &err);
    if (d->texts == NULL)
        return command_fail("demo", COMMAND_UNAVAILABLE, &err);
    if (demo_texts_count(d->texts) == 0) {
        (void)err_set(&err, ERR_INVALID, "%s holds no complaint", d->data);
        return command_fail("demo", COMMAND_UNAVAILABLE, &err);
    }
    return 0;
}

int command_demo(int argc, char **argv)
{
    struct demo d = {0};
    int status = parse(&d, argc, argv);
    /* Its own Redis client sees the engine's Redis come and go; that is no news here. */
    log_set_level(LOG_OFF);
    if (status == 0)
        status = load(&d);
    if (status == 0) {
        d.options.policy = d.policy;
        d.options.texts = d.texts;
        status = demo_play(&d.options);
    }
    demo_texts_free(&d.texts);
    policy_unref(&d.policy);
    return status < 0 ? COMMAND_OK : status;
}
