/*
 * shift: when a worker is on duty, in Shanghai time, week by week.
 */
#ifndef JIESU_MODEL_SHIFT_H
#define JIESU_MODEL_SHIFT_H

#include "engine/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct shift {
    uint8_t days; /* bit 0: a shift starts on Mondays, .. bit 6: on Sundays */
    int16_t from,
        to; /* minutes of the day, 0..1439 and 0..1440; to <= from: it ends on the next day */
};

/* Reads "mon-fri 08:00-18:00" or "sat 20:00-08:00". 0, or -1 when it has another form. */
int shift_parse(struct span text, struct shift *out);
/* True when the instant lies in the shift; its end does not. */
bool shift_covers(const struct shift *shift, int64_t now);

#endif
