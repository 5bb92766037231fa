/*
 * api_private: what the resource files of this folder share.
 */
#ifndef JIESU_API_API_PRIVATE_H
#define JIESU_API_API_PRIVATE_H

#include "engine/api/api.h"
#include "engine/api/order_record.h"
#include "engine/api/waiters.h"
#include "engine/base/buf.h"
#include "engine/http/json.h"
#include "engine/http/json_writer.h"
#include "engine/model/order.h"

struct api {
    struct api_options options;
    struct redis *redis;
    struct redis_listener *listener;
    struct mailbox *mailbox;
    struct json_reader *json;
    struct rules_scratch *scratch;
    struct order_texts texts; /* of the order that is being decided */
    struct waiters *waiters;
    bool draining;
};

/* Handlers, one file per resource. ctx is a struct api. */
http_handler complaints_post, complaints_get, complaints_step;
http_handler classify_post;
http_handler orders_get_one, orders_list, orders_step, steps_post;
http_handler workers_queue, workers_notices;
http_handler webhooks_get, webhooks_dead, webhooks_replay;
http_handler rules_get, rules_reload;
http_handler stats_kpi;
http_handler examples_get;
http_handler health_live, health_ready, health_metrics;

/* An answer in JSON from a buf: 503 when the buf failed. Frees the buf. */
void api_respond_json(struct http_exchange *x, int status, struct buf *body);
/* Copies a buf into the arena and frees it; .ptr is NULL when either failed. */
struct span api_keep(struct arena *arena, struct buf *buf);
/* 404 for an id that is no order's. */
void api_not_found(struct http_exchange *x, const char *what);
/* Turns an error of a lower floor into its problem. */
void api_problem(struct http_exchange *x, const struct err *err);
/* Reads the request's body as one JSON object, or answers 400 and returns -1. */
int api_read_object(struct api *api, struct http_exchange *x, struct json *root);
/* The order id in the path, or answers 404 and returns -1. */
int api_path_id(struct http_exchange *x, struct id *id);

/* A member in RFC 3339; nothing when ms is 0. */
void api_member_time(struct json_writer *w, const char *key, int64_t ms);
/* "allowed": the steps that staff, or the resident, may take in the state of that name. */
void api_member_allowed(struct json_writer *w, bool resident, struct span state);
/* A query parameter as a number in [0, max]; dflt when it is absent. -1 when it is bad. */
int64_t api_query_number(const struct http_request *r, const char *name, uint64_t max,
                         int64_t dflt);
/* Every name in the query is one of these; or answers 400, which lists them, and returns -1. */
int api_query_names(struct http_exchange *x, const char *const known[], size_t count);
/* Answers 400 with what is wrong with the query. Returns -1. */
int api_bad_query(struct http_exchange *x, const char *what);

/* The Idempotency-Key of a request: 1 and *claim (hashed with the path), 0 when there is none, -1
 * when it was bad and 400 was answered. part tells apart the lines of a batch. Needs no memory: for
 * one request it gives the same each time. */
int api_idempotency(struct http_exchange *x, uint64_t part, struct hash128 *claim);

#endif
