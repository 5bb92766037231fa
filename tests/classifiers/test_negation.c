/* Negations, nearness and conditions against naive evaluators, over random texts and rules. */
#include "classifiers/condition_near.h"
#include "classifiers/negation.h"
#include "classifiers/text.h"
#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/classifiers/support_classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 20000, UNITS = 40 };

/* --- negations --- */

static bool ends_sentence(uint16_t unit)
{
    return unit == 0x3002 || unit == '!' || unit == '\n';
}

static bool breaks(const uint16_t *units, size_t from, size_t to, bool any_punctuation)
{
    for (size_t i = from; i < to; i++)
        if (ends_sentence(units[i]) || units[i] == TEXT_BOUNDARY ||
            (any_punctuation && units[i] == ','))
            return true;
    return false;
}

/* What negation.h says, word by word. */
static bool naive_covers(const struct negation_word *words, size_t count,
                         const struct negation_windows *windows, const uint16_t *units, size_t from,
                         size_t to)
{
    for (size_t i = 0; i < count; i++) {
        const struct negation_word *w = &words[i];
        bool excepted = false;
        for (size_t k = 0; k < count; k++)
            excepted |= (words[k].mask & NEGATION_EXCEPT) != 0 && words[k].from <= w->from &&
                        w->to <= words[k].to;
        if (excepted)
            continue;
        if ((w->mask & NEGATION_BEFORE) != 0 && w->to <= from && from - w->to <= windows->before &&
            !breaks(units, w->to, from, true))
            return true;
        if ((w->mask & NEGATION_AFTER) != 0 && w->from >= to && w->from - to <= windows->after &&
            !breaks(units, to, w->from, false))
            return true;
    }
    return false;
}

static void negations_are_as_the_naive_ones(void **state)
{
    (void)state;
    static const uint16_t alphabet[] = {0x6C34, 0x706B, 'a',    '7', ',',    0x3002,       '!',
                                        '\n',   0x6C34, 0x706B, 'b', 0x8DEF, TEXT_BOUNDARY};
    struct random random = {20261122};
    struct negation negation = {.count = 0};
    size_t covered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t units[UNITS];
        struct negation_word words[12];
        for (size_t i = 0; i < UNITS; i++)
            units[i] = random_below(&random, 3) == 0
                           ? alphabet[random_below(&random, sizeof alphabet / sizeof *alphabet)]
                           : 0x6C34;
        size_t count = random_below(&random, 12);
        negation_reset(&negation);
        for (size_t i = 0; i < count; i++) {
            uint32_t from = (uint32_t)random_below(&random, UNITS - 6);
            words[i] = (struct negation_word){from, from + 1 + (uint32_t)random_below(&random, 5),
                                              UINT32_C(1) << random_below(&random, 3)};
            assert_int_equal(negation_add(&negation, words[i]), 0);
        }
        struct negation_windows windows = {(uint32_t)random_below(&random, 8),
                                           (uint32_t)random_below(&random, 8)};
        for (int k = 0; k < 4; k++) {
            size_t from = random_below(&random, UNITS - 4),
                   to = from + 1 + random_below(&random, 3);
            bool naive = naive_covers(words, count, &windows, units, from, to);
            assert_int_equal(negation_covers(&negation, &windows, units, from, to), naive);
            covered += naive;
        }
    }
    assert_true(covered > ROUNDS / 10 && covered < (size_t)ROUNDS * 3);
    negation_free(&negation);
}

/* --- near --- */

/* A chain from a hit on through all lists that are still missing; sets the least end. */
static void naive_chain(const struct near_hit *hits, size_t count, size_t at, uint32_t missing,
                        uint32_t within, size_t boundary, size_t *end)
{
    missing &= ~(UINT32_C(1) << hits[at].list);
    if (missing == 0 && hits[at].to < *end)
        *end = hits[at].to;
    for (size_t i = 0; i < count && missing != 0; i++)
        if ((missing >> hits[i].list & 1) != 0 && hits[i].from >= hits[at].to &&
            hits[i].from - hits[at].to <= within &&
            (hits[i].from < boundary) == (hits[at].from < boundary))
            naive_chain(hits, count, i, missing, within, boundary, end);
}

static void near_is_as_the_naive_one(void **state)
{
    (void)state;
    struct random random = {20261123};
    size_t held = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct near_hit hits[14];
        size_t count = random_below(&random, 15), boundary = random_below(&random, 30);
        uint32_t lists = 2 + (uint32_t)random_below(&random, 3);
        uint32_t within = (uint32_t)random_below(&random, 10);
        for (size_t i = 0; i < count; i++) {
            uint32_t from = (uint32_t)random_below(&random, 50);
            hits[i] = (struct near_hit){.from = from,
                                        .to = from + 1 + (uint32_t)random_below(&random, 4),
                                        .list = (uint32_t)random_below(&random, lists)};
        }
        size_t end = SIZE_MAX, from = 0, to = 0;
        for (size_t i = 0; i < count; i++)
            naive_chain(hits, count, i, (UINT32_C(1) << lists) - 1, within, boundary, &end);
        bool holds = condition_near(hits, count, lists, within, boundary, &from, &to);
        assert_int_equal(holds, end != SIZE_MAX);
        if (!holds)
            continue;
        held++;
        assert_int_equal(to, end);
        assert_true(from < to);
        assert_true((from < boundary) == (to - 1 < boundary) || to > boundary);
    }
    assert_true(held > ROUNDS / 20);
}

/* --- conditions --- */

enum { CONDITIONS = 6, PARTS = 2, ITEMS = 3, SYMBOLS = 6 };

static const char *const symbols[SYMBOLS] = {"灯", "水", "路", "火", "门", "窗"};

struct test_item {
    int what; /* 0 a word, 1 a title word, 2 a text word, 3 a regex, 4 a condition */
    size_t a, b;
};

struct test_part {
    int what; /* 0 any, 1 all, 2 none */
    struct test_item items[ITEMS];
    size_t count;
};

struct test_set {
    struct test_part parts[CONDITIONS][PARTS];
    size_t counts[CONDITIONS];
};

struct test_text {
    char title[64], body[64];
};

static bool naive_holds(const struct test_set *set, size_t condition, const struct test_text *text);

static bool naive_item(const struct test_set *set, const struct test_item *item,
                       const struct test_text *text)
{
    char word[16];
    snprintf(word, sizeof word, "%s%s", symbols[item->a], symbols[item->b]);
    bool title = strstr(text->title, word) != NULL, body = strstr(text->body, word) != NULL;
    if (item->what == 1)
        return title;
    if (item->what == 2)
        return body;
    return item->what == 4 ? naive_holds(set, item->a, text) : title || body;
}

static bool naive_holds(const struct test_set *set, size_t condition, const struct test_text *text)
{
    for (size_t p = 0; p < set->counts[condition]; p++) {
        const struct test_part *part = &set->parts[condition][p];
        size_t held = 0;
        for (size_t i = 0; i < part->count; i++)
            held += naive_item(set, &part->items[i], text);
        if (part->what == 0 ? held == 0 : part->what == 1 ? held < part->count : held > 0)
            return false;
    }
    return true;
}

/* A condition names only later ones, so none names itself. */
static void make_set(struct random *random, struct test_set *set)
{
    for (size_t c = 0; c < CONDITIONS; c++) {
        set->counts[c] = 1 + random_below(random, PARTS);
        int first = (int)random_below(random, 3);
        for (size_t p = 0; p < set->counts[c]; p++) {
            struct test_part *part = &set->parts[c][p];
            part->what = (first + (int)p) % 3;
            part->count = 1 + random_below(random, ITEMS);
            for (size_t i = 0; i < part->count; i++) {
                struct test_item *item = &part->items[i];
                item->what = (int)random_below(random, c + 1 < CONDITIONS ? 5 : 4);
                item->a = item->what == 4 ? c + 1 + random_below(random, CONDITIONS - 1 - c)
                                          : random_below(random, SYMBOLS);
                item->b = random_below(random, SYMBOLS);
            }
        }
    }
}

static void write_set(struct fixture *f, const struct test_set *set)
{
    static const char *const keys[] = {"any", "all", "none"};
    static const char *const forms[] = {"%s%s", "{title: %s%s}", "{text: %s%s}", "{regex: '%s%s'}"};
    struct buf out = {0};
    buf_str(&out, "conditions:\n");
    for (size_t c = 0; c < CONDITIONS; c++) {
        buf_printf(&out, "  - name: c%zu\n", c);
        for (size_t p = 0; p < set->counts[c]; p++) {
            const struct test_part *part = &set->parts[c][p];
            buf_printf(&out, "    %s: [", keys[part->what]);
            for (size_t i = 0; i < part->count; i++) {
                const struct test_item *item = &part->items[i];
                buf_str(&out, i == 0 ? "" : ", ");
                if (item->what == 4)
                    buf_printf(&out, "{condition: c%zu}", item->a);
                else
                    buf_printf(&out, forms[item->what], symbols[item->a], symbols[item->b]);
            }
            buf_str(&out, "]\n");
        }
    }
    put(f, "conditions.yaml", buf_cstr(&out));
    buf_free(&out);
}

/* The conditions that rules may use: each gets a category, if the rule set takes it. */
static size_t write_rules(struct fixture *f, bool usable[CONDITIONS])
{
    size_t count = 0;
    for (size_t c = 0; c < CONDITIONS; c++) {
        char name[64], text[128];
        struct err err = {0};
        snprintf(name, sizeof name, "categories/c%zu.yaml", c);
        snprintf(text, sizeof text, "category: c%zu\nrules:\n  - conditions: {%zu: [c%zu]}\n", c,
                 c + 1, c);
        put(f, name, text);
        struct rules *rules = rules_load(f->dir.path, &err);
        usable[c] = rules != NULL;
        if (!usable[c]) {
            assert_non_null(strstr(err.text, "none of its words"));
            snprintf(text, sizeof text, "category: c%zu\nrules: []\n", c);
            put(f, name, text);
        }
        count += usable[c];
        rules_unref(&rules);
    }
    return count;
}

static void make_words(struct random *random, char *out)
{
    out[0] = '\0';
    for (size_t n = random_below(random, 12); n > 0; n--)
        strcat(out, symbols[random_below(random, SYMBOLS)]);
}

static void conditions_are_as_the_naive_ones(void **state)
{
    struct fixture *f = *state;
    struct random random = {20261124};
    size_t held = 0, used = 0;
    for (int round = 0; round < 60; round++) {
        struct test_set set;
        bool usable[CONDITIONS];
        for (size_t c = 0; c < CONDITIONS; c++) {
            char name[64];
            snprintf(name, sizeof name, "categories/c%zu.yaml", c);
            put(f, name, "");
            rule_dir_drop(&f->dir, name);
        }
        make_set(&random, &set);
        write_set(f, &set);
        used += write_rules(f, usable);
        compile(f);
        for (int t = 0; t < 100; t++) {
            struct test_text text;
            make_words(&random, text.title);
            make_words(&random, text.body);
            say(f, text.title, text.body);
            double best = 0;
            for (size_t c = 0; c < CONDITIONS; c++)
                if (usable[c] && naive_holds(&set, c, &text)) {
                    best = (double)c + 1;
                    held++;
                }
            assert_number(f->verdict.score, best);
        }
    }
    assert_true(used > 100 && held > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negations_are_as_the_naive_ones),
        cmocka_unit_test(near_is_as_the_naive_one),
        cmocka_unit_test_setup_teardown(conditions_are_as_the_naive_ones, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
