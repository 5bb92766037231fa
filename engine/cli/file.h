/*
 * file: files read and written whole.
 */
#ifndef JIESU_CLI_FILE_H
#define JIESU_CLI_FILE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

/* Appends a file's bytes to out. 0, or -1 and *err (ERR_IO, ERR_NOMEM). */
int file_read(const char *path, struct buf *out, struct err *err);
/* Writes bytes beside path ("<path>.tmp"), to disk, and renames them into their place: whoever opens
 * path sees all of them or none. 0, or -1 and *err (ERR_IO); nothing is left beside it. */
int file_replace(const char *path, struct span bytes, struct err *err);

#endif
