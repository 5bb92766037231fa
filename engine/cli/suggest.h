/*
 * suggest: keywords that would repair texts which are classified wrongly, by measured gain.
 *
 * It is given rows: the units of a text, what each label scores, and which label is right. It tries
 * runs of Han characters from the texts that are wrong as keywords of the right label, counts how
 * many rows each would put right and how many wrong, takes the best, and goes on from there: so the
 * figures of each hold with those before it.
 */
#ifndef JIESU_CLI_SUGGEST_H
#define JIESU_CLI_SUGGEST_H

#include "engine/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SUGGEST_LABELS = 64, /* first-level categories */
    SUGGEST_POINT = 100, /* scores are in hundredths of a point */
    SUGGEST_UNITS_MIN = 2,
    SUGGEST_UNITS_MAX = 5 /* of a suggested keyword */
};

struct suggest;

/* labels: how many there are, up to SUGGEST_LABELS; of those with equal scores the lower wins. NULL
 * and *err when memory is short. */
struct suggest *suggest_new(size_t labels, struct err *err);
void suggest_free(struct suggest **suggest);

/* Adds a row: its units (copied), the score of every label in hundredths, the right label. 0, or -1
 * and *err (ERR_NOMEM, ERR_LIMIT over 256 Mi units). */
int suggest_add(struct suggest *suggest, const uint16_t *units, size_t count, const int *scores,
                size_t right, struct err *err);
/* How many rows there are whose right label does not win. */
size_t suggest_wrong(const struct suggest *suggest);

struct suggestion {
    const uint16_t *units; /* count of them; valid as long as suggest, until the next suggest_add */
    size_t count;
    size_t label;
    int weight; /* in whole points */
    size_t repaired, broken;
};

/* Finds up to `most` suggestions into out, the best first, and keeps the scores as they would be
 * then. weight: the only one to try, or 0 for the best of several. 0 and *found, or -1 and *err. */
int suggest_find(struct suggest *suggest, size_t most, int weight, struct suggestion *out,
                 size_t *found, struct err *err);

#endif
