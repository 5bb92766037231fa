/*
 * redis_child_write_back: hands what the embedded Redis appends to its file to the disk little by
 * little, so that its fsync finds little to do.
 */
#ifndef JIESU_APP_REDIS_CHILD_WRITE_BACK_H
#define JIESU_APP_REDIS_CHILD_WRITE_BACK_H

#include "engine/base/err.h"

#include <stdint.h>

struct write_back;

/* For the append-only file in the folder of a Redis, which need not be there yet. `dir` is a
 * descriptor of that folder and must stay open until write_back_free. NULL when memory is short. */
struct write_back *write_back_new(int dir);
/* Looks at the file once, and asks the kernel to write what is new, when that is
 * LIMIT_REDIS_WRITE_BACK_BYTES at least. *bytes: how many. 0, or -1 and *err when the kernel or the
 * disk refused; what was refused is not asked for again. */
int write_back_once(struct write_back *wb, uint64_t *bytes, struct err *err);
/* Does so every LIMIT_REDIS_WRITE_BACK_MS in a thread of its own until write_back_free. The first
 * refusal after a success is logged. 0, or -1 and *err. */
int write_back_start(struct write_back *wb, struct err *err);
/* Ends the thread and frees; sets *wb to NULL. */
void write_back_free(struct write_back **wb);

#endif
