/*
 * The function library by itself, called as any client would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions_lua.h"
#include "tests/store/support.h"

#include <dirent.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORDER "jiesu:{c1}:order:"
#define STEP "FCALL jiesu_step 3 " ORDER "X jiesu:{c1}:due jiesu:{c1}:events "

static struct test_redis redis;

static void load(void)
{
    redisContext *c = redisConnectUnix(redis.socket);
    assert_non_null(c);
    redisReply *reply = redisCommand(c, "FUNCTION LOAD REPLACE %s", functions_lua);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    freeReplyObject(reply);
    redisFree(c);
}

static int set_up(void **state)
{
    (void)state;
    test_redis_start(&redis, NULL);
    load();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_redis_stop(&redis);
    return 0;
}

static const char *ask(const char *words)
{
    return test_redis_ask(&redis, words);
}

static const char *create(const char *ulid, const char *queue)
{
    char words[1024];
    snprintf(
        words, sizeof(words),
        "FCALL jiesu_create 4 " ORDER
        "%s jiesu:{c1}:q:%s jiesu:{c1}:due jiesu:{c1}:events jiesu:{c1}:wake:w1 %s 1234 "
        "2 id c1.%s urgency red state dispatched version 1 worker w1 answer {\"id\":\"c1.%s\"}",
        ulid, queue, ulid, ulid, ulid);
    return ask(words);
}

static void test_version(void **state)
{
    (void)state;
    assert_string_equal(ask("FCALL_RO jiesu_version 0"), "6");
    assert_non_null(strstr(functions_lua, "\n-- version 6\n"));
}

static void test_create(void **state)
{
    (void)state;
    assert_string_equal(create("X", "w1"), "created");
    assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\ndispatched\n1");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
    assert_string_equal(ask("ZRANGE jiesu:{c1}:due 0 -1 WITHSCORES"), "X\n1234");
    assert_ptr_equal(strstr(ask("HGET " ORDER "X entries"), "jiesu:{c1}:q:w1 "),
                     ask("HGET " ORDER "X entries"));
    assert_non_null(strstr(ask("XINFO GROUPS jiesu:{c1}:q:w1"), "workers"));
    /* Advanced, then created again: stays advanced. */
    assert_string_equal(
        ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' '' - {\"x\":1} ''"),
        "done\naccepted\n2");
    assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\naccepted\n2");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "0");
}

static const char *claim(const char *ulid, const char *queue, const char *key, const char *value)
{
    char words[1024];
    snprintf(
        words, sizeof(words),
        "FCALL jiesu_claim 5 " ORDER
        "%s jiesu:{c1}:q:%s jiesu:{c1}:due jiesu:{c1}:events jiesu:claim:%s jiesu:{c1}:wake:w1 "
        "%s '' 1 id c1.%s state dispatched version 1 worker w1 answer {%s} %s 1000",
        ulid, queue, key, ulid, ulid, ulid, value);
    return ask(words);
}

/* A key makes one order: its own again and again, none for who comes second. */
static void test_claim(void **state)
{
    (void)state;
    assert_string_equal(claim("X", "w1", "k", "c1.X/b"), "created");
    assert_string_equal(ask("GET jiesu:claim:k"), "c1.X/b");
    assert_string_equal(ask("TTL jiesu:claim:k"), "1000");
    assert_string_equal(claim("X", "w1", "k", "c1.X/b"), "exists\n{X}\ndispatched\n1");
    assert_string_equal(claim("Y", "w1", "k", "c1.Y/b"), "claimed\nc1.X/b");
    assert_string_equal(ask("EXISTS " ORDER "Y"), "0");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
    assert_string_equal(ask("HGET " ORDER "X answer"), "{X}"); /* and not the claim, nor its time */
    assert_string_equal(ask("HEXISTS " ORDER "X c1.X/b"), "0");
    /* Claimed, but the create was lost: it is made. */
    ask("SET jiesu:claim:k c1.Z/b");
    assert_string_equal(claim("Z", "w1", "k", "c1.Z/b"), "created");
}

/* When the queue is not a stream nothing is left behind. */
static void test_create_whole_or_not(void **state)
{
    (void)state;
    ask("SET jiesu:{c1}:q:bad x");
    assert_non_null(strstr(create("Y", "bad"), "WRONGTYPE"));
    assert_string_equal(ask("EXISTS " ORDER "Y"), "0");
    assert_string_equal(ask("ZSCORE jiesu:{c1}:due Y"), "(nil)");
    assert_string_equal(ask("GET jiesu:{c1}:q:bad"), "x");
    assert_non_null(strstr(claim("Y", "bad", "k", "c1.Y/b"), "WRONGTYPE"));
    assert_string_equal(ask("EXISTS jiesu:claim:k"), "0");
    /* What was claimed before stays so. */
    ask("SET jiesu:claim:k c1.Y/b");
    assert_non_null(strstr(claim("Y", "bad", "k", "c1.Y/b"), "WRONGTYPE"));
    assert_string_equal(ask("GET jiesu:claim:k"), "c1.Y/b");
}

/* The hash is there and the queue has lost its entry: whoever makes the call again puts it back, once. */
static void test_mends(void **state)
{
    (void)state;
    create("X", "w1");
    create("Z", "w1");
    ask("XTRIM jiesu:{c1}:q:w1 MAXLEN 1"); /* the entry of Z stays */
    assert_string_equal(create("Z", "w1"), "exists\n{\"id\":\"c1.Z\"}\ndispatched\n1");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\ndispatched\n1");
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "2");
    }
    /* The entry is named anew, so that the step that ends it finds it; and a step heals as well. */
    ask(STEP "return r1 worker w1 any dispatched dispatched 90 '' 0 '' w2 '' - {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
    ask("XTRIM jiesu:{c1}:q:w2 MAXLEN 0");
    assert_string_equal(ask(STEP "return r1 worker w1 any dispatched dispatched 90 '' 0 '' w2 '' - "
                                 "{} ''"),
                        "replayed\ndispatched\n2");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "1");
    ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' '' - {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "0");
    assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\naccepted\n3");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
}

/* Of an order that was handed over both entries come back, whichever is gone, and one acceptance ends both. */
static void test_mends_both(void **state)
{
    (void)state;
    create("X", "w1");
    ask(STEP "hand_over e1 engine '' any dispatched '' 90 '' 1 '' +w2 '' 99 {} ''");
    ask("XTRIM jiesu:{c1}:q:w1 MAXLEN 0");
    ask("XTRIM jiesu:{c1}:q:w2 MAXLEN 0");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\ndispatched\n2");
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "1");
    }
    ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' '' - {} ''");
    assert_string_equal(create("X", "w1"), "exists\n{\"id\":\"c1.X\"}\naccepted\n3");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "0");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "0");
}

/* What an engine before version 4 wrote, and did not get done, is refused for good and kept. */
static void test_older_form(void **state)
{
    (void)state;
    create("X", "w1");
    assert_non_null(strstr(ask(STEP "accept a1 dispatched accepted 100 w2 0 {}"), "older engine"));
    assert_non_null(strstr(ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' "
                                    "'' - {} set a b set c d"),
                           "older engine"));
    assert_string_equal(ask("HGET " ORDER "X version"), "1");
    ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' '' - {} ''");
    assert_string_equal(ask(STEP "accept a1 dispatched accepted 100 w2 0 {}"),
                        "replayed\naccepted\n2");
}

static void test_steps(void **state)
{
    (void)state;
    assert_string_equal(
        ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 0 '' '' '' - {} ''"),
        "missing");
    create("X", "w1");
    assert_string_equal(
        ask(STEP "resolve r0 worker w1 holder accepted resolved 99 '' 0 '' '' '' '' {} ''"),
        "conflict\ndispatched\n1\nstate");
    assert_string_equal(
        ask(STEP "accept a0 worker w2 taker dispatched accepted 99 '' 7 '' '' '' - {} ''"),
        "conflict\ndispatched\n1\nversion");
    assert_string_equal(
        ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 1 '' '' '' - {\"x\":1} ''"),
        "done\naccepted\n2");
    assert_string_equal(ask("HGET " ORDER "X worker"), "w2");
    assert_string_equal(
        ask("HGET " ORDER "X h2"),
        "{\"version\":2,\"step\":\"accept\",\"from\":\"dispatched\",\"to\":\"accepted\","
        "\"at\":100,\"by\":\"worker\",\"worker\":\"w2\",\"holder\":\"w2\",\"note\":{\"x\":1}}");
    /* Not the holder's. */
    assert_string_equal(
        ask(STEP "resolve r2 worker w1 holder accepted resolved 99 '' 0 '' '' '' '' {} ''"),
        "conflict\naccepted\n2\nholder");
    /* Refused before: refused again, though the state would allow it now. */
    assert_string_equal(
        ask(STEP "resolve r0 worker w2 holder accepted resolved 99 '' 0 '' '' '' '' {} ''"),
        "conflict\naccepted\n2\nrefused");
    assert_string_equal(
        ask(STEP
            "resolve r1 worker w2 holder assigned,accepted resolved 99 '' 0 '' '' '' '' {} ''"),
        "done\nresolved\n3");
    /* Seen before: says what it led to, not what came after. */
    assert_string_equal(
        ask(STEP "accept a1 worker w2 taker dispatched accepted 100 '' 1 '' '' '' - {} ''"),
        "replayed\naccepted\n2");
    assert_string_equal(ask("ZCARD jiesu:{c1}:due"), "0");
    assert_string_equal(ask("XPENDING jiesu:{c1}:q:w1 workers - + 10"), "");
}

/* A step id is a key and the hash of the body that came with it. */
static void test_step_key_with_another_body(void **state)
{
    (void)state;
    create("X", "w1");
    assert_string_equal(
        ask(STEP "resolve r.b1 worker w1 holder accepted resolved 99 '' 0 '' '' '' '' {} ''"),
        "conflict\ndispatched\n1\nstate");
    assert_string_equal(
        ask(STEP "accept r.b2 worker w1 taker dispatched accepted 99 '' 0 '' '' '' - {} ''"),
        "other\ndispatched\n1");
    assert_string_equal(
        ask(STEP "accept k.b1 worker w1 taker dispatched accepted 100 '' 0 '' '' '' - {} ''"),
        "done\naccepted\n2");
    assert_string_equal(
        ask(STEP "accept k.b2 worker w1 taker dispatched accepted 100 '' 0 '' '' '' - {} ''"),
        "other\naccepted\n2");
    assert_string_equal(
        ask(STEP "accept k.b1 worker w1 taker dispatched accepted 100 '' 0 '' '' '' - {} ''"),
        "replayed\naccepted\n2");
}

/* An order of an engine before version 4 leaves its one queue. */
static void test_older_order(void **state)
{
    (void)state;
    create("X", "w1");
    char entry[64], words[256];
    snprintf(entry, sizeof(entry), "%s", strchr(ask("HGET " ORDER "X entries"), ' ') + 1);
    snprintf(words, sizeof(words), "HSET " ORDER "X queue jiesu:{c1}:q:w1 entry %s", entry);
    ask(words);
    ask("HDEL " ORDER "X entries");
    ask("DEL jiesu:{c1}:open");
    ask(STEP "accept a1 worker w1 taker dispatched accepted 100 '' 0 '' '' '' - {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "0");
    assert_string_equal(ask("HMGET " ORDER "X queue entry entries"), "(nil)\n(nil)\n(nil)");
    ask(STEP "note n1 worker w1 any accepted '' 100 '' 0 '' '' '' - {} ''");
    assert_string_equal(ask("HGET " ORDER "X version"), "3");
}

/* It goes into one more queue, and stays in the first: whoever accepts has it, and it is in none. */
static void test_hand_over(void **state)
{
    (void)state;
    create("X", "w1");
    ask("HSET " ORDER "X urgent 1");
    assert_string_equal(ask(STEP "hand e1 engine '' any dispatched '' 100 1 1 '' +w2 '' 900 {} w9"),
                        "done\ndispatched\n2");
    assert_string_equal(ask("HGET " ORDER "X worker"), "w2");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "1");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2:urgent"), "1");
    /* Again to the same: held, and not twice in the queue. */
    ask(STEP "hand e2 engine '' any dispatched '' 100 1 2 '' +w2 '' 900 {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2:urgent"), "1");
    assert_string_equal(ask("HGETALL jiesu:{c1}:open"), "w2\n1");
    assert_string_equal(ask("HGET jiesu:{c1}:idle w2"), "100");
    assert_string_equal(ask("ZSCORE jiesu:{c1}:due X"), "900");
    ask(STEP "accept a1 worker w1 taker dispatched accepted 110 '' 0 '' '' '' - {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "0");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2:urgent"), "0");
    assert_string_equal(ask("HEXISTS " ORDER "X entries"), "0");
    assert_string_equal(ask("HGETALL jiesu:{c1}:open"), "w1\n1");
    assert_string_equal(
        ask(STEP "accept a2 worker w2 taker dispatched accepted 111 '' 0 '' '' '' - {} ''"),
        "conflict\naccepted\n4\nstate");
    assert_string_equal(
        ask(STEP "resolve r1 worker w1 holder accepted resolved 120 '' 0 '' '' '' 5000 {} ''"),
        "done\nresolved\n5");
    assert_string_equal(ask("EXISTS jiesu:{c1}:open"), "0");
    /* Back to the first post, or the same holder. */
    ask("HSET " ORDER "X posts w3");
    ask(STEP "reopen o1 resident '' any resolved dispatched 130 '' 0 '' < '' @ {} =");
    assert_string_equal(ask("HGETALL jiesu:{c1}:open"), "w3\n1");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w3:urgent"), "1");
    assert_string_equal(ask("ZSCORE jiesu:{c1}:due X"), "130");
    assert_string_equal(ask("XLEN jiesu:{c1}:notices:w3"), "1");
}

/* Into whichever worker's queues an order goes, it goes into the one of its class, and into no other. */
static void test_class_of_queue(void **state)
{
    (void)state;
    static const struct {
        const char *marks, *class;
    } rows[] = {
        {"other 1", ""},
        {"special 1", ":special"},
        {"urgent 1", ":urgent"},
        {"urgent 1 special 1", ":urgent"},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    static const char *const steps[] = {
        "hand_over e1 engine '' any dispatched '' 100 '' 0 '' +w2 '' 900 {} ''",
        "transfer t1 station w9 any dispatched '' 100 '' 0 '' w2 '' @ {} ''",
        "return r1 worker w1 holder dispatched '' 100 '' 0 '' > '' @ {} ''",
        "reopen o1 resident '' any dispatched '' 100 '' 0 '' = '' @ {} ''",
        "review v1 station w9 any dispatched '' 100 '' 0 '' '' '' @ {} '' go '' <",
    };
    for (size_t i = 0; i < ROWS * sizeof(steps) / sizeof(steps[0]); i++) {
        const char *marks = rows[i % ROWS].marks, *class = rows[i % ROWS].class;
        char words[256];
        ask("FLUSHALL");
        create("X", "w1:before");
        snprintf(words, sizeof(words), "HSET " ORDER "X posts w1\tw2 %s", marks);
        ask(words);
        snprintf(words, sizeof(words), STEP "%s", steps[i / ROWS]);
        assert_string_equal(ask(words), "done\ndispatched\n2");
        char holder[8];
        snprintf(holder, sizeof(holder), "%s", ask("HGET " ORDER "X worker"));
        for (size_t other = 0; other < ROWS - 1; other++) {
            snprintf(words, sizeof(words), "XLEN jiesu:{c1}:q:%s%s", holder, rows[other].class);
            assert_string_equal(ask(words), strcmp(rows[other].class, class) == 0 ? "1" : "0");
        }
        snprintf(words, sizeof(words), "XRANGE jiesu:{c1}:q:%s%s - +", holder, class);
        assert_int_equal(strstr(ask(words), "special\n1") != NULL,
                         strstr(marks, "special") != NULL);
    }
}

/* What an engine before version 5 put among a worker's ordinary orders is not put among the special ones as well, until
 * it leaves that queue. */
static void test_queued_before_there_were_classes(void **state)
{
    (void)state;
    create("X", "w2");
    ask("HSET " ORDER "X special 1");
    ask(STEP "hand_over e1 engine '' any dispatched '' 100 '' 0 '' +w2 '' 900 {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "1");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2:special"), "0");
    ask(STEP "reopen o1 resident '' any dispatched '' 100 '' 0 '' = '' @ {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), "0");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w2:special"), "1");
}

/* Whoever is named is told, and old notices go. */
static void test_notices(void **state)
{
    (void)state;
    create("X", "w1");
    ask(STEP "warn e1 engine '' any dispatched '' 100 1 1 '' '' '' 900 {\"a\":1} w9\t=");
    const char *told = ask("XRANGE jiesu:{c1}:notices:w9 - +");
    assert_non_null(strstr(told, "id\nc1.X\nstep\nwarn\nversion\n2\nat\n100\nnote\n{\"a\":1}"));
    assert_string_equal(ask("XLEN jiesu:{c1}:notices:w1"), "1");
    ask("EVAL for\ti=1,1500\tdo\tredis.call('XADD',KEYS[1],'*','a','b')end 1 "
        "jiesu:{c1}:notices:w9");
    ask(STEP "warn e2 engine '' any dispatched '' 100 1 2 '' '' '' 900 {} w9");
    assert_true(strtol(ask("XLEN jiesu:{c1}:notices:w9"), NULL, 10) < 1200);
}

/* Everything that happens is an event, once. */
static void test_events(void **state)
{
    (void)state;
    create("X", "w1");
    create("X", "w1");
    ask("HSET " ORDER "X class ordinary special 1");
    ask(STEP "review e1 station w4 any dispatched '' 100 '' 0 '' '' '' @ {} '' set category c/d");
    ask(STEP "review e1 station w4 any dispatched '' 100 '' 0 '' '' '' @ {} '' set category c/d");
    ask(STEP "close e2 engine '' any resolved closed 100 '' 0 '' '' '' '' {} ''");
    assert_string_equal(ask("XLEN jiesu:{c1}:events"), "2");
    const char *events = ask("XRANGE jiesu:{c1}:events - +");
    assert_non_null(strstr(events, "order\nX\nfacts\n1\ncreate\n\nengine\n\ndispatched\nw1\n"));
    assert_non_null(strstr(events, "order\nX\nfacts\n2\nreview\n100\nstation\ndispatched\n"
                                   "dispatched\nw1\n\n\n\nordinary\n1\nc/d\nentry\n"
                                   "{\"version\":2,"));
}

#define DUE "FCALL jiesu_due 1 jiesu:{c1}:due "

/* What is due is taken, the longest due first, and put off for all others. */
static void test_due(void **state)
{
    (void)state;
    create("A", "w1");
    create("B", "w1");
    create("C", "w1");
    ask("ZADD jiesu:{c1}:due 900 B 5000 C 800 gone");
    assert_string_equal(ask(DUE "700 3000 10 state version"), "0");
    assert_string_equal(ask(DUE "2000 3000 2 state none"), "3\nB\n900\ndispatched\n(nil)");
    assert_string_equal(ask("ZSCORE jiesu:{c1}:due gone"), "(nil)");
    assert_string_equal(ask(DUE "2000 3000 2 state none"), "1\nA\n1234\ndispatched\n(nil)");
    assert_string_equal(ask(DUE "2000 3000 2 state"), "0");
    assert_string_equal(ask("ZRANGE jiesu:{c1}:due 0 -1 WITHSCORES"), "A\n3000\nB\n3000\nC\n5000");
    assert_string_equal(ask("FCALL jiesu_defer 2 " ORDER "A jiesu:{c1}:due A 2 4000 2900"),
                        "changed");
    assert_string_equal(ask("ZSCORE jiesu:{c1}:due A"), "2900");
    assert_string_equal(ask("FCALL jiesu_defer 2 " ORDER "A jiesu:{c1}:due A 1 4000 2900"),
                        "deferred");
    assert_string_equal(ask("FCALL jiesu_defer 2 " ORDER "B jiesu:{c1}:due B 1 '' 2900"),
                        "deferred");
    assert_string_equal(ask("ZRANGE jiesu:{c1}:due 0 -1 WITHSCORES"), "A\n4000\nC\n5000");
}

/* A client that asks for the impossible for ever does not grow the order for ever. */
static void test_refusals_are_bounded(void **state)
{
    (void)state;
    create("X", "w1");
    for (int i = 0; i < 500; i++) {
        char words[256];
        snprintf(
            words, sizeof(words),
            STEP "resolve step-%d worker w1 holder accepted resolved 99 '' 0 '' '' '' '' {} ''", i);
        ask(words);
    }
    assert_true(strtol(ask("HSTRLEN " ORDER "X refused"), NULL, 10) <= 1600);
    assert_string_equal(ask("HLEN " ORDER "X"), "6");
}

#define QUEUE \
    "FCALL jiesu_queue 3 jiesu:{c1}:q:w1:urgent jiesu:{c1}:q:w1:special jiesu:{c1}:q:w1 w1 "

static void test_queue(void **state)
{
    (void)state;
    assert_string_equal(ask(QUEUE "10"), "");
    create("A", "w1");
    create("B", "w1");
    create("S", "w1:special");
    create("T", "w1:special");
    assert_string_equal(ask(QUEUE "3"), "{\"id\":\"c1.S\"}\n{\"id\":\"c1.T\"}\n{\"id\":\"c1.A\"}");
    create("U", "w1:urgent");
    create("V", "w1:urgent");
    assert_string_equal(ask(QUEUE "2"), "{\"id\":\"c1.U\"}\n{\"id\":\"c1.V\"}");
    /* Those are delivered now, and come again with the rest. */
    assert_string_equal(ask(QUEUE "10"), "{\"id\":\"c1.U\"}\n{\"id\":\"c1.V\"}\n{\"id\":\"c1.S\"}\n"
                                         "{\"id\":\"c1.T\"}\n{\"id\":\"c1.A\"}\n{\"id\":\"c1.B\"}");
    for (const char *ulid = "STV"; *ulid != '\0'; ulid++) {
        char words[64];
        snprintf(words, sizeof(words), "DEL " ORDER "%c", *ulid);
        ask(words);
    }
    ask("FCALL jiesu_step 3 " ORDER "U jiesu:{c1}:due jiesu:{c1}:events accept a1 worker w1 taker "
        "dispatched accepted 100 '' 0 '' '' '' - {} ''");
    ask("DEL " ORDER "A");
    assert_string_equal(ask(QUEUE "10"), "{\"id\":\"c1.B\"}");
    /* Deleted by another client while delivered. */
    ask("XTRIM jiesu:{c1}:q:w1 MAXLEN 0");
    assert_string_equal(ask(QUEUE "10"), "");
    assert_string_equal(ask("XPENDING jiesu:{c1}:q:w1 workers - + 10"), "");
}

/* --- half a transaction in the append-only file --------------------------------------------- */

static void aof_path(char *path, size_t size)
{
    char dir[160];
    snprintf(dir, sizeof(dir), "%s/appendonlydir", redis.dir);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strstr(e->d_name, ".incr.aof") != NULL)
            snprintf(path, size, "%s/%s", dir, e->d_name);
    }
    closedir(d);
}

/* Redis may put a write off while an fsync is running. */
static void await_growth(const char *path, off_t from, struct stat *st)
{
    do {
        assert_int_equal(stat(path, st), 0);
    } while (st->st_size <= from);
}

/* Kills Redis, cuts its file somewhere in what came behind `whole`, farther on with each of the eight tears, and
 * starts it again. */
static void tear(const char *path, off_t whole, int torn)
{
    struct stat st;
    await_growth(path, whole, &st);
    test_redis_kill(&redis);
    assert_int_equal(truncate(path, whole + 20 + (st.st_size - whole - 21) * torn / 7), 0);
    test_redis_restart(&redis);
}

/* The file is torn inside the last create, at every place where its MULTI stays open; the create is made
 * again; then Redis starts once more. The entry must be there once, and so must the order. */
static void test_torn_transaction(void **state)
{
    (void)state;
    char path[512];
    struct stat st;
    aof_path(path, sizeof(path));
    for (int torn = 0; torn < 12; torn++) {
        char before[16], now[16];
        snprintf(before, sizeof(before), "b%d", torn);
        snprintf(now, sizeof(now), "n%d", torn);
        assert_int_equal(stat(path, &st), 0);
        create(before, "w1");
        await_growth(path, st.st_size, &st);
        off_t whole = st.st_size;
        /* On a new queue, too: there the stream itself is part of the transaction. */
        create(now, torn % 2 == 0 ? "w1" : now);
        await_growth(path, whole, &st);
        test_redis_kill(&redis);
        off_t cut = torn < 6 ? 1 + torn * 4 : 20 + (st.st_size - whole - 30) * (torn - 5) / 7;
        assert_int_equal(truncate(path, st.st_size - cut), 0);
        test_redis_restart(&redis);
        assert_string_equal(create(now, torn % 2 == 0 ? "w1" : now), "created");
        test_redis_kill(&redis);
        test_redis_restart(&redis);
        char words[128];
        snprintf(words, sizeof(words), "EXISTS " ORDER "%s", now);
        assert_string_equal(ask(words), "1");
        snprintf(words, sizeof(words), "XLEN jiesu:{c1}:q:%s", now);
        assert_string_equal(ask(words), torn % 2 == 0 ? "0" : "1");
    }
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "18");
}

/* The same for a create that claims a key. */
static void test_torn_claim(void **state)
{
    (void)state;
    char path[512], words[128], ulid[16], value[32];
    struct stat st;
    aof_path(path, sizeof(path));
    for (int torn = 0; torn < 8; torn++) {
        snprintf(ulid, sizeof(ulid), "t%d", torn);
        snprintf(value, sizeof(value), "c1.%s/b", ulid);
        assert_int_equal(stat(path, &st), 0);
        const off_t whole = st.st_size;
        assert_string_equal(claim(ulid, "w1", ulid, value), "created");
        tear(path, whole, torn);
        assert_string_equal(claim(ulid, "w1", ulid, value), "created");
        test_redis_kill(&redis);
        test_redis_restart(&redis);
        assert_non_null(strstr(claim(ulid, "w1", ulid, value), "exists"));
        assert_string_equal(claim("other", "w1", ulid, "c1.other/b"),
                            (snprintf(words, sizeof(words), "claimed\n%s", value), words));
        snprintf(words, sizeof(words), "%d", torn + 1);
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), words);
    }
}

/* The same for a step that puts an order into another queue: torn anywhere, and taken again, the order is in one
 * queue, once, told once and counted once, also after one more start. */
static void test_torn_return(void **state)
{
    (void)state;
    char path[512], words[512];
    struct stat st;
    aof_path(path, sizeof(path));
    for (int torn = 0; torn < 8; torn++) {
        char ulid[16];
        snprintf(ulid, sizeof(ulid), "r%d", torn);
        assert_int_equal(stat(path, &st), 0);
        const off_t before = st.st_size;
        create(ulid, "w1");
        await_growth(path, before, &st);
        const off_t created = st.st_size;
        snprintf(words, sizeof(words),
                 "EVAL return(redis.call('HSET',KEYS[1],'posts','w1\\032w2')) 1 " ORDER "%s", ulid);
        ask(words);
        await_growth(path, created, &st);
        const off_t whole = st.st_size;
        snprintf(words, sizeof(words),
                 "FCALL jiesu_step 3 " ORDER
                 "%s jiesu:{c1}:due jiesu:{c1}:events return k%d worker w1 holder dispatched "
                 "dispatched 100 '' 0 '' > '' - {} =",
                 ulid, torn);
        ask(words);
        tear(path, whole, torn);
        assert_non_null(strstr(ask(words), "dispatched\n2"));
        test_redis_kill(&redis);
        test_redis_restart(&redis);
        snprintf(words, sizeof(words), "HGET " ORDER "%s worker", ulid);
        assert_string_equal(ask(words), "w2");
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w1"), "0");
        snprintf(words, sizeof(words), "%d", torn + 1);
        assert_string_equal(ask("XLEN jiesu:{c1}:q:w2"), words);
        assert_string_equal(ask("XLEN jiesu:{c1}:notices:w2"), words);
        assert_string_equal(ask("HGET jiesu:{c1}:open w2"), words);
        assert_string_equal(ask("HEXISTS jiesu:{c1}:open w1"), "0");
    }
}

/* The same for a step that puts an order from one list of warned orders into another. */
static void test_torn_warn(void **state)
{
    (void)state;
    char path[512], words[512];
    struct stat st;
    aof_path(path, sizeof(path));
    for (int torn = 0; torn < 8; torn++) {
        char ulid[16];
        snprintf(ulid, sizeof(ulid), "w%d", torn);
        static const char *const levels[] = {"blue", "yellow"};
        off_t whole = 0;
        create(ulid, "w1");
        for (int i = 0; i < 2; i++) {
            assert_int_equal(stat(path, &st), 0);
            whole = st.st_size;
            snprintf(words, sizeof(words),
                     "FCALL jiesu_step 3 " ORDER
                     "%s jiesu:{c1}:due jiesu:{c1}:events warn e%d engine '' any dispatched '' %d "
                     "'' 0 '' '' '' - {} '' rise warning %s",
                     ulid, i, 100 + i, levels[i]);
            ask(words);
            await_growth(path, whole, &st);
        }
        tear(path, whole, torn);
        assert_non_null(strstr(ask(words), "dispatched\n3"));
        test_redis_kill(&redis);
        test_redis_restart(&redis);
        snprintf(words, sizeof(words), "HMGET " ORDER "%s warning warning_at", ulid);
        assert_string_equal(ask(words), "yellow\n101");
        snprintf(words, sizeof(words), "ZSCORE jiesu:{c1}:idx:warning:yellow %s", ulid);
        assert_string_equal(ask(words), "101");
        assert_string_equal(ask("ZCARD jiesu:{c1}:idx:warning:blue"), "0");
    }
}

/* Cuts the file in the middle of its last command of that name, so that its MULTI stays open. */
static void cut_inside_last(const char *path, const char *name)
{
    char tail[4096];
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    const off_t from = st.st_size < (off_t)sizeof(tail) ? 0 : st.st_size - (off_t)sizeof(tail);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fseeko(file, from, SEEK_SET), 0);
    const size_t len = fread(tail, 1, sizeof(tail), file);
    fclose(file);
    off_t at = -1;
    for (size_t i = 0; i + strlen(name) <= len; i++) {
        if (memcmp(tail + i, name, strlen(name)) == 0)
            at = from + (off_t)i;
    }
    assert_true(at > 0);
    assert_int_equal(truncate(path, at + 1), 0);
}

/* The file ends between the two commands that write the hash of an accepted order; it is carried out that far when
 * Redis starts a second time, before the step was made again. The order must not come back into the queue. */
static void test_torn_accept(void **state)
{
    (void)state;
    static const char accept[] =
        "FCALL jiesu_step 3 " ORDER
        "A jiesu:{c1}:due jiesu:{c1}:events accept a1 worker w5 taker dispatched "
        "accepted 100 '' 0 '' '' '' - {} '' drop triage ''";
    char path[512];
    struct stat st;
    aof_path(path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    create("A", "w5");
    await_growth(path, st.st_size, &st);
    const off_t whole = st.st_size;
    assert_string_equal(ask(accept), "done\naccepted\n2");
    await_growth(path, whole, &st);
    test_redis_kill(&redis);
    cut_inside_last(path, "HDEL");
    test_redis_restart(&redis);
    assert_string_equal(ask("HGET " ORDER "A state"), "dispatched");
    assert_int_equal(stat(path, &st), 0);
    create("B", "w6");
    await_growth(path, st.st_size, &st);
    test_redis_kill(&redis);
    test_redis_restart(&redis);
    assert_string_equal(ask(accept), "replayed\naccepted\n2");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w5"), "0");
    assert_string_equal(create("A", "w5"), "exists\n{\"id\":\"c1.A\"}\naccepted\n2");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w5"), "0");
    /* Gone into the next queue and back out of it, as if nothing had been. */
    assert_string_equal(
        ask("FCALL jiesu_step 3 " ORDER
            "A jiesu:{c1}:due jiesu:{c1}:events return r1 worker w5 holder accepted "
            "dispatched 110 '' 0 '' w6 '' - {} ''"),
        "done\ndispatched\n3");
    assert_string_equal(ask("XLEN jiesu:{c1}:q:w6"), "2");
}

/* The file ends before the hash of a create, which Redis carries out that far when it is killed again before the create
 * was made again: others wrote meanwhile. The entry that no order names goes with the next one that comes into its
 * queue, the order's own or another's, and the order stands there once. */
static void test_torn_twice(void **state)
{
    (void)state;
    char path[512];
    struct stat st;
    aof_path(path, sizeof(path));
    for (int own = 0; own < 2; own++) {
        const char *queue = own ? "w7" : "w8", *ulid = own ? "O" : "P";
        char length[64];
        snprintf(length, sizeof(length), "XLEN jiesu:{c1}:q:%s", queue);
        assert_int_equal(stat(path, &st), 0);
        create(own ? "A" : "B", queue);
        await_growth(path, st.st_size, &st);
        const off_t whole = st.st_size;
        create(ulid, queue);
        await_growth(path, whole, &st);
        test_redis_kill(&redis);
        cut_inside_last(path, "\r\nHSET");
        test_redis_restart(&redis);
        assert_string_equal(ask(length), "1");
        assert_int_equal(stat(path, &st), 0);
        create(own ? "C" : "D", "w9");
        await_growth(path, st.st_size, &st);
        test_redis_kill(&redis);
        test_redis_restart(&redis);
        assert_string_equal(ask(length), "2");
        assert_string_equal(create(own ? ulid : "E", queue), "created");
        assert_string_equal(ask(length), "2");
        assert_string_equal(create(ulid, queue),
                            own ? "exists\n{\"id\":\"c1.O\"}\ndispatched\n1" : "created");
        assert_string_equal(ask(length), own ? "2" : "3");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_version),
        T(test_create),
        T(test_claim),
        T(test_create_whole_or_not),
        T(test_mends),
        T(test_mends_both),
        T(test_steps),
        T(test_older_form),
        T(test_older_order),
        T(test_hand_over),
        T(test_class_of_queue),
        T(test_queued_before_there_were_classes),
        T(test_notices),
        T(test_events),
        T(test_due),
        T(test_step_key_with_another_body),
        T(test_refusals_are_bounded),
        T(test_queue),
        T(test_torn_transaction),
        T(test_torn_claim),
        T(test_torn_return),
        T(test_torn_warn),
        T(test_torn_accept),
        T(test_torn_twice),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
