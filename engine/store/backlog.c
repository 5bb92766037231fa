/*
 * Tickets are kept in a list in the order of their numbers. Above `floor` the list is whole: every
 * committed record that was not taken is in it. At or below the floor, records must be read from
 * the outbox, and the list only holds the tickets of some of them, for the outcome to find its way.
 *
 * While Redis is away the list grows to LIMIT_DISPATCH_QUEUE; then its oldest tickets go, once
 * their submitters have answered 202 and let go, and the floor rises. When Redis is back, reading
 * from the outbox starts below the floor while new records push it up, until the reading overtakes
 * it. Nothing ever switches modes: the next record comes from memory when all before the floor has
 * been taken, else from the outbox.
 *
 * Taken are only numbers up to the last one added, although the outbox may show later ones already:
 * those have a ticket that is still on its way here.
 */
#include "engine/store/backlog.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

struct backlog {
    struct outbox_reader *reader;
    struct claims *claims;
    struct ticket *head, **tail;
    size_t count;
    uint64_t taken, floor, last;
    bool peeked;
    struct backlog_item item;
};

struct backlog *backlog_new(struct outbox *outbox, struct claims *claims, struct err *err)
{
    struct backlog *backlog = mem_zalloc(1, sizeof(*backlog));
    if (backlog == NULL) {
        err_set(err, ERR_NOMEM, "no memory for the dispatcher");
        return NULL;
    }
    backlog->claims = claims;
    backlog->tail = &backlog->head;
    backlog->last = backlog->floor = outbox_last(outbox);
    backlog->reader = outbox_reader_new(outbox, err);
    if (backlog->reader == NULL)
        backlog_free(&backlog);
    return backlog;
}

static struct ticket *pop(struct backlog *backlog)
{
    struct ticket *ticket = backlog->head;
    CHECK(ticket != NULL);
    backlog->head = ticket->next;
    if (backlog->head == NULL)
        backlog->tail = &backlog->head;
    backlog->count--;
    ticket->next = NULL;
    return ticket;
}

/* Drops a ticket that the list has no use for any more. */
static void let_go(struct backlog *backlog, struct ticket *ticket)
{
    if (ticket->keyed)
        claims_forget_ticket(backlog->claims, ticket);
    ticket_drop(ticket);
}

void backlog_free(struct backlog **backlog_p)
{
    struct backlog *backlog = *backlog_p;
    if (backlog == NULL)
        return;
    while (backlog->head != NULL)
        let_go(backlog, pop(backlog));
    outbox_reader_free(&backlog->reader);
    mem_free(backlog);
    *backlog_p = NULL;
}

/* Lets the oldest go while there are too many and nobody waits for them. */
static void shed(struct backlog *backlog)
{
    while (backlog->count > LIMIT_DISPATCH_QUEUE && ticket_released(backlog->head)) {
        struct ticket *ticket = pop(backlog);
        if (ticket->entry.seq > backlog->floor)
            backlog->floor = ticket->entry.seq;
        let_go(backlog, ticket);
    }
}

void backlog_add(struct backlog *backlog, struct ticket *ticket)
{
    ticket->next = NULL;
    *backlog->tail = ticket;
    backlog->tail = &ticket->next;
    backlog->count++;
    backlog->last = ticket->entry.seq;
    /* What was peeked borrows from the head. */
    if (!backlog->peeked)
        shed(backlog);
}

/* Looks for a record at or below the floor. 1, 0 when there is none, -1. */
static int peek_outbox(struct backlog *backlog, struct backlog_item *item, struct err *err)
{
    int found = outbox_reader_next(backlog->reader, backlog->taken, &item->seq, &item->bytes, err);
    if (found <= 0)
        return found;
    if (item->seq > backlog->floor)
        return 0;
    /* A ticket whose record is in the outbox no more can only be one that was settled and dropped.
     */
    while (backlog->head != NULL && backlog->head->entry.seq < item->seq)
        let_go(backlog, pop(backlog));
    item->read = true;
    bool waited_for = backlog->head != NULL && backlog->head->entry.seq == item->seq;
    item->ticket = waited_for ? backlog->head : NULL;
    return 1;
}

int backlog_peek(struct backlog *backlog, struct backlog_item *item, struct err *err)
{
    if (!backlog->peeked) {
        int found = 0;
        if (backlog->taken < backlog->floor) {
            found = peek_outbox(backlog, &backlog->item, err);
            if (found < 0)
                return -1;
            if (found == 0)
                backlog->taken = backlog->floor; /* nothing is left below it */
        }
        while (found == 0 && backlog->head != NULL && backlog->head->entry.seq <= backlog->floor)
            let_go(backlog, pop(backlog));
        if (found == 0 && backlog->head == NULL)
            return 0;
        if (found == 0)
            backlog->item = (struct backlog_item){.seq = backlog->head->entry.seq,
                                                  .bytes = backlog->head->entry.bytes,
                                                  .ticket = backlog->head};
        backlog->peeked = true;
    }
    *item = backlog->item;
    return 1;
}

void backlog_take(struct backlog *backlog)
{
    if (!backlog->peeked)
        return;
    backlog->peeked = false;
    backlog->taken = backlog->item.seq;
    if (backlog->item.ticket != NULL)
        pop(backlog);
    shed(backlog);
}

void backlog_rewind(struct backlog *backlog, uint64_t after, struct ticket *tickets)
{
    backlog->peeked = false;
    if (backlog->taken > backlog->floor)
        backlog->floor = backlog->taken;
    backlog->taken = after;
    struct ticket *rest = backlog->head;
    struct ticket **end = &backlog->head;
    *end = tickets;
    while (*end != NULL) {
        backlog->count++;
        end = &(*end)->next;
    }
    *end = rest;
    if (rest == NULL)
        backlog->tail = end;
    shed(backlog);
}

uint64_t backlog_taken(const struct backlog *backlog)
{
    return backlog->taken;
}

uint64_t backlog_last(const struct backlog *backlog)
{
    return backlog->last;
}

bool backlog_live(const struct backlog *backlog)
{
    return backlog->taken >= backlog->floor;
}
