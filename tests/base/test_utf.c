#include "engine/base/random.h"
#include "engine/base/utf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* The oracle: RFC 3629, section 4, as ranges of bytes; nothing is computed. */
static const struct {
    unsigned char low[4], high[4];
    size_t len;
} forms[] = {
    {{0x00}, {0x7F}, 1},
    {{0xC2, 0x80}, {0xDF, 0xBF}, 2},
    {{0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}, 3},
    {{0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}, 3},
    {{0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}, 3},
    {{0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}, 3},
    {{0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}, 4},
    {{0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}, 4},
    {{0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}, 4},
};

static size_t naive_char(const unsigned char *at, size_t left)
{
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        size_t i = 0;
        while (i < forms[f].len && i < left && at[i] >= forms[f].low[i] &&
               at[i] <= forms[f].high[i])
            i++;
        if (i == forms[f].len)
            return i;
    }
    return 0;
}

static size_t naive_prefix(const unsigned char *text, size_t len)
{
    size_t at = 0, step;
    while (at < len && (step = naive_char(text + at, len - at)) > 0)
        at += step;
    return at;
}

/* The bytes go to the heap in their exact size, so that AddressSanitizer sees a read past the end.
 */
static void check_bytes(const unsigned char *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    char *at = copy + 1;
    memcpy(at, bytes, len);
    size_t want = naive_prefix(bytes, len);
    size_t got = utf8_valid_prefix(span_of(at, len));
    if (got != want)
        fail_msg("prefix of %zu bytes: %zu, not %zu", len, got, want);
    assert_int_equal(utf8_valid(span_of(at, len)), want == len);
    free(copy);
}

static void test_every_short_sequence(void **state)
{
    (void)state;
    unsigned char b[12] = "";
    for (unsigned i = 0; i < 0x10000; i++) {
        b[0] = (unsigned char)(i >> 8);
        b[1] = (unsigned char)i;
        check_bytes(b, 1);
        check_bytes(b, 2);
    }
    /* Every three bytes behind a three-byte lead, at both places the fast path looks at. */
    memcpy(b, "\xE7\xBD\x91\xE7\xBD\x91\xE7\xBD\x91\xE7\xBD\x91", 12);
    for (unsigned i = 0; i < 0x100000; i++) {
        for (size_t at = 0; at <= 3; at += 3) {
            memcpy(b, "\xE7\xBD\x91\xE7\xBD\x91", 6);
            b[at] = (unsigned char)(0xE0 | i >> 16);
            b[at + 1] = (unsigned char)(i >> 8);
            b[at + 2] = (unsigned char)i;
            if (utf8_valid_prefix(span_of((char *)b, 12)) != naive_prefix(b, 12))
                fail_msg("%02x %02x %02x at %zu", b[at], b[at + 1], b[at + 2], at);
        }
    }
}

static void test_random_bytes_against_the_oracle(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",        "hello, world ", "网",           "网格员已到场",     "é",           "😀",
        "\xC0\x80", "\xED\xA0\x80",  "\xE0\x80\x80", "\xF4\x90\x80\x80", "\xBF",        "\xE7\xBD",
        "\xF0\x9F", "\xFF",          "\xC2",         "\xEE\x80\x80",     "\xEF\xBF\xBF"};
    struct random r = {.state = 20260301};
    for (int round = 0; round < 200000; round++) {
        unsigned char text[64];
        size_t len = 0, want = (size_t)random_below(&r, 48);
        bool wild = random_below(&r, 4) == 0;
        while (len < want) {
            if (wild) {
                text[len++] = (unsigned char)random_next(&r);
                continue;
            }
            /* Mostly from the front, so that long valid runs come before a bad byte. */
            const char *piece = pieces[random_below(&r, random_below(&r, 12) == 0 ? 17 : 6)];
            size_t n = strlen(piece);
            n = n > sizeof(text) - len ? sizeof(text) - len : n;
            memcpy(text + len, piece, n);
            len += n;
        }
        check_bytes(text, len);
    }
}

static void test_nasty_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int valid;
    } rows[] = {
        {"", 1},
        {"\x7F", 1},
        {"\xC2\x80", 1},
        {"\xDF\xBF", 1},
        {"\xE0\xA0\x80", 1},
        {"\xED\x9F\xBF", 1},
        {"\xEE\x80\x80", 1},
        {"\xEF\xBF\xBD", 1},
        {"\xEF\xBF\xBE", 1}, /* U+FFFE is a noncharacter, and valid */
        {"\xEF\xBB\xBF", 1}, /* a byte order mark */
        {"\xF0\x90\x80\x80", 1},
        {"\xF4\x8F\xBF\xBF", 1},
        {"\x80", 0},             /* a lone continuation */
        {"\xC0\xAF", 0},         /* '/' in two bytes */
        {"\xE0\x80\xAF", 0},     /* in three */
        {"\xF0\x80\x80\xAF", 0}, /* in four */
        {"\xC1\xBF", 0},
        {"\xE0\x9F\xBF", 0},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xC0\x80", 0},                 /* Java's NUL */
        {"\xED\xA0\x80", 0},             /* the first surrogate */
        {"\xED\xBF\xBF", 0},             /* the last */
        {"\xED\xA0\xBD\xED\xB8\x80", 0}, /* a pair of them: CESU-8 */
        {"\xF4\x90\x80\x80", 0},         /* U+110000 */
        {"\xF5\x80\x80\x80", 0},
        {"\xF8\x88\x80\x80\x80", 0}, /* five bytes */
        {"\xFC\x84\x80\x80\x80\x80", 0},
        {"\xFE", 0},
        {"\xFF", 0},
        {"\xE7\xBD", 0}, /* cut */
        {"\xE7\xBD\x41", 0},
        {"\xF0\x9F\x98", 0},
        {"\xC2", 0},
        {"\xCD\xF8\xB8\xF1", 0}, /* GBK */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (utf8_valid(span_str(rows[i].text)) != (bool)rows[i].valid)
            fail_msg("row %zu", i);
    assert_true(utf8_valid(span_of("a\0b", 3)));
    assert_true(utf8_valid(span_of(NULL, 0)));
}

static void test_every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x120000; cp++) {
        char text[4];
        size_t len = utf8_encode(cp, text);
        bool real = cp <= 0x10FFFF && !(cp >= 0xD800 && cp <= 0xDFFF);
        if (!real) {
            assert_int_equal(len, 0);
            continue;
        }
        uint32_t back = 0;
        if (utf8_decode(span_of(text, len), &back) != len || back != cp ||
            naive_char((unsigned char *)text, len) != len)
            fail_msg("U+%04X", (unsigned)cp);
        /* Without its last byte it is none. */
        assert_int_equal(utf8_decode(span_of(text, len - 1), &back), 0);
    }
    char text[4];
    assert_int_equal(utf8_encode(UINT32_MAX, text), 0);
}

static void test_lengths_and_prefixes(void **state)
{
    (void)state;
    struct span s = SPAN("aé网😀b");
    assert_int_equal(utf8_length(s), 5);
    assert_int_equal(utf8_length(SPAN("")), 0);
    static const size_t bytes[] = {0, 1, 3, 6, 10, 11, 11, 11};
    for (size_t n = 0; n < 8; n++) {
        struct span prefix = utf8_prefix(s, n);
        assert_ptr_equal(prefix.ptr, s.ptr);
        assert_int_equal(prefix.len, bytes[n]);
    }
    assert_int_equal(utf8_prefix(s, SIZE_MAX).len, 11);
    assert_int_equal(utf8_prefix(span_of(NULL, 0), 3).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_random_bytes_against_the_oracle),
        cmocka_unit_test(test_nasty_table),
        cmocka_unit_test(test_every_code_point_comes_back),
        cmocka_unit_test(test_lengths_and_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
