/*
 * err: one error, carried by value.
 *
 * A function that can fail takes `struct err *err` last, returns -1 (or NULL) and fills it. `err`
 * may be NULL where the caller only wants to know that it failed. The text says what went wrong,
 * where, and what to do; it never holds personal data.
 */
#ifndef JIESU_BASE_ERR_H
#define JIESU_BASE_ERR_H

/* One row: the enum constant, the stable name shown to clients and logs, and what it means. */
#define ERR_TABLE(X)                                                      \
    X(ERR_NONE, "none", "no error")                                       \
    X(ERR_NOMEM, "out-of-memory", "an allocation failed")                 \
    X(ERR_IO, "io", "the operating system refused a read or a write")     \
    X(ERR_SYNTAX, "syntax", "the input does not follow its grammar")      \
    X(ERR_INVALID, "invalid", "the input is well-formed but not allowed") \
    X(ERR_LIMIT, "limit", "a bound of limits.h was reached")              \
    X(ERR_NOT_FOUND, "not-found", "no such thing")                        \
    X(ERR_CONFLICT, "conflict", "the state does not allow this step")     \
    X(ERR_UNAVAILABLE, "unavailable", "a peer cannot be reached now")     \
    X(ERR_TIMEOUT, "timeout", "a peer did not answer in time")            \
    X(ERR_PROTOCOL, "protocol", "a peer broke its protocol")              \
    X(ERR_CONFIG, "configuration", "the configuration cannot be used")

enum err_code {
#define X(code, name, text) code,
    ERR_TABLE(X)
#undef X
};

struct err {
    enum err_code code;
    char text[512]; /* NUL-terminated UTF-8, cut at a character boundary when too long */
};

/* Fills *err (when not NULL) and returns -1, so that a failing function can `return err_set(...)`.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of err->text, for a caller that knows the place. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The stable name of a code, from ERR_TABLE; never NULL. */
const char *err_name(enum err_code code);

#endif
