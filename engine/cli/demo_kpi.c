#include "engine/cli/demo_kpi.h"

#include "engine/base/clock.h"

#include <stdio.h>

static const char *const rates[DEMO_KPI_RATES] = {"response", "resolution", "satisfaction"};
static const char *const targets[DEMO_KPI_TARGETS] = {"orders_in_time", "safety_in_time",
                                                      "disputes_settled", "satisfaction",
                                                      "satisfaction_special_groups"};

void demo_kpi_path(int64_t from, int64_t to, char out[DEMO_KPI_PATH_BYTES])
{
    const struct clock_civil a = clock_to_civil(from), b = clock_to_civil(to);
    (void)snprintf(out, DEMO_KPI_PATH_BYTES, "/v1/stats/kpi?from=%04d-%02d-%02d&to=%04d-%02d-%02d",
                   a.year, a.month, a.day, b.year, b.month, b.day);
}

static bool get_number(struct json object, const char *name, double *out)
{
    struct json value;
    if (!json_get(object, name, &value))
        return false;
    const enum json_type type = json_type(value);
    *out = type == JSON_INTEGER || type == JSON_NUMBER ? json_number(value) : 0;
    return type == JSON_INTEGER || type == JSON_NUMBER || type == JSON_NULL;
}

static bool get_integer(struct json object, const char *name, int64_t *out)
{
    struct json value;
    if (!json_get(object, name, &value) || json_type(value) != JSON_INTEGER)
        return false;
    *out = json_integer(value);
    return true;
}

static bool get_shares(struct json total, const char *group, const char *const *names, size_t count,
                       struct demo_share *out)
{
    struct json map, one;
    if (!json_get(total, group, &map))
        return false;
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct demo_share){.name = names[i]};
        if (!json_get(map, names[i], &one) || !get_number(one, "share", &out[i].share) ||
            !get_integer(one, "of", &out[i].of))
            return false;
        (void)get_number(one, "target", &out[i].target); /* a mere rate has none */
    }
    return true;
}

int demo_kpi_read(struct json_reader *reader, struct span body, struct demo_kpi *kpi,
                  struct err *err)
{
    struct json root, total, orders, map, response;
    *kpi = (struct demo_kpi){0};
    if (json_parse(reader, body, &root, NULL) < 0 || !json_get(root, "total", &total) ||
        !json_get(total, "orders", &orders) || !get_integer(orders, "created", &kpi->created) ||
        !get_integer(orders, "resolved", &kpi->resolved) ||
        !get_shares(total, "rates", rates, DEMO_KPI_RATES, kpi->rates) ||
        !get_shares(total, "targets", targets, DEMO_KPI_TARGETS, kpi->targets) ||
        !json_get(total, "targets", &map) || !json_get(map, "first_response", &response) ||
        !get_number(response, "mean_s", &kpi->mean_response_s) ||
        !get_number(response, "target_s", &kpi->target_response_s))
        return err_set(err, ERR_PROTOCOL, "the engine's figures cannot be read");
    return 0;
}
