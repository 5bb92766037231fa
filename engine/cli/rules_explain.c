/*
 * `jiesu rules explain`: one text, and everything that was found in it: where, for what, with how
 * many points, and why not the next category.
 */
#include "classifiers/lint.h"
#include "engine/api/complaint_json.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/found.h"
#include "engine/cli/rules.h"
#include "engine/cli/show.h"
#include "engine/http/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LEVEL_INDENT = 2,
    CATEGORIES_SHOWN = 4,
    LEARNED_SHOWN = 5, /* n-grams of one category */
    LACKING_SHOWN = 8, /* words that a category would have counted */
    ARENA_BYTES = 65536
};
static const double LEARNED_LEAST = 0.05; /* points of an n-gram that is shown by itself */

struct explainer {
    const struct rules_call *call;
    struct span title, text;
    struct verdict verdict;
    struct found found; /* with the learned matches of the winner */
    struct found rival; /* with those of the runner-up */
    struct evidence *marks;
    size_t mark_count;
    struct buf out;
};

static struct span first_of(struct span path)
{
    return span_cut(&path, '/');
}

static size_t level_of(struct span path)
{
    size_t level = 0;
    while (span_find_char(path, '/') >= 0) {
        (void)span_cut(&path, '/');
        level++;
    }
    return level;
}

static struct span last_of(struct span path)
{
    struct span name = path;
    while (path.ptr != NULL)
        name = span_cut(&path, '/');
    return name;
}

/* --- the parts of the answer --- */

static void write_texts(struct explainer *e)
{
    for (int title = 1; title >= 0; title--) {
        struct span s = title ? e->title : e->text;
        if (s.len == 0)
            continue;
        buf_printf(&e->out, "%-9s ", title ? "title" : "text");
        if (e->call->colour)
            show_coloured(&e->out, e->marks, e->mark_count, title == 1, s);
        else
            show_plain(&e->out, s);
        buf_char(&e->out, '\n');
    }
}

static struct evidence evidence_of(const struct explain_match *m)
{
    return (struct evidence){.what = m->what,
                             .target = m->target,
                             .rule = m->rule,
                             .pattern = m->pattern,
                             .weight = m->state == EXPLAIN_COUNTS ? m->weight : 0,
                             .place = m->place};
}

static void write_match(struct explainer *e, const struct explain_match *m)
{
    struct evidence evidence = evidence_of(m);
    buf_str(&e->out, "            ");
    show_evidence(&e->out, &evidence, e->call->colour);
    if (m->state == EXPLAIN_NEGATED)
        buf_str(&e->out, ": words beside it negate it");
    if (m->state == EXPLAIN_SET_ASIDE)
        buf_str(&e->out, ": the unless of its rule holds");
    buf_char(&e->out, '\n');
}

/* The hand-written matches for one thing (a category stands for all below its first level): those
 * that count, then those that were set aside. How many count. */
static size_t write_matches(struct explainer *e, enum evidence_for what, struct span first)
{
    size_t count = 0;
    for (int aside = 0; aside < 2; aside++) {
        for (size_t i = 0; i < e->found.match_count; i++) {
            const struct explain_match *m = &e->found.matches[i];
            if (m->what != what || m->learned || (m->state != EXPLAIN_COUNTS) != (aside == 1) ||
                (first.len != 0 && !span_eq(first_of(m->target), first)))
                continue;
            write_match(e, m);
            count += aside == 0;
        }
    }
    return count;
}

static int strongest_first(const void *a, const void *b)
{
    const struct explain_match *left = a, *right = b;
    if (left->learned != right->learned)
        return left->learned ? -1 : 1;
    double by = fabs(right->weight) - fabs(left->weight);
    return by > 0 ? 1 : by < 0 ? -1 : 0;
}

/* The learned n-grams of a category: the strongest, and the sum of the others. */
static void write_learned(struct explainer *e, struct found *found)
{
    size_t count = 0, others = 0;
    double rest = 0;
    if (found->match_count > 1)
        qsort(found->matches, found->match_count, sizeof *found->matches, strongest_first);
    while (count < found->match_count && found->matches[count].learned)
        count++;
    for (size_t i = 0; i < count; i++) {
        const struct explain_match *m = &found->matches[i];
        if (i >= LEARNED_SHOWN || fabs(m->weight) < LEARNED_LEAST) {
            rest += m->weight;
            others++;
            continue;
        }
        buf_printf(&e->out, "            %+.2f “", m->weight);
        show_plain(&e->out, m->place.bytes);
        buf_printf(&e->out, "” learned, %.*s:%d\n", SPAN_ARG(m->rule), m->line);
    }
    if (others > 0)
        buf_printf(&e->out, "            %+.2f learned, from %zu weaker n-grams\n", rest, others);
}

/* The first levels with the most points, each with the paths below it. */
static void write_scores(struct explainer *e)
{
    const struct found *f = &e->found;
    buf_str(&e->out, "\n   points   by hand   learned  category\n");
    for (size_t i = 0, shown = 0; i < f->category_count && shown < CATEGORIES_SHOWN; i++) {
        struct span first = f->categories[i].path;
        if (level_of(first) != 0)
            continue;
        shown++;
        for (size_t k = 0; k < f->category_count; k++) {
            const struct found_category *c = &f->categories[k];
            if (!span_eq(first_of(c->path), first))
                continue;
            struct span name = last_of(c->path);
            buf_printf(&e->out, "%9.2f %9.2f %9.2f  %*s%.*s\n", c->score, c->hand, c->learned,
                       (int)level_of(c->path) * LEVEL_INDENT, "", SPAN_ARG(name));
        }
    }
}

static void write_category(struct explainer *e)
{
    const struct verdict *v = &e->verdict;
    struct span path = show_path(v);
    buf_printf(&e->out, "\ncategory  %.*s\n", SPAN_ARG(path));
    if (v->category.path.len == 0) {
        buf_str(&e->out, "            nothing in the text speaks for any category\n");
        return;
    }
    buf_printf(&e->out, "            %g points, ahead of the next by %.0f %% of them\n", v->score,
               v->margin * 100);
    write_matches(e, EVIDENCE_CATEGORY, first_of(path));
    write_learned(e, &e->found);
}

/* --- what the runner-up lacks --- */

/* Words of a path that the text does not have. */
struct lacking {
    const struct explainer *e;
    struct span path;
    struct lint_word list[LACKING_SHOWN]; /* the most points first */
    size_t count;
};

static bool is_found(const struct explainer *e, const struct lint_word *word)
{
    for (size_t i = 0; i < e->found.match_count; i++) {
        const struct explain_match *m = &e->found.matches[i];
        if (m->line == word->line && m->column == word->column && span_eq(m->rule, word->rule))
            return true;
    }
    return false;
}

static int take_word(void *ctx, const struct lint_word *word)
{
    struct lacking *l = ctx;
    if (word->what != EVIDENCE_CATEGORY || word->weight < 0 || word->pattern.len == 0 ||
        !span_eq(word->name, l->path) || is_found(l->e, word))
        return 0;
    size_t at = l->count < LACKING_SHOWN ? l->count++ : LACKING_SHOWN;
    for (; at > 0 && l->list[at - 1].weight < word->weight; at--)
        if (at < LACKING_SHOWN)
            l->list[at] = l->list[at - 1];
    if (at < LACKING_SHOWN)
        l->list[at] = *word;
    return 0;
}

/* The rule set has just compiled; where its files have changed since, this is left out. */
static void write_lacking(struct explainer *e, struct span path)
{
    struct rules_files files;
    struct lacking l = {.e = e, .path = path};
    struct arena *arena = arena_new(ARENA_BYTES);
    if (rules_files_read(&files, command_rules_dir(e->call->rules), NULL) == 0 && arena != NULL &&
        lint_each_word(&files, arena, take_word, &l, NULL) == 0 && l.count > 0) {
        buf_str(&e->out, "            it would have counted:");
        for (size_t i = 0; i < l.count; i++)
            buf_printf(&e->out, "%s %.*s %+d", i == 0 ? "" : ",", SPAN_ARG(l.list[i].pattern),
                       l.list[i].weight);
        buf_char(&e->out, '\n');
    }
    arena_free(&arena);
    rules_files_free(&files);
}

/* Why not the runner-up: what it has, and how much it lacks. */
static void write_runner_up(struct explainer *e)
{
    const struct verdict *v = &e->verdict;
    if (v->secondary_count == 0)
        return;
    const struct verdict_category *second = &v->secondary[0];
    buf_printf(&e->out, "\nnot       %.*s\n", SPAN_ARG(second->path));
    buf_printf(&e->out, "            it has %g points and lacks %g\n", second->score,
               v->score - second->score);
    write_matches(e, EVIDENCE_CATEGORY, first_of(second->path));
    write_learned(e, &e->rival);
    write_lacking(e, second->path);
}

static void write_urgency(struct explainer *e)
{
    const char *level = urgency_name(e->verdict.urgency);
    buf_printf(&e->out, "\nurgency   %s\n", level);
    if (write_matches(e, EVIDENCE_URGENCY, SPAN("")) == 0)
        buf_printf(&e->out, "            no rule of urgency.yaml decided, so it is the default\n");
}

static void write_kind(struct explainer *e)
{
    buf_printf(&e->out, "\nkind      %s\n", kind_name(e->verdict.kind));
    if (write_matches(e, EVIDENCE_KIND, SPAN("")) == 0)
        buf_str(&e->out, "            no rule of kinds.yaml decided, so it is the default\n");
}

static void write_tags(struct explainer *e)
{
    const struct verdict *v = &e->verdict;
    buf_str(&e->out, "\ntags      ");
    for (size_t i = 0; i < v->tag_count; i++)
        buf_printf(&e->out, "%s%.*s", i == 0 ? "" : ", ", SPAN_ARG(v->tags[i]));
    buf_str(&e->out, v->tag_count == 0 ? "none\n" : "\n");
    write_matches(e, EVIDENCE_TAG, SPAN(""));
}

static const struct {
    const char *reason, *meaning;
} reasons[] = {
    {"negated_emergency", "words of an emergency are there, but something sets them aside"},
    {"no_match", "nothing speaks for any category"},
    {"contradictory", "the rules and the learned weights each name another category firmly"},
    {"low_score", "the first category has too few points"},
    {"low_margin", "the first two categories are too close"},
    {"regex_limited", "a regex took too long and was stopped"},
};

static void write_review(struct explainer *e)
{
    const struct verdict *v = &e->verdict;
    if (!v->review) {
        buf_str(&e->out, "\nreview    no\n");
        return;
    }
    buf_printf(&e->out, "\nreview    yes: %.*s\n", SPAN_ARG(v->review_reason));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (span_eq(span_str(reasons[i].reason), v->review_reason))
            buf_printf(&e->out, "            %s\n", reasons[i].meaning);
}

static void write_order(struct explainer *e)
{
    const struct verdict *v = &e->verdict;
    buf_printf(&e->out, "\norder     sla %.*s%s%.*s\n", SPAN_ARG(v->sla),
               v->department.len == 0 ? "" : ", ", SPAN_ARG(v->department));
}

static void write_json_match(struct json_writer *w, const struct explain_match *m)
{
    static const char *const states[] = {[EXPLAIN_COUNTS] = "counts",
                                         [EXPLAIN_NEGATED] = "negated",
                                         [EXPLAIN_SET_ASIDE] = "set_aside"};
    json_open_object(w);
    json_member_str(w, "for", evidence_for_name(m->what));
    json_member_string(w, "target", m->target);
    json_member_string(w, "rule", m->rule);
    json_member_i64(w, "line", m->line);
    json_member_i64(w, "column", m->column);
    json_member_string(w, "pattern", m->pattern);
    json_member_double(w, "weight", m->weight);
    json_member_str(w, "state", states[m->state]);
    json_member_bool(w, "learned", m->learned);
    json_member_str(w, "in", m->place.in_title ? "title" : "text");
    json_member_i64(w, "offset", (int64_t)m->place.offset);
    json_member_string(w, "words", m->place.bytes);
    json_close_object(w);
}

static void write_json(struct explainer *e)
{
    struct buf verdict = {0};
    struct json_writer w = json_writer(&e->out);
    json_open_object(&w);
    verdict_encode(&e->verdict, &verdict);
    json_key(&w, "verdict");
    if (buf_ok(&verdict))
        json_write_raw(&w, buf_view(&verdict));
    else
        json_write_null(&w);
    buf_free(&verdict);
    json_key(&w, "categories");
    json_open_array(&w);
    for (size_t i = 0; i < e->found.category_count; i++) {
        const struct found_category *c = &e->found.categories[i];
        json_open_object(&w);
        json_member_string(&w, "category", c->path);
        json_member_double(&w, "score", c->score);
        json_member_double(&w, "hand", c->hand);
        json_member_double(&w, "learned", c->learned);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_key(&w, "matches");
    json_open_array(&w);
    for (size_t i = 0; i < e->found.match_count; i++)
        write_json_match(&w, &e->found.matches[i]);
    json_close_array(&w);
    json_close_object(&w);
    buf_char(&e->out, '\n');
}

/* What is coloured: all hand-written matches, and the learned ones that the verdict shows. */
static int mark(struct explainer *e, struct err *err)
{
    e->marks = mem_zalloc(e->found.match_count + e->verdict.evidence_count + 1, sizeof *e->marks);
    if (e->marks == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < e->found.match_count; i++)
        if (!e->found.matches[i].learned)
            e->marks[e->mark_count++] = evidence_of(&e->found.matches[i]);
    for (size_t i = 0; i < e->verdict.evidence_count; i++)
        e->marks[e->mark_count++] = e->verdict.evidence[i];
    return 0;
}

/* Classifies and takes in all that was found. */
static int look(struct explainer *e, const struct rules *rules, struct rules_scratch *scratch,
                struct err *err)
{
    struct verdict *v = &e->verdict;
    if (classify(rules, scratch, e->title, e->text, v, err) != 0)
        return -1;
    struct span second = v->secondary_count == 0 ? SPAN("") : v->secondary[0].path;
    if (found_collect(&e->found, rules, scratch, v->category.path, err) != 0 ||
        found_collect(&e->rival, rules, scratch, second, err) != 0)
        return -1;
    return mark(e, err);
}

static int explain(struct explainer *e, const struct rules *rules, struct rules_scratch *scratch)
{
    struct err err = {0};
    if (look(e, rules, scratch, &err) != 0)
        return command_fail(e->call->command,
                            err.code == ERR_INVALID ? COMMAND_FINDING : COMMAND_UNAVAILABLE, &err);
    if (e->call->json) {
        write_json(e);
    } else {
        write_texts(e);
        write_category(e);
        write_runner_up(e);
        write_scores(e);
        write_urgency(e);
        write_kind(e);
        write_tags(e);
        write_review(e);
        write_order(e);
    }
    return tools_finish(e->call->command, &e->out, COMMAND_OK);
}

static int run(const struct rules_call *call)
{
    struct rules *rules;
    struct rules_scratch *scratch;
    struct explainer e = {
        .call = call, .title = span_str(call->title), .text = span_str(call->rest[0])};
    int status = tools_open(call, call->rules, &rules, &scratch);
    if (status == 0)
        status = explain(&e, rules, scratch);
    buf_free(&e.out);
    found_free(&e.found);
    found_free(&e.rival);
    mem_free(e.marks);
    tools_close(&rules, &scratch);
    return status;
}

const struct rules_command rules_command_explain = {
    .name = "explain",
    .what = "why a text is classified as it is, and why not otherwise",
    .help =
        "jiesu rules explain TEXT [--title TITLE] [--rules DIR] [--color WHEN] [--json]\n"
        "\n"
        "Classifies one text and shows everything that was found in it: what speaks for its\n"
        "category and for the next one, what each category scored by hand-written and by learned\n"
        "weights, what decided its urgency, kind and tags, and what was set aside.\n"
        "\n"
        "  --title T    the title\n" RULES_HELP_RULES
        "  --color WHEN always, never or auto (on a terminal)\n" RULES_HELP_PARTS RULES_HELP_TAIL
        "Exit status: 0 good, 1 the text is not valid UTF-8, 64 usage, 78 the rule set is wrong.\n",
    .flags = "rtcjLH",
    .rest_min = 1,
    .rest_max = 1,
    .rest_name = "the text",
    .run = run,
};
