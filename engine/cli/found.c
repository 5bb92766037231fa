#include "engine/cli/found.h"

#include "engine/base/mem.h"

#include <stdlib.h>

enum { ROOM_FIRST = 64 };

static struct found_category *add_category(struct found *f, struct span path)
{
    struct found_category *more =
        mem_grow(f->categories, &f->category_capacity, f->category_count, ROOM_FIRST, sizeof *more);
    if (more == NULL) {
        f->no_memory = true;
        return NULL;
    }
    f->categories = more;
    f->categories[f->category_count] = (struct found_category){.path = path};
    return &f->categories[f->category_count++];
}

static void take_score(void *ctx, const struct explain_score *score)
{
    struct found_category *category = add_category(ctx, score->category);
    if (category == NULL)
        return;
    category->score = score->score;
    category->hand = score->hand;
    category->learned = score->learned;
}

static void take_match(void *ctx, const struct explain_match *match)
{
    struct found *f = ctx;
    struct explain_match *more =
        mem_grow(f->matches, &f->match_capacity, f->match_count, ROOM_FIRST, sizeof *more);
    if (more == NULL) {
        f->no_memory = true;
        return;
    }
    f->matches = more;
    f->matches[f->match_count++] = *match;
}

/* Adds points to a path below the first level, which is made when new. */
static void add_points(struct found *f, struct span path, double weight)
{
    struct found_category *category = NULL;
    for (size_t i = 0; i < f->category_count && category == NULL; i++)
        if (span_eq(f->categories[i].path, path))
            category = &f->categories[i];
    if (category == NULL)
        category = add_category(f, path);
    if (category == NULL)
        return;
    category->score += weight;
    category->hand += weight;
}

/* A match speaks for its path and for those above it; what the first levels got is known already. */
static void add_match(struct found *f, const struct explain_match *match)
{
    for (size_t i = 0, slashes = 0; i <= match->target.len; i++) {
        bool end = i == match->target.len;
        if (!end && match->target.ptr[i] != '/')
            continue;
        if (slashes > 0)
            add_points(f, span_sub(match->target, 0, i), match->weight);
        slashes++;
    }
}

static size_t rank_of(const struct found *f, struct span path)
{
    struct span first = span_cut(&path, '/');
    for (size_t i = 0; i < f->category_count; i++)
        if (span_eq(f->categories[i].path, first))
            return i;
    return f->category_count;
}

/* Puts every path behind its first level, in the order of names. An insertion sort: they are few.
 * first_levels: how many stand at the beginning. */
static void settle(struct found *f, size_t first_levels)
{
    for (size_t i = first_levels; i < f->category_count; i++) {
        struct found_category moved = f->categories[i];
        size_t rank = rank_of(f, moved.path), at = i;
        while (at > 0) {
            const struct found_category *other = &f->categories[at - 1];
            size_t others = rank_of(f, other->path);
            if (others < rank || (others == rank && span_cmp(other->path, moved.path) < 0))
                break;
            f->categories[at] = *other;
            at--;
        }
        f->categories[at] = moved;
    }
}

int found_collect(struct found *f, const struct rules *rules, const struct rules_scratch *scratch,
                  struct span path, struct err *err)
{
    struct span first = span_cut(&path, '/');
    f->match_count = f->category_count = 0;
    f->no_memory = false;
    explain_scores(rules, scratch, take_score, f);
    explain_matches(rules, scratch, first, take_match, f);
    size_t first_levels = f->category_count;
    for (size_t i = 0; i < f->match_count && !f->no_memory; i++)
        if (f->matches[i].what == EVIDENCE_CATEGORY && !f->matches[i].learned &&
            f->matches[i].state == EXPLAIN_COUNTS)
            add_match(f, &f->matches[i]);
    if (f->no_memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    settle(f, first_levels);
    return 0;
}

void found_free(struct found *found)
{
    mem_free(found->matches);
    mem_free(found->categories);
    *found = (struct found){0};
}
