/*
 * Classification against an oracle that looks for every keyword of random rule sets in random
 * texts, one by one. Texts and keywords are made of seven symbols, each with spellings that
 * normalise to the same. The oracle never normalises and never scans: it compares symbols.
 */
#include "engine/base/buf.h"
#include "engine/base/random.h"
#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

enum { SYMBOLS = 7, SPELLINGS = 3, KEYWORDS = 8, RULES = 6, FILES = 4, TEXT_SYMBOLS = 24 };

static const char *const spellings[SYMBOLS][SPELLINGS] = {
    {"灯", "燈", "灯"}, {"垃", "垃", "垃"}, {"a", "Ａ", "A"},   {"1", "１", "1"},
    {"气", "氣", "气"}, {"z", "ｚ", "Z"},   {"路", "路", "路"},
};

struct symbols {
    uint8_t at[TEXT_SYMBOLS];
    size_t count;
    char text[TEXT_SYMBOLS * 4 + 1];
};

struct test_keyword {
    struct symbols word;
    int weight;
    bool title_only;
};

struct test_rule {
    char path[32]; /* "c0", "c0/x", "c0/x/y" */
    struct test_keyword keywords[KEYWORDS];
    size_t count;
};

/* What the rule set says, as the oracle sees it: categories, urgencies, kinds and tags alike. */
struct test_set {
    struct test_rule categories[FILES][RULES], urgencies[3], kinds[3], tags[3];
    size_t files, rules[FILES];
};

static void make_symbols(struct random *random, struct symbols *out, size_t min, size_t max)
{
    out->count = min + random_below(random, max - min + 1);
    out->text[0] = '\0';
    for (size_t i = 0; i < out->count; i++) {
        out->at[i] = (uint8_t)random_below(random, SYMBOLS);
        strcat(out->text, spellings[out->at[i]][random_below(random, SPELLINGS)]);
    }
}

static bool same_symbols(const struct symbols *a, const struct symbols *b)
{
    return a->count == b->count && memcmp(a->at, b->at, a->count) == 0;
}

/* Where the word stands first, or -1. */
static int find_symbols(const struct symbols *text, const struct symbols *word)
{
    for (size_t i = 0; i + word->count <= text->count; i++)
        if (memcmp(text->at + i, word->at, word->count) == 0)
            return (int)i;
    return -1;
}

static void make_rule(struct random *random, struct test_rule *rule, bool plain)
{
    rule->count = 1 + random_below(random, KEYWORDS);
    for (size_t i = 0; i < rule->count; i++) {
        struct test_keyword *k = &rule->keywords[i];
        k->title_only = !plain && random_below(random, 4) == 0;
        int weight = (int)random_below(random, 25) - 4;
        k->weight = plain || weight == 0 ? 1 : weight > 20 ? 20 : weight;
        bool twice;
        do {
            make_symbols(random, &k->word, 1, 4);
            twice = false;
            for (size_t j = 0; j < i; j++)
                twice |= k->title_only == rule->keywords[j].title_only &&
                         same_symbols(&k->word, &rule->keywords[j].word);
        } while (twice);
    }
}

/* Writes a rule's keywords; two of one weight may not share a key, so each weight is gathered. */
static void write_weights(struct buf *out, const struct test_rule *rule, bool title_only)
{
    bool any = false;
    for (int weight = -20; weight <= 20; weight++) {
        bool open = false;
        for (size_t i = 0; i < rule->count; i++) {
            const struct test_keyword *k = &rule->keywords[i];
            if (k->weight != weight || k->title_only != title_only)
                continue;
            if (!any)
                buf_str(out, title_only ? "    title_keywords:\n" : "    keywords:\n");
            if (!open)
                buf_printf(out, "      %d: [", weight);
            buf_printf(out, "%s\"%s\"", open ? ", " : "", k->word.text);
            any = open = true;
        }
        if (open)
            buf_str(out, "]\n");
    }
}

static void write_plain(struct buf *out, const struct test_rule *rule)
{
    buf_str(out, "    keywords: [");
    for (size_t i = 0; i < rule->count; i++)
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : ", ", rule->keywords[i].word.text);
    buf_str(out, "]\n");
}

static void put_buf(struct fixture *f, const char *name, struct buf *text)
{
    put(f, name, buf_cstr(text));
    buf_clear(text);
}

/* A random set, written to the fixture's folder. */
static void make_set(struct random *random, struct fixture *f, struct test_set *set)
{
    static const char *const below[RULES] = {"", "/x", "/x/p", "/x/q", "/y/p", "/y"};
    static const char *const levels[] = {"yellow", "red", "red"};
    static const char *const kinds[] = {"help", "enquiry", "report"};
    struct buf out = {0};
    char name[64];
    memset(set, 0, sizeof *set);
    set->files = 1 + random_below(random, FILES);
    for (size_t c = 0; c < set->files; c++) {
        buf_printf(&out, "category: c%zu\nrules:\n", c);
        for (size_t r = 0; r < RULES; r++) {
            if (random_below(random, 3) == 0 && (r < RULES - 1 || set->rules[c] != 0))
                continue;
            struct test_rule *rule = &set->categories[c][set->rules[c]++];
            snprintf(rule->path, sizeof rule->path, "c%zu%s", c, below[r]);
            make_rule(random, rule, false);
            buf_printf(&out, "  - department: d\n");
            if (r != 0)
                buf_printf(&out, "    path: %s\n", below[r] + 1);
            write_weights(&out, rule, false);
            write_weights(&out, rule, true);
        }
        snprintf(name, sizeof name, "categories/c%zu.yaml", c);
        put_buf(f, name, &out);
    }
    struct buf urgency = {0}, kind = {0}, tag = {0};
    buf_str(&urgency, "default: blue\nrules:\n");
    buf_str(&kind, "default: complaint\nrules:\n");
    buf_str(&tag, "rules:\n");
    for (size_t i = 0; i < 3; i++) {
        make_rule(random, &set->urgencies[i], true);
        make_rule(random, &set->kinds[i], false);
        make_rule(random, &set->tags[i], true);
        buf_printf(&urgency, "  - level: %s\n", levels[i]);
        write_plain(&urgency, &set->urgencies[i]);
        buf_printf(&kind, "  - kind: %s\n", kinds[i]);
        write_weights(&kind, &set->kinds[i], false);
        write_weights(&kind, &set->kinds[i], true);
        buf_printf(&tag, "  - tag: t%zu\n    name: t\n", i);
        write_plain(&tag, &set->tags[i]);
    }
    put_buf(f, "urgency.yaml", &urgency);
    put_buf(f, "kinds.yaml", &kind);
    put_buf(f, "tags.yaml", &tag);
    buf_free(&out);
    buf_free(&urgency);
    buf_free(&kind);
    buf_free(&tag);
}

struct test_text {
    struct symbols title, body;
};

static int rule_score(const struct test_rule *rule, const struct test_text *text)
{
    int score = 0;
    for (size_t i = 0; i < rule->count; i++) {
        const struct test_keyword *k = &rule->keywords[i];
        if (find_symbols(&text->title, &k->word) >= 0 ||
            (!k->title_only && find_symbols(&text->body, &k->word) >= 0))
            score += k->weight;
    }
    return score;
}

/* The score of all rules of a file at or below a path. */
static int path_score(const struct test_set *set, size_t c, const char *path,
                      const struct test_text *text)
{
    int score = 0;
    size_t len = strlen(path);
    for (size_t r = 0; r < set->rules[c]; r++) {
        const char *rule = set->categories[c][r].path;
        if (strncmp(rule, path, len) == 0 && (rule[len] == '\0' || rule[len] == '/'))
            score += rule_score(&set->categories[c][r], text);
    }
    return score;
}

/* The best path one level below `path`, in file order, or false. */
static bool best_below(const struct test_set *set, size_t c, char *path,
                       const struct test_text *text)
{
    char best[32] = "";
    int best_score = 0;
    size_t len = strlen(path);
    for (size_t r = 0; r < set->rules[c]; r++) {
        char child[32];
        strcpy(child, set->categories[c][r].path);
        if (strncmp(child, path, len) != 0 || child[len] != '/')
            continue;
        char *slash = strchr(child + len + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        int score = path_score(set, c, child, text);
        if (score > best_score) {
            best_score = score;
            strcpy(best, child);
        }
    }
    if (best_score == 0)
        return false;
    strcpy(path, best);
    return true;
}

static void check_categories(const struct test_set *set, const struct test_text *text,
                             const struct verdict *v)
{
    int scores[FILES], rank[FILES];
    size_t count = 0;
    for (size_t c = 0; c < set->files; c++) {
        char root[32];
        snprintf(root, sizeof root, "c%zu", c);
        scores[c] = path_score(set, c, root, text);
        if (scores[c] <= 0)
            continue;
        size_t at = count++;
        for (; at > 0 && scores[rank[at - 1]] < scores[c]; at--)
            rank[at] = rank[at - 1];
        rank[at] = (int)c;
    }
    assert_int_equal(v->secondary_count, count == 0 ? 0 : count - 1);
    for (size_t i = 0; i < count; i++) {
        const struct verdict_category *found = i == 0 ? &v->category : &v->secondary[i - 1];
        char path[32];
        snprintf(path, sizeof path, "c%d", rank[i]);
        while (best_below(set, (size_t)rank[i], path, text))
            continue;
        assert_span(found->path, path);
        assert_number(found->score, scores[rank[i]]);
    }
    if (count == 0)
        assert_span(v->category.path, "");
    else
        assert_number(v->margin, (double)(scores[rank[0]] - (count > 1 ? scores[rank[1]] : 0)) /
                                     scores[rank[0]]);
}

static void check_others(const struct test_set *set, const struct test_text *text,
                         const struct verdict *v)
{
    enum urgency urgency = URGENCY_BLUE;
    if (rule_score(&set->urgencies[0], text) > 0)
        urgency = URGENCY_YELLOW;
    if (rule_score(&set->urgencies[1], text) > 0 || rule_score(&set->urgencies[2], text) > 0)
        urgency = URGENCY_RED;
    assert_int_equal(v->urgency, urgency);
    static const enum kind kinds[] = {KIND_HELP, KIND_ENQUIRY, KIND_REPORT};
    enum kind kind = KIND_COMPLAINT;
    int best = 0;
    size_t tags = 0;
    for (size_t i = 0; i < 3; i++) {
        int score = rule_score(&set->kinds[i], text);
        if (score > best) {
            best = score;
            kind = kinds[i];
        }
        if (rule_score(&set->tags[i], text) > 0) {
            char tag[32];
            snprintf(tag, sizeof tag, "t%zu", i);
            assert_true(tags < v->tag_count);
            assert_span(v->tags[tags++], tag);
        }
    }
    assert_int_equal(v->kind, kind);
    assert_int_equal(v->tag_count, tags);
}

/* The symbols that a run of bytes spells. */
static void read_symbols(struct span bytes, struct symbols *out)
{
    out->count = 0;
    while (bytes.len != 0) {
        bool found = false;
        for (size_t s = 0; s < SYMBOLS && !found; s++) {
            for (size_t k = 0; k < SPELLINGS && !found; k++) {
                if (!span_starts(bytes, span_str(spellings[s][k])))
                    continue;
                found = true;
                out->at[out->count++] = (uint8_t)s;
                bytes = span_sub(bytes, strlen(spellings[s][k]), bytes.len);
            }
        }
        assert_true(found);
    }
}

/* Every piece of evidence is the first place of its keyword, byte for byte. */
static void check_evidence(const struct test_text *text, const struct verdict *v)
{
    for (size_t i = 0; i < v->evidence_count; i++) {
        const struct evidence *e = &v->evidence[i];
        const struct symbols *side = e->place.in_title ? &text->title : &text->body;
        struct symbols word, shown, before;
        read_symbols(e->pattern, &word);
        read_symbols(e->place.bytes, &shown);
        assert_true(same_symbols(&word, &shown));
        assert_ptr_equal(e->place.bytes.ptr, side->text + e->place.offset);
        read_symbols(span_of(side->text, e->place.offset), &before);
        assert_int_equal(find_symbols(side, &word), before.count);
        assert_true(e->place.in_title || find_symbols(&text->title, &word) < 0);
    }
}

static void classification_equals_the_oracle(void **state)
{
    struct fixture *f = *state;
    static struct test_set set;
    struct random random = {20260301};
    put(f, "review.yaml", "min_score: 0\nmin_margin: 0\n");
    rule_dir_drop(&f->dir, "categories/chengxiang.yaml");
    for (int round = 0; round < 60; round++) {
        make_set(&random, f, &set);
        compile(f);
        for (int i = 0; i < 60; i++) {
            struct test_text text;
            make_symbols(&random, &text.title, 0, 6);
            make_symbols(&random, &text.body, 0, TEXT_SYMBOLS);
            const struct verdict *v = say(f, text.title.text, text.body.text);
            check_categories(&set, &text, v);
            check_others(&set, &text, v);
            check_evidence(&text, v);
        }
        for (size_t c = 0; c < set.files; c++) {
            char name[64];
            snprintf(name, sizeof name, "categories/c%zu.yaml", c);
            rule_dir_drop(&f->dir, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classification_equals_the_oracle, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
