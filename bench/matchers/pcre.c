/* One PCRE2 alternation with its just-in-time compiler. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "bench/matchers/contest.h"

#include "engine/base/mem.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

struct state {
    pcre2_code *code;
    pcre2_match_data *match;
};

static void release(struct contestant *self)
{
    struct state *state = self->state;
    if (state == NULL)
        return;
    pcre2_match_data_free(state->match);
    pcre2_code_free(state->code);
    mem_free(state);
    self->state = NULL;
}

static int longest_first(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;
    return (a->len < b->len) - (a->len > b->len);
}

/* The keywords are Han characters: nothing in them means anything to PCRE2. */
static int write_pattern(struct buf *pattern, const struct keyword_list *list, size_t count)
{
    struct span *sorted = mem_alloc(count * sizeof *sorted);
    if (sorted == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        sorted[i] = list->items[i].utf8;
    qsort(sorted, count, sizeof *sorted, longest_first);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(pattern, '|');
        buf_span(pattern, sorted[i]);
    }
    mem_free(sorted);
    return buf_ok(pattern) ? 0 : -1;
}

static int compile_pattern(struct contestant *self, struct span pattern)
{
    struct state *state = self->state;
    int error = 0;
    PCRE2_SIZE at = 0;
    state->code =
        pcre2_compile((PCRE2_SPTR)(const void *)pattern.ptr, pattern.len, 0, &error, &at, NULL);
    if (state->code == NULL) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)(void *)self->why, sizeof self->why);
        return -1;
    }
    state->match = pcre2_match_data_create_from_pattern(state->code, NULL);
    if (state->match == NULL || pcre2_jit_compile(state->code, PCRE2_JIT_COMPLETE) != 0) {
        snprintf(self->why, sizeof self->why, "the just-in-time compiler gives up");
        return -1;
    }
    return 0;
}

static int compile(struct contestant *self, const struct keyword_list *list, size_t count)
{
    struct buf pattern = {.data = NULL};
    snprintf(self->why, sizeof self->why, "memory is short");
    self->state = mem_zalloc(1, sizeof(struct state));
    int bad = -1;
    if (self->state != NULL && write_pattern(&pattern, list, count) == 0)
        bad = compile_pattern(self, buf_view(&pattern));
    buf_free(&pattern);
    if (bad != 0)
        release(self);
    return bad;
}

static uint64_t run(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        struct span text = corpus->texts[i].folded;
        size_t from = 0;
        while (pcre2_jit_match(state->code, (PCRE2_SPTR)(const void *)text.ptr, text.len, from, 0,
                               state->match, NULL) > 0) {
            from = pcre2_get_ovector_pointer(state->match)[1];
            matches++;
        }
    }
    return matches;
}

struct contestant pcre_contestant(void)
{
    return (struct contestant){
        .name = "PCRE2-JIT alternation", .compile = compile, .run = run, .release = release};
}
