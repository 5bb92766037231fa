/*
 * One pass decodes, checks, folds and drops noise. Room is reserved so that the common steps need
 * no check: a code point of n bytes becomes at most n units, except for the few expansions (ﷺ: 3
 * bytes, 18 units), which look for their room themselves. The invariant: capacity - count is at
 * least the bytes not yet read, the boundary, and what a loop stores at once.
 */
#include "classifiers/text.h"

#include "classifiers/text_private.h"
#include "engine/base/check.h"
#include "engine/base/cpu.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

enum { FETCHED_BYTES = 2048, CACHE_LINE = 64 };

enum text_form text_form_fastest(void)
{
    enum cpu_level level = cpu_level();
#if defined(__x86_64__)
    if (level >= CPU_AVX512 && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2"))
        return TEXT_AVX512;
#endif
    return level >= CPU_AVX2 ? TEXT_AVX2 : TEXT_PORTABLE;
}

int text_append_portable(struct text *text, struct text_input *input, struct err *err)
{
    while (input->at < input->len) {
        if (input->run == TEXT_NO_RUN && text_step_common(text, input))
            continue;
        if (text_step(text, input, err) != 0)
            return -1;
    }
    return 0;
}

static int text_append(struct text *text, struct span s, const char *what, struct err *err)
{
    struct text_input input = {
        .bytes = (const unsigned char *)s.ptr, .len = s.len, .run = TEXT_NO_RUN, .what = what};
    switch ((enum text_form)text->form) {
    case TEXT_AVX512:
        return text_append_avx512(text, &input, err);
    case TEXT_AVX2:
        return text_append_avx2(text, &input, err);
    default:
        return text_append_portable(text, &input, err);
    }
}

/* Asks for the beginning of a string at once: line after line, each would be waited for. */
static void fetch(struct span s)
{
    for (size_t at = 0; at < s.len && at < FETCHED_BYTES; at += CACHE_LINE)
        __builtin_prefetch(s.ptr + at);
}

int text_set(struct text *text, struct span title, struct span body, struct err *err)
{
    if (text->form == TEXT_FASTEST)
        text->form = (int)text_form_fastest();
    text->count = 0;
    text->title_units = 0;
    text->title = title;
    text->body = body;
    if (title.len > LIMIT_CLASSIFY_BYTES || body.len > LIMIT_CLASSIFY_BYTES - title.len)
        return err_set(err, ERR_LIMIT, "a title and its text may have at most %d bytes together",
                       LIMIT_CLASSIFY_BYTES);
    fetch(title);
    fetch(body);
    if (text_reserve(text, title.len + body.len + 1 + TEXT_SLACK, err) != 0 ||
        text_append(text, title, "title", err) != 0)
        return -1;
    text->title_units = text->count;
    if (text_reserve(text, body.len + 1 + TEXT_SLACK, err) != 0)
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
    struct text text = {.units = out, .capacity = cap};
    struct text_input input = {
        .bytes = (const unsigned char *)s.ptr, .len = s.len, .run = TEXT_NO_RUN, .fixed = true};
    while (input.at < s.len) {
        if (text_step(&text, &input, err) != 0)
            return -1;
        /* A run of noise that is still open may go away again. */
        if (text.count > cap && input.run == TEXT_NO_RUN)
            break;
    }
    if (text.count > cap)
        return err_set(err, ERR_LIMIT, "longer than %zu characters after normalisation", cap);
    return (ptrdiff_t)text.count;
}
