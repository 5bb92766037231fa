/*
 * tsv: the cells of tab-separated lines, found by the names in the header line.
 */
#ifndef JIESU_CLI_TSV_H
#define JIESU_CLI_TSV_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>

enum { TSV_CELLS = 64 };

/* Cuts a line at its tabs. The number of cells, or -1 when there are more than TSV_CELLS. */
int tsv_cut(struct span line, struct span cells[TSV_CELLS]);
/* Cuts a row that must have as many cells as the header. 0, or -1 and *err (ERR_SYNTAX). */
int tsv_cut_row(struct span line, int columns, struct span cells[TSV_CELLS], struct err *err);
/* The index of the cell that is name, or -1. */
int tsv_find(const struct span *cells, int count, const char *name);

#endif
