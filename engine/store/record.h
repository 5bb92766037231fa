/*
 * record: one thing that must happen in Redis, in the form in which the outbox keeps it.
 *
 * A record is complete: it holds the whole Redis Function call, so that dispatching it (also again,
 * after a crash) needs nothing else and means the same. Calls are idempotent by the order's id
 * (create) or the step's id (step).
 */
#ifndef JIESU_STORE_RECORD_H
#define JIESU_STORE_RECORD_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/hash.h"
#include "engine/base/span.h"
#include "engine/model/id.h"
#include "engine/model/life.h"
#include "engine/model/order.h"
#include "engine/store/keys.h"

#include <stdbool.h>
#include <stdint.h>

enum record_kind { RECORD_CREATE = 1, RECORD_STEP = 2 };

enum { RECORD_ARGS = 112 };

/* Spans borrow from the buffer that the record was read from, or from whoever filled it. */
struct record {
    enum record_kind kind;
    struct id id;         /* of the order */
    bool keyed;           /* an Idempotency-Key came with the request: claim it */
    struct hash128 claim; /* the key (with its scope), hashed */
    struct hash128 body;  /* the request's body, hashed */
    size_t argc;
    struct span argv[RECORD_ARGS]; /* FCALL function numkeys keys... args... */
};

/* What the engine stores of a new order. JSON texts are written by the api floor. */
struct record_order {
    const struct id *id;
    struct span worker, grid;
    const struct span *posts; /* whose turn it is, in order */
    size_t post_count;
    struct span urgency, category, kind; /* names */
    struct span class_name;              /* of its clocks */
    struct span department, street;      /* may be empty */
    const struct span *tags;
    size_t tag_count;
    bool urgent;  /* this and the next say into which of a worker's queues it goes (order_queue) */
    bool special; /* somebody of a special group */
    bool triage;  /* it waits for a review with the head */
    int64_t created_at;
    int64_t due_at; /* when the engine must look at it first; 0: never */
    const struct sla_deadlines *deadlines;
    struct span answer;    /* the body of the 201, JSON: replayed to a retry, shown in queues */
    struct span complaint; /* what the resident sent, JSON: for the worker */
};

/* Fills *record with the jiesu_create call for an order; the caller adds keyed, claim and body. The
 * strings it needs beyond the given spans are appended to scratch, which must not hold any of the
 * given spans. 0, or -1 when memory is short. */
int record_create(struct record *record, const struct record_order *order, struct buf *scratch);

enum { RECORD_CLAIM_ARGS = 7, RECORD_CLAIM_TTL_BYTES = 12 };

/* The call that claims a record's idempotency key, where it is one of its own: SET NX GET, which
 * answers nil when the key is new and now stands for this order, else what it held. It must not be
 * moved: argv points into it. */
struct record_claim {
    struct key key;
    char value[ID_BYTES + 1 + HASH_HEX_BYTES]; /* "<id>/<body's hash>" */
    char ttl[RECORD_CLAIM_TTL_BYTES];
    struct span argv[RECORD_CLAIM_ARGS]; /* SET key value NX GET EX seconds */
};

/* Makes the claim of a keyed record under this id. */
void record_claim(const struct record *record, const struct id *id, struct record_claim *claim);

enum { RECORD_CLAIM_CREATE_ARGS = RECORD_ARGS + 3 };

/* The claim and the create in one call, for a Redis where both keys are on one server. Fills argv,
 * which borrows from the record and the claim, and returns how many arguments; 0 when the record's
 * call is not of the form that this version makes. It answers as the create does, or "claimed" and
 * what the key holds. */
size_t record_claim_create(const struct record *record, const struct record_claim *claim,
                           struct span argv[RECORD_CLAIM_CREATE_ARGS]);
/* Reads what a claimed key holds: the id of its order, and whether it came with this body. 0, or -1
 * when it is no claim. */
int record_claim_read(struct span value, const struct hash128 *body, struct id *id, bool *same);

/* One step of an order's life. */
struct record_step {
    const struct id *id;
    struct span step_id; /* unique to the request: a retry has the same; no white space in it */
    const struct life_step *step; /* its actor may take it in some state (life_from) */
    int64_t returns_most;         /* a return after so many asks for a decision */
    struct span note;             /* JSON object with the step's details, or empty */
    struct span tell;             /* workers who get a notice, "a b"; '=': who holds it then */
    struct span street;           /* workers told of a late resolve that had to say why, "a b" */
    int64_t due_at;               /* a step of the engine: when to look at the order next */
};

/* Fills *record with the jiesu_step call. As record_create. */
int record_step(struct record *record, const struct record_step *step, struct buf *scratch);

/* The durable form: length-prefixed, versioned, with a checksum. record_write puts record_size
 * bytes to out; record_encode appends them, 0 or -1 when memory is short. */
size_t record_size(const struct record *record);
void record_write(const struct record *record, char *out);
int record_encode(const struct record *record, struct buf *out);
/* Reads it back; spans borrow from bytes. 0, or -1 and *err (ERR_PROTOCOL: cut or corrupt). */
int record_decode(struct span bytes, struct record *record, struct err *err);
/* The same for bytes that have been in memory since they were written or read back: the checksum is
 * not computed again. */
int record_view(struct span bytes, struct record *record, struct err *err);

/* The key that says which slot the call goes to. */
struct span record_key(const struct record *record);
/* The answer that a create stores; empty for a step. */
struct span record_answer(const struct record *record);
/* Makes *out the same create under another id of the same community: the id is replaced wherever it
 * stands in the arguments. Changed arguments are put into scratch (emptied first). 0, or -1 when
 * memory is short. */
int record_rename(const struct record *record, const struct id *id, struct record *out,
                  struct buf *scratch);

#endif
