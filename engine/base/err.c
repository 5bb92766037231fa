#include "engine/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Length of text after cutting an UTF-8 sequence that snprintf left without its end. */
static size_t whole_chars(const char *text, size_t len)
{
    size_t back = 0;
    while (back < 3 && back < len && ((unsigned char)text[len - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back == len)
        return len;
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return want > back + 1 ? len - 1 - back : len;
}

/* What snprintf(out, size, ...) returned, as the length that stands in out. */
static size_t settle(char *out, size_t size, int written)
{
    if (written < 0) {
        out[0] = '\0';
        return 0;
    }
    size_t len = (size_t)written;
    if (len >= size) {
        len = whole_chars(out, size - 1);
        out[len] = '\0';
    }
    return len;
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    /* Formatted aside, because an argument may be err->text itself. */
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    size_t len = settle(text, sizeof(text), vsnprintf(text, sizeof(text), fmt, args));
    va_end(args);
    memcpy(err->text, text, len + 1);
    err->code = code;
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    char text[2 * sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    size_t len = settle(text, sizeof(err->text), vsnprintf(text, sizeof(err->text), fmt, args));
    va_end(args);
    snprintf(text + len, sizeof(text) - len, ": %s", err->text);
    settle(err->text, sizeof(err->text), snprintf(err->text, sizeof(err->text), "%s", text));
    return -1;
}

const char *err_name(enum err_code code)
{
    switch (code) {
#define X(constant, name, text) \
    case constant:              \
        return name;
        ERR_TABLE(X)
#undef X
    }
    return "unknown";
}
