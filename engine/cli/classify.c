/*
 * `jiesu classify`: each line of the input is one text; the answer is its verdict, for people or as
 * JSON.
 */
#include "classifiers/rules.h"
#include "engine/api/complaint_json.h"
#include "engine/cli/commands.h"
#include "engine/cli/lines.h"
#include "engine/cli/show.h"
#include "engine/http/json_writer.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "jiesu classify [--rules DIR] [--no-learned] [--no-hand] [--json] [FILE|-]\n"
    "\n"
    "Reads texts, one per line (title<TAB>text, or the text alone), from FILE or standard input, "
    "and\n"
    "prints for each its category, urgency, kind and tags, and which words decided. Nothing is "
    "stored.\n"
    "\n"
    "  --rules DIR  the folder of the rule set (JIESU_RULES, else ./rules, else " JIESU_SHARE
    "/rules)\n"
    "  --no-learned without the learned weights\n"
    "  --no-hand    without the hand-written rules for categories\n"
    "  --json       one JSON object per line\n"
    "  --help       this text\n"
    "\n"
    "Exit status: 0 good, 1 a line could not be classified, 64 usage, 69 the input cannot be "
    "read,\n"
    "78 the rule set is wrong.\n";

struct options {
    const char *rules;
    const char *file;
    unsigned parts;
    bool json, colour;
};

static void write_json_error(struct buf *out, size_t line, const struct err *err)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_i64(&w, "line", (int64_t)line);
    json_member_str(&w, "error", err->text);
    json_close_object(&w);
    buf_char(out, '\n');
}

/* --- for people --- */

static void write_text(struct buf *out, const struct options *options, const struct verdict *v,
                       const char *name, struct span s)
{
    if (s.len == 0)
        return;
    buf_printf(out, "   %-9s ", name);
    if (options->colour)
        show_coloured(out, v->evidence, v->evidence_count, strcmp(name, "title") == 0, s);
    else
        show_plain(out, s);
    buf_char(out, '\n');
}

static void write_evidence_lines(struct buf *out, const struct options *options,
                                 const struct verdict *v)
{
    for (size_t i = 0; i < v->evidence_count; i++) {
        buf_printf(out, "   %-9s ", i == 0 ? "evidence" : "");
        show_evidence(out, &v->evidence[i], options->colour);
        buf_char(out, '\n');
    }
}

static void write_human(struct buf *out, const struct options *options, size_t line,
                        const struct verdict *v, struct span title, struct span text)
{
    struct span path = show_path(v);
    buf_printf(out, "%zu  %.*s\n", line, SPAN_ARG(path));
    write_text(out, options, v, "title", title);
    write_text(out, options, v, "text", text);
    buf_printf(out, "   %-9s %g, margin %.2f", "score", v->score, v->margin);
    for (size_t i = 0; i < v->secondary_count; i++)
        buf_printf(out, "; then %.*s %g", SPAN_ARG(v->secondary[i].path), v->secondary[i].score);
    buf_printf(out, "\n   %-9s %s, %s, sla %.*s", "order", urgency_name(v->urgency),
               kind_name(v->kind), SPAN_ARG(v->sla));
    if (v->department.len != 0)
        buf_printf(out, ", %.*s", SPAN_ARG(v->department));
    for (size_t i = 0; i < v->tag_count; i++)
        buf_printf(out, ", %.*s", SPAN_ARG(v->tags[i]));
    buf_char(out, '\n');
    if (v->review)
        buf_printf(out, "   %-9s %.*s\n", "review", SPAN_ARG(v->review_reason));
    write_evidence_lines(out, options, v);
}

/* --- the command --- */

/* Classifies one line into out. 0, or 1 when it could not be. */
static int classify_line(const struct options *options, const struct rules *rules,
                         struct rules_scratch *scratch, size_t number, struct span line,
                         struct verdict *verdict, struct buf *out)
{
    struct err err = {0};
    struct span text = line, title = SPAN("");
    if (span_find_char(line, '\t') >= 0)
        title = span_cut(&text, '\t');
    if (classify(rules, scratch, title, text, verdict, &err) != 0) {
        if (options->json)
            write_json_error(out, number, &err);
        else
            fprintf(stderr, "jiesu classify: line %zu: %s\n", number, err.text);
        return 1;
    }
    if (options->json) {
        verdict_encode(verdict, out);
        buf_char(out, '\n');
    } else {
        write_human(out, options, number, verdict, title, text);
    }
    return 0;
}

static int classify_lines(const struct options *options, const struct rules *rules,
                          struct rules_scratch *scratch, struct lines *lines)
{
    struct err err = {0};
    struct span line;
    struct buf out = {0};
    struct verdict verdict;
    int status = COMMAND_OK, next;
    while ((next = lines_next(lines, &line, &err)) == 1) {
        if (classify_line(options, rules, scratch, lines_number(lines), line, &verdict, &out) != 0)
            status = COMMAND_FINDING;
        if (command_flush(&out) != 0) {
            err_set(&err, ERR_IO, "the answer cannot be written");
            next = -1;
            break;
        }
    }
    buf_free(&out);
    return next < 0 ? command_fail("classify", COMMAND_UNAVAILABLE, &err) : status;
}

static int run(const struct options *options)
{
    struct err err = {0};
    struct rules *rules = rules_load_with(command_rules_dir(options->rules), options->parts, &err);
    if (rules == NULL)
        return command_fail("classify", COMMAND_CONFIG, &err);
    struct rules_scratch *scratch = rules_scratch_new();
    struct lines *lines = NULL;
    if (scratch == NULL)
        err_set(&err, ERR_NOMEM, "out of memory");
    else
        lines = lines_open(options->file, &err);
    int status = lines == NULL ? command_fail("classify", COMMAND_UNAVAILABLE, &err)
                               : classify_lines(options, rules, scratch, lines);
    lines_free(&lines);
    rules_scratch_free(&scratch);
    rules_unref(&rules);
    return status;
}

int command_classify(int argc, char **argv)
{
    static const struct option known[] = {
        {"rules", required_argument, NULL, 'r'}, {"no-learned", no_argument, NULL, 'L'},
        {"no-hand", no_argument, NULL, 'H'},     {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    struct options options = {.file = "-", .parts = RULES_ALL};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? COMMAND_UNAVAILABLE : COMMAND_OK;
        if (c == 'r')
            options.rules = optarg;
        else if (c == 'L')
            options.parts &= ~(unsigned)RULES_LEARNED;
        else if (c == 'H')
            options.parts &= ~(unsigned)RULES_HAND;
        else if (c == 'j')
            options.json = true;
        else
            return command_usage("classify", "that option is not understood");
    }
    if (argc - optind > 1)
        return command_usage("classify", "one file at the most");
    if (optind < argc)
        options.file = argv[optind];
    options.colour = isatty(STDOUT_FILENO) == 1;
    return run(&options);
}
