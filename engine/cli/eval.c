/*
 * `jiesu eval`: the rule set against texts whose first-level category is known.
 *
 * A text for which no category is found counts as wrong. Macro-F1 is the mean of F1 over the labels
 * that the data has; a category that is only ever predicted is listed with support 0 and does not
 * enter it.
 */
#include "classifiers/rules.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/lines.h"
#include "engine/cli/tsv.h"
#include "engine/http/json_writer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "jiesu eval [--rules DIR] --data FILE.tsv [--json]\n"
    "\n"
    "Classifies labelled texts and prints how often the first-level category is right. FILE.tsv "
    "has a\n"
    "header line with the columns id, label, title and body; label is a first-level category.\n"
    "\n"
    "  --data FILE  the labelled texts (- for standard input)\n"
    "  --rules DIR  the folder of the rule set (JIESU_RULES, else ./rules, else " JIESU_SHARE
    "/rules)\n"
    "  --json       one JSON object instead of the table\n"
    "  --help       this text\n"
    "\n"
    "Exit status: 0 good, 1 rows were skipped (each is named with its line), 64 usage, 69 the "
    "data\n"
    "cannot be read, 78 the rule set is wrong.\n";

enum { MAX_LABELS = 1000 };
enum column { COLUMN_ID, COLUMN_LABEL, COLUMN_TITLE, COLUMN_BODY, COLUMNS };
static const char *const column_names[COLUMNS] = {"id", "label", "title", "body"};

struct label {
    char *name;                         /* owned */
    uint64_t support, predicted, right; /* rows that have it, got it, and both */
};

struct eval {
    const struct rules *rules;
    struct rules_scratch *scratch;
    size_t columns;            /* cells that a row must have */
    size_t column_at[COLUMNS]; /* which of them is which */
    struct label *labels;
    size_t label_count, label_capacity;
    uint64_t rows, bad_rows, right, reviews;
};

static int read_header(struct eval *eval, struct span line, struct err *err)
{
    struct span cells[TSV_CELLS];
    int count = tsv_cut(line, cells);
    for (size_t c = 0; c < COLUMNS; c++) {
        const int at = tsv_find(cells, count, column_names[c]);
        if (at < 0)
            return err_set(err, ERR_SYNTAX,
                           "line 1: column “%s” is missing; the first line must name the columns "
                           "id, label, title and body, separated by tabs",
                           column_names[c]);
        eval->column_at[c] = (size_t)at;
    }
    eval->columns = (size_t)count;
    return 0;
}

/* The entry of a label, made when new; NULL and *err when there are too many or memory is short. */
static struct label *find_label(struct eval *eval, struct span name, struct err *err)
{
    for (size_t i = 0; i < eval->label_count; i++)
        if (span_eq(span_str(eval->labels[i].name), name))
            return &eval->labels[i];
    if (eval->label_count == MAX_LABELS) {
        err_set(err, ERR_LIMIT, "more than %d different labels", MAX_LABELS);
        return NULL;
    }
    if (eval->label_count == eval->label_capacity) {
        size_t capacity = eval->label_capacity == 0 ? 16 : eval->label_capacity * 2;
        struct label *labels = mem_resize(eval->labels, capacity, sizeof *labels);
        if (labels == NULL) {
            err_set(err, ERR_NOMEM, "out of memory");
            return NULL;
        }
        eval->labels = labels;
        eval->label_capacity = capacity;
    }
    struct label *label = &eval->labels[eval->label_count];
    *label = (struct label){.name = mem_strndup(name.ptr, name.len)};
    if (label->name == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    eval->label_count++;
    return label;
}

/* Counts one row. 0, or -1 and *err when it is no good. */
static int count_row(struct eval *eval, struct span line, struct err *err)
{
    struct span cells[TSV_CELLS];
    struct verdict verdict;
    int count = tsv_cut(line, cells);
    if (count != (int)eval->columns)
        return err_set(err, ERR_SYNTAX, "the row has %d cells, the header %zu", count,
                       eval->columns);
    struct span gold = cells[eval->column_at[COLUMN_LABEL]];
    if (gold.len == 0)
        return err_set(err, ERR_INVALID, "the row has no label");
    if (classify(eval->rules, eval->scratch, cells[eval->column_at[COLUMN_TITLE]],
                 cells[eval->column_at[COLUMN_BODY]], &verdict, err) != 0)
        return -1;
    struct span predicted = verdict.category.path;
    predicted = span_cut(&predicted, '/');
    bool right = span_eq(predicted, gold);
    struct label *label = find_label(eval, gold, err);
    if (label == NULL)
        return -1;
    label->support++;
    label->right += right;
    if (predicted.len != 0) {
        label = find_label(eval, predicted, err);
        if (label == NULL)
            return -1;
        label->predicted++;
    }
    eval->rows++;
    eval->right += right;
    eval->reviews += verdict.review;
    return 0;
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static double f1_of(const struct label *label)
{
    return ratio(2 * label->right, label->support + label->predicted);
}

static double macro_f1(const struct eval *eval)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < eval->label_count; i++) {
        if (eval->labels[i].support == 0)
            continue;
        sum += f1_of(&eval->labels[i]);
        count++;
    }
    return count == 0 ? 0 : sum / (double)count;
}

static void write_json(struct buf *out, const struct eval *eval)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_i64(&w, "rows", (int64_t)eval->rows);
    json_member_i64(&w, "bad_rows", (int64_t)eval->bad_rows);
    json_member_double(&w, "accuracy", ratio(eval->right, eval->rows));
    json_member_double(&w, "macro_f1", macro_f1(eval));
    json_member_double(&w, "review_rate", ratio(eval->reviews, eval->rows));
    json_member_string(&w, "rule_set", rules_id(eval->rules));
    json_key(&w, "labels");
    json_open_object(&w);
    for (size_t i = 0; i < eval->label_count; i++) {
        const struct label *label = &eval->labels[i];
        json_key(&w, label->name);
        json_open_object(&w);
        json_member_double(&w, "precision", ratio(label->right, label->predicted));
        json_member_double(&w, "recall", ratio(label->right, label->support));
        json_member_double(&w, "f1", f1_of(label));
        json_member_i64(&w, "support", (int64_t)label->support);
        json_member_i64(&w, "predicted", (int64_t)label->predicted);
        json_close_object(&w);
    }
    json_close_object(&w);
    json_close_object(&w);
    buf_char(out, '\n');
}

/* The label comes last: Chinese names are two columns wide, and nothing stands behind them to
 * align. */
static void write_table(struct buf *out, const struct eval *eval)
{
    buf_printf(out, "rows         %llu\n", (unsigned long long)eval->rows);
    buf_printf(out, "accuracy     %.4f\n", ratio(eval->right, eval->rows));
    buf_printf(out, "macro-F1     %.4f\n", macro_f1(eval));
    buf_printf(out, "review rate  %.4f\n\n", ratio(eval->reviews, eval->rows));
    buf_str(out, "precision  recall      F1  support  predicted  label\n");
    for (size_t i = 0; i < eval->label_count; i++) {
        const struct label *label = &eval->labels[i];
        buf_printf(out, "%9.4f  %6.4f  %6.4f  %7llu  %9llu  %s\n",
                   ratio(label->right, label->predicted), ratio(label->right, label->support),
                   f1_of(label), (unsigned long long)label->support,
                   (unsigned long long)label->predicted, label->name);
    }
}

static int most_support_first(const void *a, const void *b)
{
    const struct label *left = a, *right = b;
    if (left->support != right->support)
        return left->support > right->support ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* Reads all rows. 0, or -1 and *err when the file as a whole cannot be used. */
static int read_rows(struct eval *eval, struct lines *lines, struct err *err)
{
    struct span line;
    int next = lines_next(lines, &line, err);
    if (next == 0)
        return err_set(err, ERR_SYNTAX, "the data is empty");
    if (next < 0 || read_header(eval, line, err) != 0)
        return -1;
    while ((next = lines_next(lines, &line, err)) == 1) {
        if (line.len == 0 || count_row(eval, line, err) == 0)
            continue;
        if (err->code == ERR_NOMEM)
            return -1;
        eval->bad_rows++;
        fprintf(stderr, "jiesu eval: line %zu: %s; skipped\n", lines_number(lines), err->text);
    }
    return next;
}

static int run(struct eval *eval, struct lines *lines, bool json)
{
    struct err err = {0};
    struct buf out = {0};
    if (read_rows(eval, lines, &err) != 0)
        return command_fail("eval", COMMAND_UNAVAILABLE, &err);
    if (eval->label_count > 1)
        qsort(eval->labels, eval->label_count, sizeof *eval->labels, most_support_first);
    if (json)
        write_json(&out, eval);
    else
        write_table(&out, eval);
    int flushed = command_flush(&out);
    buf_free(&out);
    if (flushed != 0) {
        err_set(&err, ERR_IO, "the answer cannot be written");
        return command_fail("eval", COMMAND_UNAVAILABLE, &err);
    }
    return eval->bad_rows == 0 ? COMMAND_OK : COMMAND_FINDING;
}

static int load_and_run(const char *dir, const char *data, bool json)
{
    struct err err = {0};
    struct rules *rules = rules_load(command_rules_dir(dir), &err);
    if (rules == NULL)
        return command_fail("eval", COMMAND_CONFIG, &err);
    struct eval eval = {.rules = rules, .scratch = rules_scratch_new()};
    struct lines *lines = NULL;
    if (eval.scratch == NULL)
        err_set(&err, ERR_NOMEM, "out of memory");
    else
        lines = lines_open(data, &err);
    int status =
        lines == NULL ? command_fail("eval", COMMAND_UNAVAILABLE, &err) : run(&eval, lines, json);
    for (size_t i = 0; i < eval.label_count; i++)
        mem_free(eval.labels[i].name);
    mem_free(eval.labels);
    lines_free(&lines);
    rules_scratch_free(&eval.scratch);
    rules_unref(&rules);
    return status;
}

int command_eval(int argc, char **argv)
{
    static const struct option known[] = {{"rules", required_argument, NULL, 'r'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *rules = NULL, *data = NULL;
    bool json = false;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? COMMAND_UNAVAILABLE : COMMAND_OK;
        if (c == 'r')
            rules = optarg;
        else if (c == 'd')
            data = optarg;
        else if (c == 'j')
            json = true;
        else
            return command_usage("eval", "that option is not understood");
    }
    if (optind < argc)
        return command_usage("eval", "“%s” is one argument too many", argv[optind]);
    if (data == NULL)
        return command_usage("eval", "--data FILE.tsv is missing");
    return load_and_run(rules, data, json);
}
