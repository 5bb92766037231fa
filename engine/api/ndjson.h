/*
 * ndjson: the lines of a batch. A line ends at LF (a CR before it is white space); blank lines
 * count as lines and hold nothing; the last line needs no LF.
 */
#ifndef JIESU_API_NDJSON_H
#define JIESU_API_NDJSON_H

#include "engine/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct ndjson {
    struct span rest;
    uint32_t line; /* the number of the line that was given last, from 1 */
};

struct ndjson ndjson_of(struct span body);
/* 1 and the next line that is not blank, without the white space around it; 0 at the end. */
int ndjson_next(struct ndjson *lines, struct span *line);
/* How many lines ndjson_next will give. */
size_t ndjson_count(struct span body);

#endif
