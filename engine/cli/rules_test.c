/*
 * `jiesu rules test`: the cases of a rule set. A case that fails is shown with what was expected,
 * what came instead, and the words that made it so.
 */
#include "engine/cli/cases.h"
#include "engine/cli/commands.h"
#include "engine/cli/rules.h"
#include "engine/cli/show.h"
#include "engine/http/json_writer.h"

#include <stdio.h>

enum { FAILURES = 12, WORDS_BYTES = 256 };

/* One expectation that a verdict does not meet. */
struct failure {
    const char *what; /* "path" */
    char expected[WORDS_BYTES], got[WORDS_BYTES];
};

struct failures {
    struct failure list[FAILURES];
    size_t count;
};

struct tester {
    const struct rules_call *call;
    struct rules *rules;
    struct rules_scratch *scratch;
    struct cases *cases;
    struct buf out;
    struct json_writer json;
    size_t failed;
};

static void add(struct failures *failures, const char *what, struct span expected, struct span got)
{
    if (failures->count == FAILURES)
        return;
    struct failure *f = &failures->list[failures->count++];
    f->what = what;
    snprintf(f->expected, sizeof f->expected, "%.*s", SPAN_ARG(expected));
    snprintf(f->got, sizeof f->got, "%.*s", SPAN_ARG(got));
}

static bool is_within(struct span path, struct span above)
{
    return span_starts(path, above) && (path.len == above.len || path.ptr[above.len] == '/');
}

static bool has_tag(const struct verdict *v, struct span tag)
{
    for (size_t i = 0; i < v->tag_count; i++)
        if (span_eq(v->tags[i], tag))
            return true;
    return false;
}

static void compare_paths(const struct test_case *c, const struct verdict *v,
                          struct failures *failures)
{
    if (c->path.name.len != 0 && !is_within(v->category.path, c->path.name))
        add(failures, "path", c->path.name, show_path(v));
    if (c->not_path.name.len != 0 && is_within(v->category.path, c->not_path.name)) {
        char text[WORDS_BYTES];
        snprintf(text, sizeof text, "not %.*s", SPAN_ARG(c->not_path.name));
        add(failures, "path", span_str(text), show_path(v));
    }
}

static void compare_tags(const struct test_case *c, const struct verdict *v,
                         struct failures *failures)
{
    struct buf got = {.limit = WORDS_BYTES};
    for (size_t i = 0; i < v->tag_count; i++)
        buf_printf(&got, "%s%.*s", i == 0 ? "" : ", ", SPAN_ARG(v->tags[i]));
    struct span tags = v->tag_count == 0 ? SPAN("no tag") : buf_view(&got);
    for (size_t i = 0; i < c->tag_count; i++)
        if (!has_tag(v, c->tags[i].name))
            add(failures, "tags", c->tags[i].name, tags);
    for (size_t i = 0; i < c->no_tag_count; i++) {
        char text[WORDS_BYTES];
        snprintf(text, sizeof text, "not %.*s", SPAN_ARG(c->no_tags[i].name));
        if (has_tag(v, c->no_tags[i].name))
            add(failures, "tags", span_str(text), tags);
    }
    buf_free(&got);
}

static void compare(const struct test_case *c, const struct verdict *v, struct failures *failures)
{
    compare_paths(c, v, failures);
    if (c->urgency != CASE_ANY && c->urgency != (int)v->urgency)
        add(failures, "urgency", span_str(urgency_name((enum urgency)c->urgency)),
            span_str(urgency_name(v->urgency)));
    if (c->kind != CASE_ANY && c->kind != (int)v->kind)
        add(failures, "kind", span_str(kind_name((enum kind)c->kind)),
            span_str(kind_name(v->kind)));
    compare_tags(c, v, failures);
    struct span reason = v->review ? v->review_reason : SPAN("no");
    if (c->review != CASE_ANY && (c->review == 1) != v->review)
        add(failures, "review", c->review == 1 ? SPAN("yes") : SPAN("no"), reason);
    if (c->reason.len != 0 && !span_eq(c->reason, v->review_reason))
        add(failures, "reason", c->reason, reason);
}

/* --- showing --- */

static void write_failure(struct tester *t, const struct test_case *c, const struct verdict *v,
                          const struct failures *failures)
{
    struct buf *out = &t->out;
    const bool colour = t->call->colour;
    buf_printf(out, "%s:%d: %sFAILED%s\n", c->file, c->line, colour ? "\033[1;31m" : "",
               colour ? "\033[0m" : "");
    for (int title = 1; title >= 0; title--) {
        struct span s = title ? c->title : c->text;
        if (s.len == 0)
            continue;
        buf_printf(out, "   %-9s ", title ? "title" : "text");
        if (colour)
            show_coloured(out, v->evidence, v->evidence_count, title == 1, s);
        else
            show_plain(out, s);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < failures->count; i++)
        buf_printf(out, "   %-9s expected  %s\n   %-9s got       %s\n", failures->list[i].what,
                   failures->list[i].expected, "", failures->list[i].got);
    buf_printf(out, "   %-9s %g, margin %.2f", "score", v->score, v->margin);
    for (size_t i = 0; i < v->secondary_count; i++)
        buf_printf(out, "; then %.*s %g", SPAN_ARG(v->secondary[i].path), v->secondary[i].score);
    for (size_t i = 0; i < v->evidence_count; i++) {
        buf_printf(out, "\n   %-9s ", i == 0 ? "evidence" : "");
        show_evidence(out, &v->evidence[i], colour);
    }
    buf_char(out, '\n');
}

static void write_json(struct tester *t, const struct test_case *c, const struct failures *failures)
{
    struct json_writer *w = &t->json;
    json_open_object(w);
    json_member_str(w, "file", c->file);
    json_member_i64(w, "line", c->line);
    json_member_string(w, "title", c->title);
    json_member_string(w, "text", c->text);
    json_key(w, "failures");
    json_open_array(w);
    for (size_t i = 0; i < failures->count; i++) {
        json_open_object(w);
        json_member_str(w, "what", failures->list[i].what);
        json_member_str(w, "expected", failures->list[i].expected);
        json_member_str(w, "got", failures->list[i].got);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

/* --- the command --- */

/* A name that a case may use: looked for among the category paths. */
struct known_path {
    struct span path;
    bool found;
};

static void note_path(void *ctx, struct span path, struct span sla)
{
    struct known_path *wanted = ctx;
    (void)sla;
    wanted->found |= span_eq(path, wanted->path);
}

/* A misspelt path could make `not_path` pass for ever. */
static int check_path(const struct tester *t, const struct test_case *c,
                      const struct case_name *name, struct err *err)
{
    struct known_path wanted = {.path = name->name};
    if (name->name.len == 0)
        return 0;
    rules_each_category(t->rules, note_path, &wanted);
    if (wanted.found)
        return 0;
    return err_set(err, ERR_INVALID,
                   "%s:%d:%d: “%.*s” is not a category path of this rule set; write it as in "
                   "categories/, with the first level in front",
                   c->file, name->line, name->column, SPAN_ARG(name->name));
}

/* 0, or -1 and *err when a case cannot be run. */
static int run_case(struct tester *t, const struct test_case *c, struct err *err)
{
    struct verdict v;
    struct failures failures = {.count = 0};
    if (check_path(t, c, &c->path, err) != 0 || check_path(t, c, &c->not_path, err) != 0)
        return -1;
    if (classify(t->rules, t->scratch, c->title, c->text, &v, err) != 0)
        return err_prefix(err, "%s:%d", c->file, c->line);
    compare(c, &v, &failures);
    if (failures.count == 0)
        return 0;
    t->failed++;
    if (t->call->json)
        write_json(t, c, &failures);
    else
        write_failure(t, c, &v, &failures);
    return 0;
}

static int read_cases(struct tester *t, struct err *err)
{
    t->cases = cases_new(err);
    if (t->cases == NULL)
        return -1;
    for (int i = 0; i < t->call->rest_count; i++)
        if (cases_add_file(t->cases, t->call->rest[i], err) != 0)
            return -1;
    if (t->call->rest_count > 0)
        return 0;
    return cases_add_folder(t->cases, command_rules_dir(t->call->rules), err);
}

static void write_sum(struct tester *t, size_t count)
{
    if (t->call->json) {
        json_close_array(&t->json);
        json_member_i64(&t->json, "cases", (int64_t)count);
        json_member_i64(&t->json, "passed", (int64_t)(count - t->failed));
        json_member_i64(&t->json, "failed", (int64_t)t->failed);
        json_member_string(&t->json, "rule_set", rules_id(t->rules));
        json_close_object(&t->json);
        buf_char(&t->out, '\n');
        return;
    }
    tools_counted(&t->out, count, "case");
    buf_printf(&t->out, ": %zu passed, %zu failed\n", count - t->failed, t->failed);
}

static int run_cases(struct tester *t)
{
    struct err err = {0};
    if (read_cases(t, &err) != 0)
        return command_fail(t->call->command,
                            err.code == ERR_IO ? COMMAND_UNAVAILABLE : COMMAND_CONFIG, &err);
    t->json = json_writer(&t->out);
    if (t->call->json) {
        json_open_object(&t->json);
        json_key(&t->json, "failures");
        json_open_array(&t->json);
    }
    for (size_t i = 0; i < cases_count(t->cases); i++)
        if (run_case(t, cases_at(t->cases, i), &err) != 0)
            return command_fail(t->call->command, COMMAND_CONFIG, &err);
    write_sum(t, cases_count(t->cases));
    return tools_finish(t->call->command, &t->out, t->failed == 0 ? COMMAND_OK : COMMAND_FINDING);
}

static int run(const struct rules_call *call)
{
    struct tester t = {.call = call};
    int status = tools_open(call, call->rules, &t.rules, &t.scratch);
    if (status == 0)
        status = run_cases(&t);
    buf_free(&t.out);
    cases_free(&t.cases);
    tools_close(&t.rules, &t.scratch);
    return status;
}

const struct rules_command rules_command_test = {
    .name = "test",
    .what = "run the cases: texts, and what the rules must say of them",
    .help =
        "jiesu rules test [--rules DIR] [--json] [FILE ...]\n"
        "\n"
        "Classifies the texts of cases/*.yaml of the rule set, or of the files given, and "
        "compares\n"
        "with what each case expects. A case that fails is shown with the words that decided.\n"
        "\n"
        "  cases:\n"
        "    - text: 楼上天天半夜装修，吵得睡不着\n"
        "      title: 夜间噪音              # may be left out, as all that follows\n"
        "      path: 环境保护/噪声污染      # this path, or one below it\n"
        "      not_path: 城乡建设           # not this one, and none below it\n"
        "      urgency: blue                # red, yellow, blue\n"
        "      kind: complaint              # complaint, help, enquiry, suggestion, report\n"
        "      tags: [special_group]        # all of these\n"
        "      no_tags: [sensitive]         # none of these\n"
        "      review: no                   # whether a person should look\n"
        "      reason: low_margin           # why\n"
        "\n" RULES_HELP_RULES
        "  --color WHEN always, never or auto (on a terminal)\n" RULES_HELP_PARTS RULES_HELP_TAIL
        "Exit status: 0 all passed, 1 some failed, 64 usage, 69 a file cannot be read, 78 the "
        "rule\n"
        "set or a case is wrong.\n",
    .flags = "rjcLH",
    .rest_max = 10000,
    .run = run,
};
