/*
 * demo_play: plays the demo's day: starts its engine and its people, lets them live, reckons, and
 * ends them.
 */
#ifndef JIESU_CLI_DEMO_PLAY_H
#define JIESU_CLI_DEMO_PLAY_H

#include "engine/cli/demo_texts.h"
#include "engine/model/policy.h"

struct demo_play_options {
    const char *rules; /* the folder, for the engine */
    const struct policy *policy;
    const struct demo_texts *texts;
    size_t residents; /* how many can post at the same time */
    int speed;        /* of the clock, the engine's and this process' own from now on */
    int hours;        /* how long the day is played, at most DEMO_TALLY_HOURS */
};

/* Prints as it goes. Returns the exit status; a signal that stopped it gives 128 and its number. */
int demo_play(const struct demo_play_options *options);

#endif
