/*
 * A stack that any thread pushes to with one compare-and-swap. The loop takes the whole stack at
 * once and turns it round, which gives the order of posting back. Only the post that finds the
 * stack empty needs to wake the loop.
 */
#include "engine/store/mailbox.h"

#include "engine/base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mailbox {
    uv_async_t async;
    _Atomic(struct mailbox_item *) top;
};

static void mailbox_drain(struct mailbox *mailbox)
{
    struct mailbox_item *item = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire);
    struct mailbox_item *oldest = NULL;
    while (item != NULL) {
        struct mailbox_item *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    while (oldest != NULL) {
        item = oldest;
        oldest = item->next;
        item->next = NULL;
        item->handle(item);
    }
}

static void mailbox_wake(uv_async_t *async)
{
    mailbox_drain(async->data);
}

struct mailbox *mailbox_new(uv_loop_t *loop, struct err *err)
{
    struct mailbox *mailbox = mem_zalloc(1, sizeof(*mailbox));
    if (mailbox == NULL) {
        err_set(err, ERR_NOMEM, "no memory for a mailbox");
        return NULL;
    }
    int rc = uv_async_init(loop, &mailbox->async, mailbox_wake);
    if (rc != 0) {
        err_set(err, ERR_IO, "cannot make a mailbox: %s", uv_strerror(rc));
        mem_free(mailbox);
        return NULL;
    }
    mailbox->async.data = mailbox;
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item)
{
    mailbox_post_all(mailbox, item, item);
}

void mailbox_post_all(struct mailbox *mailbox, struct mailbox_item *newest,
                      struct mailbox_item *oldest)
{
    struct mailbox_item *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    bool was_empty;
    do {
        oldest->next = top;
        was_empty = top == NULL; /* once they are in, the items may be gone */
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, newest,
                                                    memory_order_release, memory_order_relaxed));
    if (was_empty)
        uv_async_send(&mailbox->async);
}

static void mailbox_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void mailbox_close(struct mailbox **mailbox)
{
    if (*mailbox == NULL)
        return;
    while (atomic_load_explicit(&(*mailbox)->top, memory_order_acquire) != NULL)
        mailbox_drain(*mailbox);
    uv_close((uv_handle_t *)&(*mailbox)->async, mailbox_closed);
    *mailbox = NULL;
}
