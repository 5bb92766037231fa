/*
 * order_record: the one definition of what is stored of a decided order.
 */
#ifndef JIESU_API_ORDER_RECORD_H
#define JIESU_API_ORDER_RECORD_H

#include "engine/base/buf.h"
#include "engine/model/order.h"
#include "engine/model/policy.h"
#include "engine/store/record.h"

/* What a record borrows from. Zeroed before the first use; may be used again. */
struct order_texts {
    struct buf answer;    /* the body of the 201 */
    struct buf complaint; /* what the resident sent */
    struct buf strings;
};

/* Fills *record with the creation of the order that was decided by the policy; it borrows from texts. 0, or -1 when
 * memory is short. */
int order_record(const struct order *order, const struct policy *policy, struct order_texts *texts,
                 struct record *record);
void order_texts_free(struct order_texts *texts);

#endif
