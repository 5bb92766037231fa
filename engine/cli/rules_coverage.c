/*
 * `jiesu rules coverage`: what of a rule set is used by a file of texts, and which texts nothing
 * matches. Texts are named by their ids only.
 */
#include "classifiers/lint.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/cli/commands.h"
#include "engine/cli/found.h"
#include "engine/cli/rows.h"
#include "engine/cli/rules.h"
#include "engine/http/json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOW_USUAL = 20, ARENA_BYTES = 65536, ROOM_FIRST = 1024 };

/* A word or regex of a rule. */
struct word {
    struct lint_word is;
    size_t hits, set_aside;
    uint64_t key;
};

/* A rule: its words stand together. */
struct rule {
    size_t first, count; /* in words */
    size_t hits;         /* texts in which some word of it was found */
    size_t last;         /* 1 + the text that counted last */
};

struct coverage {
    const struct rules_call *call;
    struct rules *rules;
    struct rules_scratch *scratch;
    struct arena *arena;
    struct word *words;
    size_t word_count, word_capacity;
    struct rule *rule_list;
    size_t rule_count, rule_capacity;
    uint32_t *table; /* 1 + an index in words; 0: free. A power of two. */
    size_t table_room;
    uint32_t *rule_of; /* by word */
    size_t texts;
    struct span *silent; /* ids of the texts without a category */
    size_t silent_count, silent_capacity;
    struct found found;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while counting");
}

/* Room for one more; the list as it was, and *capacity too, when memory is short. */
static void *grow(void *list, size_t *capacity, size_t count, size_t size)
{
    void *grown = mem_grow(list, capacity, count, ROOM_FIRST, size);
    return grown == NULL ? list : grown;
}

/* A pattern is known by its place. */
static uint64_t key_of(struct span file, int line, int column)
{
    return hash64(file, (uint64_t)line << 32 | (uint64_t)column);
}

/* "file" of "file:line". */
static struct span file_of(struct span rule)
{
    while (rule.len > 0 && rule.ptr[rule.len - 1] != ':')
        rule.len--;
    return span_sub(rule, 0, rule.len == 0 ? 0 : rule.len - 1);
}

/* --- the words --- */

struct collect {
    struct coverage *c;
    struct err *err;
};

static int add_word(void *ctx, const struct lint_word *word)
{
    struct collect *collect = ctx;
    struct coverage *c = collect->c;
    c->words = grow(c->words, &c->word_capacity, c->word_count, sizeof *c->words);
    c->rule_list = grow(c->rule_list, &c->rule_capacity, c->rule_count, sizeof *c->rule_list);
    if (c->word_count == c->word_capacity || c->rule_count == c->rule_capacity)
        return no_memory(collect->err);
    bool new_rule = c->rule_count == 0 ||
                    !span_eq(c->words[c->rule_list[c->rule_count - 1].first].is.rule, word->rule);
    if (new_rule)
        c->rule_list[c->rule_count++] = (struct rule){.first = c->word_count};
    c->rule_list[c->rule_count - 1].count++;
    c->words[c->word_count++] =
        (struct word){.is = *word, .key = key_of(file_of(word->rule), word->line, word->column)};
    return 0;
}

static size_t slot_of(const struct coverage *c, uint64_t key)
{
    size_t slot = key & (c->table_room - 1);
    while (c->table[slot] != 0 && c->words[c->table[slot] - 1].key != key)
        slot = (slot + 1) & (c->table_room - 1);
    return slot;
}

static int index_words(struct coverage *c, struct err *err)
{
    c->table_room = ROOM_FIRST;
    while (c->table_room < c->word_count * 2)
        c->table_room *= 2;
    c->table = mem_zalloc(c->table_room, sizeof *c->table);
    c->rule_of = mem_zalloc(c->word_count + 1, sizeof *c->rule_of);
    if (c->table == NULL || c->rule_of == NULL)
        return no_memory(err);
    for (size_t r = 0; r < c->rule_count; r++) {
        const struct rule *rule = &c->rule_list[r];
        for (size_t i = rule->first; i < rule->first + rule->count; i++) {
            size_t slot = slot_of(c, c->words[i].key);
            if (c->table[slot] == 0)
                c->table[slot] = (uint32_t)i + 1;
            c->rule_of[i] = (uint32_t)r;
        }
    }
    return 0;
}

static int read_words(struct coverage *c, struct err *err)
{
    struct rules_files files;
    struct collect collect = {.c = c, .err = err};
    c->arena = arena_new(ARENA_BYTES);
    int done = c->arena == NULL ? no_memory(err) : 0;
    if (done != 0)
        return -1;
    if (rules_files_read(&files, command_rules_dir(c->call->rules), err) != 0 ||
        lint_each_word(&files, c->arena, add_word, &collect, err) != 0 || index_words(c, err) != 0)
        done = -1;
    rules_files_free(&files);
    return done;
}

/* --- the texts --- */

static void count_match(struct coverage *c, const struct explain_match *match)
{
    uint32_t at = c->table[slot_of(c, key_of(file_of(match->rule), match->line, match->column))];
    if (at == 0)
        return; /* learned, or a condition */
    struct rule *rule = &c->rule_list[c->rule_of[at - 1]];
    c->words[at - 1].hits++;
    c->words[at - 1].set_aside += match->state != EXPLAIN_COUNTS;
    rule->hits += rule->last != c->texts;
    rule->last = c->texts;
}

static int count_row(struct coverage *c, const struct row *row, struct err *err)
{
    struct verdict v;
    if (classify(c->rules, c->scratch, row->title, row->text, &v, err) != 0 ||
        found_collect(&c->found, c->rules, c->scratch, SPAN(""), err) != 0)
        return -1;
    c->texts++;
    for (size_t i = 0; i < c->found.match_count; i++)
        count_match(c, &c->found.matches[i]);
    if (v.category.path.len != 0)
        return 0;
    c->silent = grow(c->silent, &c->silent_capacity, c->silent_count, sizeof *c->silent);
    if (c->silent_count == c->silent_capacity)
        return no_memory(err);
    c->silent[c->silent_count] = arena_copy(c->arena, row->id);
    if (c->silent[c->silent_count].ptr == NULL)
        return no_memory(err);
    c->silent_count++;
    return 0;
}

static int read_texts(struct coverage *c, struct rows *rows, struct err *err)
{
    struct row row;
    int next;
    while ((next = rows_next(rows, &row, err)) == 1) {
        if (count_row(c, &row, err) == 0)
            continue;
        if (err->code == ERR_NOMEM)
            return -1;
        rows_refuse(rows, &row, err);
    }
    return next;
}

/* --- the answer --- */

static bool is_unused(const struct word *word)
{
    return word->is.pattern.len != 0 && word->hits == 0;
}

static void write_word(struct buf *out, const struct word *word)
{
    buf_printf(out, "  %s:%d:%d  %.*s (%.*s)\n", word->is.file, word->is.line, word->is.column,
               SPAN_ARG(word->is.pattern), SPAN_ARG(word->is.name));
}

static void write_rules(const struct coverage *c, struct buf *out)
{
    buf_str(out, "   hits  words used  rule\n");
    for (size_t r = 0; r < c->rule_count; r++) {
        const struct rule *rule = &c->rule_list[r];
        const struct lint_word *is = &c->words[rule->first].is;
        size_t used = 0, words = 0;
        for (size_t i = rule->first; i < rule->first + rule->count; i++) {
            words += c->words[i].is.pattern.len != 0;
            used += c->words[i].hits > 0;
        }
        if (words > 0)
            buf_printf(out, "%7zu  %4zu of %-4zu  %.*s  %s %.*s\n", rule->hits, used, words,
                       SPAN_ARG(is->rule), evidence_for_name(is->what), SPAN_ARG(is->name));
    }
}

/* A list's heading and its first rows, as many as asked for. */
static void write_never(const struct coverage *c, struct buf *out, size_t show)
{
    size_t rules = 0, words = 0, shown = 0;
    for (size_t r = 0; r < c->rule_count; r++)
        rules += c->rule_list[r].hits == 0 && c->words[c->rule_list[r].first].is.pattern.len != 0;
    for (size_t i = 0; i < c->word_count; i++)
        words += is_unused(&c->words[i]);
    tools_counted(out, rules, "rule");
    buf_str(out, " never found:\n");
    for (size_t r = 0; r < c->rule_count && shown < show; r++) {
        const struct lint_word *is = &c->words[c->rule_list[r].first].is;
        if (c->rule_list[r].hits != 0 || is->pattern.len == 0)
            continue;
        buf_printf(out, "  %.*s  %s %.*s\n", SPAN_ARG(is->rule), evidence_for_name(is->what),
                   SPAN_ARG(is->name));
        shown++;
    }
    buf_str(out, rules > shown ? "  …\n" : "");
    tools_counted(out, words, "word");
    buf_str(out, " never found:\n");
    shown = 0;
    for (size_t i = 0; i < c->word_count && shown < show; i++) {
        if (!is_unused(&c->words[i]))
            continue;
        write_word(out, &c->words[i]);
        shown++;
    }
    buf_str(out, words > shown ? "  …\n" : "");
}

static void write_lines(const struct coverage *c, struct buf *out)
{
    const size_t show = (size_t)c->call->show;
    write_rules(c, out);
    buf_char(out, '\n');
    write_never(c, out, show);
    buf_printf(out, "%zu of ", c->silent_count);
    tools_counted(out, c->texts, "text");
    buf_str(out, " without a category:\n");
    for (size_t i = 0; i < c->silent_count && i < show; i++)
        buf_printf(out, "  %.*s\n", SPAN_ARG(c->silent[i]));
    buf_str(out, c->silent_count > show ? "  …\n" : "");
}

static void write_json_rule(const struct coverage *c, struct json_writer *w,
                            const struct rule *rule)
{
    const struct lint_word *is = &c->words[rule->first].is;
    json_open_object(w);
    json_member_string(w, "rule", is->rule);
    json_member_str(w, "for", evidence_for_name(is->what));
    json_member_string(w, "target", is->name);
    json_member_i64(w, "hits", (int64_t)rule->hits);
    json_key(w, "words");
    json_open_array(w);
    for (size_t i = rule->first; i < rule->first + rule->count; i++) {
        const struct word *word = &c->words[i];
        if (word->is.pattern.len == 0)
            continue;
        json_open_object(w);
        json_member_string(w, "pattern", word->is.pattern);
        json_member_i64(w, "line", word->is.line);
        json_member_i64(w, "column", word->is.column);
        json_member_i64(w, "hits", (int64_t)word->hits);
        json_member_i64(w, "set_aside", (int64_t)word->set_aside);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

static void write_json(const struct coverage *c, struct buf *out)
{
    struct json_writer w = json_writer(out);
    json_open_object(&w);
    json_member_i64(&w, "texts", (int64_t)c->texts);
    json_key(&w, "without_category");
    json_open_array(&w);
    for (size_t i = 0; i < c->silent_count; i++)
        json_write_string(&w, c->silent[i]);
    json_close_array(&w);
    json_key(&w, "rules");
    json_open_array(&w);
    for (size_t r = 0; r < c->rule_count; r++)
        write_json_rule(c, &w, &c->rule_list[r]);
    json_close_array(&w);
    json_close_object(&w);
    buf_char(out, '\n');
}

static int count_all(struct coverage *c)
{
    struct err err = {0};
    struct buf out = {0};
    if (read_words(c, &err) != 0)
        return command_fail(c->call->command, COMMAND_CONFIG, &err);
    struct rows *rows = rows_open(c->call->command, c->call->rest[0], false, &err);
    int status = COMMAND_UNAVAILABLE;
    if (rows == NULL || read_texts(c, rows, &err) != 0) {
        command_fail(c->call->command, status, &err);
    } else {
        if (c->call->json)
            write_json(c, &out);
        else
            write_lines(c, &out);
        status = tools_finish(c->call->command, &out,
                              rows_bad(rows) == 0 ? COMMAND_OK : COMMAND_FINDING);
    }
    rows_free(&rows);
    buf_free(&out);
    return status;
}

static int run(const struct rules_call *call)
{
    struct rules_call own = *call;
    if (own.show == 0)
        own.show = SHOW_USUAL;
    struct coverage c = {.call = &own};
    int status = tools_open(call, call->rules, &c.rules, &c.scratch);
    if (status == 0)
        status = count_all(&c);
    found_free(&c.found);
    mem_free(c.words);
    mem_free(c.rule_list);
    mem_free(c.table);
    mem_free(c.rule_of);
    mem_free(c.silent);
    arena_free(&c.arena);
    tools_close(&c.rules, &c.scratch);
    return status;
}

const struct rules_command rules_command_coverage = {
    .name = "coverage",
    .what = "which rules and words a file of texts uses, and which texts none",
    .help =
        "jiesu rules coverage FILE.tsv [--rules DIR] [--show N] [--json]\n"
        "\n"
        "Classifies the texts of FILE.tsv and counts in how many of them each rule was found, "
        "with\n"
        "the rules and words that never were, and the texts that got no category (their ids "
        "only).\n"
        "FILE.tsv has a header line with the columns id, title and body.\n"
        "\n" RULES_HELP_RULES "  --show N     list N of the unused rules and words and of the "
        "texts (20); --json lists all\n" RULES_HELP_PARTS RULES_HELP_TAIL
        "Exit status: 0 good, 1 rows were skipped (each is named with its line), 64 usage, 69 the\n"
        "data cannot be read, 78 the rule set is wrong.\n",
    .flags = "rsjLH",
    .rest_min = 1,
    .rest_max = 1,
    .rest_name = "FILE.tsv",
    .run = run,
};
