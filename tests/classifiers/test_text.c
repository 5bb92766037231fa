/* Folding, places, and what text_set refuses. */
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "tests/classifiers/support_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

enum { ROOM = 64 };

static void assert_folds(const char *in, const char *out)
{
    uint16_t units[ROOM];
    char shown[4 * ROOM];
    struct err err;
    ptrdiff_t count = text_fold(span_str(in), units, ROOM, &err);
    assert_true(count >= 0);
    assert_string_equal(units_show(units, (size_t)count, shown), out);
}

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
        {"漏氣，燃氣，電梯，國家", "漏气,燃气,电梯,国家"},
        {"什么，抬高，头发，干净，皇后", "什么,抬高,头发,干净,皇后"},
        {"甚麼，什麽，皇后，後來，乾淨", "甚么,什么,皇后,后来,干净"},
        {"衞生，裏面，裡面，麵包，衹有", "卫生,里面,里面,面包,只有"},
        {"擡高，粧，糭", "抬高,妆,粽"},
        {"著名，着火，回覆，瞭解，憑藉，枱，揹", "着名,着火,回复,了解,凭借,台,背"},
        {"规划，绘画", "规划,绘画"},
        {"㎡ ㎏ ① ⑩ Ⅳ ½", "m2 kg 1 10 iv 1⁄2"},
        {"豈、⽔、㐀", "岂、水、㐀"},
        {"𝐀𝓑𝟗", "ab9"},
        {"丽，𠮷", "丽,𠮷"},
        {"ﬁ ﷺ", "fi صلى الله عليه وسلم"},
        {"ÀÉ ΑΒΓ АБВ", "àé αβγ абв"},
        {"a\tb\nc\r\nd\xC2\xA0"
         "e\xE2\x80\x83"
         "f\xE2\x80\xA8g\xC2\x85\f\v\xE2\x80\xA9",
         "a b\nc\n\nd e f\ng\n\n\n\n"},
        {"漏\xE2\x80\x8B水\xEF\xBB\xBF\xC2\xAD管\xE2\x80\x8D\xE2\x81\xA0", "漏水管"},
        {"\xE2\x80\xAE"
         "ab\xE2\x80\xAC"
         "c\xEF\xB8\x8F\xF3\xA0\x84\x80",
         "abc"},
        {"ｶﾞｱ", "カ\xE3\x82\x99ア"},
        {"\xEF\xBF\xBF\xEF\xBF\xBE", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"😀 🅰", "😀 🅰"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_folds(cases[i].in, cases[i].out);
}

static void drops_noise_between_han(void **state)
{
    (void)state;
    static const char *const noise[] = {
        " ",
        "\t",
        "　",
        "\xC2\xA0",
        "*",
        "＊",
        "·",
        "・",
        "•",
        "‧",
        "_",
        "＿",
        "-",
        "－",
        "–",
        "−",
        "~",
        "～",
        "〜",
        "|",
        "｜",
        "/",
        "／",
        "\\",
        "＼",
        "+",
        "＋",
        "=",
        "＝",
        "^",
        "＾",
        "#",
        "＃",
        "@",
        "＠",
        "`",
        "｀",
        "￣",
        "¯",
        "´",
        "¨",
        "♪",
        "★",
        "☆",
        "●",
        "■",
        "─",
        "│",
        "→",
        "⇒",
        "✂",
        "❤",
        "❤️",
        "⭐",
        "〰️",
        "😀",
        "👍🏽",
        "👨‍👩‍👧",
        "🇨🇳",
        "※",
        "‖",
        "\xEE\x90\x95",
        "\xEF\xBF\xBC",
        "\x01",
        "\x7F",
        "\xCC\xB6",
        "\xE2\x83\xA3",
        " *  ~😀_ | ",
        "* * * * *",
    };
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        char in[ROOM];
        snprintf(in, sizeof in, "漏%s水%s管", noise[i], noise[i]);
        assert_folds(in, "漏水管");
        snprintf(in, sizeof in, "%s漏水。%s管", noise[i], noise[i]);
        assert_true(text_fold(span_str(in), (uint16_t[ROOM]){0}, ROOM, NULL) > 5);
    }
    assert_folds("丽 *𠮷-㐀々/〇", "丽𠮷㐀々〇");
    assert_folds("①月 ㋀ 水", "1月 1月水");
}

static void keeps_what_is_no_noise(void **state)
{
    (void)state;
    static const char *const kept[] = {
        "，", "。", "！",  "？",   "；",   "：",    "、", "…",    "—",  "——", "“",
        "”",  "‘",  "《",  "》",   "「",   "（",    "）", "【",   "】", "[",  "<",
        "\"", "'",  "%",   "&",    "$",    "￥",    "\n", "\r\n", "1",  "a",  "①",
        "×",  "❶",  "，*", "* 。", "-\n-", "3 * 4", "x ", " x",
    };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        char in[ROOM];
        uint16_t units[ROOM];
        uint16_t alone[ROOM];
        ptrdiff_t inner = text_fold(span_str(kept[i]), alone, ROOM, NULL);
        snprintf(in, sizeof in, "漏%s水", kept[i]);
        assert_int_equal(text_fold(span_str(in), units, ROOM, NULL), inner + 2);
        assert_memory_equal(units + 1, alone, (size_t)inner * sizeof *alone);
    }
    assert_folds("*漏水*", "*漏水*");
    assert_folds("漏水 wifi 3-5 号", "漏水 wifi 3-5 号");
    assert_folds("", "");
}

/* Title and body are apart: noise at the end of one and the beginning of the other stays. */
static void noise_does_not_cross_the_boundary(void **state)
{
    (void)state;
    struct text text = {.count = 0};
    char shown[128];
    assert_int_equal(text_set(&text, SPAN("漏 水 *"), SPAN("~ 管 道"), NULL), 0);
    assert_string_equal(units_show(text.units, text.count, shown), "漏水 *|~ 管道");
    text_free(&text);
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
    assert_int_equal(text_fold(SPAN("漏水管     道"), units, 4, &err), 4);
    assert_int_equal(text_fold(SPAN("漏水     x"), units, 4, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(text_fold(SPAN("漏水     "), units, 4, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(text_fold(SPAN(""), NULL, 0, &err), 0);
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
    assert_int_equal(text_set(&text, SPAN("漏氣Ａ"), SPAN("有10㎡漏\xE2\x80\x8B水😀x"), &err), 0);
    char shown[128];
    assert_string_equal(units_show(text.units, text.count, shown), "漏气a|有10m2漏水😀x");
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
    assert_place(&text, 11, 14, false, "😀x");
    assert_int_equal(text_set(&text, SPAN("漏 *氣~"), SPAN("水😀、管 \xE2\x80\x8B｜道"), &err), 0);
    assert_string_equal(units_show(text.units, text.count, shown), "漏气~|水😀、管道");
    assert_place(&text, 0, 2, true, "漏 *氣");
    assert_place(&text, 1, 2, true, "氣");
    assert_place(&text, 8, 10, false, "管 \xE2\x80\x8B｜道");
    assert_place(&text, 9, 10, false, "道");
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

/* What is too long is refused before it is read. */
static void refuses_what_is_too_long(void **state)
{
    (void)state;
    struct text text = {.units = NULL};
    struct err err = {0};
    const struct span half = span_of("x", LIMIT_CLASSIFY_BYTES / 2 + 1);
    assert_int_equal(text_set(&text, half, half, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "8388608 bytes together"));
    assert_int_equal(text_set(&text, SPAN("标题"), SPAN("内容"), &err), 0);
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
        cmocka_unit_test(drops_noise_between_han),
        cmocka_unit_test(keeps_what_is_no_noise),
        cmocka_unit_test(noise_does_not_cross_the_boundary),
        cmocka_unit_test(folding_is_idempotent),
        cmocka_unit_test(fold_refuses),
        cmocka_unit_test(set_refuses_broken_utf8),
        cmocka_unit_test(places_are_the_original_bytes),
        cmocka_unit_test(empty_texts),
        cmocka_unit_test(long_expansions_grow),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
