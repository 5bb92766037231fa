/*
 * dispatch_slot: the way of one record through Redis, as stages of its slot in the window. Internal to the
 * store; on the dispatcher's loop.
 *
 * A slot ends as SLOT_DONE, or as SLOT_LOST with dispatcher->rewinding set. After every answer that a slot
 * got, dispatch_go_on is called.
 */
#ifndef JIESU_STORE_DISPATCH_SLOT_H
#define JIESU_STORE_DISPATCH_SLOT_H

#include "engine/store/window.h"

/* Sends the slot's first command. The record is the slot's. */
void slot_start(struct slot *slot, const struct record *record);
/* The record can never become an order: keeps it for a person to look at. */
void slot_bury(struct slot *slot, struct span reason);
/* The record must be sent again, and all after it, but not at once: something is wrong that time may heal. */
void slot_lose_and_pause(struct slot *slot);

#endif
