/*
 * redis_child_files: the folder of the embedded Redis: who holds it, and where its socket is.
 */
#ifndef JIESU_APP_REDIS_CHILD_FILES_H
#define JIESU_APP_REDIS_CHILD_FILES_H

#include "engine/base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Looks for an executable file in PATH and writes its path to out; -1 when there is none. */
int redis_dir_program(const char *name, char *out, size_t size);
/* Opens (and makes) DATA_DIR/redis: a descriptor of the folder, or -1 and *err. */
int redis_dir_open(const char *data_dir, struct err *err);
/* Takes the lock of the folder: a descriptor, to be handed down to the server and closed; -1 when
 * another process holds it; -2 and *err. */
int redis_dir_lock(int dir, struct err *err);
/* A descriptor (pidfd) of the process that listens on the folder's socket, and *pid; -1 when nobody
 * does. */
int redis_dir_server(int dir, pid_t *pid);
/* Opens the log for what the server writes to its outputs; -1 and *err. */
int redis_dir_log(int dir, struct err *err);
/* Writes a path of the socket that is short enough for the kernel to out; -1 when there is none. */
int redis_dir_socket(int dir, const char *data_dir, char *out, size_t size);

#endif
