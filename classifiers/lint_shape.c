/*
 * The shape of a regex. A backtracking matcher takes exponential time where a repeat can share out
 * the same text among its rounds in several ways. That is so when, within a repeat, a part that may
 * match more or less is followed (perhaps by the next round) by something that can begin with what
 * the part could have taken too: (a+)+, (a|aa)*, (.*,)*. See Kirrage, Rathnayake, Thielecke, "Static
 * analysis for regular expression denial-of-service attacks" (NSS 2013). First and follow sets find
 * it; they err towards naming a pattern that is only slow, which the trial then tells apart.
 */
#include "classifiers/lint_regex.h"

enum {
    ROUNDS_MANY =
        8, /* a repeat of fewer rounds multiplies cost, but does not raise it to a power */
    WIDE_ROUNDS = 200, /* as good as without end */
    WIDE_UNITS = 1000, /* a set of so many is "anything" */
    WIDE_REPEATS = 2
};

struct shape {
    struct arena *arena;
    bool no_memory;
    enum regex_shape found;
};

/* The units a part can begin with, and whether it can be empty. */
struct first {
    struct pattern_node *set;
    bool empty;
};

static struct pattern_node *unite(struct shape *s, const struct pattern_node *a,
                                  const struct pattern_node *b)
{
    struct pattern_node *both = pattern_set_unite(a, b, s->arena);
    s->no_memory |= both == NULL;
    return both;
}

static struct first first_of(struct shape *s, const struct pattern_node *node)
{
    struct first first = {.set = pattern_set_empty(s->arena), .empty = true};
    if (first.set == NULL)
        s->no_memory = true;
    if (s->no_memory || node->kind == PATTERN_NOTHING || node->kind == PATTERN_LOOK)
        return first;
    if (node->kind == PATTERN_SET) {
        first.set = unite(s, first.set, node);
        first.empty = false;
        return first;
    }
    bool any_empty = false, all_empty = true;
    for (size_t i = 0; i < node->count && !s->no_memory; i++) {
        struct first part = first_of(s, node->parts[i]);
        if (s->no_memory)
            return first;
        if (node->kind != PATTERN_ROW || all_empty)
            first.set = unite(s, first.set, part.set);
        any_empty |= part.empty;
        all_empty &= part.empty;
    }
    first.empty = node->kind == PATTERN_CHOICE ? any_empty : all_empty;
    first.empty |= node->kind == PATTERN_REPEAT && node->min == 0;
    return first;
}

static void find(struct shape *s, enum regex_shape shape)
{
    if (shape > s->found)
        s->found = shape;
}

/* An alternative as the parts that follow each other in it. */
struct row {
    const struct pattern_node *const *parts;
    size_t count;
};

static struct row row_of(const struct pattern_node *const *alternative)
{
    const struct pattern_node *node = *alternative;
    if (node->kind == PATTERN_ROW && !node->atomic)
        return (struct row){(const struct pattern_node *const *)node->parts, node->count};
    return (struct row){alternative, 1};
}

/* Whether two alternatives part at some fixed place, so that a text fits one of them only. Where
 * the shorter one ends, what follows takes its place. */
static bool part_ways(struct row a, struct row b, const struct pattern_node *follow)
{
    for (size_t i = 0; i < a.count || i < b.count; i++) {
        const struct pattern_node *left = i < a.count ? a.parts[i] : follow;
        const struct pattern_node *right = i < b.count ? b.parts[i] : follow;
        if (left->kind != PATTERN_SET || right->kind != PATTERN_SET)
            return false;
        if (!pattern_sets_meet(left, right))
            return true;
        if (i >= a.count || i >= b.count)
            return false;
    }
    return false;
}

static void judge_choice(struct shape *s, const struct pattern_node *node,
                         const struct pattern_node *follow)
{
    const struct pattern_node *const *parts = (const struct pattern_node *const *)node->parts;
    for (size_t i = 0; i < node->count && s->found < SHAPE_ALIKE; i++) {
        struct first one = first_of(s, parts[i]);
        for (size_t k = i + 1; k < node->count && !s->no_memory; k++) {
            struct first other = first_of(s, parts[k]);
            if (!s->no_memory && pattern_sets_meet(one.set, other.set) &&
                !part_ways(row_of(&parts[i]), row_of(&parts[k]), follow))
                find(s, SHAPE_ALIKE);
        }
    }
}

/* follow: what can come next while still within a repeat of many rounds; NULL outside of one. */
static void judge(struct shape *s, const struct pattern_node *node,
                  const struct pattern_node *follow)
{
    if (s->no_memory || node->kind == PATTERN_SET || node->kind == PATTERN_NOTHING)
        return;
    if (node->atomic || node->kind == PATTERN_LOOK)
        follow = NULL;
    if (node->kind == PATTERN_CHOICE && follow != NULL)
        judge_choice(s, node, follow);
    if (node->kind == PATTERN_REPEAT) {
        struct first body = first_of(s, node->parts[0]);
        if (s->no_memory)
            return;
        if (follow != NULL && node->max > node->min && pattern_sets_meet(body.set, follow))
            find(s, SHAPE_NESTED);
        if (node->max >= ROUNDS_MANY && !node->atomic)
            follow = follow == NULL ? body.set : unite(s, body.set, follow);
    }
    for (size_t i = node->count; i-- > 0 && !s->no_memory;) {
        judge(s, node->parts[i], follow);
        if (node->kind != PATTERN_ROW || follow == NULL || s->no_memory)
            continue;
        struct first part = first_of(s, node->parts[i]);
        if (!s->no_memory)
            follow = part.empty ? unite(s, part.set, follow) : part.set;
    }
}

/* The most repeats of anything that one match goes through. */
static size_t wide_repeats(const struct pattern_node *node)
{
    size_t sum = 0, most = 0;
    if (node->kind == PATTERN_SET)
        return 0;
    for (size_t i = 0; i < node->count; i++) {
        size_t of_part = wide_repeats(node->parts[i]);
        sum += of_part;
        most = of_part > most ? of_part : most;
    }
    if (node->kind == PATTERN_REPEAT && node->max >= WIDE_ROUNDS && !node->atomic &&
        node->parts[0]->kind == PATTERN_SET && pattern_set_size(node->parts[0]) >= WIDE_UNITS)
        return 1;
    return node->kind == PATTERN_CHOICE ? most : sum;
}

static bool has_echo(const struct pattern_node *node)
{
    bool found = node->kind == PATTERN_SET && node->echo;
    if (node->kind != PATTERN_SET)
        for (size_t i = 0; i < node->count && !found; i++)
            found = has_echo(node->parts[i]);
    return found;
}

/* A search begins at each place, so what stands first and may be empty adds nothing to what is
 * found; without an end, it reads a long run of one character again from each of its places. */
static bool begins_idly(const struct pattern_node *node)
{
    switch (node->kind) {
    case PATTERN_REPEAT:
        return node->min == 0 ? node->max >= WIDE_ROUNDS : begins_idly(node->parts[0]);
    case PATTERN_ROW:
        return begins_idly(node->parts[0]);
    case PATTERN_CHOICE:
        for (size_t i = 0; i < node->count; i++)
            if (begins_idly(node->parts[i]))
                return true;
        return false;
    default:
        return false;
    }
}

int regex_shape(const struct pattern_node *tree, struct arena *arena, enum regex_shape *out)
{
    struct shape s = {.arena = arena, .found = SHAPE_SOUND};
    if (begins_idly(tree))
        find(&s, SHAPE_IDLE);
    if (has_echo(tree))
        find(&s, SHAPE_ECHO);
    if (wide_repeats(tree) >= WIDE_REPEATS)
        find(&s, SHAPE_WIDE);
    judge(&s, tree, NULL);
    *out = s.found;
    return s.no_memory ? -1 : 0;
}
