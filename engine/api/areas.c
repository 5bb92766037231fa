#include "engine/api/areas.h"

#include "engine/api/api_private.h"

int areas_find(struct http_exchange *x, const struct directory *directory, struct areas *out)
{
    const struct http_request *r = http_request(x);
    const size_t most = directory_area_count(directory);
    *out = (struct areas){.street = http_query(r, "street"),
                          .community = http_query(r, "community"),
                          .ids = arena_zalloc(r->arena, most, sizeof(*out->ids)),
                          .streets = arena_zalloc(r->arena, most, sizeof(*out->streets))};
    bool street_found = out->street.ptr == NULL, community_found = out->community.ptr == NULL;
    if (out->ids == NULL || out->streets == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return -1;
    }
    for (size_t i = 0; i < most; i++) {
        struct span id, its_street;
        directory_area_at(directory, i, &id, &its_street);
        const bool street = out->street.ptr == NULL || span_eq(out->street, its_street);
        const bool community = out->community.ptr == NULL || span_eq(out->community, id);
        street_found |= street;
        community_found |= community;
        if (street && community) {
            out->ids[out->count] = id;
            out->streets[out->count++] = its_street;
        }
    }
    if (!street_found)
        return api_bad_query(x, "there is no such street in the directory");
    if (!community_found)
        return api_bad_query(x, "there is no such community in the directory");
    if (out->count == 0)
        return api_bad_query(x, "the community is not one of this street; ask for one of them");
    return 0;
}

void areas_write(struct json_writer *w, const struct areas *areas)
{
    if (areas->street.ptr != NULL)
        json_member_string(w, "street", areas->street);
    if (areas->community.ptr != NULL)
        json_member_string(w, "community", areas->community);
}
