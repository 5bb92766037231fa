/*
 * demo_kpi: what the engine's own figures say of the demo's day (GET /v1/stats/kpi), to be shown,
 * and to be held against the histories.
 */
#ifndef JIESU_CLI_DEMO_KPI_H
#define JIESU_CLI_DEMO_KPI_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/http/json.h"

#include <stdbool.h>
#include <stdint.h>

enum { DEMO_KPI_RATES = 3, DEMO_KPI_TARGETS = 5 };

/* A share of so many, beside the target for it. */
struct demo_share {
    const char *name; /* as in the answer */
    double share;     /* 0..1; meaningless when of is 0 */
    int64_t of;
    double target; /* 0: there is none */
};

struct demo_kpi {
    int64_t created, resolved;
    struct demo_share rates[DEMO_KPI_RATES];
    struct demo_share targets[DEMO_KPI_TARGETS];
    double mean_response_s, target_response_s;
};

enum { DEMO_KPI_PATH_BYTES = 96 };
/* The path that asks for the days from one instant's to another's. */
void demo_kpi_path(int64_t from, int64_t to, char out[DEMO_KPI_PATH_BYTES]);
/* Reads an answer. -1 and *err when it has another form. */
int demo_kpi_read(struct json_reader *reader, struct span body, struct demo_kpi *kpi,
                  struct err *err);

#endif
