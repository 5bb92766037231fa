/*
 * rows: the texts of a TSV file whose first line names its columns: id, title and body, and perhaps
 * label. A row that is no good is named on stderr, with its line, and left out.
 */
#ifndef JIESU_CLI_ROWS_H
#define JIESU_CLI_ROWS_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct rows;

struct row {
    size_t line; /* from 1 */
    struct span id, label, title, text;
};

/* Opens a file ("-": standard input) and reads its header; command is named in messages. labelled:
 * the column label must be there, and each row must have one. NULL and *err. */
struct rows *rows_open(const char *command, const char *path, bool labelled, struct err *err);
/* 1 and the next good row, valid until the next call; 0 at the end; -1 and *err. */
int rows_next(struct rows *rows, struct row *row, struct err *err);
/* How many were left out. The command has to add to them those that it cannot use itself. */
size_t rows_bad(const struct rows *rows);
/* Names a row as no good, with the reason, and counts it. */
void rows_refuse(struct rows *rows, const struct row *row, const struct err *err);
void rows_free(struct rows **rows);

#endif
