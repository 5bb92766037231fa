#include "engine/cli/demo_texts.h"

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"
#include "engine/cli/lines.h"
#include "engine/cli/tsv.h"
#include "engine/http/json_writer.h"

/* The columns that are known; those from KIND on are members of the same name. */
enum column { TEXT, BODY, TITLE, KIND, SOURCE, COMMUNITY, GRID, LAT, LON, ADDRESS, COLUMNS };
static const char *const names[COLUMNS] = {"text",      "body", "title", "kind", "source",
                                           "community", "grid", "lat",   "lon",  "address"};

struct demo_texts {
    struct buf bytes; /* the bodies, one behind the other */
    size_t *ends;     /* where each ends */
    size_t count, capacity;
};

static struct span cell(const struct span *cells, int count, const int at[COLUMNS], enum column c)
{
    return at[c] >= 0 && at[c] < count ? span_trim(cells[at[c]]) : (struct span){NULL, 0};
}

static void write_location(struct json_writer *w, struct span lat, struct span lon,
                           struct span address)
{
    if (lat.len + lon.len + address.len == 0)
        return;
    json_key(w, "location");
    json_open_object(w);
    if (lat.len > 0 && lon.len > 0) {
        json_key(w, "lat");
        json_write_raw(w, lat);
        json_key(w, "lon");
        json_write_raw(w, lon);
    }
    if (address.len > 0)
        json_member_string(w, "address", address);
    json_close_object(w);
}

static int add(struct demo_texts *texts, const struct span *cells, int count, const int at[COLUMNS])
{
    size_t *ends = mem_grow(texts->ends, &texts->capacity, texts->count, 1024, sizeof(*ends));
    if (ends == NULL)
        return -1;
    texts->ends = ends;
    struct json_writer w = json_writer(&texts->bytes);
    json_open_object(&w);
    struct span text = cell(cells, count, at, TEXT);
    if (text.len == 0)
        text = cell(cells, count, at, BODY);
    /* A message over the limit is cut, as the mini-program's input field would have done. */
    json_member_string(&w, "text", utf8_prefix(text, LIMIT_TEXT_CHARS));
    const struct span title = cell(cells, count, at, TITLE);
    if (title.len > 0)
        json_member_string(&w, "title", utf8_prefix(title, LIMIT_TITLE_CHARS));
    for (enum column c = KIND; c <= GRID; c++) {
        const struct span value = cell(cells, count, at, c);
        if (value.len > 0)
            json_member_string(&w, names[c], value);
    }
    write_location(&w, cell(cells, count, at, LAT), cell(cells, count, at, LON),
                   cell(cells, count, at, ADDRESS));
    json_close_object(&w);
    texts->ends[texts->count++] = texts->bytes.len;
    return buf_ok(&texts->bytes) ? 0 : -1;
}

static int read_header(struct lines *lines, int at[COLUMNS], struct err *err)
{
    struct span line, cells[TSV_CELLS];
    const int got = lines_next(lines, &line, err);
    if (got < 0)
        return -1;
    const int count = got == 0 ? 0 : tsv_cut(line, cells);
    for (int c = 0; c < COLUMNS; c++)
        at[c] = tsv_find(cells, count, names[c]);
    if (at[TEXT] < 0 && at[BODY] < 0)
        return err_set(err, ERR_SYNTAX,
                       "the first line must name the columns; text or body is "
                       "required, separated by tabs");
    return 0;
}

static int read_rows(struct demo_texts *texts, struct lines *lines, struct err *err)
{
    int at[COLUMNS];
    struct span line, cells[TSV_CELLS];
    if (read_header(lines, at, err) < 0)
        return -1;
    int got;
    while ((got = lines_next(lines, &line, err)) == 1) {
        const int count = tsv_cut(line, cells);
        if (count < 0)
            return err_set(err, ERR_SYNTAX, "line %zu: more than %d cells", lines_number(lines),
                           TSV_CELLS);
        if (add(texts, cells, count, at) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return got;
}

struct demo_texts *demo_texts_load(const char *path, struct err *err)
{
    struct lines *lines = lines_open(path, err);
    if (lines == NULL)
        return NULL;
    struct demo_texts *texts = mem_zalloc(1, sizeof(*texts));
    if (texts == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else if (read_rows(texts, lines, err) < 0)
        demo_texts_free(&texts);
    if (texts == NULL)
        (void)err_prefix(err, "%s", path);
    lines_free(&lines);
    return texts;
}

void demo_texts_free(struct demo_texts **texts)
{
    if (*texts == NULL)
        return;
    buf_free(&(*texts)->bytes);
    mem_free((*texts)->ends);
    mem_free(*texts);
    *texts = NULL;
}

size_t demo_texts_count(const struct demo_texts *texts)
{
    return texts->count;
}

struct span demo_texts_at(const struct demo_texts *texts, size_t i)
{
    const size_t from = i == 0 ? 0 : texts->ends[i - 1];
    return span_sub(buf_view(&texts->bytes), from, texts->ends[i]);
}
