/*
 * A recursive descent over the folded pattern. PCRE2 has accepted the pattern before, so a bracket
 * that is open closes; what is left to chance is only what a part may match, and there "anything"
 * is the careful answer.
 */
#include "classifiers/lint_pattern.h"

#include "engine/base/limits.h"

#include <string.h>

enum {
    DEPTH_MAX = 64,
    RANGES_MAX = LIMIT_REGEX_PATTERN_UNITS * 4, /* of one class: an escape may be several */
    PARTS_MAX = LIMIT_REGEX_PATTERN_UNITS + 1
};

struct parser {
    const uint16_t *units;
    size_t count, at;
    struct arena *arena;
    int depth;
    bool no_memory;
};

/* --- what a character or an escape stands for --- */

static int peek_at(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->count ? p->units[p->at + ahead] : -1;
}

static bool ahead_is(const struct parser *p, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        if (peek_at(p, i) != text[i])
            return false;
    return true;
}

static void skip_through(struct parser *p, int last)
{
    while (p->at < p->count && p->units[p->at] != last)
        p->at++;
    if (p->at < p->count)
        p->at++;
}

/* Ranges being collected for one class or one escape. */
struct ranges {
    struct pattern_range list[RANGES_MAX];
    size_t count;
};

static void add(struct ranges *ranges, uint32_t from, uint32_t to)
{
    if (from > UINT16_MAX) { /* a pair of surrogates: any of them */
        from = 0xD800;
        to = 0xDFFF;
    }
    if (to > UINT16_MAX)
        to = UINT16_MAX;
    if (ranges->count < RANGES_MAX && from <= to)
        ranges->list[ranges->count++] =
            (struct pattern_range){.from = (uint16_t)from, .to = (uint16_t)to};
}

/* Adds what \d, \w, \s and the like match; upper case is the opposite. False for another letter. */
static bool add_shorthand(struct parser *p, struct ranges *ranges, int letter)
{
    struct ranges own = {.count = 0};
    switch (letter | 0x20) {
    case 'd':
        add(&own, '0', '9');
        break;
    case 'w':
        add(&own, '0', '9');
        add(&own, 'A', 'Z');
        add(&own, 'a', 'z');
        add(&own, '_', '_');
        break;
    case 's':
        add(&own, '\t', '\r');
        add(&own, ' ', ' ');
        break;
    case 'h':
        add(&own, '\t', '\t');
        add(&own, ' ', ' ');
        break;
    case 'v':
        add(&own, '\n', '\r');
        break;
    case 'n': /* \N: all but the line end; \n itself is a character */
        if (letter == 'n')
            return false;
        add(&own, '\n', '\n');
        break;
    case 'r': /* \R */
        if (letter == 'r')
            return false;
        add(ranges, '\n', '\r');
        return true;
    case 'x':
        if (letter == 'x')
            return false;
        add(ranges, 0, UINT16_MAX);
        return true;
    default:
        return false;
    }
    struct pattern_node *set = pattern_set_of(p->arena, own.list, own.count);
    if (set != NULL && (letter & 0x20) == 0)
        set = pattern_set_other(p->arena, set);
    p->no_memory |= set == NULL;
    for (size_t i = 0; set != NULL && i < set->count; i++)
        add(ranges, set->ranges[i].from, set->ranges[i].to);
    return true;
}

static uint32_t parse_number(struct parser *p, unsigned base, size_t digits)
{
    uint32_t n = 0;
    for (; digits > 0 && p->at < p->count; digits--, p->at++) {
        int unit = peek_at(p, 0);
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
static void add_property(struct parser *p, struct ranges *ranges)
{
    bool han = ahead_is(p, "{Han}");
    if (peek_at(p, 0) == '{')
        skip_through(p, '}');
    else
        p->at++;
    if (han) {
        add(ranges, 0x2E80, 0x2FDF);
        add(ranges, 0x3005, 0x3007);
        add(ranges, 0x3400, 0x9FFF);
        add(ranges, 0xF900, 0xFAFF);
    } else {
        add(ranges, 0, UINT16_MAX);
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

/* Behind a backslash: adds what it stands for. False for what matches nothing, such as \b. */
static bool parse_escape(struct parser *p, struct ranges *ranges, bool in_class)
{
    int letter = peek_at(p, 0);
    p->at++;
    if (letter == 'p' || letter == 'P') {
        bool other = letter == 'P';
        add_property(p, ranges);
        if (other)
            add(ranges, 0, UINT16_MAX);
        return true;
    }
    if (letter == 'x') {
        bool braces = peek_at(p, 0) == '{';
        p->at += braces;
        uint32_t cp = parse_number(p, 16, braces ? 8 : 2);
        if (braces)
            skip_through(p, '}');
        add(ranges, cp, cp);
        return true;
    }
    if (letter >= '0' && letter <= '9' && (in_class || letter == '0')) {
        p->at--;
        uint32_t cp = parse_number(p, 8, 3);
        add(ranges, cp, cp);
        return true;
    }
    if ((letter >= '1' && letter <= '9') || letter == 'g' || letter == 'k' || letter == 'o') {
        int open = peek_at(p, 0);
        if (open == '{' || open == '<' || open == '\'')
            skip_through(p, open == '{' ? '}' : open == '<' ? '>' : '\'');
        while (peek_at(p, 0) >= '0' && peek_at(p, 0) <= '9')
            p->at++;
        add(ranges, 0, UINT16_MAX); /* a back-reference */
        return true;
    }
    if (add_shorthand(p, ranges, letter))
        return true;
    if (!in_class && letter > 0 && letter < 0x80 && strchr("bBAzZGK", letter) != NULL)
        return false;
    uint32_t cp = in_class && letter == 'b' ? 0x08 : control_of(letter);
    add(ranges, cp, cp);
    return true;
}

/* --- classes --- */

/* [:digit:] and its like. */
static void parse_posix(struct parser *p, struct ranges *ranges)
{
    bool digits = ahead_is(p, "[:digit:]");
    bool spaces = ahead_is(p, "[:space:]") || ahead_is(p, "[:blank:]");
    skip_through(p, ']');
    if (digits || spaces)
        add_shorthand(p, ranges, digits ? 'd' : 's');
    else
        add(ranges, 0, UINT16_MAX);
}

static void parse_member(struct parser *p, struct ranges *ranges)
{
    if (ahead_is(p, "[:")) {
        parse_posix(p, ranges);
        return;
    }
    uint32_t low = p->units[p->at++];
    if (low == '\\') {
        size_t before = ranges->count;
        parse_escape(p, ranges, true);
        if (ranges->count != before + 1 || ranges->list[before].from != ranges->list[before].to)
            return;
        low = ranges->list[before].from;
        if (peek_at(p, 0) != '-')
            return;
        ranges->count = before;
    }
    uint32_t high = low;
    if (peek_at(p, 0) == '-' && peek_at(p, 1) != ']' && peek_at(p, 1) >= 0) {
        p->at++;
        high = p->units[p->at++];
        if (high == '\\') {
            struct ranges end = {.count = 0};
            parse_escape(p, &end, true);
            high = end.count > 0 ? end.list[0].to : low;
        }
    }
    add(ranges, low, high);
}

static struct pattern_node *parse_class(struct parser *p)
{
    struct ranges ranges = {.count = 0};
    p->at++;
    bool other = peek_at(p, 0) == '^';
    p->at += other;
    if (peek_at(p, 0) == ']') {
        add(&ranges, ']', ']');
        p->at++;
    }
    while (p->at < p->count && p->units[p->at] != ']')
        parse_member(p, &ranges);
    p->at++;
    struct pattern_node *set = pattern_set_of(p->arena, ranges.list, ranges.count);
    return set != NULL && other ? pattern_set_other(p->arena, set) : set;
}

/* --- parts --- */

static struct pattern_node *parse_choice(struct parser *p);

enum opening { OPENS_GROUP, OPENS_ATOMIC, OPENS_LOOK, OPENS_NOTHING };

/* Behind "(": what kind of group it is; stands at its first part then. */
static enum opening parse_opening(struct parser *p)
{
    if (peek_at(p, 0) != '?')
        return OPENS_GROUP;
    p->at++;
    static const char *const looks[] = {"=", "!", "<=", "<!"};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (ahead_is(p, looks[i])) {
            p->at += strlen(looks[i]);
            return OPENS_LOOK;
        }
    }
    if (peek_at(p, 0) == '#') {
        skip_through(p, ')');
        return OPENS_NOTHING;
    }
    if (peek_at(p, 0) == '>') {
        p->at++;
        return OPENS_ATOMIC;
    }
    if (peek_at(p, 0) == '(') { /* a condition */
        skip_through(p, ')');
        return OPENS_GROUP;
    }
    if (peek_at(p, 0) == 'P' || peek_at(p, 0) == '<' || peek_at(p, 0) == '\'') {
        int open = peek_at(p, 0);
        p->at += open == 'P' ? 2 : 1;
        skip_through(p, open == '\'' ? '\'' : '>');
        return OPENS_GROUP;
    }
    while (p->at < p->count && p->units[p->at] != ':' && p->units[p->at] != ')' &&
           p->units[p->at] != '|')
        p->at++;
    if (peek_at(p, 0) != ')') {
        p->at++;
        return OPENS_GROUP;
    }
    p->at++; /* (?i): options only */
    return OPENS_NOTHING;
}

static struct pattern_node *wrap(struct parser *p, enum pattern_kind kind,
                                 struct pattern_node *part)
{
    struct pattern_node *node = part == NULL ? NULL : pattern_node_new(p->arena, kind, 1);
    if (node != NULL)
        node->parts[0] = part;
    return node;
}

static struct pattern_node *parse_group(struct parser *p)
{
    p->at++;
    enum opening opening = parse_opening(p);
    if (opening == OPENS_NOTHING)
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    struct pattern_node *inside = parse_choice(p);
    if (p->at < p->count)
        p->at++; /* the bracket that closes */
    if (opening == OPENS_LOOK)
        return wrap(p, PATTERN_LOOK, inside);
    if (opening == OPENS_ATOMIC && (inside = wrap(p, PATTERN_ROW, inside)) != NULL)
        inside->atomic = true;
    return inside;
}

static struct pattern_node *parse_atom(struct parser *p)
{
    int unit = peek_at(p, 0);
    if (unit == '(')
        return parse_group(p);
    if (unit == '[')
        return parse_class(p);
    p->at++;
    if (unit == '^' || unit == '$')
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    struct ranges ranges = {.count = 0};
    if (unit == '.')
        add(&ranges, 0, UINT16_MAX);
    else if (unit != '\\')
        add(&ranges, (uint32_t)unit, (uint32_t)unit);
    else if (!parse_escape(p, &ranges, false))
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    return pattern_set_of(p->arena, ranges.list, ranges.count);
}

/* "{m,n}" at the reading place: its numbers. False when the brace is a character. */
static bool parse_braces(struct parser *p, uint32_t *min, uint32_t *max)
{
    size_t before = p->at;
    p->at++;
    bool digit = peek_at(p, 0) >= '0' && peek_at(p, 0) <= '9';
    *min = parse_number(p, 10, 6);
    *max = *min;
    if (peek_at(p, 0) == ',') {
        p->at++;
        bool more = peek_at(p, 0) >= '0' && peek_at(p, 0) <= '9';
        *max = more ? parse_number(p, 10, 6) : PATTERN_UNLIMITED;
    }
    if (digit && peek_at(p, 0) == '}') {
        p->at++;
        return true;
    }
    p->at = before;
    return false;
}

static bool parse_quantifier(struct parser *p, uint32_t *min, uint32_t *max)
{
    int unit = peek_at(p, 0);
    if (unit == '{')
        return parse_braces(p, min, max);
    if (unit != '*' && unit != '+' && unit != '?')
        return false;
    *min = unit == '+';
    *max = unit == '?' ? 1 : PATTERN_UNLIMITED;
    p->at++;
    return true;
}

static struct pattern_node *parse_term(struct parser *p)
{
    struct pattern_node *term = parse_atom(p);
    uint32_t min, max;
    while (term != NULL && parse_quantifier(p, &min, &max)) {
        if ((term = wrap(p, PATTERN_REPEAT, term)) == NULL)
            return NULL;
        term->min = min;
        term->max = max;
        term->atomic = peek_at(p, 0) == '+';
        if (peek_at(p, 0) == '+' || peek_at(p, 0) == '?')
            p->at++;
    }
    return term;
}

/* A node over the parts collected; the one part itself when there is one. */
static struct pattern_node *gather(struct parser *p, enum pattern_kind kind,
                                   struct pattern_node *const *parts, size_t count)
{
    if (count == 1)
        return parts[0];
    struct pattern_node *node =
        pattern_node_new(p->arena, count == 0 ? PATTERN_NOTHING : kind, count);
    if (node != NULL && count > 0)
        memcpy(node->parts, parts, count * sizeof(struct pattern_node *));
    return node;
}

static struct pattern_node *parse_row(struct parser *p)
{
    struct pattern_node **parts = arena_zalloc(p->arena, PARTS_MAX, sizeof(struct pattern_node *));
    size_t count = 0;
    if (parts == NULL)
        return NULL;
    while (p->at < p->count && p->units[p->at] != '|' && p->units[p->at] != ')') {
        struct pattern_node *term = parse_term(p);
        if (term == NULL)
            return NULL;
        if (count < PARTS_MAX)
            parts[count++] = term;
    }
    return gather(p, PATTERN_ROW, parts, count);
}

static struct pattern_node *parse_choice(struct parser *p)
{
    struct pattern_node **parts = arena_zalloc(p->arena, PARTS_MAX, sizeof(struct pattern_node *));
    size_t count = 0;
    if (parts == NULL)
        return NULL;
    if (++p->depth > DEPTH_MAX) { /* no author writes this; the rest is anything */
        p->at = p->count;
        p->depth--;
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    }
    for (;;) {
        struct pattern_node *row = parse_row(p);
        if (row == NULL)
            return NULL;
        if (count < PARTS_MAX)
            parts[count++] = row;
        if (p->at >= p->count || p->units[p->at] != '|')
            break;
        p->at++;
    }
    p->depth--;
    return gather(p, PATTERN_CHOICE, parts, count);
}

struct pattern_node *pattern_parse(const uint16_t *units, size_t count, struct arena *arena)
{
    struct parser p = {.units = units, .count = count, .arena = arena};
    struct pattern_node *whole = parse_choice(&p);
    return p.no_memory ? NULL : whole;
}
