/*
 * watch: what the engine does about an order by itself, and when. Pure: order, policy and instant
 * are handed in.
 *
 * Nobody asks for these steps, so each is decided here and nowhere else: the resolved order that is
 * closed when its time to be reopened is over; deadlines counted anew when the year's calendar was
 * published; the dispute that goes up when its days are over; the order nobody accepted, which goes
 * to the next post; and the warnings. The sweeper looks at an order when watch_next says, takes the
 * one step that watch_step gives, and looks again: so after hours of standstill an order still gets
 * one step of each kind, with the highest level, and not all that were missed.
 */
#ifndef JIESU_MODEL_WATCH_H
#define JIESU_MODEL_WATCH_H

#include "engine/base/span.h"
#include "engine/model/id.h"
#include "engine/model/life.h"
#include "engine/model/policy.h"

#include <stddef.h>
#include <stdint.h>

/* What must be known of an order. Spans borrow from whoever read it. In `life` the posts and all
 * that life_begin leaves to its caller are set. */
struct watch_order {
    struct id id;
    struct span grid; /* empty for a station's or triage's own */
    struct life life;
};

enum {
    WATCH_TELL_MOST = 4,    /* workers told of one step */
    WATCH_LOOK_MS = 3600000 /* an open order is looked at so often at least */
};

/* The next instant at which something may be due, seen from `now`: never later than the first
 * instant from `now` on at which watch_step gives a step by this policy, and not after the next
 * hourly look, so that another policy (a published year, other shares) reaches every open order.
 * At or before `now` when something is due already; 0 when the order has ended. */
int64_t watch_next(const struct watch_order *order, const struct policy *policy, int64_t now);
/* 1 and the one step that is due, ready to be taken (actor, `at`, the version that was seen), or 0
 * when nothing is. Its spans borrow from the order and the policy. Of several: close, reclock,
 * escalate, hand_over, warn. */
int watch_step(const struct watch_order *order, const struct policy *policy, int64_t now,
               struct life_step *step);
/* The workers to be told of a step, each once, by the order as it was before the step. The new
 * holder of an order finds it in a queue and is named here only when the list says holder. */
size_t watch_tell(const struct life_step *step, const struct watch_order *order,
                  const struct policy *policy, struct span out[WATCH_TELL_MOST]);
/* Completes a review of an order created then: a corrected category brings its class and the
 * deadlines of that. Another step, or one that confirms, is left as it is. */
void watch_review(struct life_step *step, const struct policy *policy, int64_t created_at);

#endif
