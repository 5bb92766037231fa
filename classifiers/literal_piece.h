/*
 * literal_piece: what is known of a part of a pattern, for the analysis of a pattern (literals.h).
 *
 * Either all the words it can match, when they are few (exact), or sets of literals each of which
 * every match meets, or nothing.
 *
 * In a concatenation, exact terms are multiplied into a run of words as long as that stays small.
 * Where it ends (at `.{0,8}`, at a repetition, when it would grow too large) the run is a set that
 * every match meets, and is offered. Alternatives unite their best sets: a match meets that of its
 * own branch. x{m,n} begins with m copies of x and ends with m copies of x, so it is read as those,
 * a gap, and those again.
 */
#ifndef JIESU_CLASSIFIERS_LITERAL_PIECE_H
#define JIESU_CLASSIFIERS_LITERAL_PIECE_H

#include "classifiers/literal_set.h"

#include <stdbool.h>
#include <stdint.h>

/* A number of units or of repetitions that has no bound. */
enum { LITERAL_UNLIMITED = UINT16_MAX + 1 };

struct literal_piece {
    bool exact;
    struct literal_set words; /* exact: all that it matches; the empty word may be one */
    struct literals known;    /* not exact */
    unsigned longest;         /* units of its longest match, up to LITERAL_UNLIMITED */
    unsigned before;          /* of a run: the most units that stand before `words`, as above */
};

/* Makes it a piece of which nothing is known. */
void literal_piece_unknown(struct literal_piece *piece);
/* Makes it one that matches the empty word: also a run to append to. Unknown when memory is short. */
void literal_piece_empty_word(struct literal_pool *pool, struct literal_piece *piece);
/* Appends term{min,max} to a run; max may be LITERAL_UNLIMITED. */
void literal_piece_append(struct literal_pool *pool, struct literal_piece *run,
                          const struct literal_piece *term, unsigned min, unsigned max);
/* Something unknown follows: what stands behind it is a new run, before which stand at most `before`
 * units. */
void literal_piece_end_run(struct literal_pool *pool, struct literal_piece *run, unsigned before);
/* left|right, into left. */
void literal_piece_unite(struct literal_pool *pool, struct literal_piece *left,
                         const struct literal_piece *right);
/* What is known of a piece, also when it is exact. */
struct literals literal_piece_known(struct literal_pool *pool, const struct literal_piece *piece);

#endif
