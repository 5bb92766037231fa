/*
 * The rule set in force: what it is and what its rules have done, and loading it again.
 *
 * A reload is done elsewhere (api_options.reload) and comes back through this loop's mailbox; the
 * request waits meanwhile, and the loop does not.
 */
#include "engine/api/api_private.h"
#include "engine/base/clock.h"
#include "engine/base/metric.h"
#include "engine/http/json_writer.h"

static void write_rule(void *ctx, const struct rules_rule *rule)
{
    struct json_writer *w = ctx;
    json_open_object(w);
    json_member_string(w, "rule", rule->rule);
    json_member_str(w, "for", evidence_for_name(rule->what));
    json_member_string(w, "name", rule->name);
    json_member_i64(w, "hits", (int64_t)rule->hits);
    const uint64_t microseconds = rule->nanoseconds / 1000;
    json_member_double(w, "regex_ms", (double)microseconds / 1000);
    if (rule->regexes_off > 0)
        json_member_i64(w, "regexes_off", (int64_t)rule->regexes_off);
    json_close_object(w);
}

static void write_policy(struct json_writer *w, const struct policy *policy)
{
    char time[CLOCK_RFC3339_BYTES];
    const struct rules *rules = policy_rules(policy);
    const struct rules_count count = rules_count(rules);
    const int64_t loaded_at = policy_loaded_at(policy);
    json_member_string(w, "rule_set", rules_id(rules));
    json_member_str(w, "loaded_at", clock_format(loaded_at, time));
    json_member_i64(w, "age_s", (clock_now_ms() - loaded_at) / CLOCK_SECOND_MS);
    json_member_i64(w, "categories", (int64_t)count.categories);
    json_member_i64(w, "keywords", (int64_t)count.keywords);
    json_member_i64(w, "regexes", (int64_t)count.regexes);
    json_member_i64(w, "regexes_unfiltered", (int64_t)count.regexes_unfiltered);
    json_member_i64(w, "ngrams", (int64_t)count.ngrams);
}

void rules_get(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    struct policy *policy = api->options.policy(api->options.ctx);
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    rules_scratch_flush(api->scratch, policy_rules(policy)); /* those of other loops come later */
    json_open_object(&w);
    write_policy(&w, policy);
    json_member_i64(&w, "reloads", metric_get(METRIC_RULES_RELOADS));
    json_member_i64(&w, "refused", metric_get(METRIC_RULES_REFUSED));
    json_key(&w, "rules");
    json_open_array(&w);
    rules_each_rule(policy_rules(policy), write_rule, &w);
    json_close_array(&w);
    json_close_object(&w);
    policy_unref(&policy);
    api_respond_json(x, 200, &out);
}

/* ---- POST /v1/rules/reload ---- */

struct reloading {
    struct api_reload request;
    struct http_exchange *x;
};

static void respond_refused(struct reloading *r)
{
    const struct err *err = &r->request.err;
    if (err->code == ERR_NOMEM) {
        http_unavailable(r->x, 1, "out of memory; the rule set in force stays; try again");
        return;
    }
    struct buf extra = {0};
    buf_str(&extra, "\"in_force\":");
    struct json_writer w = json_writer(&extra);
    json_write_string(&w, rules_id(policy_rules(r->request.policy)));
    if (buf_ok(&extra))
        http_problem(r->x, 422, "rules-refused", span_str(err->text), buf_view(&extra));
    else
        http_unavailable(r->x, 1, "out of memory; try again");
    buf_free(&extra);
}

static void on_reloaded(struct mailbox_item *item)
{
    struct reloading *r = (struct reloading *)(void *)item;
    struct policy *policy = r->request.policy;
    if (r->request.err.code != ERR_NONE) {
        respond_refused(r);
    } else {
        struct buf out = {0};
        struct json_writer w = json_writer(&out);
        json_open_object(&w);
        json_member_bool(&w, "changed", r->request.changed);
        write_policy(&w, policy);
        json_close_object(&w);
        api_respond_json(r->x, 200, &out);
    }
    policy_unref(&policy); /* r is gone: it lived in the request's arena */
}

void rules_reload(struct http_exchange *x, void *ctx)
{
    struct api *api = ctx;
    struct reloading *r = arena_zalloc(http_request(x)->arena, 1, sizeof *r);
    if (r == NULL) {
        http_unavailable(x, 1, "out of memory; try again");
        return;
    }
    r->x = x;
    r->request.item.handle = on_reloaded;
    r->request.mailbox = api->mailbox;
    api->options.reload(api->options.ctx, &r->request);
}
