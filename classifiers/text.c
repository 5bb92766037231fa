/*
 * The tables are described in classifiers/gen/text_table.c, which makes them.
 *
 * One pass decodes, checks and folds. Room is reserved so that the common steps need no check: a
 * code point of n bytes becomes at most n units, except for the few expansions (ﷺ: 3 bytes, 18
 * units), which look for their room themselves. The invariant: capacity - count is at least the
 * bytes not yet read, and the boundary.
 */
#include "classifiers/text.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include "text_table.h"

#include <string.h>

/* What one code point becomes. */
struct fold {
    const uint16_t *units;
    size_t count;
    uint16_t own[2]; /* where units points to when no table holds them */
};

static inline bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static inline uint16_t delta_of(uint32_t cp)
{
    return text_table_delta[(size_t)text_table_block[cp >> 8] * 256 + (cp & 0xFF)];
}

static inline bool is_surrogate(uint16_t unit)
{
    return (unit & 0xF800) == 0xD800;
}

static void fold_special(size_t special, struct fold *out)
{
    out->units = text_table_pool + text_table_from[special];
    out->count = (size_t)(text_table_from[special + 1] - text_table_from[special]);
}

static void fold_code_point(uint32_t cp, struct fold *out)
{
    uint16_t delta = delta_of(cp);
    out->units = out->own;
    if (cp >= 0x10000 && delta != 0) {
        fold_special((size_t)delta - 1, out);
    } else if (cp >= 0x10000) {
        out->own[0] = (uint16_t)(0xD800 + ((cp - 0x10000) >> 10));
        out->own[1] = (uint16_t)(0xDC00 + (cp & 0x3FF));
        out->count = 2;
    } else {
        out->own[0] = (uint16_t)(cp + delta);
        out->count = 1;
        if (is_surrogate(out->own[0]))
            fold_special((size_t)(out->own[0] - 0xD800), out);
    }
}

/* Room for at least `room` more units. */
static int text_reserve(struct text *text, size_t room, struct err *err)
{
    if (text->capacity - text->count >= room)
        return 0;
    size_t capacity = text->count + room + room / 2;
    uint16_t *units = mem_resize(text->units, capacity, sizeof *units);
    if (units != NULL)
        text->units = units;
    uint32_t *origin = mem_resize(text->origin, capacity, sizeof *origin);
    if (origin != NULL)
        text->origin = origin;
    if (units == NULL || origin == NULL)
        return err_set(err, ERR_NOMEM, "out of memory while reading a text");
    text->capacity = capacity;
    return 0;
}

/* Any code point but the two common kinds that text_append treats itself. `left` bytes stay behind
 * it. */
static int text_append_code_point(struct text *text, uint32_t cp, size_t at, size_t left,
                                  struct err *err)
{
    struct fold fold;
    fold_code_point(cp, &fold);
    if (text_reserve(text, fold.count + left, err) != 0)
        return -1;
    for (size_t i = 0; i < fold.count; i++) {
        text->units[text->count] = fold.units[i];
        text->origin[text->count++] = (uint32_t)at;
    }
    return 0;
}

/* Appends what s becomes; what and its byte offset go into the message. */
static int text_append(struct text *text, struct span s, const char *what, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;
    size_t at = 0;
    while (at < s.len) {
        unsigned char c = bytes[at];
        uint16_t unit;
        size_t length;
        if (c < 0x80) {
            unit = (uint16_t)(c + text_table_delta[c]); /* block 0; ASCII has no specials */
            length = 1;
        } else if (c > 0xE0 && c < 0xED && s.len - at >= 3 && is_continuation(bytes[at + 1]) &&
                   is_continuation(bytes[at + 2])) {
            uint32_t cp = ((uint32_t)(c & 0x0F) << 12) | ((uint32_t)(bytes[at + 1] & 0x3F) << 6) |
                          (uint32_t)(bytes[at + 2] & 0x3F);
            unit = (uint16_t)(cp + delta_of(cp));
            length = 3;
        } else {
            unit = 0xD800;
            length = 0;
        }
        if (!is_surrogate(unit)) {
            text->units[text->count] = unit;
            text->origin[text->count++] = (uint32_t)at;
            at += length;
            continue;
        }
        uint32_t cp;
        length = utf8_decode(span_sub(s, at, s.len), &cp);
        if (length == 0)
            return err_set(err, ERR_INVALID, "the %s is not valid UTF-8 at byte %zu", what, at);
        if (text_append_code_point(text, cp, at, s.len - at - length, err) != 0)
            return -1;
        at += length;
    }
    return 0;
}

int text_set(struct text *text, struct span title, struct span body, struct err *err)
{
    text->count = 0;
    text->title_units = 0;
    text->title = title;
    text->body = body;
    if (title.len > UINT32_MAX / 2 || body.len > UINT32_MAX / 2)
        return err_set(err, ERR_LIMIT, "a text may have at most %u bytes", UINT32_MAX / 2);
    if (text_reserve(text, title.len, err) != 0 || text_append(text, title, "title", err) != 0)
        return -1;
    text->title_units = text->count;
    if (text_reserve(text, body.len + 1, err) != 0)
        return -1;
    text->units[text->count] = TEXT_BOUNDARY;
    text->origin[text->count++] = 0;
    return text_append(text, body, "text", err);
}

struct text_place text_place(const struct text *text, size_t from, size_t to)
{
    CHECK(from < to && to <= text->count);
    CHECK(to <= text->title_units || from > text->title_units);
    struct text_place place = {.in_title = to <= text->title_units};
    struct span whole = place.in_title ? text->title : text->body;
    size_t last = text->origin[to - 1];
    uint32_t cp;
    size_t end = last + utf8_decode(span_sub(whole, last, whole.len), &cp);
    place.offset = text->origin[from];
    place.bytes = span_sub(whole, place.offset, end);
    return place;
}

void text_free(struct text *text)
{
    mem_free(text->units);
    mem_free(text->origin);
    *text = (struct text){.units = NULL};
}

ptrdiff_t text_fold(struct span s, uint16_t *out, size_t cap, struct err *err)
{
    size_t count = 0;
    for (size_t at = 0; at < s.len;) {
        uint32_t cp;
        size_t length = utf8_decode(span_sub(s, at, s.len), &cp);
        if (length == 0)
            return err_set(err, ERR_INVALID, "not valid UTF-8 at byte %zu", at);
        struct fold fold;
        fold_code_point(cp, &fold);
        if (fold.count > cap - count)
            return err_set(err, ERR_LIMIT, "longer than %zu characters after normalisation", cap);
        for (size_t i = 0; i < fold.count; i++)
            out[count++] = fold.units[i];
        at += length;
    }
    return (ptrdiff_t)count;
}
