#include "classifiers/regex_fold.h"

#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { FOLD_UNITS = 64 }; /* more than any code point becomes */

/* A walk over the pattern. */
struct walk {
    struct span rest;
    size_t at;     /* the character rest begins with, from 0 */
    size_t origin; /* the character that what is emitted now came from */
    struct regex_folded *out;
    struct err *err;
};

static int syntax(struct walk *w, const char *what)
{
    return err_set(w->err, ERR_SYNTAX, "%s at character %zu of the pattern", what, w->origin + 1);
}

/* The code point ahead; 0 at the end. A NUL in a pattern is refused beforehand. */
static uint32_t peek(const struct walk *w)
{
    uint32_t cp = 0;
    if (w->rest.len > 0)
        utf8_decode(w->rest, &cp);
    return cp;
}

static uint32_t take(struct walk *w)
{
    uint32_t cp = 0;
    if (w->rest.len == 0)
        return 0;
    w->rest = span_sub(w->rest, utf8_decode(w->rest, &cp), w->rest.len);
    w->at++;
    return cp;
}

static bool ahead(const struct walk *w, const char *text)
{
    return span_starts(w->rest, span_str(text));
}

static int emit_unit(struct walk *w, uint16_t unit)
{
    struct regex_folded *out = w->out;
    if (out->count == LIMIT_REGEX_PATTERN_UNITS)
        return err_set(w->err, ERR_LIMIT, "a pattern may have at most %d characters",
                       LIMIT_REGEX_PATTERN_UNITS);
    out->units[out->count] = unit;
    out->origin[out->count++] = (uint16_t)w->origin;
    return 0;
}

static int emit(struct walk *w, uint32_t cp)
{
    if (cp < 0x10000)
        return emit_unit(w, (uint16_t)cp);
    if (emit_unit(w, (uint16_t)(0xD800 + ((cp - 0x10000) >> 10))) != 0)
        return -1;
    return emit_unit(w, (uint16_t)(0xDC00 + (cp & 0x3FF)));
}

static int emit_text(struct walk *w, const char *text)
{
    for (; *text != '\0'; text++) {
        if (emit_unit(w, (uint16_t)(unsigned char)*text) != 0)
            return -1;
    }
    return 0;
}

/* Takes count characters and emits them as they are. */
static int copy(struct walk *w, size_t count)
{
    for (size_t i = 0; i < count && w->rest.len > 0; i++) {
        w->origin = w->at;
        if (emit(w, take(w)) != 0)
            return -1;
    }
    return 0;
}

/* The same up to and with `last`, or to the end. */
static int copy_through(struct walk *w, char last)
{
    ptrdiff_t end = span_find_char(w->rest, last);
    struct span run = span_sub(w->rest, 0, end < 0 ? w->rest.len : (size_t)end + 1);
    return copy(w, utf8_length(run));
}

/* The code points cp folds to: their number, into cps (room for FOLD_UNITS). */
static size_t fold(uint32_t cp, uint32_t cps[FOLD_UNITS])
{
    char bytes[4];
    uint16_t units[FOLD_UNITS];
    size_t length = utf8_encode(cp, bytes);
    ptrdiff_t count = text_fold(span_of(bytes, length), units, FOLD_UNITS, NULL);
    size_t n = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t unit = units[i];
        if (unit >= 0xD800 && unit < 0xDC00)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (uint32_t)(units[++i] - 0xDC00);
        cps[n++] = unit;
    }
    return n;
}

/* One folded character, such that it cannot become syntax. */
static int emit_literal(struct walk *w, uint32_t cp)
{
    if (cp >= 0x80)
        return emit(w, cp);
    char escape[16];
    snprintf(escape, sizeof escape, "\\x{%x}", (unsigned)cp);
    return emit_text(w, escape);
}

/* One end of a range: what was ASCII is written as such. */
static int emit_end(struct walk *w, uint32_t written, uint32_t folded)
{
    return written < 0x80 ? emit(w, folded) : emit_literal(w, folded);
}

/* A character that stands for itself, although it may look like syntax. */
static int fold_literal(struct walk *w, uint32_t cp, bool in_class)
{
    uint32_t cps[FOLD_UNITS];
    size_t count = fold(cp, cps);
    if (count > 1 && in_class)
        return syntax(w, "a character that becomes several in normalisation cannot stand in [...]; "
                         "write (...|...)");
    if (count > 1 && emit_text(w, "(?:") != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (emit_literal(w, cps[i]) != 0)
            return -1;
    }
    return count > 1 ? emit_text(w, ")") : 0;
}

/* A character as it stands in the pattern: ASCII may be syntax and only becomes lower case. */
static int fold_character(struct walk *w, bool in_class)
{
    w->origin = w->at;
    uint32_t cp = take(w);
    if (cp >= 0x80)
        return fold_literal(w, cp, in_class);
    return emit(w, cp >= 'A' && cp <= 'Z' ? cp - 'A' + 'a' : cp);
}

/* \Q...\E: everything in it is a literal. */
static int fold_quoted(struct walk *w, bool in_class)
{
    take(w);
    take(w);
    while (w->rest.len > 0 && !ahead(w, "\\E")) {
        w->origin = w->at;
        if (fold_literal(w, take(w), in_class) != 0)
            return -1;
    }
    take(w);
    take(w);
    return 0;
}

static int fold_escape(struct walk *w, bool in_class)
{
    w->origin = w->at;
    struct span behind = span_sub(w->rest, 1, w->rest.len);
    if (ahead(w, "\\Q"))
        return fold_quoted(w, in_class);
    if (ahead(w, "\\C"))
        return syntax(w, "\\C is not allowed; write . for any character");
    if (ahead(w, "\\g<") || ahead(w, "\\g'"))
        return syntax(w, "a pattern may not call its own groups");
    if (behind.len > 0 && (unsigned char)behind.ptr[0] >= 0x80) {
        take(w);
        return fold_literal(w, take(w), in_class);
    }
    bool cased = behind.len > 1 && strchr("pPc", behind.ptr[0]) != NULL;
    bool braces =
        behind.len > 1 && behind.ptr[1] == '{' && strchr("pPxoNkg", behind.ptr[0]) != NULL;
    if (braces)
        return copy_through(w, '}');
    if (ahead(w, "\\k<") || ahead(w, "\\k'"))
        return copy(w, 3) != 0 ? -1 : copy_through(w, behind.ptr[1] == '<' ? '>' : '\'');
    return copy(w, cased ? 3 : 2);
}

/* x-y in [...]: folded when that keeps the distance, else as written. 1 when there was one. */
static int fold_range(struct walk *w)
{
    struct walk look = *w;
    uint32_t from = take(&look);
    if (from == '\\' || peek(&look) != '-')
        return 0;
    take(&look);
    uint32_t to = peek(&look);
    if (to == 0 || to == ']' || to == '[' || to == '\\')
        return 0;
    uint32_t low[FOLD_UNITS];
    uint32_t high[FOLD_UNITS];
    bool whole = fold(from, low) == 1 && fold(to, high) == 1 && high[0] - low[0] == to - from;
    w->origin = w->at;
    if (emit_end(w, from, whole ? low[0] : from) != 0 || emit(w, '-') != 0 ||
        emit_end(w, to, whole ? high[0] : to) != 0)
        return -1;
    take(&look);
    w->rest = look.rest;
    w->at = look.at;
    return 1;
}

static int fold_class(struct walk *w)
{
    if (copy(w, ahead(w, "[^") ? 2 : 1) != 0)
        return -1;
    if (peek(w) == ']' && copy(w, 1) != 0) /* at the beginning it is a literal */
        return -1;
    while (w->rest.len > 0 && peek(w) != ']') {
        int done;
        if (ahead(w, "[:"))
            done = copy_through(w, ']');
        else if (peek(w) == '\\')
            done = fold_escape(w, true);
        else if ((done = fold_range(w)) == 0)
            done = fold_character(w, true);
        if (done < 0)
            return -1;
    }
    return copy(w, 1);
}

/* A group's opening, "(?...": names and options are copied, what no rule may use is refused. */
static int fold_group(struct walk *w)
{
    w->origin = w->at;
    if (ahead(w, "(*"))
        return syntax(w, "verbs such as (*...) are not allowed; write \\( for a bracket");
    if (!ahead(w, "(?"))
        return copy(w, 1);
    if (ahead(w, "(?C"))
        return syntax(w, "call-outs are not allowed");
    if (ahead(w, "(?#"))
        return copy_through(w, ')');
    char third = w->rest.len > 2 ? w->rest.ptr[2] : '\0';
    char fourth = w->rest.len > 3 ? w->rest.ptr[3] : '\0';
    bool digit_behind = fourth >= '0' && fourth <= '9';
    if (third == 'R' || third == '&' || ahead(w, "(?P>") || (third >= '0' && third <= '9') ||
        ((third == '+' || third == '-') && digit_behind))
        return syntax(w, "a pattern may not call its own groups");
    if (ahead(w, "(?P<") || ahead(w, "(?P="))
        return copy_through(w, fourth == '<' ? '>' : ')');
    if (third == '<' && fourth != '=' && fourth != '!')
        return copy_through(w, '>');
    if (third == '\'')
        return copy(w, 3) != 0 ? -1 : copy_through(w, '\'');
    if (third == '(') /* a condition; when it is an assertion its own opening follows */
        return fourth == '?' || fourth == '*' ? copy(w, 2) : copy_through(w, ')');
    if (copy(w, 2) != 0)
        return -1;
    while (w->rest.len > 0 && strchr("imnsxJU^-", w->rest.ptr[0]) != NULL) {
        if (copy(w, 1) != 0)
            return -1;
    }
    return 0;
}

int regex_fold(struct span pattern, struct regex_folded *folded, struct err *err)
{
    if (!utf8_valid(pattern))
        return err_set(err, ERR_SYNTAX, "the pattern is not valid UTF-8");
    struct walk w = {.rest = pattern, .out = folded, .err = err};
    folded->units = mem_alloc(LIMIT_REGEX_PATTERN_UNITS * sizeof *folded->units);
    folded->origin = mem_alloc((LIMIT_REGEX_PATTERN_UNITS + 1) * sizeof *folded->origin);
    if (folded->units == NULL || folded->origin == NULL)
        return err_set(err, ERR_NOMEM, "out of memory while reading a pattern");
    ptrdiff_t nul = span_find_char(pattern, '\0');
    w.origin = nul < 0 ? 0 : utf8_length(span_sub(pattern, 0, (size_t)nul));
    if (nul >= 0)
        return syntax(&w, "a NUL is not allowed");
    while (w.rest.len > 0) {
        uint32_t cp = peek(&w);
        int done = cp == '\\'  ? fold_escape(&w, false)
                   : cp == '[' ? fold_class(&w)
                   : cp == '(' ? fold_group(&w)
                               : fold_character(&w, false);
        if (done != 0)
            return -1;
    }
    folded->origin[folded->count] = (uint16_t)w.at;
    return 0;
}

void regex_folded_free(struct regex_folded *folded)
{
    mem_free(folded->units);
    mem_free(folded->origin);
    *folded = (struct regex_folded){.units = NULL};
}
