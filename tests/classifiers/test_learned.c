/* Packs of learned weights: the parser, its errors, and the arithmetic against one by hand. */
#include "classifiers/learned.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD                                                                                \
    "jiesu-learned\t1\n# a remark\nlabels\t甲\t乙\t丙\nstep\t0.5\nbias\t0.25\t-0.5\t0\n" \
    "points\t10\nlift\t4\t-1\nfew\t2\nhead\t5\n"
#define PACK HEAD "供水\t1\t-2\t3\n噪\t10\t20\t-30\n噪音\t-999\t999\t0\n"

static struct learned *parse(const char *text, struct err *err)
{
    return learned_parse(span_str(text), "learned/p.tsv", err);
}

static void test_reads_a_pack(void **state)
{
    (void)state;
    struct err err = {0};
    struct learned *l = parse(PACK, &err);
    assert_non_null(l);
    assert_int_equal(learned_label_count(l), 3);
    assert_true(span_eq(learned_label(l, 1), SPAN("乙")));
    assert_int_equal(learned_ngram_count(l), 3);
    assert_true(span_eq(learned_ngram(l, 2), SPAN("噪音")));
    assert_int_equal(learned_line(l, 0), 10);
    assert_int_equal(learned_line(l, 2), 12);
    learned_free(&l);
    assert_null(l);
}

/* Every mistake is named with its line. */
static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "learned/p.tsv:0: the pack ends"},
        {"jiesu-learned\t2\n", "learned/p.tsv:1: this is not version 1"},
        {"labels\t甲\t乙\n", "learned/p.tsv:1: the line “jiesu-learned” should stand"},
        {"jiesu-learned\t1\nlabels\t甲\n", "learned/p.tsv:2: a pack needs two labels"},
        {"jiesu-learned\t1\nlabels\t甲\t甲\n",
         "learned/p.tsv:2: the label “甲” stands there twice"},
        {"jiesu-learned\t1\nlabels\t甲\t\n", "label 2 is empty"},
        {"jiesu-learned\t1\nlabels\t甲\t乙\nstep\tx\n", "learned/p.tsv:3: “step” takes numbers"},
        {"jiesu-learned\t1\nlabels\t甲\t乙\nstep\t1\nbias\t1\n",
         "learned/p.tsv:4: “bias” has 1 values; it takes 2"},
        {"jiesu-learned\t1\nlabels\t甲\t乙\nstep\t1\nbias\t1\t1\npoints\t-1\n",
         "learned/p.tsv:5: “points” takes numbers from 0"},
        {HEAD, "the pack holds no n-gram"},
        {HEAD "供水\t1\t2\n", "learned/p.tsv:10: an n-gram and one weight for each of the 3"},
        {HEAD "供水\t1\t2\t3\t4\n", "learned/p.tsv:10: an n-gram and one weight"},
        {HEAD "供水\t1\t2\t1000\n", "learned/p.tsv:10: weight 3 must be a whole number"},
        {HEAD "供水\t1\t2\t1.5\n", "weight 3 must be"},
        {HEAD "供水\t1\t2\t-\n", "weight 3 must be"},
        {HEAD "供水供水供\t1\t2\t3\n", "an n-gram has 1 to 4 characters"},
        {HEAD "\t1\t2\t3\n", "an n-gram has 1 to 4 characters"},
        {HEAD "\xFF\t1\t2\t3\n", "the n-gram is no UTF-8"},
        {HEAD "噪\t1\t2\t3\n供\t1\t2\t3\n", "learned/p.tsv:11: “供” does not stand behind"},
        {HEAD "噪\t1\t2\t3\n噪\t1\t2\t3\n", "learned/p.tsv:11: “噪” does not stand behind"},
        {HEAD "噪\t1\t2\t3\n\n", "learned/p.tsv:11: an n-gram and one weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct learned *l = parse(cases[i].text, &err);
        if (l != NULL || strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s: said “%s”", cases[i].text, err.text);
    }
    assert_null(parse(HEAD, NULL));
}

static void test_refuses_too_many(void **state)
{
    (void)state;
    struct buf pack = {0};
    struct err err = {0};
    buf_str(&pack, HEAD);
    for (unsigned i = 0; i <= LIMIT_LEARNED_NGRAMS; i++) {
        unsigned unit = 0x4E00 + i / 141, second = 0x4E00 + i % 141;
        const char utf8[6] = {
            (char)(0xE0 | unit >> 12),           (char)(0x80 | (unit >> 6 & 0x3F)),
            (char)(0x80 | (unit & 0x3F)),        (char)(0xE0 | second >> 12),
            (char)(0x80 | (second >> 6 & 0x3F)), (char)(0x80 | (second & 0x3F))};
        buf_append(&pack, utf8, sizeof utf8);
        buf_str(&pack, "\t1\t1\t1\n");
    }
    assert_true(buf_ok(&pack));
    assert_null(learned_parse(buf_view(&pack), "p", &err));
    assert_int_equal(err.code, ERR_LIMIT);
    buf_free(&pack);
}

/* A text as a matcher reads it whose value v stands for n-gram v / 2 when v is even, and for none
 * when it is odd. */
enum { MOST_NGRAMS = 200, MOST_HITS = 600 };

struct reading {
    struct learned_sums sums;
    struct keywords_found hits[MOST_HITS];
    uint32_t count;
    uint16_t ngrams[2 * MOST_NGRAMS];
    int scores[LEARNED_LABELS_MAX];
};

static struct reading *reading_new(void)
{
    struct reading *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (size_t v = 0; v < 2 * MOST_NGRAMS; v++)
        r->ngrams[v] = v % 2 == 0 ? (uint16_t)(v / 2) : LEARNED_NONE;
    assert_int_equal(learned_fit(&r->sums, r->ngrams, 2 * MOST_NGRAMS), 0);
    return r;
}

static void reading_free(struct reading *r)
{
    learned_sums_free(&r->sums);
    free(r);
}

static void begin(struct reading *r)
{
    learned_begin(&r->sums, r->hits);
    r->count = 0;
}

static void hit(struct reading *r, uint32_t value, uint32_t from)
{
    assert_in_range(r->count, 0, MOST_HITS - 1);
    r->hits[r->count] =
        (struct keywords_found){.from = from & 0xFFFFFF, .length = 1, .value = value};
    learned_add(&r->sums, value, r->count++);
}

/* A hit of an n-gram, and one of no n-gram at the same place. */
static void meet(struct reading *r, size_t ngram, uint32_t from)
{
    hit(r, (uint32_t)(2 * ngram + 1), from);
    hit(r, (uint32_t)(2 * ngram), from);
}

static const int *scores_of(struct reading *r, const struct learned *l)
{
    learned_scores(l, &r->sums, r->hits, r->ngrams, r->scores);
    return r->scores;
}

/* 噪 stands twice, first outside the head; 供水 once, in it. */
static void test_scores(void **state)
{
    (void)state;
    struct err err = {0};
    struct learned *l = parse(PACK, &err);
    assert_non_null(l);
    struct reading *r = reading_new();
    begin(r);
    meet(r, 0, 4);
    meet(r, 1, 5);
    meet(r, 1, 9);
    assert_int_equal(r->sums.count, 2);
    const int *scores = scores_of(r, l);
    const double v0 = 32, v1 = 22, norm = sqrt(v0 * v0 + v1 * v1);
    const double values[3] = {0.5 * (v0 * 1 + v1 * 10) / norm + 0.25,
                              0.5 * (v0 * -2 + v1 * 20) / norm - 0.5,
                              0.5 * (v0 * 3 + v1 * -30) / norm};
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(scores[k],
                         lrint(100 * (10 * (values[k] - values[1]) + 4 * (values[1] + 1))));
    for (size_t k = 3; k < LEARNED_LABELS_MAX; k++)
        assert_int_equal(scores[k], 0);
    assert_int_equal(learned_share(l, &r->sums, 1, 1), lrint(100 * 10 * 0.5 * v1 * 20 / norm));
    assert_int_equal(r->hits[r->sums.met[1]].from, 5);
    assert_int_equal(r->sums.ngrams[1], 1);

    /* One n-gram is half of `few`: a quarter counts. */
    begin(r);
    meet(r, 1, 5);
    scores_of(r, l);
    assert_int_equal(scores[1], lrint(25 * 4 * (0.5 * 20 - 0.5 + 1)));

    begin(r);
    scores_of(r, l);
    for (size_t k = 0; k < LEARNED_LABELS_MAX; k++)
        assert_int_equal(scores[k], 0);
    reading_free(r);
    learned_free(&l);
}

/* A text that was given up before its scores leaves nothing to the next. */
static void test_forgets(void **state)
{
    (void)state;
    struct err err = {0};
    struct learned *l = parse(PACK, &err);
    assert_non_null(l);
    struct reading *r = reading_new();
    int scores[2][3];
    for (int round = 0; round < 2; round++) {
        begin(r);
        meet(r, 0, 4);
        memcpy(scores[round], scores_of(r, l), sizeof scores[round]);
        begin(r);
        meet(r, 0, 4);
        meet(r, 2, 7);
    }
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    reading_free(r);
    learned_free(&l);
}

/* When no label reaches the floor, the best gets nothing and the others lose. */
static void test_unlikely_labels_get_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    struct learned *l =
        parse("jiesu-learned\t1\nlabels\t甲\t乙\nstep\t0\nbias\t-1.5\t-2\npoints\t10\n"
              "lift\t4\t-1\nfew\t0\nhead\t0\n噪\t1\t1\n",
              &err);
    assert_non_null(l);
    struct reading *r = reading_new();
    begin(r);
    meet(r, 0, 0);
    const int *scores = scores_of(r, l);
    assert_int_equal(scores[0], 0);
    assert_int_equal(scores[1], -500);
    reading_free(r);
    learned_free(&l);
}

static void write_wide(struct buf *pack, size_t labels, size_t ngrams)
{
    buf_str(pack, "jiesu-learned\t1\nlabels");
    for (size_t k = 0; k < labels; k++)
        buf_printf(pack, "\tL%zu", k);
    buf_str(pack, "\nstep\t0.01\nbias");
    for (size_t k = 0; k < labels; k++)
        buf_str(pack, "\t0");
    buf_str(pack, "\npoints\t1\nlift\t0\t0\nfew\t0\nhead\t3\n");
    for (size_t n = 0; n < ngrams; n++) {
        buf_printf(pack, "%c%c", (int)('a' + n / 26), (int)('a' + n % 26));
        for (size_t k = 0; k < labels; k++)
            buf_printf(pack, "\t%d", (int)((n * 37 + k * 101) % 1999) - 999);
        buf_char(pack, '\n');
    }
}

/* Every n-gram whose share fewer than `wanted` others exceed is among the strongest, in order, and
 * few others are. */
static void check_strongest(const struct learned *l, struct learned_sums *sums, size_t label,
                            size_t wanted)
{
    size_t count = learned_strongest(l, sums, label, wanted), at = 0, due = 0;
    for (size_t m = 0; m < sums->count; m++) {
        int share = learned_share(l, sums, m, label);
        size_t above = 0;
        for (size_t i = 0; i < sums->count; i++)
            above += learned_share(l, sums, i, label) > share;
        bool found = at < count && sums->strongest[at] == m;
        at += found;
        due += share > 0 && above < wanted;
        assert_true(found || share <= 0 || above >= wanted);
    }
    assert_int_equal(at, count);
    assert_true(count <= due + sums->count / 4);
}

/* Any number of labels, random texts: the sums are those of plain loops. */
static void test_equals_plain_sums(void **state)
{
    (void)state;
    struct random random = {7};
    enum { NGRAMS = MOST_NGRAMS };
    for (size_t labels = 2; labels <= LEARNED_LABELS_MAX; labels++) {
        struct buf pack = {0};
        struct err err = {0};
        write_wide(&pack, labels, NGRAMS);
        struct learned *l = learned_parse(buf_view(&pack), "p", &err);
        assert_non_null(l);
        struct reading *r = reading_new();
        for (int round = 0; round < 20; round++) {
            uint32_t times[NGRAMS] = {0}, first[NGRAMS] = {0};
            begin(r);
            for (uint32_t at = 0; at < 300; at++) {
                uint16_t n = (uint16_t)random_below(&random, NGRAMS);
                first[n] = times[n]++ == 0 ? at : first[n];
                meet(r, n, at);
            }
            double values[LEARNED_LABELS_MAX] = {0}, squares = 0, best = -INFINITY;
            for (size_t n = 0; n < NGRAMS; n++) {
                double v = times[n] == 0 ? 0 : learned_value(times[n], first[n] < 3);
                squares += v * v;
                for (size_t k = 0; k < labels; k++)
                    values[k] += 0.01 * v * ((double)((n * 37 + k * 101) % 1999) - 999);
            }
            const int *scores = scores_of(r, l);
            for (size_t k = 0; k < labels; k++)
                best = fmax(best, values[k] / sqrt(squares));
            for (size_t k = 0; k < labels; k++)
                assert_true(fabs(scores[k] - 100 * (values[k] / sqrt(squares) - best)) < 0.51);
            check_strongest(l, &r->sums, random_below(&random, labels),
                            1 + random_below(&random, LEARNED_STRONGEST));
        }
        reading_free(r);
        learned_free(&l);
        buf_free(&pack);
    }
}

static void test_values(void **state)
{
    (void)state;
    for (uint32_t times = 1; times <= 8; times++) {
        double wanted = 16 * (1 + log(times) / 2);
        assert_true(fabs(learned_value(times, false) - wanted) <= 0.5);
        assert_int_equal(learned_value(times, true), 2 * learned_value(times, false));
    }
    assert_int_equal(learned_value(1000000, false), learned_value(8, false));
}

static void test_without_memory(void **state)
{
    (void)state;
    struct learned *l = NULL;
    for (uint64_t n = 1; l == NULL; n++) {
        struct err err = {0};
        mem_fail_at(n);
        l = parse(PACK, &err);
        mem_fail_at(0);
        assert_true(l != NULL || err.code == ERR_NOMEM);
        assert_true(n < 100);
    }
    struct learned_sums sums = {0};
    const uint16_t ngrams[] = {0};
    int done = -1;
    for (uint64_t n = 1; done != 0; n++) {
        mem_fail_at(n);
        done = learned_fit(&sums, ngrams, 1);
        mem_fail_at(0);
        assert_true(n < 10);
    }
    learned_sums_free(&sums);
    learned_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_pack),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_too_many),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_unlikely_labels_get_nothing),
        cmocka_unit_test(test_equals_plain_sums),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
