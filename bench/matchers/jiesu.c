/* Ours. */
#include "bench/matchers/contest.h"

#include "classifiers/keywords.h"
#include "classifiers/text_private.h"
#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct state {
    struct keywords *keywords; /* NULL: only the text */
    struct text text;
    struct keywords_hits hits;
    uint32_t *seen; /* by keyword: the last complaint it was in, + 1 */
};

static int compile_keywords(struct state *state, const struct keyword_list *list, size_t count,
                            enum cpu_level level)
{
    struct keywords_builder *builder = keywords_builder_new();
    if (builder == NULL)
        return -1;
    int bad = 0;
    for (size_t i = 0; i < count && bad == 0; i++)
        bad = keywords_add(builder, list->items[i].units, list->items[i].count, (uint32_t)i, NULL);
    if (bad == 0)
        state->keywords = keywords_build_for(builder, level, NULL);
    keywords_builder_free(&builder);
    state->seen = mem_zalloc(count + 1, sizeof *state->seen);
    return state->keywords == NULL || state->seen == NULL ? -1 : 0;
}

static void release(struct contestant *self)
{
    struct state *state = self->state;
    if (state == NULL)
        return;
    keywords_free(&state->keywords);
    text_free(&state->text);
    keywords_hits_free(&state->hits);
    mem_free(state->seen);
    mem_free(state);
    self->state = NULL;
}

/* The loop that reads a text, at most as high as the matcher's. */
static int text_form_for(enum cpu_level level)
{
    return (int)(level == CPU_AVX512 ? TEXT_FASTEST
                 : level == CPU_AVX2 ? TEXT_AVX2
                                     : TEXT_PORTABLE);
}

static int compile(struct contestant *self, const struct keyword_list *list, size_t count)
{
    enum cpu_level level = (enum cpu_level)self->option;
    struct state *state = mem_zalloc(1, sizeof *state);
    self->state = state;
    if (state != NULL && compile_keywords(state, list, count, level) == 0) {
        state->text.form = text_form_for(level);
        return 0;
    }
    release(self);
    snprintf(self->why, sizeof self->why, "memory is short");
    return -1;
}

static int compile_nothing(struct contestant *self, const struct keyword_list *list, size_t count)
{
    (void)list;
    (void)count;
    self->state = mem_zalloc(1, sizeof(struct state));
    return self->state == NULL ? -1 : 0;
}

static uint64_t run_text(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    for (size_t i = 0; i < corpus->count; i++)
        if (text_set(&state->text, corpus->texts[i].title, corpus->texts[i].body, NULL) != 0)
            return UINT64_MAX;
    return 0;
}

static uint64_t run_all(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        state->hits.count = 0;
        if (text_set(&state->text, corpus->texts[i].title, corpus->texts[i].body, NULL) != 0 ||
            keywords_find(state->keywords, state->text.units, state->text.count, &state->hits) != 0)
            return UINT64_MAX;
        matches += state->hits.count;
    }
    return matches;
}

static int find_in_units(struct state *state, const struct corpus *corpus, size_t i)
{
    const struct complaint_text *text = &corpus->texts[i];
    state->hits.count = 0;
    return keywords_find(state->keywords, corpus->units + text->units_from,
                         text->units_to - text->units_from, &state->hits);
}

static uint64_t run_units(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        if (find_in_units(state, corpus, i) != 0)
            return UINT64_MAX;
        matches += state->hits.count;
    }
    return matches;
}

static int leftmost_then_longest(const void *left, const void *right)
{
    const struct keywords_found *a = left;
    const struct keywords_found *b = right;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->length < b->length) - (a->length > b->length);
}

static uint64_t run_leftmost(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        if (find_in_units(state, corpus, i) != 0)
            return UINT64_MAX;
        if (state->hits.count > 0)
            qsort(state->hits.items, state->hits.count, sizeof *state->hits.items,
                  leftmost_then_longest);
        uint32_t end = 0;
        for (size_t h = 0; h < state->hits.count; h++) {
            const struct keywords_found *hit = &state->hits.items[h];
            if (hit->from < end)
                continue;
            end = hit->from + hit->length;
            matches++;
        }
    }
    return matches;
}

static uint64_t run_single(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        if (find_in_units(state, corpus, i) != 0)
            return UINT64_MAX;
        for (size_t h = 0; h < state->hits.count; h++) {
            uint32_t *seen = &state->seen[state->hits.items[h].value];
            matches += *seen != i + 1;
            *seen = (uint32_t)i + 1;
        }
    }
    return matches;
}

struct contestant jiesu_contestant(enum cpu_level level)
{
    return (struct contestant){.name = cpu_level_name(level),
                               .option = (int)level,
                               .compile = compile,
                               .run = run_all,
                               .release = release};
}

struct contestant jiesu_units_contestant(enum cpu_level level)
{
    struct contestant contestant = jiesu_contestant(level);
    contestant.run = run_units;
    return contestant;
}

struct contestant jiesu_leftmost_contestant(void)
{
    struct contestant contestant = jiesu_contestant(cpu_level());
    contestant.run = run_leftmost;
    return contestant;
}

struct contestant jiesu_single_contestant(void)
{
    struct contestant contestant = jiesu_contestant(cpu_level());
    contestant.run = run_single;
    return contestant;
}

struct contestant jiesu_text_contestant(void)
{
    return (struct contestant){.name = "normalisation alone",
                               .compile = compile_nothing,
                               .run = run_text,
                               .release = release};
}
