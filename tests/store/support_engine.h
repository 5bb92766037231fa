/*
 * support_engine: a dispatcher with an outbox of its own on a loop of its own, and requests to it,
 * for tests.
 */
#ifndef JIESU_TESTS_STORE_SUPPORT_ENGINE_H
#define JIESU_TESTS_STORE_SUPPORT_ENGINE_H

#include "engine/store/dispatcher.h"
#include "engine/store/record.h"
#include "tests/store/support.h"

/* One dispatcher and the mailbox of its one submitter, on the same loop. */
struct engine {
    uv_loop_t loop;
    struct mailbox *home;
    struct dispatcher *dispatcher;
};

/* One request and what became of it. */
struct sent {
    struct ticket *ticket; /* NULL when it was refused or let go */
    int rc;                /* dispatcher_submit's */
    enum err_code refused; /* and its error */
    struct id id;          /* what the record was to become */
    struct id told;        /* ticket_id */
    bool settled;
    struct outcome outcome; /* spans point into what follows */
    struct id order;
    char state[32];
    char text[1024];
};

/* Opens a dispatcher on an outbox file. -1 and *err when it does not open. */
int engine_open(struct engine *engine, const struct test_redis *redis, const char *outbox,
                struct err *err);
/* Stops it (at most timeout_ms for Redis) and closes the loop. */
void engine_close(struct engine *engine, uint32_t timeout_ms);

/* The example order: community c1, worker w1, with the id in its answer. */
struct id example_id(void);
int example_create(struct record *record, const struct id *id, const char *worker,
                   struct buf *scratch);

/* A create; key NULL: none. body stands for the request's body. */
void send_create(struct engine *engine, struct sent *sent, const char *key, const char *body);
/* The same for a given worker. */
void send_create_for(struct engine *engine, struct sent *sent, const char *worker);
void send_step(struct engine *engine, struct sent *sent, const struct id *id, enum order_step step,
               const char *step_id);
void send_record(struct engine *engine, struct sent *sent, const struct record *record);
/* Turns the loop until all are settled (or were refused); false after timeout_ms. */
bool await_settled(struct engine *engine, struct sent *sent, size_t count, uint64_t timeout_ms);
/* Turns the loop until all are durable. */
bool await_committed(struct engine *engine, struct sent *sent, size_t count);
/* Turns the loop until the metric has the value. */
bool await_metric(struct engine *engine, int metric, int64_t value, uint64_t timeout_ms);
void let_go(struct sent *sent, size_t count);

/* How many orders, queue entries of w1 and aliases Redis has; a field of an order's hash. */
long orders_in(const struct test_redis *redis);
long queued_in(const struct test_redis *redis);
long aliases_in(const struct test_redis *redis);
const char *order_field(const struct test_redis *redis, const struct id *id, const char *field);

#endif
