/*
 * `jiesu rules suggest`: keywords that would repair the mistakes that the rules make on labelled
 * texts, as lines that can be put into a category file.
 */
#include "classifiers/explain.h"
#include "classifiers/text.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "engine/cli/commands.h"
#include "engine/cli/rows.h"
#include "engine/cli/rules.h"
#include "engine/cli/suggest.h"
#include "engine/http/json_writer.h"

#include <math.h>
#include <stdio.h>

enum { TOP_USUAL = 20, WORD_BYTES = SUGGEST_UNITS_MAX * 4 };

struct suggester {
    const struct rules_call *call;
    struct rules *rules;
    struct rules_scratch *scratch;
    struct span labels[SUGGEST_LABELS]; /* first-level categories, in file order */
    size_t label_count;
    struct suggest *suggest;
    size_t rows;
};

static void add_label(void *ctx, struct span path, struct span sla)
{
    struct suggester *s = ctx;
    (void)sla;
    if (span_find_char(path, '/') < 0 && s->label_count < SUGGEST_LABELS)
        s->labels[s->label_count++] = path;
}

static int label_of(const struct suggester *s, struct span path)
{
    struct span first = span_cut(&path, '/');
    for (size_t i = 0; i < s->label_count; i++)
        if (span_eq(s->labels[i], first))
            return (int)i;
    return -1;
}

struct scores {
    const struct suggester *s;
    int by_label[SUGGEST_LABELS]; /* in hundredths */
};

static void take_score(void *ctx, const struct explain_score *score)
{
    struct scores *scores = ctx;
    int label = label_of(scores->s, score->category);
    if (label >= 0)
        scores->by_label[label] = (int)lrint(score->score * SUGGEST_POINT);
}

static int take_row(struct suggester *s, const struct row *row, struct err *err)
{
    struct verdict v;
    struct scores scores = {.s = s};
    int right = label_of(s, row->label);
    if (right < 0)
        return err_set(err, ERR_INVALID, "its label is not a first-level category of the rules");
    if (classify(s->rules, s->scratch, row->title, row->text, &v, err) != 0)
        return -1;
    explain_scores(s->rules, s->scratch, take_score, &scores);
    const struct text *text = rules_scratch_text(s->scratch);
    s->rows++;
    return suggest_add(s->suggest, text->units, text->count, scores.by_label, (size_t)right, err);
}

static int read_rows(struct suggester *s, struct rows *rows, struct err *err)
{
    struct row row;
    int next;
    while ((next = rows_next(rows, &row, err)) == 1) {
        if (take_row(s, &row, err) == 0)
            continue;
        if (err->code == ERR_NOMEM || err->code == ERR_LIMIT)
            return -1;
        rows_refuse(rows, &row, err);
    }
    return next;
}

/* --- the answer --- */

static struct span word_of(const struct suggestion *s, char bytes[WORD_BYTES])
{
    size_t length = 0;
    for (size_t i = 0; i < s->count && length + 4 <= WORD_BYTES; i++)
        length += utf8_encode(s->units[i], bytes + length);
    return span_of(bytes, length);
}

static void write_line(struct buf *out, const struct suggestion *found)
{
    char bytes[WORD_BYTES];
    struct span word = word_of(found, bytes);
    buf_printf(out, "        - %.*s  # repairs %zu, breaks %zu\n", SPAN_ARG(word), found->repaired,
               found->broken);
}

/* One rule for each category, its words below their weights. */
static void write_yaml(const struct suggester *s, struct buf *out, const struct suggestion *found,
                       size_t count)
{
    for (size_t label = 0; label < s->label_count; label++) {
        bool begun = false;
        for (int weight = 20; weight > 0; weight--) {
            bool listed = false;
            for (size_t i = 0; i < count; i++) {
                if (found[i].label != label || found[i].weight != weight)
                    continue;
                if (!begun)
                    buf_printf(out, "# %.*s\n  - keywords:\n", SPAN_ARG(s->labels[label]));
                if (!listed)
                    buf_printf(out, "      %d:\n", weight);
                begun = listed = true;
                write_line(out, &found[i]);
            }
        }
    }
}

static void write_json(const struct suggester *s, struct buf *out, const struct suggestion *found,
                       size_t count, size_t wrong, size_t left)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_i64(&w, "rows", (int64_t)s->rows);
    json_member_i64(&w, "wrong_before", (int64_t)wrong);
    json_member_i64(&w, "wrong_after", (int64_t)left);
    json_key(&w, "keywords");
    json_open_array(&w);
    for (size_t i = 0; i < count; i++) {
        char bytes[WORD_BYTES];
        json_open_object(&w);
        json_member_string(&w, "category", s->labels[found[i].label]);
        json_member_string(&w, "keyword", word_of(&found[i], bytes));
        json_member_i64(&w, "weight", found[i].weight);
        json_member_i64(&w, "repaired", (int64_t)found[i].repaired);
        json_member_i64(&w, "broken", (int64_t)found[i].broken);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    buf_char(out, '\n');
}

static int answer(struct suggester *s, struct buf *out, struct err *err)
{
    const size_t top = s->call->top == 0 ? TOP_USUAL : (size_t)s->call->top;
    struct suggestion *found = mem_zalloc(top, sizeof *found);
    size_t count = 0, wrong = suggest_wrong(s->suggest);
    if (found == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    int done = suggest_find(s->suggest, top, (int)s->call->weight, found, &count, err);
    size_t left = suggest_wrong(s->suggest);
    if (done == 0 && s->call->json) {
        write_json(s, out, found, count, wrong, left);
    } else if (done == 0) {
        tools_counted(out, s->rows, "row");
        buf_printf(out, ", %zu wrong; with these keywords %zu\n", wrong, left);
        if (count > 0)
            buf_str(out, "# Below rules: of the category's file. Where it has a rule without a "
                         "path, put the words\n# into that one. Try them with jiesu rules test "
                         "and jiesu eval on other texts.\n");
        write_yaml(s, out, found, count);
    }
    mem_free(found);
    return done;
}

static int run_with(struct suggester *s)
{
    struct err err = {0};
    struct buf out = {0};
    struct rows *rows = NULL;
    int status = COMMAND_UNAVAILABLE;
    rules_each_category(s->rules, add_label, s);
    s->suggest = suggest_new(s->label_count, &err);
    if (s->suggest != NULL)
        rows = rows_open(s->call->command, s->call->rest[0], true, &err);
    if (rows == NULL || read_rows(s, rows, &err) != 0 || answer(s, &out, &err) != 0)
        command_fail(s->call->command, status, &err);
    else
        status = tools_finish(s->call->command, &out,
                              rows_bad(rows) == 0 ? COMMAND_OK : COMMAND_FINDING);
    buf_free(&out);
    rows_free(&rows);
    suggest_free(&s->suggest);
    return status;
}

static int run(const struct rules_call *call)
{
    struct suggester s = {.call = call};
    int status = tools_open(call, call->rules, &s.rules, &s.scratch);
    if (status == 0)
        status = run_with(&s);
    tools_close(&s.rules, &s.scratch);
    return status;
}

const struct rules_command rules_command_suggest = {
    .name = "suggest",
    .what = "keywords that would repair mistakes on labelled texts",
    .help =
        "jiesu rules suggest FILE.tsv [--rules DIR] [--top N] [--weight W] [--json]\n"
        "\n"
        "Classifies labelled texts and looks for keywords that would put wrong ones right. Each "
        "is\n"
        "measured on all rows: how many it repairs and how many it breaks, given those above it.\n"
        "What is printed can be put into a category file. FILE.tsv has a header line with the\n"
        "columns id, label, title and body; label is a first-level category.\n"
        "\n" RULES_HELP_RULES "  --top N      at most N keywords (20)\n"
        "  --weight W   the weight to try, 1 to 20 (of 2, 4, 6 and 8 the best)\n" RULES_HELP_PARTS
            RULES_HELP_TAIL
        "Exit status: 0 good, 1 rows were skipped (each is named with its line), 64 usage, 69 the\n"
        "data cannot be read, 78 the rule set is wrong.\n",
    .flags = "rnwjLH",
    .rest_min = 1,
    .rest_max = 1,
    .rest_name = "FILE.tsv",
    .run = run,
};
