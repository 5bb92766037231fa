#include "engine/cli/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *command_rules_dir(const char *given)
{
    if (given != NULL)
        return given;
    const char *set = getenv("JIESU_RULES");
    if (set != NULL && set[0] != '\0')
        return set;
    return access("rules/categories", R_OK) == 0 ? "rules" : JIESU_SHARE "/rules";
}

int command_fail(const char *command, int status, const struct err *err)
{
    fprintf(stderr, "jiesu %s: %s\n", command, err->text);
    return status;
}

int command_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "jiesu %s: ", command);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "; see jiesu %s --help\n", command);
    va_end(args);
    return COMMAND_USAGE;
}

int command_flush(struct buf *out)
{
    struct span bytes = buf_view(out);
    bool ok =
        buf_ok(out) && (bytes.len == 0 || fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len);
    buf_clear(out);
    return ok && fflush(stdout) == 0 ? 0 : -1;
}
