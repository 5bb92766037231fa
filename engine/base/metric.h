/*
 * metric: counters, gauges and latency histograms, and their Prometheus text.
 *
 * A row is declared once; rows that differ only in their label stand next to each other and share
 * their HELP line. Counting is one relaxed atomic addition, so any thread may count. Names follow
 * Prometheus' conventions: base units (seconds, bytes), "_total" for counters.
 */
#ifndef JIESU_BASE_METRIC_H
#define JIESU_BASE_METRIC_H

#include "engine/base/buf.h"

#include <stdint.h>

/* X(constant, type, name, label, help): label is "" or `key="value"`. */
#define METRIC_TABLE(X)                                                                            \
    X(METRIC_CONNECTIONS, gauge, "jiesu_http_connections", "", "open HTTP connections")            \
    X(METRIC_CONNECTIONS_REFUSED, counter, "jiesu_http_connections_refused_total", "",             \
      "connections refused because the limit was reached")                                         \
    X(METRIC_HTTP_2XX, counter, "jiesu_http_responses_total", "class=\"2xx\"", "responses")        \
    X(METRIC_HTTP_4XX, counter, "jiesu_http_responses_total", "class=\"4xx\"", "responses")        \
    X(METRIC_HTTP_5XX, counter, "jiesu_http_responses_total", "class=\"5xx\"", "responses")        \
    X(METRIC_HTTP_ABORTED, counter, "jiesu_http_aborted_total", "",                                \
      "requests whose client went away before the answer")                                         \
    X(METRIC_HTTP_REFUSED, counter, "jiesu_http_refused_requests_total", "",                       \
      "requests refused because they could be read two ways or broke the grammar")                 \
    X(METRIC_HTTP_TIMEOUT, counter, "jiesu_http_timeouts_total", "",                               \
      "connections closed because a wait passed its deadline")                                     \
    X(METRIC_COMPLAINTS_ACCEPTED, counter, "jiesu_complaints_total", "result=\"accepted\"",        \
      "complaints by result")                                                                      \
    X(METRIC_COMPLAINTS_INVALID, counter, "jiesu_complaints_total", "result=\"invalid\"",          \
      "complaints by result")                                                                      \
    X(METRIC_COMPLAINTS_REPLAYED, counter, "jiesu_complaints_total", "result=\"replayed\"",        \
      "complaints by result")                                                                      \
    X(METRIC_COMPLAINTS_UNAVAILABLE, counter, "jiesu_complaints_total", "result=\"unavailable\"",  \
      "complaints by result")                                                                      \
    X(METRIC_REVIEWS, counter, "jiesu_verdicts_review_total", "",                                  \
      "verdicts that ask a person to review")                                                      \
    X(METRIC_REGEX_LIMITED, counter, "jiesu_regex_limit_hits_total", "",                           \
      "regex runs stopped by a limit of work")                                                     \
    X(METRIC_REGEX_SKIPPED, counter, "jiesu_regex_skipped_total", "",                              \
      "regex runs left out because a text's time for regexes was over")                            \
    X(METRIC_REGEX_OFF, counter, "jiesu_regex_switched_off_total", "",                             \
      "regexes switched off because they were stopped again and again")                            \
    X(METRIC_RULES_RELOADS, counter, "jiesu_rules_reloads_total", "result=\"loaded\"",             \
      "rule sets read again, by result")                                                           \
    X(METRIC_RULES_REFUSED, counter, "jiesu_rules_reloads_total", "result=\"refused\"",            \
      "rule sets read again, by result")                                                           \
    X(METRIC_OUTBOX_COMMITS, counter, "jiesu_outbox_commits_total", "", "outbox transactions")     \
    X(METRIC_OUTBOX_RECORDS, counter, "jiesu_outbox_records_total", "", "records committed")       \
    X(METRIC_OUTBOX_ERRORS, counter, "jiesu_outbox_errors_total", "",                              \
      "outbox transactions that failed")                                                           \
    X(METRIC_OUTBOX_HELD, gauge, "jiesu_outbox_held_records", "",                                  \
      "records held because Redis could still forget them")                                        \
    X(METRIC_OUTBOX_UNCONFIRMED, gauge, "jiesu_outbox_unconfirmed_records", "",                    \
      "records committed and not yet confirmed by Redis")                                          \
    X(METRIC_REPLAYS, counter, "jiesu_dispatch_replays_total", "",                                 \
      "replays after Redis came back with another run id")                                         \
    X(METRIC_REPLAYED_RECORDS, counter, "jiesu_dispatch_replayed_records_total", "",               \
      "records sent again by a replay")                                                            \
    X(METRIC_DUPLICATES, counter, "jiesu_dispatch_duplicates_total", "",                           \
      "records that turned out to be a retry of an order that already exists")                     \
    X(METRIC_POISONED, counter, "jiesu_dispatch_rejected_total", "",                               \
      "records that Redis refused for good")                                                       \
    X(METRIC_SWEEP_LOOKS, counter, "jiesu_sweep_looks_total", "",                                  \
      "looks of the engine at orders that were due")                                               \
    X(METRIC_SWEEP_CLOSE, counter, "jiesu_sweep_steps_total", "step=\"close\"",                    \
      "steps the engine took by itself")                                                           \
    X(METRIC_SWEEP_WARN, counter, "jiesu_sweep_steps_total", "step=\"warn\"",                      \
      "steps the engine took by itself")                                                           \
    X(METRIC_SWEEP_HAND_OVER, counter, "jiesu_sweep_steps_total", "step=\"hand_over\"",            \
      "steps the engine took by itself")                                                           \
    X(METRIC_SWEEP_ESCALATE, counter, "jiesu_sweep_steps_total", "step=\"escalate\"",              \
      "steps the engine took by itself")                                                           \
    X(METRIC_SWEEP_RECLOCK, counter, "jiesu_sweep_steps_total", "step=\"reclock\"",                \
      "steps the engine took by itself")                                                           \
    X(METRIC_SWEEP_MISSED, counter, "jiesu_sweep_missed_total", "",                                \
      "steps of the engine that came to nothing, because the order had changed meanwhile")         \
    X(METRIC_SWEEP_DUE, gauge, "jiesu_sweep_due_orders", "", "orders due and not yet looked at")   \
    X(METRIC_SWEEP_FLIGHT, gauge, "jiesu_sweep_in_flight_orders", "",                              \
      "orders the engine looks at now")                                                            \
    X(METRIC_REDIS_CONNECTED, gauge, "jiesu_redis_connections", "", "Redis connections that work") \
    X(METRIC_REDIS_RECONNECTS, counter, "jiesu_redis_reconnects_total", "", "Redis reconnects")    \
    X(METRIC_REDIS_TIMEOUTS, counter, "jiesu_redis_timeouts_total", "",                            \
      "Redis commands that were not answered in time")                                             \
    X(METRIC_REDIS_CHILD_STARTS, counter, "jiesu_redis_child_starts_total", "",                    \
      "starts of the embedded Redis")                                                              \
    X(METRIC_REDIS_CHILD_WRITTEN_BACK, counter, "jiesu_redis_child_written_back_bytes_total", "",  \
      "bytes of the embedded Redis' file that the kernel was asked to begin writing")              \
    X(METRIC_FIGURES_ORDERS, counter, "jiesu_figures_orders_total", "",                            \
      "orders looked at and counted into the figures")                                             \
    X(METRIC_FIGURES_LOST_RACES, counter, "jiesu_figures_lost_races_total", "",                    \
      "batches that another engine had counted, or whose orders had changed")                      \
    X(METRIC_FIGURES_LAG, gauge, "jiesu_figures_lag_seconds", "",                                  \
      "for how long the oldest event that is not in the figures has waited")                       \
    X(METRIC_EVENTS, gauge, "jiesu_events", "", "events kept of the community that has most")      \
    X(METRIC_UNSTAFFED_GRIDS, gauge, "jiesu_unstaffed_places", "place=\"grid\"",                   \
      "places whose workers are all off shift")                                                    \
    X(METRIC_UNSTAFFED_DESKS, gauge, "jiesu_unstaffed_places", "place=\"desk\"",                   \
      "places whose workers are all off shift")                                                    \
    X(METRIC_LONG_POLLS, gauge, "jiesu_long_polls", "", "long polls waiting")                      \
    X(METRIC_HOOK_DELIVERED, counter, "jiesu_webhook_attempts_total", "result=\"delivered\"",      \
      "deliveries to webhook endpoints, by result")                                                \
    X(METRIC_HOOK_REFUSED, counter, "jiesu_webhook_attempts_total", "result=\"refused\"",          \
      "deliveries to webhook endpoints, by result")                                                \
    X(METRIC_HOOK_UNANSWERED, counter, "jiesu_webhook_attempts_total", "result=\"unanswered\"",    \
      "deliveries to webhook endpoints, by result")                                                \
    X(METRIC_HOOK_DEAD, counter, "jiesu_webhook_dead_letters_total", "",                           \
      "events put among the dead letters of an endpoint")                                          \
    X(METRIC_HOOK_REPLAYED, counter, "jiesu_webhook_replayed_total", "",                           \
      "dead letters that were delivered after all")                                                \
    X(METRIC_HOOK_WAITING, gauge, "jiesu_webhook_waiting_events", "",                              \
      "events read and not yet delivered")                                                         \
    X(METRIC_HOOK_DOWN, gauge, "jiesu_webhook_endpoints_down", "",                                 \
      "webhook endpoints that took nothing lately")                                                \
    X(METRIC_HOOK_LEASES, gauge, "jiesu_webhook_leases", "",                                       \
      "pairs of community and endpoint that this engine delivers for")                             \
    X(METRIC_HOOK_LAG, gauge, "jiesu_webhook_lag_seconds", "",                                     \
      "age of the oldest event that waits for its delivery")                                       \
    X(METRIC_LOG_SUPPRESSED, counter, "jiesu_log_suppressed_lines_total", "",                      \
      "log lines dropped by the rate limit")

/* X(constant, name, help): recorded in nanoseconds, shown in seconds. */
#define METRIC_HIST_TABLE(X)                                                                \
    X(METRIC_HIST_REQUEST, "jiesu_http_request_duration_seconds",                           \
      "from the last byte of a request to the first byte of its answer")                    \
    X(METRIC_HIST_CLASSIFY, "jiesu_classify_duration_seconds", "one classification")        \
    X(METRIC_HIST_COMMIT, "jiesu_outbox_commit_duration_seconds", "one outbox transaction") \
    X(METRIC_HIST_HOOK, "jiesu_webhook_duration_seconds", "one delivery that was answered") \
    X(METRIC_HIST_DISPATCH, "jiesu_dispatch_duration_seconds",                              \
      "from commit to Redis' confirmation")                                                 \
    X(METRIC_HIST_SWEEP, "jiesu_sweep_lateness_seconds",                                    \
      "from when something was due to the engine's step that answers it")

enum metric {
#define X(constant, type, name, label, help) constant,
    METRIC_TABLE(X)
#undef X
        METRIC_COUNT
};

enum metric_hist {
#define X(constant, name, help) constant,
    METRIC_HIST_TABLE(X)
#undef X
        METRIC_HIST_COUNT
};

/* Allocates the histograms. Call once, before threads start. 0, or -1 when memory is short;
 * counters work without it and metric_time then does nothing. */
int metric_init(void);
/* Frees the histograms, after the other threads have ended. */
void metric_free(void);
void metric_add(enum metric metric, int64_t n);
void metric_set(enum metric metric, int64_t value);
int64_t metric_get(enum metric metric);
void metric_time(enum metric_hist hist, uint64_t ns);
/* Appends all metrics, the limits and the process figures in Prometheus' text format 0.0.4. */
void metric_write(struct buf *out);
/* Sets all to zero, for tests. */
void metric_reset(void);

#endif
