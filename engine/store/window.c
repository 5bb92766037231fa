#include "engine/store/window.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

enum { COUNTS = 4096 }; /* a power of two */

struct window {
    size_t first, count;
    uint16_t unfinished[COUNTS]; /* slots by a hash of their order: which orders are under way */
    struct slot slots[LIMIT_DISPATCH_WINDOW];
};

struct window *window_new(struct dispatcher *dispatcher, struct err *err)
{
    struct window *window = mem_zalloc(1, sizeof(*window));
    if (window == NULL) {
        err_set(err, ERR_NOMEM, "no memory for the dispatcher");
        return NULL;
    }
    for (size_t i = 0; i < LIMIT_DISPATCH_WINDOW; i++)
        window->slots[i].dispatcher = dispatcher;
    return window;
}

static struct slot *slot_at(struct window *window, size_t i)
{
    return &window->slots[(window->first + i) % LIMIT_DISPATCH_WINDOW];
}

void window_free(struct window **window_p)
{
    struct window *window = *window_p;
    if (window == NULL)
        return;
    for (size_t i = 0; i < LIMIT_DISPATCH_WINDOW; i++) {
        struct slot *slot = &window->slots[i];
        if (slot->ticket != NULL)
            ticket_drop(slot->ticket);
        buf_free(&slot->bytes);
        buf_free(&slot->reason);
    }
    mem_free(window);
    *window_p = NULL;
}

bool window_full(const struct window *window)
{
    return window->count == LIMIT_DISPATCH_WINDOW;
}

bool window_empty(const struct window *window)
{
    return window->count == 0;
}

static size_t count_of(const struct id *order)
{
    return hash64(id_ulid(order), 0) & (COUNTS - 1);
}

bool window_touches(const struct window *window, const struct id *order)
{
    return window->unfinished[count_of(order)] > 0;
}

struct slot *window_push(struct window *window, uint64_t seq, const struct record *record)
{
    CHECK(!window_full(window));
    struct slot *slot = slot_at(window, window->count++);
    slot->stage = SLOT_LOST;
    slot->seq = seq;
    slot->id = slot->becomes = record->id;
    slot->kind = record->kind;
    slot->keyed = record->keyed;
    slot->claim = record->claim;
    slot->renamed = slot->forced = false;
    buf_clear(&slot->bytes);
    buf_clear(&slot->reason);
    window->unfinished[count_of(&slot->id)]++;
    return slot;
}

void window_finish(struct window *window, struct slot *slot)
{
    CHECK(slot->stage != SLOT_DONE);
    slot->stage = SLOT_DONE;
    window->unfinished[count_of(&slot->id)]--;
}

uint64_t window_advance(struct window *window)
{
    uint64_t seq = 0;
    while (window->count > 0 && slot_at(window, 0)->stage == SLOT_DONE) {
        seq = slot_at(window, 0)->seq;
        window->first = (window->first + 1) % LIMIT_DISPATCH_WINDOW;
        window->count--;
    }
    return seq;
}

struct ticket *window_clear(struct window *window)
{
    struct ticket *list = NULL, **end = &list;
    for (; window->count > 0; window->count--) {
        struct slot *slot = slot_at(window, 0);
        window->first = (window->first + 1) % LIMIT_DISPATCH_WINDOW;
        if (slot->stage != SLOT_DONE)
            window_finish(window, slot);
        if (slot->ticket != NULL) {
            slot->ticket->next = NULL;
            *end = slot->ticket;
            end = &slot->ticket->next;
            slot->ticket = NULL;
        }
    }
    return list;
}
