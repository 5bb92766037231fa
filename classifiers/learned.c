#include "classifiers/learned_private.h"
#include "classifiers/text.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <stdio.h>

enum { NGRAM_UNITS = 4, HEAD_MAX = 10000, NUMBER_MAX = 1000, LINE_CELLS = 1 + LEARNED_LABELS_MAX };

/* The parser's place in the file. */
struct parser {
    struct learned *learned;
    const char *name;
    struct span rest;
    int number;
    struct err *err;
};

#define FAIL(p, code, ...) fail_at((p), err_set((p)->err, (code), __VA_ARGS__))

static int fail_at(const struct parser *p, int status)
{
    (void)err_prefix(p->err, "%s:%d", p->name, p->number);
    return status;
}

/* The next line that is no remark. False at the end. */
static bool next_line(struct parser *p, struct span *line)
{
    while (p->rest.len != 0) {
        *line = span_cut(&p->rest, '\n');
        p->number++;
        if (line->len == 0 || line->ptr[0] != '#')
            return true;
    }
    return false;
}

/* Cuts a line at its tabs; the number of cells, more than LINE_CELLS when it has too many. */
static size_t cut_cells(struct span line, struct span cells[LINE_CELLS])
{
    size_t count = 0;
    while (line.ptr != NULL && count <= LINE_CELLS) {
        struct span cell = span_cut(&line, '\t');
        if (count < LINE_CELLS)
            cells[count] = cell;
        count++;
    }
    return count;
}

/* The next line of the head: `key` and at least one value. The number of values, or -1. */
static int head_line(struct parser *p, const char *key, struct span cells[LINE_CELLS])
{
    struct span line;
    p->err->code = ERR_NONE;
    if (!next_line(p, &line))
        return FAIL(p, ERR_SYNTAX, "the pack ends where the line “%s” should stand", key);
    size_t count = cut_cells(line, cells);
    if (count == 0 || !span_eq(cells[0], span_str(key)))
        return FAIL(p, ERR_SYNTAX,
                    "the line “%s” should stand here; the order of the head is "
                    "jiesu-learned, labels, step, bias, points, lift, few, head",
                    key);
    if (count < 2 || count > LINE_CELLS)
        return FAIL(p, ERR_SYNTAX, "“%s” takes 1 to %d values, separated by tabs", key,
                    LEARNED_LABELS_MAX);
    return (int)count - 1;
}

/* A whole number from -max to max. */
static int to_int(struct span s, int64_t max, int64_t *out)
{
    uint64_t magnitude;
    bool negative = span_starts(s, SPAN("-"));
    if (span_to_u64(negative ? span_sub(s, 1, s.len) : s, (uint64_t)max, &magnitude) != 0)
        return -1;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return 0;
}

static int read_labels(struct parser *p)
{
    struct span cells[LINE_CELLS] = {{NULL, 0}};
    int count = head_line(p, "labels", cells);
    if (count < 0)
        return -1;
    struct learned *l = p->learned;
    if (count < 2)
        return FAIL(p, ERR_INVALID, "a pack needs two labels at least");
    for (int i = 0; i < count; i++) {
        struct span label = cells[i + 1];
        if (label.len == 0)
            return FAIL(p, ERR_INVALID, "label %d is empty", i + 1);
        for (size_t k = 0; k < l->label_count; k++)
            if (span_eq(l->labels[k], label))
                return FAIL(p, ERR_INVALID, "the label “%.*s” stands there twice", SPAN_ARG(label));
        l->labels[l->label_count++] = label;
    }
    l->stride = count <= LEARNED_NARROW ? LEARNED_NARROW : LEARNED_LABELS_MAX;
    return 0;
}

/* A line of the head with count numbers, each from least to most. */
static int read_numbers(struct parser *p, const char *key, size_t count, double least, double most,
                        double *out)
{
    struct span cells[LINE_CELLS] = {{NULL, 0}};
    int found = head_line(p, key, cells);
    if (found < 0)
        return -1;
    if ((size_t)found != count)
        return FAIL(p, ERR_INVALID, "“%s” has %d values; it takes %zu", key, found, count);
    for (size_t i = 0; i < count; i++)
        if (span_to_double(cells[i + 1], &out[i]) != 0 || out[i] < least || out[i] > most)
            return FAIL(p, ERR_INVALID, "“%s” takes numbers from %g to %g", key, least, most);
    return 0;
}

static int read_combination(struct parser *p)
{
    struct learned *l = p->learned;
    double head = 0, lift[2] = {0, 0};
    if (read_numbers(p, "step", 1, 0, NUMBER_MAX, &l->step) != 0 ||
        read_numbers(p, "bias", l->label_count, -NUMBER_MAX, NUMBER_MAX, l->bias) != 0 ||
        read_numbers(p, "points", 1, 0, NUMBER_MAX, &l->points) != 0 ||
        read_numbers(p, "lift", 2, -NUMBER_MAX, NUMBER_MAX, lift) != 0 ||
        read_numbers(p, "few", 1, 0, NUMBER_MAX, &l->few) != 0 ||
        read_numbers(p, "head", 1, 0, HEAD_MAX, &head) != 0)
        return -1;
    l->lift = lift[0];
    l->floor = lift[1];
    l->head = (int64_t)head;
    return 0;
}

static int read_head(struct parser *p)
{
    struct span cells[LINE_CELLS] = {{NULL, 0}};
    int count = head_line(p, "jiesu-learned", cells);
    if (count < 0)
        return -1;
    if (count != 1 || !span_eq(cells[1], SPAN("1")))
        return FAIL(p, ERR_INVALID,
                    "this is not version 1 of the format; make the pack again with "
                    "this version's jiesu learn");
    return read_labels(p) == 0 && read_combination(p) == 0 ? 0 : -1;
}

/* Makes room for one more n-gram. */
static int grow(struct learned *l)
{
    if (l->count < l->capacity)
        return 0;
    size_t capacity = l->capacity == 0 ? 1024 : l->capacity * 2;
    struct learned_line *lines = mem_resize(l->lines, capacity, sizeof *lines);
    if (lines == NULL)
        return -1;
    l->lines = lines;
    int16_t *weights = mem_resize(l->weights, capacity, l->stride * sizeof *weights);
    if (weights == NULL)
        return -1;
    l->weights = weights;
    l->capacity = capacity;
    return 0;
}

static int check_ngram(const struct parser *p, struct span ngram)
{
    uint16_t units[NGRAM_UNITS];
    struct err why = {0};
    ptrdiff_t count = text_fold(ngram, units, NGRAM_UNITS, &why);
    if (count < 0 && why.code == ERR_INVALID)
        return FAIL(p, ERR_INVALID, "the n-gram is no UTF-8: %s", why.text);
    if (count < 1)
        return FAIL(p, ERR_INVALID, "an n-gram has 1 to %d characters", NGRAM_UNITS);
    const struct learned *l = p->learned;
    if (l->count > 0 && span_cmp(l->lines[l->count - 1].ngram, ngram) >= 0)
        return FAIL(p, ERR_INVALID,
                    "“%.*s” does not stand behind the n-gram before it; n-grams "
                    "are ordered by their bytes, each once",
                    SPAN_ARG(ngram));
    return 0;
}

static int read_ngram(struct parser *p, struct span text)
{
    struct learned *l = p->learned;
    struct span cells[LINE_CELLS] = {{NULL, 0}};
    size_t count = cut_cells(text, cells);
    if (count != l->label_count + 1)
        return FAIL(p, ERR_SYNTAX,
                    "an n-gram and one weight for each of the %zu labels should "
                    "stand here, separated by tabs",
                    l->label_count);
    if (check_ngram(p, cells[0]) != 0)
        return -1;
    if (l->count == LIMIT_LEARNED_NGRAMS)
        return FAIL(p, ERR_LIMIT, "more than %d n-grams; make a smaller pack",
                    LIMIT_LEARNED_NGRAMS);
    if (grow(l) != 0)
        return FAIL(p, ERR_NOMEM, "out of memory");
    int16_t *row = l->weights + l->count * l->stride;
    for (size_t i = 0; i < l->stride; i++) {
        int64_t weight = 0;
        if (i < l->label_count && to_int(cells[i + 1], LEARNED_WEIGHT_MAX, &weight) != 0)
            return FAIL(p, ERR_INVALID, "weight %zu must be a whole number from -%d to %d", i + 1,
                        LEARNED_WEIGHT_MAX, LEARNED_WEIGHT_MAX);
        row[i] = (int16_t)weight;
    }
    l->lines[l->count++] = (struct learned_line){cells[0], p->number};
    return 0;
}

static int read_pack(struct parser *p)
{
    struct span line;
    if (read_head(p) != 0)
        return -1;
    while (next_line(p, &line))
        if (read_ngram(p, line) != 0)
            return -1;
    if (p->learned->count == 0)
        return FAIL(p, ERR_INVALID, "the pack holds no n-gram");
    return 0;
}

struct learned *learned_parse(struct span text, const char *name, struct err *err)
{
    struct err unseen = {0};
    struct parser p = {.learned = mem_zalloc(1, sizeof *p.learned),
                       .name = name,
                       .err = err == NULL ? &unseen : err};
    if (p.learned == NULL || (p.learned->text = mem_strndup(text.ptr, text.len)) == NULL) {
        (void)err_set(p.err, ERR_NOMEM, "%s: out of memory", name);
        learned_free(&p.learned);
        return NULL;
    }
    p.rest = span_of(p.learned->text, text.len);
    if (read_pack(&p) != 0)
        learned_free(&p.learned);
    return p.learned;
}

void learned_free(struct learned **learned)
{
    struct learned *l = *learned;
    *learned = NULL;
    if (l == NULL)
        return;
    mem_free(l->text);
    mem_free(l->weights);
    mem_free(l->lines);
    mem_free(l);
}

size_t learned_label_count(const struct learned *learned)
{
    return learned->label_count;
}

struct span learned_label(const struct learned *learned, size_t label)
{
    return learned->labels[label];
}

size_t learned_ngram_count(const struct learned *learned)
{
    return learned->count;
}

struct span learned_ngram(const struct learned *learned, size_t ngram)
{
    return learned->lines[ngram].ngram;
}

int learned_line(const struct learned *learned, size_t ngram)
{
    return learned->lines[ngram].number;
}
