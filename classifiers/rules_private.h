/*
 * rules_private: the inside of a rule set, shared by what builds it and what classifies with it.
 *
 * A target is anything that collects a score: a node of the category tree, a rule of urgency.yaml,
 * a kind, a tag. A use is one pattern speaking for one target with one weight. Every distinct
 * string that any rule looks for is in the matcher once, as a value, so one scan serves all files.
 *
 * What a value stands for are runs: of the uses of a keyword; of triggers. The literals that a
 * regex needs (literals.h) are values too, and each trigger says that a set of some regex's
 * literals was met. A regex whose sets were all met is run, as is one without sets. Every regex,
 * those that are only asked for too (of `unless`, of conditions), has a gate, by which it is named
 * there. A condition that rules use is looked at when one of the words was met without which it
 * cannot hold: its wakes.
 *
 * Values below hand_count were written by a person (or are such literals) and have runs; the
 * others are learned n-grams only, which need none. That keeps the many n-grams cheap.
 */
#ifndef JIESU_CLASSIFIERS_RULES_PRIVATE_H
#define JIESU_CLASSIFIERS_RULES_PRIVATE_H

#include "classifiers/hint.h"
#include "classifiers/keywords.h"
#include "classifiers/learned.h"
#include "classifiers/regex.h"
#include "classifiers/rules.h"
#include "classifiers/rules_files.h"
#include "classifiers/verdict.h"
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_NONE UINT32_MAX

/* Levels of a category's path, the first level among them. */
enum { RULES_PATH_LEVELS = 3 };

/* Scores and weights are whole numbers in hundredths of a point. */
enum { RULES_SCORE_ONE = 100 };

/* Of a first-level category without a limit of its own. */
#define RULES_REVIEW_DEFAULT (-1.0)

struct rules_target {
    enum evidence_for what;
    uint32_t parent;             /* a category's next level up, or RULES_NONE */
    int value;                   /* the enum urgency or enum kind it stands for */
    struct span name;            /* category path, urgency, kind or tag */
    struct span sla, department; /* may be empty; a category's are filled from above it */
    struct span rule; /* "file:line" of its rule; empty when only paths below it have one */
    size_t unless_at, unless_end; /* its run in rules->asked: what sets its matches aside */
    size_t unless_condition_at, unless_condition_end; /* and in rules->unless_conditions */
    /* Of a first-level category: below these a person should check; and its label in
     * rules->learned, or -1. */
    double min_score, min_margin;
    int label;
};

/* What is asked of a target for every match and every score: small, for many are asked. */
struct rules_kin {
    uint16_t parent, grandparent; /* of a category; itself when it has none */
    uint16_t top;                 /* a category's first level; RULES_KIN_NONE of another target */
    uint8_t what;                 /* enum evidence_for */
    uint8_t label;                /* as in rules_target; LEARNED_LABELS_MAX for none */
};
#define RULES_KIN_NONE UINT16_MAX
_Static_assert((unsigned)LIMIT_RULE_TARGETS < RULES_KIN_NONE, "a target needs more bits");

/* Where a pattern counts. */
enum rules_scope { RULES_ANYWHERE, RULES_TITLE, RULES_TEXT };

/* What a match looks at: small, because it is looked at for every match of every text. */
struct rules_use {
    uint32_t target;
    int32_t weight; /* in hundredths */
    uint8_t scope;  /* enum rules_scope */
    bool negatable; /* negation words beside it set it aside */
};

/* Where a use comes from: for evidence. */
struct rules_source {
    int line, column;    /* of the pattern, in the file of the target's rule */
    struct span pattern; /* as its author wrote it; of a condition its name */
};

/* A regex and its use; those that are only asked for have none. */
struct rules_regex {
    struct regex *regex;
    uint32_t use;
    uint32_t gate;
    uint32_t target;   /* for whose time it counts; RULES_NONE for a regex of a condition */
    struct span place; /* "file:line" */
};

/* What becomes known of a regex while the rule set is in use. */
struct rules_tally {
    atomic_uint strikes; /* texts that stopped it */
    atomic_bool off;     /* after LIMIT_REGEX_STRIKES of them */
};

/* What becomes known of a target: in how many texts it had a match, the time of its regexes, and how
 * many of them were switched off. */
struct rules_counter {
    atomic_uint_least64_t hits, nanoseconds;
    atomic_uint regexes_off;
};

/* What must be met before a regex is worth running. */
struct rules_gate {
    uint32_t sets;                    /* a bit for each set of literals; 0: it runs on every text */
    uint32_t longest;                 /* units of its longest match; 0: not known */
    uint32_t leads[LIMIT_REGEX_SETS]; /* of each set (literals.h) */
    bool at_end;                      /* literals.h */
    bool spared;    /* it has sets that are not looked for, because it is seldom asked for */
    uint32_t regex; /* in rules->regexes; RULES_NONE for one that is only asked for */
};

/* Of each set of a regex, first those of its gate, then those that are not worth a look at every
 * text. */
struct rules_hints {
    uint32_t count;
    struct hint list[LIMIT_REGEX_SETS];
};

/* A literal that meets one set of a regex. */
struct rules_trigger {
    uint32_t gate;
    uint32_t set; /* its bit */
};

enum rules_item_for { RULES_ITEM_WORD, RULES_ITEM_REGEX, RULES_ITEM_CONDITION };

/* One thing that a condition looks for. */
struct rules_item {
    enum rules_item_for what;
    enum rules_scope scope; /* of a word */
    uint32_t index;         /* a value, a regex of rules->asked or a condition */
    uint32_t list;          /* of a word of `near`: the list it stands in, from 0 */
};

enum rules_part_for { RULES_PART_ANY, RULES_PART_ALL, RULES_PART_NONE, RULES_PART_NEAR };

struct rules_part {
    enum rules_part_for what;
    uint32_t item_at, item_end; /* its run in rules->items */
    uint32_t lists, within;     /* of `near` */
};

/* A named condition: it holds when all its parts hold. */
struct rules_condition {
    struct span name;
    struct span place;          /* "conditions.yaml:12" */
    uint32_t part_at, part_end; /* its run in rules->parts */
    uint32_t use_at, use_end;   /* its run in rules->uses */
};

/* What a value is for negations. */
enum { RULES_NEGATES_BEFORE = 1, RULES_NEGATES_AFTER = 2, RULES_NEGATES_NOT = 4 };

/* Where a value's runs begin; they end where the next value's begin. */
struct rules_value {
    uint32_t use;     /* in rules->uses */
    uint32_t trigger; /* in rules->triggers */
    uint32_t wake;    /* in rules->wakes */
};

struct rules {
    atomic_uint refs;
    struct arena *arena; /* every string, in one place */
    char id[RULES_ID_BYTES];

    struct rules_target *targets; /* in file order; a parent stands before its children */
    struct rules_kin *kin;        /* by target */
    size_t target_count;
    size_t category_count;        /* how many of them are categories */
    struct rules_use *uses;       /* those of keywords first, by value */
    struct rules_source *sources; /* by use */
    size_t use_count;
    struct rules_regex *regexes; /* the first unfiltered_count run on every text */
    size_t regex_count, unfiltered_count;
    struct rules_regex *asked; /* regexes of `unless` and of conditions */
    size_t asked_count;
    struct rules_gate *gates;
    struct rules_hints *hints; /* by gate */
    size_t gate_count;
    struct rules_tally *tallies;    /* by gate */
    struct rules_counter *counters; /* by target */
    uint64_t serial;                /* no other rule set of this process has it */
    struct rules_trigger *triggers;

    struct rules_condition *conditions; /* in file order */
    size_t condition_count;
    struct rules_part *parts;
    size_t part_count;
    struct rules_item *items;
    size_t item_count;
    uint32_t *wakes;  /* conditions */
    uint32_t *always; /* conditions to look at in every text: regexes alone can hold them */
    size_t always_count;
    uint32_t *unless_conditions;
    size_t unless_condition_count;
    uint32_t negates_before, negates_after; /* how many units away */

    struct keywords *keywords;
    size_t keyword_count;       /* the distinct keywords among the values */
    struct rules_value *values; /* hand_count, and one that ends the last one's runs */
    size_t hand_count;
    uint16_t *ngrams;   /* by value: its n-gram in learned, or LEARNED_NONE */
    uint8_t *negations; /* by value below hand_count: a mask of RULES_NEGATES_... */
    size_t value_count;

    struct learned *learned;                      /* NULL without a pack */
    struct span learned_file;                     /* its name: "learned/x.tsv" */
    uint32_t learned_targets[LEARNED_LABELS_MAX]; /* a label's first-level category */

    enum urgency urgency_default;
    enum kind kind_default;
    struct span sla_default;
    double min_score, min_margin;
};

/* Compiles files that were read already: rules_load_with without the disk. NULL and *err (not
 * NULL). */
struct rules *rules_compile(const struct rules_files *files, unsigned parts, struct err *err);

#endif
