#include "classifiers/literal_piece.h"

void literal_piece_unknown(struct literal_piece *piece)
{
    *piece = (struct literal_piece){.exact = false};
}

void literal_piece_empty_word(struct literal_pool *pool, struct literal_piece *piece)
{
    literal_piece_unknown(piece);
    piece->exact = literal_set_make(pool, 1, &piece->words);
    if (piece->exact)
        literal_set_add(&piece->words, &(struct literal){.count = 0});
}

static unsigned up_to_unlimited(size_t units)
{
    return units < LITERAL_UNLIMITED ? (unsigned)units : LITERAL_UNLIMITED;
}

void literal_piece_end_run(struct literal_pool *pool, struct literal_piece *run, unsigned before)
{
    struct literals known;
    unsigned longest = run->longest;
    literals_offer(pool, &run->known, &run->words, run->before + literal_set_longest(&run->words));
    known = run->known;
    literal_piece_empty_word(pool, run);
    run->known = known;
    run->longest = longest;
    run->before = before;
    run->exact = false;
}

/* Appends words before which stand at most `before` units. */
static void append_words(struct literal_pool *pool, struct literal_piece *run,
                         const struct literal_set *words, unsigned before)
{
    struct literal_set product;
    if (literal_set_multiply(pool, &run->words, words, &product)) {
        run->words = product;
        return;
    }
    literal_piece_end_run(pool, run, before);
    run->words = *words;
}

/* Appends term{min,max}, an exact one, behind at most `before` units. */
static void append_exact(struct literal_pool *pool, struct literal_piece *run,
                         const struct literal_piece *term, unsigned min, unsigned max,
                         size_t before)
{
    struct literal empty = {.count = 0};
    struct literal_set none = {.list = &empty, .count = 1}, either;
    const struct literal_set *words = &term->words;
    unsigned copies = min < LIMIT_REGEX_LITERAL_UNITS ? min : LIMIT_REGEX_LITERAL_UNITS;
    if (words->count == 1 && words->list[0].count == 0)
        return;
    if (min == 0 && max == 1 && literal_set_unite(pool, words, &none, &either)) {
        append_words(pool, run, &either, up_to_unlimited(before));
        return;
    }
    for (size_t i = 0; i < copies; i++)
        append_words(pool, run, words, up_to_unlimited(before + term->longest * i));
    if (copies == max)
        return;
    before += (size_t)term->longest * (max - copies);
    literal_piece_end_run(pool, run, up_to_unlimited(before));
    for (size_t i = 0; i < copies; i++)
        append_words(pool, run, words, up_to_unlimited(before + term->longest * i));
}

void literal_piece_append(struct literal_pool *pool, struct literal_piece *run,
                          const struct literal_piece *term, unsigned min, unsigned max)
{
    unsigned before = run->longest;
    run->longest = up_to_unlimited(before + (size_t)term->longest * max);
    if (term->exact) {
        append_exact(pool, run, term, min, max, before);
        return;
    }
    literal_piece_end_run(pool, run, run->longest);
    for (size_t i = 0; min > 0 && i < term->known.count; i++)
        literals_offer(pool, &run->known, &term->known.sets[i], before + term->known.sets[i].lead);
}

struct literals literal_piece_known(struct literal_pool *pool, const struct literal_piece *piece)
{
    struct literals known = piece->known;
    if (piece->exact)
        literals_offer(pool, &known, &piece->words, literal_set_longest(&piece->words));
    return known;
}

void literal_piece_unite(struct literal_pool *pool, struct literal_piece *left,
                         const struct literal_piece *right)
{
    struct literals first = literal_piece_known(pool, left),
                    second = literal_piece_known(pool, right);
    struct literal_piece both = {.exact = left->exact && right->exact,
                                 .longest = left->longest > right->longest ? left->longest
                                                                           : right->longest};
    struct literal_set met;
    if (both.exact)
        both.exact = literal_set_unite(pool, &left->words, &right->words, &both.words);
    if (!both.exact && first.count > 0 && second.count > 0 &&
        literal_set_unite(pool, &first.sets[0], &second.sets[0], &met))
        literals_offer(pool, &both.known, &met,
                       first.sets[0].lead > second.sets[0].lead ? first.sets[0].lead
                                                                : second.sets[0].lead);
    *left = both;
}
