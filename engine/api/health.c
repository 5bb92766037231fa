/* What operations ask: alive, ready, and the figures. */
#include "engine/api/api_private.h"
#include "engine/base/metric.h"

/* Alive means that this loop turns. It never asks Redis: a Redis that is away is no reason to
 * restart us. */
void health_live(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_respond(x, 200, "text/plain", SPAN("ok\n"));
}

/* Ready to be sent requests: not stopping, and Redis takes orders. While Redis is away complaints
 * are still taken (202), but a balancer that has another engine should prefer it. */
void health_ready(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    if (!api->options.accepting(api->options.ctx))
        http_unavailable(x, 1, "the engine is stopping");
    else if (!dispatcher_live(api->options.dispatcher) || !redis_ready(api->redis))
        http_unavailable(x, 1, "Redis is not ready; complaints are held and answered 202");
    else
        http_respond(x, 200, "text/plain", SPAN("ready\n"));
}

void health_metrics(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct buf out = {0};
    metric_write(&out);
    if (buf_ok(&out))
        http_respond(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&out));
    else
        http_unavailable(x, 1, "out of memory; try again");
    buf_free(&out);
}
