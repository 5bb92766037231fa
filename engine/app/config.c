#include "engine/app/config.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_text, KIND_number, KIND_boolean, KIND_address, KIND_level, KIND_time };

static const struct row {
    const char *name;
    enum kind kind;
    const char *dflt;
    long min, max;
    const char *meaning;
} rows[SETTING_COUNT] = {
#define X(constant, name, kind, dflt, min, max, meaning) \
    [constant] = {(name), KIND_##kind, (dflt), (min), (max), (meaning)},
    SETTING_TABLE(X)
#undef X
};

void config_init(struct config *config)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        (void)snprintf(config->values[i], CONFIG_VALUE_BYTES, "%s", rows[i].dflt);
}

const char *config_name(enum setting setting)
{
    return rows[setting].name;
}

static int check_number(const struct row *row, struct span value, struct err *err)
{
    uint64_t n = 0;
    if (span_to_u64(value, (uint64_t)row->max, &n) < 0 || n < (uint64_t)row->min)
        return err_set(err, ERR_CONFIG, "%s must be a number from %ld to %ld", row->name, row->min,
                       row->max);
    return 0;
}

static int check_boolean(const struct row *row, struct span value, struct err *err)
{
    if (!span_eq(value, SPAN("yes")) && !span_eq(value, SPAN("no")))
        return err_set(err, ERR_CONFIG, "%s must be yes or no", row->name);
    return 0;
}

/* HOST:PORT; an IPv6 host stands in brackets. Whether the host can be had is found out when
 * listening. */
static int check_address(const struct row *row, struct span value, struct err *err)
{
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ':')
            colon = (ptrdiff_t)i;
    }
    uint64_t port = 0;
    if (colon < 1 || span_to_u64(span_sub(value, (size_t)colon + 1, value.len), 65535, &port) < 0)
        return err_set(err, ERR_CONFIG,
                       "%s must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080", row->name);
    return 0;
}

static int check_level(const struct row *row, struct span value, struct err *err)
{
    enum log_level level;
    if (log_parse_level(value, &level) < 0)
        return err_set(err, ERR_CONFIG, "%s must be debug, info, warn, error or off", row->name);
    return 0;
}

static int check_time(const struct row *row, struct span value, struct err *err)
{
    int64_t ms;
    if (value.len > 0 && clock_parse(value, &ms) < 0)
        return err_set(err, ERR_CONFIG,
                       "%s must be a time with its offset, such as 2026-03-02T08:00:00+08:00",
                       row->name);
    return 0;
}

static int check(const struct row *row, struct span value, struct err *err)
{
    if (value.len >= CONFIG_VALUE_BYTES)
        return err_set(err, ERR_CONFIG, "%s is too long: at most %d bytes", row->name,
                       CONFIG_VALUE_BYTES - 1);
    if (span_find_char(value, '\0') >= 0)
        return err_set(err, ERR_CONFIG, "%s must not hold a NUL byte", row->name);
    switch (row->kind) {
    case KIND_text:
        return 0;
    case KIND_number:
        return check_number(row, value, err);
    case KIND_boolean:
        return check_boolean(row, value, err);
    case KIND_address:
        return check_address(row, value, err);
    case KIND_level:
        return check_level(row, value, err);
    case KIND_time:
        return check_time(row, value, err);
    }
    return 0;
}

static int unknown(struct span name, struct err *err)
{
    struct buf names = {0};
    for (int i = 0; i < SETTING_COUNT; i++) {
        buf_str(&names, i == 0 ? "" : ", ");
        buf_str(&names, rows[i].name);
    }
    const char *list = buf_cstr(&names);
    (void)err_set(err, ERR_CONFIG, "there is no setting \"%.*s\"; the settings are %s",
                  SPAN_ARG(span_sub(name, 0, 64)), list == NULL ? "in --help" : list);
    buf_free(&names);
    return -1;
}

int config_set(struct config *config, struct span name, struct span value, struct err *err)
{
    const int at = NAMES_FIND_BY(rows, name, name);
    if (at < 0)
        return unknown(name, err);
    if (check(&rows[at], value, err) < 0)
        return -1;
    (void)snprintf(config->values[at], CONFIG_VALUE_BYTES, "%.*s", SPAN_ARG(value));
    return 0;
}

/* One line without its comment: "key value", or nothing. */
static int parse_line(struct config *config, struct span line, struct err *err)
{
    struct span rest = span_trim(line);
    if (rest.len == 0 || rest.ptr[0] == '#')
        return 0;
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != ' ' && rest.ptr[end] != '\t')
        end++;
    return config_set(config, span_sub(rest, 0, end), span_trim(span_sub(rest, end, rest.len)),
                      err);
}

int config_parse(struct config *config, struct span text, const char *name, struct err *err)
{
    for (int number = 1; text.len > 0; number++) {
        if (parse_line(config, span_cut(&text, '\n'), err) < 0)
            return err_prefix(err, "%s:%d", name, number);
    }
    return 0;
}

int config_file(struct config *config, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    static char text[LIMIT_CONFIG_BYTES + 1];
    const size_t len = fread(text, 1, sizeof(text), file);
    const bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        return err_set(err, ERR_IO, "%s: it cannot be read", path);
    if (len > LIMIT_CONFIG_BYTES)
        return err_set(err, ERR_CONFIG, "%s: larger than %d bytes", path, LIMIT_CONFIG_BYTES);
    return config_parse(config, span_of(text, len), path, err);
}

int config_environ(struct config *config, char *const *environment, struct err *err)
{
    static const char prefix[] = "JIESU_";
    for (; *environment != NULL; environment++) {
        struct span rest = span_str(*environment);
        if (!span_starts(rest, SPAN("JIESU_")))
            continue;
        rest = span_sub(rest, sizeof(prefix) - 1, rest.len);
        const struct span upper = span_cut(&rest, '=');
        char name[64];
        size_t len = upper.len < sizeof(name) - 1 ? upper.len : sizeof(name) - 1;
        for (size_t i = 0; i < len; i++)
            name[i] = upper.ptr[i] == '_' ? '-' : (char)tolower((unsigned char)upper.ptr[i]);
        name[len] = '\0';
        if (config_set(config, span_str(name), rest, err) < 0)
            return err_prefix(err, "environment variable %s%.*s", prefix,
                              SPAN_ARG(span_sub(upper, 0, 64)));
    }
    return 0;
}

void config_help(FILE *out)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        (void)fprintf(out, "  --%-22s %s", rows[i].name, rows[i].meaning);
        if (rows[i].kind == KIND_number)
            (void)fprintf(out, " (%ld to %ld)", rows[i].min, rows[i].max);
        (void)fprintf(out, "%s%s%s\n", rows[i].dflt[0] == '\0' ? "" : " [", rows[i].dflt,
                      rows[i].dflt[0] == '\0' ? "" : "]");
    }
}

const char *config_text(const struct config *config, enum setting setting)
{
    return config->values[setting];
}

long config_number(const struct config *config, enum setting setting)
{
    uint64_t n = 0;
    CHECK(rows[setting].kind == KIND_number);
    CHECK(span_to_u64(span_str(config->values[setting]), (uint64_t)rows[setting].max, &n) == 0);
    return (long)n;
}

int config_bool(const struct config *config, enum setting setting)
{
    return strcmp(config->values[setting], "yes") == 0;
}

int64_t config_time(const struct config *config, enum setting setting, int64_t otherwise)
{
    int64_t ms = otherwise;
    const char *text = config->values[setting];
    CHECK(rows[setting].kind == KIND_time);
    CHECK(text[0] == '\0' || clock_parse(span_str(text), &ms) == 0);
    return ms;
}
