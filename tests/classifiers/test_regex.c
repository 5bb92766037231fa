/* Patterns: what they match, how their literals are folded, what is refused and where, and the
 * limits. */
#include "classifiers/regex.h"
#include "classifiers/regex_fold.h"
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct regex_scratch *scratch;

static int make_scratch(void **state)
{
    (void)state;
    scratch = regex_scratch_new(NULL);
    return scratch == NULL ? -1 : 0;
}

static int drop_scratch(void **state)
{
    (void)state;
    regex_scratch_free(&scratch);
    return 0;
}

/* Searches title and body; the match in the words of the text, or NULL. */
static const char *match(const char *pattern, const char *title, const char *body)
{
    static char shown[256];
    struct err err;
    struct regex *regex = regex_compile(span_str(pattern), &err);
    if (regex == NULL)
        fail_msg("%s: %s", pattern, err.text);
    struct text text = {.count = 0};
    assert_int_equal(text_set(&text, span_str(title), span_str(body), &err), 0);
    size_t from = 0;
    size_t to = 0;
    int found = regex_search(regex, scratch, text.units, text.count, 0, &from, &to);
    assert_int_not_equal(found, REGEX_LIMITED);
    if (found == REGEX_MATCH) {
        struct span words = text_place(&text, from, to).bytes;
        memcpy(shown, words.ptr, words.len);
        shown[words.len] = '\0';
    }
    text_free(&text);
    regex_free(&regex);
    assert_null(regex);
    return found == REGEX_MATCH ? shown : NULL;
}

static void matches_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *found; /* NULL: no match */
    } cases[] = {
        {"漏.{0,3}水", "水管漏了点水", "漏了点水"},
        {"漏氣", "燃气漏气", "漏气"},
        {"漏气", "燃氣漏氣", "漏氣"},
        {"WiFi", "小区ＷＩＦＩ不好", "ＷＩＦＩ"},
        {"ＷＩＦＩ", "小区wifi不好", "wifi"},
        {"[Ａ-Ｚ]市", "住在C市", "C市"},
        {"[A-Z]\\d+县", "住在K3县", "K3县"},
        {"[０-９]{3}", "共123元", "123"},
        {"[一-龥]{2}", "a水管b", "水管"},
        {"[^一-龥]+", "水管ab水", "ab"},
        {"（\\d+）", "电话(119)", "(119)"},
        {"（\\d+）", "电话（119）", "（119）"},
        {"a＋b", "aab a+b", "a+b"},
        {"什么？", "什么? 什", "什么?"},
        {"[（）]", "x(y", "("},
        {"\\S+", "  水管 a", "水管"},
        {"\\D+", "12水34", "水"},
        {"\\W", "ab水", "水"},
        {"\\bgas\\b", "水 gas 气", "gas"},
        {"\\p{Han}+", "ab水管cd", "水管"},
        {"\\P{Han}+", "水ab管", "ab"},
        {"\\pL+", "12水ab34", "水ab"},
        {"\\x{6C34}", "漏水", "水"},
        {"\\x41|水", "a水", "水"},
        {"(?<Nummer>\\d)\\k<Nummer>", "12344", "44"},
        {"(?P<Nummer>\\d)(?P=Nummer)", "12344", "44"},
        {"(?'N'\\d)\\g{N}", "12344", "44"},
        {"(\\d)\\1", "12344", "44"},
        {"(?<=漏)水", "下水漏水", "水"},
        {"(?<!漏)气", "漏气燃气", "气"},
        {"水(?=管)", "水水管", "水"},
        {"(?:漏|渗)水", "渗水", "渗水"},
        {"(?i:ABC)", "xabc", "abc"},
        {"(?#Bemerkung)水", "漏水", "水"},
        {"\\QA+B\\E水", "a+b水", "a+b水"},
        {"\\Q（\\E", "水(", "("},
        {"[\\Q]-\\E]+", "a]-b", "]-"},
        {"[]水]+", "a]水", "]水"},
        {"[[:alpha:]]+", "12ab", "ab"},
        {"\\。", "好。", "。"},
        {"\\Ａ", "a", "a"},
        {"\\.\\(", "a.(", ".("},
        {"㎡", "10m2", "m2"},
        {"㎡+", "10m2m2", "m2m2"},
        {"漏\xE2\x80\x8B水", "漏水", "漏水"},
        {"😀", "好😀", "😀"},
        {"[😀-😆]", "😃", "😃"},
        {"𝐀𠮷", "a𠮷", "a𠮷"},
        {".", "😀", "😀"},
        {"水$", "水漏水", "水"},
        {"漏$", "漏水", NULL},
        {"a.b", "a\nb", "a\nb"},
        {"(?(?=水)水管|电)梯?", "水管", "水管"},
        {"(水)?(?(1)管|电)", "电", "电"},
        {"\\N{U+6C34}", "水", "水"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = match(cases[i].pattern, "", cases[i].text);
        if (cases[i].found == NULL ? found != NULL
                                   : found == NULL || strcmp(found, cases[i].found) != 0)
            fail_msg("%s in %s: %s", cases[i].pattern, cases[i].text,
                     found == NULL ? "nothing" : found);
    }
}

static void title_and_body_are_two_texts(void **state)
{
    (void)state;
    assert_null(match("气.?漏", "燃气", "漏了"));
    assert_null(match("气[^a]漏", "燃气", "漏了"));
    assert_null(match("(?s)气[\\s\\S]?漏", "燃气", "漏了"));
    assert_null(match("(?<=气)漏", "燃气", "漏了"));
    assert_string_equal(match("气$", "燃气", "漏了"), "气");
    assert_string_equal(match("^漏", "燃气", "漏了"), "漏");
    assert_string_equal(match("漏.", "燃气", "漏了"), "漏了");
    assert_null(match("气", "", ""));
}

static void search_goes_on_from_start(void **state)
{
    (void)state;
    struct text text = {.count = 0};
    assert_int_equal(text_set(&text, SPAN("漏水"), SPAN("水漏水"), NULL), 0);
    struct regex *regex = regex_compile(SPAN("(?<=漏)水|^水"), NULL);
    static const size_t expected[][2] = {{1, 2}, {3, 4}, {5, 6}};
    size_t start = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t from = 0;
        size_t to = 0;
        assert_int_equal(regex_search(regex, scratch, text.units, text.count, start, &from, &to),
                         REGEX_MATCH);
        assert_int_equal(from, expected[i][0]);
        assert_int_equal(to, expected[i][1]);
        start = to;
    }
    size_t from = 0;
    size_t to = 0;
    assert_int_equal(regex_search(regex, scratch, text.units, text.count, start, &from, &to),
                     REGEX_NO_MATCH);
    regex_free(&regex);
    text_free(&text);
}

static void refuses_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *message;
    } cases[] = {
        {"漏(水", "missing closing parenthesis at character 4 of the pattern"},
        {"漏[水", "missing terminating ] for character class at character 4 of the pattern"},
        {"漏水)", "unmatched closing parenthesis at character 3 of the pattern"},
        {"*漏", "quantifier does not follow a repeatable item at character 1 of the pattern"},
        {"㎡㎡*漏**a+(",
         "quantifier does not follow a repeatable item at character 6 of the pattern"},
        {"水{3,1}", "numbers out of order in {} quantifier at character 6 of the pattern"},
        {"[z-a]", "range out of order in character class at character 2 of the pattern"},
        {"水\\p{Hann}", "unknown property after \\P or \\p at character 10 of the pattern"},
        {"(*UTF)水", "verbs such as (*...) are not allowed; write \\( for a bracket at character 1 "
                     "of the pattern"},
        {"水(*ACCEPT)", "verbs such as (*...) are not allowed; write \\( for a bracket at "
                        "character 2 of the pattern"},
        {"水\\C", "\\C is not allowed; write . for any character at character 2 of the pattern"},
        {"水(?R)?", "a pattern may not call its own groups at character 2 of the pattern"},
        {"(水)(?1)", "a pattern may not call its own groups at character 4 of the pattern"},
        {"(水)(?-1)", "a pattern may not call its own groups at character 4 of the pattern"},
        {"(?<a>水)(?&a)", "a pattern may not call its own groups at character 8 of the pattern"},
        {"(?<a>水)(?P>a)", "a pattern may not call its own groups at character 8 of the pattern"},
        {"(?<a>水)\\g<a>", "a pattern may not call its own groups at character 8 of the pattern"},
        {"水(?C1)", "call-outs are not allowed at character 2 of the pattern"},
        {"[㎡]", "a character that becomes several in normalisation cannot stand in [...]; write "
                 "(...|...) at character 2 of the pattern"},
        {"", "the pattern can match the empty text, so it would match every text; make a part of "
             "it required"},
        {"水?", "the pattern can match the empty text, so it would match every text; make a part "
                "of it required"},
        {"水|", "the pattern can match the empty text, so it would match every text; make a part "
                "of it required"},
        {"漏\xFF", "the pattern is not valid UTF-8"},
        {"水\\", "\\ at end of pattern at character 3 of the pattern"},
        {"[[:ALPHA:]水]", "unknown POSIX class name at character 4 of the pattern"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.code = ERR_NONE};
        struct regex *regex = regex_compile(span_str(cases[i].pattern), &err);
        assert_null(regex);
        assert_int_equal(err.code, ERR_SYNTAX);
        assert_string_equal(err.text, cases[i].message);
    }
    struct err err = {.code = ERR_NONE};
    assert_null(regex_compile(span_of("a\0b", 3), &err));
    assert_string_equal(err.text, "a NUL is not allowed at character 2 of the pattern");
}

static void refuses_long_patterns(void **state)
{
    (void)state;
    char pattern[LIMIT_REGEX_PATTERN_UNITS + 1];
    memset(pattern, 'a', sizeof pattern);
    struct err err;
    struct regex *regex = regex_compile(span_of(pattern, LIMIT_REGEX_PATTERN_UNITS), &err);
    assert_non_null(regex);
    regex_free(&regex);
    assert_null(regex_compile(span_of(pattern, sizeof pattern), &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

/* Patterns that would run for years stop, and are counted. */
static void work_is_bounded(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+[bc]d", "(a|aa)+[bc]d", "(?:a|(?:aa)+)+[bc]d"};
    enum { COUNT = 4000 };
    uint16_t units[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        units[i] = 'a';
    units[COUNT - 1] =
        'd'; /* what the pattern requires is there, in a place where it is of no use */
    units[COUNT - 2] = 'e';
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *regex = regex_compile(span_str(patterns[i]), NULL);
        assert_non_null(regex);
        size_t from = 0;
        size_t to = 0;
        int64_t before = metric_get(METRIC_REGEX_LIMITED);
        assert_int_equal(regex_search(regex, scratch, units, COUNT, 0, &from, &to), REGEX_LIMITED);
        assert_int_equal(metric_get(METRIC_REGEX_LIMITED), before + 1);
        regex_free(&regex);
    }
}

/* A pattern that does a little too much at every place of a long text stops as well. */
static void work_is_bounded_over_all_places(void **state)
{
    (void)state;
    static const char *const patterns[] = {"a.{0,99}b.{0,99}[xy]", "(a|b)*[xy]"};
    enum { COUNT = LIMIT_TEXT_CHARS };
    static uint16_t units[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        units[i] = i % 2 == 0 ? 'a' : 'b';
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *regex = regex_compile(span_str(patterns[i]), NULL);
        assert_non_null(regex);
        size_t from = 0;
        size_t to = 0;
        assert_int_equal(regex_search(regex, scratch, units, COUNT, 0, &from, &to), REGEX_LIMITED);
        /* The same pattern is no trouble in a short text. */
        assert_int_equal(regex_search(regex, scratch, units, 50, 0, &from, &to), REGEX_NO_MATCH);
        regex_free(&regex);
    }
    /* What rules are made of keeps within the bound in the worst of texts. */
    struct regex *usual = regex_compile(SPAN("a.{0,4}b.{0,4}[xy]"), NULL);
    size_t from = 0;
    size_t to = 0;
    assert_int_equal(regex_search(usual, scratch, units, COUNT, 0, &from, &to), REGEX_NO_MATCH);
    regex_free(&usual);
}

static void assert_fold(const char *pattern, const char *expected)
{
    struct regex_folded folded = {.units = NULL};
    struct err err;
    char shown[1024];
    assert_int_equal(regex_fold(span_str(pattern), &folded, &err), 0);
    assert_string_equal(units_show(folded.units, folded.count, shown), expected);
    regex_folded_free(&folded);
}

static void folds_literals_only(void **state)
{
    (void)state;
    assert_fold("漏氣[A-Z]\\S\\W", "漏气[a-z]\\S\\W");
    assert_fold("Ａ（", "\\x{61}\\x{28}");
    assert_fold("㎡?", "(?:\\x{6d}\\x{32})?");
    assert_fold("(?<Name>X)(?'Name2'X)(?P<N3>X)", "(?<Name>x)(?'Name2'x)(?P<N3>x)");
    assert_fold("\\p{Lu}\\P{Lu}\\x{AB}\\k{NAME}\\cA", "\\p{Lu}\\P{Lu}\\x{AB}\\k{NAME}\\cA");
    assert_fold("(?J-U:X)(?#X)", "(?J-U:x)(?#X)");
    assert_fold("[[:^Alpha:]X\\]Y]Z", "[[:^Alpha:]x\\]y]z");
    assert_fold("[^]X]Y", "[^]x]y");
}

/* Whatever the pattern, folding and compiling end in a regex or an error. */
static void survives_broken_patterns(void **state)
{
    (void)state;
    static const char *const parts[] = {"\\", "[", "]", "(", ")", "?", "<", "P", "漏", "Ａ", "{",
                                        "}",  "-", "^", "Q", "E", "*", ":", "'", "㎡", "x",  "k"};
    enum { PARTS = sizeof parts / sizeof *parts };
    for (size_t n = 0; n < PARTS * PARTS * PARTS * 4; n++) {
        char pattern[64] = "";
        size_t rest = n;
        for (int i = 0; i < 4; i++, rest /= PARTS)
            strcat(pattern, parts[(rest + (size_t)i * 5) % PARTS]);
        struct err err = {.code = ERR_NONE};
        struct regex *regex = regex_compile(span_str(pattern), &err);
        assert_true(regex != NULL || (err.code == ERR_SYNTAX && err.text[0] != '\0'));
        regex_free(&regex);
    }
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct regex *regex = NULL;
    struct regex_scratch *mine = NULL;
    uint64_t n = 0;
    while (regex == NULL || mine == NULL) {
        struct err err = {.code = ERR_NONE};
        regex_free(&regex);
        regex_scratch_free(&mine);
        mem_fail_at(++n);
        regex = regex_compile(SPAN("(漏|渗)\\p{Han}{0,3}水"), &err);
        mine = regex == NULL ? NULL : regex_scratch_new(&err);
        mem_fail_at(0);
        if (regex == NULL || mine == NULL)
            assert_int_equal(err.code, ERR_NOMEM);
    }
    assert_true(n > 8);
    regex_free(&regex);
    regex_scratch_free(&mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_the_table_says),
        cmocka_unit_test(title_and_body_are_two_texts),
        cmocka_unit_test(search_goes_on_from_start),
        cmocka_unit_test(refuses_as_the_table_says),
        cmocka_unit_test(refuses_long_patterns),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(work_is_bounded_over_all_places),
        cmocka_unit_test(folds_literals_only),
        cmocka_unit_test(survives_broken_patterns),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
