#include "engine/api/worker_areas.h"

#include "engine/api/api_private.h"

/* 0, or -1 when memory is short. */
static int add(struct arena *arena, struct worker_areas *out, struct span area)
{
    const struct span copy = arena_copy(arena, area);
    if (copy.ptr == NULL)
        return -1;
    out->areas[out->count++] = copy;
    return 0;
}

static int collect(struct arena *arena, const struct directory *directory, struct span own,
                   struct worker_areas *out)
{
    const size_t all = directory_area_count(directory);
    out->areas = arena_zalloc(arena, all + 1, sizeof(*out->areas));
    if (out->areas == NULL || add(arena, out, own) < 0)
        return -1;
    for (size_t i = 0; i < all; i++) {
        struct span area, street;
        directory_area_at(directory, i, &area, &street);
        if (span_eq(street, own) && !span_eq(area, own) && add(arena, out, area) < 0)
            return -1;
    }
    return 0;
}

int worker_areas_find(struct api *api, struct http_exchange *x, struct worker_areas *out)
{
    const struct http_request *r = http_request(x);
    struct policy *policy = api->options.policy(api->options.ctx);
    const struct directory *directory = policy_directory(policy);
    const struct span own = directory_worker_community(directory, r->params[0]);
    *out = (struct worker_areas){.worker = arena_copy(r->arena, r->params[0])};
    const int result =
        own.len == 0 || out->worker.ptr == NULL ? -1 : collect(r->arena, directory, own, out);
    policy_unref(&policy);
    if (result == 0)
        return 0;
    if (own.len == 0)
        api_not_found(x, "there is no such worker in the directory");
    else
        http_unavailable(x, 1, "out of memory; try again");
    return -1;
}
