/*
 * `jiesu learn`: makes a pack of learned weights from labelled texts.
 *
 * Nothing of the run enters the pack but its input: no time, no path, no machine; so the same files
 * give the same bytes. It is written beside its place and renamed, so no half pack is ever loaded.
 */
#include "classifiers/learner.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/file.h"
#include "engine/cli/learn_scale.h"
#include "engine/cli/tsv.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "jiesu learn --data FILE.tsv [--segmented FILE.tsv] --out FILE [OPTION ...]\n"
    "\n"
    "Learns from labelled texts how much each short run of characters (an n-gram of 1 to 4) "
    "speaks\n"
    "for each first-level category, and writes it as a pack for rules/learned/. The data file has "
    "a\n"
    "header line with the columns label, title and body; the segmented one, label and tokens: "
    "words\n"
    "separated by spaces. A text that stands in both is learned once. The same input gives the "
    "same\n"
    "pack. What to expect of it is estimated by cross-validation and written into its head.\n"
    "\n"
    "  --data FILE       labelled texts\n"
    "  --segmented FILE  more of them, as words\n"
    "  --out FILE        where the pack goes\n"
    "  --rules DIR       choose the pack's share so that it adds up best with these hand-written "
    "rules\n"
    "  --max-ngrams N    n-grams to keep, 1 to 20000 (20000)\n"
    "  --min-documents N keep none that stands in fewer documents (5)\n"
    "  --min-weight N    keep none whose weights are all below N thousandths of the largest (0)\n"
    "  --mask WORD       no n-gram may touch this word; may be repeated\n"
    "  --head N          n-grams that begin among the first N characters count twice (27)\n"
    "  --cost X          C of the support vector machine (1)\n"
    "  --folds N         of the cross-validation, 2 to 20 (5)\n"
    "  --points X        what a label that is surer than another gains over it, per unit of the\n"
    "                    machine's value, instead of choosing it (36)\n"
    "  --help            this text\n"
    "\n"
    "Exit status: 0 good, 64 usage, 69 a file cannot be read or written, 78 the data or the rule "
    "set\n"
    "is wrong.\n";

enum { MAX_MASKS = 16 };

struct options {
    const char *data, *segmented, *out, *rules;
    const char *masks[MAX_MASKS];
    size_t mask_count;
    struct learner_params params;
    struct learner_scale scale;
    bool points_given;
};

/* A training file. */
struct source {
    const char *path;
    bool words;
    size_t rows;
    struct hash128 hash;
};

struct job {
    const struct options *options;
    struct learner *learner;
    struct learn_scale *scale; /* NULL without --rules */
    struct source sources[2];
    size_t source_count;
    struct learner_result result;
    struct learn_scale_choice choice;
};

/* --- reading --- */

/* The cells that a source needs: label, then title and body, or tokens. */
struct columns {
    int label, title, text;
    int count;
};

static int find_columns(const struct source *source, struct span header, struct columns *columns,
                        struct err *err)
{
    struct span cells[TSV_CELLS];
    int count = tsv_cut(header, cells);
    *columns = (struct columns){.label = tsv_find(cells, count, "label"),
                                .title = tsv_find(cells, count, "title"),
                                .text = tsv_find(cells, count, source->words ? "tokens" : "body"),
                                .count = count};
    if (columns->label < 0 || columns->text < 0 || (!source->words && columns->title < 0))
        return err_set(err, ERR_SYNTAX,
                       "%s:1: the first line must name the columns %s, separated by tabs",
                       source->path, source->words ? "label and tokens" : "label, title and body");
    return 0;
}

/* The text as the rules read it: words without the spaces between them. */
static int add_to_scale(struct job *job, const struct source *source, struct span title,
                        struct span text, struct err *err)
{
    if (job->scale == NULL)
        return 0;
    if (!source->words)
        return learn_scale_add(job->scale, title, text, err);
    struct buf joined = {0};
    for (struct span rest = text; rest.ptr != NULL;)
        buf_span(&joined, span_cut(&rest, ' '));
    int done = buf_ok(&joined)
                   ? learn_scale_add(job->scale, (struct span){0}, buf_view(&joined), err)
                   : err_set(err, ERR_NOMEM, "out of memory");
    buf_free(&joined);
    return done;
}

static int add_row(struct job *job, const struct source *source, const struct columns *columns,
                   struct span line, struct err *err)
{
    struct span cells[TSV_CELLS];
    if (tsv_cut_row(line, columns->count, cells, err) != 0)
        return -1;
    struct span label = cells[columns->label], text = cells[columns->text];
    struct span title = {0};
    if (!source->words)
        title = cells[columns->title];
    int added = source->words ? learner_add_words(job->learner, label, text, err)
                              : learner_add_text(job->learner, label, title, text, err);
    return added == 0 ? add_to_scale(job, source, title, text, err) : -1;
}

static int add_rows(struct job *job, struct source *source, struct span text, struct err *err)
{
    struct columns columns;
    size_t number = 1;
    if (span_starts(text, SPAN("\xEF\xBB\xBF")))
        text = span_sub(text, 3, text.len);
    struct span header = span_cut(&text, '\n');
    if (span_ends(header, SPAN("\r")))
        header.len--;
    if (find_columns(source, header, &columns, err) != 0)
        return -1;
    while (text.len != 0) {
        struct span line = span_cut(&text, '\n');
        number++;
        if (span_ends(line, SPAN("\r")))
            line.len--;
        if (line.len == 0)
            continue;
        if (add_row(job, source, &columns, line, err) != 0)
            return err_prefix(err, "%s:%zu", source->path, number);
        source->rows++;
    }
    return 0;
}

static int add_source(struct job *job, const char *path, bool words, struct err *err)
{
    struct source *source = &job->sources[job->source_count++];
    *source = (struct source){.path = path, .words = words};
    struct buf text = {0};
    int done = file_read(path, &text, err);
    if (done == 0) {
        source->hash = hash128(buf_view(&text));
        done = add_rows(job, source, buf_view(&text), err);
    }
    buf_free(&text);
    return done;
}

/* --- writing --- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Where the pack comes from, as lines of remark. */
static void write_remarks(const struct job *job, struct buf *out)
{
    const struct options *o = job->options;
    const struct learner_result *r = &job->result;
    buf_str(out, "# jiesu learn " JIESU_VERSION "\n# method: linear support vector machine over "
                 "naive-Bayes log-count ratios (NBSVM, Wang & Manning 2012), L2\n");
    buf_printf(
        out,
        "# parameters: n-grams of 1 to 4 characters in %zu documents or more, the best %zu; C "
        "%g, smoothing %g, head %u (%.1f of words)",
        o->params.min_documents, o->params.max_ngrams, o->params.cost, o->params.smoothing,
        o->params.head, r->head_words);
    if (o->params.min_weight > 0)
        buf_printf(out, ", weights of %g or more of the largest", o->params.min_weight);
    for (size_t i = 0; i < o->mask_count; i++)
        buf_printf(out, ", mask %s", o->masks[i]);
    buf_char(out, '\n');
    char hex[HASH_HEX_BYTES];
    for (size_t i = 0; i < job->source_count; i++)
        buf_printf(out, "# training: %s, %zu rows, XXH3 %s\n", base_name(job->sources[i].path),
                   job->sources[i].rows, hash128_hex(job->sources[i].hash, hex));
    buf_printf(out,
               "# documents: %zu texts, %zu of words; %zu more of words are among the texts\n"
               "# expected, by %zu-fold cross-validation: accuracy %.4f, macro-F1 %.4f\n"
               "# accuracy on the texts among them: %.4f\n",
               r->texts, r->words, r->twins, o->params.folds, r->accuracy, r->macro_f1,
               r->texts_accuracy);
    if (job->scale != NULL)
        buf_printf(out,
                   "# expected with the hand-written rules of then: accuracy %.4f, macro-F1 %.4f "
                   "(they alone: %.4f, %.4f)\n",
                   job->choice.accuracy, job->choice.macro_f1, job->choice.hand_accuracy,
                   job->choice.hand_macro_f1);
}

static int write_pack(const struct job *job, struct err *err)
{
    struct buf remarks = {0}, pack = {0};
    struct learner_scale scale = job->options->scale;
    if (job->scale != NULL && !job->options->points_given)
        scale.points = job->choice.points;
    write_remarks(job, &remarks);
    if (buf_ok(&remarks))
        learner_write(job->learner, &scale, buf_view(&remarks), &pack);
    int done = buf_ok(&remarks) && buf_ok(&pack)
                   ? file_replace(job->options->out, buf_view(&pack), err)
                   : err_set(err, ERR_NOMEM, "out of memory");
    if (done == 0 && printf("%.*s%s: %zu n-grams\n", SPAN_ARG(buf_view(&remarks)),
                            job->options->out, job->result.ngrams) < 0)
        done = err_set(err, ERR_IO, "the answer cannot be written");
    buf_free(&remarks);
    buf_free(&pack);
    return done;
}

/* --- the command --- */

static int learn(struct job *job, struct err *err)
{
    const struct options *o = job->options;
    for (size_t i = 0; i < o->mask_count; i++)
        if (learner_mask(job->learner, span_str(o->masks[i]), err) != 0)
            return -1;
    if (add_source(job, o->data, false, err) != 0 ||
        (o->segmented != NULL && add_source(job, o->segmented, true, err) != 0) ||
        learner_train(job->learner, &o->params, &job->result, err) != 0)
        return -1;
    if (job->scale != NULL)
        learn_scale_choose(job->scale, job->learner, &o->scale, &job->choice);
    return write_pack(job, err);
}

static int status_of(const struct err *err)
{
    bool data = err->code == ERR_SYNTAX || err->code == ERR_INVALID || err->code == ERR_LIMIT;
    return data ? COMMAND_CONFIG : COMMAND_UNAVAILABLE;
}

static int run(const struct options *options)
{
    struct err err = {0};
    struct job job = {.options = options, .learner = learner_new()};
    int status = COMMAND_OK;
    if (job.learner == NULL) {
        err_set(&err, ERR_NOMEM, "out of memory");
        return command_fail("learn", COMMAND_UNAVAILABLE, &err);
    }
    if (options->rules != NULL &&
        (job.scale = learn_scale_load(command_rules_dir(options->rules), &err)) == NULL)
        status = command_fail("learn", COMMAND_CONFIG, &err);
    else if (learn(&job, &err) != 0)
        status = command_fail("learn", status_of(&err), &err);
    learn_scale_free(&job.scale);
    learner_free(&job.learner);
    return status;
}

/* --- the command line --- */

static int whole(const char *text, uint64_t min, uint64_t max, size_t *out)
{
    uint64_t n;
    if (span_to_u64(span_str(text), max, &n) != 0 || n < min)
        return -1;
    *out = (size_t)n;
    return 0;
}

static int positive(const char *text, double *out)
{
    return span_to_double(span_str(text), out) == 0 && *out > 0 && *out <= 1e6 ? 0 : -1;
}

/* Takes one option with a value. 0, or the exit status. */
static int take(struct options *o, int option, const char *value)
{
    size_t number = 0;
    switch (option) {
    case 'd':
        o->data = value;
        return 0;
    case 's':
        o->segmented = value;
        return 0;
    case 'o':
        o->out = value;
        return 0;
    case 'r':
        o->rules = value;
        return 0;
    case 'm':
        if (o->mask_count == MAX_MASKS)
            return command_usage("learn", "--mask is given more than %d times", MAX_MASKS);
        o->masks[o->mask_count++] = value;
        return 0;
    case 'n':
        if (whole(value, 1, LIMIT_LEARNED_NGRAMS, &o->params.max_ngrams) != 0)
            return command_usage("learn", "--max-ngrams must be a number from 1 to %d",
                                 LIMIT_LEARNED_NGRAMS);
        return 0;
    case 'i':
        if (whole(value, 1, 1000000, &o->params.min_documents) != 0)
            return command_usage("learn", "--min-documents must be a number from 1 to 1000000");
        return 0;
    case 'w':
        if (whole(value, 0, 999, &number) != 0)
            return command_usage("learn", "--min-weight must be a number from 0 to 999");
        o->params.min_weight = (double)number / 1000;
        return 0;
    case 'e':
        if (whole(value, 0, 10000, &number) != 0)
            return command_usage("learn", "--head must be a number from 0 to 10000");
        o->params.head = (unsigned)number;
        return 0;
    case 'f':
        if (whole(value, 2, 20, &o->params.folds) != 0)
            return command_usage("learn", "--folds must be a number from 2 to 20");
        return 0;
    case 'c':
        if (positive(value, &o->params.cost) != 0)
            return command_usage("learn", "--cost must be a number above 0");
        return 0;
    case 'p':
        o->points_given = true;
        if (positive(value, &o->scale.points) != 0)
            return command_usage("learn", "--points must be a number above 0");
        return 0;
    default:
        return command_usage("learn", "that option is not understood");
    }
}

int command_learn(int argc, char **argv)
{
    static const struct option known[] = {{"data", required_argument, NULL, 'd'},
                                          {"segmented", required_argument, NULL, 's'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"rules", required_argument, NULL, 'r'},
                                          {"max-ngrams", required_argument, NULL, 'n'},
                                          {"min-documents", required_argument, NULL, 'i'},
                                          {"min-weight", required_argument, NULL, 'w'},
                                          {"mask", required_argument, NULL, 'm'},
                                          {"head", required_argument, NULL, 'e'},
                                          {"cost", required_argument, NULL, 'c'},
                                          {"folds", required_argument, NULL, 'f'},
                                          {"points", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.params = {.max_ngrams = LIMIT_LEARNED_NGRAMS,
                                         .min_documents = 5,
                                         .folds = 5,
                                         .head = 27,
                                         .cost = 1,
                                         .smoothing = 1},
                              .scale = {.points = 36, .lift = 30, .floor = -0.8, .few = 60}};
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? COMMAND_UNAVAILABLE : COMMAND_OK;
        int status = take(&options, c, optarg);
        if (status != 0)
            return status;
    }
    if (optind < argc)
        return command_usage("learn", "“%s” is one argument too many", argv[optind]);
    if (options.data == NULL || options.out == NULL)
        return command_usage("learn", "%s is missing",
                             options.data == NULL ? "--data FILE.tsv" : "--out FILE");
    return run(&options);
}
