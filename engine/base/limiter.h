/*
 * limiter: how many lines each (module, event) may write in a second, without a clock of its own.
 *
 * A fixed table: when more events than its rows are loud in the same second, those without a row
 * share the last one, named "other". Not thread-safe.
 */
#ifndef JIESU_BASE_LIMITER_H
#define JIESU_BASE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_ROWS 64
#define LIMITER_NAME_BYTES 40

struct limiter_row {
    uint64_t key; /* hash of module and event; 0: the row is free */
    char module[LIMITER_NAME_BYTES];
    char event[LIMITER_NAME_BYTES]; /* both cut when longer, for the report only */
    int64_t since_ms;               /* when its second began */
    unsigned lines;                 /* written in that second */
    uint64_t suppressed;
};

/* Zeroed is empty. */
struct limiter {
    struct limiter_row rows[LIMITER_ROWS];
};

/* True when the line may be written now; false counts it as suppressed. */
bool limiter_take(struct limiter *l, const char *module, const char *event, int64_t now_ms);
/* One event whose second is over (or any, with all) and that lost lines: copies its row to out,
 * forgets the loss and returns true; false when there is none. */
bool limiter_report(struct limiter *l, int64_t now_ms, bool all, struct limiter_row *out);

#endif
