/*
 * lines: the lines of a file or of standard input, one after the other.
 */
#ifndef JIESU_CLI_LINES_H
#define JIESU_CLI_LINES_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>

struct lines;

/* Opens a file; "-" is standard input. NULL and *err (ERR_IO, ERR_NOMEM). */
struct lines *lines_open(const char *path, struct err *err);
/* 1 and the next line, without its line end (LF or CRLF) and a byte order mark, valid until the
 * next call; 0 at the end; -1 and *err (ERR_IO, ERR_NOMEM, ERR_LIMIT over LIMIT_INPUT_LINE_BYTES).
 */
int lines_next(struct lines *lines, struct span *line, struct err *err);
/* The number of the line that lines_next gave last, from 1. */
size_t lines_number(const struct lines *lines);
void lines_free(struct lines **lines);

#endif
