#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/store/claims.h"
#include "tests/store/support_engine.h"

#include <pthread.h>
#include <stdio.h>

static atomic_size_t held;

static struct ticket *make(const char *key, const char *body)
{
    struct buf scratch = {0};
    struct record record;
    struct id id = example_id();
    assert_int_equal(example_create(&record, &id, "w1", &scratch), 0);
    record.keyed = true;
    record.claim = hash128(span_str(key));
    record.body = hash128(span_str(body));
    struct ticket *ticket = ticket_new(&record, &held);
    assert_non_null(ticket);
    buf_free(&scratch);
    return ticket;
}

static void discard(struct ticket *ticket)
{
    ticket_drop(ticket);
    ticket_release(&ticket);
}

static void test_first_answered_then_joined(void **state)
{
    (void)state;
    struct err err;
    struct claims *claims = claims_new(&err);
    struct ticket *first = make("k", "b"), *same = make("k", "b"), *other = make("k", "x");
    assert_int_equal(claims_enter(claims, first, &err), 1);
    assert_int_equal(claims_enter(claims, same, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(claims_enter(claims, other, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);

    struct ticket *submitter = first;
    struct id id = first->id;
    ticket_release(&submitter); /* gone, but nothing is durable yet */
    assert_int_equal(claims_enter(claims, same, &err), -1);
    assert_int_equal(err.code, ERR_CONFLICT);
    atomic_store(&first->committed, true);
    assert_int_equal(claims_enter(claims, same, &err), 0);
    assert_string_equal(same->id.text, id.text);
    assert_true(ticket_committed(same));

    claims_forget_ticket(claims, first);
    ticket_drop(first);
    struct ticket *third = make("k", "b");
    assert_int_equal(claims_enter(claims, third, &err), 0);
    assert_int_equal(claims_enter(claims, other, &err), -1);

    struct id another = example_id();
    assert_null(claims_take(claims, third->claim, &another)); /* another order's record */
    assert_int_equal(claims_count(claims), 1);
    assert_ptr_equal(claims_take(claims, third->claim, &id), third);
    assert_ptr_equal(third->next, same);
    assert_int_equal(claims_count(claims), 0);
    discard(same);
    discard(third);
    discard(other);
    claims_free(&claims);
    assert_int_equal(held, 0);
}

static void test_many_and_loaded(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct err err;
    struct claims *claims = claims_new(&err);
    static struct ticket *tickets[MANY];
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        tickets[i] = make(key, "b");
        struct record record;
        assert_int_equal(record_decode(tickets[i]->entry.bytes, &record, NULL), 0);
        if (i % 2 == 0)
            assert_int_equal(claims_load(claims, &record), 0);
        else
            assert_int_equal(claims_enter(claims, tickets[i], &err), 1);
        assert_int_equal(claims_load(claims, &record), 0); /* the first stands */
    }
    assert_int_equal(claims_count(claims), MANY);
    for (int i = 0; i < MANY; i++) {
        if (i % 2 == 0) { /* found in the outbox: may have been answered */
            struct ticket *retry = make("", "b");
            retry->claim = tickets[i]->claim;
            assert_int_equal(claims_enter(claims, retry, &err), 0);
            assert_ptr_equal(claims_take(claims, retry->claim, &tickets[i]->id), retry);
            discard(retry);
        } else {
            assert_null(claims_take(claims, tickets[i]->claim, &tickets[i]->id));
        }
        discard(tickets[i]);
    }
    assert_int_equal(claims_count(claims), 0);
    claims_free(&claims);
}

static void test_short_of_memory(void **state)
{
    (void)state;
    struct err err;
    struct ticket *ticket = make("k", "b");
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_null(claims_new(&err));
        assert_int_equal(err.code, ERR_NOMEM);
    }
    mem_fail_at(0);
    struct claims *claims = claims_new(&err);
    mem_fail_at(1);
    assert_int_equal(claims_enter(claims, ticket, &err), -1);
    assert_int_equal(err.code, ERR_NOMEM);
    mem_fail_at(0);
    assert_int_equal(claims_enter(claims, ticket, &err), 1);
    claims_free(&claims);
    discard(ticket);
}

/* Of many threads that come with one key at once, one is the first. */
static struct claims *shared;
static atomic_int firsts, conflicts;
static struct ticket *winner[200];

static void *enter_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        struct ticket *ticket = make(key, "b");
        struct err err;
        if (claims_enter(shared, ticket, &err) == 1) {
            atomic_fetch_add(&firsts, 1);
            winner[i] = ticket;
            continue;
        }
        atomic_fetch_add(&conflicts, err.code == ERR_CONFLICT);
        discard(ticket);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    shared = claims_new(NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(firsts, 200);
    assert_int_equal(conflicts, 600);
    assert_int_equal(claims_count(shared), 200);
    claims_free(&shared);
    for (int i = 0; i < 200; i++)
        discard(winner[i]);
    assert_int_equal(held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_answered_then_joined),
        cmocka_unit_test(test_many_and_loaded),
        cmocka_unit_test(test_short_of_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
