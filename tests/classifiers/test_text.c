/* Folding, places, and what text_set refuses. */
#include "classifiers/text.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { ROOM = 64 };

static void folds_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"水管漏水", "水管漏水"},
        {"ＷＩＦＩ　Ａ市，１２３。", "wifi a市,123。"},
        {"Hello, WORLD 09", "hello, world 09"},
        {"漏氣 燃氣 電梯 國家", "漏气 燃气 电梯 国家"},
        {"什么 著名 抬高 头发 干净", "什么 著名 抬高 头发 干净"},
        {"衞生 裏面 裡面 麵包 衹有", "卫生 里面 里面 面包 只有"},
        {"擡高 粧 糭", "抬高 妆 粽"},
        {"㎡ ㎏ ① ⑩ Ⅳ ½", "m2 kg 1 10 iv 1⁄2"},
        {"豈 ⽔ 㐀", "岂 水 㐀"},
        {"𝐀𝓑𝟗", "ab9"},
        {"丽 𠮷", "丽 𠮷"},
        {"ﬁ ﷺ", "fi صلى الله عليه وسلم"},
        {"ÀÉ ΑΒΓ АБВ", "àé αβγ абв"},
        {"a\tb\nc\r\nd\xC2\xA0"
         "e\xE2\x80\x83"
         "f\xE2\x80\xA8g",
         "a b c  d e f g"},
        {"漏\xE2\x80\x8B水\xEF\xBB\xBF\xC2\xAD管\xE2\x80\x8D\xE2\x81\xA0", "漏水管"},
        {"\xE2\x80\xAE"
         "ab\xE2\x80\xAC"
         "c\xEF\xB8\x8F\xF3\xA0\x84\x80",
         "abc"},
        {"ｶﾞｱ", "カ\xE3\x82\x99ア"},
        {"\xEF\xBF\xBF\xEF\xBF\xBE", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"😀 🅰", "😀 🅰"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t units[ROOM];
        char shown[4 * ROOM];
        struct err err;
        ptrdiff_t count = text_fold(span_str(cases[i].in), units, ROOM, &err);
        assert_true(count >= 0);
        assert_string_equal(units_show(units, (size_t)count, shown), cases[i].out);
    }
}

/* Every code point: folding what was folded changes nothing, and gives valid UTF-16 without the
 * boundary. */
static void folding_is_idempotent(void **state)
{
    (void)state;
    for (uint32_t cp = 1; cp <= 0x10FFFF; cp++) {
        char bytes[4];
        size_t length = utf8_encode(cp, bytes);
        if (length == 0)
            continue;
        uint16_t once[ROOM];
        uint16_t twice[ROOM];
        char folded[4 * ROOM];
        ptrdiff_t count = text_fold(span_of(bytes, length), once, ROOM, NULL);
        assert_in_range(count, 0, 18);
        for (ptrdiff_t i = 0; i < count; i++) {
            assert_int_not_equal(once[i], TEXT_BOUNDARY);
            if (once[i] >= 0xD800 && once[i] < 0xDC00)
                assert_in_range(once[++i], 0xDC00, 0xDFFF);
            else
                assert_false(once[i] >= 0xDC00 && once[i] < 0xE000);
        }
        units_show(once, (size_t)count, folded);
        ptrdiff_t again = text_fold(span_str(folded), twice, ROOM, NULL);
        if (again != count || memcmp(once, twice, (size_t)count * sizeof *once) != 0)
            fail_msg("U+%04X is not folded to the end: %s", (unsigned)cp, folded);
    }
}

static void fold_refuses(void **state)
{
    (void)state;
    uint16_t units[4];
    struct err err;
    assert_int_equal(text_fold(SPAN("abcd"), units, 4, &err), 4);
    assert_int_equal(text_fold(SPAN("abcde"), units, 4, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(text_fold(SPAN("abc㎡"), units, 4, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(text_fold(SPAN("ab\xFF"), units, 4, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.text, "not valid UTF-8 at byte 2");
}

static void set_refuses_broken_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *title, *body, *message;
    } cases[] = {
        {"\x80", "", "the title is not valid UTF-8 at byte 0"},
        {"标\xE9\xA2", "", "the title is not valid UTF-8 at byte 3"},
        {"", "水管\xE6\xBC", "the text is not valid UTF-8 at byte 6"},
        {"", "a\xE4\xB8zz", "the text is not valid UTF-8 at byte 1"},
        {"", "a\xC0\x80", "the text is not valid UTF-8 at byte 1"},
        {"", "\xED\xA0\x80", "the text is not valid UTF-8 at byte 0"},
        {"", "\xE0\x80\x80", "the text is not valid UTF-8 at byte 0"},
        {"", "ab\xF4\x90\x80\x80", "the text is not valid UTF-8 at byte 2"},
        {"", "ab\xF0\x9F\x98", "the text is not valid UTF-8 at byte 2"},
    };
    struct text text = {.count = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.code = ERR_NONE};
        assert_int_equal(text_set(&text, span_str(cases[i].title), span_str(cases[i].body), &err),
                         -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.text, cases[i].message);
    }
    text_free(&text);
}

static void assert_place(const struct text *text, size_t from, size_t to, bool in_title,
                         const char *bytes)
{
    struct text_place place = text_place(text, from, to);
    assert_int_equal(place.in_title, in_title);
    assert_true(span_eq(place.bytes, span_str(bytes)));
    const char *whole = in_title ? text->title.ptr : text->body.ptr;
    assert_ptr_equal(place.bytes.ptr, whole + place.offset);
}

static void places_are_the_original_bytes(void **state)
{
    (void)state;
    struct text text = {.count = 0};
    struct err err;
    assert_int_equal(text_set(&text, SPAN("漏氣Ａ"), SPAN("有10㎡漏\xE2\x80\x8B水😀了"), &err), 0);
    char shown[128];
    assert_string_equal(units_show(text.units, text.count, shown), "漏气a|有10m2漏水😀了");
    assert_int_equal(text.title_units, 3);
    assert_int_equal(text.units[3], TEXT_BOUNDARY);
    assert_place(&text, 0, 2, true, "漏氣");
    assert_place(&text, 1, 3, true, "氣Ａ");
    assert_place(&text, 7, 8, false, "㎡");
    assert_place(&text, 8, 9, false, "㎡");
    assert_place(&text, 5, 8, false, "10㎡");
    assert_place(&text, 9, 11, false, "漏\xE2\x80\x8B水");
    assert_place(&text, 10, 11, false, "水");
    assert_place(&text, 11, 12, false, "😀");
    assert_place(&text, 11, 14, false, "😀了");
    text_free(&text);
}

static void empty_texts(void **state)
{
    (void)state;
    struct text text = {.count = 0};
    assert_int_equal(text_set(&text, (struct span){NULL, 0}, (struct span){NULL, 0}, NULL), 0);
    assert_int_equal(text.count, 1);
    assert_int_equal(text.title_units, 0);
    assert_int_equal(text.units[0], TEXT_BOUNDARY);
    text_free(&text);
    assert_null(text.units);
}

/* Any code point, with a liking for those that matter here. */
static uint32_t random_code_point(struct random *r)
{
    static const uint32_t telling[] = {'A',    '~',    0x3000,  0x6C23,  0xFDFA,  0x33A1,
                                       0x200B, 0xFFFF, 0x1D400, 0x1F600, 0x2F800, 0xE0100};
    switch (random_below(r, 4)) {
    case 0:
        return (uint32_t)random_below(r, 128);
    case 1:
        return 0x4E00 + (uint32_t)random_below(r, 0x5200);
    case 2:
        return telling[random_below(r, sizeof telling / sizeof *telling)];
    default:
        return (uint32_t)random_below(r, 0x110000);
    }
}

/* text_set is the fold of each code point in turn, and each unit's place is its code point. */
static void set_equals_fold_of_each(void **state)
{
    (void)state;
    struct random r = {20};
    struct text text = {.count = 0};
    static char body[4 * 300];
    for (int round = 0; round < 2000; round++) {
        size_t length = 0;
        size_t points = (size_t)random_below(&r, 300);
        for (size_t i = 0; i < points; i++)
            length += utf8_encode(random_code_point(&r), body + length);
        assert_int_equal(text_set(&text, SPAN(""), span_of(body, length), NULL), 0);
        size_t unit = 1;
        for (size_t at = 0; at < length;) {
            uint32_t cp;
            size_t n = utf8_decode(span_of(body + at, length - at), &cp);
            uint16_t folded[ROOM];
            ptrdiff_t count = text_fold(span_of(body + at, n), folded, ROOM, NULL);
            for (ptrdiff_t i = 0; i < count; i++, unit++) {
                assert_true(unit < text.count);
                assert_int_equal(text.units[unit], folded[i]);
                struct text_place place = text_place(&text, unit, unit + 1);
                assert_int_equal(place.offset, at);
                assert_int_equal(place.bytes.len, n);
            }
            at += n;
        }
        assert_int_equal(unit, text.count);
    }
    text_free(&text);
}

/* The longest expansion, many times: the room reserved by bytes is not enough and must grow. */
static void long_expansions_grow(void **state)
{
    (void)state;
    static char body[3 * 1000];
    for (size_t i = 0; i < 1000; i++)
        utf8_encode(0xFDFA, body + 3 * i);
    struct text text = {.count = 0};
    assert_int_equal(text_set(&text, SPAN("ﷺ"), span_of(body, sizeof body), NULL), 0);
    assert_int_equal(text.title_units, 18);
    assert_int_equal(text.count, 18 + 1 + 18 * 1000);
    assert_int_equal(text.origin[text.count - 1], 3 * 999);
    text_free(&text);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    uint64_t failed = 0;
    for (uint64_t n = 1;; n++) {
        struct text text = {.count = 0};
        struct err err = {.code = ERR_NONE};
        mem_fail_at(n);
        int done = text_set(&text, SPAN("标题"), SPAN("ﷺﷺﷺﷺ水"), &err);
        mem_fail_at(0);
        if (done == 0) {
            text_free(&text);
            break;
        }
        assert_int_equal(err.code, ERR_NOMEM);
        assert_int_equal(text_set(&text, SPAN("标题"), SPAN("ﷺﷺﷺﷺ水"), &err), 0);
        text_free(&text);
        failed++;
    }
    assert_true(failed >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_as_the_table_says),
        cmocka_unit_test(folding_is_idempotent),
        cmocka_unit_test(fold_refuses),
        cmocka_unit_test(set_refuses_broken_utf8),
        cmocka_unit_test(places_are_the_original_bytes),
        cmocka_unit_test(empty_texts),
        cmocka_unit_test(set_equals_fold_of_each),
        cmocka_unit_test(long_expansions_grow),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
