/*
 * A byte-wise Aho-Corasick automaton (Aho and Corasick, 1975) with a dense table: for each state a
 * row of the next ones, failures worked in, so that a byte costs one look-up. Bytes that no keyword
 * holds share one column.
 */
#include "bench/matchers/contest.h"

#include "engine/base/mem.h"

#include <stdio.h>

enum { NO_KEYWORD = 0 };

struct state {
    uint8_t column[256];
    size_t columns, states;
    uint32_t *next;   /* [state * columns + column], as row * columns */
    uint32_t *ends;   /* by state: its keyword + 1 */
    uint32_t *suffix; /* by state: the longest proper suffix that ends a keyword, or 0 */
    uint32_t *fail;   /* while it is made */
    uint32_t *queue;
};

static void release(struct contestant *self)
{
    struct state *state = self->state;
    if (state == NULL)
        return;
    mem_free(state->next);
    mem_free(state->ends);
    mem_free(state->suffix);
    mem_free(state->fail);
    mem_free(state->queue);
    mem_free(state);
    self->state = NULL;
}

static size_t choose_columns(struct state *a, const struct keyword_list *list, size_t count)
{
    size_t most_states = 1;
    a->columns = 1;
    for (size_t i = 0; i < count; i++) {
        struct span s = list->items[i].utf8;
        most_states += s.len;
        for (size_t b = 0; b < s.len; b++) {
            uint8_t *column = &a->column[(unsigned char)s.ptr[b]];
            if (*column == 0)
                *column = (uint8_t)a->columns++;
        }
    }
    return most_states;
}

static void add(struct state *a, struct span s, uint32_t keyword)
{
    size_t at = 0;
    for (size_t b = 0; b < s.len; b++) {
        uint32_t *next = &a->next[at * a->columns + a->column[(unsigned char)s.ptr[b]]];
        if (*next == 0)
            *next = (uint32_t)a->states++;
        at = *next;
    }
    a->ends[at] = keyword + 1;
}

/* Breadth first: the row of a state is completed from that of its failure, which is shorter. */
static void complete(struct state *a)
{
    size_t tail = 0;
    for (size_t c = 0; c < a->columns; c++)
        if (a->next[c] != 0)
            a->queue[tail++] = a->next[c];
    for (size_t head = 0; head < tail; head++) {
        size_t here = a->queue[head];
        size_t fail = a->fail[here];
        a->suffix[here] = a->ends[fail] != NO_KEYWORD ? (uint32_t)fail : a->suffix[fail];
        for (size_t c = 0; c < a->columns; c++) {
            uint32_t *next = &a->next[here * a->columns + c];
            uint32_t after_fail = a->next[fail * a->columns + c];
            if (*next == 0) {
                *next = after_fail;
                continue;
            }
            a->fail[*next] = after_fail;
            a->queue[tail++] = *next;
        }
    }
}

static int compile(struct contestant *self, const struct keyword_list *list, size_t count)
{
    struct state *a = mem_zalloc(1, sizeof *a);
    self->state = a;
    snprintf(self->why, sizeof self->why, "memory is short");
    if (a == NULL)
        return -1;
    size_t most = choose_columns(a, list, count);
    a->states = 1;
    a->next = mem_zalloc(most * a->columns, sizeof *a->next);
    a->ends = mem_zalloc(most, sizeof *a->ends);
    a->suffix = mem_zalloc(most, sizeof *a->suffix);
    a->fail = mem_zalloc(most, sizeof *a->fail);
    a->queue = mem_zalloc(most, sizeof *a->queue);
    if (a->next == NULL || a->ends == NULL || a->suffix == NULL || a->fail == NULL ||
        a->queue == NULL) {
        release(self);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        add(a, list->items[i].utf8, (uint32_t)i);
    complete(a);
    return 0;
}

static uint64_t run(struct contestant *self, const struct corpus *corpus)
{
    const struct state *a = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        struct span text = corpus->texts[i].folded;
        size_t at = 0;
        for (size_t b = 0; b < text.len; b++) {
            at = a->next[at * a->columns + a->column[(unsigned char)text.ptr[b]]];
            matches += a->ends[at] != NO_KEYWORD;
            for (uint32_t s = a->suffix[at]; s != 0; s = a->suffix[s])
                matches++;
        }
    }
    return matches;
}

struct contestant automaton_contestant(void)
{
    return (struct contestant){
        .name = "Aho-Corasick, dense", .compile = compile, .run = run, .release = release};
}
