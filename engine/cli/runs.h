/*
 * runs: the runs of Han characters that texts hold, counted by label, each once per text.
 *
 * A run has SUGGEST_UNITS_MIN to SUGGEST_UNITS_MAX characters. One that begins or ends with a
 * particle is no word and is not counted.
 */
#ifndef JIESU_CLI_RUNS_H
#define JIESU_CLI_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run {
    uint64_t key;   /* 0: free */
    size_t at;      /* where it stood first among the units */
    uint32_t last;  /* the number of the text that counted it last */
    uint32_t texts; /* that hold it */
    uint16_t label;
    uint16_t count; /* its units */
};

/* Zero it before the first use. */
struct runs {
    struct run *table;
    size_t count, room; /* room: a power of two */
    uint32_t text;      /* how many were added */
};

/* Counts the runs of the text units[from, to), under its label. False when memory is short. */
bool runs_add_text(struct runs *runs, const uint16_t *units, size_t from, size_t to,
                   uint16_t label);
/* Puts the runs of `least` texts or more to the front of the table, by label, within it the most
 * frequent first, then the longer, which says more. Returns their number; nothing can be added
 * afterwards. */
size_t runs_sort(struct runs *runs, uint32_t least);
void runs_free(struct runs *runs);

#endif
