/*
 * reload: the policy and the webhook endpoints in force, and how others take their place without
 * anyone noticing.
 *
 * Whoever works takes a reference to the policy in force and finishes on it. Another one is read
 * and compiled on a thread of uv's pool, and then a pointer is swapped; one that does not compile
 * changes nothing but a counter and a log line that says where it is wrong. The one that was
 * replaced is freed on that pool too, when the last request that began with it has ended, because
 * freeing a rule set takes milliseconds that no HTTP loop should spend.
 *
 * The webhooks file is read with the policy, when somebody asks (not by watching): both come into
 * force, or neither does.
 *
 * Three things ask for it: a request (POST /v1/rules/reload), SIGHUP, and, with watching, a look at
 * the files every LIMIT_RULES_WATCH_MS: they are read, and when their hash is neither that of the
 * policy in force nor that of the one refused last, they are compiled.
 *
 * A request that comes while files are being read may have been preceded by an edit that the reading
 * has passed already; so it is answered by the next round, not by the one under way.
 */
#ifndef JIESU_APP_RELOAD_H
#define JIESU_APP_RELOAD_H

#include "engine/api/api.h"
#include "engine/base/err.h"

struct reload;

struct reload_options {
    uv_loop_t *loop;
    const char *dir;      /* of the policy; outlives the reload, as webhooks does */
    unsigned parts;       /* of the rules (rules.h) */
    const char *webhooks; /* their file; empty: there is none */
    /* On the loop, when endpoints that somebody asked for are in force; may be NULL. */
    void (*on_endpoints)(void *ctx);
    void *ctx;
};

/* Loads both and puts them in force. On the loop's thread. NULL and *err, "file:line:column: what",
 * when one does not compile. */
struct reload *reload_new(const struct reload_options *options, struct err *err);
/* Listens for SIGHUP, and looks at the files by itself when watch is true. On the loop. */
void reload_start(struct reload *reload, bool watch);
/* A new reference to the policy in force. Any thread; ctx is the struct reload. */
struct policy *reload_policy(void *ctx);
/* A new reference to the endpoints in force, or NULL: there is no file. As above. */
struct endpoints *reload_endpoints(void *ctx);
/* Asks for a reload; the request is posted back to its mailbox when it is done. Any thread; ctx is
 * the struct reload. */
void reload_ask(void *ctx, struct api_reload *request);
/* On the loop, when nobody asks any more: lets what is under way end, and frees, while the loop
 * turns. Sets *reload to NULL. */
void reload_close(struct reload **reload);

#endif
