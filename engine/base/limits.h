/*
 * limits: every bound of the engine, in one place.
 *
 * A row is a name, a value, a unit and what happens there. The rows become enum constants
 * (LIMIT_name), lines of /metrics (jiesu_limit{name="..."}) and the table of README.
 */
#ifndef JIESU_BASE_LIMITS_H
#define JIESU_BASE_LIMITS_H

#define LIMIT_TABLE(X)                                                                             \
    X(HTTP_HEAD_BYTES, 16384, "bytes", "request line and headers; over it 414 or 431")             \
    X(HTTP_BODY_BYTES, 65536, "bytes", "body of one request; over it 413")                         \
    X(HTTP_BATCH_BYTES, 8388608, "bytes", "body of an NDJSON batch; over it 413")                  \
    X(HTTP_BODIES_BYTES, 536870912, "bytes", "bodies being received or answered; over it 503")     \
    X(HTTP_HEADERS, 100, "headers", "header lines of one request; over it 431")                    \
    X(HTTP_CONNECTIONS, 10000, "connections", "open at once; over it 503 and close")               \
    X(HTTP_HEAD_MS, 10000, "ms", "to receive a request's head; over it 408")                       \
    X(HTTP_BODY_MS, 30000, "ms", "to receive a request's body; over it 408")                       \
    X(HTTP_IDLE_MS, 60000, "ms", "between two requests; over it the connection is closed")         \
    X(HTTP_WRITE_MS, 30000, "ms", "for a reader to take a response; over it closed")               \
    X(HTTP_UNSENT_BYTES, 16777216, "bytes", "waiting for a slow reader; over it closed")           \
    X(HTTP_DRAIN_MS, 10000, "ms", "for requests in flight at shutdown")                            \
    X(HTTP_LINGER_MS, 2000, "ms", "for a client to close after our last answer")                   \
    X(HTTP_LINGER_BYTES, 1048576, "bytes", "thrown away after our last answer")                    \
    X(JSON_DEPTH, 16, "levels", "nesting of a JSON body; over it 400")                             \
    X(BATCH_LINES, 1000, "lines", "in one NDJSON batch; over it 413")                              \
    X(TEXT_CHARS, 8000, "characters", "complaint text; over it 400")                               \
    X(TITLE_CHARS, 200, "characters", "complaint title; over it 400")                              \
    X(ADDRESS_CHARS, 200, "characters", "location.address; over it 400")                           \
    X(RESIDENT_FIELD_CHARS, 64, "characters", "resident id, name or phone; over it 400")           \
    X(ATTACHMENTS, 9, "URLs", "attachments of a complaint; over it 400")                           \
    X(ATTACHMENT_BYTES, 1024, "bytes", "one attachment URL; over it 400")                          \
    X(IDEMPOTENCY_KEY_BYTES, 255, "bytes", "Idempotency-Key; over it 400")                         \
    X(IDEMPOTENCY_TTL_S, 86400, "s", "how long an idempotency key is remembered")                  \
    X(NOTE_CHARS, 1000, "characters", "note, result or overdue_reason of a step; over it 400")     \
    X(ORDER_STEPS, 400, "steps", "of one order; then only steps that end it, over it 409")         \
    X(ORDER_PARTIES, 16, "departments", "whistled for by one order; over it 409")                  \
    X(PARTY_CHARS, 32, "characters", "name of a department; over it 400")                          \
    X(REPLY_BUDGET_MS, 200, "ms", "to have Redis confirm before answering 202")                    \
    X(COMMIT_WAIT_MS, 5000, "ms", "to have the outbox commit before answering 503")                \
    X(LONG_POLL_S, 60, "s", "longest wait of a long poll")                                         \
    X(LONG_POLLS, 4096, "requests", "long polls waiting in one loop; over it 503")                 \
    X(QUEUE_PAGE, 100, "orders", "most a worker's queue answer holds")                             \
    X(ORDERS_PAGE, 50, "orders", "in one answer of a list of orders, unless `limit` says another") \
    X(ORDERS_PAGE_MOST, 200, "orders", "in one answer of a list of orders; over it 400")           \
    X(ORDERS_SCAN, 1000, "orders", "looked at for one page of those that one worker holds")        \
    X(OUTBOX_WAITING, 65536, "records", "waiting for their commit; over it 503")                   \
    X(OUTBOX_BATCH, 512, "records", "committed by one fsync at the most")                          \
    X(OUTBOX_HELD, 2000000, "records", "held until Redis cannot forget them; over it 503")         \
    X(OUTBOX_HOLD_MS, 2000, "ms", "a confirmed record is held longer, for everysec AOF")           \
    X(EVENTS_PAGE, 512, "events", "read by a consumer in one call")                                \
    X(EVENTS_KEPT, 100000, "events",                                                               \
      "of one community; over it those that all consumers have read go")                           \
    X(EVENTS_WARN, 1000000, "events",                                                              \
      "of one community that a consumer has not read; over it a warning")                          \
    X(EVENTS_LEASE_MS, 5000, "ms", "until another engine reads on for one that fell silent")       \
    X(FIGURES_BATCH, 64, "events", "counted into the figures by one call")                         \
    X(FIGURES_PERIOD_MS, 250, "ms", "between two looks for events that are not counted yet")       \
    X(KPI_DAYS, 366, "days", "asked for by one query of the figures; over it 400")                 \
    X(KPI_HASHES, 20000, "hashes",                                                                 \
      "days times communities of one query of the figures; over it 400")                           \
    X(KPI_ROWS, 2000, "rows", "in one answer of figures; over it 400")                             \
    X(EXAMPLES_PAGE, 1000, "rows", "most that one answer of examples holds; over it 400")          \
    X(DISPATCH_WINDOW, 1024, "commands", "sent to Redis and not yet answered")                     \
    X(DISPATCH_QUEUE, 16384, "records", "committed and waiting in memory; over it read from disk") \
    X(SWEEP_MS, 100, "ms", "between two looks at what is due")                                     \
    X(SWEEP_BATCH, 128, "orders", "of one community taken at one look")                            \
    X(SWEEP_FLIGHT, 512, "orders", "looked at by the engine at once")                              \
    X(SWEEP_CLAIM_MS, 2000, "ms", "an order that one engine looks at is left alone by others")     \
    X(SWEEP_BEHIND_MS, 5000, "ms", "what was due is looked at later: logged")                      \
    X(REDIS_QUEUE, 8192, "commands", "waiting on one Redis connection; over it refused")           \
    X(REDIS_CONNECT_MS, 2000, "ms", "to connect to Redis")                                         \
    X(REDIS_COMMAND_MS, 3000, "ms", "to be answered by Redis; over it the connection is reset")    \
    X(REDIS_BACKOFF_MIN_MS, 20, "ms", "before the first reconnect; doubles, with jitter")          \
    X(REDIS_BACKOFF_MAX_MS, 1000, "ms", "between two reconnects at the most")                      \
    X(REDIS_REPLY_BYTES, 16777216, "bytes", "one reply of Redis; over it the connection is reset") \
    X(REDIS_UNSENT_BYTES, 67108864, "bytes", "waiting to be sent to one Redis; over it refused")   \
    X(REDIS_CHILD_BACKOFF_MS, 5000, "ms",                                                          \
      "before the embedded Redis is started again, at the most")                                   \
    X(REDIS_CHILD_STOP_MS, 10000, "ms", "for the embedded Redis to end by itself; over it killed") \
    X(REDIS_WRITE_BACK_MS, 50, "ms", "between two looks at what the embedded Redis has appended")  \
    X(REDIS_WRITE_BACK_BYTES, 262144, "bytes", "less than that is left to its fsync")              \
    X(KEYWORDS, 1000000, "keywords", "in one rule set")                                            \
    X(KEYWORD_UNITS, 32, "units", "in one keyword after normalisation")                            \
    X(DIRECTORY_FILES, 1000, "files", "in rules/directory")                                        \
    X(POLYGON_POINTS, 1000, "points", "in one grid's polygon")                                     \
    X(SHIFTS, 21, "shifts", "of one worker")                                                       \
    X(REGEXES, 10000, "regexes", "in one rule set")                                                \
    X(REGEX_PLACE_STEPS, 32, "steps", "one regex at one place of a text, at the first try")        \
    X(REGEX_CALL_COST, 500000, "units", "of work in one call of PCRE2, some ns each at the worst") \
    X(REGEX_SEARCH_US, 1000, "us", "one regex on one text")                                        \
    X(REGEX_TEXT_US, 4000, "us", "all regexes on one text")                                        \
    X(REGEX_STRIKES, 8, "texts", "that stop a regex before it is switched off")                    \
    X(REGEX_DEPTH, 250, "levels", "PCRE2 depth limit")                                             \
    X(REGEX_HEAP_KIB, 1024, "KiB", "PCRE2 heap limit")                                             \
    X(REGEX_PATTERN_UNITS, 512, "units", "in one pattern")                                         \
    X(REGEX_SETS, 4, "sets", "of literals looked for before a regex runs")                         \
    X(REGEX_SET_LITERALS, 1024, "literals", "in one such set; over it the set is not used")        \
    X(REGEX_SET_GROWTH, 64, "literals", "in one such set when shorter ones would do")              \
    X(REGEX_LITERAL_UNITS, 8, "units", "of one such literal; longer ones are split")               \
    X(REGEX_LITERAL_DEPTH, 32, "levels",                                                           \
      "of groups searched for literals; over it it always runs")                                   \
    X(RULE_FILE_BYTES, 4194304, "bytes", "one file of rules/")                                     \
    X(LEARNED_NGRAMS, 20000, "n-grams", "in one pack of learned weights")                          \
    X(RULE_FILES, 1000, "files", "in one rule set")                                                \
    X(CONDITIONS, 10000, "conditions", "in one rule set")                                          \
    X(CONDITION_DEPTH, 16, "levels", "of conditions that name others")                             \
    X(CONDITION_ITEMS, 200000, "items", "of all conditions of a rule set")                         \
    X(NEAR_LISTS, 4, "lists", "of words in one near")                                              \
    X(NEAR_UNITS, 100, "units", "between neighbours of a near at the most")                        \
    X(NEAR_HITS, 512, "words", "of one text that one near looks at; later ones are not seen")      \
    X(CLASSIFY_BYTES, 8388608, "bytes",                                                            \
      "title and text together, to be classified; over it refused")                                \
    X(OCCURRENCES, 64, "occurrences", "of one word in one text that are kept")                     \
    X(NEGATION_UNITS, 32, "units", "between a negation word and what it negates at the most")      \
    X(NEGATIONS, 512, "words", "of negation in one text; over it nothing is negated")              \
    X(RULE_TARGETS, 20000, "rules", "category paths, urgencies, kinds and tags in one rule set")   \
    X(YAML_DEPTH, 32, "levels", "nesting of a YAML file")                                          \
    X(YAML_NODES, 1000000, "nodes", "in one YAML file")                                            \
    X(EVIDENCE, 8, "items", "evidence kept in a verdict")                                          \
    X(SECONDARY, 3, "categories", "secondary categories kept in a verdict")                        \
    X(RULES_WATCH_MS, 2000, "ms", "between two looks at the rule files, with --watch yes")         \
    X(HOOKS, 16, "endpoints", "in the webhooks file")                                              \
    X(HOOK_URL_BYTES, 1024, "bytes", "URL of a webhook endpoint")                                  \
    X(HOOK_SECRET_BYTES, 512, "bytes", "secret of a webhook endpoint; it has at least 16")         \
    X(HOOK_IN_FLIGHT, 8, "requests", "to one webhook endpoint at a time")                          \
    X(HOOK_CONNECT_MS, 3000, "ms", "to connect to a webhook endpoint")                             \
    X(HOOK_TOTAL_MS, 10000, "ms", "for one delivery, unless the webhooks file says otherwise")     \
    X(HOOK_ANSWER_BYTES, 65536, "bytes", "of an endpoint's answer that are read and dropped")      \
    X(HOOK_WINDOW, 256, "events", "of one community read ahead for one endpoint")                  \
    X(HOOK_WAITING, 65536, "events", "read ahead by one engine; over it no more are read")         \
    X(HOOK_PAGE, 64, "events", "read from Redis at once")                                          \
    X(HOOK_ATTEMPTS, 16, "attempts", "while the endpoint takes others; then a dead letter")        \
    X(HOOK_AGE_S, 86400, "s", "for which an event is tried, when attempts do not end it first")    \
    X(HOOK_BLOCKING_ATTEMPTS, 4, "attempts",                                                       \
      "of the oldest event of a full window while the endpoint takes others; then a dead letter")  \
    X(HOOK_BACKOFF_MIN_MS, 500, "ms", "before the second attempt at the most; doubles")            \
    X(HOOK_BACKOFF_MAX_MS, 300000, "ms", "between two attempts of an event at the most")           \
    X(HOOK_PROBE_MAX_MS, 10000, "ms", "between two attempts at an endpoint that is down")          \
    X(HOOK_DOWN_AFTER, 5, "failures", "in a row; then an endpoint is down and gets one at a time") \
    X(HOOK_RETRY_AFTER_MS, 300000, "ms", "longest Retry-After of an endpoint that is honoured")    \
    X(HOOK_STATE_MS, 15000, "ms", "for which what a deliverer says of itself is shown")            \
    X(HOOK_STOP_MS, 2000, "ms", "for deliveries under way at a stop")                              \
    X(HOOK_POLL_MS, 250, "ms", "between two looks for new events of a community")                  \
    X(HOOK_DEAD, 100000, "events", "dead letters of one community and endpoint; over it it waits") \
    X(HOOK_DEAD_PAGE, 1000, "events", "most that one listing of dead letters holds")               \
    X(THREADS, 64, "threads", "HTTP loops")                                                        \
    X(INPUT_LINE_BYTES, 1048576, "bytes", "one line of a file given to the command line")          \
    X(CONFIG_BYTES, 65536, "bytes", "the configuration file")                                      \
    X(LOG_BURST, 10, "lines", "of one event in one second")                                        \
    X(LOG_LINE_BYTES, 4096, "bytes", "one log line; longer fields are cut")

enum limit {
#define X(name, value, unit, text) LIMIT_##name = (value),
    LIMIT_TABLE(X)
#undef X
};

#endif
