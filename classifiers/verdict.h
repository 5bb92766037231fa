/*
 * verdict: what a classification says, and the evidence for it.
 *
 * All spans borrow: names from the rule set, evidence bytes from the text that was classified. A
 * verdict is good until the scratch it came from classifies again.
 */
#ifndef JIESU_CLASSIFIERS_VERDICT_H
#define JIESU_CLASSIFIERS_VERDICT_H

#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(constant, name, Chinese name) */
#define URGENCY_TABLE(X)              \
    X(URGENCY_BLUE, "blue", "蓝")     \
    X(URGENCY_YELLOW, "yellow", "黄") \
    X(URGENCY_RED, "red", "红")

enum urgency {
#define X(constant, name, chinese) constant,
    URGENCY_TABLE(X)
#undef X
        URGENCY_COUNT
};

#define KIND_TABLE(X)                        \
    X(KIND_COMPLAINT, "complaint", "投诉")   \
    X(KIND_HELP, "help", "求助")             \
    X(KIND_ENQUIRY, "enquiry", "咨询")       \
    X(KIND_SUGGESTION, "suggestion", "建议") \
    X(KIND_REPORT, "report", "举报")

enum kind {
#define X(constant, name, chinese) constant,
    KIND_TABLE(X)
#undef X
        KIND_COUNT
};

const char *urgency_name(enum urgency urgency);
const char *kind_name(enum kind kind);
/* 0 and the value for an English or Chinese name; -1 for another. */
int urgency_parse(struct span name, enum urgency *out);
int kind_parse(struct span name, enum kind *out);

/* What a piece of evidence speaks for. */
enum evidence_for { EVIDENCE_CATEGORY, EVIDENCE_URGENCY, EVIDENCE_KIND, EVIDENCE_TAG };
const char *evidence_for_name(enum evidence_for what);

struct evidence {
    enum evidence_for what;
    struct span target;      /* the category path, urgency, kind or tag it speaks for */
    struct span rule;        /* "file:line" of the rule, relative to the rule set's folder */
    struct span pattern;     /* the keyword or regex as its author wrote it */
    double weight;           /* 0: found, but negated or set aside by the rule's `unless` */
    struct text_place place; /* the resident's own words */
};

struct verdict_category {
    struct span path; /* "城乡建设/安全生产/安全隐患", one to three levels */
    double score;     /* of its first level, so that categories compare */
};

enum { VERDICT_TAGS = 16 }; /* as many as tags.yaml may define */

struct verdict {
    struct verdict_category category;                   /* path is empty when nothing matched */
    struct verdict_category secondary[LIMIT_SECONDARY]; /* those with a point or more */
    size_t secondary_count;
    enum urgency urgency;
    enum kind kind;
    struct span tags[VERDICT_TAGS];
    size_t tag_count;
    struct span department; /* may be empty */
    struct span sla;        /* name of an SLA class of rules/sla.yaml; never empty */
    double score;           /* of the first-level category */
    double margin;          /* (score - runner-up's) / score, 0..1; 0 when nothing matched */
    bool review;            /* a person should check it */
    /* Why: the first that holds of "negated_emergency", "no_match", "contradictory" (hand-written
     * rules and learned weights are each sure of another category), "low_score", "low_margin" and
     * "regex_limited" (a regex was stopped by its limits, so the verdict may miss something); or
     * empty. */
    struct span review_reason;
    struct evidence evidence[LIMIT_EVIDENCE];
    size_t evidence_count;
    struct span rule_set; /* id of the rule set: 16 hex digits of a hash over its files */
};

#endif
