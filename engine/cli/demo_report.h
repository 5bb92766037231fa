/*
 * demo_report: what the demo shows: a line for each hour while it runs, tables at the end.
 */
#ifndef JIESU_CLI_DEMO_REPORT_H
#define JIESU_CLI_DEMO_REPORT_H

#include "engine/cli/demo_check.h"
#include "engine/cli/demo_feed.h"
#include "engine/cli/demo_ledger.h"
#include "engine/cli/demo_tally.h"
#include "engine/http/json.h"
#include "engine/model/directory.h"

struct demo_report;

/* The directory must outlive it. NULL when memory is short. */
struct demo_report *demo_report_new(const struct directory *directory);
void demo_report_free(struct demo_report **report);

void demo_report_begin(struct demo_report *report, size_t complaints);
void demo_report_serving(struct demo_report *report, int port, int speed);
/* An answer of the engine (201 with the order, 202 with its id). */
void demo_report_answer(struct demo_report *report, int status, struct json answer);
/* An order came into a worker's queue. */
void demo_report_queued(struct demo_report *report, size_t worker, enum order_queue queue);
/* What happened in the hour that begins then; a quiet one is left out. To be told in their order. */
void demo_report_hour(struct demo_report *report, int64_t at, const struct demo_hour *hour);

/* How it ended. */
struct demo_result {
    const struct demo_feed *feed; /* may be NULL */
    struct ledger_count given;    /* what was acknowledged and taken */
    const struct demo_sums *sums; /* what was found in the end; NULL: it did not come to that */
    size_t complaints;
    const struct err *err; /* why it failed, or NULL */
};
/* The tables and the count that matters. */
void demo_report_end(struct demo_report *report, const struct demo_result *result);

#endif
