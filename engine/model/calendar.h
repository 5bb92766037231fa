/*
 * calendar: mainland China's working days, as data per year (rules/calendar.yaml).
 *
 * A day is a working day when it is Monday to Friday and no listed holiday, or a listed make-up
 * working day. A year that is not published falls back to weekends, and whoever asks is told
 * (provisional).
 */
#ifndef JIESU_MODEL_CALENDAR_H
#define JIESU_MODEL_CALENDAR_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct calendar;

/* Reads a calendar file. NULL and *err with file:line:column. */
struct calendar *calendar_load(const char *path, struct err *err);
void calendar_free(struct calendar **calendar);
/* True when the civil date is a working day; *provisional becomes true (never false) when its year
 * is not published. provisional may be NULL. */
bool calendar_is_workday(const struct calendar *calendar, int year, int month, int day,
                         bool *provisional);
/* The instant `days` working days after `from`: the count starts with the first working day after
 * the day of `from` (Shanghai), and the result is the end (24:00) of the last one counted. days
 * >= 1. */
int64_t calendar_add_workdays(const struct calendar *calendar, int64_t from, int days,
                              bool *provisional);

#endif
