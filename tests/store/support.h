/*
 * support: a private redis-server on a unix socket for tests, and a way to turn a uv loop until
 * something happened. Everything here fails the test (or the process) by itself when it cannot do
 * its work.
 */
#ifndef JIESU_TESTS_STORE_SUPPORT_H
#define JIESU_TESTS_STORE_SUPPORT_H

#include "engine/base/span.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

/* One server in a temporary directory of its own. It dies with the test process. */
struct test_redis {
    char dir[64];     /* holds the socket, the AOF and redis.log */
    char socket[96];  /* path of the unix socket */
    int port;         /* TCP port on loopback, 0 when it has none */
    char extra[1024]; /* more arguments for redis-server, separated by spaces */
    pid_t pid;        /* 0 when it is not running */
};

/* Starts one with AOF (everysec) and waits until it answers. extra: more arguments, separated by
 * spaces
 * ("--requirepass secret"), or NULL. */
void test_redis_start(struct test_redis *redis, const char *extra);
/* The same on a TCP port of loopback as well. */
void test_redis_start_tcp(struct test_redis *redis, const char *extra);
/* kill -9 and waits for its end; the directory stays. */
void test_redis_kill(struct test_redis *redis);
/* Starts a killed one again on the same directory (and port) and waits until it answers. */
void test_redis_restart(struct test_redis *redis);
/* SIGSTOP and SIGCONT. */
void test_redis_freeze(struct test_redis *redis);
void test_redis_thaw(struct test_redis *redis);
/* Kills it when it runs and removes the directory. */
void test_redis_stop(struct test_redis *redis);
/* One command with words separated by spaces ('' is an empty one), blocking, as another client would send it. The text
 * of the reply (array elements joined by "\n", nil as "(nil)", integers in digits, errors as "ERR:
 * ...") stands in a static buffer until the next call. */
const char *test_redis_ask(const struct test_redis *redis, const char *words);
/* The target that names it. */
struct redis_target test_redis_target(const struct test_redis *redis);

/* A free TCP port on loopback. */
int test_free_port(void);
/* Removes a directory and all in it; it must be below /tmp. */
void test_remove_dir(const char *dir);
/* Turns the loop until *flag, at most timeout_ms. Returns *flag. */
bool test_run_until(uv_loop_t *loop, const bool *flag, uint64_t timeout_ms);
/* Turns the loop for a time, whatever happens. */
void test_run_for(uv_loop_t *loop, uint64_t ms);
/* Turns the loop until no handle is open, closes it, and fails when one still is after 5 s. */
void test_loop_close(uv_loop_t *loop);

#endif
