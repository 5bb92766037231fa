/*
 * rules_private: the inside of a rule set, shared by what builds it and what classifies with it.
 *
 * A target is anything that collects a score: a node of the category tree, a rule of urgency.yaml,
 * a kind, a tag. A use is one pattern speaking for one target with one weight. Every distinct
 * keyword is in the matcher once, as a value; a value has a run of uses, so one scan serves all
 * four files.
 *
 * The same scan says which regexes to run. The literals that a regex needs (literals.h) are in the
 * matcher too, and their values have runs of triggers: each says that a set of some regex's
 * literals was met. A regex whose sets were all met is run, as is one without sets. Every regex,
 * those of `unless` too, has a gate, by which it is named there.
 */
#ifndef JIESU_CLASSIFIERS_RULES_PRIVATE_H
#define JIESU_CLASSIFIERS_RULES_PRIVATE_H

#include "classifiers/keywords.h"
#include "classifiers/regex.h"
#include "classifiers/rules_files.h"
#include "classifiers/verdict.h"
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_NONE UINT32_MAX

struct rules_target {
    enum evidence_for what;
    uint32_t parent;             /* a category's next level up, or RULES_NONE */
    int value;                   /* the enum urgency or enum kind it stands for */
    struct span name;            /* category path, urgency, kind or tag */
    struct span sla, department; /* may be empty; a category's are filled from above it */
    struct span rule; /* "file:line" of its rule; empty when only paths below it have one */
    size_t unless_at, unless_end; /* its run in rules->unless */
};

struct rules_use {
    uint32_t target;
    int weight;
    bool title_only;
    struct span pattern; /* as its author wrote it */
};

/* A regex and its use; those of `unless` have none. */
struct rules_regex {
    struct regex *regex;
    uint32_t use;
    uint32_t gate;
};

/* What must be met before a regex is worth running. */
struct rules_gate {
    uint32_t sets;  /* a bit for each set of literals; 0: it runs on every text */
    uint32_t regex; /* in rules->regexes; RULES_NONE for one of `unless` */
};

/* A literal that meets one set of a regex. */
struct rules_trigger {
    uint32_t gate;
    uint32_t set; /* its bit */
};

/* Where a value's runs begin; they end where the next value's begin. */
struct rules_value {
    uint32_t use, trigger;
};

struct rules {
    atomic_uint refs;
    struct arena *arena; /* every string, in one place */
    char id[RULES_ID_BYTES];

    struct rules_target *targets; /* in file order; a parent stands before its children */
    size_t target_count;
    size_t category_count; /* how many of them are categories */
    struct rules_use *uses;
    size_t use_count;
    struct rules_regex *regexes; /* the first unfiltered_count run on every text */
    size_t regex_count, unfiltered_count;
    struct rules_regex *unless;
    size_t unless_count;
    struct rules_gate *gates;
    size_t gate_count;
    struct rules_trigger *triggers;

    struct keywords *keywords;
    size_t keyword_count;       /* the distinct keywords among the values */
    struct rules_value *values; /* value_count, and one that ends the last one's runs */
    size_t value_count;

    enum urgency urgency_default;
    enum kind kind_default;
    struct span sla_default;
    double min_score, min_margin;
};

/* Compiles files that were read already: rules_load without the disk. NULL and *err (not NULL). */
struct rules *rules_compile(const struct rules_files *files, struct err *err);

#endif
