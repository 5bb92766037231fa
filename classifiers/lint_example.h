/*
 * lint_example: texts that a pattern matches, or a part of it, made from its tree.
 */
#ifndef JIESU_CLASSIFIERS_LINT_EXAMPLE_H
#define JIESU_CLASSIFIERS_LINT_EXAMPLE_H

#include "classifiers/lint_pattern.h"
#include "engine/base/random.h"
#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

enum { EXAMPLE_UNITS = 1024, EXAMPLE_BYTES = EXAMPLE_UNITS * 3 };

/* What does not fit is left out. */
struct example {
    uint16_t units[EXAMPLE_UNITS];
    size_t count;
};

/* How choices are made. */
struct example_taste {
    uint16_t prefer;       /* a unit to take wherever a set holds it; 0: none */
    struct random *random; /* borrowed; NULL: the first alternative, the fewest rounds */
};

void example_put(struct example *example, uint16_t unit);
/* Appends a text that the part matches, if assertions and back-references allow. */
void example_write(struct example *example, const struct pattern_node *part,
                   const struct example_taste *taste);
/* The units as UTF-8, as many as fit in cap bytes; a surrogate becomes “?”. Returns the bytes. */
size_t example_utf8(const uint16_t *units, size_t count, char *out, size_t cap);

#endif
