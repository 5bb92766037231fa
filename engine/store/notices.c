#include "engine/store/notices.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/store/keys.h"

#include <stdio.h>

/* "<ms>-<n>", each at most 20 digits, with "(" before and a NUL behind. */
enum { ID_ROOM = 44, NUMBER_BYTES = 24 };

struct call {
    notices_got *got;
    void *ctx;
};

static void read_notice(const struct reply *entry, struct notice *notice)
{
    const struct reply *fields = reply_at(entry, 1);
    *notice = (struct notice){.id = reply_span(reply_at(entry, 0))};
    for (size_t i = 0; fields != NULL && i + 1 < reply_size(fields); i += 2) {
        const struct span name = reply_span(reply_at(fields, i));
        const struct reply *value = reply_at(fields, i + 1);
        if (span_eq(name, SPAN("id")))
            notice->order = reply_span(value);
        else if (span_eq(name, SPAN("step")))
            notice->step = reply_span(value);
        else if (span_eq(name, SPAN("version")))
            notice->version = reply_integer(value);
        else if (span_eq(name, SPAN("at")))
            notice->at = reply_integer(value);
        else if (span_eq(name, SPAN("note")))
            notice->note = reply_span(value);
    }
}

static void on_range(void *ctx, const struct reply *reply, const struct err *err)
{
    const struct call call = *(struct call *)ctx;
    struct notice notices[LIMIT_QUEUE_PAGE];
    struct err why;
    size_t count = 0;
    mem_free(ctx);
    if (err == NULL && reply_type(reply) != REPLY_ARRAY) {
        err_set(&why, ERR_PROTOCOL, "Redis: notices of a worker: %.*s",
                SPAN_ARG(reply_span(reply)));
        err = &why;
    }
    for (; err == NULL && count < reply_size(reply) && count < LIMIT_QUEUE_PAGE; count++)
        read_notice(reply_at(reply, count), &notices[count]);
    call.got(call.ctx, notices, count, err);
}

int notices_read(struct redis *redis, struct span community, struct span worker, struct span after,
                 size_t most, notices_got *got, void *ctx, struct err *err)
{
    char from[ID_ROOM], number[NUMBER_BYTES];
    const struct key key = key_notices(community, worker);
    CHECK(notices_id_valid(after) && most > 0 && most <= LIMIT_QUEUE_PAGE);
    (void)snprintf(from, sizeof(from), "(%.*s", SPAN_ARG(after));
    (void)snprintf(number, sizeof(number), "%zu", most);
    struct call *call = mem_alloc(sizeof(*call));
    if (call == NULL)
        return err_set(err, ERR_NOMEM, "no memory to read notices");
    *call = (struct call){got, ctx};
    const struct span argv[] = {SPAN("XRANGE"), key_span(&key), span_str(from),
                                SPAN("+"),      SPAN("COUNT"),  span_str(number)};
    if (redis_command(redis, key_span(&key), sizeof(argv) / sizeof(argv[0]), argv, on_range, call,
                      err) == 0)
        return 0;
    mem_free(call);
    return -1;
}

bool notices_id_valid(struct span id)
{
    uint64_t n;
    const struct span ms = span_cut(&id, '-');
    return span_to_u64(ms, UINT64_MAX, &n) == 0 && span_to_u64(id, UINT64_MAX, &n) == 0 &&
           ms.len + id.len + 3 <= ID_ROOM;
}
