/*
 * outbox_db: the SQLite file under the outbox: its format, its transaction, its damage. Internal to
 * the store; a connection is used by one thread.
 */
#ifndef JIESU_STORE_OUTBOX_DB_H
#define JIESU_STORE_OUTBOX_DB_H

#include "engine/base/err.h"
#include "engine/store/outbox.h"

#include <stdint.h>

struct sqlite3;
struct outbox_db;

/* Opens or creates the file for writing, looks for damage and marks it as in use. NULL and *err. */
struct outbox_db *outbox_db_open(const char *path, struct err *err);
/* Marks the file as closed in good order, closes it, sets *db to NULL. */
void outbox_db_close(struct outbox_db **db);

/* The highest sequence number ever committed, and the one up to which records were released. */
uint64_t outbox_db_last(const struct outbox_db *db);
uint64_t outbox_db_released(const struct outbox_db *db);

/* One transaction: carries out the entries (a list by next), numbering the appended ones, and
 * releases some of what stands at or below release_to. 0, or -1 and *err: nothing of it happened.
 */
int outbox_db_write(struct outbox_db *db, struct outbox_entry *entries, uint64_t release_to,
                    struct err *err);
/* Gives a part of the free pages back to the file system; cheap when there are few. */
void outbox_db_trim(struct outbox_db *db);

/* For the reader's own connection: opens the file read-only. NULL and *err. */
struct sqlite3 *outbox_db_open_reader(const char *path, struct err *err);
/* Fills *err from the connection's last error. Returns -1. */
int outbox_db_error(struct sqlite3 *sqlite, const char *path, const char *what, struct err *err);

#endif
