/*
 * `jiesu rules check`: does the rule set compile, do its cases read, and what in it is suspicious.
 */
#include "classifiers/lint.h"
#include "engine/cli/cases.h"
#include "engine/cli/commands.h"
#include "engine/cli/rules.h"
#include "engine/http/json_writer.h"
#include "engine/model/policy.h"
#include "engine/model/sla.h"

#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static int say_error(const struct rules_call *call, const struct err *err)
{
    if (!call->json)
        return command_fail(call->command, COMMAND_CONFIG, err);
    struct buf out = {0};
    struct json_writer w = json_writer(&out);
    json_open_object(&w);
    json_member_bool(&w, "compiles", false);
    json_member_str(&w, "error", err->text);
    json_close_object(&w);
    buf_char(&out, '\n');
    return tools_finish(call->command, &out, COMMAND_CONFIG);
}

/* All that the engine reads at its start, but for what this folder does not have: a rule set that
 * only classifies needs no calendar and no directory. */
static int load_rest(const char *dir, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/directory", dir);
    if (access(path, F_OK) == 0) {
        struct policy *policy = policy_load(dir, err);
        if (policy == NULL)
            return -1;
        policy_unref(&policy);
        return 0;
    }
    snprintf(path, sizeof path, "%s/sla.yaml", dir);
    struct sla *sla = sla_load(path, err);
    if (sla == NULL)
        return -1;
    sla_free(&sla);
    return 0;
}

/* Reads everything once, keeping the counts of what compiles. */
static int load_all(const char *dir, struct rules_count *count, size_t *cases, struct err *err)
{
    struct rules *rules = rules_load(dir, err);
    if (rules == NULL)
        return -1;
    *count = rules_count(rules);
    rules_unref(&rules);
    struct cases *read = cases_new(err);
    int done = read == NULL || cases_add_folder(read, dir, err) != 0 ? -1 : load_rest(dir, err);
    *cases = read == NULL ? 0 : cases_count(read);
    cases_free(&read);
    return done;
}

static void write_json_finding(struct json_writer *w, const struct lint_finding *f)
{
    json_open_object(w);
    json_member_str(w, "severity", lint_severity_name(f->severity));
    json_member_str(w, "code", lint_code_name(f->code));
    json_member_str(w, "file", f->file);
    json_member_i64(w, "line", f->line);
    json_member_i64(w, "column", f->column);
    json_member_string(w, "what", f->what);
    json_member_string(w, "todo", f->todo);
    json_close_object(w);
}

static void write_json(struct buf *out, const struct lint_report *report,
                       const size_t by_severity[LINT_SEVERITIES])
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_bool(&w, "compiles", true);
    json_member_i64(&w, "errors", (int64_t)by_severity[LINT_ERROR]);
    json_member_i64(&w, "warnings", (int64_t)by_severity[LINT_WARNING]);
    json_member_i64(&w, "notes", (int64_t)by_severity[LINT_NOTE]);
    json_key(&w, "findings");
    json_open_array(&w);
    for (size_t i = 0; i < report->count; i++)
        write_json_finding(&w, &report->list[i]);
    json_close_array(&w);
    json_close_object(&w);
    buf_char(out, '\n');
}

static void write_lines(struct buf *out, const struct rules_call *call,
                        const struct lint_report *report, const size_t by_severity[LINT_SEVERITIES])
{
    static const char *const colours[] = {
        [LINT_NOTE] = "\033[36m", [LINT_WARNING] = "\033[33m", [LINT_ERROR] = "\033[1;31m"};
    for (size_t i = 0; i < report->count; i++) {
        const struct lint_finding *f = &report->list[i];
        if (f->severity == LINT_NOTE && !call->notes)
            continue;
        buf_printf(out, "%s:%d:%d: %s%s%s: %.*s; %.*s [%s]\n", f->file, f->line, f->column,
                   call->colour ? colours[f->severity] : "", lint_severity_name(f->severity),
                   call->colour ? "\033[0m" : "", SPAN_ARG(f->what), SPAN_ARG(f->todo),
                   lint_code_name(f->code));
    }
    tools_counted(out, by_severity[LINT_ERROR], "error");
    buf_str(out, ", ");
    tools_counted(out, by_severity[LINT_WARNING], "warning");
    buf_str(out, ", ");
    tools_counted(out, by_severity[LINT_NOTE], "note");
    buf_str(out, by_severity[LINT_NOTE] > 0 && !call->notes ? " (--notes shows them)\n" : "\n");
}

static int lint(const struct rules_call *call, const char *dir, struct buf *out)
{
    struct err err = {0};
    struct rules_files files;
    struct lint_report report = {.arena = NULL};
    size_t by_severity[LINT_SEVERITIES] = {0};
    int status = COMMAND_OK;
    if (rules_files_read(&files, dir, &err) != 0 || lint_rules(&files, &report, &err) != 0) {
        buf_clear(out);
        status = say_error(call, &err);
    } else {
        for (size_t i = 0; i < report.count; i++)
            by_severity[report.list[i].severity]++;
        if (call->json)
            write_json(out, &report, by_severity);
        else
            write_lines(out, call, &report, by_severity);
        if (by_severity[LINT_ERROR] + by_severity[LINT_WARNING] > 0)
            status = COMMAND_FINDING;
    }
    lint_report_free(&report);
    rules_files_free(&files);
    return status;
}

static int run(const struct rules_call *call)
{
    struct err err = {0};
    struct buf out = {0};
    struct rules_count count;
    size_t cases = 0;
    const char *dir = command_rules_dir(call->rules);
    if (load_all(dir, &count, &cases, &err) != 0)
        return say_error(call, &err);
    if (!call->json) {
        buf_printf(&out, "%s: it compiles; %zu category paths, %zu keywords, %zu regexes, ", dir,
                   count.categories, count.keywords, count.regexes);
        tools_counted(&out, cases, "case");
        buf_char(&out, '\n');
    }
    int status = lint(call, dir, &out);
    return tools_finish(call->command, &out, status);
}

const struct rules_command rules_command_check = {
    .name = "check",
    .what = "mistakes in the rules, each with file, line and column",
    .help =
        "jiesu rules check [--rules DIR] [--notes] [--json]\n"
        "\n"
        "Reads the whole rule set as the engine does, and its cases, and then looks for what is\n"
        "most likely a mistake: words that stand twice or can never count, paths that can never\n"
        "win, conditions that nothing uses, one word in two categories, and regexes that are slow\n"
        "or could become so. Each finding has its place, says what is wrong and what to do.\n"
        "\n" RULES_HELP_RULES
        "  --notes      show what is worth knowing, too; it is often meant so\n" RULES_HELP_TAIL
        "Exit status: 0 good, 1 there are errors or warnings, 64 usage, 78 the rule set does not\n"
        "compile.\n",
    .flags = "rojc",
    .run = run,
};
