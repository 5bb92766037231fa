/*
 * log: one JSON object per line on stderr.
 *
 *   {"ts":"2026-03-01T08:30:00.123+08:00","level":"warn","module":"redis","event":"connect_failed",...}
 *
 * Fields are given as a list of log_field values. No caller may pass personal data: resident, text
 * and address never go to a log; ids, counts, places in files and error texts do. Each (module,
 * event) may write LIMIT_LOG_BURST lines in a second; what exceeds that is counted and told in one
 * line ("suppressed") by the first call after the second is over. Invalid UTF-8 becomes U+FFFD; a
 * line that had to be shortened ends in "cut":true. Field names are literals that need no escaping.
 * A line is written with a single write(2), so lines of threads never mix.
 */
#ifndef JIESU_BASE_LOG_H
#define JIESU_BASE_LOG_H

#include "engine/base/span.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

enum log_kind { LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_END };

struct log_field {
    enum log_kind kind;
    const char *name;
    struct span str;
    int64_t num;
};

#define LOG_STR(field_name, value) \
    ((struct log_field){.kind = LOG_KIND_STR, .name = (field_name), .str = span_str(value)})
#define LOG_SPAN(field_name, value) \
    ((struct log_field){.kind = LOG_KIND_STR, .name = (field_name), .str = (value)})
#define LOG_INT(field_name, value) \
    ((struct log_field){.kind = LOG_KIND_INT, .name = (field_name), .num = (int64_t)(value)})

/* log_write(LOG_INFO, "app", "started", LOG_INT("threads", 2)); any number of fields, also none: the
 * first element is there so that the list is never empty before the comma. */
#define log_write(level, module, event, ...)                                        \
    log_fields((level), (module), (event),                                          \
               (const struct log_field[]){                                          \
                   {.kind = LOG_KIND_END}, ##__VA_ARGS__, {.kind = LOG_KIND_END}} + \
                   1)

void log_fields(enum log_level level, const char *module, const char *event,
                const struct log_field *fields);
/* Tells at once what the rate limit has suppressed; call it before the process ends. */
void log_flush(void);
/* Lines below level are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* 0 and *level for "debug", "info", "warn", "error", "off"; -1 for another name. */
int log_parse_level(struct span name, enum log_level *level);
/* Where lines go: a file descriptor, 2 by default. Tests use it. */
void log_set_fd(int fd);

#endif
