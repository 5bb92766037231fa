/*
 * notices: what a worker is told: of warnings, of orders that went up, of decisions that others took.
 *
 * They stand in a stream per worker and community, the newest thousand or so, in the order in which
 * they came. Nobody acknowledges them: a reader keeps the id of the last one that it has seen.
 */
#ifndef JIESU_STORE_NOTICES_H
#define JIESU_STORE_NOTICES_H

#include "engine/base/err.h"
#include "engine/base/span.h"
#include "engine/store/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Spans borrow from the reply for the length of the callback. */
struct notice {
    struct span id;    /* in the stream: "<ms>-<n>" */
    struct span order; /* "<community>.<ulid>" */
    struct span step;
    int64_t version, at;
    struct span note; /* JSON, or empty */
};

typedef void notices_got(void *ctx, const struct notice *notices, size_t count,
                         const struct err *err);
/* At most `most` notices (up to LIMIT_QUEUE_PAGE) after that id ("0-0": all), oldest first. 0 and
 * later got, once; or -1 and *err at once. */
int notices_read(struct redis *redis, struct span community, struct span worker, struct span after,
                 size_t most, notices_got *got, void *ctx, struct err *err);
/* True for the id of a notice. */
bool notices_id_valid(struct span id);

#endif
