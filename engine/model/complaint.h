/*
 * complaint: what a resident sent, decoded and checked, before it becomes an order.
 */
#ifndef JIESU_MODEL_COMPLAINT_H
#define JIESU_MODEL_COMPLAINT_H

#include "classifiers/verdict.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TABLE(X)                  \
    X(SOURCE_MINIPROGRAM, "miniprogram") \
    X(SOURCE_HOTLINE, "hotline")         \
    X(SOURCE_APP, "app")                 \
    X(SOURCE_WEB, "web")                 \
    X(SOURCE_GRID, "grid")               \
    X(SOURCE_SENSOR, "sensor")

enum source {
#define X(constant, name) constant,
    SOURCE_TABLE(X)
#undef X
        SOURCE_COUNT
};
const char *source_name(enum source source);
int source_parse(struct span name, enum source *out);

/* Spans borrow from the request. */
struct complaint {
    struct span text;  /* required */
    struct span title; /* may be empty, like all that follow */
    bool has_kind;
    enum kind kind; /* as the resident chose it: it beats the classifier's */
    enum source source;
    struct span community, grid;
    bool has_point;
    double lat, lon;
    struct span address;
    struct span resident_id, resident_name, resident_phone;
    int64_t occurred_at; /* 0: not given */
    struct span attachments[LIMIT_ATTACHMENTS];
    size_t attachment_count;
};

#endif
