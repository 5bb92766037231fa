/*
 * rules_build_private: a rule set half built, shared by what collects its parts (rules_build.c) and
 * what freezes them (rules_freeze.c).
 */
#ifndef JIESU_CLASSIFIERS_RULES_BUILD_PRIVATE_H
#define JIESU_CLASSIFIERS_RULES_BUILD_PRIVATE_H

#include "classifiers/rules_build.h"
#include "engine/base/limits.h"

enum rules_word_for { RULES_WORD_KEYWORD, RULES_WORD_REGEX, RULES_WORD_CONDITION };

/* A keyword, a regex or the name of a condition with its use. */
struct rules_word {
    enum rules_word_for what;
    struct span folded;  /* units of a keyword, the text of others; in the builder's arena */
    struct regex *regex; /* owned */
    uint32_t gate;       /* of a regex */
    struct span place;   /* of a regex */
    uint32_t condition;
    struct rules_use use;
    struct rules_source source;
    size_t sequence;
};

/* Why a string is in the matcher. In this order a value's marks are sorted. */
enum rules_mark_for {
    RULES_MARK_USE,
    RULES_MARK_TRIGGER,
    RULES_MARK_WAKE,
    RULES_MARK_ITEM,
    RULES_MARK_NEGATION,
    RULES_MARK_NGRAM
};

struct rules_mark {
    struct span folded; /* units, in the builder's arena */
    enum rules_mark_for what;
    uint32_t index; /* a use, a gate, a condition, an item, a mask of negation or an n-gram */
    uint32_t set;   /* of a trigger: the bit of its set */
};

/* Where in the builder's marks the literals of a regex's best set are. */
struct rules_best_set {
    size_t at, end;
};

/* What the builder finds out about a condition: how many words it can be without when none of them
 * is there (RULES_NONE: it can hold without any), and which part and item they are. */
struct rules_need {
    uint32_t words;
    uint32_t part, item; /* item: of `all`; the first of the shortest list of `near` */
    uint32_t depth;
    uint32_t visit; /* the condition for which it was visited last, and one */
    bool has_wakes;
};

struct rules_builder {
    struct rules *rules;
    unsigned parts;
    struct arena *arena;
    struct arena *scratch; /* of one pattern */
    struct rules_word *words;
    size_t word_count, word_capacity;
    size_t rule_start; /* the words of the rule being read start here */
    struct rules_mark *marks;
    size_t mark_count, mark_capacity;
    size_t keyword_count;             /* words that are keywords */
    struct rules_best_set *best_sets; /* by gate */
    struct rules_need *needs;         /* by condition */
    struct span *item_words;          /* by item: folded; empty for one that is no word */
    size_t target_capacity, asked_capacity, gate_capacity, hint_capacity, best_capacity,
        condition_capacity, need_capacity, part_capacity, item_capacity, item_word_capacity,
        unless_capacity;
};

/* Fills *err with ERR_NOMEM; returns -1. */
int rules_builder_no_memory(struct err *err);
/* Room for one more item: the array, moved or not; NULL when memory is short. */
void *rules_builder_grown(void *items, size_t *capacity, size_t count, size_t size);
/* Folds a keyword. 0, or -1 and *err. */
int rules_builder_fold(struct span text, uint16_t units[LIMIT_KEYWORD_UNITS], struct span *out,
                       struct err *err);
/* Appends a word whose folded form and regex are given; takes the regex over in any case. */
int rules_builder_word(struct rules_builder *builder, struct rules_word word, uint32_t target,
                       const struct rules_pattern *pattern, struct err *err);
/* Compiles a regex that is only asked for. Its index in rules->asked, or RULES_NONE and *err. */
uint32_t rules_builder_asked(struct rules_builder *builder, struct span pattern, uint32_t target,
                             struct span place, struct err *err);
/* Marks the words that wake the conditions which rules use. 0, or -1 when memory is short. */
int rules_builder_wake(struct rules_builder *builder);
/* Adds a mark whose folded form is copied. 0, or -1 when memory is short. */
int rules_builder_mark(struct rules_builder *builder, struct rules_mark mark);
/* The order of folded forms: by length, then by bytes. */
int rules_form_compare(struct span a, struct span b);
/* Keywords first, by form; then what counts anywhere before what counts in a part; then as
 * written. For qsort over words. */
int rules_word_compare(const void *left, const void *right);

#endif
