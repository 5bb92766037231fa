/*
 * `jiesu rules diff`: what a change of the rules changes: every verdict on a file of texts that
 * differs between two rule sets, with the evidence of both.
 *
 * Texts of residents are shown only where they are evidence; a row is named by its id.
 */
#include "engine/api/complaint_json.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/rows.h"
#include "engine/cli/rules.h"
#include "engine/cli/show.h"
#include "engine/http/json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOVES_MAX = 4096 };

enum aspect { ASPECT_PATH, ASPECT_URGENCY, ASPECT_KIND, ASPECT_TAGS, ASPECT_REVIEW, ASPECTS };
static const char *const aspect_names[ASPECTS] = {"category", "urgency", "kind", "tags", "review"};

/* One side of the comparison. */
struct side {
    struct rules *rules;
    struct rules_scratch *scratch;
    struct verdict verdict;
};

/* From one path to another, and how often. */
struct move {
    char *from, *to; /* owned */
    size_t count, labelled, right_before, right_after;
};

struct differ {
    const struct rules_call *call;
    struct side sides[2]; /* old, new */
    struct buf out;
    struct json_writer json;
    size_t rows, changed, by_aspect[ASPECTS];
    size_t labelled, right[2]; /* rows with a label; right in the old and in the new */
    struct move *moves;
    size_t move_count;
};

static bool same_tags(const struct verdict *a, const struct verdict *b)
{
    if (a->tag_count != b->tag_count)
        return false;
    for (size_t i = 0; i < a->tag_count; i++) {
        bool found = false;
        for (size_t k = 0; k < b->tag_count; k++)
            found |= span_eq(a->tags[i], b->tags[k]);
        if (!found)
            return false;
    }
    return true;
}

/* Which aspects differ; the number of them. */
static size_t compare(const struct verdict *a, const struct verdict *b, bool differs[ASPECTS])
{
    size_t count = 0;
    differs[ASPECT_PATH] = !span_eq(a->category.path, b->category.path);
    differs[ASPECT_URGENCY] = a->urgency != b->urgency;
    differs[ASPECT_KIND] = a->kind != b->kind;
    differs[ASPECT_TAGS] = !same_tags(a, b);
    differs[ASPECT_REVIEW] = a->review != b->review || !span_eq(a->review_reason, b->review_reason);
    for (size_t i = 0; i < ASPECTS; i++)
        count += differs[i];
    return count;
}

static struct span first_of(struct span path)
{
    return span_cut(&path, '/');
}

/* Counts a change of path. 0, or -1 when memory is short. */
static int count_move(struct differ *d, struct span from, struct span to, struct span label)
{
    struct move *move = NULL;
    for (size_t i = 0; i < d->move_count && move == NULL; i++)
        if (span_eq(span_str(d->moves[i].from), from) && span_eq(span_str(d->moves[i].to), to))
            move = &d->moves[i];
    if (move == NULL && d->move_count == MOVES_MAX)
        return 0; /* so many different ones are not read by anybody */
    if (move == NULL) {
        move = &d->moves[d->move_count];
        *move = (struct move){.from = mem_strndup(from.ptr == NULL ? "" : from.ptr, from.len),
                              .to = mem_strndup(to.ptr == NULL ? "" : to.ptr, to.len)};
        d->move_count++;
        if (move->from == NULL || move->to == NULL)
            return -1;
    }
    move->count++;
    move->labelled += label.len != 0;
    move->right_before += label.len != 0 && span_eq(first_of(from), label);
    move->right_after += label.len != 0 && span_eq(first_of(to), label);
    return 0;
}

/* --- showing --- */

static void write_side(struct differ *d, const char *name, const struct verdict *v)
{
    struct buf *out = &d->out;
    buf_printf(out, "   %-4s ", name);
    show_verdict(out, v);
    buf_printf(out, "; score %g, margin %.2f\n", v->score, v->margin);
    for (size_t i = 0; i < v->evidence_count; i++) {
        buf_str(out, "        ");
        show_evidence(out, &v->evidence[i], d->call->colour);
        buf_char(out, '\n');
    }
}

static void write_json_row(struct differ *d, const struct row *row, const bool differs[ASPECTS])
{
    struct json_writer *w = &d->json;
    struct buf verdict = {0};
    json_open_object(w);
    json_member_string(w, "id", row->id);
    json_member_i64(w, "line", (int64_t)row->line);
    if (row->label.len != 0)
        json_member_string(w, "label", row->label);
    json_key(w, "differs");
    json_open_array(w);
    for (size_t i = 0; i < ASPECTS; i++)
        if (differs[i])
            json_write_str(w, aspect_names[i]);
    json_close_array(w);
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&verdict);
        verdict_encode(&d->sides[i].verdict, &verdict);
        json_key(w, i == 0 ? "old" : "new");
        if (buf_ok(&verdict))
            json_write_raw(w, buf_view(&verdict));
        else
            json_write_null(w);
    }
    json_close_object(w);
    buf_free(&verdict);
}

static int most_first(const void *a, const void *b)
{
    const struct move *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    int from = strcmp(left->from, right->from);
    return from != 0 ? from : strcmp(left->to, right->to);
}

static const char *path_or_none(const char *path)
{
    return path[0] == '\0' ? "(no category)" : path;
}

static void write_sum(struct differ *d)
{
    struct buf *out = &d->out;
    buf_printf(out, "%zu of ", d->changed);
    tools_counted(out, d->rows, "verdict");
    buf_str(out, " would change:");
    for (size_t i = 0; i < ASPECTS; i++)
        buf_printf(out, "%s %s %zu", i == 0 ? "" : ",", aspect_names[i], d->by_aspect[i]);
    buf_char(out, '\n');
    if (d->labelled > 0)
        buf_printf(out, "of %zu rows with a label, right: %zu before, %zu after\n", d->labelled,
                   d->right[0], d->right[1]);
    if (d->move_count > 1)
        qsort(d->moves, d->move_count, sizeof *d->moves, most_first);
    for (size_t i = 0; i < d->move_count; i++) {
        const struct move *m = &d->moves[i];
        buf_printf(out, "%7zu  %s -> %s", m->count, path_or_none(m->from), path_or_none(m->to));
        if (m->labelled > 0)
            buf_printf(out, "  (right: %zu before, %zu after)", m->right_before, m->right_after);
        buf_char(out, '\n');
    }
}

static void write_json_sum(struct differ *d)
{
    struct json_writer *w = &d->json;
    json_close_array(w);
    json_member_i64(w, "rows", (int64_t)d->rows);
    json_member_i64(w, "changed", (int64_t)d->changed);
    for (size_t i = 0; i < ASPECTS; i++)
        json_member_i64(w, aspect_names[i], (int64_t)d->by_aspect[i]);
    if (d->labelled > 0) {
        json_member_i64(w, "labelled", (int64_t)d->labelled);
        json_member_i64(w, "right_before", (int64_t)d->right[0]);
        json_member_i64(w, "right_after", (int64_t)d->right[1]);
    }
    json_member_string(w, "old", rules_id(d->sides[0].rules));
    json_member_string(w, "new", rules_id(d->sides[1].rules));
    json_close_object(w);
    buf_char(&d->out, '\n');
}

/* --- the command --- */

static int count_row(struct differ *d, const struct row *row, struct err *err)
{
    bool differs[ASPECTS];
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &d->sides[i];
        if (classify(side->rules, side->scratch, row->title, row->text, &side->verdict, err) != 0)
            return -1;
    }
    const struct verdict *before = &d->sides[0].verdict, *after = &d->sides[1].verdict;
    d->rows++;
    if (row->label.len != 0) {
        d->labelled++;
        d->right[0] += span_eq(first_of(before->category.path), row->label);
        d->right[1] += span_eq(first_of(after->category.path), row->label);
    }
    if (compare(before, after, differs) == 0)
        return 0;
    d->changed++;
    for (size_t i = 0; i < ASPECTS; i++)
        d->by_aspect[i] += differs[i];
    if (differs[ASPECT_PATH] &&
        count_move(d, before->category.path, after->category.path, row->label) != 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (d->call->json) {
        write_json_row(d, row, differs);
    } else {
        buf_printf(&d->out, "%.*s (line %zu)", SPAN_ARG(row->id), row->line);
        if (row->label.len != 0)
            buf_printf(&d->out, " %.*s", SPAN_ARG(row->label));
        buf_char(&d->out, '\n');
        write_side(d, "old", before);
        write_side(d, "new", after);
    }
    return 0;
}

static int read_rows(struct differ *d, struct rows *rows, struct err *err)
{
    struct row row;
    int next;
    while ((next = rows_next(rows, &row, err)) == 1) {
        if (count_row(d, &row, err) == 0)
            continue;
        if (err->code == ERR_NOMEM)
            return -1;
        rows_refuse(rows, &row, err);
    }
    return next;
}

static int compare_all(struct differ *d)
{
    struct err err = {0};
    struct rows *rows = rows_open(d->call->command, d->call->data, false, &err);
    d->moves = mem_zalloc(MOVES_MAX, sizeof *d->moves);
    if (rows != NULL && d->moves == NULL)
        err_set(&err, ERR_NOMEM, "out of memory");
    d->json = json_writer(&d->out);
    if (d->call->json) {
        json_open_object(&d->json);
        json_key(&d->json, "verdicts");
        json_open_array(&d->json);
    }
    int status = COMMAND_UNAVAILABLE;
    if (rows == NULL || d->moves == NULL || read_rows(d, rows, &err) != 0) {
        command_fail(d->call->command, status, &err);
    } else {
        if (d->call->json)
            write_json_sum(d);
        else
            write_sum(d);
        bool clean = d->changed == 0 && rows_bad(rows) == 0;
        status = tools_finish(d->call->command, &d->out, clean ? COMMAND_OK : COMMAND_FINDING);
    }
    rows_free(&rows);
    return status;
}

static int run(const struct rules_call *call)
{
    struct differ d = {.call = call};
    if (call->data == NULL)
        return command_usage(call->command, "--data FILE.tsv is missing");
    int status = 0;
    for (size_t i = 0; status == 0 && i < 2; i++)
        status = tools_open(call, call->rest[i], &d.sides[i].rules, &d.sides[i].scratch);
    if (status == 0)
        status = compare_all(&d);
    for (size_t i = 0; i < d.move_count; i++) {
        mem_free(d.moves[i].from);
        mem_free(d.moves[i].to);
    }
    mem_free(d.moves);
    buf_free(&d.out);
    for (size_t i = 0; i < 2; i++)
        tools_close(&d.sides[i].rules, &d.sides[i].scratch);
    return status;
}

const struct rules_command rules_command_diff = {
    .name = "diff",
    .what = "every verdict that another rule set would change",
    .help =
        "jiesu rules diff OLD NEW --data FILE.tsv [--json]\n"
        "\n"
        "Classifies the texts of FILE.tsv with the rule sets in the folders OLD and NEW, and\n"
        "shows each text whose category, urgency, kind, tags or review would change, with the\n"
        "evidence of both, and then the sums. FILE.tsv has a header line with the columns id,\n"
        "title and body; with a column label, it is counted how many get better or worse.\n"
        "\n"
        "  --data FILE  the texts (- for standard input)\n"
        "  --color WHEN always, never or auto (on a terminal)\n" RULES_HELP_PARTS RULES_HELP_TAIL
        "Exit status: 0 nothing changes, 1 something does, or rows were skipped, 64 usage, 69\n"
        "the data cannot be read, 78 a rule set is wrong.\n",
    .flags = "djcLH",
    .rest_min = 2,
    .rest_max = 2,
    .rest_name = "a folder, OLD or NEW,",
    .run = run,
};
