/*
 * waiters: the long polls of one loop that wait for a worker's queue to hold something.
 */
#ifndef JIESU_API_WAITERS_H
#define JIESU_API_WAITERS_H

#include "engine/base/span.h"
#include "engine/store/keys.h"

#include <stddef.h>

/* Embedded in whoever waits. */
struct waiter {
    struct waiter *next, **link; /* in its bucket; link is NULL while it does not wait */
    struct key channel;
    void (*wake)(struct waiter *waiter); /* may remove this waiter, and no other */
};

struct waiters;

/* NULL when memory is short. */
struct waiters *waiters_new(void);
void waiters_free(struct waiters **waiters);
/* 0, or -1 when LIMIT_LONG_POLLS wait already. */
int waiters_add(struct waiters *waiters, struct waiter *waiter);
/* Does nothing when it does not wait. */
void waiters_remove(struct waiters *waiters, struct waiter *waiter);
/* Wakes those that wait on the channel. */
void waiters_wake(struct waiters *waiters, struct span channel);
/* Wakes all. */
void waiters_wake_all(struct waiters *waiters);

#endif
