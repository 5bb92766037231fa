/*
 * stats_json: a row of figures as JSON.
 */
#ifndef JIESU_API_STATS_JSON_H
#define JIESU_API_STATS_JSON_H

#include "engine/http/json_writer.h"
#include "engine/model/figures_table.h"

/* The members orders, rates, targets, ratings and clocks, in the object that is open. */
void stats_write(struct json_writer *w, const struct figures_row *row,
                 const struct targets *targets);

#endif
