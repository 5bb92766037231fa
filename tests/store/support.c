#include "tests/store/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_STEPS = 500, STEP_MS = 10, MAX_ARGS = 64 };

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "test support: %s: %s\n", what, strerror(errno));
    abort();
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = STEP_MS * 1000000L};
    nanosleep(&t, NULL);
}

static _Noreturn void become_server(const struct test_redis *redis, pid_t parent)
{
    char extra[sizeof(redis->extra)], port[16], *save = NULL;
    const char *argv[MAX_ARGS] = {"redis-server", "--port",        port,       "--unixsocket",
                                  redis->socket,  "--dir",         redis->dir, "--logfile",
                                  "redis.log",    "--save",        "",         "--appendonly",
                                  "yes",          "--appendfsync", "everysec"};
    size_t argc = 15;
    memcpy(extra, redis->extra, sizeof(extra));
    snprintf(port, sizeof(port), "%d", redis->port);
    for (char *word = strtok_r(extra, " ", &save); word != NULL && argc + 1 < MAX_ARGS;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(word, "''") == 0 ? "" : word;
    argv[argc] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

/* True when it answers PING, also with "authentication required". */
static bool server_answers(const struct test_redis *redis)
{
    redisContext *c = redisConnectUnix(redis->socket);
    if (c == NULL)
        die("redisConnectUnix");
    bool good = false;
    if (c->err == 0) {
        redisReply *reply = redisCommand(c, "PING");
        good = reply != NULL &&
               (reply->type == REDIS_REPLY_STATUS || strncmp(reply->str, "NOAUTH", 6) == 0);
        if (reply != NULL)
            freeReplyObject(reply);
    }
    redisFree(c);
    return good;
}

void test_redis_restart(struct test_redis *redis)
{
    unlink(redis->socket);
    pid_t parent = getpid();
    redis->pid = fork();
    if (redis->pid < 0)
        die("fork");
    if (redis->pid == 0)
        become_server(redis, parent);
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (server_answers(redis))
            return;
        int status;
        if (waitpid(redis->pid, &status, WNOHANG) == redis->pid)
            die("redis-server ended at once; see redis.log in its directory");
        nap();
    }
    die("redis-server does not answer");
}

static void start(struct test_redis *redis, const char *extra, int port)
{
    *redis = (struct test_redis){.port = port};
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    strcpy(redis->dir, "/tmp/jiesu-test-XXXXXX");
    if (mkdtemp(redis->dir) == NULL)
        die("mkdtemp");
    snprintf(redis->socket, sizeof(redis->socket), "%s/s", redis->dir);
    snprintf(redis->extra, sizeof(redis->extra), "%s", extra == NULL ? "" : extra);
    test_redis_restart(redis);
}

void test_redis_start(struct test_redis *redis, const char *extra)
{
    start(redis, extra, 0);
}

void test_redis_start_tcp(struct test_redis *redis, const char *extra)
{
    start(redis, extra, test_free_port());
}

void test_redis_kill(struct test_redis *redis)
{
    if (redis->pid <= 0)
        return;
    kill(redis->pid, SIGKILL);
    while (waitpid(redis->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    redis->pid = 0;
}

void test_redis_freeze(struct test_redis *redis)
{
    if (kill(redis->pid, SIGSTOP) != 0)
        die("SIGSTOP");
}

void test_redis_thaw(struct test_redis *redis)
{
    if (kill(redis->pid, SIGCONT) != 0)
        die("SIGCONT");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void test_remove_dir(const char *dir)
{
    if (strncmp(dir, "/tmp/", 5) != 0 || strstr(dir, "..") != NULL)
        die("not a directory of a test");
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void test_redis_stop(struct test_redis *redis)
{
    test_redis_kill(redis);
    test_remove_dir(redis->dir);
}

static void describe(const redisReply *reply, char *out, size_t size)
{
    size_t len = strlen(out);
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        snprintf(out + len, size - len, "%lld", reply->integer);
        break;
    case REDIS_REPLY_NIL:
        snprintf(out + len, size - len, "(nil)");
        break;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++) {
            if (i > 0) {
                len = strlen(out);
                snprintf(out + len, size - len, "\n");
            }
            describe(reply->element[i], out, size);
        }
        break;
    default:
        snprintf(out + len, size - len, "%s%s", reply->type == REDIS_REPLY_ERROR ? "ERR: " : "",
                 reply->str);
    }
}

const char *test_redis_ask(const struct test_redis *redis, const char *words)
{
    static char out[1 << 16];
    char copy[4096], *save = NULL;
    const char *argv[MAX_ARGS];
    int argc = 0;
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok_r(copy, " ", &save); word != NULL && argc < MAX_ARGS;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(word, "''") == 0 ? "" : word;
    redisContext *c = redisConnectUnix(redis->socket);
    if (c == NULL || c->err != 0)
        die("cannot connect to the test's redis-server");
    redisReply *reply = redisCommandArgv(c, argc, argv, NULL);
    if (reply == NULL)
        die("no reply from the test's redis-server");
    out[0] = '\0';
    describe(reply, out, sizeof(out));
    freeReplyObject(reply);
    redisFree(c);
    return out;
}

struct redis_target test_redis_target(const struct test_redis *redis)
{
    struct redis_target target = {.unix_socket = true, .count = 1};
    snprintf(target.host[0], sizeof(target.host[0]), "%s", redis->socket);
    return target;
}

/* Below those that the system gives out, so that no test beside us gets it before it is used. The bus
 * of a Cluster's node is 10,000 above. */
int test_free_port(void)
{
    enum { FIRST_PORT = 10000, PORTS = 5000, STEP = 37 };
    static unsigned next;
    next = next == 0 ? (unsigned)getpid() * STEP : next + 1;
    for (unsigned tried = 0; tried < PORTS; tried++, next++) {
        const int port = FIRST_PORT + (int)(next % PORTS);
        const struct sockaddr_in at = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    die("no free port");
}

static void time_is_up(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void timer_closed(uv_handle_t *timer)
{
    *(bool *)timer->data = true;
}

bool test_run_until(uv_loop_t *loop, const bool *flag, uint64_t timeout_ms)
{
    bool over = false, closed = false;
    uv_timer_t timer;
    if (uv_timer_init(loop, &timer) != 0)
        die("uv_timer_init");
    uv_update_time(loop);
    timer.data = &over;
    uv_timer_start(&timer, time_is_up, timeout_ms, 0);
    while (!*flag && !over)
        uv_run(loop, UV_RUN_ONCE);
    timer.data = &closed;
    uv_close((uv_handle_t *)&timer, timer_closed);
    while (!closed)
        uv_run(loop, UV_RUN_NOWAIT);
    return *flag;
}

void test_run_for(uv_loop_t *loop, uint64_t ms)
{
    static const bool never = false;
    test_run_until(loop, &never, ms);
}

void test_loop_close(uv_loop_t *loop)
{
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (uv_run(loop, UV_RUN_NOWAIT) == 0)
            break;
        nap();
    }
    if (uv_loop_close(loop) != 0) {
        uv_print_all_handles(loop, stderr);
        die("the loop still has open handles");
    }
}
