/*
 * What a server may send: bytes, cut where the first bytes of the input say, go through the reply
 * reader, and every reply goes through everything that looks into replies. The same bytes in one
 * piece must give the same number of replies. As text they are also an address, a redirection and a
 * function library.
 */
#include "engine/base/check.h"
#include "engine/store/orders.h"
#include "engine/store/redis_node.h"
#include "engine/store/redis_slots.h"
#include "engine/store/reply_reader.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS = 4, LIMIT = 1 << 18 };

static const struct redis_endpoint asked = {.host = "h", .port = 1};

/* Touches every byte. */
static uint64_t sum(const struct reply *reply)
{
    struct span text = reply_span(reply);
    uint64_t total = (uint64_t)reply_integer(reply) + (uint64_t)reply_type(reply) +
                     (reply_not_done(reply) ? 1 : 0);
    for (size_t i = 0; i < text.len; i++)
        total = total * 31 + (unsigned char)text.ptr[i];
    for (size_t i = 0; i < reply_size(reply); i++)
        total = total * 31 + sum(reply_at(reply, i));
    CHECK(reply_at(reply, reply_size(reply)) == NULL);
    return total;
}

static void look_into(const struct reply *reply)
{
    static struct redis_slots slots;
    struct order_view view;
    struct redis_redirect to;
    struct err err;
    if (redis_slots_read(reply, &asked, &slots, &err) == 0) {
        CHECK(slots.masters <= REDIS_MASTERS);
        for (size_t i = 0; i < REDIS_SLOTS; i++)
            CHECK(slots.owner[i] < slots.masters ||
                  (slots.owner[i] == REDIS_NO_MASTER && !slots.complete));
    }
    if (order_view_read(reply, &view) == 1)
        CHECK(view.state.len > 0 && view.history_count <= ORDERS_HISTORY);
    if (redis_redirect_read(reply_span(reply), &asked, &to) == 1)
        CHECK(to.slot < REDIS_SLOTS && to.to.port > 0 && to.to.host[0] != '\0');
}

struct outcome {
    size_t replies;
    uint64_t sum;
    bool broken;
};

static void feed(struct reply_reader *reader, struct span bytes, struct outcome *outcome)
{
    const struct reply *reply;
    struct err err;
    if (outcome->broken)
        return;
    int rc = reply_reader_feed(reader, bytes.ptr, bytes.len, &err) == 0 ? 1 : -1;
    while (rc == 1 && (rc = reply_reader_next(reader, &reply, &err)) == 1) {
        outcome->replies++;
        outcome->sum = outcome->sum * 31 + sum(reply);
        look_into(reply);
    }
    outcome->broken = rc < 0;
}

static struct outcome run(struct span bytes, const uint8_t *cuts, size_t count)
{
    struct outcome outcome = {0};
    struct reply_reader *reader = reply_reader_new(LIMIT);
    CHECK(reader != NULL);
    for (size_t i = 0; i < count; i++) {
        size_t step = cuts[i] < bytes.len ? cuts[i] : bytes.len;
        feed(reader, span_sub(bytes, 0, step), &outcome);
        bytes = span_sub(bytes, step, bytes.len);
    }
    feed(reader, bytes, &outcome);
    reply_reader_free(&reader);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_target target;
    struct redis_redirect to;
    struct err err = {0};
    if (size < CUTS)
        return 0;
    struct span bytes = span_of((const char *)data + CUTS, size - CUTS);
    struct outcome whole = run(bytes, data, 0), pieces = run(bytes, data, CUTS);
    CHECK(whole.replies == pieces.replies && whole.sum == pieces.sum);
    CHECK(whole.broken == pieces.broken);

    if (redis_target_parse(bytes, &target, &err) == 0)
        CHECK(target.count > 0 && target.count <= REDIS_SEEDS && target.host[0][0] != '\0');
    else
        CHECK(err.code == ERR_CONFIG);
    (void)redis_redirect_read(bytes, &asked, &to);
    CHECK(redis_slot(bytes) < REDIS_SLOTS);
    CHECK(redis_library_version(bytes) >= -1);
    return 0;
}
