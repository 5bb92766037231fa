#include "engine/api/order_record.h"

#include "engine/api/complaint_json.h"

int order_record(const struct order *order, struct order_texts *texts, struct record *record)
{
    buf_clear(&texts->answer);
    buf_clear(&texts->complaint);
    buf_clear(&texts->strings);
    complaint_encode(order->complaint, &texts->complaint);
    order_encode(order, &texts->answer);
    if (!buf_ok(&texts->complaint) || !buf_ok(&texts->answer))
        return -1;
    const struct record_order fields = {
        .id = &order->id,
        .worker = order->route.worker,
        .grid = order->route.grid,
        .posts = order->route.posts,
        .post_count = order->route.post_count,
        .urgency = span_str(urgency_name(order->verdict.urgency)),
        .category = order->verdict.category.path,
        .kind = span_str(kind_name(order->verdict.kind)),
        .urgent = order->urgent,
        .created_at = order->created_at,
        .deadlines = &order->deadlines,
        .answer = buf_view(&texts->answer),
        .complaint = buf_view(&texts->complaint),
    };
    return record_create(record, &fields, &texts->strings);
}

void order_texts_free(struct order_texts *texts)
{
    buf_free(&texts->answer);
    buf_free(&texts->complaint);
    buf_free(&texts->strings);
}
