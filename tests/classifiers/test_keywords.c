/* The matcher against a naive one, its order, and its limits. */
#include "classifiers/keywords.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { MOST_HITS = 65536 };

struct hits {
    struct keywords_hit hit[MOST_HITS];
    size_t count;
    size_t stop_after; /* 0: never */
};

static int collect(void *ctx, const struct keywords_hit *hit)
{
    struct hits *hits = ctx;
    assert_true(hits->count < MOST_HITS);
    hits->hit[hits->count++] = *hit;
    return hits->count == hits->stop_after ? 7 : 0;
}

/* Every occurrence by end, then longest first, then in the order the keywords were added. */
static void naive_scan(const struct naive *naive, const uint16_t *units, size_t count,
                       struct hits *hits)
{
    for (size_t end = 1; end <= count; end++) {
        for (size_t length = LIMIT_KEYWORD_UNITS; length >= 1; length--) {
            for (size_t k = 0; k < naive->count && length <= end; k++) {
                if (naive->length[k] != length ||
                    memcmp(naive->units[k], units + end - length, length * sizeof *units) != 0)
                    continue;
                collect(hits, &(struct keywords_hit){
                                  .from = end - length, .to = end, .value = (uint32_t)k});
            }
        }
    }
}

static struct keywords *build_for(const struct naive *naive, enum cpu_level level)
{
    struct keywords_builder *builder = naive_builder(naive);
    struct keywords *keywords = keywords_build_for(builder, level, NULL);
    assert_non_null(keywords);
    keywords_builder_free(&builder);
    assert_null(builder);
    assert_int_equal(keywords_count(keywords), naive->count);
    return keywords;
}

static struct keywords *build(const struct naive *naive)
{
    return build_for(naive, cpu_level());
}

static void assert_same(const struct naive *naive, const uint16_t *units, size_t count)
{
    static struct hits expected;
    static struct hits found;
    expected.count = 0;
    naive_scan(naive, units, count, &expected);
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        struct keywords *keywords = build_for(naive, level);
        found.count = 0;
        assert_int_equal(keywords_scan(keywords, units, count, collect, &found), 0);
        assert_int_equal(found.count, expected.count);
        for (size_t i = 0; i < found.count; i++) {
            assert_int_equal(found.hit[i].from, expected.hit[i].from);
            assert_int_equal(found.hit[i].to, expected.hit[i].to);
            assert_int_equal(found.hit[i].value, expected.hit[i].value);
        }
        keywords_free(&keywords);
        assert_null(keywords);
    }
}

static void naive_add(struct naive *naive, const char *utf8)
{
    naive->length[naive->count] = units_of(utf8, naive->units[naive->count]);
    naive->count++;
}

static void reports_overlaps_in_order(void **state)
{
    (void)state;
    struct naive naive = {.count = 0};
    const char *words[] = {"燃气",     "燃气泄漏", "气泄",   "泄漏", "漏", "燃气",
                           "电梯困人", "困人",     "人被困", "😀",    "㐀", "漏水"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        naive_add(&naive, words[i]);
    uint16_t units[128];
    size_t count = units_of("小区燃气泄漏水管漏水,电梯困人被困😀燃气", units);
    assert_same(&naive, units, count);
    static struct hits hits;
    hits.count = 0;
    struct keywords *keywords = build(&naive);
    assert_int_equal(keywords_scan(keywords, units, count, collect, &hits), 0);
    assert_true(hits.count >= 12);
    assert_int_equal(hits.hit[0].value, 0);
    assert_int_equal(hits.hit[1].value, 5);
    keywords_free(&keywords);
}

static void equals_the_naive_matcher(void **state)
{
    (void)state;
    struct random r = {1975};
    for (int round = 0; round < 3000; round++) {
        uint64_t alphabet = 1 + random_below(&r, 4);
        uint64_t longest = 1 + random_below(&r, round % 10 == 0 ? LIMIT_KEYWORD_UNITS : 6);
        /* Also the units at the ends of the range, which tables could forget. */
        uint16_t base = (uint16_t)(round % 3 == 0 ? 0 : round % 3 == 1 ? 0xFFFC : 0x6C34);
        struct naive naive = {.count = (size_t)random_below(&r, 24)};
        for (size_t k = 0; k < naive.count; k++) {
            naive.length[k] = 1 + (size_t)random_below(&r, longest);
            for (size_t i = 0; i < naive.length[k]; i++)
                naive.units[k][i] = (uint16_t)(base + random_below(&r, alphabet));
        }
        uint16_t units[200];
        size_t count = (size_t)random_below(&r, sizeof units / sizeof *units);
        for (size_t i = 0; i < count; i++)
            units[i] = (uint16_t)(base + random_below(&r, alphabet));
        assert_same(&naive, units, count);
    }
}

static int count_hits(void *ctx, const struct keywords_hit *hit)
{
    size_t *n = ctx;
    *n += hit->to > hit->from;
    return 0;
}

/* All of a, aa, .. in a text of a: as many hits as can be. */
static void repeated_units(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct naive naive;
    uint16_t *units = naive_repeat(&naive, COUNT);
    struct keywords *keywords = build(&naive);
    size_t n = 0;
    assert_int_equal(keywords_scan(keywords, units, COUNT, count_hits, &n), 0);
    assert_int_equal(n, naive_repeat_hits(COUNT));
    keywords_free(&keywords);
    mem_free(units);
}

/* A root and a second level with every unit there is. */
static void wide_nodes(void **state)
{
    (void)state;
    struct keywords_builder *builder = keywords_builder_new();
    for (uint32_t u = 0; u <= 0xFFFF; u++) {
        uint16_t pair[2] = {0x6C34, (uint16_t)u};
        assert_int_equal(keywords_add(builder, pair, 2, u, NULL), 0);
        if (u % 2 == 1)
            assert_int_equal(keywords_add(builder, &pair[1], 1, 0x10000 + u, NULL), 0);
    }
    struct keywords *keywords = keywords_build(builder, NULL);
    keywords_builder_free(&builder);
    for (uint32_t u = 0; u <= 0xFFFF; u += 13) {
        static struct hits hits;
        hits.count = 0;
        uint16_t units[3] = {0x6C34, (uint16_t)u, 0x6C34};
        assert_int_equal(keywords_scan(keywords, units, 2, collect, &hits), 0);
        assert_int_equal(hits.count, 1 + u % 2);
        assert_int_equal(hits.hit[0].value, u);
        assert_int_equal(hits.hit[0].from, 0);
    }
    keywords_free(&keywords);
}

static void stops_when_told(void **state)
{
    (void)state;
    struct naive naive = {.count = 0};
    naive_add(&naive, "a");
    naive_add(&naive, "aa");
    struct keywords *keywords = build(&naive);
    static struct hits hits;
    hits = (struct hits){.stop_after = 3};
    uint16_t units[8];
    assert_int_equal(keywords_scan(keywords, units, units_of("aaaa", units), collect, &hits), 7);
    assert_int_equal(hits.count, 3);
    keywords_free(&keywords);
}

static void nothing_is_allowed(void **state)
{
    (void)state;
    struct naive none = {.count = 0};
    uint16_t units[8];
    size_t count = units_of("水管漏水", units);
    assert_same(&none, units, count);
    struct naive one = {.count = 0};
    naive_add(&one, "水");
    assert_same(&one, units, 0);
}

static void refuses_bad_keywords(void **state)
{
    (void)state;
    struct keywords_builder *builder = keywords_builder_new();
    uint16_t units[LIMIT_KEYWORD_UNITS + 1] = {1};
    struct err err;
    assert_int_equal(keywords_add(builder, units, 0, 0, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(keywords_add(builder, units, LIMIT_KEYWORD_UNITS + 1, 0, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(keywords_add(builder, units, LIMIT_KEYWORD_UNITS, 0, &err), 0);
    keywords_builder_free(&builder);
    keywords_builder_free(&builder);
}

/* As many keywords as a rule set may have; one more is refused. */
static void a_million_keywords(void **state)
{
    (void)state;
    struct keywords_builder *builder = keywords_builder_new();
    struct err err = {.code = ERR_NONE};
    for (uint32_t i = 0; i < LIMIT_KEYWORDS; i++) {
        uint16_t units[4] = {(uint16_t)(0x4E00 + i % 997), (uint16_t)(0x4E00 + i / 997),
                             (uint16_t)(0x4E00 + i % 7919), (uint16_t)(0x4E00 + i % 13)};
        assert_int_equal(keywords_add(builder, units, 4, i, NULL), 0);
    }
    uint16_t unit = 1;
    assert_int_equal(keywords_add(builder, &unit, 1, 0, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    struct keywords *keywords = keywords_build(builder, &err);
    assert_non_null(keywords);
    keywords_builder_free(&builder);
    for (uint32_t i = 0; i < LIMIT_KEYWORDS; i += 4999) {
        static struct hits hits;
        hits.count = 0;
        uint16_t units[4] = {(uint16_t)(0x4E00 + i % 997), (uint16_t)(0x4E00 + i / 997),
                             (uint16_t)(0x4E00 + i % 7919), (uint16_t)(0x4E00 + i % 13)};
        assert_int_equal(keywords_scan(keywords, units, 4, collect, &hits), 0);
        assert_int_equal(hits.count, 1);
        assert_int_equal(hits.hit[0].value, i);
    }
    keywords_free(&keywords);
}

static struct keywords *try_build(void)
{
    struct keywords_builder *builder = keywords_builder_new();
    struct keywords *keywords = NULL;
    int bad = builder == NULL;
    for (uint16_t i = 0; i < 200 && !bad; i++) {
        uint16_t units[3] = {i, (uint16_t)(i * 7), 3};
        bad = keywords_add(builder, units, 3, i, NULL) != 0;
    }
    struct err err = {.code = ERR_NONE};
    if (!bad) {
        keywords = keywords_build(builder, &err);
        assert_true(keywords != NULL || err.code == ERR_NOMEM);
    }
    keywords_builder_free(&builder);
    return keywords;
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct keywords *keywords = NULL;
    uint64_t n = 0;
    while (keywords == NULL) {
        mem_fail_at(++n);
        keywords = try_build();
        mem_fail_at(0);
    }
    assert_true(n > 15);
    keywords_free(&keywords);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_overlaps_in_order),
        cmocka_unit_test(equals_the_naive_matcher),
        cmocka_unit_test(repeated_units),
        cmocka_unit_test(wide_nodes),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(nothing_is_allowed),
        cmocka_unit_test(refuses_bad_keywords),
        cmocka_unit_test(a_million_keywords),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
