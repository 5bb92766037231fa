#include "engine/cli/tsv.h"

int tsv_cut(struct span line, struct span cells[TSV_CELLS])
{
    int count = 0;
    while (line.ptr != NULL || count == 0) {
        if (count == TSV_CELLS)
            return -1;
        cells[count++] = span_cut(&line, '\t');
    }
    return count;
}

int tsv_cut_row(struct span line, int columns, struct span cells[TSV_CELLS], struct err *err)
{
    int count = tsv_cut(line, cells);
    if (count == columns)
        return 0;
    return err_set(err, ERR_SYNTAX, "the row has %d cells, the header %d", count, columns);
}

int tsv_find(const struct span *cells, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (span_eq(cells[i], span_str(name)))
            return i;
    }
    return -1;
}
