/* The array of hits: every form of the search against a naive one, at every place a text may begin
 * and end, and within its bound of work. */
#include "classifiers/keywords.h"
#include "classifiers/keywords_private.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void hits_add(struct keywords_hits *hits, struct keywords_found hit)
{
    if (hits->count == hits->capacity) {
        hits->capacity = hits->capacity * 2 + 64;
        hits->items = mem_resize(hits->items, hits->capacity, sizeof *hits->items);
        assert_non_null(hits->items);
    }
    hits->items[hits->count++] = hit;
}

/* By keyword, then by place. */
static void naive_find(const struct naive *naive, const uint16_t *units, size_t count,
                       struct keywords_hits *hits)
{
    for (size_t k = 0; k < naive->count; k++)
        for (size_t at = 0; at + naive->length[k] <= count; at++)
            if (memcmp(naive->units[k], units + at, naive->length[k] * sizeof *units) == 0)
                hits_add(hits,
                         keywords_found_at((uint32_t)at, (uint32_t)naive->length[k], (uint32_t)k));
}

static int by_value_then_place(const void *left, const void *right)
{
    const struct keywords_found *a = left;
    const struct keywords_found *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

/* The hits of one keyword are asked for in the order of the text. */
static void assert_in_order(const struct keywords_hits *hits)
{
    uint32_t next[MOST_KEYWORDS] = {0};
    for (size_t i = 0; i < hits->count; i++) {
        assert_true(hits->items[i].from >= next[hits->items[i].value]);
        next[hits->items[i].value] = hits->items[i].from + 1;
    }
}

static void assert_same(const struct keywords_hits *a, const struct keywords_hits *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].from, b->items[i].from);
        assert_int_equal(a->items[i].value, b->items[i].value);
        assert_int_equal(a->items[i].length, b->items[i].length);
    }
}

/* One matcher for each form that this processor has. */
struct forms {
    struct keywords *of[CPU_LEVELS];
};

static struct forms forms_build(const struct naive *naive)
{
    struct keywords_builder *builder = naive_builder(naive);
    struct forms forms = {{NULL}};
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        forms.of[level] = keywords_build_for(builder, level, NULL);
        assert_non_null(forms.of[level]);
        assert_int_equal(keywords_level(forms.of[level]), level);
        assert_int_equal(keywords_count(forms.of[level]), naive->count);
    }
    keywords_builder_free(&builder);
    return forms;
}

static void forms_free(struct forms *forms)
{
    for (int level = 0; level < CPU_LEVELS; level++)
        keywords_free(&forms->of[level]);
}

/* All forms find what the naive one finds, in one and the same order, with bounded work. */
static void check(const struct naive *naive, const struct forms *forms, const uint16_t *units,
                  size_t count)
{
    static struct keywords_hits expected, found, first;
    expected.count = 0;
    naive_find(naive, units, count, &expected);
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        struct keywords_hits *hits = level == CPU_PORTABLE ? &first : &found;
        uint64_t steps = 0;
        hits->count = 0;
        assert_int_equal(keywords_find_counted(forms->of[level], units, count, hits, &steps), 0);
        assert_true(steps <= count * (LIMIT_KEYWORD_UNITS + 2));
        assert_in_order(hits);
        if (level == CPU_PORTABLE) {
            found.count = 0;
            for (size_t i = 0; i < first.count; i++)
                hits_add(&found, first.items[i]);
            qsort(found.items, found.count, sizeof *found.items, by_value_then_place);
            assert_same(&found, &expected);
        } else {
            assert_same(&found, &first);
        }
    }
}

static void naive_add_random(struct naive *naive, struct random *r, size_t longest, uint16_t base,
                             uint64_t alphabet)
{
    uint16_t *units = naive->units[naive->count];
    size_t length = 1 + (size_t)random_below(r, longest);
    size_t shared = 0;
    /* Every other one begins like one before it, or is the same. */
    if (naive->count > 0 && random_below(r, 2) == 0) {
        size_t other = (size_t)random_below(r, naive->count);
        shared = (size_t)random_below(r, naive->length[other] + 1);
        if (shared > length)
            length = shared;
        memcpy(units, naive->units[other], shared * sizeof *units);
    }
    for (size_t i = shared; i < length; i++)
        units[i] = (uint16_t)(base + random_below(r, alphabet));
    naive->length[naive->count++] = length;
}

static void equals_the_naive_search(void **state)
{
    (void)state;
    struct random r = {1975};
    for (int round = 0; round < 1500; round++) {
        uint64_t alphabet = 1 + random_below(&r, 5);
        size_t longest = 1 + (size_t)random_below(&r, round % 4 == 0 ? LIMIT_KEYWORD_UNITS : 6);
        /* Also the units at the ends of the range, which tables could forget. */
        uint16_t base = (uint16_t)(round % 3 == 0 ? 0 : round % 3 == 1 ? 0xFFFB : 0x6C34);
        struct naive naive = {.count = 0};
        size_t wanted = (size_t)random_below(&r, round % 10 == 0 ? MOST_KEYWORDS : 24);
        while (naive.count < wanted)
            naive_add_random(&naive, &r, longest, base, alphabet);
        struct forms forms = forms_build(&naive);
        uint16_t units[1200];
        size_t count = (size_t)random_below(&r, round % 10 == 1 ? 1200 : 200);
        for (size_t i = 0; i < count; i++)
            units[i] = (uint16_t)(base + random_below(&r, alphabet));
        check(&naive, &forms, units, count);
        forms_free(&forms);
    }
}

static const char chinese[] =
    "小区燃气泄漏，水管漏水，电梯困人被困😀燃气。楼上邻居天天半夜装修噪音扰民，物业不作为，"
    "业主多次投诉无果；地下车库漏水严重，消防通道被占用，电动车违规充电，请有关部门尽快处理！"
    "小区门口的夜市油烟噪音扰民，晚上十二点还在营业，请城管部门管管。自来水浑浊有异味，"
    "供暖温度不达标，物业推诿，居民反映强烈。";

/* Pieces of a text as keywords, each part of the text as the text. */
static void real_text(void **state)
{
    (void)state;
    uint16_t units[sizeof chinese];
    size_t count = units_of(chinese, units);
    struct random r = {2008};
    for (int round = 0; round < 20; round++) {
        struct naive naive = {.count = 0};
        while (naive.count < MOST_KEYWORDS) {
            size_t length = 1 + (size_t)random_below(&r, 8);
            size_t from = (size_t)random_below(&r, count - length);
            memcpy(naive.units[naive.count], units + from, length * sizeof *units);
            naive.length[naive.count++] = length;
        }
        struct forms forms = forms_build(&naive);
        for (size_t from = 0; from < count; from++) {
            size_t length = (size_t)random_below(&r, count - from) + 1;
            check(&naive, &forms, units + from, length);
        }
        forms_free(&forms);
    }
}

/* Texts of every length up to 80 units, that begin at every alignment or end where the next page
 * may not be read, and begin behind one that may not. */
static void stays_within_the_text(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages, page, PROT_NONE), 0);
    assert_int_equal(mprotect(pages + 2 * page, page, PROT_NONE), 0);
    uint16_t *begin = (uint16_t *)(void *)(pages + page);
    uint16_t *end = (uint16_t *)(void *)(pages + 2 * page);
    struct random r = {4096};
    for (int round = 0; round < 12; round++) {
        struct naive naive = {.count = 0};
        while (naive.count < 60)
            naive_add_random(&naive, &r, round % 2 == 0 ? 5 : LIMIT_KEYWORD_UNITS, 0, 2);
        struct forms forms = forms_build(&naive);
        for (uint16_t *u = begin; u < end; u++)
            *u = (uint16_t)random_below(&r, 2);
        for (size_t count = 0; count <= 80; count++) {
            check(&naive, &forms, end - count, count);
            check(&naive, &forms, begin, count);
            check(&naive, &forms, begin + 1 + count % 32, count);
        }
        forms_free(&forms);
    }
    munmap(pages, 3 * page);
}

/* All of a, aa, .. in a text of a: as many hits as can be, and the most work for each place. */
static void repeated_units(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct naive naive;
    uint16_t *units = naive_repeat(&naive, COUNT);
    struct forms forms = forms_build(&naive);
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        struct keywords_hits hits = {.items = NULL};
        uint64_t steps = 0;
        assert_int_equal(keywords_find_counted(forms.of[level], units, COUNT, &hits, &steps), 0);
        assert_int_equal(hits.count, naive_repeat_hits(COUNT));
        assert_true(steps <= (uint64_t)COUNT * (LIMIT_KEYWORD_UNITS + 2));
        keywords_hits_free(&hits);
        assert_null(hits.items);
    }
    forms_free(&forms);
    mem_free(units);
}

/* Many keywords that differ only in their last unit, in a text that goes all the way with them at
 * every place, and never gets one. */
static void long_shared_prefixes(void **state)
{
    (void)state;
    enum { COUNT = 20000, KEYWORDS = 20000 };
    uint16_t *units = mem_alloc(COUNT * sizeof *units);
    assert_non_null(units);
    for (size_t i = 0; i < COUNT; i++)
        units[i] = 0x4E00;
    struct keywords_builder *builder = keywords_builder_new();
    for (uint32_t i = 0; i < KEYWORDS; i++) {
        uint16_t keyword[LIMIT_KEYWORD_UNITS];
        for (size_t u = 0; u < LIMIT_KEYWORD_UNITS; u++)
            keyword[u] = 0x4E00;
        keyword[LIMIT_KEYWORD_UNITS - 1] = (uint16_t)(0x4E01 + i);
        assert_int_equal(keywords_add(builder, keyword, LIMIT_KEYWORD_UNITS, i, NULL), 0);
    }
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        struct keywords *keywords = keywords_build_for(builder, level, NULL);
        struct keywords_hits hits = {.items = NULL};
        uint64_t steps = 0;
        units[COUNT / 2] = 0x4E01;
        assert_int_equal(keywords_find_counted(keywords, units, COUNT, &hits, &steps), 0);
        assert_int_equal(hits.count, 1);
        assert_int_equal(hits.items[0].from, COUNT / 2 - (LIMIT_KEYWORD_UNITS - 1));
        assert_int_equal(hits.items[0].value, 0);
        assert_int_equal(hits.items[0].length, LIMIT_KEYWORD_UNITS);
        /* It is the worst case: nearly every place takes every step. */
        assert_true(steps <= (uint64_t)COUNT * (LIMIT_KEYWORD_UNITS + 2));
        assert_true(steps > (uint64_t)COUNT * (LIMIT_KEYWORD_UNITS - 2));
        keywords_hits_free(&hits);
        keywords_free(&keywords);
    }
    keywords_builder_free(&builder);
    mem_free(units);
}

/* One keyword many times over: each value is reported, in the order in which they were added. */
static void duplicates(void **state)
{
    (void)state;
    struct keywords_builder *builder = keywords_builder_new();
    const uint16_t units[] = {'a', 'b', 'a', 'b', 'c'};
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(keywords_add(builder, units, 2, i, NULL), 0);
        assert_int_equal(keywords_add(builder, units, 1, 1000 + i, NULL), 0);
    }
    assert_int_equal(keywords_add(builder, units, 5, 2000, NULL), 0);
    for (enum cpu_level level = CPU_PORTABLE; level <= cpu_level(); level++) {
        struct keywords *keywords = keywords_build_for(builder, level, NULL);
        struct keywords_hits hits = {.items = NULL};
        assert_int_equal(keywords_find(keywords, units, 5, &hits), 0);
        assert_int_equal(hits.count, 4001);
        size_t n = 0;
        for (size_t i = 0; i < hits.count; i++)
            if (hits.items[i].from == 2 && hits.items[i].length == 2)
                assert_int_equal(hits.items[i].value, n++);
        assert_int_equal(n, 1000);
        keywords_hits_free(&hits);
        keywords_free(&keywords);
    }
    keywords_builder_free(&builder);
}

/* The array keeps its memory, is appended to, and says when it cannot grow. */
static void array_grows(void **state)
{
    (void)state;
    struct naive naive = {.count = 2, .length = {1, 3}, .units = {{'a'}, {'a', 'a', 'a'}}};
    struct forms forms = forms_build(&naive);
    struct keywords *keywords = forms.of[cpu_level()];
    uint16_t units[700];
    for (size_t i = 0; i < 700; i++)
        units[i] = 'a';
    struct keywords_hits hits = {.items = NULL};
    uint64_t n = 0;
    int bad = -1;
    while (bad != 0) {
        mem_fail_at(++n);
        hits.count = 0;
        bad = keywords_find(keywords, units, 700, &hits);
        mem_fail_at(0);
        if (bad != 0)
            keywords_hits_free(&hits);
    }
    assert_true(n > 1);
    assert_int_equal(hits.count, 700 + 698);
    size_t capacity = hits.capacity;
    assert_int_equal(keywords_find(keywords, units, 3, &hits), 0);
    assert_int_equal(hits.count, 700 + 698 + 4);
    assert_int_equal(hits.items[700 + 698].from, 0);
    hits.count = 0;
    assert_int_equal(keywords_find(keywords, units, 700, &hits), 0);
    assert_true(hits.capacity >= capacity);
    keywords_hits_free(&hits);
    forms_free(&forms);
}

/* As many as a rule set may have, of which many share their beginnings. */
static void a_million_keywords(void **state)
{
    (void)state;
    struct keywords_builder *builder = keywords_builder_new();
    uint16_t units[6];
    for (uint32_t i = 0; i < LIMIT_KEYWORDS; i++) {
        for (uint32_t u = 0, rest = i; u < 6; u++, rest /= 10)
            units[u] = (uint16_t)(0x4E00 + rest % 10);
        assert_int_equal(keywords_add(builder, units, 6, i, NULL), 0);
    }
    struct keywords *keywords = keywords_build(builder, NULL);
    assert_non_null(keywords);
    keywords_builder_free(&builder);
    uint16_t text[20000];
    struct random r = {1000000};
    for (size_t i = 0; i < 20000; i++)
        text[i] = (uint16_t)(0x4E00 + random_below(&r, 10));
    struct keywords_hits hits = {.items = NULL};
    assert_int_equal(keywords_find(keywords, text, 20000, &hits), 0);
    assert_int_equal(hits.count, 20000 - 5);
    for (size_t i = 0; i < hits.count; i++) {
        uint32_t value = 0;
        for (uint32_t u = 6; u > 0; u--)
            value = value * 10 + text[hits.items[i].from + u - 1] - 0x4E00u;
        assert_int_equal(hits.items[i].value, value);
        assert_true(i % KEYWORDS_BLOCK == 0 || hits.items[i].from > hits.items[i - 1].from);
    }
    keywords_hits_free(&hits);
    keywords_free(&keywords);
}

int main(void)
{
    if (cpu_level() < CPU_AVX512)
        printf("this processor has no AVX-512: %s is the highest form tested\n",
               cpu_level_name(cpu_level()));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_naive_search),
        cmocka_unit_test(real_text),
        cmocka_unit_test(stays_within_the_text),
        cmocka_unit_test(repeated_units),
        cmocka_unit_test(long_shared_prefixes),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(array_grows),
        cmocka_unit_test(a_million_keywords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
