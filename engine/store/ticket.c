#include "engine/store/ticket.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"

#include <stddef.h>
#include <string.h>

struct ticket *ticket_new(const struct record *record, atomic_size_t *count)
{
    size_t len = record_size(record);
    struct ticket *ticket = mem_alloc(sizeof(*ticket) + len);
    if (ticket == NULL)
        return NULL;
    memset(ticket, 0, sizeof(*ticket));
    atomic_init(&ticket->refs, 2);
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    ticket->count = count;
    ticket->len = len;
    record_write(record, ticket->bytes);
    ticket->entry.bytes = span_of(ticket->bytes, len);
    ticket->id = record->id;
    ticket->keyed = record->keyed;
    ticket->claim = record->claim;
    ticket->body = record->body;
    return ticket;
}

static void unref(struct ticket *ticket)
{
    if (atomic_fetch_sub_explicit(&ticket->refs, 1, memory_order_acq_rel) > 1)
        return;
    mem_free(ticket->text);
    mem_free(ticket);
}

void ticket_drop(struct ticket *ticket)
{
    atomic_fetch_sub_explicit(ticket->count, 1, memory_order_relaxed);
    unref(ticket);
}

bool ticket_released(const struct ticket *ticket)
{
    return atomic_load_explicit(&ticket->released, memory_order_acquire);
}

bool ticket_committed(const struct ticket *ticket)
{
    return atomic_load_explicit(&ticket->committed, memory_order_acquire);
}

struct id ticket_id(const struct ticket *ticket)
{
    return ticket->id;
}

void ticket_release(struct ticket **ticket_p)
{
    struct ticket *ticket = *ticket_p;
    if (ticket == NULL)
        return;
    atomic_store_explicit(&ticket->released, true, memory_order_release);
    unref(ticket);
    *ticket_p = NULL;
}

static struct ticket *of_item(struct mailbox_item *item)
{
    return (struct ticket *)(void *)((char *)item - offsetof(struct ticket, item));
}

/* Copies the outcome. The text is the stored answer of a replay, the one thing that needs memory of
 * its own; without it the outcome still says which order it is. */
static void keep_outcome(struct ticket *ticket, const struct outcome *outcome)
{
    ticket->code = outcome->code;
    ticket->order = ticket->id;
    if (outcome->id.len > 0)
        CHECK(id_parse(outcome->id, &ticket->order) == 0);
    ticket->version = outcome->version;
    ticket->state_len = outcome->state.len < TICKET_STATE_BYTES ? outcome->state.len : 0;
    if (ticket->state_len > 0)
        memcpy(ticket->state, outcome->state.ptr, ticket->state_len);
    if (outcome->text.len > 0)
        ticket->text = mem_strndup(outcome->text.ptr, outcome->text.len);
    ticket->text_len = ticket->text == NULL ? 0 : outcome->text.len;
}

struct outcome ticket_outcome(const struct ticket *ticket)
{
    return (struct outcome){
        .code = ticket->code,
        .id = id_span(&ticket->order),
        .state = span_of(ticket->state, ticket->state_len),
        .version = ticket->version,
        .text = span_of(ticket->text, ticket->text_len),
    };
}

/* On the submitter's loop, where a release happens too: no race between the two. True when it was
 * given. */
static bool give(struct ticket *ticket)
{
    if (ticket_released(ticket))
        return false;
    struct outcome outcome = ticket_outcome(ticket);
    ticket->done(ticket->ctx, &outcome);
    return true;
}

static void settle_at_home(struct mailbox_item *item)
{
    struct ticket *ticket = of_item(item);
    give(ticket);
    unref(ticket);
}

void ticket_settle(struct ticket *ticket, const struct outcome *outcome)
{
    if (ticket_released(ticket)) {
        ticket_drop(ticket);
        return;
    }
    /* The dispatcher may be gone when the outcome arrives; the hold is the mailbox's from here on.
     */
    atomic_fetch_sub_explicit(ticket->count, 1, memory_order_relaxed);
    keep_outcome(ticket, outcome);
    ticket->item.handle = settle_at_home;
    mailbox_post(ticket->home, &ticket->item);
}

static void deliver_at_home(struct mailbox_item *item)
{
    struct ticket *ticket = of_item(item);
    bool given = give(ticket);
    ticket->delivered(ticket, given);
}

void ticket_deliver(struct ticket *ticket, const struct outcome *outcome,
                    ticket_delivered *delivered)
{
    keep_outcome(ticket, outcome);
    ticket->delivered = delivered;
    ticket->item.handle = deliver_at_home;
    mailbox_post(ticket->home, &ticket->item);
}
