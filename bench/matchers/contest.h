/*
 * contest: what takes part in bench/match, and what it is given.
 */
#ifndef JIESU_BENCH_MATCHERS_CONTEST_H
#define JIESU_BENCH_MATCHERS_CONTEST_H

#include "engine/base/buf.h"
#include "engine/base/cpu.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct complaint_text {
    struct span title, body;     /* as they were written: what ours reads */
    struct span folded;          /* normalised, one UTF-8 text: what the peers read */
    size_t units_from, units_to; /* the same in the corpus' units */
};

struct corpus {
    struct complaint_text *texts;
    size_t count;
    size_t bytes; /* of all titles and bodies as they were written */
    struct buf raw, folded, unit_bytes;
    const uint16_t *units; /* normalised; each complaint as text_set gives it */
    size_t unit_count;
};

/* Reads a TSV file with a column body or text, and perhaps title. 0, or -1 after a message to
 * stderr. */
int corpus_read(struct corpus *corpus, const char *path);
void corpus_free(struct corpus *corpus);

struct keyword {
    const uint16_t *units; /* in the corpus */
    size_t count;
    struct span utf8;
};

struct keyword_list {
    struct keyword *items;
    size_t count;
    struct buf utf8;
};

/* Draws up to count different keywords; fewer when the corpus has no more to give (it gives up
 * after 200 draws for each wanted). 0, or -1 when memory is short. */
int keyword_list_draw(struct keyword_list *list, const struct corpus *corpus, size_t count,
                      uint64_t seed);
void keyword_list_free(struct keyword_list *list);

/* A way to find keywords. */
struct contestant {
    const char *name;
    int option; /* what makes it differ from others of its sort */
    /* Makes state from the first count keywords. 0, or -1 and why. */
    int (*compile)(struct contestant *self, const struct keyword_list *list, size_t count);
    /* Searches every complaint on its own; the number of matches. */
    uint64_t (*run)(struct contestant *self, const struct corpus *corpus);
    void (*release)(struct contestant *self);
    void *state; /* NULL: did not compile */
    char why[160];
};

/* Ours, from the raw text (validation and normalisation included), or from the units. */
struct contestant jiesu_contestant(enum cpu_level level);
struct contestant jiesu_units_contestant(enum cpu_level level);
/* Ours again, to count as others do: what PCRE2's alternation would find among the matches, and one
 * match of a keyword in a complaint. */
struct contestant jiesu_leftmost_contestant(void);
struct contestant jiesu_single_contestant(void);
/* Only text_set: what normalisation takes of the former. Finds nothing. */
struct contestant jiesu_text_contestant(void);
/* hs_compile_lit_multi over the normalised bytes; single: HS_FLAG_SINGLEMATCH, at most one match of
 * a keyword in a complaint. */
struct contestant hyperscan_contestant(int single);
/* Aho-Corasick, a row of next states for each state. */
struct contestant automaton_contestant(void);
/* One PCRE2-JIT alternation, the longest first: finds what is leftmost and does not overlap. */
struct contestant pcre_contestant(void);

#endif
