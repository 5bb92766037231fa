/*
 * Every form of text_set (portable, AVX2, AVX-512) against a reference that knows one code point at
 * a time: each is folded alone, then every run of noise is looked at with both its neighbours. Texts
 * end at a page that may not be read.
 */
#include "classifiers/text.h"
#include "classifiers/text_private.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 1 << 16, UNITS = 20 * PAGES, FOLDED = 64 };

/* What the reference makes: units with their origins, and, until noise is dropped, marks. */
static struct reference {
    uint16_t units[UNITS];
    uint32_t origin[UNITS];
    bool noise[UNITS];
    bool han[UNITS];
    size_t count;
    size_t title_units;
    bool in_title; /* where it is broken, */
    size_t broken; /* and at which byte; SIZE_MAX: it is not */
} ref;

/* Noise is what vanishes between two Han characters. */
static bool noise_by_fold(uint32_t cp)
{
    char bytes[12] = "一";
    size_t n = 3 + utf8_encode(cp, bytes + 3);
    memcpy(bytes + n, "一", 3);
    uint16_t units[FOLDED];
    return text_fold(span_of(bytes, n + 3), units, FOLDED, NULL) == 2;
}

static bool is_noise(uint32_t cp)
{
    static unsigned char known[0x110000]; /* 0 unknown, 1 no, 2 yes */
    if (known[cp] == 0)
        known[cp] = noise_by_fold(cp) ? 2 : 1;
    return known[cp] == 2;
}

static bool is_low(uint16_t unit)
{
    return (unit & 0xFC00) == 0xDC00;
}

/* The code point that ends at unit i. */
static uint32_t code_point_at(size_t i)
{
    if (!is_low(ref.units[i]))
        return ref.units[i];
    return 0x10000 + ((uint32_t)(ref.units[i - 1] - 0xD800) << 10) + (ref.units[i] - 0xDC00u);
}

static void ref_mark(size_t from)
{
    for (size_t i = from; i < ref.count; i++) {
        if ((ref.units[i] & 0xFC00) == 0xD800)
            continue;
        uint32_t cp = code_point_at(i);
        for (size_t unit = cp >= 0x10000 ? i - 1 : i; unit <= i; unit++) {
            ref.noise[unit] = is_noise(cp);
            ref.han[unit] = text_is_han(cp);
        }
    }
}

static void ref_drop(size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < ref.count;) {
        size_t end = i;
        while (end < ref.count && ref.noise[end])
            end++;
        bool drop = end > i && i > from && end < ref.count && ref.han[i - 1] && ref.han[end];
        if (drop)
            i = end;
        end = end == i ? i + 1 : end;
        for (; i < end; i++, kept++) {
            ref.units[kept] = ref.units[i];
            ref.origin[kept] = ref.origin[i];
        }
    }
    ref.count = kept;
}

static bool ref_append(struct span s)
{
    size_t from = ref.count;
    for (size_t at = 0; at < s.len;) {
        uint32_t cp;
        size_t n = utf8_decode(span_sub(s, at, s.len), &cp);
        if (n == 0) {
            ref.broken = at;
            return false;
        }
        ptrdiff_t count = text_fold(span_sub(s, at, at + n), ref.units + ref.count, FOLDED, NULL);
        for (ptrdiff_t i = 0; i < count; i++)
            ref.origin[ref.count++] = (uint32_t)at;
        at += n;
    }
    ref_mark(from);
    ref_drop(from);
    return true;
}

static void ref_set(struct span title, struct span body)
{
    ref.count = 0;
    ref.broken = SIZE_MAX;
    ref.in_title = true;
    if (!ref_append(title))
        return;
    ref.in_title = false;
    ref.title_units = ref.count;
    ref.units[ref.count] = TEXT_BOUNDARY;
    ref.origin[ref.count++] = 0;
    ref_append(body);
}

/* Room for a text whose end is the end of what may be read. */
struct guarded {
    char *pages;
};

static struct guarded guarded_new(void)
{
    char *pages = mmap(NULL, 2 * PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + PAGES, PAGES, PROT_NONE), 0);
    return (struct guarded){pages};
}

static struct span guarded_put(struct guarded guarded, struct span s)
{
    char *at = guarded.pages + PAGES - s.len;
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return span_of(at, s.len);
}

static struct fixture {
    struct guarded title, body;
    struct text text[TEXT_FORMS];
} f;

static int setup(void **state)
{
    (void)state;
    f.title = guarded_new();
    f.body = guarded_new();
    for (int form = TEXT_PORTABLE; form < TEXT_FORMS; form++)
        f.text[form].form = form;
    if (text_form_fastest() < TEXT_AVX512)
        printf("forms above %d are not tested: not on this processor\n", (int)text_form_fastest());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    munmap(f.title.pages, 2 * PAGES);
    munmap(f.body.pages, 2 * PAGES);
    for (int form = 0; form < TEXT_FORMS; form++)
        text_free(&f.text[form]);
    return 0;
}

static void assert_form(int form, struct span title, struct span body)
{
    struct text *text = &f.text[form];
    struct err err = {.code = ERR_NONE};
    int done = text_set(text, title, body, &err);
    if (ref.broken != SIZE_MAX) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "the %s is not valid UTF-8 at byte %zu",
                 ref.in_title ? "title" : "text", ref.broken);
        assert_int_equal(done, -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.text, wanted);
        return;
    }
    assert_int_equal(done, 0);
    assert_int_equal(text->count, ref.count);
    assert_int_equal(text->title_units, ref.title_units);
    assert_memory_equal(text->units, ref.units, ref.count * sizeof *ref.units);
    assert_memory_equal(text->origin, ref.origin, ref.count * sizeof *ref.origin);
}

/* All forms make of this what the reference makes. */
static void check(struct span title, struct span body)
{
    title = guarded_put(f.title, title);
    body = guarded_put(f.body, body);
    ref_set(title, body);
    for (int form = TEXT_PORTABLE; form <= (int)text_form_fastest(); form++)
        assert_form(form, title, body);
}

/* A code point of one of the kinds that the loops tell apart. */
enum { KINDS = 14 };
static uint32_t random_code_point(struct random *r, unsigned kind)
{
    static const uint32_t odd[] = {0x2026, 0x33A1, 0xFDFA, 0xFFFF, 0x1D400, 0x2F800, 0xBD, 0xAF};
    static const uint32_t invisible[] = {0x200B, 0xFEFF, 0xAD, 0x202E, 0xFE0F, 0xE0100};
    static const uint32_t traditional[] = {0x6C23, 0x885E, 0x8457, 0x8986, 0x7625, 0x570B};
    static const uint32_t noise[] = {' ', '*', '-', '|', 0x3000, 0xFF5E, 0xB7, 0x2605, 0xE415};
    static const uint32_t sentence[] = {0xFF0C, 0x3002, 0x3001, 0xFF1A, 0x201C, '\n', 0x2014};
    switch (kind) {
    case 0:
        return 0x4E00 + (uint32_t)random_below(r, 0x5200);
    case 1:
        return (uint32_t)random_below(r, 128);
    case 2:
        return noise[random_below(r, sizeof noise / sizeof *noise)];
    case 3:
        return sentence[random_below(r, sizeof sentence / sizeof *sentence)];
    case 4:
        return traditional[random_below(r, sizeof traditional / sizeof *traditional)];
    case 5:
        return invisible[random_below(r, sizeof invisible / sizeof *invisible)];
    case 6:
        return odd[random_below(r, sizeof odd / sizeof *odd)];
    case 7:
        return 0x1F300 + (uint32_t)random_below(r, 0x300);
    case 8:
        return 0x80 + (uint32_t)random_below(r, 0x780);
    case 9:
        return 0x800 + (uint32_t)random_below(r, 0x1000);
    case 10:
        return 0xD700 + (uint32_t)random_below(r, 0x100);
    case 11:
        return 0xFF00 + (uint32_t)random_below(r, 0xF0);
    case 12:
        return 0x20000 + (uint32_t)random_below(r, 0x100);
    default:
        return (uint32_t)random_below(r, 0x110000);
    }
}

/* Text of a few kinds, of which the first is the commonest. */
static size_t random_text(struct random *r, char *out, size_t points)
{
    unsigned kinds[3];
    for (size_t i = 0; i < 3; i++)
        kinds[i] = (unsigned)random_below(r, KINDS);
    if (random_below(r, 2) == 0)
        kinds[0] = 0;
    uint64_t purity = 1 + random_below(r, 30);
    size_t length = 0;
    for (size_t i = 0; i < points; i++) {
        size_t which = random_below(r, purity) != 0 ? 0 : (size_t)random_below(r, 3);
        length += utf8_encode(random_code_point(r, kinds[which]), out + length);
    }
    return length;
}

static void random_texts(void **state)
{
    (void)state;
    struct random r = {20};
    static char title[4 * 400];
    static char body[4 * 400];
    for (int round = 0; round < 8000; round++) {
        size_t title_len = random_text(&r, title, (size_t)random_below(&r, 40));
        size_t body_len = random_text(&r, body, (size_t)random_below(&r, 200));
        check(span_of(title, title_len), span_of(body, body_len));
    }
}

/* Between Han, behind Han, and away from it. */
static void every_code_point(void **state)
{
    (void)state;
    char body[2048];
    for (uint32_t from = 0; from < 0x110000; from += 32) {
        size_t length = 0;
        for (uint32_t cp = from; cp < from + 32; cp++) {
            char bytes[4];
            size_t n = utf8_encode(cp, bytes);
            const char *const around[] = {"漏", "水", "x", "。"};
            for (size_t i = 0; n > 0 && i < 4; i++) {
                memcpy(body + length, around[i], strlen(around[i]));
                length += strlen(around[i]);
                memcpy(body + length, bytes, n);
                length += n;
            }
        }
        check(SPAN(""), span_of(body, length));
    }
}

static void every_truncation_and_start(void **state)
{
    (void)state;
    struct random r = {21};
    static char body[4 * 60];
    for (int round = 0; round < 60; round++) {
        size_t length = random_text(&r, body, 60);
        for (size_t cut = 0; cut <= length; cut++) {
            check(span_of(body, cut), SPAN("漏水"));
            check(SPAN("漏"), span_of(body, cut));
            check(SPAN(""), span_of(body + cut, length - cut));
        }
    }
}

static void every_broken_byte(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, ' ',  'a',  0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1,
                                          0xC3, 0xE0, 0xE4, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
    struct random r = {22};
    static char body[4 * 50];
    for (int round = 0; round < 24; round++) {
        size_t length = random_text(&r, body, 50);
        for (size_t at = 0; at < length; at++) {
            char was = body[at];
            for (size_t i = 0; i < sizeof bytes; i++) {
                body[at] = (char)bytes[i];
                check(SPAN(""), span_of(body, length));
            }
            body[at] = was;
        }
    }
}

/* Not random: what the check by masks cannot see, at each place of a block. */
static void overlong_forms_and_surrogates(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\xED\xA0\x80", "\xED\xBF\xBF",     "\xE0\x80\x80",     "\xE0\x9F\xBF",    "\xC0\x80",
        "\xC1\xBF",     "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        for (size_t before = 0; before < 140; before++) {
            char body[256];
            size_t length = before / 4;
            memset(body, 'a', length);
            for (size_t n = 0; n < before % 36; n++, length += 3)
                memcpy(body + length, "水", 3);
            memcpy(body + length, broken[i], strlen(broken[i]));
            length += strlen(broken[i]);
            memset(body + length, 'b', 80);
            check(SPAN("漏"), span_of(body, length));
            check(SPAN("漏"), span_of(body, length + 80));
        }
    }
}

static void long_runs_of_noise(void **state)
{
    (void)state;
    static const char *const noise[] = {" ", "　", "😀", "*~", "\xE2\x80\x8B-", "❤️", "´"};
    static const char *const ends[] = {"水", "x", "", "。", "\n水"};
    static char body[PAGES];
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        for (size_t times = 0; times < 6000; times = times < 80 ? times + 1 : times * 3) {
            for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
                size_t length = (size_t)sprintf(body, "漏");
                for (size_t n = 0; n < times; n++)
                    length += (size_t)sprintf(body + length, "%s", noise[i]);
                length += (size_t)sprintf(body + length, "%s管", ends[e]);
                check(SPAN("水"), span_of(body, length));
            }
        }
    }
}

/* What grows stands in the middle: no form may write over the end of the room that was there. */
static void expansions_grow_in_every_form(void **state)
{
    (void)state;
    static char body[12 * 1000];
    for (size_t i = 0; i < 1000; i++)
        memcpy(body + 12 * i, "ﷺ水水水", 12);
    ref_set(SPAN("ﷺ"), span_of(body, sizeof body));
    for (int form = TEXT_PORTABLE; form <= (int)text_form_fastest(); form++) {
        text_free(&f.text[form]);
        f.text[form].form = form;
        assert_form(form, SPAN("ﷺ"), span_of(body, sizeof body));
        for (uint64_t n = 1; n < 8; n++) {
            text_free(&f.text[form]);
            f.text[form].form = form;
            mem_fail_at(n);
            int done = text_set(&f.text[form], SPAN("ﷺ"), span_of(body, sizeof body), NULL);
            mem_fail_at(0);
            assert_in_range(done + 1, 0, 1);
            assert_form(form, SPAN("ﷺ"), span_of(body, sizeof body));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_truncation_and_start),
        cmocka_unit_test(every_broken_byte),
        cmocka_unit_test(overlong_forms_and_surrogates),
        cmocka_unit_test(long_runs_of_noise),
        cmocka_unit_test(expansions_grow_in_every_form),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
