#include "engine/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: check failed: %s\n", file, line, what);
    abort();
}
