#include "engine/base/limiter.h"

#include "engine/base/hash.h"
#include "engine/base/limits.h"

#include <stddef.h>
#include <stdio.h>

#define WINDOW_MS 1000

static bool is_over(const struct limiter_row *row, int64_t now_ms)
{
    return now_ms - row->since_ms >= WINDOW_MS;
}

static void claim(struct limiter_row *row, uint64_t key, const char *module, const char *event,
                  int64_t now_ms)
{
    *row = (struct limiter_row){.key = key, .since_ms = now_ms};
    snprintf(row->module, sizeof(row->module), "%s", module);
    snprintf(row->event, sizeof(row->event), "%s", event);
}

/* The row of the event: its own, else one that is free or idle, else the shared last one. */
static struct limiter_row *find(struct limiter *l, const char *module, const char *event,
                                int64_t now_ms)
{
    uint64_t key = hash64(span_str(event), hash64(span_str(module), 0)) | 1;
    struct limiter_row *idle = NULL;
    for (size_t i = 0; i < LIMITER_ROWS - 1; i++) {
        struct limiter_row *row = &l->rows[i];
        if (row->key == key)
            return row;
        bool usable = row->key == 0 || (is_over(row, now_ms) && row->suppressed == 0);
        if (usable && idle == NULL)
            idle = row;
    }
    if (idle != NULL) {
        claim(idle, key, module, event, now_ms);
        return idle;
    }
    struct limiter_row *shared = &l->rows[LIMITER_ROWS - 1];
    if (shared->key == 0)
        claim(shared, 1, "log", "other", now_ms);
    return shared;
}

bool limiter_take(struct limiter *l, const char *module, const char *event, int64_t now_ms)
{
    struct limiter_row *row = find(l, module, event, now_ms);
    if (is_over(row, now_ms)) {
        row->since_ms = now_ms;
        row->lines = 0;
    }
    if (row->lines >= LIMIT_LOG_BURST) {
        row->suppressed++;
        return false;
    }
    row->lines++;
    return true;
}

bool limiter_report(struct limiter *l, int64_t now_ms, bool all, struct limiter_row *out)
{
    for (size_t i = 0; i < LIMITER_ROWS; i++) {
        struct limiter_row *row = &l->rows[i];
        if (row->suppressed == 0 || !(all || is_over(row, now_ms)))
            continue;
        *out = *row;
        row->suppressed = 0;
        return true;
    }
    return false;
}
