/*
 * clock: the time of day and a steady clock, and RFC 3339 text.
 *
 * Instants are int64 milliseconds since 1970-01-01T00:00:00Z. Pure code never asks the clock: it is
 * handed the instant, so that tests can simulate it. All local times are Asia/Shanghai, which has
 * been UTC+8 without daylight saving since 1991-09-15, so no zone database is needed.
 */
#ifndef JIESU_BASE_CLOCK_H
#define JIESU_BASE_CLOCK_H

#include "engine/base/span.h"

#include <stdint.h>

#define CLOCK_SECOND_MS INT64_C(1000)
#define CLOCK_MINUTE_MS (60 * CLOCK_SECOND_MS)
#define CLOCK_HOUR_MS (60 * CLOCK_MINUTE_MS)
#define CLOCK_DAY_MS (24 * CLOCK_HOUR_MS)
#define CLOCK_SHANGHAI_OFFSET_MS (8 * CLOCK_HOUR_MS)
#define CLOCK_RFC3339_BYTES 40 /* room for any text clock_format writes, with its NUL */

/* A calendar day and time of day in Asia/Shanghai. */
struct clock_civil {
    int year;   /* 1..9999 */
    int month;  /* 1..12 */
    int day;    /* 1..31 */
    int hour;   /* 0..23 */
    int minute; /* 0..59 */
    int second; /* 0..59 */
    int millis; /* 0..999 */
};

enum { CLOCK_SPEED_MAX = 2000 };

/* Now, in milliseconds since the epoch: CLOCK_REALTIME, unless clock_run_fast says otherwise. */
int64_t clock_now_ms(void);
/* Now, whatever clock_run_fast says. */
int64_t clock_real_ms(void);
/* A steady clock in nanoseconds, for measuring spans (CLOCK_MONOTONIC); never fast. */
uint64_t clock_steady_ns(void);
/* A steady clock in milliseconds; never fast. */
int64_t clock_steady_ms(void);

/* For demonstrations and tests: from now on clock_now_ms says `origin_ms` for the real instant
 * `began_ms` and goes on from there `speed` times as fast (1..CLOCK_SPEED_MAX). It follows the
 * steady clock, so a change of the system's time does not move it. Processes of one machine that
 * are given the same three numbers have the same time. Before any thread that asks the time. */
void clock_run_fast(int speed, int64_t began_ms, int64_t origin_ms);
/* How much clock_now_ms moves on while real_ms pass: real_ms itself, unless it runs fast. For
 * waits that are real (a poll, a claim) and instants that are clock_now_ms's. */
int64_t clock_stretch_ms(int64_t real_ms);

struct clock_civil clock_to_civil(int64_t ms);
/* The instant of a civil time; the fields must be in range (see clock_civil_valid). */
int64_t clock_from_civil(const struct clock_civil *civil);
/* 1 when the fields name a real day and time, else 0. */
int clock_civil_valid(const struct clock_civil *civil);
/* Day of the week of a date: 1 = Monday .. 7 = Sunday. */
int clock_weekday(int year, int month, int day);
/* Days since 1970-01-01 of a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
 */
int64_t clock_days(int year, int month, int day);

/* Reads an RFC 3339 date-time ("2026-03-01T08:30:00+08:00", fraction allowed, 'Z' allowed, leap
 * second 60 counts as the next second). 0 and *ms, or -1. */
int clock_parse(struct span text, int64_t *ms);
/* Writes "2026-03-01T08:30:00.123+08:00" (no fraction when it is 0) to out and returns out. */
const char *clock_format(int64_t ms, char out[CLOCK_RFC3339_BYTES]);

#endif
