#include "bench/shared/engine.h"

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 60000, LOOK_MS = 20, STOP_MS = 60000, ANSWER_BYTES = 64, LOG_BYTES = 65536 };

static void wait_ms(int ms)
{
    (void)usleep((useconds_t)ms * 1000);
}

static _Noreturn void become(const struct engine_options *o, const char *log)
{
    const int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(127);
    execl(o->program, o->program, "serve", "--listen", "127.0.0.1:0", "--data", o->dir, "--rules",
          o->rules, "--redis", o->redis == NULL ? "" : o->redis, (char *)NULL);
    _exit(127);
}

/* The port in {"event":"listening","port":8080,...}; 0 when it is not there yet. */
static int find_port(const char *log)
{
    char text[LOG_BYTES];
    uint64_t port = 0;
    const int fd = open(log, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    if (fd >= 0)
        (void)close(fd);
    struct span rest = span_of(text, n > 0 ? (size_t)n : 0);
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        const ptrdiff_t at = span_find(line, SPAN("\"port\":"));
        if (at < 0 || span_find(line, SPAN("\"event\":\"listening\"")) < 0)
            continue;
        line = span_sub(line, (size_t)at + strlen("\"port\":"), line.len);
        size_t digits = 0;
        while (digits < line.len && line.ptr[digits] >= '0' && line.ptr[digits] <= '9')
            digits++;
        if (span_to_u64(span_sub(line, 0, digits), 65535, &port) == 0)
            return (int)port;
    }
    return 0;
}

static bool is_ready(int port)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    char answer[ANSWER_BYTES] = "";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) <= 0)
        answer[0] = '\0';
    (void)close(fd);
    return strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

int engine_start(struct engine_process *engine, const struct engine_options *options,
                 struct err *err)
{
    char log[PATH_MAX];
    (void)snprintf(log, sizeof(log), "%s.log", options->dir);
    (void)unlink(log);
    *engine = (struct engine_process){.pid = fork()};
    if (engine->pid == 0)
        become(options, log);
    if (engine->pid < 0) {
        engine->pid = 0;
        return err_set(err, ERR_IO, "fork: %s", strerror(errno));
    }
    const int64_t until = clock_steady_ms() + START_MS;
    while (clock_steady_ms() < until && waitpid(engine->pid, NULL, WNOHANG) == 0) {
        if (engine->port == 0)
            engine->port = find_port(log);
        if (engine->port != 0 && is_ready(engine->port))
            return 0;
        wait_ms(LOOK_MS);
    }
    engine_stop(engine);
    return err_set(err, ERR_UNAVAILABLE, "%s did not become ready; see %s", options->program, log);
}

void engine_stop(struct engine_process *engine)
{
    if (engine->pid <= 0)
        return;
    const int64_t until = clock_steady_ms() + STOP_MS;
    (void)kill(engine->pid, SIGTERM);
    while (waitpid(engine->pid, NULL, WNOHANG) == 0) {
        if (clock_steady_ms() > until)
            (void)kill(engine->pid, SIGKILL);
        wait_ms(LOOK_MS);
    }
    *engine = (struct engine_process){.pid = 0};
}

const char *engine_program(char *out, size_t size)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    (void)snprintf(out, size, "%.3000s/../jiesu", self);
    return out;
}

static ssize_t read_text(const char *path, char *out, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0)
        (void)close(fd);
    out[n < 0 ? 0 : n] = '\0';
    return n;
}

pid_t engine_redis_pid(const char *dir)
{
    char path[PATH_MAX], text[32];
    (void)snprintf(path, sizeof(path), "%.4000s/redis/redis.pid", dir);
    return read_text(path, text, sizeof(text)) <= 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

/* Of the words behind the name in brackets the 12th and 13th are user and system time in ticks. */
double process_cpu_s(pid_t pid)
{
    char path[64], text[1024];
    uint64_t ticks = 0, sum = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const char *behind =
        pid > 0 && read_text(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
    if (behind == NULL)
        return 0;
    struct span rest = span_str(behind + 2);
    for (int word = 1; word <= 13; word++) {
        const struct span s = span_cut(&rest, ' ');
        if (word >= 12 && span_to_u64(s, UINT64_MAX, &ticks) == 0)
            sum += ticks;
    }
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

void folder_remove(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
