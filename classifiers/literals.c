/*
 * A recursive descent over the pattern: each part of it becomes a piece (literal_piece.h).
 * Assertions are the empty word: they take no part of a match. Whatever is not surely understood
 * makes the whole pattern fail, which means: nothing is known.
 */
#include "classifiers/literals.h"

#include "classifiers/literal_piece.h"
#include "classifiers/literal_set.h"

#include <stdbool.h>
#include <string.h>

/* A character may be two units. */
enum { LAST_CODE_POINT = 0x10FFFF, CHARACTER_UNITS = 2, WORTH_RATIO = 10 };

struct parser {
    const uint16_t *units;
    size_t count, at;
    int depth;
    struct literal_pool pool;
    bool failed;
    size_t dollar; /* behind the last `$` that stands in no group */
    bool at_end;   /* so far every branch that stands in no group ends with one */
};

static int peek_at(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->count ? p->units[p->at + ahead] : -1;
}

static int peek(const struct parser *p)
{
    return peek_at(p, 0);
}

static bool skip(struct parser *p, const char *text)
{
    size_t length = 0;
    for (; text[length] != '\0'; length++)
        if (peek_at(p, length) != (unsigned char)text[length])
            return false;
    p->at += length;
    return true;
}

/* Stands behind the next `last`. */
static void skip_through(struct parser *p, char last)
{
    while (peek(p) >= 0 && peek(p) != last)
        p->at++;
    if (!skip(p, (char[]){last, '\0'}))
        p->failed = true;
}

static bool is_digit(int unit)
{
    return unit >= '0' && unit <= '9';
}

static int hex_value(int unit)
{
    if (is_digit(unit))
        return unit - '0';
    if ((unit >= 'a' && unit <= 'f') || (unit >= 'A' && unit <= 'F'))
        return (unit | 0x20) - 'a' + 10;
    return -1;
}

/* A run of at most `max` hex digits. */
static uint32_t parse_hex(struct parser *p, size_t max)
{
    uint32_t value = 0;
    for (size_t i = 0; i < max && hex_value(peek(p)) >= 0; i++, p->at++)
        value = value * 16 + (uint32_t)hex_value(peek(p));
    return value;
}

static uint32_t parse_code_point(struct parser *p)
{
    uint32_t unit = p->units[p->at++];
    if (unit >= 0xD800 && unit < 0xDC00 && p->at < p->count)
        unit = 0x10000 + ((unit - 0xD800) << 10) + (uint32_t)(p->units[p->at++] - 0xDC00);
    return unit;
}

/* What an escape stands for. */
enum meaning { ONE_CHARACTER, A_DIGIT, SOMETHING, OF_ANY_LENGTH, NOTHING };

/* Behind \x. */
static enum meaning parse_hex_escape(struct parser *p, uint32_t *cp)
{
    bool braces = skip(p, "{");
    *cp = parse_hex(p, braces ? 6 : 2);
    if ((braces && !skip(p, "}")) || *cp > LAST_CODE_POINT)
        p->failed = true;
    return ONE_CHARACTER;
}

/* Behind \k: a back reference by name. */
static enum meaning parse_reference(struct parser *p)
{
    if (skip(p, "{"))
        skip_through(p, '}');
    else if (skip(p, "<"))
        skip_through(p, '>');
    else if (skip(p, "'"))
        skip_through(p, '\'');
    else
        p->failed = true;
    return OF_ANY_LENGTH;
}

/* Behind \p or \P: a property, of one letter or in braces. */
static enum meaning parse_property(struct parser *p)
{
    if (skip(p, "{"))
        skip_through(p, '}');
    else if (peek(p) >= 0)
        p->at++;
    else
        p->failed = true;
    return SOMETHING;
}

/* Escapes that mean one thing and take no more of the pattern. */
static enum meaning simple_escape(struct parser *p, uint32_t letter, bool in_class)
{
    if (letter == 'd')
        return A_DIGIT;
    if (letter == 'X' && !in_class)
        return OF_ANY_LENGTH;
    if (strchr(in_class ? "DwWsShHvVaefnrtb" : "DwWsShHvVRaefnrt", (int)letter) != NULL)
        return SOMETHING;
    if (in_class || strchr("bBAzZ", (int)letter) == NULL)
        p->failed = true;
    return NOTHING;
}

static enum meaning parse_escape(struct parser *p, bool in_class, uint32_t *cp)
{
    p->at++;
    if (peek(p) < 0) {
        p->failed = true;
        return NOTHING;
    }
    *cp = parse_code_point(p);
    if (*cp == 'x')
        return parse_hex_escape(p, cp);
    if (*cp == 'k' && !in_class)
        return parse_reference(p);
    if (*cp == 'p' || *cp == 'P')
        return parse_property(p);
    if (*cp < 0x80 && is_digit((int)*cp)) { /* a back reference or octal: either way something */
        while (is_digit(peek(p)))
            p->at++;
        return OF_ANY_LENGTH;
    }
    bool letter = (*cp | 0x20) >= 'a' && (*cp | 0x20) <= 'z';
    return letter ? simple_escape(p, *cp, in_class) : ONE_CHARACTER;
}

/* Adds the characters of a range; false when there are too many. */
static bool add_range(struct literal_set *set, uint32_t from, uint32_t to)
{
    if (to < from || to - from >= LIMIT_REGEX_SET_GROWTH)
        return false;
    for (uint32_t cp = from; cp <= to; cp++) {
        struct literal word = {.count = 1, .units = {(uint16_t)cp}};
        if (cp >= 0x10000)
            word = (struct literal){.count = 2,
                                    .units = {(uint16_t)(0xD800 + ((cp - 0x10000) >> 10)),
                                              (uint16_t)(0xDC00 + (cp & 0x3FF))}};
        if (!literal_set_add(set, &word))
            return false;
    }
    return true;
}

/* [:name:] within a class. */
static void skip_posix(struct parser *p)
{
    p->at += 2;
    skip(p, "^");
    while (peek(p) >= 'a' && peek(p) <= 'z')
        p->at++;
    if (!skip(p, ":]"))
        p->failed = true;
}

/* One character of a class, or an escape that stands for more. */
static enum meaning parse_member(struct parser *p, uint32_t *cp)
{
    if (peek(p) == '\\')
        return parse_escape(p, true, cp);
    if (peek(p) == '[' && strchr(":.=", peek_at(p, 1)) != NULL && peek_at(p, 1) > 0) {
        skip_posix(p);
        return SOMETHING;
    }
    *cp = parse_code_point(p);
    return ONE_CHARACTER;
}

/* One element of a class, which may be a range. False when it has too many members. */
static bool parse_element(struct parser *p, struct literal_set *set)
{
    uint32_t from = 0, to;
    enum meaning first = parse_member(p, &from);
    bool range = peek(p) == '-' && peek_at(p, 1) != ']';
    if (first == A_DIGIT && !range)
        return add_range(set, '0', '9');
    if (first != ONE_CHARACTER) {
        p->failed |= range;
        return false;
    }
    to = from;
    if (range) {
        p->at++;
        if (peek(p) < 0 || parse_member(p, &to) != ONE_CHARACTER)
            p->failed = true;
    }
    return add_range(set, from, to);
}

static void parse_class(struct parser *p, struct literal_piece *out)
{
    p->at++;
    bool known = !skip(p, "^"), first = true;
    literal_piece_unknown(out);
    out->exact = known && literal_set_make(&p->pool, LIMIT_REGEX_SET_GROWTH, &out->words);
    for (; !p->failed && peek(p) >= 0 && (first || peek(p) != ']'); first = false)
        known &= parse_element(p, &out->words);
    if (!skip(p, "]"))
        p->failed = true;
    if (!known)
        literal_piece_unknown(out);
    out->longest =
        out->exact ? (unsigned)literal_set_longest(&out->words) : (unsigned)CHARACTER_UNITS;
}

static void parse_alternatives(struct parser *p, struct literal_piece *out);

/* Behind "(": goes behind what opens the group. True for an assertion. */
static bool parse_opening(struct parser *p)
{
    if (peek(p) == '*')
        p->failed = true;
    if (!skip(p, "?") || skip(p, ":") || skip(p, ">") || skip(p, "|"))
        return false;
    if (skip(p, "=") || skip(p, "!") || skip(p, "<=") || skip(p, "<!"))
        return true;
    if (skip(p, "P<") || skip(p, "<"))
        skip_through(p, '>');
    else if (skip(p, "'"))
        skip_through(p, '\'');
    else
        p->failed = true; /* options, conditions, comments, what else there may be */
    return false;
}

static void parse_group(struct parser *p, struct literal_piece *out)
{
    p->at++;
    bool assertion = parse_opening(p);
    if (p->failed || p->depth == LIMIT_REGEX_LITERAL_DEPTH) {
        p->failed = true;
        return;
    }
    p->depth++;
    parse_alternatives(p, out);
    p->depth--;
    if (!skip(p, ")"))
        p->failed = true;
    if (assertion)
        literal_piece_empty_word(&p->pool, out);
}

static void parse_character(struct parser *p, struct literal_piece *out)
{
    uint32_t cp = 0;
    enum meaning meaning = ONE_CHARACTER;
    if (peek(p) == '\\')
        meaning = parse_escape(p, false, &cp);
    else
        cp = parse_code_point(p);
    literal_piece_unknown(out);
    if (meaning == NOTHING)
        literal_piece_empty_word(&p->pool, out);
    else
        out->longest = meaning == OF_ANY_LENGTH ? LITERAL_UNLIMITED : CHARACTER_UNITS;
    if (meaning == ONE_CHARACTER) {
        out->longest = cp < 0x10000 ? 1 : CHARACTER_UNITS;
        out->exact = literal_set_make(&p->pool, 1, &out->words);
        if (out->exact)
            add_range(&out->words, cp, cp);
    }
    if (meaning == A_DIGIT && (out->exact = literal_set_make(&p->pool, 10, &out->words))) {
        add_range(&out->words, '0', '9');
        out->longest = 1;
    }
}

static void parse_atom(struct parser *p, struct literal_piece *out)
{
    int unit = peek(p);
    if (unit == '[')
        parse_class(p, out);
    else if (unit == '(')
        parse_group(p, out);
    else if (skip(p, "^") || skip(p, "$")) {
        literal_piece_empty_word(&p->pool, out);
        if (unit == '$' && p->depth == 0)
            p->dollar = p->at;
    } else if (skip(p, ".")) {
        literal_piece_unknown(out);
        out->longest = CHARACTER_UNITS;
    } else if (unit == '*' || unit == '+' || unit == '?' || unit == '{')
        p->failed = true;
    else
        parse_character(p, out);
}

static unsigned parse_number(struct parser *p)
{
    unsigned value = 0;
    if (!is_digit(peek(p)))
        p->failed = true;
    for (; is_digit(peek(p)); p->at++)
        if (value < LITERAL_UNLIMITED)
            value = value * 10 + (unsigned)(peek(p) - '0');
    return value;
}

/* Behind "{". */
static void parse_braces(struct parser *p, unsigned *min, unsigned *max)
{
    *min = *max = parse_number(p);
    if (skip(p, ","))
        *max = is_digit(peek(p)) ? parse_number(p) : LITERAL_UNLIMITED;
    if (!skip(p, "}"))
        p->failed = true;
}

static void parse_quantifier(struct parser *p, unsigned *min, unsigned *max)
{
    *min = *max = 1;
    if (skip(p, "*"))
        *max = LITERAL_UNLIMITED, *min = 0;
    else if (skip(p, "+"))
        *max = LITERAL_UNLIMITED;
    else if (skip(p, "?"))
        *min = 0;
    else if (skip(p, "{"))
        parse_braces(p, min, max);
    else
        return;
    if (!skip(p, "?")) /* lazy */
        skip(p, "+");  /* possessive */
}

/* One alternative. A quantifier behind a quantifier is an atom that fails. */
static void parse_branch(struct parser *p, struct literal_piece *run)
{
    literal_piece_empty_word(&p->pool, run);
    while (!p->failed && peek(p) >= 0 && peek(p) != '|' && peek(p) != ')') {
        struct literal_piece term;
        unsigned min, max;
        parse_atom(p, &term);
        if (p->failed)
            return;
        parse_quantifier(p, &min, &max);
        literal_piece_append(&p->pool, run, &term, min, max);
    }
    if (!run->exact)
        literal_piece_end_run(&p->pool, run, run->longest);
    if (p->depth == 0)
        p->at_end &= p->dollar == p->at;
}

static void parse_alternatives(struct parser *p, struct literal_piece *out)
{
    parse_branch(p, out);
    while (!p->failed && skip(p, "|")) {
        struct literal_piece branch;
        parse_branch(p, &branch);
        if (!p->failed)
            literal_piece_unite(&p->pool, out, &branch);
    }
}

/* True when it pays to look for a set besides the best one: each of its words that is met costs
 * something in every text, while what it saves are searches in texts that meet the best. */
static bool is_worth(const struct literal_set *set, const struct literal_set *best)
{
    if (literal_set_shortest(set) == 1 && literal_set_shortest(best) > 1)
        return false;
    return literal_set_likely(set) <= WORTH_RATIO * literal_set_likely(best);
}

/* Moves the sets that are not worth it behind the others. */
static void keep_worthy(struct literals *known)
{
    struct literal_set others[LIMIT_REGEX_SETS];
    size_t kept = 0, other_count = 0;
    for (size_t i = 0; i < known->count; i++)
        if (i == 0 || is_worth(&known->sets[i], &known->sets[0]))
            known->sets[kept++] = known->sets[i];
        else
            others[other_count++] = known->sets[i];
    known->count = kept;
    known->others = other_count;
    for (size_t i = 0; i < other_count; i++)
        known->sets[kept + i] = others[i];
}

int literals_of(const uint16_t *pattern, size_t count, struct arena *arena, struct literals *out)
{
    struct parser parser = {
        .units = pattern, .count = count, .pool = {.arena = arena}, .at_end = true};
    struct literal_piece whole;
    *out = (struct literals){.count = 0};
    parse_alternatives(&parser, &whole);
    if (!parser.failed && parser.at == count) {
        *out = literal_piece_known(&parser.pool, &whole);
        out->longest = whole.longest < LITERAL_UNLIMITED ? whole.longest : 0;
        out->at_end = parser.at_end;
    }
    if (parser.pool.no_memory)
        return -1;
    keep_worthy(out);
    for (size_t i = 0; i < out->count + out->others; i++)
        if (out->sets[i].lead >= LITERAL_UNLIMITED)
            out->sets[i].lead = 0;
    return 0;
}
