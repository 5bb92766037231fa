/*
 * rules_reader: what the readers of the rule files share: places, words and their weights, SLA
 * classes.
 *
 * Every function returns 0, or -1 with r->err filled, "file:line:column: what; what to do".
 */
#ifndef JIESU_CLASSIFIERS_RULES_READER_H
#define JIESU_CLASSIFIERS_RULES_READER_H

#include "classifiers/rules_build.h"
#include "classifiers/rules_files.h"
#include "classifiers/yaml.h"
#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file being read. */
struct rules_reader {
    struct rules_builder *builder;
    const struct rules_files *files;
    const struct rules_file *file;
    const struct yaml_doc *doc;
    const struct yaml_doc *sla; /* sla.yaml stays open while the others are read */
    bool root_ruled;            /* the category being read has a rule for its first level */
    struct err *err;
};

typedef int rules_read_doc(struct rules_reader *r, const struct yaml_node *root);

/* Parses a file and reads it; what outlives the document is copied by the builder. */
int reader_doc(struct rules_reader *r, const struct rules_file *file, rules_read_doc *read);
/* Gives the builder's error the place of a node; running out of memory has no place. Returns -1. */
int reader_at(const struct rules_reader *r, const struct yaml_node *node);
int reader_copy(struct rules_reader *r, struct span s, struct span *out);
/* "file:line" of a node, as evidence shows it. */
int reader_place(struct rules_reader *r, const struct yaml_node *node, struct span *out);

/* Checks the map of a file and finds its list of rules. */
int reader_rules(struct rules_reader *r, const struct yaml_node *root, const char *const *known,
                 const struct yaml_node **list);
/* Refuses a target that an earlier rule has already, from the target of that index on. */
int reader_refuse_twin(struct rules_reader *r, const struct yaml_node *node, size_t from,
                       enum evidence_for what, struct span name);
/* Checks that a node is a list of words: not empty, scalars only. */
int reader_words(struct rules_reader *r, const struct yaml_node *list);
/* Keys that reader_patterns reads; for the lists of known keys. */
#define READER_PATTERN_KEYS                                                                    \
    "keywords", "title_keywords", "text_keywords", "regexes", "title_regexes", "text_regexes", \
        "conditions", "negatable"
enum {
    READER_WEIGHTED = 1,  /* each as a map from weight to words, else as a list */
    READER_NEEDED = 2,    /* a rule without any is an error */
    READER_NEGATABLE = 4, /* unless `negatable: no` says else */
};
/* Reads the patterns of a rule into its target. how: of the above. */
int reader_patterns(struct rules_reader *r, const struct yaml_node *rule, uint32_t target,
                    unsigned how);
/* The condition that a node names. */
int reader_condition(struct rules_reader *r, const struct yaml_node *node, uint32_t *condition);
/* The class of sla.yaml with this name, or NULL. */
const struct yaml_node *reader_find_sla(const struct rules_reader *r, struct span name);
/* The optional `sla:` (a class of sla.yaml) and `department:` of a map; *out is left alone when
 * absent. */
int reader_sla(struct rules_reader *r, const struct yaml_node *map, struct span *out);
int reader_department(struct rules_reader *r, const struct yaml_node *map, struct span *out);

/* Reads conditions.yaml and negations.yaml. */
int rules_read_conditions(struct rules_reader *r, const struct yaml_node *root);
int rules_read_negations(struct rules_reader *r, const struct yaml_node *root);
/* Reads one file of categories/. */
int rules_read_category(struct rules_reader *r, const struct yaml_node *root);

#endif
