#include "engine/base/proc.h"

#include "engine/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t start_ms;

/* Clock ticks from boot to the start of the process, field 22 of /proc/self/stat; -1 when unknown.
 */
static int64_t start_ticks(void)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    /* The second field, the program's name, may hold spaces and parentheses: count behind its end.
     */
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at == NULL ? -1 : (int64_t)strtoll(at, NULL, 10);
}

static void find_start(void)
{
    struct timespec up;
    int64_t ticks = start_ticks();
    if (ticks < 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return;
    int64_t boot_ms = clock_real_ms() - ((int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000);
    start_ms = boot_ms + ticks * 1000 / sysconf(_SC_CLK_TCK);
}

int64_t proc_start_ms(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_start);
    return start_ms;
}

uint64_t proc_cpu_ns(void)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

int64_t proc_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return -1;
    int64_t n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* without the directory itself */
}
