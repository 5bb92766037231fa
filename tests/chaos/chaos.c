/*
 * chaos: residents' backends post complaints and retry, while, one fault a round,
 *
 *   engine   jiesu is killed with -9
 *   redis    Redis is killed with -9
 *   cut      Redis is killed and loses the tail of its append-only file, up to the last second
 *   both     jiesu and Redis are killed, and Redis loses its tail
 *   freeze   Redis is stopped for 5 s
 *   disk     the disk under the outbox is full for a while
 *
 * and workers' backends take up some of the orders, step by step; and when it is over, every
 * complaint that was acknowledged must be exactly one order, and stand once in each queue that it
 * names until it was accepted; every entry of every queue must belong to such an order, which names
 * it; and every step that was acknowledged must stand in its history, once.
 * The engine, whose clock runs fast, hands over and warns meanwhile. The faults, their order and their moments come from
 * the seed.
 *
 *   chaos --engine build/jiesu --rules rules --texts FILE.tsv --dir DIR
 *         [--disk DIR] [--rounds N] [--seed N]
 *
 * --disk names a folder on a small file system of its own, for the outbox; without it the disk
 * fault is made by the file size limit of the engine's process.
 */
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/chaos/chaos_check.h"
#include "tests/chaos/chaos_clients.h"
#include "tests/chaos/chaos_redis.h"
#include "tests/chaos/chaos_workers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS = 4,
    WORKERS = 3,
    TICK_MS = 20,
    FREEZE_MS = 5000,
    RECOVER_MS = 30000, /* to be acknowledged with 201 again after a fault */
    RECOVERED = 20,     /* that many 201 after a fault: recovered */
    FINISH_MS = 60000,
    PATH_ROOM = 256
};

/* A post's turn to accept, 5 minutes, is over in 15 s, so that orders are handed over meanwhile. */
#define CLOCK_SPEED "20"

#define FAULT_TABLE(X) X(engine) X(redis) X(cut) X(both) X(freeze) X(disk)
enum fault {
#define X(name) FAULT_##name,
    FAULT_TABLE(X)
#undef X
        FAULTS
};
static const char *const fault_names[FAULTS] = {
#define X(name) #name,
    FAULT_TABLE(X)
#undef X
};

enum stage { STAGE_CALM, STAGE_FAULT, STAGE_RECOVER, STAGE_FINISH, STAGE_END };

struct chaos {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_process_t engine;
    bool engine_alive, engine_restart, closing, failed;
    const char *engine_path, *rules, *texts_path, *dir, *disk;
    char data[PATH_ROOM], log[PATH_ROOM], filler[PATH_ROOM], redis_text[PATH_ROOM];
    char began[CLOCK_RFC3339_BYTES]; /* of the engine's clock, however often it starts */
    int port;
    uint64_t seed, rounds, round;
    struct random random;
    struct demo_texts *texts;
    struct ledger *ledger;
    struct chaos_redis *redis;
    struct chaos_clients *clients;
    struct chaos_workers *workers;
    enum stage stage;
    enum fault fault;
    int64_t until;           /* steady ms: when the stage has to act */
    uint64_t created_before; /* 201s when recovery began */
    uint64_t counts[FAULTS];
};

static int64_t now(void)
{
    return clock_steady_ms();
}

/* ---- the engine's process ---- */

static void spawn_engine(struct chaos *c);

static void on_engine_closed(uv_handle_t *handle)
{
    struct chaos *c = handle->data;
    if (c->engine_restart && !c->closing)
        spawn_engine(c);
}

static void on_engine_exit(uv_process_t *process, int64_t status, int signal)
{
    struct chaos *c = process->data;
    c->engine_alive = false;
    if (!c->engine_restart && !c->closing) {
        (void)fprintf(stderr, "the engine ended by itself: status %" PRId64 ", signal %d\n", status,
                      signal);
        c->failed = true;
    }
    uv_close((uv_handle_t *)process, on_engine_closed);
}

static void spawn_engine(struct chaos *c)
{
    char listen[32];
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", c->port);
    char *args[] = {(char *)(uintptr_t)c->engine_path,
                    "serve",
                    "--listen",
                    listen,
                    "--data",
                    c->data,
                    "--rules",
                    (char *)(uintptr_t)c->rules,
                    "--redis",
                    c->redis_text,
                    "--log-level",
                    "warn",
                    "--clock-speed",
                    CLOCK_SPEED,
                    "--clock-began",
                    c->began,
                    NULL};
    const int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data = {.fd = log}},
                                     {.flags = UV_INHERIT_FD, .data = {.fd = log}}};
    const uv_process_options_t options = {
        .file = args[0], .args = args, .exit_cb = on_engine_exit, .stdio = stdio, .stdio_count = 3};
    c->engine.data = c;
    c->engine_restart = false;
    const int result = uv_spawn(&c->loop, &c->engine, &options);
    if (log >= 0)
        (void)close(log);
    c->engine_alive = result == 0;
    if (result < 0) {
        (void)fprintf(stderr, "%s: %s\n", c->engine_path, uv_strerror(result));
        c->failed = true;
    }
}

static void kill_engine(struct chaos *c)
{
    if (!c->engine_alive)
        return;
    c->engine_restart = true;
    (void)uv_process_kill(&c->engine, SIGKILL);
}

/* ---- the disk ---- */

static void limit_file_size(struct chaos *c, rlim_t size)
{
    const struct rlimit limit = {size, RLIM_INFINITY};
    (void)prlimit(c->engine.pid, RLIMIT_FSIZE, &limit, NULL);
}

static void fill_disk(struct chaos *c)
{
    static const char block[65536];
    if (c->disk == NULL) {
        limit_file_size(c, 4096);
        return;
    }
    const int fd = open(c->filler, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    size_t size = sizeof(block);
    while (size > 0) {
        if (write(fd, block, size) <= 0)
            size /= 2;
    }
    (void)close(fd);
}

static void free_disk(struct chaos *c)
{
    if (c->disk == NULL)
        limit_file_size(c, RLIM_INFINITY);
    else
        (void)unlink(c->filler);
}

/* ---- rounds ---- */

static void enter(struct chaos *c, enum stage stage, uint64_t ms)
{
    c->stage = stage;
    c->until = now() + (int64_t)ms;
}

static void begin_round(struct chaos *c)
{
    c->round++;
    /* Each fault comes once in every FAULTS rounds, in an order of the seed's. */
    do {
        c->fault = (enum fault)random_below(&c->random, FAULTS);
    } while (c->counts[c->fault] > (c->round - 1) / FAULTS);
    c->counts[c->fault]++;
    enter(c, STAGE_CALM, 200 + random_below(&c->random, 1500));
}

static void inject(struct chaos *c)
{
    uint64_t lasts = 0;
    switch (c->fault) {
    case FAULT_engine:
        kill_engine(c);
        break;
    case FAULT_redis:
        chaos_redis_kill(c->redis, false, random_below(&c->random, 800), &c->random);
        break;
    case FAULT_cut:
        chaos_redis_kill(c->redis, true, random_below(&c->random, 800), &c->random);
        break;
    case FAULT_both:
        chaos_redis_kill(c->redis, true, random_below(&c->random, 800), &c->random);
        kill_engine(c);
        break;
    case FAULT_freeze:
        chaos_redis_freeze(c->redis);
        lasts = FREEZE_MS;
        break;
    case FAULT_disk:
        fill_disk(c);
        lasts = 500 + random_below(&c->random, 1500);
        break;
    case FAULTS:
        break;
    }
    enter(c, STAGE_FAULT, lasts);
}

static void heal(struct chaos *c)
{
    if (c->fault == FAULT_freeze)
        chaos_redis_thaw(c->redis);
    if (c->fault == FAULT_disk)
        free_disk(c);
    c->created_before = chaos_clients_created(c->clients);
    enter(c, STAGE_RECOVER, RECOVER_MS);
}

static void told_round(const struct chaos *c)
{
    printf("round %2" PRIu64 "  %-7s acknowledged %" PRIu64 ", retried %" PRIu64 "\n", c->round,
           fault_names[c->fault], chaos_clients_acknowledged(c->clients),
           chaos_clients_retries(c->clients));
    (void)fflush(stdout);
}

static void recover(struct chaos *c)
{
    if (chaos_clients_created(c->clients) - c->created_before >= RECOVERED) {
        told_round(c);
        if (c->round < c->rounds)
            begin_round(c);
        else
            enter(c, STAGE_FINISH, FINISH_MS);
    } else if (now() > c->until) {
        (void)fprintf(stderr, "round %" PRIu64 " (%s): no recovery within %d s; the log is %s\n",
                      c->round, fault_names[c->fault], RECOVER_MS / 1000, c->log);
        c->failed = true;
    }
}

static void end(struct chaos *c)
{
    enter(c, STAGE_END, 0);
    uv_stop(&c->loop);
}

/* Both are told. */
static bool finished(struct chaos *c)
{
    const bool clients = chaos_clients_finish(c->clients);
    return chaos_workers_finish(c->workers) && clients;
}

static void on_tick(uv_timer_t *timer)
{
    struct chaos *c = timer->data;
    if (c->failed) {
        end(c);
        return;
    }
    switch (c->stage) {
    case STAGE_CALM:
        if (now() >= c->until)
            inject(c);
        break;
    case STAGE_FAULT:
        if (now() >= c->until)
            heal(c);
        break;
    case STAGE_RECOVER:
        recover(c);
        break;
    case STAGE_FINISH:
        if (finished(c)) {
            end(c);
        } else if (now() > c->until) {
            (void)fprintf(stderr, "some complaints or steps were not acknowledged within %d s\n",
                          FINISH_MS / 1000);
            c->failed = true;
        }
        break;
    case STAGE_END:
        break;
    }
}

/* ---- set-up and result ---- */

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        a.sin_port = 0;
    if (fd >= 0)
        (void)close(fd);
    return ntohs(a.sin_port);
}

static int parse(struct chaos *c, int argc, char **argv)
{
    static const struct option options[] = {{"engine", 1, NULL, 'e'}, {"rules", 1, NULL, 'r'},
                                            {"texts", 1, NULL, 't'},  {"dir", 1, NULL, 'd'},
                                            {"disk", 1, NULL, 'k'},   {"rounds", 1, NULL, 'n'},
                                            {"seed", 1, NULL, 's'},   {NULL, 0, NULL, 0}};
    int o;
    c->rounds = 30;
    c->seed = 1;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'e':
            c->engine_path = optarg;
            break;
        case 'r':
            c->rules = optarg;
            break;
        case 't':
            c->texts_path = optarg;
            break;
        case 'd':
            c->dir = optarg;
            break;
        case 'k':
            c->disk = optarg;
            break;
        case 'n':
            if (span_to_u64(span_str(optarg), 10000, &c->rounds) < 0)
                return -1;
            break;
        case 's':
            if (span_to_u64(span_str(optarg), UINT64_MAX, &c->seed) < 0)
                return -1;
            break;
        default:
            return -1;
        }
    }
    return c->engine_path == NULL || c->rules == NULL || c->texts_path == NULL || c->dir == NULL
               ? -1
               : 0;
}

static void on_order(void *ctx, struct span order, struct span worker)
{
    chaos_workers_offer(((struct chaos *)ctx)->workers, order, worker);
}

static int start(struct chaos *c, struct err *err)
{
    char redis_dir[PATH_ROOM];
    const char *data = c->disk == NULL ? c->dir : c->disk;
    (void)snprintf(c->data, sizeof(c->data), "%s/engine", data);
    (void)snprintf(c->filler, sizeof(c->filler), "%s/filler", data);
    (void)snprintf(c->log, sizeof(c->log), "%s/engine.log", c->dir);
    (void)snprintf(redis_dir, sizeof(redis_dir), "%s/redis", c->dir);
    c->port = free_port();
    (void)clock_format(clock_real_ms(), c->began);
    c->random.state = c->seed;
    c->texts = demo_texts_load(c->texts_path, err);
    c->ledger = ledger_new();
    if (c->texts == NULL || c->ledger == NULL)
        return -1;
    (void)uv_loop_init(&c->loop);
    c->redis = chaos_redis_start(&c->loop, redis_dir, err);
    if (c->redis == NULL)
        return -1;
    (void)snprintf(c->redis_text, sizeof(c->redis_text), "unix:%s", chaos_redis_socket(c->redis));
    spawn_engine(c);
    const struct chaos_workers_options workers = {
        .loop = &c->loop, .port = c->port, .ledger = c->ledger, .workers = WORKERS};
    c->workers = chaos_workers_start(&workers, err);
    if (c->workers == NULL)
        return -1;
    const struct chaos_clients_options clients = {.loop = &c->loop,
                                                  .port = c->port,
                                                  .texts = c->texts,
                                                  .ledger = c->ledger,
                                                  .seed = c->seed,
                                                  .clients = CLIENTS,
                                                  .on_order = on_order,
                                                  .ctx = c};
    c->clients = chaos_clients_start(&clients, err);
    if (c->clients == NULL)
        return -1;
    (void)uv_timer_init(&c->loop, &c->tick);
    c->tick.data = c;
    (void)uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
    begin_round(c);
    return 0;
}

static void stop(struct chaos *c)
{
    c->closing = true;
    chaos_clients_close(&c->clients);
    chaos_workers_close(&c->workers);
    if (c->engine_alive)
        (void)uv_process_kill(&c->engine, SIGKILL);
    chaos_redis_close(&c->redis);
    uv_close((uv_handle_t *)&c->tick, NULL);
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&c->loop);
}

/* Held records may still be on their way: the check is repeated until it finds all, or time is
 * over. A ledger is made anew from what the clients know each time, so that a queue entry is not
 * counted twice. */
static struct ledger_count judge(struct chaos *c, struct chaos_queues *queues, struct err *err)
{
    struct ledger_count count = {0};
    const int64_t deadline = now() + RECOVER_MS;
    do {
        struct ledger *ledger = ledger_copy(c->ledger);
        if (ledger == NULL || chaos_check(chaos_redis_socket(c->redis), ledger, queues, err) < 0) {
            ledger_free(&ledger);
            count.lost = UINT64_MAX;
            return count;
        }
        count = ledger_count(ledger);
        ledger_free(&ledger);
    } while (count.lost + count.steps_lost > 0 && now() < deadline);
    return count;
}

int main(int argc, char **argv)
{
    static struct chaos chaos;
    struct chaos *c = &chaos;
    struct err err = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (parse(c, argc, argv) < 0) {
        (void)fprintf(stderr, "usage: chaos --engine FILE --rules DIR --texts FILE.tsv --dir DIR "
                              "[--disk DIR] [--rounds N] [--seed N]\n");
        return 64;
    }
    if (start(c, &err) < 0) {
        (void)fprintf(stderr, "chaos: %s\n", err.text);
        return 69;
    }
    (void)uv_run(&c->loop, UV_RUN_DEFAULT);
    struct chaos_queues queues = {0};
    const struct ledger_count count = judge(c, &queues, &err);
    const uint64_t contradictions =
        chaos_clients_contradictions(c->clients) + chaos_workers_contradictions(c->workers);
    const uint64_t acknowledged = chaos_clients_acknowledged(c->clients);
    if (err.code != ERR_NONE)
        (void)fprintf(stderr, "chaos: %s\n", err.text);
    printf("faults:");
    for (int i = 0; i < FAULTS; i++)
        printf(" %s=%" PRIu64, fault_names[i], c->counts[i]);
    printf("; cut off %" PRIu64 " bytes; retries %" PRIu64 "; contradictions %" PRIu64
           "; aliases %" PRIu64 "; disk fault by %s\n",
           chaos_redis_cut_bytes(c->redis), chaos_clients_retries(c->clients), contradictions,
           chaos_clients_aliases(c->clients),
           c->disk != NULL ? "a full file system" : "the file size limit");
    printf("steps: acknowledged=%" PRIu64 " in histories=%" PRIu64 " lost=%" PRIu64
           " twice=%" PRIu64 "\n",
           count.steps_acknowledged, count.steps, count.steps_lost, count.steps_twice);
    printf("queues: entries=%" PRIu64 " stale=%" PRIu64 "\n", queues.entries, queues.stale);
    printf("rounds=%" PRIu64 " acknowledged=%" PRIu64 " orders=%" PRIu64 " lost=%" PRIu64
           " duplicated=%" PRIu64 "\n",
           c->round, acknowledged, count.orders, count.lost + count.steps_lost,
           count.duplicated + count.steps_twice + contradictions);
    const bool good = !c->failed && err.code == ERR_NONE && c->round == c->rounds &&
                      count.lost == 0 && count.duplicated == 0 && contradictions == 0 &&
                      count.orders == acknowledged && count.steps_acknowledged > 0 &&
                      count.steps_lost == 0 && count.steps_twice == 0 && queues.entries > 0 &&
                      queues.stale == 0;
    stop(c);
    demo_texts_free(&c->texts);
    ledger_free(&c->ledger);
    return good ? 0 : 1;
}
