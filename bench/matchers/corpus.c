#include "bench/matchers/contest.h"

#include "classifiers/text.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/base/utf.h"
#include "engine/cli/lines.h"
#include "engine/cli/tsv.h"

#include <stdbool.h>
#include <stdio.h>

enum { SHORTEST = 2, LONGEST = 8, DRAWS_PER_KEYWORD = 200 };

static void append_utf8(struct buf *out, const uint16_t *units, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t cp = units[i];
        if (cp >= 0xD800 && cp < 0xDC00 && i + 1 < count)
            cp = 0x10000 + ((cp - 0xD800) << 10) + (uint32_t)(units[++i] - 0xDC00);
        char bytes[4];
        buf_append(out, bytes, utf8_encode(cp, bytes));
    }
}

/* While the buffers grow, a span's ptr is its offset. */
static struct span keep(struct buf *buf, struct span s)
{
    struct span kept = {.ptr = (const char *)(uintptr_t)buf->len, .len = s.len};
    buf_span(buf, s);
    return kept;
}

static struct span settle(const struct buf *buf, struct span s)
{
    return span_of(buf->data + (uintptr_t)s.ptr, s.len);
}

static int add_complaint(struct corpus *corpus, struct text *text, struct span title,
                         struct span body, size_t *capacity)
{
    if (text_set(text, title, body, NULL) != 0)
        return -1;
    if (corpus->count == *capacity) {
        *capacity = *capacity * 2 + 1024;
        struct complaint_text *texts = mem_resize(corpus->texts, *capacity, sizeof *texts);
        if (texts == NULL)
            return -1;
        corpus->texts = texts;
    }
    buf_append(&corpus->unit_bytes, text->units, text->count * sizeof *text->units);
    struct complaint_text *to = &corpus->texts[corpus->count++];
    size_t folded_from = corpus->folded.len;
    append_utf8(&corpus->folded, text->units, text->count);
    *to = (struct complaint_text){
        .title = keep(&corpus->raw, title),
        .body = keep(&corpus->raw, body),
        .folded = {(const char *)(uintptr_t)folded_from, corpus->folded.len - folded_from},
        .units_from = corpus->unit_count,
        .units_to = corpus->unit_count + text->count};
    corpus->unit_count += text->count;
    corpus->bytes += title.len + body.len;
    return buf_ok(&corpus->raw) && buf_ok(&corpus->folded) && buf_ok(&corpus->unit_bytes) ? 0 : -1;
}

static int read_lines(struct corpus *corpus, struct lines *lines, struct err *err)
{
    struct text text = {.units = NULL};
    struct span line;
    struct span cells[TSV_CELLS];
    size_t capacity = 0;
    int title = -1;
    int body = -1;
    int more;
    while ((more = lines_next(lines, &line, err)) == 1) {
        int count = tsv_cut(line, cells);
        if (lines_number(lines) == 1) {
            title = tsv_find(cells, count, "title");
            body = tsv_find(cells, count, "body");
            if (body < 0)
                body = tsv_find(cells, count, "text");
            if (body < 0)
                more = err_set(err, ERR_INVALID, "there is no column body or text");
        } else if (body < count &&
                   add_complaint(corpus, &text,
                                 title >= 0 && title < count ? cells[title] : SPAN(""), cells[body],
                                 &capacity) != 0) {
            more = err_set(err, ERR_INVALID, "line %zu is not UTF-8, or memory is short",
                           lines_number(lines));
        }
        if (more < 0)
            break;
    }
    text_free(&text);
    return more;
}

int corpus_read(struct corpus *corpus, const char *path)
{
    struct err err = {.code = ERR_NONE};
    struct lines *lines = lines_open(path, &err);
    int bad = lines == NULL ? -1 : read_lines(corpus, lines, &err);
    lines_free(&lines);
    if (bad != 0) {
        fprintf(stderr, "match: %s: %s\n", path, err.text);
        return -1;
    }
    corpus->units = (const uint16_t *)(const void *)corpus->unit_bytes.data;
    for (size_t i = 0; i < corpus->count; i++) {
        struct complaint_text *text = &corpus->texts[i];
        text->title = settle(&corpus->raw, text->title);
        text->body = settle(&corpus->raw, text->body);
        text->folded = settle(&corpus->folded, text->folded);
    }
    return 0;
}

void corpus_free(struct corpus *corpus)
{
    mem_free(corpus->texts);
    buf_free(&corpus->unit_bytes);
    buf_free(&corpus->raw);
    buf_free(&corpus->folded);
    *corpus = (struct corpus){.texts = NULL};
}

/* --- keywords --- */

static bool is_han(uint16_t unit)
{
    return (unit >= 0x4E00 && unit <= 0x9FFF) || (unit >= 0x3400 && unit <= 0x4DBF);
}

static bool same(const struct keyword *a, const uint16_t *units, size_t count)
{
    return a->count == count && memcmp(a->units, units, count * sizeof *units) == 0;
}

/* One draw: a length and a place. Nothing is added when it is no keyword, or one that is there. */
static void draw(struct keyword_list *list, const struct corpus *corpus, struct random *random,
                 uint32_t *slots, size_t mask)
{
    size_t count = SHORTEST + (size_t)random_below(random, LONGEST - SHORTEST + 1);
    if (corpus->unit_count < count)
        return;
    const uint16_t *units = corpus->units + random_below(random, corpus->unit_count - count + 1);
    for (size_t i = 0; i < count; i++)
        if (!is_han(units[i]))
            return;
    struct span bytes = {(const char *)(const void *)units, count * sizeof *units};
    size_t slot = (size_t)hash64(bytes, 0) & mask;
    for (; slots[slot] != 0; slot = (slot + 1) & mask)
        if (same(&list->items[slots[slot] - 1], units, count))
            return;
    struct keyword *item = &list->items[list->count++];
    *item = (struct keyword){.units = units, .count = count};
    item->utf8.ptr = (const char *)(uintptr_t)list->utf8.len;
    append_utf8(&list->utf8, units, count);
    item->utf8.len = list->utf8.len - (uintptr_t)item->utf8.ptr;
    slots[slot] = (uint32_t)list->count;
}

int keyword_list_draw(struct keyword_list *list, const struct corpus *corpus, size_t count,
                      uint64_t seed)
{
    size_t mask = 1;
    while (mask < 2 * count)
        mask = mask * 2 + 1;
    uint32_t *slots = mem_zalloc(mask + 1, sizeof *slots);
    list->items = mem_zalloc(count + 1, sizeof *list->items);
    if (slots == NULL || list->items == NULL) {
        mem_free(slots);
        return -1;
    }
    struct random random = {seed};
    for (size_t n = 0; list->count < count && n < count * DRAWS_PER_KEYWORD; n++)
        draw(list, corpus, &random, slots, mask);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].utf8 = settle(&list->utf8, list->items[i].utf8);
    mem_free(slots);
    return buf_ok(&list->utf8) ? 0 : -1;
}

void keyword_list_free(struct keyword_list *list)
{
    mem_free(list->items);
    buf_free(&list->utf8);
    *list = (struct keyword_list){.items = NULL};
}
