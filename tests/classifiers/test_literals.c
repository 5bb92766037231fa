/*
 * What a text must hold for a pattern to match: a table, an oracle (PCRE2 itself, on random
 * patterns and texts), and classification with and without the filter made of it.
 */
#include "classifiers/hint.h"
#include "classifiers/literals.h"
#include "classifiers/regex.h"
#include "classifiers/regex_fold.h"
#include "classifiers/rules_build.h"
#include "classifiers/text.h"
#include "engine/base/buf.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "tests/classifiers/support_classify.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new(4096);
    return arena == NULL ? -1 : 0;
}

static int drop_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* The sets of a pattern that must compile. They live until the next call. */
static const struct literals *derive(const char *pattern)
{
    static struct literals literals;
    struct regex_folded folded = {.units = NULL};
    struct err err = {0};
    if (regex_fold(span_str(pattern), &folded, &err) != 0)
        fail_msg("%s: %s", pattern, err.text);
    arena_reset(arena);
    assert_int_equal(literals_of(folded.units, folded.count, arena, &literals), 0);
    regex_folded_free(&folded);
    return &literals;
}

/* "a b / c d": the sets, best first. */
static const char *show(const struct literals *literals)
{
    static char out[8192];
    char *to = out;
    for (size_t s = 0; s < literals->count; s++) {
        to += sprintf(to, "%s", s == 0 ? "" : " / ");
        for (size_t i = 0; i < literals->sets[s].count; i++) {
            const struct literal *literal = &literals->sets[s].list[i];
            char word[64];
            to += sprintf(to, "%s%s", i == 0 ? "" : " ",
                          units_show(literal->units, literal->count, word));
        }
    }
    *to = '\0';
    return out;
}

static void sets_are_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *sets;
    } cases[] = {
        {"漏水", "漏水"},
        {"漏氣", "漏气"},
        {"WiFi", "wifi"},
        {"漏水|停电", "停电 漏水"},
        {"漏.水", "漏 / 水"},
        {"(漏|渗)水", "渗水 漏水"},
        {"(正在|突然).{0,8}(着火|冒烟)", "正在 突然 / 冒烟 着火"},
        {"(正在|若).{0,8}(着火|冒烟)", "冒烟 着火"},
        {"漏水.*", "漏水"},
        {".*漏水", "漏水"},
        {"漏水?", "漏"},
        {"漏水*", "漏"},
        {"漏水+", "漏水"},
        {"(漏水){2}", "漏水漏水"},
        {"(漏水){2,}停", "漏水漏水停"},
        {"(漏水)?停电", "停电"},
        {"(漏水){0,3}停电", "停电"},
        {"(漏水){0}停电", "停电"},
        {"漏{0,1}", ""},
        {"水{3}", "水水水"},
        {"水{12}", "水水水水水水水水"},
        {"一二三四五六七八九十", "一二三四五六七八"},
        {"[水电]费", "水费 电费"},
        {"[^水]电费", "电费"},
        {"[]水]费", "]费 水费"},
        {"[^]水]费用", "费用"},
        {"[a-c]栋", "a栋 b栋 c栋"},
        {"[一-龥]小区", "小区"},
        {"[水[:digit:]]小区", "小区"},
        {"[水\\d]区", "0区 1区 2区 3区 4区 5区 6区 7区 8区 9区 水区"},
        {"[a-]栋", "-栋 a栋"},
        {"[a\\-c]栋", "-栋 a栋 c栋"},
        {"[\\]]栋", "]栋"},
        {"[\\x{6c34}\\x61]栋", "a栋 水栋"},
        {"\\d年", "0年 1年 2年 3年 4年 5年 6年 7年 8年 9年"},
        {"\\d+", "0 1 2 3 4 5 6 7 8 9"},
        {"\\D小区\\w", "小区"},
        {"\\p{Han}小区\\pL\\PL", "小区"},
        {"\\b小区\\b", "小区"},
        {"^小区$", "小区"},
        {"\\A小\\b区\\z", "小区"},
        {"小区\\.", "小区."},
        {"\\x{6c34}\\x{7535}", "水电"},
        {"𠮷a", "𠮷a"},
        {"[𠮷𠮸]a", "𠮷a 𠮸a"},
        {"公房(?!地)", "公房"},
        {"公(?=房)房", "公房"},
        {"(?<!办)公房", "公房"},
        {"(?<=办)公房", "公房"},
        {"(?:水|电)费", "水费 电费"},
        {"(?<a>水)费\\k<a>", "水费"},
        {"(水|电)费\\1", "水费 电费"},
        {"(?>水|水电)费", "水电费 水费"},
        {"(?|水|电)费", "水费 电费"},
        {"水电++费", "水电 / 电费"},
        {"水电*?费用", "费用"},
        {"水电|水", "水"},
        {"水电|.", ""},
        {"水电|停?", ""},
        {"水|\\w", ""},
        {"停(水|.电|气{1,2})了", "停 / 了 / 气 水 电"},
        {"((停水|停电).{0,3}(小时|天天)){1,2}", "停水 停电 / 天天 小时"},
        {"(水.电费|火.气费)", "气费 电费"},
        {".{3}", ""},
        /* What is not looked through. */
        {"(?i)漏水", ""},
        {"(?i:漏水)", ""},
        {"(?x) 漏 水", ""},
        {"漏水(?#注)?", ""},
        {"漏\\K水", ""},
        {"(漏)(?(1)水|电)", ""},
        {"水\\E?", ""},
        {"a\\g{-1}", ""},
        {"漏水{}", ""},
        {"漏水{,3}", ""},
        {"(漏水){2}{3}", ""},
        {"(漏水", ""},
        {"漏水)", ""},
        {"[漏水", ""},
        {"漏水\\", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = show(derive(cases[i].pattern));
        if (strcmp(found, cases[i].sets) != 0)
            fail_msg("%s: “%s”, not “%s”", cases[i].pattern, found, cases[i].sets);
    }
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct buf pattern = {0};
    for (int i = 0; i < LIMIT_REGEX_LITERAL_DEPTH; i++)
        buf_str(&pattern, "(");
    buf_str(&pattern, "水电");
    for (int i = 0; i < LIMIT_REGEX_LITERAL_DEPTH; i++)
        buf_str(&pattern, ")");
    assert_string_equal(show(derive(buf_cstr(&pattern))), "水电");
    buf_clear(&pattern);
    for (int i = 0; i <= LIMIT_REGEX_LITERAL_DEPTH; i++)
        buf_str(&pattern, "(");
    buf_str(&pattern, "水电");
    for (int i = 0; i <= LIMIT_REGEX_LITERAL_DEPTH; i++)
        buf_str(&pattern, ")");
    assert_string_equal(show(derive(buf_cstr(&pattern))), "");
    buf_free(&pattern);

    /* Large for words of two units, small when a small set does as well. */
    const struct literals *literals = derive("[\\x{5000}-\\x{501d}][a-z].");
    assert_int_equal(literals->sets[0].count, 30 * 26);
    assert_int_equal(literals->sets[0].list[0].count, 2);
    literals = derive("[a-z]{3}[\\x{5000}-\\x{503f}]{2}");
    for (size_t i = 0; i < literals->count; i++)
        assert_true(literals->sets[i].count <= LIMIT_REGEX_SET_LITERALS);
    assert_string_equal(show(derive("[\\x{5000}-\\x{5040}]")), "");
    literals = derive("ab.cd.ef.gh.ij.kl");
    assert_int_equal(literals->count, LIMIT_REGEX_SETS);
}

/* --- the oracle --- */

static const char *const symbols[] = {"水", "火", "a", "1", " "};

/* Appends a random pattern. */
static void make_pattern(struct random *random, struct buf *out, int depth)
{
    static const char *const atoms[] = {
        "水",     "火",  "a",    "1",        "\\d", ".",   "\\w", "[水a]", "[^水]",  "\\x{706b}",
        "[a火1]", "\\b", "水火", "\\p{Han}", "a1",  "\\1", "^",   "$",     "[\\d水]"};
    static const char *const openings[] = {"(", "(", "(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!"};
    static const char *const counts[] = {"?",    "*",  "+",  "{2}", "{1,2}", "{0,2}",
                                         "{2,}", "??", "+?", "?+",  "{3}",   "{0}"};
    size_t terms = 1 + random_below(random, 4);
    for (size_t i = 0; i < terms; i++) {
        if (i > 0 && random_below(random, 4) == 0)
            buf_str(out, "|");
        if (depth > 0 && random_below(random, 3) == 0) {
            buf_str(out, openings[random_below(random, sizeof openings / sizeof *openings)]);
            make_pattern(random, out, depth - 1);
            buf_str(out, ")");
        } else {
            buf_str(out, atoms[random_below(random, sizeof atoms / sizeof *atoms)]);
        }
        if (random_below(random, 4) == 0)
            buf_str(out, counts[random_below(random, sizeof counts / sizeof *counts)]);
    }
}

/* Whether one of a set's literals ends within its lead. */
static bool meets(const struct literal_set *set, const uint16_t *units, size_t count)
{
    if (set->lead != 0 && set->lead < count)
        count = set->lead;
    for (size_t i = 0; i < set->count; i++) {
        const struct literal *literal = &set->list[i];
        for (size_t at = 0; at + literal->count <= count; at++)
            if (memcmp(units + at, literal->units, literal->count * sizeof *units) == 0)
                return true;
    }
    return false;
}

enum { PADDING = 20 }; /* in a shorter text a hint does not look */

/* Searches random texts; every match must meet every set. Returns how many matches there were. */
static size_t check_pattern(struct random *random, const char *pattern, const struct regex *regex,
                            struct regex_scratch *scratch, const struct literals *literals)
{
    size_t matches = 0;
    for (int i = 0; i < 40; i++) {
        char utf8[64] = "";
        uint16_t padded[PADDING + 64] = {0}, *units = padded + PADDING;
        for (size_t n = random_below(random, 14); n > 0; n--)
            strcat(utf8, symbols[random_below(random, sizeof symbols / sizeof *symbols)]);
        size_t count = units_of(utf8, units), from, to;
        for (size_t at = 0; at < count; at++) {
            if (regex_search(regex, scratch, units, count, at, &from, &to) != REGEX_MATCH)
                break;
            matches++;
            if (literals->longest != 0 && to - from > literals->longest)
                fail_msg("%s matches “%s” from %zu to %zu, more than %zu", pattern, utf8, from, to,
                         literals->longest);
            for (size_t s = 0; s < literals->count + literals->others; s++) {
                struct hint hint;
                hint_make(&hint, &literals->sets[s]);
                if (!meets(&literals->sets[s], units + from, to - from))
                    fail_msg("%s matches “%s” from %zu to %zu without “%s”", pattern, utf8, from,
                             to, show(literals));
                if (!hint_allows(&hint, padded, PADDING + count, PADDING + at, PADDING + from))
                    fail_msg("%s matches “%s” from %zu to %zu against a hint", pattern, utf8, from,
                             to);
            }
        }
    }
    return matches;
}

static void a_match_meets_every_set(void **state)
{
    (void)state;
    struct random random = {20260411};
    struct regex_scratch *scratch = regex_scratch_new(NULL);
    assert_non_null(scratch);
    struct buf pattern = {0};
    size_t checked = 0, matches = 0;
    for (int i = 0; i < 12000; i++) {
        buf_clear(&pattern);
        make_pattern(&random, &pattern, 3);
        struct regex *regex = regex_compile(span_str(buf_cstr(&pattern)), NULL);
        if (regex == NULL)
            continue;
        const struct literals *literals = derive(buf_cstr(&pattern));
        if (literals->count > 0) {
            checked++;
            matches += check_pattern(&random, buf_cstr(&pattern), regex, scratch, literals);
        }
        regex_free(&regex);
    }
    assert_true(checked > 2000);
    assert_true(matches > 50000);
    buf_free(&pattern);
    regex_scratch_free(&scratch);
}

static void a_hint_says_no(void **state)
{
    (void)state;
    const struct literals *literals = derive("(道路|马路).{0,8}(破损|坑|烂|塌)");
    assert_int_equal(literals->count, 1);
    assert_int_equal(literals->others, 1);
    struct hint hint;
    hint_make(&hint, &literals->sets[1]);
    uint16_t units[64];
    size_t count = units_of("这条马路两边的路灯都坏了，没有人修，晚上很黑，老人都不敢出门，请派人看"
                            "看，还有人说那边有坑，谢谢",
                            units);
    size_t pit = 0;
    while (units[pit] != 0x5751) /* 坑 */
        pit++;
    const size_t lead = hint.lead, block = 16; /* a look may be a block too far */
    assert_true(pit > lead + block);
    for (size_t at = 0; at <= pit; at++)
        if (at + lead > pit)
            assert_true(hint_allows(&hint, units, count, at, at));
        else if (at + lead + block <= pit)
            assert_false(hint_allows(&hint, units, count, at, at));
    assert_true(hint_allows(&hint, units, count, 0, pit));
    assert_true(hint_allows(&hint, units, 3, 0, 2)); /* too short to look */
}

static void what_ends_with_the_text_is_known(void **state)
{
    (void)state;
    static const char *const at_end[] = {"吗$", "(吗|么)[?!]?$", "吗$|么$", "(?:a{2})$"};
    static const char *const anywhere[] = {"吗$|么", "吗|么$", "(吗$)", "吗\\$",
                                           "吗[$]",  "吗$b",   "吗$?"};
    for (size_t i = 0; i < sizeof at_end / sizeof *at_end; i++)
        assert_true(derive(at_end[i])->at_end);
    for (size_t i = 0; i < sizeof anywhere / sizeof *anywhere; i++)
        assert_false(derive(anywhere[i])->at_end);
}

static void the_longest_match_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t longest;
    } rows[] = {
        {"垃圾.{0,8}没人(清|管理)", 2 + 16 + 2 + 2},
        {"漏水|停电了", 3},
        {"(?:漏|\\d)水{2,3}", 1 + 3},
        {"(?:漏|\\w)水{2,3}", 2 + 3},
        {"(?<=楼上)漏水(?!了)$", 2},
        {"[^,。]{0,6}漏\\b", 12 + 1},
        {"漏.*水", 0},
        {"(漏)水\\1", 0},
        {"漏\\X水", 0},
        {"漏{3,}", 0},
        {"(?i)漏水", 0},
        {"𠮷(?:家|𠮷)", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (derive(rows[i].pattern)->longest != rows[i].longest)
            fail_msg("%s: %zu", rows[i].pattern, derive(rows[i].pattern)->longest);
}

static void a_literal_ends_within_its_lead(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t lead[2]; /* of the sets, best first */
    } rows[] = {
        {"(垃圾|粪).{0,8}没人(清|管理)", {1 + 2 + 16 + 2 + 1}},
        {"垃圾.{0,8}没人管", {2 + 16 + 3, 2}},
        {"(垃圾|楼道里?).*没人", {0, 3}},
        {"(?<=楼上)漏水(?!了).{3}停电", {2, 2 + 6 + 2}},
        {"(漏水){2,3}.停电", {2 * 2}},
        {"[水电]{2,3}.停电", {3 + 2 + 2, 2}},
        {"水{2,}停", {0}},
        {"一二三四五六七八九十", {8}},
        {"(漏水|.{4}停电)了", {10}},
        {"(漏.|停电.?|火).{2}", {2}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct literals *literals = derive(rows[i].pattern);
        for (size_t s = 0; s < literals->count && s < 2; s++)
            if (literals->sets[s].lead != rows[i].lead[s])
                fail_msg("%s: set %zu: %zu", rows[i].pattern, s, literals->sets[s].lead);
    }
}

static void no_memory_is_said(void **state)
{
    (void)state;
    static const char *const pattern = "((水|电){2}[a-z]?费|气.{0,3}管道(漏|破)+)x";
    uint16_t units[128];
    size_t count = units_of(pattern, units);
    struct literals literals;
    uint64_t n = 0;
    int done;
    do {
        struct arena *small = arena_new(256);
        assert_non_null(small);
        mem_fail_at(++n);
        done = literals_of(units, count, small, &literals);
        mem_fail_at(0);
        if (done == 0)
            assert_true(literals.count > 0);
        arena_free(&small);
    } while (done != 0);
    assert_true(n > 5);
}

/* --- classification --- */

static void regexes_without_literals_are_counted(void **state)
{
    struct fixture *f = *state;
    put(f, "tags.yaml",
        "rules:\n  - tag: t\n    name: t\n    regexes: ['\\w{3}', '.{9}', '水管']\n");
    compile(f);
    struct rules_count before = rules_count(f->rules);
    assert_int_equal(before.regexes_unfiltered, 2);
    assert_int_equal(say(f, "", "水管")->tag_count, 1);
    assert_int_equal(say(f, "", "123")->tag_count, 1);
    assert_int_equal(say(f, "", "水")->tag_count, 0);
    put(f, "tags.yaml",
        "rules:\n  - tag: t\n    name: t\n    keywords: [水管]\n"
        "    regexes: ['\\w{3}', '.{9}', '(水管|电线)断']\n");
    compile(f);
    struct rules_count after = rules_count(f->rules);
    assert_int_equal(after.regexes_unfiltered, 2);
    assert_int_equal(after.regexes, before.regexes);
    assert_int_equal(after.keywords, before.keywords + 1);
}

static void an_unless_without_literals_counts(void **state)
{
    struct fixture *f = *state;
    put(f, "urgency.yaml",
        "default: blue\nrules:\n  - level: red\n    keywords: [着火]\n    unless: ['\\w{4}']\n");
    compile(f);
    assert_int_equal(rules_count(f->rules).regexes_unfiltered, 1);
    assert_int_equal(say(f, "", "着火abc")->urgency, URGENCY_RED);
    assert_int_equal(say(f, "", "着火abcd")->urgency, URGENCY_BLUE);
}

/* Keywords that fill the matcher leave room for the literals of one regex only. */
static void regexes_run_when_their_literals_find_no_room(void **state)
{
    (void)state;
    struct err err = {0};
    struct rules_builder *builder = rules_builder_new(RULES_ALL, &err);
    assert_non_null(builder);
    uint32_t target =
        rules_builder_target(builder, &(struct rules_target){.what = EVIDENCE_TAG}, &err);
    for (int i = 0; i < LIMIT_KEYWORDS - 1; i++) {
        char word[16];
        snprintf(word, sizeof word, "%05x", (unsigned)i);
        struct rules_pattern keyword = {.text = span_str(word), .weight = 1};
        assert_int_equal(rules_builder_keyword(builder, target, &keyword, &err), 0);
    }
    struct rules_pattern one = {.text = SPAN("水管"), .weight = 1};
    struct rules_pattern two = {.text = SPAN("(水|电)费"), .weight = 1};
    assert_int_equal(rules_builder_regex(builder, target, &one, &err), 0);
    assert_int_equal(rules_builder_regex(builder, target, &two, &err), 0);
    struct rules *rules = rules_builder_freeze(builder, &err);
    assert_non_null(rules);
    assert_int_equal(rules_count(rules).keywords, LIMIT_KEYWORDS - 1);
    assert_int_equal(rules_count(rules).regexes, 2);
    assert_int_equal(rules_count(rules).regexes_unfiltered, 1);
    rules_builder_free(&builder);
    rules_unref(&rules);
}

/* A rule set whose filters are taken away: every regex runs on every text. */
static void remove_filters(struct rules *rules)
{
    for (size_t i = 0; i < rules->gate_count; i++) {
        rules->gates[i].sets = 0;
        rules->gates[i].at_end = false;
        rules->hints[i].count = 0;
    }
    rules->unfiltered_count = rules->regex_count;
}

static void same_verdict(const struct verdict *a, const struct verdict *b)
{
    assert_true(span_eq(a->category.path, b->category.path));
    assert_int_equal(a->urgency, b->urgency);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->tag_count, b->tag_count);
    for (size_t i = 0; i < a->tag_count; i++)
        assert_true(span_eq(a->tags[i], b->tags[i]));
    assert_number(a->score, b->score);
    assert_number(a->margin, b->margin);
    assert_int_equal(a->secondary_count, b->secondary_count);
    for (size_t i = 0; i < a->secondary_count; i++)
        assert_true(span_eq(a->secondary[i].path, b->secondary[i].path));
    assert_true(span_eq(a->sla, b->sla));
    assert_true(span_eq(a->department, b->department));
    assert_true(span_eq(a->review_reason, b->review_reason));
    assert_int_equal(a->evidence_count, b->evidence_count);
    for (size_t i = 0; i < a->evidence_count; i++) {
        const struct evidence *x = &a->evidence[i], *y = &b->evidence[i];
        assert_true(span_eq(x->pattern, y->pattern) && span_eq(x->rule, y->rule));
        assert_number(x->weight, y->weight);
        assert_ptr_equal(x->place.bytes.ptr, y->place.bytes.ptr);
        assert_int_equal(x->place.bytes.len, y->place.bytes.len);
    }
}

/* The repository's rule set with and without filters. */
struct both {
    struct rules *filtered, *plain;
    struct rules_scratch *one, *other;
    size_t found; /* pieces of evidence that came from regexes */
};

static void compare(struct both *both, struct span title, struct span text)
{
    struct verdict a, b;
    struct err err = {0};
    assert_int_equal(classify(both->filtered, both->one, title, text, &a, &err), 0);
    assert_int_equal(classify(both->plain, both->other, title, text, &b, &err), 0);
    same_verdict(&a, &b);
    for (size_t i = 0; i < a.evidence_count; i++)
        both->found += span_find_char(a.evidence[i].pattern, '{') >= 0;
}

/* Appends some of the words between the signs of a pattern, in their order: it nearly matches. */
static void add_words(struct random *random, struct buf *text, struct span pattern)
{
    static const char signs[] = "()[]{}|.?*+\\^$!<";
    while (pattern.len > 0) {
        size_t end = 0;
        while (end < pattern.len && strchr(signs, pattern.ptr[end]) == NULL)
            end++;
        if (random_below(random, 6) == 0)
            buf_append(text, pattern.ptr, end);
        pattern = span_sub(pattern, end + 1, pattern.len);
    }
}

static void compare_random_texts(struct both *both)
{
    const struct rules *rules = both->filtered;
    struct random random = {20260412};
    struct buf text = {0};
    for (int i = 0; i < 3000; i++) {
        buf_clear(&text);
        size_t split = 0;
        for (size_t n = random_below(&random, 12); n > 0; n--) {
            size_t use = random_below(&random, rules->use_count);
            if (random_below(&random, 4) != 0)
                use = rules->regexes[random_below(&random, rules->regex_count)].use;
            add_words(&random, &text, rules->sources[use].pattern);
            if (random_below(&random, 6) == 0)
                split = text.len;
        }
        struct span whole = buf_view(&text);
        compare(both, span_sub(whole, 0, split), span_sub(whole, split, whole.len));
    }
    buf_free(&text);
}

static void compare_file(struct both *both, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[65536];
    while (fgets(line, sizeof line, file) != NULL) {
        struct span rest = span_trim(span_str(line)), title = SPAN("");
        for (int column = 0; column < 8; column++)
            title = span_cut(&rest, '\t');
        compare(both, title, span_cut(&rest, '\t'));
        compare(both, SPAN(""), title);
    }
    assert_int_equal(fclose(file), 0);
}

static void filters_change_no_verdict(void **state)
{
    (void)state;
    struct err err = {0};
    struct both both = {rules_load("rules", &err), rules_load("rules", &err), rules_scratch_new(),
                        rules_scratch_new(), 0};
    assert_true(both.filtered != NULL && both.plain != NULL);
    assert_true(both.one != NULL && both.other != NULL);
    remove_filters(both.plain);
    compare_file(&both, "rules/cases/demo.tsv");
    assert_true(both.found > 100);
    both.found = 0;
    compare_random_texts(&both);

    assert_true(both.found > 1000);
    rules_scratch_free(&both.one);
    rules_scratch_free(&both.other);
    rules_unref(&both.filtered);
    rules_unref(&both.plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_as_the_table_says),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(a_match_meets_every_set),
        cmocka_unit_test(a_hint_says_no),
        cmocka_unit_test(what_ends_with_the_text_is_known),
        cmocka_unit_test(the_longest_match_is_known),
        cmocka_unit_test(a_literal_ends_within_its_lead),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test_setup_teardown(regexes_without_literals_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(an_unless_without_literals_counts, begin, end),
        cmocka_unit_test(regexes_run_when_their_literals_find_no_room),
        cmocka_unit_test(filters_change_no_verdict),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
