/*
 * A line is built on the stack and written with one write(2) of at most LIMIT_LOG_LINE_BYTES, which
 * a pipe takes whole (PIPE_BUF), so lines of threads and of processes never mix. Only the table of
 * the rate limit is under the lock; nothing is written while it is held. There is no timer: what
 * was suppressed is told by the first line of any event after the second is over, or by log_flush.
 */
#include "engine/base/log.h"

#include "engine/base/clock.h"
#include "engine/base/limiter.h"
#include "engine/base/limits.h"
#include "engine/base/metric.h"
#include "engine/base/names.h"
#include "engine/base/utf.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One long field must not push out those that follow it. */
#define FIELD_BYTES (LIMIT_LOG_LINE_BYTES / 4)

/* What ends a line, with the note that something was cut. */
static const char end_cut[] = ",\"cut\":true}\n";

struct line {
    char data[LIMIT_LOG_LINE_BYTES];
    size_t len;
    bool cut;
};

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

static _Atomic int current_level = LOG_INFO;
static _Atomic int current_fd = STDERR_FILENO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct limiter limiter; /* under lock */

static size_t room(const struct line *line)
{
    return sizeof(line->data) - (sizeof(end_cut) - 1) - line->len;
}

static void put(struct line *line, const char *text, size_t len)
{
    memcpy(line->data + line->len, text, len);
    line->len += len;
}

/* Takes one character from *s and gives it as it stands in a JSON string; returns the length. */
static size_t escape(struct span *s, char out[8])
{
    uint32_t cp;
    size_t len = utf8_decode(*s, &cp);
    const char *from = s->ptr;
    *s = span_sub(*s, len == 0 ? 1 : len, s->len);
    if (len == 0)
        return utf8_encode(0xFFFD, out);
    if (cp == '"' || cp == '\\') {
        out[0] = '\\';
        out[1] = (char)cp;
        return 2;
    }
    if (cp == '\n') {
        out[0] = '\\';
        out[1] = 'n';
        return 2;
    }
    if (cp < 0x20)
        return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)cp);
    memcpy(out, from, len);
    return len;
}

/* A JSON string, cut when it is longer than a field may be. The caller has seen to FIELD_BYTES of
 * room, or to as much as there is; at least two bytes. */
static void put_string(struct line *line, struct span s)
{
    size_t budget = room(line) < FIELD_BYTES ? room(line) : FIELD_BYTES;
    size_t stop = line->len + budget - 1;
    put(line, "\"", 1);
    while (s.len > 0) {
        char piece[8];
        size_t len = escape(&s, piece);
        if (line->len + len > stop) {
            line->cut = true;
            break;
        }
        put(line, piece, len);
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const struct log_field *field)
{
    size_t name = strlen(field->name);
    /* ,"name": and the longest number, or a string of some use */
    if (room(line) < name + 4 + 24) {
        line->cut = true;
        return;
    }
    put(line, ",\"", 2);
    put(line, field->name, name);
    put(line, "\":", 2);
    if (field->kind == LOG_KIND_STR) {
        put_string(line, field->str);
        return;
    }
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)field->num);
    put(line, digits, (size_t)len);
}

static void line_begin(struct line *line, enum log_level level, const char *module,
                       const char *event)
{
    char now[CLOCK_RFC3339_BYTES];
    line->len = 0;
    line->cut = false;
    put(line, "{\"ts\":", 6);
    put_string(line, span_str(clock_format(clock_now_ms(), now)));
    put_field(line, &LOG_STR("level", level_names[level]));
    put_field(line, &LOG_STR("module", module));
    put_field(line, &LOG_STR("event", event));
}

static void line_end(struct line *line)
{
    const char *end = line->cut ? end_cut : "}\n";
    put(line, end, strlen(end));
    int fd = atomic_load_explicit(&current_fd, memory_order_relaxed);
    /* A log that cannot be written is lost: there is nowhere to tell it. */
    while (write(fd, line->data, line->len) < 0 && errno == EINTR)
        continue;
}

static void tell_suppressed(const struct limiter_row *row)
{
    struct line line;
    line_begin(&line, LOG_WARN, row->module, "suppressed");
    put_field(&line, &LOG_STR("suppressed_event", row->event));
    put_field(&line, &LOG_INT("lines", row->suppressed));
    line_end(&line);
}

static bool next_report(int64_t now_ms, bool all, struct limiter_row *out)
{
    pthread_mutex_lock(&lock);
    bool found = limiter_report(&limiter, now_ms, all, out);
    pthread_mutex_unlock(&lock);
    return found;
}

static void report(int64_t now_ms, bool all)
{
    struct limiter_row row;
    while (next_report(now_ms, all, &row))
        tell_suppressed(&row);
}

void log_fields(enum log_level level, const char *module, const char *event,
                const struct log_field *fields)
{
    if (level < log_get_level() || level >= LOG_OFF)
        return;
    int64_t now = clock_steady_ms();
    report(now, false);
    pthread_mutex_lock(&lock);
    bool may = limiter_take(&limiter, module, event, now);
    pthread_mutex_unlock(&lock);
    if (!may) {
        metric_add(METRIC_LOG_SUPPRESSED, 1);
        return;
    }
    struct line line;
    line_begin(&line, level, module, event);
    for (; fields->kind != LOG_KIND_END; fields++)
        put_field(&line, fields);
    line_end(&line);
}

void log_flush(void)
{
    report(clock_steady_ms(), true);
}

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_parse_level(struct span name, enum log_level *level)
{
    const int at = NAMES_FIND(level_names, name);
    if (at < 0)
        return -1;
    *level = (enum log_level)at;
    return 0;
}

void log_set_fd(int fd)
{
    atomic_store(&current_fd, fd);
}
