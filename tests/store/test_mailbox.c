#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/store/mailbox.h"
#include "tests/store/support.h"

#include <pthread.h>

enum { THREADS = 4, ITEMS = 20000, PATIENCE_MS = 20000 };

struct letter {
    struct mailbox_item item;
    struct post *post;
    int number;
};

struct post {
    struct mailbox *mailbox;
    struct letter *letters;
    pthread_t thread;
    int next;       /* the number that must come */
    int *delivered; /* of all threads */
    bool *done;
    bool out_of_order;
};

static void deliver(struct mailbox_item *item)
{
    struct letter *letter = (struct letter *)item;
    if (letter->number != letter->post->next++)
        letter->post->out_of_order = true;
    if (++*letter->post->delivered == THREADS * ITEMS)
        *letter->post->done = true;
}

/* One by one, and by lists of growing length. */
static void *post_all(void *arg)
{
    struct post *post = arg;
    int i = 0;
    for (int length = 1; i < ITEMS; length = length % 7 + 1) {
        struct mailbox_item *oldest = &post->letters[i++].item, *newest = oldest;
        for (int n = 1; n < length && i < ITEMS; n++) {
            struct mailbox_item *item = &post->letters[i++].item;
            item->next = newest;
            newest = item;
        }
        if (newest == oldest)
            mailbox_post(post->mailbox, oldest);
        else
            mailbox_post_all(post->mailbox, newest, oldest);
    }
    return NULL;
}

/* Every letter of every thread arrives once, each thread's in order. */
static void test_many_threads(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct post post[THREADS];
    int delivered = 0;
    bool done = false;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct mailbox *mailbox = mailbox_new(&loop, NULL);
    assert_non_null(mailbox);
    for (int t = 0; t < THREADS; t++) {
        post[t] = (struct post){.mailbox = mailbox, .delivered = &delivered, .done = &done};
        post[t].letters = mem_zalloc(ITEMS, sizeof(struct letter));
        assert_non_null(post[t].letters);
        for (int i = 0; i < ITEMS; i++)
            post[t].letters[i] =
                (struct letter){.item.handle = deliver, .post = &post[t], .number = i};
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&post[t].thread, NULL, post_all, &post[t]), 0);
    assert_true(test_run_until(&loop, &done, PATIENCE_MS));
    for (int t = 0; t < THREADS; t++) {
        pthread_join(post[t].thread, NULL);
        assert_false(post[t].out_of_order);
        assert_int_equal(post[t].next, ITEMS);
        mem_free(post[t].letters);
    }
    mailbox_close(&mailbox);
    assert_null(mailbox);
    test_loop_close(&loop);
}

struct chain {
    struct mailbox_item item;
    struct mailbox *mailbox;
    int left;
};

static void deliver_chain(struct mailbox_item *item)
{
    struct chain *chain = (struct chain *)item;
    if (--chain->left > 0)
        mailbox_post(chain->mailbox, item);
}

/* A handler may post its own item again; closing handles what waits, and what that posts. */
static void test_close_handles_what_waits(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct mailbox *mailbox = mailbox_new(&loop, NULL);
    struct chain chain = {.item.handle = deliver_chain, .mailbox = mailbox, .left = 3};
    mailbox_post(mailbox, &chain.item);
    mailbox_close(&mailbox);
    assert_int_equal(chain.left, 0);
    test_loop_close(&loop);
}

static void test_memory_short(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct err err;
    assert_int_equal(uv_loop_init(&loop), 0);
    mem_fail_at(1);
    assert_null(mailbox_new(&loop, &err));
    mem_fail_at(0);
    assert_int_equal(err.code, ERR_NOMEM);
    test_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_close_handles_what_waits),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
