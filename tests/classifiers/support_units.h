/*
 * support_units: UTF-16 for the tests of the matchers, and small texts to search.
 */
#ifndef JIESU_TESTS_CLASSIFIERS_SUPPORT_UNITS_H
#define JIESU_TESTS_CLASSIFIERS_SUPPORT_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Writes UTF-8 as UTF-16, without any normalisation; returns the number of units. out must be large
 * enough. */
size_t units_of(const char *utf8, uint16_t *out);
/* Writes units back as NUL-terminated UTF-8 and returns out; TEXT_BOUNDARY becomes '|'. */
const char *units_show(const uint16_t *units, size_t count, char *out);

#endif
