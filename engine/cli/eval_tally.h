/*
 * eval_tally: right and wrong answers by label.
 */
#ifndef JIESU_CLI_EVAL_TALLY_H
#define JIESU_CLI_EVAL_TALLY_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

#define TALLY_NONE UINT32_MAX /* no label */

struct tally_label {
    char *name;                         /* owned */
    uint64_t support, predicted, right; /* rows that have it, got it, and both */
};

/* A row's own label and the one it got. */
struct tally_pair {
    uint32_t gold, predicted; /* in labels; predicted may be TALLY_NONE */
};

/* Zero it before the first use. */
struct tally {
    struct tally_label *labels;
    size_t label_count, label_capacity;
    struct tally_pair *pairs; /* one per row */
    size_t rows, row_capacity;
    uint64_t right;
};

void tally_free(struct tally *tally);
/* Counts one row; an empty predicted label is none. 0, or -1 and *err (ERR_LIMIT, ERR_NOMEM). */
int tally_add(struct tally *tally, struct span gold, struct span predicted, struct err *err);
/* Orders the labels: most support first, then by name. */
int tally_sort(struct tally *tally, struct err *err);

double tally_ratio(uint64_t part, uint64_t whole);
double tally_f1(const struct tally_label *label);
/* The mean F1 of the labels that rows have: one that is only ever predicted does not enter it. */
double tally_macro_f1(const struct tally *tally);
/* The rows of one label that got another (or TALLY_NONE). */
uint64_t tally_confused(const struct tally *tally, uint32_t gold, uint32_t predicted);

#endif
