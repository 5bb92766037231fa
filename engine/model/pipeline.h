/*
 * pipeline: complaint in, order out: classify, route, set the clocks. Pure: no I/O, the time is
 * handed in.
 *
 * An order whose verdict asks for a review goes to the station head (or the street's triage) first;
 * its posts are the grid's own, and the review gives it to the first of them. A red one goes to its
 * grid at once.
 */
#ifndef JIESU_MODEL_PIPELINE_H
#define JIESU_MODEL_PIPELINE_H

#include "engine/base/err.h"
#include "engine/model/complaint.h"
#include "engine/model/order.h"
#include "engine/model/policy.h"

/* Fills *order (its id too). load is what the workers have, or NULL. The complaint, the policy and the scratch must outlive its use. 0, or
 * -1 and *err: ERR_INVALID (bad UTF-8, unknown grid or community: the text names the field),
 * ERR_NOMEM. */
int pipeline_run(const struct policy *policy, struct rules_scratch *scratch,
                 const struct load *load, const struct complaint *complaint, int64_t now,
                 struct order *order, struct err *err);

#endif
