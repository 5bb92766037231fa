#include "classifiers/lint_pattern_units.h"

#include <string.h>

int pattern_peek(const struct pattern_parser *p, size_t ahead)
{
    return p->at + ahead < p->count ? p->units[p->at + ahead] : -1;
}

bool pattern_ahead_is(const struct pattern_parser *p, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        if (pattern_peek(p, i) != text[i])
            return false;
    return true;
}

void pattern_skip_through(struct pattern_parser *p, int last)
{
    while (p->at < p->count && p->units[p->at] != last)
        p->at++;
    if (p->at < p->count)
        p->at++;
}

void pattern_ranges_add(struct pattern_ranges *ranges, uint32_t from, uint32_t to)
{
    if (from > UINT16_MAX) { /* a pair of surrogates: any of them */
        from = 0xD800;
        to = 0xDFFF;
    }
    if (to > UINT16_MAX)
        to = UINT16_MAX;
    if (ranges->count < PATTERN_RANGES_MAX && from <= to)
        ranges->list[ranges->count++] =
            (struct pattern_range){.from = (uint16_t)from, .to = (uint16_t)to};
}

/* Adds what \d, \w, \s and the like match; upper case is the opposite. False for another letter. */
static bool add_shorthand(struct pattern_parser *p, struct pattern_ranges *ranges, int letter)
{
    struct pattern_ranges own = {.count = 0};
    switch (letter | 0x20) {
    case 'd':
        pattern_ranges_add(&own, '0', '9');
        break;
    case 'w':
        pattern_ranges_add(&own, '0', '9');
        pattern_ranges_add(&own, 'A', 'Z');
        pattern_ranges_add(&own, 'a', 'z');
        pattern_ranges_add(&own, '_', '_');
        break;
    case 's':
        pattern_ranges_add(&own, '\t', '\r');
        pattern_ranges_add(&own, ' ', ' ');
        break;
    case 'h':
        pattern_ranges_add(&own, '\t', '\t');
        pattern_ranges_add(&own, ' ', ' ');
        break;
    case 'v':
        pattern_ranges_add(&own, '\n', '\r');
        break;
    case 'n': /* \N: all but the line end; \n itself is a character */
        if (letter == 'n')
            return false;
        pattern_ranges_add(&own, '\n', '\n');
        break;
    case 'r': /* \R */
        if (letter == 'r')
            return false;
        pattern_ranges_add(ranges, '\n', '\r');
        return true;
    case 'x':
        if (letter == 'x')
            return false;
        pattern_ranges_add(ranges, 0, UINT16_MAX);
        return true;
    default:
        return false;
    }
    struct pattern_node *set = pattern_set_of(p->arena, own.list, own.count);
    if (set != NULL && (letter & 0x20) == 0)
        set = pattern_set_other(p->arena, set);
    p->no_memory |= set == NULL;
    for (size_t i = 0; set != NULL && i < set->count; i++)
        pattern_ranges_add(ranges, set->ranges[i].from, set->ranges[i].to);
    return true;
}

uint32_t pattern_number(struct pattern_parser *p, unsigned base, size_t digits)
{
    uint32_t n = 0;
    for (; digits > 0 && p->at < p->count; digits--, p->at++) {
        int unit = pattern_peek(p, 0);
        unsigned value = 99;
        if (unit >= '0' && unit <= '9')
            value = (unsigned)unit - '0';
        else if ((unit | 0x20) >= 'a' && (unit | 0x20) <= 'f')
            value = ((unsigned)unit | 0x20U) - 'a' + 10;
        if (value >= base || n > 0xFFFFFF)
            break;
        n = n * base + value;
    }
    return n;
}

/* \p{Han} is what Chinese rules use; of other properties nothing is known. */
static void add_property(struct pattern_parser *p, struct pattern_ranges *ranges)
{
    bool han = pattern_ahead_is(p, "{Han}");
    if (pattern_peek(p, 0) == '{')
        pattern_skip_through(p, '}');
    else
        p->at++;
    if (han) {
        pattern_ranges_add(ranges, 0x2E80, 0x2FDF);
        pattern_ranges_add(ranges, 0x3005, 0x3007);
        pattern_ranges_add(ranges, 0x3400, 0x9FFF);
        pattern_ranges_add(ranges, 0xF900, 0xFAFF);
    } else {
        pattern_ranges_add(ranges, 0, UINT16_MAX);
    }
}

static uint32_t control_of(int letter)
{
    switch (letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'e':
        return 0x1B;
    case 'a':
        return 0x07;
    default:
        return (uint32_t)letter;
    }
}

bool pattern_escape(struct pattern_parser *p, struct pattern_ranges *ranges, bool in_class)
{
    int letter = pattern_peek(p, 0);
    p->at++;
    if (letter == 'p' || letter == 'P') {
        bool other = letter == 'P';
        add_property(p, ranges);
        if (other)
            pattern_ranges_add(ranges, 0, UINT16_MAX);
        return true;
    }
    if (letter == 'x') {
        bool braces = pattern_peek(p, 0) == '{';
        p->at += braces;
        uint32_t cp = pattern_number(p, 16, braces ? 8 : 2);
        if (braces)
            pattern_skip_through(p, '}');
        pattern_ranges_add(ranges, cp, cp);
        return true;
    }
    if (letter >= '0' && letter <= '9' && (in_class || letter == '0')) {
        p->at--;
        uint32_t cp = pattern_number(p, 8, 3);
        pattern_ranges_add(ranges, cp, cp);
        return true;
    }
    if ((letter >= '1' && letter <= '9') || letter == 'g' || letter == 'k' || letter == 'o') {
        int open = pattern_peek(p, 0);
        if (open == '{' || open == '<' || open == '\'')
            pattern_skip_through(p, open == '{' ? '}' : open == '<' ? '>' : '\'');
        while (pattern_peek(p, 0) >= '0' && pattern_peek(p, 0) <= '9')
            p->at++;
        pattern_ranges_add(ranges, 0, UINT16_MAX); /* a back-reference */
        return true;
    }
    if (add_shorthand(p, ranges, letter))
        return true;
    if (!in_class && letter > 0 && letter < 0x80 && strchr("bBAzZGK", letter) != NULL)
        return false;
    uint32_t cp = in_class && letter == 'b' ? 0x08 : control_of(letter);
    pattern_ranges_add(ranges, cp, cp);
    return true;
}

/* [:digit:] and its like. */
static void parse_posix(struct pattern_parser *p, struct pattern_ranges *ranges)
{
    bool digits = pattern_ahead_is(p, "[:digit:]");
    bool spaces = pattern_ahead_is(p, "[:space:]") || pattern_ahead_is(p, "[:blank:]");
    pattern_skip_through(p, ']');
    if (digits || spaces)
        add_shorthand(p, ranges, digits ? 'd' : 's');
    else
        pattern_ranges_add(ranges, 0, UINT16_MAX);
}

static void parse_member(struct pattern_parser *p, struct pattern_ranges *ranges)
{
    if (pattern_ahead_is(p, "[:")) {
        parse_posix(p, ranges);
        return;
    }
    uint32_t low = p->units[p->at++];
    if (low == '\\') {
        size_t before = ranges->count;
        pattern_escape(p, ranges, true);
        if (ranges->count != before + 1 || ranges->list[before].from != ranges->list[before].to)
            return;
        low = ranges->list[before].from;
        if (pattern_peek(p, 0) != '-')
            return;
        ranges->count = before;
    }
    uint32_t high = low;
    if (pattern_peek(p, 0) == '-' && pattern_peek(p, 1) != ']' && pattern_peek(p, 1) >= 0) {
        p->at++;
        high = p->units[p->at++];
        if (high == '\\') {
            struct pattern_ranges end = {.count = 0};
            pattern_escape(p, &end, true);
            high = end.count > 0 ? end.list[0].to : low;
        }
    }
    pattern_ranges_add(ranges, low, high);
}

struct pattern_node *pattern_class(struct pattern_parser *p)
{
    struct pattern_ranges ranges = {.count = 0};
    p->at++;
    bool other = pattern_peek(p, 0) == '^';
    p->at += other;
    if (pattern_peek(p, 0) == ']') {
        pattern_ranges_add(&ranges, ']', ']');
        p->at++;
    }
    while (p->at < p->count && p->units[p->at] != ']')
        parse_member(p, &ranges);
    p->at++;
    struct pattern_node *set = pattern_set_of(p->arena, ranges.list, ranges.count);
    return set != NULL && other ? pattern_set_other(p->arena, set) : set;
}
