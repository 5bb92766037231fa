/*
 * step_json: the steps of an order's life as JSON: the body of a request, the details that its
 * history keeps, and the history read back.
 */
#ifndef JIESU_API_STEP_JSON_H
#define JIESU_API_STEP_JSON_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/http/json.h"
#include "engine/model/life.h"
#include "engine/model/policy.h"
#include "engine/store/orders.h"

#include <stdbool.h>

/* Departments of one whistle. */
enum { STEP_PARTIES = 8 };

/* What a request asks for. Spans borrow from the reader. */
struct step_body {
    struct life_step step; /* but for its actor, and what life_prepare adds */
    struct span order;     /* of a line of a batch */
    struct span reason;
    struct span text; /* note, result or comment */
    struct span overdue_reason;
    struct span photos[LIMIT_ATTACHMENTS];
    size_t photo_count;
};

/* What the body is of. */
struct step_frame {
    enum order_step step;
    bool resident; /* else staff, who name themselves */
    bool line;     /* of a batch: with order and step */
    int64_t now;
    const struct policy *policy;
};

/* Fills *body from an object. 0; or -1 and *errors as complaint_decode does. */
int step_decode(struct json root, const struct step_frame *frame, struct step_body *body,
                struct buf *errors);
/* The details of a step that its history keeps, an object; nothing when there are none. */
void step_encode_note(const struct step_body *body, struct buf *out);

/* Replays the history of a stored order. Strings are copied into the arena. 0, or -1 when memory is
 * short or an entry cannot be read. The reader's last document is replaced. */
int life_read(struct json_reader *reader, const struct order_view *view,
              const struct process_numbers *numbers, struct arena *arena, struct life *life);

#endif
