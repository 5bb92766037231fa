/*
 * keys: the names of everything jiesu keeps in Redis.
 *
 *   jiesu:{<community>}:order:<ulid>         hash: one work order
 *   jiesu:{<community>}:q:<worker>           stream, group "workers": the worker's queue
 *   jiesu:{<community>}:q:<worker>:urgent    the same for what is urgent, read first
 *   jiesu:{<community>}:q:<worker>:special   the same for what is about special groups, read next
 *   jiesu:{<community>}:notices:<worker>     stream: what the worker is told, the newest thousand or so
 *   jiesu:{<community>}:due                  sorted set: ULID by when the engine must look at it next (ms)
 *   jiesu:{<community>}:idx:warning:<level>  sorted set: ULID of the open orders of that warning
 *                                            level by when it rose (ms)
 *   jiesu:{<community>}:events               stream: every step of every order, and its creation
 *   jiesu:{<community>}:open                 hash: how many orders each worker holds that are not done
 *   jiesu:{<community>}:idle                 hash: when an order came to each worker last (ms)
 *   jiesu:{<community>}:examples             sorted set: ULID by when a person corrected its category (ms)
 *   jiesu:{<community>}:cursors              hash: how far each consumer has read the events
 *   jiesu:{<community>}:lease:<consumer>     string: the engine that reads for this consumer now
 *   jiesu:{<community>}:lapse                sorted set: ULID by the next deadline (ms) that makes a figure
 *   jiesu:{<community>}:stat:<yyyymmdd>      hash: the figures of the orders of a day (figures.h)
 *   jiesu:{<community>}:stat:<yyyymmdd>:<by> the same by grid, worker, category or kind
 *   jiesu:{<community>}:dead:<hook>          stream: what a webhook endpoint did not take
 *   jiesu:{<community>}:dead:<hook>:orders   hash: the complaints in it, with count and newest version
 *   jiesu:{<community>}:dead:<hook>:replay   set: those that are to be sent again
 *   jiesu:{<community>}:hook:<hook>          string: what the deliverer says of itself (JSON), for some seconds
 *   jiesu:{<community>}:wake:<worker>        channel: something was queued for the worker, or told to it
 *   jiesu:{<community>}:alias:<ulid>         string: the id of the order that this id became (see below)
 *   jiesu:claim:<32 hex digits>              string: an idempotency key's claim (record.h)
 *
 * All keys of a community share the hash tag, so one step of an order touches one slot.
 *
 * An alias is written when a request was answered 202 with an id while Redis could not be asked, and it then
 * turned out that its idempotency key already stands for another order: whoever was given the first id can
 * still be shown the order.
 */
#ifndef JIESU_STORE_KEYS_H
#define JIESU_STORE_KEYS_H

#include "engine/base/hash.h"
#include "engine/base/span.h"
#include "engine/model/clocks.h"
#include "engine/model/id.h"
#include "engine/model/order.h"

#include <stdbool.h>

enum { KEY_BYTES = 160 };

/* A key by value; NUL-terminated. */
struct key {
    char text[KEY_BYTES];
    size_t len;
};

struct span key_span(const struct key *key);
struct key key_order(const struct id *id);
/* The other way: 0 and the id when key is an order's, else -1. */
int key_parse_order(struct span key, struct id *id);
struct key key_alias(const struct id *id);
struct key key_queue(struct span community, struct span worker, enum order_queue which);
struct key key_due(struct span community);
/* level is not WARNING_NONE. */
struct key key_warned(struct span community, enum warning level);
struct key key_open(struct span community);
struct key key_idle(struct span community);
struct key key_notices(struct span community, struct span worker);
struct key key_examples(struct span community);
struct key key_events(struct span community);
struct key key_cursors(struct span community);
struct key key_lease(struct span community, struct span consumer);
struct key key_dead(struct span community, struct span hook);
struct key key_dead_orders(struct span community, struct span hook);
struct key key_dead_replay(struct span community, struct span hook);
struct key key_hook(struct span community, struct span hook);
struct key key_lapse(struct span community);
/* by is empty for a day's figures in total. */
struct key key_stat(struct span community, int32_t day, struct span by);
struct key key_wake(struct span community, struct span worker);
/* claim is the hash of the caller's idempotency key and its scope. */
struct key key_claim(struct hash128 claim);

#endif
