/*
 * A recursive descent over the folded pattern. PCRE2 has accepted the pattern before, so a bracket
 * that is open closes; what is left to chance is only what a part may match, and there "anything"
 * is the careful answer.
 */
#include "classifiers/lint_pattern.h"

#include "classifiers/lint_pattern_units.h"
#include "engine/base/limits.h"

#include <string.h>

enum { DEPTH_MAX = 64, PARTS_MAX = LIMIT_REGEX_PATTERN_UNITS + 1 };

static struct pattern_node *parse_choice(struct pattern_parser *p);

enum opening { OPENS_CAPTURE, OPENS_GROUP, OPENS_ATOMIC, OPENS_LOOK, OPENS_NOTHING };

/* Behind "(": what kind of group it is; stands at its first part then. */
static enum opening parse_opening(struct pattern_parser *p)
{
    if (pattern_peek(p, 0) != '?')
        return OPENS_CAPTURE;
    p->at++;
    static const char *const looks[] = {"=", "!", "<=", "<!"};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (pattern_ahead_is(p, looks[i])) {
            p->at += strlen(looks[i]);
            return OPENS_LOOK;
        }
    }
    if (pattern_peek(p, 0) == '#') {
        pattern_skip_through(p, ')');
        return OPENS_NOTHING;
    }
    if (pattern_peek(p, 0) == '>') {
        p->at++;
        return OPENS_ATOMIC;
    }
    if (pattern_peek(p, 0) == '(') { /* a condition */
        pattern_skip_through(p, ')');
        return OPENS_GROUP;
    }
    if (pattern_peek(p, 0) == 'P' || pattern_peek(p, 0) == '<' || pattern_peek(p, 0) == '\'') {
        int open = pattern_peek(p, 0);
        p->at += open == 'P' ? 2 : 1;
        pattern_skip_through(p, open == '\'' ? '\'' : '>');
        return OPENS_CAPTURE;
    }
    while (p->at < p->count && p->units[p->at] != ':' && p->units[p->at] != ')' &&
           p->units[p->at] != '|')
        p->at++;
    if (pattern_peek(p, 0) != ')') {
        p->at++;
        return OPENS_GROUP;
    }
    p->at++; /* (?i): options only */
    return OPENS_NOTHING;
}

static struct pattern_node *wrap(struct pattern_parser *p, enum pattern_kind kind,
                                 struct pattern_node *part)
{
    struct pattern_node *node = part == NULL ? NULL : pattern_node_new(p->arena, kind, 1);
    if (node != NULL)
        node->parts[0] = part;
    return node;
}

static struct pattern_node *parse_group(struct pattern_parser *p)
{
    p->at++;
    enum opening opening = parse_opening(p);
    if (opening == OPENS_NOTHING)
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    size_t group = opening == OPENS_CAPTURE ? p->group_count++ : PATTERN_GROUPS_MAX;
    struct pattern_node *inside = parse_choice(p);
    if (p->at < p->count)
        p->at++; /* the bracket that closes */
    if (group < PATTERN_GROUPS_MAX)
        p->groups[group] = inside;
    if (opening == OPENS_LOOK)
        return wrap(p, PATTERN_LOOK, inside);
    if (opening == OPENS_ATOMIC && (inside = wrap(p, PATTERN_ROW, inside)) != NULL)
        inside->atomic = true;
    return inside;
}

static bool has_no_end(const struct pattern_node *node)
{
    if (node->kind == PATTERN_SET)
        return node->echo;
    bool found = node->kind == PATTERN_REPEAT && node->max == PATTERN_UNLIMITED;
    for (size_t i = 0; i < node->count && !found; i++)
        found = has_no_end(node->parts[i]);
    return found;
}

/* Whether a back-reference follows to a group that is closed and has a repeat without an end. */
static bool is_echo(const struct pattern_parser *p)
{
    int digit = pattern_peek(p, 1), next = pattern_peek(p, 2);
    if (pattern_peek(p, 0) != '\\' || digit < '1' || digit > '9' || (next >= '0' && next <= '9'))
        return false;
    const struct pattern_node *group = p->groups[digit - '1'];
    return group != NULL && has_no_end(group);
}

static struct pattern_node *parse_atom(struct pattern_parser *p)
{
    int unit = pattern_peek(p, 0);
    bool echo = is_echo(p);
    if (unit == '(')
        return parse_group(p);
    if (unit == '[')
        return pattern_class(p);
    p->at++;
    if (unit == '^' || unit == '$')
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    struct pattern_ranges ranges = {.count = 0};
    if (unit == '.')
        pattern_ranges_add(&ranges, 0, UINT16_MAX);
    else if (unit != '\\')
        pattern_ranges_add(&ranges, (uint32_t)unit, (uint32_t)unit);
    else if (!pattern_escape(p, &ranges, false))
        return pattern_node_new(p->arena, PATTERN_NOTHING, 0);
    struct pattern_node *set = pattern_set_of(p->arena, ranges.list, ranges.count);
    if (set != NULL)
        set->echo = echo;
    return set;
}

/* "{m,n}" at the reading place: its numbers. False when the brace is a character. */
static bool parse_braces(struct pattern_parser *p, uint32_t *min, uint32_t *max)
{
    size_t before = p->at;
    p->at++;
    bool digit = pattern_peek(p, 0) >= '0' && pattern_peek(p, 0) <= '9';
    *min = pattern_number(p, 10, 6);
    *max = *min;
    if (pattern_peek(p, 0) == ',') {
        p->at++;
        bool more = pattern_peek(p, 0) >= '0' && pattern_peek(p, 0) <= '9';
        *max = more ? pattern_number(p, 10, 6) : PATTERN_UNLIMITED;
    }
    if (digit && pattern_peek(p, 0) == '}') {
        p->at++;
        return true;
    }
    p->at = before;
    return false;
}

static bool parse_quantifier(struct pattern_parser *p, uint32_t *min, uint32_t *max)
{
    int unit = pattern_peek(p, 0);
    if (unit == '{')
        return parse_braces(p, min, max);
    if (unit != '*' && unit != '+' && unit != '?')
        return false;
    *min = unit == '+';
    *max = unit == '?' ? 1 : PATTERN_UNLIMITED;
    p->at++;
    return true;
}

static struct pattern_node *parse_term(struct pattern_parser *p)
{
    struct pattern_node *term = parse_atom(p);
    uint32_t min, max;
    while (term != NULL && parse_quantifier(p, &min, &max)) {
        if ((term = wrap(p, PATTERN_REPEAT, term)) == NULL)
            return NULL;
        term->min = min;
        term->max = max;
        term->atomic = pattern_peek(p, 0) == '+';
        if (pattern_peek(p, 0) == '+' || pattern_peek(p, 0) == '?')
            p->at++;
    }
    return term;
}

/* A node over the parts collected; the one part itself when there is one. */
static struct pattern_node *gather(struct pattern_parser *p, enum pattern_kind kind,
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

static struct pattern_node *parse_row(struct pattern_parser *p)
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

static struct pattern_node *parse_choice(struct pattern_parser *p)
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
    struct pattern_parser p = {.units = units, .count = count, .arena = arena};
    struct pattern_node *whole = parse_choice(&p);
    return p.no_memory ? NULL : whole;
}
