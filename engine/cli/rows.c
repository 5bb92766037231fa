#include "engine/cli/rows.h"

#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "engine/cli/lines.h"
#include "engine/cli/tsv.h"

#include <stdio.h>

enum column { COLUMN_ID, COLUMN_LABEL, COLUMN_TITLE, COLUMN_BODY, COLUMNS };
static const char *const column_names[COLUMNS] = {"id", "label", "title", "body"};

struct rows {
    const char *command;
    struct lines *lines;
    bool labelled;
    int columns;     /* cells that a row must have */
    int at[COLUMNS]; /* which of them is which; -1: none */
    size_t bad;
};

static int read_header(struct rows *rows, struct err *err)
{
    struct span line, cells[TSV_CELLS];
    int next = lines_next(rows->lines, &line, err);
    if (next < 0)
        return -1;
    if (next == 0)
        return err_set(err, ERR_SYNTAX, "the data is empty");
    int count = tsv_cut(line, cells);
    for (size_t c = 0; c < COLUMNS; c++) {
        rows->at[c] = tsv_find(cells, count, column_names[c]);
        if (rows->at[c] < 0 && (c != COLUMN_LABEL || rows->labelled))
            return err_set(err, ERR_SYNTAX,
                           "line 1: column “%s” is missing; the first line must name the columns "
                           "id%s, title and body, separated by tabs",
                           column_names[c], rows->labelled ? ", label" : "");
    }
    rows->columns = count;
    return 0;
}

struct rows *rows_open(const char *command, const char *path, bool labelled, struct err *err)
{
    struct rows *rows = mem_zalloc(1, sizeof *rows);
    if (rows == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    rows->command = command;
    rows->labelled = labelled;
    rows->lines = lines_open(path, err);
    if (rows->lines == NULL || read_header(rows, err) != 0)
        rows_free(&rows);
    return rows;
}

static int take_row(const struct rows *rows, struct span line, struct row *row, struct err *err)
{
    struct span cells[TSV_CELLS];
    if (tsv_cut_row(line, rows->columns, cells, err) != 0)
        return -1;
    *row = (struct row){.line = lines_number(rows->lines),
                        .id = cells[rows->at[COLUMN_ID]],
                        .title = cells[rows->at[COLUMN_TITLE]],
                        .text = cells[rows->at[COLUMN_BODY]]};
    if (rows->at[COLUMN_LABEL] >= 0)
        row->label = cells[rows->at[COLUMN_LABEL]];
    if (rows->labelled && row->label.len == 0)
        return err_set(err, ERR_INVALID, "the row has no label");
    if (!utf8_valid(line))
        return err_set(err, ERR_INVALID, "the row is not valid UTF-8");
    return 0;
}

void rows_refuse(struct rows *rows, const struct row *row, const struct err *err)
{
    fprintf(stderr, "jiesu %s: line %zu: %s; skipped\n", rows->command, row->line, err->text);
    rows->bad++;
}

int rows_next(struct rows *rows, struct row *row, struct err *err)
{
    struct span line;
    int next;
    while ((next = lines_next(rows->lines, &line, err)) == 1) {
        if (line.len == 0)
            continue;
        if (take_row(rows, line, row, err) == 0)
            return 1;
        row->line = lines_number(rows->lines);
        rows_refuse(rows, row, err);
    }
    return next;
}

size_t rows_bad(const struct rows *rows)
{
    return rows->bad;
}

void rows_free(struct rows **rows)
{
    if (*rows == NULL)
        return;
    lines_free(&(*rows)->lines);
    mem_free(*rows);
    *rows = NULL;
}
