/*
 * Reads in pages: one query fills a buffer with up to PAGE_ROWS records, then its snapshot is given
 * up at once. A snapshot that stayed open would keep SQLite from starting the WAL over, and the WAL
 * would grow.
 */
#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/store/outbox.h"
#include "engine/store/outbox_db.h"
#include "engine/store/outbox_private.h"

#include <sqlite3.h>

enum { PAGE_ROWS = 64, PAGE_BYTES = 1024 * 1024 };

struct outbox_reader {
    struct outbox *outbox;
    sqlite3 *sqlite;
    sqlite3_stmt *select;
    struct buf bytes; /* the records of the page, one after the other */
    uint64_t seq[PAGE_ROWS];
    size_t end[PAGE_ROWS]; /* where each one ends in bytes */
    size_t count, at;      /* rows in the page; the next to be given */
    uint64_t given;        /* the number given last */
};

struct outbox_reader *outbox_reader_new(struct outbox *outbox, struct err *err)
{
    struct outbox_reader *reader = mem_zalloc(1, sizeof(*reader));
    if (reader == NULL) {
        err_set(err, ERR_NOMEM, "no memory to read the outbox");
        return NULL;
    }
    reader->outbox = outbox;
    reader->sqlite = outbox_db_open_reader(outbox_path(outbox), err);
    static const char sql[] = "SELECT seq, bytes FROM held WHERE seq > ?1 ORDER BY seq LIMIT 64";
    _Static_assert(PAGE_ROWS == 64, "the statement says so in text");
    if (reader->sqlite != NULL &&
        sqlite3_prepare_v3(reader->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &reader->select,
                           NULL) != SQLITE_OK)
        outbox_db_error(reader->sqlite, outbox_path(outbox), "read", err);
    if (reader->select == NULL)
        outbox_reader_free(&reader);
    return reader;
}

void outbox_reader_free(struct outbox_reader **reader_p)
{
    struct outbox_reader *reader = *reader_p;
    if (reader == NULL)
        return;
    sqlite3_finalize(reader->select);
    sqlite3_close(reader->sqlite);
    buf_free(&reader->bytes);
    mem_free(reader);
    *reader_p = NULL;
}

/* Copies rows into the page until it is full. Returns the last code of sqlite3_step. */
static int copy_rows(struct outbox_reader *reader)
{
    int rc = SQLITE_DONE;
    while (reader->count < PAGE_ROWS && reader->bytes.len < PAGE_BYTES &&
           (rc = sqlite3_step(reader->select)) == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(reader->select, 1);
        buf_append(&reader->bytes, blob, (size_t)sqlite3_column_bytes(reader->select, 1));
        if (!buf_ok(&reader->bytes))
            return SQLITE_NOMEM;
        reader->seq[reader->count] = (uint64_t)sqlite3_column_int64(reader->select, 0);
        reader->end[reader->count++] = reader->bytes.len;
    }
    return rc;
}

static int read_page(struct outbox_reader *reader, uint64_t after, struct err *err)
{
    reader->count = reader->at = 0;
    buf_clear(&reader->bytes);
    sqlite3_bind_int64(reader->select, 1, (sqlite3_int64)after);
    int rc = copy_rows(reader);
    int result = 0;
    if (rc == SQLITE_NOMEM)
        result = err_set(err, ERR_NOMEM, "no memory to read the outbox");
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = outbox_db_error(reader->sqlite, outbox_path(reader->outbox), "read", err);
    sqlite3_reset(reader->select);
    if (result < 0)
        reader->count = 0;
    return result;
}

int outbox_reader_next(struct outbox_reader *reader, uint64_t after, uint64_t *seq,
                       struct span *bytes, struct err *err)
{
    if (reader->at >= reader->count || after != reader->given) {
        if (read_page(reader, after, err) < 0)
            return -1;
        if (reader->count == 0)
            return 0;
    }
    size_t from = reader->at == 0 ? 0 : reader->end[reader->at - 1];
    *seq = reader->seq[reader->at];
    *bytes = span_sub(buf_view(&reader->bytes), from, reader->end[reader->at]);
    reader->given = *seq;
    reader->at++;
    return 1;
}
