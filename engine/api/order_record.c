#include "engine/api/order_record.h"

#include "engine/api/complaint_json.h"
#include "engine/model/watch.h"

/* When the engine must look at the new order first. */
static int64_t first_look(const struct order *order, const struct policy *policy)
{
    struct watch_order watched = {.id = order->id, .grid = order->route.grid};
    struct life *life = &watched.life;
    life_begin(life, order->created_at, order->deadlines.by, order->route.worker);
    life->post_count = order->route.post_count;
    for (size_t i = 0; i < life->post_count; i++)
        life->posts[i] = order->route.posts[i];
    life->sla_class = order->verdict.sla;
    life->provisional = order->deadlines.provisional;
    life->triage = order->triage;
    life->red = order->verdict.urgency == URGENCY_RED;
    return watch_next(&watched, policy, order->created_at);
}

int order_record(const struct order *order, const struct policy *policy, struct order_texts *texts,
                 struct record *record)
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
        .class_name = order->verdict.sla,
        .department = order->verdict.department,
        .street = order->route.street,
        .tags = order->verdict.tags,
        .tag_count = order->verdict.tag_count,
        .urgent = order->urgent,
        .special = order->special,
        .triage = order->triage,
        .created_at = order->created_at,
        .due_at = first_look(order, policy),
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
