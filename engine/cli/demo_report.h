/*
 * demo_report: what the demo shows: a progress bar while it runs, a table at the end.
 */
#ifndef JIESU_CLI_DEMO_REPORT_H
#define JIESU_CLI_DEMO_REPORT_H

#include "engine/cli/demo_feed.h"
#include "engine/cli/demo_ledger.h"
#include "engine/http/json.h"
#include "engine/model/directory.h"

struct demo_report;

/* The directory must outlive it. NULL when memory is short. */
struct demo_report *demo_report_new(const struct directory *directory);
void demo_report_free(struct demo_report **report);

void demo_report_begin(struct demo_report *report, size_t complaints);
void demo_report_serving(struct demo_report *report, int port);
/* An answer of the engine (201 with the order, 202 with its id). */
void demo_report_answer(struct demo_report *report, int status, struct json answer);
void demo_report_taken(struct demo_report *report, size_t worker, bool urgent);
/* Redraws the bar on a terminal; elsewhere prints a line at each tenth. */
void demo_report_progress(struct demo_report *report, size_t answered, uint64_t taken, size_t all);
/* The table and the count that matters. feed may be NULL; err says why the demo failed, or NULL. */
void demo_report_end(struct demo_report *report, const struct demo_feed *feed,
                     const struct ledger *ledger, size_t complaints, const struct err *err);

#endif
