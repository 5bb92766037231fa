/*
 * Searching with bounded work.
 *
 * PCRE2 cannot be interrupted; what it offers is a limit of steps, which it counts anew at every
 * place where a match may begin, and an offset behind which no match may begin. A step of compiled
 * code takes some nanoseconds, but one that repeats a single item reads on as far as it can, which
 * nothing counts. So a step is given a cost: one that grows with the text for a pattern that has such
 * items (struct regex's is_long), a small constant for others; and one call is given no more places
 * and steps than come to LIMIT_REGEX_CALL_COST, well below a millisecond at the worst. Between two
 * calls the clock is read.
 *
 * Most searches are of a few places. Such are done with one call, and without a look at the clock
 * until together they may have cost UNWATCHED_COST, a fraction of a call's limit.
 *
 * A pattern is tried with few steps at many places first: that is one call for what rules are made
 * of and complaints of the usual length. When that is too little for some place, fewer places get
 * more steps, down to one place with all of them. A pattern that needs more at one place, or more
 * time over all, is stopped; it counts as no match.
 */
#include "classifiers/regex_private.h"
#include "classifiers/text.h"
#include "engine/base/limits.h"
#include "engine/base/metric.h"

enum {
    STEP_COST = 16,
    SHORT_READ = 32,
    MORE_STEPS = 8,
    UNWATCHED_COST = LIMIT_REGEX_CALL_COST / 4
};

void regex_scratch_set_clock(struct regex_scratch *scratch, const struct regex_clock *clock)
{
    scratch->clock = *clock;
}

void regex_scratch_begin(struct regex_scratch *scratch)
{
    scratch->timed = true;
    scratch->started = false;
    scratch->over = false;
    scratch->unwatched = 0;
}

static bool is_over(const struct regex_scratch *scratch, struct regex_watch *watch, uint64_t now,
                    uint64_t budget_us)
{
    uint64_t half = budget_us * 1000 / 2;
    if (!watch->on_own && now - watch->steady < half)
        return false;
    uint64_t own = scratch->clock.own(scratch->clock.ctx);
    if (!watch->on_own) {
        watch->on_own = true;
        watch->own = own;
    }
    return own - watch->own >= half;
}

/* One call: searches for a match that begins in [start, end). */
static int call(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                size_t count, size_t start, size_t end, size_t steps)
{
    if (scratch->steps != steps)
        pcre2_set_match_limit(scratch->context, (uint32_t)steps);
    scratch->steps = steps;
    pcre2_set_offset_limit(scratch->context, end - 1);
    if (regex->is_compiled)
        return pcre2_jit_match(regex->code, units, count, start, PCRE2_NOTEMPTY, scratch->data,
                               scratch->context);
    return pcre2_match(regex->code, units, count, start, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                       scratch->data, scratch->context);
}

/* Of one step in a text of `count` units. */
static size_t step_cost(const struct regex *regex, size_t count)
{
    return STEP_COST + (regex->is_long ? count / 4 : SHORT_READ);
}

/* How far a call may go on from `at`, with so many steps. */
static size_t call_end(size_t at, size_t count, size_t steps, size_t cost)
{
    size_t places = LIMIT_REGEX_CALL_COST / (steps * cost);
    if (places == 0)
        places = 1;
    return places < count - at ? at + places : count;
}

static bool is_low_half(uint16_t unit)
{
    return (unit & 0xFC00) == 0xDC00;
}

static int take_match(const struct regex_scratch *scratch, size_t *from, size_t *to)
{
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(scratch->data);
    *from = span[0];
    *to = span[1];
    return span[0] < span[1] ? REGEX_MATCH : REGEX_NO_MATCH;
}

/* The same as search with one call and without a look at the clock: false when that is too much, or
 * did not decide. */
static bool search_little(const struct regex *regex, struct regex_scratch *scratch,
                          const uint16_t *units, size_t count, size_t start, size_t stop,
                          int *result, size_t *from, size_t *to)
{
    size_t cost = step_cost(regex, count) * LIMIT_REGEX_PLACE_STEPS;
    if (stop - start > (UNWATCHED_COST - scratch->unwatched) / cost)
        return false;
    scratch->unwatched += cost * (stop - start);
    int found = call(regex, scratch, units, count, start, stop, LIMIT_REGEX_PLACE_STEPS);
    *result = found >= 0 ? take_match(scratch, from, to) : REGEX_NO_MATCH;
    return found >= 0 || found == PCRE2_ERROR_NOMATCH;
}

/* Searches for a match that begins in [start, stop). */
static int search(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                  size_t count, size_t start, size_t stop, struct regex_watch *watch, size_t *from,
                  size_t *to)
{
    size_t cost = step_cost(regex, count);
    size_t most = LIMIT_REGEX_CALL_COST / cost + 1, first = LIMIT_REGEX_PLACE_STEPS;
    size_t steps = first < most ? first : most;
    for (size_t at = start; at < stop;) {
        size_t end = call_end(at, stop, steps, cost);
        int found = call(regex, scratch, units, count, at, end, steps);
        if (found >= 0)
            return take_match(scratch, from, to);
        if (found == PCRE2_ERROR_NOMATCH) {
            at = end < stop && is_low_half(units[end]) ? end + 1 : end;
            steps = first < most ? first : most;
        } else if (found != PCRE2_ERROR_MATCHLIMIT || steps == most) {
            return REGEX_LIMITED;
        } else {
            steps = steps * MORE_STEPS < most ? steps * MORE_STEPS : most;
        }
        if (at == stop)
            break;
        uint64_t now = scratch->clock.steady(scratch->clock.ctx);
        if (is_over(scratch, watch, now, LIMIT_REGEX_SEARCH_US) ||
            (scratch->timed && is_over(scratch, &scratch->text, now, LIMIT_REGEX_TEXT_US)))
            return REGEX_LIMITED;
    }
    return REGEX_NO_MATCH;
}

int regex_search_from(const struct regex *regex, struct regex_scratch *scratch,
                      const uint16_t *units, size_t count, size_t first, size_t last, size_t *from,
                      size_t *to)
{
    size_t stop = last < count ? last + 1 : count;
    int found = REGEX_NO_MATCH;
    if (!scratch->over &&
        search_little(regex, scratch, units, count, first, stop, &found, from, to))
        return found;
    scratch->unwatched = 0;
    struct regex_watch watch = {.steady = scratch->clock.steady(scratch->clock.ctx)};
    if (!scratch->started) {
        scratch->text = watch;
        scratch->started = true;
    }
    if (scratch->timed && is_over(scratch, &scratch->text, watch.steady, LIMIT_REGEX_TEXT_US)) {
        metric_add(METRIC_REGEX_SKIPPED, 1);
        scratch->over = true;
        return REGEX_SKIPPED;
    }
    found = search(regex, scratch, units, count, first, stop, &watch, from, to);
    if (found == REGEX_LIMITED)
        metric_add(METRIC_REGEX_LIMITED, 1);
    return found;
}

int regex_search(const struct regex *regex, struct regex_scratch *scratch, const uint16_t *units,
                 size_t count, size_t start, size_t *from, size_t *to)
{
    size_t boundary = 0;
    while (boundary < count && units[boundary] != TEXT_BOUNDARY)
        boundary++;
    int found = REGEX_NO_MATCH;
    if (start < boundary)
        found = regex_search_from(regex, scratch, units, boundary, start, boundary, from, to);
    size_t base = boundary + 1;
    if (found == REGEX_MATCH || base >= count)
        return found;
    int limited = found;
    found = regex_search_from(regex, scratch, units + base, count - base,
                              start > base ? start - base : 0, count, from, to);
    if (found == REGEX_MATCH) {
        *from += base;
        *to += base;
    }
    return found == REGEX_NO_MATCH ? limited : found;
}
