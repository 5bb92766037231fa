/*
 * literal_set: sets of words of few units, for the analysis of a pattern (literals.h).
 *
 * A set is ordered by units and holds no word twice. Its list lives in the pool's arena and is not
 * changed once the set was used in another one.
 */
#ifndef JIESU_CLASSIFIERS_LITERAL_SET_H
#define JIESU_CLASSIFIERS_LITERAL_SET_H

#include "classifiers/literals.h"
#include "engine/base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* Where sets come from. */
struct literal_pool {
    struct arena *arena;
    bool no_memory; /* a set could not be made for want of memory */
};

/* An empty set with room for `capacity` words. False when that is over LIMIT_REGEX_SET_LITERALS,
 * or when memory is short. */
bool literal_set_make(struct literal_pool *pool, size_t capacity, struct literal_set *out);
/* Adds a word in its order, once. False when the set is full. */
bool literal_set_add(struct literal_set *set, const struct literal *word);
/* The words of both; false as above. */
bool literal_set_unite(struct literal_pool *pool, const struct literal_set *left,
                       const struct literal_set *right, struct literal_set *out);
/* All concatenations. False also when a word would be over LIMIT_REGEX_LITERAL_UNITS, or the set
 * over LIMIT_REGEX_SET_GROWTH although its words are long enough without it. */
bool literal_set_multiply(struct literal_pool *pool, const struct literal_set *left,
                          const struct literal_set *right, struct literal_set *out);
/* Units of the shortest word. */
size_t literal_set_shortest(const struct literal_set *set);
/* Units of the longest word; 0 for no words. */
size_t literal_set_longest(const struct literal_set *set);
/* How often one of the words may be met in a text: a guess, to compare sets. */
size_t literal_set_likely(const struct literal_set *set);
/* Puts a set, whose words end at most `lead` units behind the beginning of a match, among the best
 * of *known, reduced to the words that hold no other, unless it has the empty word or one of them
 * says as much already. */
void literals_offer(struct literal_pool *pool, struct literals *known,
                    const struct literal_set *words, size_t lead);

#endif
