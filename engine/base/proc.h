/*
 * proc: what the kernel knows about this process, for /metrics.
 */
#ifndef JIESU_BASE_PROC_H
#define JIESU_BASE_PROC_H

#include <stdint.h>

/* When the process started, in milliseconds since the epoch; the same at every call, 0 when
 * unknown. */
int64_t proc_start_ms(void);
/* Processor time of all threads, in nanoseconds. */
uint64_t proc_cpu_ns(void);
/* Open file descriptors, or -1 when unknown. */
int64_t proc_open_fds(void);

#endif
