/*
 * endpoints: the webhook endpoints that somebody configured, read from one YAML file.
 *
 *   webhooks:
 *     - name: mini-program             # 1 to 32 of a-z 0-9 _ -; the cursor in Redis carries it
 *       url: https://hooks.example.cn/jiesu
 *       secret_file: mini.secret       # its first line, 16 bytes or more, is the key of the signature
 *       events: [dispatched, resolved] # left out: all
 *       allow_private: no              # yes: the host may be in a private network
 *       ca_file: office-ca.pem         # left out: the system's authorities
 *       timeout_ms: 10000              # left out: LIMIT_HOOK_TOTAL_MS
 *
 * Paths are relative to the file's own folder. Everything is checked when it is read, the files
 * named in it too.
 */
#ifndef JIESU_API_ENDPOINTS_H
#define JIESU_API_ENDPOINTS_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/model/hook_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoints;

/* Spans end in NUL and live as long as the endpoints. */
struct endpoint {
    struct span name, url, secret;
    struct span ca_file; /* empty: the system's */
    uint32_t events;     /* bit set of enum hook_type */
    bool allow_private;
    uint32_t timeout_ms;
};

/* NULL and *err, "file:line:column: what", when anything is wrong. */
struct endpoints *endpoints_load(const char *path, struct err *err);
/* The same from a text; path stands for the file in messages and for its folder. */
struct endpoints *endpoints_parse(struct span text, const char *path, struct err *err);
/* A new reference; NULL stays NULL. Any thread. */
struct endpoints *endpoints_ref(struct endpoints *endpoints);
/* Drops a reference; with the last one they are freed. Sets *endpoints to NULL. Any thread. */
void endpoints_free(struct endpoints **endpoints);
/* When they were read, by the steady clock, ms. */
int64_t endpoints_read_ms(const struct endpoints *endpoints);
/* True when posts to both go the same way: URL, authorities, permission and time. */
bool endpoint_same_way(const struct endpoint *a, const struct endpoint *b);
size_t endpoints_count(const struct endpoints *endpoints);
const struct endpoint *endpoints_at(const struct endpoints *endpoints, size_t i);
/* By name, or NULL. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, struct span name);

#endif
