/*
 * The text is read once, from left to right, as tokens that begin at a digit or at a letter of an
 * e-mail address. At a digit the reader looks ahead over groups of digits with short separators
 * between them ("138 1234-5678") and asks of each prefix that ends with a group whether it is a
 * number of a known form; the longest that is gets masked. What has no known form is still masked
 * when it has seven digits in one piece. Years, prices, house numbers and dates with separators
 * have neither, so they stay.
 *
 * Looking ahead is bounded by the longest form (19 digits), and the letters of an address are
 * looked at once, so the work is linear in the text.
 */
#include "engine/model/pii.h"

#include "engine/base/utf.h"

#include <stdint.h>

enum {
    DIGITS_MAX = 19,    /* of a bank card, the longest form */
    DIGITS_ALONE = 7,   /* in one piece: personal whatever they are */
    SEPARATORS_MAX = 3, /* characters between two groups */
    MOBILE_DIGITS = 11,
    CARD_DIGITS = 18,
};

/* One character: its folded form (full width to ASCII) and its bytes. */
struct glyph {
    uint32_t c;
    size_t len;
};

static struct glyph glyph_at(struct span rest)
{
    struct glyph g;
    g.len = utf8_decode(rest, &g.c);
    if (g.len == 0)
        return (struct glyph){.c = 0xFFFD, .len = 1};
    if (g.c >= 0xFF01 && g.c <= 0xFF5E)
        g.c -= 0xFF01 - 0x21;
    return g;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Invisible: pasted along with numbers from address books (zero-width and direction marks). */
static bool is_invisible(uint32_t c)
{
    return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || c == 0x2060 ||
           c == 0xFEFF || c == 0xAD;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\t' || c == 0xA0 || c == 0x3000 || is_invisible(c);
}

static bool is_separator(uint32_t c)
{
    return is_space(c) || c == '-' || c == '.' || c == '_' || c == '(' || c == ')' ||
           (c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xB7;
}

/* Groups of digits from one place on, as far as a number may reach. */
struct run {
    char digits[DIGITS_MAX + 1];
    size_t count;                   /* digits read */
    size_t group_end[DIGITS_MAX];   /* digits up to the end of group i */
    size_t byte_end[DIGITS_MAX];    /* bytes up to there */
    uint32_t separator[DIGITS_MAX]; /* what stands before group i: ' ' or another separator */
    bool letter_x[DIGITS_MAX];      /* an X follows the group */
    size_t groups;
    size_t first_group; /* digits of the first group, even when they are more than a number holds */
};

/* Reads one group; false when there is none or it does not fit into the run any more. */
static bool read_group(struct span text, size_t *at, struct run *run)
{
    size_t digits = 0;
    while (*at < text.len) {
        struct glyph g = glyph_at(span_sub(text, *at, text.len));
        if (!is_digit(g.c))
            break;
        if (run->count + digits < DIGITS_MAX)
            run->digits[run->count + digits] = (char)g.c;
        digits++;
        *at += g.len;
    }
    if (run->groups == 0)
        run->first_group = digits;
    bool fits = digits > 0 && run->count + digits <= DIGITS_MAX;
    if (!fits && run->groups > 0)
        return false;
    run->count = fits ? run->count + digits : DIGITS_MAX + 1;
    run->group_end[run->groups] = run->count;
    run->byte_end[run->groups] = *at;
    uint32_t next = *at < text.len ? glyph_at(span_sub(text, *at, text.len)).c : 0;
    run->letter_x[run->groups] = next == 'x' || next == 'X';
    run->groups++;
    return fits;
}

/* Reads separators. Returns which kind they are (' ' when all are white), or 0 when there is none
 * or too many. */
static uint32_t read_separators(struct span text, size_t *at)
{
    uint32_t kind = 0;
    for (size_t n = 0; *at < text.len; n++) {
        struct glyph g = glyph_at(span_sub(text, *at, text.len));
        if (!is_separator(g.c))
            return kind;
        if (n == SEPARATORS_MAX)
            return 0;
        if (!is_space(g.c))
            kind = g.c;
        else if (kind == 0)
            kind = ' ';
        *at += g.len;
    }
    return 0;
}

static void read_run(struct span text, struct run *run)
{
    size_t at = 0;
    run->count = run->groups = 0;
    run->separator[0] = 0;
    while (read_group(text, &at, run) && run->count < DIGITS_MAX) {
        uint32_t kind = read_separators(text, &at);
        if (kind == 0)
            return;
        run->separator[run->groups] = kind;
    }
}

static bool same_separators(const struct run *run, size_t groups)
{
    for (size_t i = 2; i < groups; i++)
        if (run->separator[i] != run->separator[1])
            return false;
    return true;
}

/* 3, 4 and 4 digits, as a mobile number is printed. */
static bool as_printed(const struct run *run, size_t groups)
{
    return groups == 3 && run->group_end[0] == 3 && run->group_end[1] == 7;
}

/* In groups of another size mixed separators tell of two things ("1500-2000 300"). */
static bool is_mobile(const struct run *run, size_t groups)
{
    return run->group_end[groups - 1] == MOBILE_DIGITS && run->digits[0] == '1' &&
           run->digits[1] >= '3' && (same_separators(run, groups) || as_printed(run, groups));
}

static unsigned two_digits(const char *at)
{
    return (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
}

/* 6 digits of a place, 8 of a birthday, 3 of a sequence, and a check digit that may be X. */
static bool is_identity_card(const struct run *run, size_t groups)
{
    size_t digits = run->group_end[groups - 1] + (run->letter_x[groups - 1] ? 1 : 0);
    if (digits != CARD_DIGITS)
        return false;
    unsigned century = two_digits(run->digits + 6);
    unsigned month = two_digits(run->digits + 10), day = two_digits(run->digits + 12);
    return century >= 18 && century <= 20 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* 16 to 19 digits in fours, as they are printed. */
static bool is_bank_card(const struct run *run, size_t groups)
{
    if (run->group_end[groups - 1] < 16)
        return false;
    for (size_t i = 0; i + 1 < groups; i++)
        if (run->group_end[i] != 4 * (i + 1))
            return false;
    return run->group_end[groups - 1] <= 4 * groups;
}

/* An area code (010, 02x, 0xxx) as a group of its own, then 7 or 8 digits that begin with 2 to 8.
 */
static bool is_landline(const struct run *run, size_t groups)
{
    size_t area = run->group_end[0];
    if (groups < 2 || area > run->count || run->digits[0] != '0')
        return false;
    bool area_valid = area == 3 ? run->digits[1] == '1' || run->digits[1] == '2'
                                : area == 4 && run->digits[1] >= '3';
    size_t local = run->group_end[groups - 1] - area;
    return area_valid && (local == 7 || local == 8) && run->digits[area] >= '2' &&
           run->digits[area] <= '8';
}

/* Bytes of the number at the start of text, 0 when there is none; *shown is how its digits are
 * shown. */
static size_t number_at(struct span text, bool *mobile)
{
    struct run run;
    read_run(text, &run);
    for (size_t groups = run.count <= DIGITS_MAX ? run.groups : 0; groups > 0; groups--) {
        size_t end = run.byte_end[groups - 1];
        *mobile = is_mobile(&run, groups);
        if (*mobile)
            return end;
        if (is_identity_card(&run, groups))
            return end +
                   (run.letter_x[groups - 1] ? glyph_at(span_sub(text, end, text.len)).len : 0);
        if (is_bank_card(&run, groups) || is_landline(&run, groups))
            return end;
    }
    *mobile = false;
    return run.first_group >= DIGITS_ALONE ? run.byte_end[0] : 0;
}

/* Writes a number with its digits (and the X of a card) masked; separators stay. */
static void put_number(struct span number, bool mobile, struct buf *out)
{
    size_t nth = 0;
    while (number.len > 0) {
        struct glyph g = glyph_at(number);
        bool digit = is_digit(g.c);
        bool shown = mobile && (nth < 3 || nth >= MOBILE_DIGITS - 4);
        if ((digit && !shown) || is_letter(g.c))
            buf_char(out, '*');
        else
            buf_append(out, number.ptr, g.len);
        nth += digit ? 1 : 0;
        number = span_sub(number, g.len, number.len);
    }
}

static bool is_address_char(uint32_t c)
{
    return is_digit(c) || is_letter(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
}

/* The length of the run of address characters at the start of text. */
static size_t address_run(struct span text, bool *dot)
{
    size_t len = 0;
    *dot = false;
    while (len < text.len) {
        struct glyph g = glyph_at(span_sub(text, len, text.len));
        if (!is_address_char(g.c))
            break;
        *dot |= g.c == '.';
        len += g.len;
    }
    return len;
}

/* Bytes of the local part of the e-mail address at the start of text, up to the '@'; 0 when there
 * is none. */
static size_t email_local_at(struct span text, size_t run)
{
    if (run == 0 || run == text.len)
        return 0;
    struct glyph at = glyph_at(span_sub(text, run, text.len));
    bool dot;
    if (at.c != '@' || address_run(span_sub(text, run + at.len, text.len), &dot) == 0 || !dot)
        return 0;
    return run;
}

static void put_stars(struct span hidden, struct buf *out)
{
    while (hidden.len > 0) {
        buf_char(out, '*');
        hidden = span_sub(hidden, glyph_at(hidden).len, hidden.len);
    }
}

void pii_mask_text(struct span text, struct buf *out)
{
    size_t looked = 0; /* address characters before it belong to a run that is no local part */
    bool after_digit = false;
    for (size_t at = 0; at < text.len;) {
        struct span rest = span_sub(text, at, text.len);
        struct glyph g = glyph_at(rest);
        if (at >= looked && is_address_char(g.c)) {
            bool dot;
            size_t run = address_run(rest, &dot);
            size_t local = email_local_at(rest, run);
            put_stars(span_sub(rest, 0, local), out);
            looked = at + run;
            if (local > 0) {
                at += local;
                after_digit = false;
                continue;
            }
        }
        bool mobile = false;
        size_t number = is_digit(g.c) && !after_digit ? number_at(rest, &mobile) : 0;
        if (number > 0)
            put_number(span_sub(rest, 0, number), mobile, out);
        else
            buf_append(out, rest.ptr, g.len);
        after_digit = is_digit(g.c);
        at += number > 0 ? number : g.len;
    }
}

void pii_mask_name(struct span name, struct buf *out)
{
    if (name.len == 0)
        return;
    size_t first = glyph_at(name).len;
    buf_span(out, span_sub(name, 0, first));
    put_stars(span_sub(name, first, name.len), out);
}

/* Digits of a phone number without separators, folded; -1 when something else stands in it. */
static ptrdiff_t phone_digits(struct span phone, char *out, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < phone.len;) {
        struct glyph g = glyph_at(span_sub(phone, i, phone.len));
        i += g.len;
        if (is_separator(g.c) || g.c == '+')
            continue;
        if (!is_digit(g.c) || count == cap)
            return -1;
        out[count++] = (char)g.c;
    }
    return (ptrdiff_t)count;
}

void pii_mask_phone(struct span phone, struct buf *out)
{
    char digits[32];
    ptrdiff_t found = phone_digits(phone, digits, sizeof digits);
    if (found < 0) {
        put_stars(phone, out);
        return;
    }
    struct span number = span_of(digits, (size_t)found);
    if (number.len == MOBILE_DIGITS + 4 && span_starts(number, SPAN("0086")))
        number = span_sub(number, 4, number.len);
    else if (number.len == MOBILE_DIGITS + 2 && span_starts(number, SPAN("86")))
        number = span_sub(number, 2, number.len);
    bool whole = number.len >= MOBILE_DIGITS;
    size_t head = whole ? 3 : 0;
    size_t tail = whole ? 4 : number.len > 4 ? 2 : 0;
    buf_span(out, span_sub(number, 0, head));
    put_stars(span_sub(number, head, number.len - tail), out);
    buf_span(out, span_sub(number, number.len - tail, number.len));
}
