/*
 * Format: a SQLite database in WAL mode.
 *
 *   held(seq, bytes)              the records that Redis could still forget
 *   dead(seq, at, reason, bytes)  records that Redis refused for good, kept for a person to look at
 *   meta(released, clean)         one row: numbers up to `released` are used up, also when no row
 *                                 shows it; `clean` is 1 after an end in good order
 *
 * To look at the dead ones:
 *   sqlite3 outbox.db "SELECT seq, datetime(at/1000,'unixepoch'), reason, length(bytes) FROM dead"
 *
 * synchronous=FULL makes each commit wait for fsync of the WAL: that is what a 2xx stands on. With
 * NORMAL, SQLite would only sync at checkpoints and a power cut could take back commits that were
 * answered for.
 *
 * Sequence numbers are given by us, not by AUTOINCREMENT: the highest one lives in memory, and on
 * opening it is the highest of held, dead and meta.released, which is written by the same
 * transaction that deletes the rows.
 *
 * Pages are 4 KiB: a record is about 3 KB and fills one. A larger page would hold several, but is
 * written whole for each commit, which at half of the engine's highest rate carries two or three
 * records: with 16 KiB twice as many bytes went to the disk, in the same processor time. The WAL is
 * folded into the file whenever it reaches WAL_PAGES and then overwritten from its start, so it is
 * bounded; it is not truncated below that size, so that a disk that fills up later leaves room to
 * work in. Debian builds SQLite to overwrite what is deleted; FAST does so only where it costs no
 * extra page, because released pages are reused within seconds anyway.
 *
 * After an unclean end SQLite's own recovery is sound; a check of the structure is made on top when
 * the file is small enough to be checked in about the time a start takes. Each record has a
 * checksum of its own (record.h).
 */
#include "engine/store/outbox_db.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 1785292147 /* "jies" */
#define FORMAT 1
#define PAGE_BYTES 4096
#define WAL_PAGES 256 /* 1 MiB: no commit is made while they are folded; 16 MiB took 10 to 25 ms */
enum {
    CHECK_BYTES = 64 * 1024 * 1024, /* after an unclean end a larger file is not checked whole */
    RELEASE_ALONE = 256, /* rows that a transaction which appends nothing deletes at the most */
    RELEASE_BESIDE = 32, /* rows that one which appends deletes at least: see release_step */
    RELEASE_PART = 64,
    TRIM_PAGES = 256,
    FREE_PAGES_KEPT = 16384, /* 64 MiB: what a second or two of full load need */
    BUSY_MS = 2000
};

struct outbox_db {
    sqlite3 *sqlite;
    char *path;
    sqlite3_stmt *begin, *commit, *rollback, *append, *drop, *bury, *release, *mark;
    uint64_t last, released;
};

int outbox_db_error(sqlite3 *sqlite, const char *path, const char *what, struct err *err)
{
    int code = sqlite == NULL ? SQLITE_NOMEM : sqlite3_errcode(sqlite);
    const char *text = sqlite == NULL ? "out of memory" : sqlite3_errmsg(sqlite);
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(
            err, ERR_IO,
            "outbox %s: damaged (%s). It may hold complaints that are not in Redis yet: do not "
            "delete it; move it aside, save what it holds with `sqlite3 FILE .recover`, and "
            "start with a fresh one",
            path, text);
    case SQLITE_FULL:
        return err_set(err, ERR_IO, "outbox %s: cannot %s: the disk is full; make room", path,
                       what);
    case SQLITE_NOMEM:
        return err_set(err, ERR_NOMEM, "outbox %s: cannot %s: %s", path, what, text);
    default:
        return err_set(err, ERR_IO, "outbox %s: cannot %s: %s (SQLite %d)", path, what, text,
                       sqlite == NULL ? code : sqlite3_extended_errcode(sqlite));
    }
}

static int exec(struct outbox_db *db, const char *sql, const char *what, struct err *err)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return outbox_db_error(db->sqlite, db->path, what, err);
}

/* Runs a query that gives one integer (0 when it gives none or NULL). */
static int query(struct outbox_db *db, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    int result = 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = outbox_db_error(db->sqlite, db->path, "read", err);
    sqlite3_finalize(stmt);
    return result;
}

/* --- opening -------------------------------------------------------------------------------- */

static int create_schema(struct outbox_db *db, struct err *err)
{
    static const char sql[] =
        "BEGIN IMMEDIATE;"
        "CREATE TABLE held(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
        "CREATE TABLE dead(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL,"
        " bytes BLOB NOT NULL);"
        "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK (one = 1), released INTEGER NOT NULL,"
        " clean INTEGER NOT NULL);"
        "INSERT INTO meta VALUES (1, 0, 1);"
        "PRAGMA application_id=1785292147;"
        "PRAGMA user_version=1;"
        "COMMIT;";
    return exec(db, sql, "create its tables", err);
}

/* Makes the tables in an empty file, refuses a file that is not ours or from another version. */
static int check_format(struct outbox_db *db, struct err *err)
{
    int64_t tables, application, format;
    if (query(db, "SELECT count(*) FROM sqlite_master", &tables, err) < 0 ||
        query(db, "PRAGMA application_id", &application, err) < 0 ||
        query(db, "PRAGMA user_version", &format, err) < 0)
        return -1;
    if (tables == 0 && application == 0)
        return create_schema(db, err);
    if (application != APPLICATION_ID)
        return err_set(err, ERR_CONFIG,
                       "outbox %s: a database, but not an outbox of jiesu; name another file",
                       db->path);
    if (format != FORMAT)
        return err_set(
            err, ERR_CONFIG,
            "outbox %s: format %lld, this program knows %d; let the program that wrote it empty it "
            "first",
            db->path, (long long)format, FORMAT);
    return 0;
}

static int check_damage(struct outbox_db *db, struct err *err)
{
    int64_t clean;
    if (query(db, "SELECT clean FROM meta", &clean, err) < 0)
        return -1;
    struct stat st;
    if (clean == 1 || stat(db->path, &st) != 0 || st.st_size > CHECK_BYTES)
        return 0;
    int64_t whole;
    if (query(db, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &whole, err) < 0)
        return -1;
    if (whole == 1)
        return 0;
    return err_set(
        err, ERR_IO,
        "outbox %s: damaged (quick_check failed). It may hold complaints that are not in Redis "
        "yet: do not delete it; move it aside, save what it holds with `sqlite3 FILE .recover`, "
        "and start with a fresh one",
        db->path);
}

static int read_numbers(struct outbox_db *db, struct err *err)
{
    int64_t released, held, dead, first;
    if (query(db, "SELECT released FROM meta", &released, err) < 0 ||
        query(db, "SELECT max(seq) FROM held", &held, err) < 0 ||
        query(db, "SELECT min(seq) FROM held", &first, err) < 0 ||
        query(db, "SELECT max(seq) FROM dead", &dead, err) < 0)
        return -1;
    int64_t last = held > released ? held : released;
    db->last = (uint64_t)(dead > last ? dead : last);
    db->released = held == 0 ? db->last : (uint64_t)(first - 1);
    return 0;
}

static int prepare(struct outbox_db *db, const char *sql, sqlite3_stmt **out, struct err *err)
{
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK)
        return 0;
    return outbox_db_error(db->sqlite, db->path, "prepare a statement", err);
}

static int prepare_all(struct outbox_db *db, struct err *err)
{
    const struct {
        const char *sql;
        sqlite3_stmt **out;
    } all[] = {
        {"BEGIN IMMEDIATE", &db->begin},
        {"COMMIT", &db->commit},
        {"ROLLBACK", &db->rollback},
        {"INSERT INTO held VALUES (?1, ?2)", &db->append},
        {"DELETE FROM held WHERE seq = ?1", &db->drop},
        {"INSERT OR IGNORE INTO dead SELECT seq, ?2, ?3, bytes FROM held WHERE seq = ?1",
         &db->bury},
        {"DELETE FROM held WHERE seq <= ?1", &db->release},
        {"UPDATE meta SET released = max(released, ?1)", &db->mark},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (prepare(db, all[i].sql, all[i].out, err) < 0)
            return -1;
    }
    return 0;
}

static int open_file(struct outbox_db *db, struct err *err)
{
    static const char settings[] = "PRAGMA page_size=4096;"
                                   "PRAGMA auto_vacuum=INCREMENTAL;"
                                   "PRAGMA journal_mode=WAL;"
                                   "PRAGMA synchronous=FULL;"
                                   "PRAGMA wal_autocheckpoint=256;"
                                   "PRAGMA journal_size_limit=16777216;"
                                   "PRAGMA secure_delete=FAST;"
                                   "PRAGMA cache_size=-16384;";
    _Static_assert(PAGE_BYTES == 4096 && WAL_PAGES == 256, "the settings say so in text");
    /* It holds personal data: ours alone. SQLite gives its other files the same rights. */
    int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "outbox: cannot open %s: %s", db->path, strerror(errno));
    close(fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(db->path, &db->sqlite, flags, NULL) != SQLITE_OK)
        return outbox_db_error(db->sqlite, db->path, "open", err);
    sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    if (exec(db, settings, "open", err) < 0 || check_format(db, err) < 0 ||
        check_damage(db, err) < 0 || read_numbers(db, err) < 0 ||
        exec(db, "UPDATE meta SET clean = 0", "write", err) < 0)
        return -1;
    return prepare_all(db, err);
}

struct outbox_db *outbox_db_open(const char *path, struct err *err)
{
    struct outbox_db *db = mem_zalloc(1, sizeof(*db));
    char *copy = mem_strndup(path, strlen(path));
    if (db == NULL || copy == NULL) {
        mem_free(db);
        mem_free(copy);
        err_set(err, ERR_NOMEM, "no memory for the outbox");
        return NULL;
    }
    db->path = copy;
    if (open_file(db, err) < 0) {
        outbox_db_close(&db);
        return NULL;
    }
    return db;
}

void outbox_db_close(struct outbox_db **db_p)
{
    struct outbox_db *db = *db_p;
    if (db == NULL)
        return;
    bool opened = db->mark != NULL; /* the last statement: all went well */
    sqlite3_stmt *all[] = {db->begin, db->commit, db->rollback, db->append,
                           db->drop,  db->bury,   db->release,  db->mark};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sqlite3_finalize(all[i]);
    if (opened)
        sqlite3_exec(db->sqlite, "UPDATE meta SET clean = 1", NULL, NULL, NULL);
    sqlite3_close(db->sqlite);
    mem_free(db->path);
    mem_free(db);
    *db_p = NULL;
}

sqlite3 *outbox_db_open_reader(const char *path, struct err *err)
{
    sqlite3 *sqlite = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &sqlite, flags, NULL) != SQLITE_OK) {
        outbox_db_error(sqlite, path, "open for reading", err);
        sqlite3_close(sqlite);
        return NULL;
    }
    sqlite3_busy_timeout(sqlite, BUSY_MS);
    return sqlite;
}

/* --- the transaction ------------------------------------------------------------------------ */

uint64_t outbox_db_last(const struct outbox_db *db)
{
    return db->last;
}

uint64_t outbox_db_released(const struct outbox_db *db)
{
    return db->released;
}

/* Runs a statement that returns no rows. */
static int run(struct outbox_db *db, sqlite3_stmt *stmt, const char *what, struct err *err)
{
    int result =
        sqlite3_step(stmt) == SQLITE_DONE ? 0 : outbox_db_error(db->sqlite, db->path, what, err);
    sqlite3_reset(stmt);
    return result;
}

static int run_numbered(struct outbox_db *db, sqlite3_stmt *stmt, uint64_t seq, const char *what,
                        struct err *err)
{
    if (sqlite3_bind_int64(stmt, 1, (sqlite3_int64)seq) != SQLITE_OK)
        return outbox_db_error(db->sqlite, db->path, what, err);
    return run(db, stmt, what, err);
}

static int append(struct outbox_db *db, const struct outbox_entry *entry, struct err *err)
{
    if (sqlite3_bind_blob64(db->append, 2, entry->bytes.ptr, entry->bytes.len, SQLITE_STATIC) !=
        SQLITE_OK)
        return outbox_db_error(db->sqlite, db->path, "write", err);
    return run_numbered(db, db->append, entry->seq, "write", err);
}

static int bury(struct outbox_db *db, const struct outbox_entry *entry, struct err *err)
{
    if (sqlite3_bind_int64(db->bury, 2, clock_now_ms()) != SQLITE_OK ||
        sqlite3_bind_text64(db->bury, 3, entry->bytes.ptr, entry->bytes.len, SQLITE_STATIC,
                            SQLITE_UTF8) != SQLITE_OK)
        return outbox_db_error(db->sqlite, db->path, "write", err);
    return run_numbered(db, db->bury, entry->seq, "write", err);
}

static int carry_out(struct outbox_db *db, struct outbox_entry *entries, uint64_t *last,
                     struct err *err)
{
    for (struct outbox_entry *e = entries; e != NULL; e = e->next) {
        int rc;
        switch (e->action) {
        case OUTBOX_DROP:
            rc = run_numbered(db, db->drop, e->seq, "write", err);
            break;
        case OUTBOX_BURY:
            rc = bury(db, e, err);
            break;
        case OUTBOX_APPEND:
        default:
            e->seq = ++*last;
            rc = append(db, e, err);
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* How many rows a transaction may delete of those that are due: a part of them, so that a release
 * of many does not hold up the commits that wait behind it. What was released together, 0.7 s'
 * worth, is deleted over some tenths of a second: with 300 rows to a transaction, 1.5 ms each, a
 * dozen of them stood one after the other, and answers behind them took 20 ms. Twice as many as are
 * appended besides, so that it keeps up with any load. */
static uint64_t release_step(uint64_t due, uint64_t appended)
{
    uint64_t step = due / RELEASE_PART;
    if (step > RELEASE_ALONE || appended == 0)
        step = RELEASE_ALONE;
    if (step < RELEASE_BESIDE)
        step = RELEASE_BESIDE;
    return step + 2 * appended;
}

static int release(struct outbox_db *db, uint64_t *released, uint64_t to, uint64_t appended,
                   struct err *err)
{
    if (to <= *released)
        return 0;
    const uint64_t due = to - *released, step = release_step(due, appended);
    *released = due > step ? *released + step : to;
    if (run_numbered(db, db->release, *released, "release", err) < 0)
        return -1;
    return run_numbered(db, db->mark, *released, "release", err);
}

int outbox_db_write(struct outbox_db *db, struct outbox_entry *entries, uint64_t release_to,
                    struct err *err)
{
    uint64_t last = db->last, released = db->released;
    if (run(db, db->begin, "begin", err) < 0)
        return -1;
    if (carry_out(db, entries, &last, err) < 0 ||
        release(db, &released, release_to, last - db->last, err) < 0 ||
        run(db, db->commit, "commit", err) < 0) {
        /* Some errors roll back by themselves; then this does nothing. */
        run(db, db->rollback, "roll back", NULL);
        return -1;
    }
    db->last = last;
    db->released = released;
    return 0;
}

void outbox_db_trim(struct outbox_db *db)
{
    int64_t pages;
    if (query(db, "PRAGMA freelist_count", &pages, NULL) < 0 || pages <= FREE_PAGES_KEPT)
        return;
    _Static_assert(TRIM_PAGES == 256, "the statement says so in text");
    sqlite3_exec(db->sqlite, "PRAGMA incremental_vacuum(256)", NULL, NULL, NULL);
}
