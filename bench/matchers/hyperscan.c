/* Hyperscan's literal matcher, in block mode, one scratch. */
#include "bench/matchers/contest.h"

#include "engine/base/mem.h"

#include <hs/hs.h>
#include <stdio.h>

struct state {
    hs_database_t *database;
    hs_scratch_t *scratch;
};

/* What hs_compile_lit_multi takes. */
struct literals {
    const char **texts;
    unsigned *flags, *ids;
    size_t *lengths;
};

static void release(struct contestant *self)
{
    struct state *state = self->state;
    if (state == NULL)
        return;
    hs_free_scratch(state->scratch);
    hs_free_database(state->database);
    mem_free(state);
    self->state = NULL;
}

static int compile_literals(struct contestant *self, const struct literals *literals, size_t count)
{
    struct state *state = self->state;
    hs_compile_error_t *error = NULL;
    if (hs_compile_lit_multi(literals->texts, literals->flags, literals->ids, literals->lengths,
                             (unsigned)count, HS_MODE_BLOCK, NULL, &state->database,
                             &error) != HS_SUCCESS) {
        snprintf(self->why, sizeof self->why, "%s", error->message);
        hs_free_compile_error(error);
        return -1;
    }
    return hs_alloc_scratch(state->database, &state->scratch) == HS_SUCCESS ? 0 : -1;
}

static int compile(struct contestant *self, const struct keyword_list *list, size_t count)
{
    struct literals literals = {.texts = mem_zalloc(count, sizeof *literals.texts),
                                .flags = mem_zalloc(count, sizeof *literals.flags),
                                .ids = mem_zalloc(count, sizeof *literals.ids),
                                .lengths = mem_zalloc(count, sizeof *literals.lengths)};
    int bad = -1;
    snprintf(self->why, sizeof self->why, "memory is short");
    self->state = mem_zalloc(1, sizeof(struct state));
    if (self->state != NULL && literals.texts != NULL && literals.flags != NULL &&
        literals.ids != NULL && literals.lengths != NULL) {
        for (size_t i = 0; i < count; i++) {
            literals.texts[i] = list->items[i].utf8.ptr;
            literals.lengths[i] = list->items[i].utf8.len;
            literals.ids[i] = (unsigned)i;
            literals.flags[i] = self->option != 0 ? HS_FLAG_SINGLEMATCH : 0;
        }
        bad = compile_literals(self, &literals, count);
    }
    mem_free(literals.texts);
    mem_free(literals.flags);
    mem_free(literals.ids);
    mem_free(literals.lengths);
    if (bad != 0)
        release(self);
    return bad;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *ctx)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    uint64_t *matches = ctx;
    ++*matches;
    return 0;
}

static uint64_t run(struct contestant *self, const struct corpus *corpus)
{
    struct state *state = self->state;
    uint64_t matches = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        struct span text = corpus->texts[i].folded;
        if (hs_scan(state->database, text.ptr, (unsigned)text.len, 0, state->scratch, on_match,
                    &matches) != HS_SUCCESS)
            return UINT64_MAX;
    }
    return matches;
}

struct contestant hyperscan_contestant(int single)
{
    return (struct contestant){.name = single ? "Hyperscan, SINGLEMATCH" : "Hyperscan",
                               .option = single,
                               .compile = compile,
                               .run = run,
                               .release = release};
}
