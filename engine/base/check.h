/*
 * check: assertions that stay on in release builds.
 *
 * CHECK is for what cannot happen unless the program itself is wrong: it prints the place and
 * aborts. What a peer, a file or a user can cause is an error (err.h), never a CHECK.
 */
#ifndef JIESU_BASE_CHECK_H
#define JIESU_BASE_CHECK_H

#define CHECK(cond)                                  \
    do {                                             \
        if (__builtin_expect(!(cond), 0))            \
            check_failed(__FILE__, __LINE__, #cond); \
    } while (0)

/* Prints "file:line: check failed: what" to stderr and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#endif
