/*
 * `jiesu eval`: the rule set against texts whose first-level category is known.
 *
 * A text for which no category is found counts as wrong. Macro-F1 is the mean of F1 over the labels
 * that the data has; a category that is only ever predicted is listed with support 0 and does not
 * enter it.
 */
#include "classifiers/rules.h"
#include "engine/cli/commands.h"
#include "engine/cli/eval_tally.h"
#include "engine/cli/rows.h"
#include "engine/http/json_writer.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "jiesu eval [--rules DIR] --data FILE.tsv [--no-learned] [--no-hand] [--json]\n"
    "\n"
    "Classifies labelled texts and prints how often the first-level category is right. FILE.tsv "
    "has a\n"
    "header line with the columns id, label, title and body; label is a first-level category.\n"
    "\n"
    "  --data FILE  the labelled texts (- for standard input)\n"
    "  --rules DIR  the folder of the rule set (JIESU_RULES, else ./rules, else " JIESU_SHARE
    "/rules)\n"
    "  --no-learned without the learned weights\n"
    "  --no-hand    without the hand-written rules for categories\n"
    "  --json       one JSON object instead of the table\n"
    "  --help       this text\n"
    "\n"
    "Exit status: 0 good, 1 rows were skipped (each is named with its line), 64 usage, 69 the "
    "data\n"
    "cannot be read, 78 the rule set is wrong.\n";

struct eval {
    const struct rules *rules;
    struct rules_scratch *scratch;
    struct rows *rows;
    struct tally tally;
    uint64_t reviews;
};

struct options {
    const char *rules, *data;
    bool json;
    unsigned parts;
};

/* Counts one row. 0, or -1 and *err when it is no good. */
static int count_row(struct eval *eval, const struct row *row, struct err *err)
{
    struct verdict verdict;
    if (classify(eval->rules, eval->scratch, row->title, row->text, &verdict, err) != 0)
        return -1;
    struct span predicted = verdict.category.path;
    predicted = span_cut(&predicted, '/');
    if (tally_add(&eval->tally, row->label, predicted, err) != 0)
        return -1;
    eval->reviews += verdict.review;
    return 0;
}

/* --- the answer --- */

static void write_label(struct json_writer *w, const struct tally_label *label)
{
    json_key_text(w, span_str(label->name));
    json_open_object(w);
    json_member_double(w, "precision", tally_ratio(label->right, label->predicted));
    json_member_double(w, "recall", tally_ratio(label->right, label->support));
    json_member_double(w, "f1", tally_f1(label));
    json_member_i64(w, "support", (int64_t)label->support);
    json_member_i64(w, "predicted", (int64_t)label->predicted);
    json_close_object(w);
}

/* {"label": {"label that its rows got": rows}}; the name of none is "". */
static void write_confusion(struct json_writer *w, const struct tally *tally)
{
    json_open_object(w);
    for (uint32_t gold = 0; gold < tally->label_count; gold++) {
        if (tally->labels[gold].support == 0)
            continue;
        json_key_text(w, span_str(tally->labels[gold].name));
        json_open_object(w);
        for (uint32_t got = 0; got <= tally->label_count; got++) {
            bool none = got == tally->label_count;
            uint64_t rows = tally_confused(tally, gold, none ? TALLY_NONE : got);
            if (rows != 0)
                json_member_i64(w, none ? "" : tally->labels[got].name, (int64_t)rows);
        }
        json_close_object(w);
    }
    json_close_object(w);
}

static void write_json(struct buf *out, const struct eval *eval)
{
    const struct tally *tally = &eval->tally;
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_i64(&w, "rows", (int64_t)tally->rows);
    json_member_i64(&w, "bad_rows", (int64_t)rows_bad(eval->rows));
    json_member_double(&w, "accuracy", tally_ratio(tally->right, tally->rows));
    json_member_double(&w, "macro_f1", tally_macro_f1(tally));
    json_member_double(&w, "review_rate", tally_ratio(eval->reviews, tally->rows));
    json_member_string(&w, "rule_set", rules_id(eval->rules));
    json_key(&w, "labels");
    json_open_object(&w);
    for (size_t i = 0; i < tally->label_count; i++)
        write_label(&w, &tally->labels[i]);
    json_close_object(&w);
    json_key(&w, "confusion");
    write_confusion(&w, tally);
    json_close_object(&w);
    buf_char(out, '\n');
}

/* Rows by their label and by the one they got, whose number stands above; "none" for no category. */
static void write_matrix(struct buf *out, const struct tally *tally)
{
    buf_str(out, "\nrows of a label, by the label that they got\n");
    for (size_t i = 0; i < tally->label_count; i++)
        buf_printf(out, "%6zu", i + 1);
    buf_str(out, "  none\n");
    for (uint32_t gold = 0; gold < tally->label_count; gold++) {
        if (tally->labels[gold].support == 0)
            continue;
        for (uint32_t got = 0; got <= tally->label_count; got++)
            buf_printf(out, "%6llu",
                       (unsigned long long)tally_confused(
                           tally, gold, got == tally->label_count ? TALLY_NONE : got));
        buf_printf(out, "  %u %s\n", gold + 1, tally->labels[gold].name);
    }
}

/* The label comes last: Chinese names are two columns wide, and nothing stands behind them to
 * align. */
static void write_table(struct buf *out, const struct eval *eval)
{
    const struct tally *tally = &eval->tally;
    buf_printf(out, "rows         %zu\n", tally->rows);
    buf_printf(out, "accuracy     %.4f\n", tally_ratio(tally->right, tally->rows));
    buf_printf(out, "macro-F1     %.4f\n", tally_macro_f1(tally));
    buf_printf(out, "review rate  %.4f\n\n", tally_ratio(eval->reviews, tally->rows));
    buf_str(out, "precision  recall      F1  support  predicted  label\n");
    for (size_t i = 0; i < tally->label_count; i++) {
        const struct tally_label *label = &tally->labels[i];
        buf_printf(out, "%9.4f  %6.4f  %6.4f  %7llu  %9llu  %zu %s\n",
                   tally_ratio(label->right, label->predicted),
                   tally_ratio(label->right, label->support), tally_f1(label),
                   (unsigned long long)label->support, (unsigned long long)label->predicted, i + 1,
                   label->name);
    }
    write_matrix(out, tally);
}

/* Counts all rows. 0, or -1 and *err when the file as a whole cannot be used. */
static int count_rows(struct eval *eval, struct err *err)
{
    struct row row;
    int next;
    while ((next = rows_next(eval->rows, &row, err)) == 1) {
        if (count_row(eval, &row, err) == 0)
            continue;
        if (err->code == ERR_NOMEM)
            return -1;
        rows_refuse(eval->rows, &row, err);
    }
    return next;
}

static int run(struct eval *eval, bool json)
{
    struct err err = {0};
    struct buf out = {0};
    if (count_rows(eval, &err) != 0 || tally_sort(&eval->tally, &err) != 0)
        return command_fail("eval", COMMAND_UNAVAILABLE, &err);
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
    return rows_bad(eval->rows) == 0 ? COMMAND_OK : COMMAND_FINDING;
}

static int load_and_run(const struct options *options)
{
    struct err err = {0};
    struct rules *rules = rules_load_with(command_rules_dir(options->rules), options->parts, &err);
    if (rules == NULL)
        return command_fail("eval", COMMAND_CONFIG, &err);
    struct eval eval = {.rules = rules, .scratch = rules_scratch_new()};
    if (eval.scratch == NULL)
        err_set(&err, ERR_NOMEM, "out of memory");
    else
        eval.rows = rows_open("eval", options->data, true, &err);
    int status = eval.rows == NULL ? command_fail("eval", COMMAND_UNAVAILABLE, &err)
                                   : run(&eval, options->json);
    tally_free(&eval.tally);
    rows_free(&eval.rows);
    rules_scratch_free(&eval.scratch);
    rules_unref(&rules);
    return status;
}

int command_eval(int argc, char **argv)
{
    static const struct option known[] = {{"rules", required_argument, NULL, 'r'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"no-learned", no_argument, NULL, 'L'},
                                          {"no-hand", no_argument, NULL, 'H'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.parts = RULES_ALL};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? COMMAND_UNAVAILABLE : COMMAND_OK;
        if (c == 'r')
            options.rules = optarg;
        else if (c == 'd')
            options.data = optarg;
        else if (c == 'j')
            options.json = true;
        else if (c == 'L')
            options.parts &= ~(unsigned)RULES_LEARNED;
        else if (c == 'H')
            options.parts &= ~(unsigned)RULES_HAND;
        else
            return command_usage("eval", "that option is not understood");
    }
    if (optind < argc)
        return command_usage("eval", "“%s” is one argument too many", argv[optind]);
    if (options.data == NULL)
        return command_usage("eval", "--data FILE.tsv is missing");
    return load_and_run(&options);
}
