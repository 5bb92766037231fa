/* POST /v1/classify: the verdict on a text, with its evidence; nothing is stored. */
#include "engine/api/api_private.h"
#include "engine/api/complaint_json.h"
#include "engine/base/clock.h"
#include "engine/base/metric.h"

static const struct span none = {NULL, 0};

/* The same members as a complaint, of which title and text count. */
void classify_post(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    struct json root;
    struct complaint complaint;
    struct buf out = {0};
    if (api_read_object(api, x, &root) < 0)
        return;
    if (complaint_decode(root, &complaint, &out) < 0) {
        const struct span extra =
            arena_printf(http_request(x)->arena, "\"errors\":[%.*s]", SPAN_ARG(buf_view(&out)));
        if (buf_ok(&out) && extra.ptr != NULL)
            http_problem(x, 400, "invalid-complaint",
                         SPAN("the complaint has fields that are not right"), extra);
        else
            http_unavailable(x, 1, "out of memory; try again");
        buf_free(&out);
        return;
    }
    buf_clear(&out);

    struct policy *policy = api->options.policy(api->options.ctx);
    struct verdict verdict;
    struct err err = {0};
    const uint64_t start = clock_steady_ns();
    const int result = classify(policy_rules(policy), api->scratch, complaint.title, complaint.text,
                                &verdict, &err);
    metric_time(METRIC_HIST_CLASSIFY, clock_steady_ns() - start);
    if (result == 0) {
        verdict_encode(&verdict, &out);
        api_respond_json(x, 200, &out);
    } else if (err.code == ERR_NOMEM) {
        http_unavailable(x, 1, "out of memory; try again");
    } else {
        http_problem(x, 400, "invalid-complaint", span_str(err.text), none);
    }
    policy_unref(&policy);
    buf_free(&out);
}
