#include "engine/model/pipeline.h"

#include "engine/base/utf.h"

/* The tag that rules/tags.yaml gives to matters of somebody of a special group. */
static const struct span special_group = {"special_group", sizeof "special_group" - 1};

static bool is_special(const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->tag_count; i++)
        if (span_eq(verdict->tags[i], special_group))
            return true;
    return false;
}

/* A special group's yellow is as good as red: who cannot help themselves do not wait. */
static bool is_urgent(const struct verdict *verdict, bool special)
{
    return verdict->urgency >= (special ? URGENCY_YELLOW : URGENCY_RED);
}

/* The values are not repeated in the message: a resident's words may stand in any field. */
static int check_place(const struct directory *directory, const struct complaint *complaint,
                       struct err *err)
{
    if (complaint->grid.len > 0 && !directory_has_grid(directory, complaint->grid))
        return err_set(err, ERR_INVALID,
                       "grid: no such grid; leave it out or use an id of the "
                       "directory");
    if (complaint->community.len > 0 && !directory_has_community(directory, complaint->community))
        return err_set(err, ERR_INVALID,
                       "community: no such community; leave it out or use an id of the directory");
    if (!utf8_valid(complaint->address))
        return err_set(err, ERR_INVALID, "location.address: not valid UTF-8; send UTF-8");
    return 0;
}

static int run_classify(const struct policy *policy, struct rules_scratch *scratch,
                        const struct complaint *complaint, struct verdict *verdict, struct err *err)
{
    if (classify(policy_rules(policy), scratch, complaint->title, complaint->text, verdict, err) !=
        0)
        return -1;
    if (complaint->has_kind)
        verdict->kind = complaint->kind;
    return 0;
}

/* What nobody can be sure of is looked at by the station head before a grid worker runs for it; what
 * may be an emergency is not kept waiting. */
static bool waits_for_review(const struct order *order)
{
    return order->verdict.review && order->verdict.urgency != URGENCY_RED &&
           order->route.post_count > 1;
}

int pipeline_run(const struct policy *policy, struct rules_scratch *scratch,
                 const struct load *load, const struct complaint *complaint, int64_t now,
                 struct order *order, struct err *err)
{
    const struct directory *directory = policy_directory(policy);
    if (check_place(directory, complaint, err) != 0 ||
        run_classify(policy, scratch, complaint, &order->verdict, err) != 0)
        return -1;
    struct route_query query = {
        .grid = complaint->grid,
        .community = complaint->community,
        .has_point = complaint->has_point,
        .lat = complaint->lat,
        .lon = complaint->lon,
        .address = complaint->address,
        .text = rules_scratch_text(scratch),
        .now = now,
        .load = load,
        .capacity = process_numbers(policy_process(policy))->capacity,
    };
    directory_route(directory, &query, &order->route);
    order->triage = waits_for_review(order);
    if (order->triage)
        directory_route_to_head(directory, &order->route);
    order->deadlines =
        sla_deadlines(policy_sla(policy), policy_calendar(policy), order->verdict.sla, now);
    order->complaint = complaint;
    order->created_at = now;
    order->special = is_special(&order->verdict);
    order->urgent = is_urgent(&order->verdict, order->special);
    id_make(&order->id, order->route.community, now);
    return 0;
}
