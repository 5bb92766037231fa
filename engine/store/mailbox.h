/*
 * mailbox: carries small messages to a uv loop from any thread.
 *
 * Messages are intrusive list nodes: posting allocates nothing and cannot fail. They are handed to
 * their functions on the loop, in the order posted, all that wait in one turn.
 */
#ifndef JIESU_STORE_MAILBOX_H
#define JIESU_STORE_MAILBOX_H

#include "engine/base/err.h"

#include <uv.h>

struct mailbox;

struct mailbox_item {
    struct mailbox_item *next;
    void (*handle)(struct mailbox_item *item); /* on the loop; may free the item */
};

struct mailbox *mailbox_new(uv_loop_t *loop, struct err *err);
/* Any thread. The item must not be in a mailbox already. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item);
/* The same for several items with one wake-up: a list by next from the newest to the oldest, which
 * is handled first. */
void mailbox_post_all(struct mailbox *mailbox, struct mailbox_item *newest,
                      struct mailbox_item *oldest);
/* On the loop, when nobody posts any more: handles what waits, then frees. */
void mailbox_close(struct mailbox **mailbox);

#endif
