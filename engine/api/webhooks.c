/*
 * GET /v1/webhooks: the endpoints and how they fare; GET /v1/webhooks/dead: what one of them did not
 * take in one community; POST /v1/webhooks/dead/replay: send that again.
 *
 * Everything is read from Redis, where whoever delivers writes down how it fares, so that any engine can be asked.
 * Secrets are never shown, and of a URL only the host: its path may be one.
 */
#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/http/json_writer.h"
#include "engine/store/events.h"
#include "engine/store/letters.h"

/* ---- the list ---- */

/* What all communities have in sum, for one endpoint. */
struct sums {
    int64_t communities, leased, waiting, letters, complaints, marked;
    int64_t oldest; /* time of day; 0: nothing waits */
    bool down;
};

struct listing {
    struct api *api;
    struct http_exchange *x;
    struct policy *policy;
    struct endpoints *endpoints;
    struct span only; /* one community, or empty */
    size_t endpoint, area;
    struct sums sums;
    struct buf out;
    struct json_writer w;
};

static void list_next(struct listing *l);

static void list_failed(struct listing *l, const struct err *err)
{
    policy_unref(&l->policy);
    endpoints_free(&l->endpoints);
    buf_free(&l->out);
    api_problem(l->x, err);
}

/* "https://host:port" */
static struct span host_of(struct span url)
{
    const ptrdiff_t slashes = span_find(url, SPAN("://"));
    for (size_t i = (size_t)slashes + 3; i < url.len; i++) {
        if (url.ptr[i] == '/' || url.ptr[i] == '?')
            return span_sub(url, 0, i);
    }
    return url;
}

static void add_state(struct listing *l, const struct letters_state *state)
{
    struct sums *s = &l->sums;
    struct json root, down;
    int64_t oldest = 0;
    s->communities++;
    s->leased += state->engine.len > 0;
    s->letters += state->letters;
    s->complaints += state->complaints;
    s->marked += state->marked;
    if (state->json.len > 0 && json_parse(l->api->json, state->json, &root, NULL) == 0) {
        s->down = s->down || (json_get(root, "down", &down) && json_type(down) == JSON_BOOL &&
                              json_bool(down));
        s->waiting += json_get_integer(root, "waiting");
        oldest = json_get_integer(root, "oldest");
    }
    /* Nobody delivers, or it has just been written: what lies behind the cursor waits. */
    if (oldest == 0 && events_time(state->newest) > events_time(state->cursor))
        oldest = events_time(state->newest);
    if (oldest != 0 && (s->oldest == 0 || oldest < s->oldest))
        s->oldest = oldest;
}

static void write_endpoint(struct listing *l, const struct endpoint *e)
{
    struct json_writer *w = &l->w;
    char time[CLOCK_RFC3339_BYTES];
    const struct sums *s = &l->sums;
    json_open_object(w);
    json_member_string(w, "name", e->name);
    json_member_string(w, "host", host_of(e->url));
    json_key(w, "events");
    json_open_array(w);
    for (enum hook_type t = 0; t < HOOK_TYPE_COUNT; t++) {
        if ((e->events & 1u << t) != 0)
            json_write_str(w, hook_type_name(t));
    }
    json_close_array(w);
    json_member_bool(w, "allow_private", e->allow_private);
    json_member_str(w, "state", s->leased == 0 ? "idle" : s->down ? "down" : "up");
    json_member_i64(w, "communities", s->communities);
    json_member_i64(w, "delivered_for", s->leased);
    json_member_i64(w, "waiting", s->waiting);
    json_key(w, "waiting_since");
    if (s->oldest == 0)
        json_write_null(w);
    else
        json_write_str(w, clock_format(s->oldest, time));
    json_member_i64(w, "dead_letters", s->letters);
    json_member_i64(w, "dead_complaints", s->complaints);
    json_member_i64(w, "replaying", s->marked);
    json_close_object(w);
}

static void on_state(void *ctx, const struct letters_state *state, const struct err *err)
{
    struct listing *l = ctx;
    if (err != NULL) {
        list_failed(l, err);
        return;
    }
    add_state(l, state);
    list_next(l);
}

/* Asks for the next community of this endpoint; after the last one of the last endpoint, answers. */
static void list_next(struct listing *l)
{
    const struct directory *directory = policy_directory(l->policy);
    const struct endpoints *endpoints = l->endpoints;
    struct err err = {0};
    for (; l->endpoint < endpoints_count(endpoints); l->endpoint++) {
        const struct endpoint *e = endpoints_at(endpoints, l->endpoint);
        while (l->area < directory_area_count(directory)) {
            struct span area, street;
            directory_area_at(directory, l->area++, &area, &street);
            if (l->only.len > 0 && !span_eq(area, l->only))
                continue;
            if (letters_state(l->api->redis, area, e->name, on_state, l, &err) < 0)
                list_failed(l, &err);
            return;
        }
        write_endpoint(l, e);
        l->area = 0;
        l->sums = (struct sums){.communities = 0};
    }
    json_close_array(&l->w);
    json_close_object(&l->w);
    policy_unref(&l->policy);
    endpoints_free(&l->endpoints);
    struct buf out = l->out; /* the listing ends with its request */
    api_respond_json(l->x, 200, &out);
}

void webhooks_get(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    struct listing *l = arena_zalloc(http_request(x)->arena, 1, sizeof *l);
    if (l == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    l->api = api;
    l->x = x;
    l->only = http_query(http_request(x), "community");
    l->policy = api->options.policy(api->options.ctx);
    if (l->only.len > 0 && !directory_has_community(policy_directory(l->policy), l->only)) {
        policy_unref(&l->policy);
        api_not_found(x, "there is no such community");
        return;
    }
    l->endpoints = api->options.endpoints(api->options.ctx);
    l->w = json_writer(&l->out);
    json_open_object(&l->w);
    json_key(&l->w, "webhooks");
    json_open_array(&l->w);
    list_next(l);
}

/* ---- dead letters ---- */

/* Endpoint and community that a request names, or a problem is answered and -1 returned. */
static int find_both(struct api *api, struct http_exchange *x, struct span endpoint,
                     struct span community)
{
    struct endpoints *endpoints = api->options.endpoints(api->options.ctx);
    const bool there = endpoints_find(endpoints, endpoint) != NULL;
    endpoints_free(&endpoints);
    if (!there) {
        api_not_found(x, "there is no such webhook endpoint; GET /v1/webhooks lists them");
        return -1;
    }
    struct policy *policy = api->options.policy(api->options.ctx);
    const bool known = directory_has_community(policy_directory(policy), community);
    policy_unref(&policy);
    if (!known)
        api_not_found(x, "there is no such community");
    return known ? 0 : -1;
}

struct reading {
    struct http_exchange *x;
    struct span community;
    size_t most;
};

static void write_letter(struct json_writer *w, struct span community, const struct letter *letter)
{
    char time[CLOCK_RFC3339_BYTES], complaint[ID_BYTES + 1];
    (void)snprintf(complaint, sizeof complaint, "%.*s.%.*s", SPAN_ARG(community),
                   SPAN_ARG(letter->order));
    json_open_object(w);
    json_member_string(w, "letter", letter->id);
    json_member_string(w, "event", letter->event);
    json_member_str(w, "complaint", complaint);
    json_member_i64(w, "version", letter->version);
    json_member_string(w, "reason", letter->reason);
    json_member_i64(w, "attempts", letter->attempts);
    json_member_str(w, "dead_at", clock_format(letter->at, time));
    json_key(w, "body");
    json_write_raw(w, letter->body.len > 0 ? letter->body : SPAN("null"));
    json_close_object(w);
}

static void on_letters(void *ctx, const struct letter *letters, size_t count, const struct err *err)
{
    struct reading *r = ctx;
    struct buf out = {0};
    if (err != NULL) {
        api_problem(r->x, err);
        return;
    }
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_key(&w, "letters");
    json_open_array(&w);
    for (size_t i = 0; i < count; i++)
        write_letter(&w, r->community, &letters[i]);
    json_close_array(&w);
    json_key(&w, "next");
    if (count == r->most)
        json_write_string(&w, letters[count - 1].id);
    else
        json_write_null(&w);
    json_close_object(&w);
    api_respond_json(r->x, 200, &out);
}

/* "<digits>-<digits>" */
static bool is_stream_id(struct span id)
{
    uint64_t n = 0;
    const struct span first = span_cut(&id, '-');
    return first.len <= 20 && id.len <= 20 && span_to_u64(first, UINT64_MAX, &n) == 0 &&
           span_to_u64(id, UINT64_MAX, &n) == 0;
}

void webhooks_dead(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    const struct http_request *request = http_request(x);
    const struct span endpoint = http_query(request, "endpoint"),
                      community = http_query(request, "community"),
                      most = http_query(request, "limit");
    struct span after = http_query(request, "after");
    uint64_t limit = LIMIT_QUEUE_PAGE;
    struct err err = {0};
    if (after.len == 0)
        after = SPAN(EVENTS_START);
    if (!is_stream_id(after) ||
        (most.len > 0 && (span_to_u64(most, LIMIT_HOOK_DEAD_PAGE, &limit) < 0 || limit == 0))) {
        (void)api_bad_query(x,
                            "after is the `next` of the page before, limit a number of 1 to 1000");
        return;
    }
    if (find_both(api, x, endpoint, community) < 0)
        return;
    struct reading *r = arena_zalloc(request->arena, 1, sizeof *r);
    if (r == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    *r = (struct reading){.x = x, .community = community, .most = (size_t)limit};
    if (letters_read(api->redis, community, endpoint, after, r->most, on_letters, r, &err) < 0)
        api_problem(x, &err);
}

/* ---- replay ---- */

static void on_marked(void *ctx, int64_t number, const struct err *err)
{
    struct http_exchange *x = ctx;
    struct buf out = {0};
    if (err != NULL) {
        api_problem(x, err);
        return;
    }
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_i64(&w, "complaints", number);
    json_close_object(&w);
    api_respond_json(x, 202, &out);
}

/* A member that is a string, or the empty span; -1 when it is there and is something else. */
static int text_member(struct json root, const char *key, struct span *out)
{
    struct json value;
    *out = SPAN("");
    if (!json_get(root, key, &value))
        return 0;
    if (json_type(value) != JSON_STRING)
        return -1;
    *out = json_string(value);
    return 0;
}

void webhooks_replay(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    struct json root;
    struct span endpoint, community, complaint, order = SPAN("");
    struct id id;
    struct err err = {0};
    if (api_read_object(api, x, &root) < 0)
        return;
    bool good = text_member(root, "endpoint", &endpoint) == 0 &&
                text_member(root, "community", &community) == 0 &&
                text_member(root, "complaint", &complaint) == 0 && endpoint.len > 0 &&
                (community.len > 0) != (complaint.len > 0);
    if (good && complaint.len > 0) {
        good = id_parse(complaint, &id) == 0;
        if (good) {
            community = id_community(&id);
            order = id_ulid(&id);
        }
    }
    if (!good) {
        http_problem(x, 400, "replay",
                     SPAN("give `endpoint`, and either `community` for all of its dead letters or "
                          "`complaint` for those of one complaint"),
                     (struct span){NULL, 0});
        return;
    }
    if (find_both(api, x, endpoint, community) == 0 &&
        letters_replay(api->redis, community, endpoint, order, on_marked, x, &err) < 0)
        api_problem(x, &err);
}
