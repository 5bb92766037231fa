#include "engine/http/wheel.h"

#include <stddef.h>

static void unlink_alarm(struct wheel_alarm *entry)
{
    entry->next->prev = entry->prev;
    entry->prev->next = entry->next;
    entry->next = entry->prev = NULL;
}

static void link_alarm(struct wheel_alarm *head, struct wheel_alarm *entry)
{
    entry->next = head;
    entry->prev = head->prev;
    head->prev->next = entry;
    head->prev = entry;
}

/* Fires what is due in one slot. What fires may set and clear any alarm: the due ones are first
 * moved to a list of their own, from which clearing one takes it out. */
static void run_slot(struct wheel *wheel, struct wheel_alarm *slot, uint64_t now)
{
    struct wheel_alarm due = {.next = &due, .prev = &due};
    struct wheel_alarm *next;
    for (struct wheel_alarm *entry = slot->next; entry != slot; entry = next) {
        next = entry->next;
        if (entry->due_ms <= now) {
            unlink_alarm(entry);
            link_alarm(&due, entry);
        }
    }
    while (due.next != &due) {
        struct wheel_alarm *entry = due.next;
        unlink_alarm(entry);
        wheel->set--;
        entry->fire(entry);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct wheel *wheel = (struct wheel *)((char *)timer - offsetof(struct wheel, timer));
    uint64_t now = uv_now(timer->loop), tick = now / WHEEL_SLOT_MS;
    /* After a long pause one turn of the wheel visits every slot. */
    if (tick - wheel->tick > WHEEL_SLOTS)
        wheel->tick = tick - WHEEL_SLOTS;
    while (wheel->tick < tick) {
        wheel->tick++;
        run_slot(wheel, &wheel->slots[wheel->tick % WHEEL_SLOTS], now);
    }
    if (wheel->set == 0)
        uv_timer_stop(timer);
}

void wheel_init(struct wheel *wheel, uv_loop_t *loop)
{
    uv_timer_init(loop, &wheel->timer);
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        wheel->slots[i].next = wheel->slots[i].prev = &wheel->slots[i];
    wheel->tick = uv_now(loop) / WHEEL_SLOT_MS;
    wheel->set = 0;
}

void wheel_set(struct wheel *wheel, struct wheel_alarm *entry, uint64_t ms)
{
    wheel_clear(wheel, entry);
    uint64_t now = uv_now(wheel->timer.loop);
    if (wheel->set++ == 0) {
        wheel->tick = now / WHEEL_SLOT_MS;
        uv_timer_start(&wheel->timer, on_tick, WHEEL_SLOT_MS, WHEEL_SLOT_MS);
    }
    entry->due_ms = now + ms;
    /* The slot after the one in which it is due, so that it is never early; and never one that was
     * looked at already. */
    uint64_t tick = entry->due_ms / WHEEL_SLOT_MS + 1;
    link_alarm(&wheel->slots[tick % WHEEL_SLOTS], entry);
}

void wheel_clear(struct wheel *wheel, struct wheel_alarm *entry)
{
    if (entry->next == NULL)
        return;
    unlink_alarm(entry);
    wheel->set--;
}

void wheel_close(struct wheel *wheel, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&wheel->timer, closed);
}
