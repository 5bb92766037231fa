/*
 * outbox: the durable log that a 2xx stands on. One SQLite file, one writer thread.
 *
 * Records are given a sequence number and committed by the writer thread: it takes whatever waits
 * (up to LIMIT_OUTBOX_BATCH), writes it in one transaction with one fsync, and reports each as
 * committed, in order. While one batch is being written the next one gathers. Records are read back
 * by sequence number (by another thread, with its own connection) and released up to one.
 */
#ifndef JIESU_STORE_OUTBOX_H
#define JIESU_STORE_OUTBOX_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outbox;

enum outbox_action {
    OUTBOX_APPEND, /* keep bytes; seq is set before on_written */
    OUTBOX_DROP,   /* delete the record seq, and it alone */
    OUTBOX_BURY    /* move the record seq to the table `dead`; bytes is the reason, as text */
};

/* A submission: owned by the outbox from outbox_submit until on_written was called. */
struct outbox_entry {
    struct outbox_entry *next;
    enum outbox_action action;
    struct span bytes; /* record_encode's output; must stay valid until on_written */
    uint64_t seq;
    bool written; /* false: the transaction failed, nothing of it happened */
};

struct outbox_options {
    const char *path;
    /* Called on the writer thread after each transaction with its entries in sequence order (a list
     * by next): all written or none. err tells why not. */
    void (*on_written)(void *ctx, struct outbox_entry *entries, const struct err *err);
    void *ctx;
};

/* Opens or creates the file, checks its version and integrity mark, starts the writer. NULL and
 * *err. Only one process may hold an outbox: a second is refused (ERR_CONFLICT names the file). */
struct outbox *outbox_open(const struct outbox_options *options, struct err *err);
/* Any thread. 0, or -1 and *err: ERR_LIMIT when LIMIT_OUTBOX_WAITING records wait or
 * LIMIT_OUTBOX_HELD are held (a drop or a burial is never refused). */
int outbox_submit(struct outbox *outbox, struct outbox_entry *entry, struct err *err);
/* The highest sequence number committed, 0 when none ever was. Any thread. */
uint64_t outbox_last(const struct outbox *outbox);
/* Records held (committed and not released). Any thread. */
uint64_t outbox_held(const struct outbox *outbox);
/* Asks the writer to delete every record with a number <= seq; cheap, done with the next batches or
 * soon. Any thread. */
void outbox_release(struct outbox *outbox, uint64_t seq);

/* A reader over the held records, for one thread; free it before the outbox is closed. */
struct outbox_reader;
struct outbox_reader *outbox_reader_new(struct outbox *outbox, struct err *err);
void outbox_reader_free(struct outbox_reader **reader);
/* The next record with a number > after: 1 with *seq and *bytes (valid until the next call), 0 when
 * there is none, -1 and *err. */
int outbox_reader_next(struct outbox_reader *reader, uint64_t after, uint64_t *seq,
                       struct span *bytes, struct err *err);

/* Commits what waits, stops the writer, closes; sets *outbox to NULL. */
void outbox_close(struct outbox **outbox);

#endif
