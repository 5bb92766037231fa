/*
 * wheel: deadlines of many connections on one uv timer.
 *
 * A timing wheel of 10 ms slots: setting and clearing a deadline is a list operation, and an alarm
 * fires at its time or up to one slot later. The uv timer runs only while an alarm is set.
 */
#ifndef JIESU_HTTP_WHEEL_H
#define JIESU_HTTP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Lives inside what it wakes; zeroed it is not set. */
struct wheel_alarm {
    struct wheel_alarm *next, *prev;
    uint64_t due_ms;
    void (*fire)(struct wheel_alarm *entry);
};

enum { WHEEL_SLOT_MS = 10, WHEEL_SLOTS = 1024 };

struct wheel {
    uv_timer_t timer; /* timer.data is the owner's */
    struct wheel_alarm slots[WHEEL_SLOTS];
    uint64_t tick; /* the last slot number that was looked at */
    uint64_t set;  /* alarms */
};

void wheel_init(struct wheel *wheel, uv_loop_t *loop);
/* Fires entry->fire in ms milliseconds, once; replaces an earlier setting. */
void wheel_set(struct wheel *wheel, struct wheel_alarm *entry, uint64_t ms);
/* Does nothing when it is not set. */
void wheel_clear(struct wheel *wheel, struct wheel_alarm *entry);
/* Closes the timer; no alarm may be set afterwards. */
void wheel_close(struct wheel *wheel, uv_close_cb closed);

#endif
