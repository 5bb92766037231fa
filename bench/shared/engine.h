/*
 * engine: a jiesu as a process of its own, to be measured from outside.
 */
#ifndef JIESU_BENCH_SHARED_ENGINE_H
#define JIESU_BENCH_SHARED_ENGINE_H

#include "engine/base/err.h"

#include <sys/types.h>

struct engine_options {
    const char *program; /* the jiesu */
    const char *dir;     /* data folder; its log is beside it, in <dir>.log */
    const char *rules;
    const char *redis; /* as its setting; NULL: embedded */
};

struct engine_process {
    pid_t pid;
    int port; /* on 127.0.0.1 */
};

/* Starts it and waits until it is ready. It ends with this process. 0, or -1 and *err. */
int engine_start(struct engine_process *engine, const struct engine_options *options,
                 struct err *err);
/* Asks it to stop (SIGTERM) and waits for its end. Nothing when it was not started. */
void engine_stop(struct engine_process *engine);

/* Writes the path of the jiesu beside this tool: <this program's folder>/../jiesu. */
const char *engine_program(char *out, size_t size);
/* The process of the embedded Redis in a data folder; 0 when there is none. */
pid_t engine_redis_pid(const char *dir);
/* Processor time that a process has used so far, in seconds; 0 when it is gone. */
double process_cpu_s(pid_t pid);
/* Removes a folder and all in it. */
void folder_remove(const char *dir);

#endif
