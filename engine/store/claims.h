/*
 * claims: the idempotency keys whose records this engine has on their way. Internal to the store;
 * any thread.
 *
 * A claim is entered when its first request is submitted (or found in the outbox at start) and
 * taken out when its record is settled. What Redis knows of older keys is asked there.
 */
#ifndef JIESU_STORE_CLAIMS_H
#define JIESU_STORE_CLAIMS_H

#include "engine/store/ticket.h"

struct claims;

struct claims *claims_new(struct err *err);
void claims_free(struct claims **claims);

/* For a keyed ticket that is about to be submitted. 1: it is the first, go on. 0: it joined the
 * record that the first became (its id is now that one's, it counts as committed); it will be
 * handed out by claims_take. -1 and *err: ERR_CONFLICT, ERR_INVALID or ERR_NOMEM, as
 * dispatcher_submit says. */
int claims_enter(struct claims *claims, struct ticket *ticket, struct err *err);
/* Enters a record found in the outbox; the first of a key stands. 0, or -1 when memory is short. */
int claims_load(struct claims *claims, const struct record *record);
/* The ticket of an entered claim is about to go, its record is not: nobody waits for it any more.
 */
void claims_forget_ticket(struct claims *claims, const struct ticket *ticket);
/* Takes out the claim if it stands for the order id. Returns the tickets that joined it, a list by
 * next. */
struct ticket *claims_take(struct claims *claims, struct hash128 claim, const struct id *id);
/* How many there are. */
size_t claims_count(struct claims *claims);

#endif
